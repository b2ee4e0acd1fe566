# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of tests/abi: a copy of a Debian root file system, commands in it natively and inside of a container, a volume, figures.
#
# native: in namespaces of its own (mount, PID, IPC, UTS, network), so that nothing is left mounted or running; with pivot_root, as containers are: in a
# chroot there are no user namespaces. Without the descriptors that the caller happens to have: a container gets none of them either.
# inside: one container, all capabilities, the same root file system; /volume is a volume in both.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$top_srcdir/build}"
export CASEMATE_LIBEXECDIR=$top_builddir
casemate=$top_builddir/casemate
out=${ABI_OUT:-$top_builddir/abi}
memory=${ABI_MEMORY:-2G}
cpus=${ABI_CPUS:-2}

fail() {
	echo "$(basename "$0"): $*" >&2
	exit 2
}

# setup_rootfs [NAME PACKAGES]: $work with the bundle's rootfs and the directory of the volume
setup_rootfs() {
	local debian
	[ "$(id -u)" -eq 0 ] || fail "needs root"
	command -v python3 >/dev/null || fail "python3 is missing"
	debian=$("$top_srcdir/tests/lib/debian-rootfs" "$@") || fail "$debian"
	mkdir -p "$out" || exit 2
	work=$(mktemp -d "$(dirname "$debian")/abi.XXXXXX") || exit 2
	trap '"$casemate" --root "$work/state" delete --force "abi-$$" >/dev/null 2>&1; rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	cp -a --reflink=auto "$debian" "$work/rootfs"
	mkdir -p "$work/rootfs/volume" "$work/rootfs/suite" "$work/volume"
	chmod 755 "$work" "$work/volume"
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost ip6-localhost' >"$work/rootfs/etc/hosts" # mmdebstrap makes none
}

# native SECONDS COMMAND...
native() {
	local limit=$1
	shift
	timeout -k 5 "$limit" unshare -m -p -f --kill-child -i -u -n bash -c 'r=$1 v=$2; shift 2
		for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
		mount --bind "$r" "$r"
		mount -t proc proc "$r/proc"; mount --rbind /dev "$r/dev"; mount --rbind /sys "$r/sys"; mount --bind "$v" "$r/volume"; ip link set lo up
		cd "$r" && pivot_root . . && umount -l . && cd / || exit 125
		exec /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb "$@"' \
		bash "$work/rootfs" "$work/volume" "$@" </dev/null
}

capabilities="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
	NET_RAW IPC_LOCK IPC_OWNER SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
	SETFCAP"

# inside SECONDS COMMAND...
inside() {
	local limit=$1 rc
	shift
	"$top_srcdir/tests/abi/bundle-config" "$work/config.json" "$capabilities" "$work/volume" "$@" || exit 2
	timeout -k 5 "$limit" "$casemate" --root "$work/state" run --memory "$memory" --cpus "$cpus" ${ABI_OPTIONS:-} --bundle "$work" "abi-$$" </dev/null
	rc=$?
	"$casemate" --root "$work/state" delete --force "abi-$$" >/dev/null 2>&1
	return $rc
}

# Where the loop of a suite is, by what it has printed: "START NUMBER", "END NUMBER" or "DONE".
progress() {
	grep -aoE '^@@(START [0-9]+|END [0-9]+|DONE)' "$1" | tail -n 1 | tr -d @
}

# looped LIMIT TOTAL LOG COMMAND...: a container for COMMAND NUMBER, which runs the entries from that number on and prints "@@START NUMBER NAME" and
# "@@END NUMBER NAME STATUS" around each, "@@DONE" at the end. When the sandbox ends within an entry (@@PANIC) or prints nothing for LIMIT seconds
# (@@HANG), another goes on after it. The number of those is in $broken.
looped() {
	local limit=$1 total=$2 log=$3 from=1 at verdict pid quiet size now
	shift 3
	broken=0
	: >"$log"
	while [ "$from" -le "$total" ]; do
		inside 86400 "$@" "$from" >"$work/part.log" 2>"$work/part.err" &
		pid=$! verdict=PANIC quiet=0 size=
		while kill -0 "$pid" 2>/dev/null; do
			sleep 1
			now=$(stat -c %s "$work/part.log")
			quiet=$((quiet + 1))
			[ "$now" = "$size" ] || quiet=0 size=$now
			if [ "$quiet" -gt "$limit" ]; then
				verdict=HANG
				"$casemate" --root "$work/state" delete --force "abi-$$"
				break
			fi
		done
		wait "$pid"
		cat "$work/part.log" "$work/part.err" >>"$log"
		at=$(progress "$work/part.log")
		case $at in
		DONE) return ;;
		START*)
			from=$((${at#START } + 1)) broken=$((broken + 1))
			printf '\n@@%s %s\n' "$verdict" "${at#START }" | tee -a "$log"
			;;
		END*) from=$((${at#END } + 1)) ;;
		*) fail "the container did not start: $(tail -n 1 "$work/part.err")" ;;
		esac
	done
}

# compare NAME: what $out/NAME.{native,inside}.log say about each entry; the points of the test, its status.
compare() {
	local leg passed both

	for leg in native inside; do
		sed -n 's/^@@END [0-9]* \([^ ]*\) \([0-9]*\) .*/\1 \2/p' "$out/$1.$leg.log" | sort >"$out/$1.$leg"
	done
	passed=$(grep -c ' 0$' "$out/$1.native")
	both=$(grep ' 0$' "$out/$1.native" | comm -12 - "$out/$1.inside" | wc -l)
	grep ' 0$' "$out/$1.native" | comm -23 - "$out/$1.inside" | sed 's/^/# natively well, not inside: /'
	echo "1..2"
	[ "$broken" -eq 0 ] && echo "ok 1 - no entry ended the sandbox" || echo "not ok 1 - $broken entries ended the sandbox"
	[ "$both" -eq "$passed" ] && echo "ok 2 - $both of the $passed that run natively" || echo "not ok 2 - $both of the $passed that run natively"
	[ "$broken" -eq 0 ] && [ "$passed" -gt 0 ] && [ "$both" -eq "$passed" ]
}
