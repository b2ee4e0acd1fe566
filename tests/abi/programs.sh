#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Test suites of programs, natively and then inside of one container, entry by entry: `make check-abi PROGRAMS_DIR=...`. Fails when one that ends
# well natively does not inside, or ends the sandbox.
#
# PROGRAMS_DIR      folders with what was built or unpacked elsewhere; those that are missing are left out:
#                   bash/ (its tests, with recho, zecho, printenv, xcase built), busybox/ (testsuite, scripts and the .config of its busybox, else of Debian's), perl/ (t and lib of its source),
#                   go/ (NAME.test of a package with its source in go/src/NAME, dots for slashes). CPython's tests come from Debian.
# PROGRAMS_ENTRIES  only the entries whose name matches this extended regular expression, such as python/.*
# PROGRAMS_LIMIT    seconds that one may take (600)
# PROGRAMS_NATIVE   programs.native.log of another run, in place of a new native one
# ABI_OUT           where programs.{native,inside}.log (what they print) and programs.{native,inside} (NAME STATUS) go (abi/ in the build directory)
set -u
. "$(dirname "$0")/lib.sh"
suites=${PROGRAMS_DIR:?"PROGRAMS_DIR is not set: the directory of the suites"}
limit=${PROGRAMS_LIMIT:-600}
setup_rootfs suites "$(cat "$top_srcdir/tests/abi/packages")"
cp -a "$suites/." "$work/rootfs/suite/"

python="asyncio asyncore concurrent_futures epoll eintr fcntl file fileio fork1 io ioctl kqueue largefile mmap multiprocessing_fork multiprocessing_spawn
	openpty os poll popen posix pty resource select selectors shutil signal socket subprocess tempfile threading threadsignals time wait3 wait4"
# The entries: NAME COMMAND.
entries() {
	local t
	for t in $python; do echo "python/$t python3 -m test -q test_$t"; done
	cd "$suites" || return
	for t in bash/run-*; do
		case ${t#bash/run-} in all | minimal | gprof | "*") ;; *) echo "bash/${t#bash/run-} cd /suite/bash && PATH=.:\$PATH THIS_SH=/bin/bash sh ./${t#bash/} >../out 2>&1; ! grep -q '^[<>]' ../out || { head -n 40 ../out; false; }" ;; esac
	done
	# bc last: it computes for minutes.
	[ ! -d busybox ] || echo "busybox cd /suite/busybox/testsuite && bindir=/suite/busybox tsdir=/suite/busybox/testsuite ./runtest \$(ls | sed -n 's/[.]tests\$//p; /[.]/!p' | grep -vxE 'all_.*|bc' | sort -u) bc"
	[ ! -d perl ] || for t in perl/t/{base,cmd,comp,io,mro,op,opbasic,re,run,uni}/*.t perl/lib/*.t; do
		[ ! -e "$t" ] || echo "$(echo "${t%.t}" | sed 's|/t/|/|') cd /suite/perl/t && perl -I../lib $(echo "$t" | sed 's|^perl/t/||; s|^perl/|../|')"
	done
	for t in go/*.test; do
		t=$(basename "$t" .test)
		[ "$t" = "*" ] || echo "go/$t cd /suite/go/src/$(echo "$t" | tr . /) && GOROOT=/suite/go /suite/go/$t.test -test.short"
	done
}
(entries) | grep -E "^(${PROGRAMS_ENTRIES:-.*}) " | cat -n | sed 's/^ *//; s/\t/ /' >"$work/rootfs/suite/list"
total=$(wc -l <"$work/rootfs/suite/list")
[ "$total" -gt 0 ] || fail "no entry matches '${PROGRAMS_ENTRIES:-}'"

[ ! -d "$work/rootfs/suite/busybox" ] || [ -x "$work/rootfs/suite/busybox/busybox" ] || ln -sf /bin/busybox "$work/rootfs/suite/busybox/busybox"

cat >"$work/rootfs/suite/loop" <<'SH'
# loop LIMIT FROM: the entries from number FROM on
limit=$1 from=$2
mkdir -p /tmp/entry
while read -r number name command <&3; do
	[ "$number" -ge "$from" ] || continue
	rm -rf /tmp/entry
	mkdir -m 1777 /tmp/entry && cd /tmp/entry || exit 1
	printf '\n@@START %s %s\n' "$number" "$name"
	begin=$SECONDS
	TMPDIR=/tmp/entry setsid timeout -k 5 "$limit" sh -c "$command" 3<&- </dev/null 2>&1
	rc=$?
	cd /
	kill -9 -1 2>/dev/null
	wait
	printf '\n@@END %s %s %s %s\n' "$number" "$name" "$rc" $((SECONDS - begin))
done 3</suite/list
echo "@@DONE"
SH

if [ -n "${PROGRAMS_NATIVE:-}" ]; then
	cp "$PROGRAMS_NATIVE" "$out/programs.native.log"
else
	native 86400 bash /suite/loop "$limit" 1 >"$out/programs.native.log" 2>&1
fi
looped $((limit + 60)) "$total" "$out/programs.inside.log" bash /suite/loop "$limit"
compare programs
rc=$?
# Of busybox each point counts: some fail everywhere.
for leg in native inside; do
	sed -n '/^@@START [0-9]* busybox$/,/^@@END/s/^PASS: //p' "$out/programs.$leg.log" | sort >"$work/busybox.$leg"
done
[ ! -s "$work/busybox.native" ] || echo "# busybox: of $(wc -l <"$work/busybox.native") points $(comm -12 "$work/busybox.native" "$work/busybox.inside" | wc -l)"
comm -23 "$work/busybox.native" "$work/busybox.inside" | sed 's/^/# busybox, not inside: /'
exit $rc
