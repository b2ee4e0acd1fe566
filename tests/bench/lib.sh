# SPDX-License-Identifier: Apache-2.0
# Shared by tests/bench/run and apps: the runtimes of one run, how each is started on a bundle, the table at the end. $work is a directory of the run, removed
# at its end; $cache keeps what is fetched.
builddir=${top_builddir:?run me by make}
runtimes=${RUNTIMES:-native runc crun runsc casemate}
cache=${CASEMATE_TEST_CACHE:-/var/tmp/casemate-test}
work=$(mktemp -d)
state=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) # of the runtimes: in memory, as /run is
mkdir -p "$cache"
export CASEMATE_LIBEXECDIR=$builddir

cleanup() {
	rm -rf "$work" "$state"
}
trap cleanup EXIT

install_peers() {
	local want=
	command -v runc >/dev/null || want="$want runc"
	command -v crun >/dev/null || want="$want crun"
	# shellcheck disable=SC2086
	[ -z "$want" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $want >/dev/null || true
	[ -x "$cache/runsc/usr/bin/runsc" ] && return
	mkdir -p "$cache/runsc/apt/lists/partial"
	echo "deb http://deb.debian.org/debian bookworm-backports main" >"$cache/runsc/apt/sources.list"
	(cd "$cache/runsc" &&
		opts="-o Dir::Etc::sourcelist=$PWD/apt/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$PWD/apt/lists" &&
		apt-get $opts -qq update && apt-get $opts -qq download runsc/bookworm-backports &&
		dpkg-deb -x runsc_*.deb .) >&2 || echo "bench: no runsc" >&2
}

# bundle_config DIR ARGS-AS-JSON
bundle_config() {
	cat >"$1/config.json" <<JSON
{"ociVersion":"1.0.2","process":{"terminal":false,"user":{"uid":0,"gid":0},"args":$2,"env":["PATH=/bin"],"cwd":"/",
"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]},"noNewPrivileges":true},
"root":{"path":"rootfs","readonly":false},"hostname":"bench",
"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]}],
"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network"}]}}
JSON
}

# runtime_of RUNTIME: its program and options, in an array named runtime
runtime_of() {
	case $1 in
	runc) runtime=(runc --root "$state/runc") ;;
	crun) runtime=(crun --root "$state/crun") ;;
	runsc) runtime=("$cache/runsc/usr/bin/runsc" --root "$state/runsc" --platform=systrap --network=none --ignore-cgroups --overlay2=none) ;;
	casemate) runtime=("$builddir/casemate" --root "$state/casemate") ;;
	esac
}

# command_of RUNTIME BUNDLE ID: the command line, in an array named cmd
command_of() {
	if [ "$1" = native ]; then
		cmd=(chroot "$2/rootfs" /bin/bench)
	else
		runtime_of "$1"
		cmd=("${runtime[@]}" run --bundle "$2" "$3")
	fi
}

available() {
	case $1 in
	native | casemate) true ;;
	runsc) [ -x "$cache/runsc/usr/bin/runsc" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "nan" }'
}

# private_cgroups WORD...: crun refuses the hybrid cgroup layout, so a private mount namespace with an empty directory
# in place of the v2 part serves all: the script starts again in one.
private_cgroups() {
	if [ -z "${BENCH_IN_NS:-}" ] && [ -e /sys/fs/cgroup/unified ]; then
		cleanup
		export BENCH_IN_NS=1
		exec unshare -m sh -c 'umount /sys/fs/cgroup/unified; mount -t tmpfs tmpfs /sys/fs/cgroup/unified; exec "$0" "$@"' "$0" "$@"
	fi
}

# ratios HEADING RUNTIMES UNIT FILE.RUNTIME...: the table of files of "row nanoseconds", in UNIT nanoseconds
ratios() {
	local heading=$1 used=$2 unit=$3
	shift 3
	awk -v heading="$heading" -v used="$used" -v unit="$unit" '
BEGIN {
	n = split(used, rt, " ")
	printf "%-20s", heading; for (i = 1; i <= n; i++) printf "%12s", rt[i]
	printf "   casemate/native  casemate/runc  casemate/runsc\n"
}
{ f = FILENAME; sub(/.*out\./, "", f); v[f, $1] = $2 / unit; if (!($1 in seen)) { seen[$1] = 1; order[++m] = $1 } }
function ratio(r, o) { return (("casemate", r) in v) && ((o, r) in v) && v[o, r] > 0 ? sprintf("%.2f", v["casemate", r] / v[o, r]) : "-" }
END {
	for (k = 1; k <= m; k++) {
		r = order[k]; printf "%-20s", r
		for (i = 1; i <= n; i++) printf "%12s", ((rt[i], r) in v) ? sprintf("%.3f", v[rt[i], r]) : "-"
		printf "%18s%15s%16s\n", ratio(r, "native"), ratio(r, "runc"), ratio(r, "runsc")
	}
}' "$@"
}
