#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A container that sleeps uses no processor, whatever it did before: a vCPU that found work often looks around for more, and must stop that.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"

# ticks PID: of processor time (1/100 s) that it and its descendants have used
ticks() {
	python3 - "$1" <<'P'
import os, sys

def used(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            v = f.read().rsplit(')', 1)[1].split()
        children = [c for t in os.listdir(f'/proc/{pid}/task') for c in open(f'/proc/{pid}/task/{t}/children').read().split()]
    except OSError:
        return 0
    return int(v[11]) + int(v[12]) + sum(used(c) for c in children)

print(used(sys.argv[1]))
P
}

# slept NAME WORD...: the shell does the words, then sleeps for good
slept() {
	name=$1
	rm -f "$bundle/rootfs/tmp/busy"
	config /bin/sh -c "$2"'; echo x >/tmp/busy; exec sleep 1000'
	$cm run --cpus 2 -d -b "$bundle" w </dev/null >/dev/null 2>&1
	wait_for 20 test -e "$bundle/rootfs/tmp/busy"
	sleep 1
	pid=$(field w pid)
	before=$(ticks "$pid")
	sleep 5
	after=$(ticks "$pid")
	[ "$before" -gt 0 ] && [ $((after - before)) -le 1 ]
	ok $? "$name: $before ticks, then $((after - before)) in five seconds of sleep"
	$cm delete --force w
}

slept "at once" :
slept "after much work for one" 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done'
slept "after much work for two" 'yes | head -c 30000000 >/dev/null & yes | head -c 30000000 >/dev/null; wait'
plan
