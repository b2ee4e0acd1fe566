#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The control socket of a real microVM: every method of docs/RPC.md that works, and bad calls of every kind.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$top_builddir/casemate-debug" "$tmp/libexec/"
mkdir "$tmp/libexec/guest" && cp "$top_builddir/guest/sentry.elf" "$tmp/libexec/guest/"
config /bin/sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done'
mkdir -p "$bundle/rootfs/etc" "$bundle/rootfs/proc" "$bundle/rootfs/dev"
echo one two three >"$bundle/rootfs/etc/words"
ln -s /etc/words "$bundle/rootfs/etc/link"
mkfifo "$bundle/rootfs/etc/fifo"
ln -s busybox "$bundle/rootfs/bin/mkdir"
$cm --debug create -b "$bundle" r >"$tmp/out" 2>"$tmp/log" </dev/null
python3 -B "$top_srcdir/tests/oci/rpc.py" "$tmp/state/r/control.sock" "$tmp/out" "$top_srcdir/docs/RPC.md" "$tmp/log" "$busybox" >"$tmp/rpc" 2>&1
points() { # points FILE: lines of a client as points
	while read -r verdict text; do
		case "$verdict" in ok) ok 0 "$text" ;; not) ok 1 "$text" ;; *) echo "# $verdict $text" ;; esac
	done <"$1"
	grep -q '^ok end' "$1"
	is "$?" 0 "all calls were made"
}
points "$tmp/rpc"
$cm delete --force r
# ---- further containers
config /bin/sh -c 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'
$cm create -b "$bundle" r >"$tmp/out" 2>&1 </dev/null
python3 -B "$top_srcdir/tests/oci/rpc_pod.py" "$tmp/state/r/control.sock" "$tmp/libexec/casemate-fsd" "$bundle/rootfs" "$bundle/config.json" >"$tmp/pod" 2>&1
points "$tmp/pod"
$cm delete --force r
# ---- containers of a program alone
for applet in grep wc rm; do ln -sf busybox "$bundle/rootfs/bin/$applet"; done
printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
printf 'root:x:0:\nstaff:x:50:\n' >"$bundle/rootfs/etc/group"
$cm create -b "$bundle" r >"$tmp/out" 2>"$tmp/log" </dev/null
python3 -B "$top_srcdir/tests/oci/rpc_start.py" "$tmp/state/r/control.sock" >"$tmp/start" 2>&1
points "$tmp/start"
$cm delete --force r
# The debugger sees as little of a secret as a core that the guest writes.
$cm create -b "$bundle" r >"$tmp/out" 2>"$tmp/log" </dev/null
urpc r '{"method":"Lifecycle.StartContainer","arg":{"container_id":"secret","filename":"/bin/sh","argv":["sh","-c","while :; do sleep 1; done"],"envv":["PATH=/bin","OPEN=here"],"secret_envv":["SECRET=swordfish","TWO=swordfish2"]}}' >"$tmp/out"
found=0 secrets=0
for pid in $($cm debug r tasks 2>/dev/null | awk '$1 ~ /^[0-9]+$/ && $1 == $2 { print $1 }' | sort -u); do
	$cm debug r core -p "$pid" "$tmp/core" >"$tmp/out" 2>&1 || continue
	grep -q OPEN=here "$tmp/core" && found=$((found + 1))
	grep -q swordfish "$tmp/core" && secrets=$((secrets + 1))
	rm -f "$tmp/core"
done
is "$found $secrets" "1 0" "debug core -p of a program with secrets: its environment without them, and nothing of it where it was handed on"
$cm delete --force r
# ---- an overlay as an archive
for applet in mkdir chmod chown mv ln mkfifo mknod tr; do ln -sf busybox "$bundle/rootfs/bin/$applet"; done
rm -rf "$bundle/rootfs/etc" "$bundle/rootfs/tmp" "$bundle/rootfs/mnt"
mkdir -p "$bundle/rootfs/etc" "$bundle/rootfs/tmp" "$bundle/rootfs/old" "$bundle/rootfs/away" "$bundle/rootfs/lower/a/b"
echo one two three >"$bundle/rootfs/etc/words"
for f in etc/mode etc/gone etc/from etc/swap old/file away/file lower/a/c; do echo "${f##*/}" >"$bundle/rootfs/$f"; done
$cm create --overlay -b "$bundle" r >"$tmp/out" 2>"$tmp/log" </dev/null
python3 -B "$top_srcdir/tests/oci/rpc_tar.py" "$tmp/state/r/control.sock" "$bundle/rootfs" >"$tmp/tar" 2>&1
points "$tmp/tar"
$cm delete --force r
is "$(state_entries)" "" "no state is left"
wait_for 1 no_leftover
is "$(leftover)" "" "no process is left"
plan
