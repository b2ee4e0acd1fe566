#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Hosts and images that cannot or must not work: one clear line, a non-zero exit, nothing left, nothing on the host touched.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"

# refused NAME PATTERN: the last run failed with one line that holds PATTERN
refused() {
	case "$rc:$(wc -l <"$tmp/err"):$(err)" in
	0:*) ok 1 "$1 (it succeeded)" ;;
	[1-9]*:1:*$2*) ok 0 "$1" ;;
	*) ok 1 "$1 ($rc: $(err))" ;;
	esac
}

# ---- the host
config /bin/true
in_dev() { # in_dev SETUP: run with a /dev of our own
	rc=0
	unshare -m sh -c 'mount -t tmpfs none /dev && { '"$1"'; } && shift && exec "$@"' sh "$1" \
		$cm run -b "$bundle" a </dev/null 2>"$tmp/err" || rc=$?
}
in_dev :
refused "no /dev/kvm" "open '/dev/kvm'"
in_dev 'mknod /dev/kvm c 1 3'
refused "a /dev/kvm that is no KVM" "not a KVM device"
in_dev 'mknod -m 600 /dev/kvm c 10 232; setpriv --reuid 65534 --regid 65534 --clear-groups test ! -r /dev/kvm'
is "$rc" 0 "a /dev of our own serves as well"
if command -v setpriv >/dev/null; then
	chmod 755 "$tmp" "$bundle"
	mkdir -m 777 "$tmp/open"
	rc=0
	setpriv --reuid 65534 --regid 65534 --clear-groups timeout 60 "$casemate" --root "$tmp/open/state" run -b "$bundle" a \
		</dev/null 2>"$tmp/err" || rc=$?
	if [ -r /dev/kvm ] && setpriv --reuid 65534 --regid 65534 --clear-groups test -w /dev/kvm; then
		n=$((n + 1))
		echo "ok $n - no permission on /dev/kvm # SKIP everybody may use it here"
	else
		refused "no permission on /dev/kvm" "Permission denied"
	fi
fi
if command -v strace >/dev/null; then
	rc=0
	strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:retval=0:when=3 $cm run -b "$bundle" a </dev/null 2>"$tmp/err" || rc=$?
	refused "a KVM without a capability that is needed" "is missing"
fi
is "$(state_entries)" "" "nothing is left of them"

# ---- images that point elsewhere
echo secret >"$tmp/host-file"
mkdir "$tmp/host-dir"
hostile() { # hostile NAME LINK: the image's /dev and /etc are links to LINK
	rm -rf "$bundle/rootfs/dev" "$bundle/rootfs/etc"
	ln -s "$2" "$bundle/rootfs/dev"
	ln -s "$2" "$bundle/rootfs/etc"
	config /bin/sh -c 'echo x >/etc/written; echo x >/dev/written; cat /etc/host-file /dev/host-file; true'
	run a </dev/null >"$tmp/out"
	[ "$(ls -A "$tmp/host-dir")" = "" ] && [ ! -e "$tmp/written" ] && ! grep -q secret "$tmp/out" && [ "$(wc -l <"$tmp/err")" -lt 8 ]
	ok $? "image with /dev and /etc $1"
}
hostile "that lead to a directory of the host" "$tmp/host-dir"
hostile "that lead to the bundle's parent" "$tmp"
hostile "that climb out" "../../../../../../../../../../$tmp"
hostile "that lead to themselves" etc
hostile "that lead nowhere" /nowhere
hostile "that name a file of the host" "$tmp/host-file"
rm -f "$bundle/rootfs/dev" "$bundle/rootfs/etc"
mkdir -p "$bundle/rootfs/dev"
mknod "$bundle/rootfs/dev/null" b 7 0 2>/dev/null
mknod "$bundle/rootfs/dev/kmem" c 1 1 2>/dev/null
config /bin/sh -c 'cat /dev/kmem'
edit "c['mounts'] = []"
run a </dev/null
[ "$rc" != 0 ]
ok $? "device nodes of the image lead nowhere"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
plan
