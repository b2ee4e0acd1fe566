#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest test programs in containers: natively and inside, outputs compared (run-guest-tests).
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
mkdir "$bundle/rootfs/tests"
config /bin/sh /run
edit "
known = 'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN ' \
    'NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME ' \
    'SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON ' \
    'BPF CHECKPOINT_RESTORE'
c['process']['capabilities'] = {s: ['CAP_' + k for k in known.split()] for s in ('bounding', 'effective', 'permitted')}
c['process']['noNewPrivileges'] = False
c['mounts'].append({'destination': '/tmp', 'type': 'tmpfs', 'source': 'tmp', 'options': ['mode=1777']})"
# The program is not the first process: a first process has no parent, and inherits orphans.
cat >"$tmp/inside" <<INSIDE
#!/bin/sh
cp "\$1" "$bundle/rootfs/tests/"
echo "/tests/\$(basename "\$1"); exit \\\$?" >"$bundle/rootfs/run"
exec "$casemate" --root "$tmp/state" run --memory 512M --cpus ${GUEST_CPUS:-2} -b "$bundle" "guest-\$\$"
INSIDE
chmod +x "$tmp/inside"
GUEST_RUN=$tmp/inside "$top_srcdir/tests/guest/run-guest-tests" "$@"
status=$?
wait_for 5 no_leftover || leftover | sed 's/^/# left: /'
exit $status
