#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ordinary programs of Debian at ordinary work, each natively and then in a container of its own: what they print and their status must be the same but for
# lines that begin with #. `make check-abi APPS=all` prints a table at the end.
#
# APPS         "all", or an extended regular expression for names of tests/abi/apps, where each file is one entry: commands for bash in an empty directory
# APPS_LIMIT   seconds that one may take (900)
# ABI_MEMORY   of a container (3G here: Java and node reserve much)
# ABI_OUT      where apps/NAME.{native,inside} and apps/NAME.{native,inside}.err go (abi/ in the build directory)
set -u
: "${ABI_MEMORY:=3G}"
. "$(dirname "$0")/lib.sh"
wanted=${APPS:?"APPS is not set: all, or names of tests/abi/apps"}
[ "$wanted" != all ] || wanted='.*'
limit=${APPS_LIMIT:-900}
apps=$top_srcdir/tests/abi/apps
setup_rootfs apps "$(cat "$top_srcdir/tests/abi/apps-packages")"
mkdir -p "$out/apps" || exit 2
git -C "$top_srcdir" archive --prefix=casemate/ HEAD 2>/dev/null | tar -x -C "$work/rootfs/suite" || fail "no git archive of $top_srcdir"

cat >"$work/rootfs/suite/app" <<'SH'
# app NAME: the entry in an empty directory
until_ok() { # waits until a command succeeds
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "never: $*"
	exit 1
}
rm -rf /srv/app && mkdir -p /srv/app && chmod 755 /srv/app && cd /srv/app || exit 1
. "/suite/apps/$1"
SH
cp -r "$apps" "$work/rootfs/suite/apps"

# one WHERE NAME: the entry natively or inside; its seconds in $took
one() {
	local begin=$SECONDS rc

	"$1" "$limit" /bin/bash /suite/app "$2" >"$out/apps/$2.$1" 2>"$out/apps/$2.$1.err"
	rc=$?
	echo "status $rc" >>"$out/apps/$2.$1"
	took=$((SECONDS - begin))
}

n=0 bad=0
table=
names=$(ls "$apps" | grep -xE "$wanted")
[ -n "$names" ] || fail "no entry matches '$wanted'"
echo "1..$(echo "$names" | wc -l)"
for name in $names; do
	n=$((n + 1))
	one native "$name"
	row="$name $took"
	one inside "$name"
	if ! grep -qx 'status 0' "$out/apps/$name.native"; then
		echo "not ok $n - $name: natively $(tail -n 1 "$out/apps/$name.native")"
		verdict="fails natively"
		bad=$((bad + 1))
	elif cmp -s <(grep -v '^#' "$out/apps/$name.native") <(grep -v '^#' "$out/apps/$name.inside"); then
		echo "ok $n - $name"
		verdict=same
	else
		echo "not ok $n - $name"
		verdict=different
		bad=$((bad + 1))
		diff <(grep -v '^#' "$out/apps/$name.native") <(grep -v '^#' "$out/apps/$name.inside") | head -n 20 | sed 's/^/# /'
		tail -n 10 "$out/apps/$name.inside.err" | sed 's/^/# /'
	fi
	table="$table$row $took $verdict"$'\n'
done
echo "# entry                natively, s   inside, s  result"
printf '%s' "$table" | awk '{ printf "# %-20s %11s %11s  %s\n", $1, $2, $3, substr($0, index($0, $3) + length($3) + 1) }'
[ $bad -eq 0 ]
