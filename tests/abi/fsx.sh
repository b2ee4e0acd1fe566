#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fsx and fsstress on a container's root directory, on a volume and on a tmpfs: `make check-abi FSX_DIR=...`.
# fsx compares every byte that it reads with what it has written by write, mmap, truncate, fallocate and copy_file_range. After fsstress the tree
# inside, and of a volume and a root directory what the host sees, are counted and read again: both must agree.
#
# FSX_DIR      a directory with the programs fsx (xfstests' ltp/fsx, static) and fsstress (that of LTP)
# FSX_SECONDS  how long each runs (600)
# FSX_WHERE    only these: rootfs volume tmpfs
# FSX_PROGRAMS only these: fsx fsstress
# FSX_SEED     of the random numbers (the time)
#
# A round of fsstress is 6000 operations: some ten seconds when the machine has time, minutes when the file server has to wait for a processor at each of
# its answers. CASEMATE_TEST_PATIENCE multiplies its limit.
set -u
. "$(dirname "$0")/lib.sh"
suite=${FSX_DIR:?"FSX_DIR is not set: the directory of fsx and fsstress"}
seconds=${FSX_SECONDS:-600}
seed=${FSX_SEED:-$(date +%s)}
round_limit=$((300 * ${CASEMATE_TEST_PATIENCE:-1}))
for program in fsx fsstress; do
	[ -x "$suite/$program" ] || fail "$suite: no $program"
done
setup_rootfs
cp "$suite/fsx" "$suite/fsstress" "$work/rootfs/suite/"

cat >"$work/rootfs/suite/fsx.sh" <<'SH'
# fsx.sh DIRECTORY SECONDS SEED: one writer on a file by every way that there is, four beside it on files of their own, one of them reopening, one synchronous
mkdir -p "$1/fsx" && cd "$1/fsx" || exit 1
i=0
for options in "" "-l 4000000 -o 300000" "-c 20" "-y -l 1000000" "-W -R -A"; do
	i=$((i + 1))
	mkdir "$i"
	timeout $(($2 * 3 + 60)) /suite/fsx -q -P "$1/fsx/$i" -S $(($3 + i)) --duration="$2" $options "$1/fsx/f$i" >"out$i" 2>&1 &
	pids="${pids:-} $!"
done
rc=0
for pid in $pids; do wait "$pid" || rc=1; done
tail -n 3 out*
[ $rc -eq 0 ] || tail -n 60 out*
exit $rc
SH
cat >"$work/rootfs/suite/fsstress.sh" <<'SH'
# fsstress.sh DIRECTORY SECONDS SEED LIMIT: six processes until the time is over, a round in at most LIMIT seconds; then what there is, as tree.sh tells it
mkdir -p "$1/fsstress" && cd "$1/fsstress" || exit 1
end=$((SECONDS + $2)) round=0
while [ $SECONDS -lt $end ]; do
	round=$((round + 1))
	mkdir "r$round"
	timeout -k 5 "$4" /suite/fsstress -d "$PWD/r$round" -p 6 -n 1000 -s $(($3 + round)) -c >log 2>&1 || { echo "fsstress: $?"; tail -n 20 log; exit 1; }
	[ $SECONDS -lt $end ] && rm -rf "r$round"
done
rm -f log
sync
echo "# $round rounds" >&2
bash /suite/tree.sh .
SH
cat >"$work/rootfs/suite/tree.sh" <<'SH'
# tree.sh DIRECTORY: types, modes, owners, link counts, sizes and contents below. Without device nodes and what stands for them on the host.
cd "$1" && find . -mindepth 1 ! -type d ! -type b ! -type c ! \( -type f -empty \) -printf '%p %y %m %U %G %n %s %l\n' | LC_ALL=C sort | sha256sum
find . -type d -printf '%p %m %U %G\n' | LC_ALL=C sort | sha256sum
find . -type f ! -empty -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
find . | wc -l
SH

n=0 bad=0
point() { # point STATUS NAME
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || { echo "not ok $n - $2"; bad=1; sed 's/^/# /' "$work/out" "$work/err" | tail -n 80; }
}
programs=${FSX_PROGRAMS:-fsx fsstress}
run_fsx() { # run_fsx NAME PATH
	inside $((seconds * 3 + 300)) bash /suite/fsx.sh "$2" "$seconds" "$seed" >"$work/out" 2>"$work/err"
	point $? "fsx on $1 for $seconds s"
}
run_fsstress() { # run_fsstress NAME PATH HOST-DIRECTORY
	local rc
	inside $((seconds * 3 + 300 + round_limit)) bash /suite/fsstress.sh "$2" "$seconds" "$seed" $round_limit >"$work/out" 2>"$work/err"
	rc=$?
	[ $rc -ne 0 ] || [ -z "$3" ] || bash "$work/rootfs/suite/tree.sh" "$3/fsstress" | diff "$work/out" - >>"$work/err" || rc=1
	point $rc "fsstress on $1 for $seconds s"
	grep '^# ' "$work/err"
}
set -- ${FSX_WHERE:-rootfs volume tmpfs}
echo "1..$(($# * $(echo $programs | wc -w)))"
echo "# seed $seed"
for name; do
	case $name in
	rootfs) path=/root host=$work/rootfs/root ;;
	volume) path=/volume host=$work/volume ;;
	tmpfs) path=/scratch host= ;;
	esac
	for program in $programs; do
		"run_$program" "$name" $path "$host"
	done
done
exit $bad
