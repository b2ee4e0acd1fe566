#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Linux Test Project's system-call entries inside a container: `make check-abi LTP_DIR=...`.
#
# LTP_DIR      an installed LTP (testcases/bin, runtest/syscalls), built for Debian 12
# LTP_RUNTIME  casemate (default), or an OCI runtime to compare with, such as runc
# LTP_CAPS     capabilities of the container: default, or all (but for resource limits and what changes the machine)
# LTP_ENTRIES  only the entries whose name matches this extended regular expression
# LTP_LIMIT    seconds that one entry may take (120)
# LTP_MEMORY   memory of the sandbox (4G); LTP_CPUS its virtual CPUs (2)
# LTP_REFERENCE  RUNTIME.tsv of another run: docs/CONFORMANCE.md is rewritten to compare with it
# LTP_OUT      where RUNTIME.tsv (NAME RESULT SECONDS) and RUNTIME.log (what the entries printed) go (abi/ in the build directory)
#
# One container runs all entries in a loop. When the sandbox ends within an entry (PANIC) or prints nothing for long after the entry's limit
# (HANG), a new one goes on after it. Exit status 1 when that happened.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top_srcdir=${top_srcdir:-$(cd "$here/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build}
runtime=${LTP_RUNTIME:-casemate}
limit=${LTP_LIMIT:-120}
out=${LTP_OUT:-$top_builddir/abi}

fail() {
	echo "ltp.sh: $*" >&2
	exit 2
}
[ "$(id -u)" -eq 0 ] || fail "needs root"
ltp=${LTP_DIR:?"LTP_DIR is not set: the directory of an installed LTP"}
[ -e "$ltp/runtest/syscalls" ] || fail "$ltp: no runtest/syscalls"
[ -d "$ltp/testcases/bin" ] || fail "$ltp: no testcases/bin"
command -v python3 >/dev/null || fail "python3 is missing"
debian=$("$top_srcdir/tests/lib/debian-rootfs") || fail "$debian"
mkdir -p "$out" || exit 2

work=$(mktemp -d "$(dirname "$debian")/ltp.XXXXXX") || exit 2
pid=
end_container() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null
		"${runner[@]}" delete --force "ltp-$$" 2>/dev/null
		wait "$pid" 2>/dev/null
		pid=
	fi
}
trap 'end_container; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp -a --reflink=auto "$debian" "$work/rootfs"
mkdir -p "$work/rootfs/opt"
cp -aL --reflink=auto "$ltp" "$work/rootfs/opt/ltp"
install -m 755 "$here/ltp-loop" "$work/rootfs/opt/ltp-loop"
install -m 644 "$here/ltp-kconfig" "$work/rootfs/opt/kconfig"
for lib in libaio.so.1 libkeyutils.so.1 libnuma.so.1 libtirpc.so.3 libacl.so.1 libcap.so.2 libcrypto.so.3 libcrypt.so.1; do
	[ -e "$work/rootfs/lib/x86_64-linux-gnu/$lib" ] || [ -e "$work/rootfs/usr/lib/x86_64-linux-gnu/$lib" ] ||
		cp -L "/lib/x86_64-linux-gnu/$lib" "$work/rootfs/usr/lib/x86_64-linux-gnu/" 2>/dev/null || echo "ltp.sh: $lib is missing" >&2
done
# Entries run as the users that LTP asks for.
grep -q '^daemon:' "$work/rootfs/etc/group" || echo 'daemon:x:1:' >>"$work/rootfs/etc/group"
sed 's/#.*//' "$ltp/runtest/syscalls" | grep -E '^[A-Za-z0-9_]' | grep -E "^(${LTP_ENTRIES:-.*})[[:space:]]" | cat -n |
	sed 's/^ *//; s/\t/ /g' >"$work/rootfs/opt/list"
total=$(wc -l <"$work/rootfs/opt/list")
[ "$total" -gt 0 ] || fail "no entry matches '${LTP_ENTRIES:-}'"

if [ "$runtime" = casemate ]; then
	export CASEMATE_LIBEXECDIR=$top_builddir
	runner=("$top_builddir/casemate" --root "$work/state")
	options=(--memory "${LTP_MEMORY:-4G}" --cpus "${LTP_CPUS:-2}")
	kconfig=/opt/kconfig
else
	runner=("$runtime" --root "$work/state")
	options=()
	kconfig=
fi

capabilities="CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
[ "${LTP_CAPS:-}" != all ] || capabilities="$capabilities DAC_READ_SEARCH LINUX_IMMUTABLE NET_BROADCAST NET_ADMIN IPC_LOCK IPC_OWNER SYS_PTRACE
	SYS_ADMIN SYS_NICE SYS_TTY_CONFIG LEASE SYSLOG CHECKPOINT_RESTORE"

# What the log says about the entry that runs now: its number, or "done" or nothing.
last_start() {
	grep -a '^@@' "$1" | tail -n 1 | awk '/^@@START/ { print $2 } /^@@END/ { print -$2 } /^@@DONE/ { print "done" }'
}

# Wait for the end of the container, or kill it when nothing new is written for long.
watch() { # watch LOG
	local size=-1 now quiet=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		now=$(stat -c %s "$1")
		if [ "$now" != "$size" ]; then
			size=$now quiet=0
		else
			quiet=$((quiet + 1))
			if [ $quiet -gt $((limit + 60)) ]; then
				end_container
				return 1
			fi
		fi
	done
	wait "$pid"
	pid=
	return 0
}

: >"$out/$runtime.log"
from=1 broken=0
while :; do
	"$here/bundle-config" "$work/config.json" "$capabilities" "" /opt/ltp-loop /opt/list "$from" "$limit" "$kconfig" || exit 2
	"${runner[@]}" run ${options[@]+"${options[@]}"} --bundle "$work" "ltp-$$" >"$work/part.log" 2>"$work/part.err" </dev/null &
	pid=$!
	verdict=PANIC
	watch "$work/part.log" || verdict=HANG
	"${runner[@]}" delete --force "ltp-$$" >/dev/null 2>&1
	cat "$work/part.log" "$work/part.err" >>"$out/$runtime.log"
	at=$(last_start "$work/part.log")
	[ "$at" != done ] || break
	[ -n "$at" ] || fail "the container did not start: $(tail -n 1 "$work/part.err")"
	if [ "$at" -gt 0 ]; then
		broken=1
		echo "@@$verdict $at $(awk -v n="$at" '$1 == n { print $2 }' "$work/rootfs/opt/list")" | tee -a "$out/$runtime.log"
		from=$((at + 1))
	else
		from=$((1 - at))
	fi
	[ "$from" -le "$total" ] || break
done
"$here/ltp-table" "$out/$runtime.log" >"$out/$runtime.tsv"
cut -f 2 "$out/$runtime.tsv" | sort | uniq -c | awk -v r="$runtime" 'BEGIN { s = r ": " } { printf "%s%s %s", s, $1, $2; s = ", " } END { print "" }'
[ -z "${LTP_REFERENCE:-}" ] ||
	"$here/ltp-table" --doc "$top_srcdir/docs/CONFORMANCE.md" "$out/$runtime.tsv" "$LTP_REFERENCE" "$here/ltp-reasons" || exit 2
exit $broken
