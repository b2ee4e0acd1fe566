#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's stress-ng, one stressor after the other, natively and then inside of one container: `make check-abi STRESS_NG_SECONDS=10`.
# Fails when one makes the sandbox end or hang, ends otherwise than natively, or leaves processes or memory of the guest behind.
#
# STRESS_NG_SECONDS    how long each stressor runs inside
# STRESS_NG_NATIVELY   how long natively, where a second shows which stressors run at all (the same)
# STRESS_NG_STRESSORS  only those whose name matches this extended regular expression
# STRESS_NG_CLASSES    classes of stress-ng (cpu vm memory pipe scheduler filesystem interrupt; its signal stressors are of class interrupt)
# STRESS_NG_NATIVE     results of another run's native part (stress-ng.native.log) instead of a new one
# ABI_OUT              where stress-ng.{native,inside}.log go (abi/ in the build directory)
set -u
. "$(dirname "$0")/lib.sh"
seconds=${STRESS_NG_SECONDS:?"STRESS_NG_SECONDS is not set"}
setup_rootfs suites "$(cat "$top_srcdir/tests/abi/packages")"

chroot "$work/rootfs" sh -c 'for c; do stress-ng --class "$c?"; done' sh ${STRESS_NG_CLASSES:-cpu vm memory pipe scheduler filesystem interrupt} \
	2>/dev/null | sed -n 's/^class .* stressors: //p' | tr ' ' '\n' | grep -xE "${STRESS_NG_STRESSORS:-.+}" | sort -u | cat -n |
	sed 's/^ *//; s/\t/ /' >"$work/rootfs/suite/list"
total=$(wc -l <"$work/rootfs/suite/list")
[ "$total" -gt 0 ] || fail "no stressor matches '${STRESS_NG_STRESSORS:-}'"

cat >"$work/rootfs/suite/loop" <<'SH'
# loop SECONDS EXCEPT FROM: entries from number FROM on but those of the expression EXCEPT
mkdir -p /root/stress && cd /root/stress
while read -r number name <&3; do
	[ "$number" -ge "$3" ] || continue
	[[ ! $name =~ ^($2)$ ]] || continue
	printf '\n@@START %s %s\n' "$number" "$name"
	begin=$SECONDS
	setsid timeout -k 10 $(($1 * 4 + 50)) stress-ng "--$name" 1 -t "$1" --temp-path /root/stress 3<&- </dev/null 2>&1
	rc=$?
	kill -9 -1 2>/dev/null
	chattr -R -ia /root/stress 2>/dev/null
	rm -rf /root/stress/*
	sync
	printf '\n@@END %s %s %s %s %s\n' "$number" "$name" $rc $((SECONDS - begin)) "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)"
done 3</suite/list
echo "@@DONE"
SH

# Not natively: they would take the machine from its other users.
if [ -n "${STRESS_NG_NATIVE:-}" ]; then
	cp "$STRESS_NG_NATIVE" "$out/stress-ng.native.log"
else
	native 86400 bash /suite/loop "${STRESS_NG_NATIVELY:-$seconds}" 'cpu-online|softlockup|resources|full|bigheap|oom-pipe|clock|binderfs|loadavg' 1 \
		>"$out/stress-ng.native.log" 2>&1
fi
# Not inside either: resources reserves terabytes in files without a name, on the root file system, which is the host's.
looped $((seconds * 4 + 120)) "$total" "$out/stress-ng.inside.log" bash /suite/loop "$seconds" resources
compare stress-ng
