#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Images of erofs that mkfs.erofs made, mounted over the control socket.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
command -v mkfs.erofs >/dev/null || skip_all "mkfs.erofs is missing (erofs-utils)"
[ "$(id -u)" = 0 ] || skip_all "only root can make devices and owners"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
cp "$top_builddir/tests/oci/tree" "$bundle/rootfs/bin/"
for applet in grep mkdir mount stat wc; do ln -s busybox "$bundle/rootfs/bin/$applet"; done
mkdir "$bundle/rootfs/proc" "$tmp/work"
config /bin/sh -c 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'
$cm create -b "$bundle" r >"$tmp/out" 2>"$tmp/log" </dev/null
python3 -B "$top_srcdir/tests/oci/rpc_erofs.py" "$tmp/state/r/control.sock" "$tmp/libexec/casemate-fsd" "$bundle/rootfs" "$bundle/config.json" "$tmp/work" \
	>"$tmp/erofs" 2>&1
while read -r verdict text; do
	case "$verdict" in ok) ok 0 "$text" ;; not) ok 1 "$text" ;; *) echo "# $verdict $text" ;; esac
done <"$tmp/erofs"
grep -q '^ok end' "$tmp/erofs"
is "$?" 0 "all calls were made"
$cm delete --force r
is "$?" 0 "a container that reads an image is deleted"
is "$(state_entries)" "" "no state is left"
wait_for 1 no_leftover
is "$(leftover)" "" "no process is left"
plan
