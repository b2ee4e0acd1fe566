#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pjdfstest natively (on the file system of $CASEMATE_TEST_CACHE), on a container's root directory, on a volume and on a tmpfs:
# `make check-abi PJDFSTEST_DIR=...`. Fails when less than 98 % of the assertions that hold natively hold on the root directory or the volume.
#
# PJDFSTEST_DIR   a built pjdfstest (pjdfstest, tests/)
# PJDFSTEST_FILES only the files of tests/ whose name matches this extended regular expression
# PJDFSTEST_NATIVE the file pjdfstest.native.log of another run, in place of a new native one
# PJDFSTEST_WHERE only these: rootfs volume tmpfs
#
# Two files run beside each other. One may take half an hour, times CASEMATE_TEST_PATIENCE; the whole as long as it takes. What a file that was cut
# off did not reach counts as missing.
# ABI_OUT         where pjdfstest.{native,rootfs,volume,tmpfs} (FILE NUMBER ok|not) go (abi/ in the build directory)
set -u
. "$(dirname "$0")/lib.sh"
suite=${PJDFSTEST_DIR:?"PJDFSTEST_DIR is not set: the directory of a built pjdfstest"}
[ -x "$suite/pjdfstest" ] || fail "$suite: no pjdfstest"
setup_rootfs
[ -e "$work/rootfs/usr/bin/openssl" ] || install -m 755 /dev/stdin "$work/rootfs/usr/bin/openssl" <<'SH'
#!/bin/sh
# The suite wants `openssl md5` for names only.
md5sum | cut -c -32
SH
cp -a "$suite/pjdfstest" "$suite/tests" "$work/rootfs/suite/"
(cd "$suite/tests" && find . -name '*.t' | sort | grep -E "${PJDFSTEST_FILES:-.}") >"$work/rootfs/suite/list"
[ -s "$work/rootfs/suite/list" ] || fail "no file matches ${PJDFSTEST_FILES:-}"
cat >"$work/rootfs/suite/loop" <<'SH'
# loop DIRECTORY LIMIT: each file of the list in a directory of its own; its lines with the file's name in front
cat >/suite/one <<'ONE'
mkdir -m 755 "$2/pjd.$$" && cd "$2/pjd.$$" || exit 1
timeout -k 5 "$3" sh "/suite/tests/$1" </dev/null 2>&1 | sed -u "s|^|$1 |"
cd / && rm -rf "$2/pjd.$$"
ONE
xargs -P 2 -I @ sh /suite/one @ "$1" "$2" </suite/list && echo "@@DONE"
SH

# figures NAME FILE: lines "FILE NUMBER ok|not", of the log
figures() {
	grep -aqx '@@DONE' "$out/pjdfstest.$1.log" || echo "# $1: did not come to its end: $(tail -n 1 "$work/err")"
	sed -nE 's/^([^ ]+) (ok|not ok) ([0-9]+).*/\1 \3 \2/p' "$out/pjdfstest.$1.log" | sed 's/ not ok$/ not/' | sort >"$out/pjdfstest.$1"
}

limit=$((1800 * ${CASEMATE_TEST_PATIENCE:-1}))
set -- ${PJDFSTEST_WHERE:-rootfs volume tmpfs}
n=0 bad=0
echo "1..$#"
if [ -n "${PJDFSTEST_NATIVE:-}" ]; then
	cp "$PJDFSTEST_NATIVE" "$out/pjdfstest.native.log"
else
	native 86400 sh /suite/loop /root $limit >"$out/pjdfstest.native.log" 2>"$work/err"
fi
figures native
reference=$(grep -c ' ok$' "$out/pjdfstest.native")
for name; do
	case $name in
	rootfs) path=/root ;;
	volume) path=/volume ;;
	tmpfs) path=/scratch ;;
	esac
	inside 86400 sh /suite/loop $path $limit >"$out/pjdfstest.$name.log" 2>"$work/err"
	figures "$name"
	both=$(grep ' ok$' "$out/pjdfstest.native" | comm -12 - "$out/pjdfstest.$name" | wc -l)
	n=$((n + 1))
	line="pjdfstest on $name: $both of the $reference assertions that hold natively"
	if [ "$reference" -gt 0 ] && [ $((both * 100)) -ge $((reference * 98)) ]; then
		echo "ok $n - $line"
	else
		echo "not ok $n - $line"
		bad=1
	fi
done
exit $bad
