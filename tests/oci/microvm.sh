#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The life of containers in real microVMs.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
noexec=/noexec
: >"$bundle/rootfs/noexec"
. "$top_srcdir/tests/oci/lifecycle.sh"

# ---- what only a microVM shows
config /bin/sh -c 'echo hello > /tmp/file; exit 3'
run w </dev/null
is "$rc:$(cat "$bundle/rootfs/tmp/file" 2>/dev/null)" 3:hello "a write reaches the host's directory"
rm -f "$bundle/rootfs/tmp/file"
run w --overlay </dev/null
is "$rc:$(ls "$bundle/rootfs/tmp")" 3: "with --overlay it does not"
config /bin/sh -c 'kill -9 $$; exit 5'
run w </dev/null
is "$rc" 5 "the first process survives its own SIGKILL, as in every PID namespace"
config /bin/sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
is "$($cm run -b "$bundle" w </dev/null 2>&1 | sort)" "err
out" "/dev/stdout and /dev/stderr can be opened anew"
config /bin/pwd
edit "c['process']['cwd'] = '/made/for/it'"
is "$($cm run -b "$bundle" w </dev/null)" /made/for/it "a missing working directory is made"
is "$($cm do -- /bin/sh -c 'pwd; echo x > /tmp/.casemate-do-test && cat /tmp/.casemate-do-test' </dev/null)" "$(pwd)
x" "do keeps the directory and can write"
[ ! -e /tmp/.casemate-do-test ]
ok $? "... but not on the host"
is "$($cm do -- /bin/ls -a / </dev/null | sort)" "$(ls -a / | sort)" "do lists the host's root, once"
config /bin/sh -c 'echo x >/dev/null && test -c /dev/zero'
edit "c['mounts'] = []"
mkdir -p "$bundle/rootfs/dev"
run w </dev/null >/dev/null
is "$rc" 0 "without mounts there are the default devices"
rc=0
$cm do nonexistent-command </dev/null 2>/dev/null || rc=$?
is "$rc" 127 "do of a missing command: 127"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
plan
