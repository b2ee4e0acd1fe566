#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two dozen shells beside each other that compile and run small programs, with two virtual CPUs: `make check-abi SHELLS_SECONDS=900`.
# Fails when a result is wrong, when a shell does not end (a lost wake-up), when processes stay or the guest's memory does not come back, and when
# the sandbox that idles afterwards uses a thousandth of a CPU.
#
# SHELLS_SECONDS  how long they go on
# SHELLS          how many (24)
set -u
. "$(dirname "$0")/lib.sh"
seconds=${SHELLS_SECONDS:?"SHELLS_SECONDS is not set"}
setup_rootfs suites "$(cat "$top_srcdir/tests/abi/packages")"

cat >"$work/rootfs/suite/shell" <<'SH'
# shell NUMBER END: rounds until $SECONDS is END; what is wrong goes to standard output
me=$1 end=$2 round=0
mkdir -p "/scratch/$me" && cd "/scratch/$me" || exit 1
wrong() { echo "shell $me, round $round: $*"; exit 1; }
while [ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ]; do
	round=$((round + 1))
	n=$((me * 1000 + round))
	cat >p.c <<C
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static long sum[4];
static void *add(void *p) { long *s = p; for (long i = 0; i < 100000; i++) *s += i % $n; return 0; }
int main(void)
{
	pthread_t t[4];
	long all = 0;
	for (int i = 0; i < 4; i++) if (pthread_create(&t[i], 0, add, &sum[i])) return 2;
	for (int i = 0; i < 4; i++) { pthread_join(t[i], 0); all += sum[i]; }
	int p[2], st; char c;
	if (pipe(p)) return 3;
	if (!fork()) { close(p[1]); _exit(read(p[0], &c, 1) == 1 && c == 'x' ? 7 : 8); }
	if (write(p[1], "x", 1) != 1 || wait(&st) < 0 || WEXITSTATUS(st) != 7) return 4;
	printf("%ld\n", all);
	return 0;
}
C
	gcc -O1 -pthread p.c -o p || wrong "gcc: $?"
	got=$(./p) || wrong "p: $?"
	want=$(awk -v n="$n" 'BEGIN { for (i = 0; i < 100000; i++) s += i % n; printf "%.0f\n", 4 * s }')
	[ "$got" = "$want" ] || wrong "$got, not $want"
	got=$(seq "$n" $((n + 2000)) | sort -rn | sed 's/^/x/' | sort | tr -d x | sort -n | awk '{ s += $1 } END { print NR, s }')
	[ "$got" = "2001 $((2001 * n + 2000 * 2001 / 2))" ] || wrong "pipeline: $got"
	for i in 1 2 3 4; do (echo "$i" >"f$i") & done
	wait
	[ "$(cat f1 f2 f3 f4 | tr -d '\n')" = 1234 ] || wrong "background jobs"
	: >rounds && echo "$round" >rounds
	rm -f p p.c f?
done
SH
cat >"$work/rootfs/suite/shells" <<'SH'
# shells SECONDS NUMBER
left() { echo 3 >/proc/sys/vm/drop_caches; sleep 3; awk '/^MemFree/ { print $2 }' /proc/meminfo; }
bash /suite/shell 0 $(($(cut -d. -f1 /proc/uptime) + 1)) || exit 1
rm -rf /scratch/*
before=$(left)
end=$(($(cut -d. -f1 /proc/uptime) + $1))
for i in $(seq "$2"); do timeout -k 1 $(($1 + 600)) bash /suite/shell "$i" "$end" & pids="${pids:-} $!"; done
bad=0
for p in $pids; do wait "$p" || { echo "a shell ended with $?"; bad=$((bad + 1)); }; done
rounds=$(cat /scratch/*/rounds | awk '{ s += $1 } END { print s, NR }')
rm -rf /scratch/*
after=$(left)
echo "# $rounds rounds, shells; free before $before kB, after $after kB"
echo "processes left: $(ls -d /proc/[0-9]* | wc -l)"
[ $bad -eq 0 ] && [ "${rounds#* }" = "$2" ] && [ $((before - after)) -lt 8192 ]
rc=$?
echo "@@IDLE"
sleep 30
exit $rc
SH

# CPU time of the sandbox's processes, in hundredths of a second
spent() {
	local p

	for p in "$1" $(pgrep -P "$1"); do
		awk '{ print $14 + $15 }' "/proc/$p/stat"
	done | awk '{ s += $1 } END { print s + 0 }'
}

echo "1..2"
inside $((seconds + 900)) bash /suite/shells "$seconds" "${SHELLS:-24}" >"$work/out" 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null && ! grep -q '^@@IDLE' "$work/out"; do sleep 1; done
sleep 5
sandbox=$("$casemate" --root "$work/state" state "abi-$$" 2>/dev/null | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
a=$(spent "${sandbox:-0}")
sleep 20
b=$(spent "${sandbox:-0}")
wait $pid
rc=$?
sed '/^#/!s/^/# /; /@@IDLE/d' "$work/out"
[ $rc -eq 0 ] && echo "ok 1 - ${SHELLS:-24} shells for $seconds s" || echo "not ok 1 - ${SHELLS:-24} shells for $seconds s"
echo "# idle: $((b - a)) hundredths of a second in 20 s"
[ -n "$sandbox" ] && [ $((b - a)) -le 2 ] && echo "ok 2 - an idle sandbox idles" || echo "not ok 2 - an idle sandbox idles"
[ $rc -eq 0 ]
