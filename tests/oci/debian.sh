#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ordinary programs of a Debian root file system, run natively (chroot) first and then inside: outputs must be equal.
# The root file system is made once with mmdebstrap and kept in $CASEMATE_TEST_CACHE.
set -u
export CASEMATE_LIBEXECDIR=$top_builddir
casemate=$top_builddir/casemate
cache=${CASEMATE_TEST_CACHE:-/var/tmp/casemate-test}
memory=${CASEMATE_TEST_MEMORY:-1024M}
patience=${CASEMATE_TEST_PATIENCE:-1}
bytes=${CASEMATE_TEST_BYTES:-100000000}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
[ -e /dev/kvm ] || skip_all "no /dev/kvm"
if [ -n "${CASEMATE_TEST_ROOTFS:-}" ]; then
	# A root file system that may be written to: where all of this machine is forgotten afterwards.
	work=$(mktemp -d)
	mkdir "$work/rootfs"
	mount --bind "$CASEMATE_TEST_ROOTFS" "$work/rootfs" || exit 1
	trap 'umount "$work/rootfs"; rmdir "$work/rootfs" && rm -rf "$work"' EXIT
else
	debian=$("$top_srcdir/tests/lib/debian-rootfs") || skip_all "$debian"
	work=$(mktemp -d "$cache/run.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	cp -a --reflink=auto "$debian" "$work/rootfs"
fi
trap 'exit 1' HUP INT TERM
mkdir -p "$work/rootfs/work"
n=0

config() {
	python3 - "$work/config.json" "$@" <<'PY'
import json, sys
json.dump({
    "ociVersion": "1.0.2",
    "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": sys.argv[2:], "cwd": "/work",
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "TERM=dumb"],
                "capabilities": {k: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
                                     "CAP_MKNOD", "CAP_SYS_CHROOT"] for k in ("bounding", "effective", "permitted")}},
    "root": {"path": "rootfs"}, "hostname": "debian",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
               {"destination": "/dev/pts", "type": "devpts", "source": "devpts"},
               {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"}],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")]}}, open(sys.argv[1], "w"))
PY
}

inside() {
	config "$@"
	timeout -k 5 $((120 * patience)) "$casemate" --root "$work/state" run --memory "$memory" --bundle "$work" "debian-$$"
}

# Natively: chroot with a /proc, in namespaces of its own, so that nothing is left mounted.
native() {
	timeout -k 5 $((120 * patience)) unshare -m -p -f -i -u sh -c 'r=$1; shift; mount -t proc proc "$r/proc"; mount --rbind /dev "$r/dev"; hostname debian
		exec chroot "$r" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb \
		sh -c '\''cd /work && exec "$@"'\'' sh "$@"' sh "$work/rootfs" "$@"
}

result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -c 1500 "$work/inside.err" 2>/dev/null | sed 's/^/# /'
		diff "$work/native.out" "$work/inside.out" 2>/dev/null | head -n 10 | sed 's/^/# /'
	fi
}

# An empty working directory. Making it changes the time of the root directory, which `ls -a` of what lies in it shows.
empty_work() {
	rm -rf "$work/rootfs/work"
	mkdir "$work/rootfs/work"
	touch -d 2020-01-01 "$work/rootfs"
}

# same TEXT COMMAND...: stdout and exit status inside are those of the native run.
same() {
	local text=$1 a b
	shift
	empty_work
	native "$@" >"$work/native.out" 2>"$work/native.err" </dev/null
	a=$?
	empty_work
	inside "$@" >"$work/inside.out" 2>"$work/inside.err" </dev/null
	b=$?
	[ $a -eq $b ] && cmp -s "$work/native.out" "$work/inside.out"
	result $? "$text (exit status native $a, inside $b)"
}

# large TEXT COMMAND...: as same, but left out where the machine is emulated and the command would take minutes.
large() {
	if [ -n "${CASEMATE_TEST_EMULATED:-}" ]; then
		n=$((n + 1))
		echo "ok $n - $1 # SKIP takes too long on an emulated machine"
	else
		same "$@"
	fi
}

echo 1..16
same "bash arithmetic, arrays and expansion" bash -c 'a=(1 2 3); echo $((a[0] + a[2])) "${a[@]/2/two}" $BASH_VERSION; false'
same "ls -laR /etc" sh -c 'ls -laR /etc | sha256sum'
same "apt-get --version" apt-get --version
same "perl" perl -e 'my %h = map { $_ => $_ ** 2 } 1 .. 10; print join(",", map { "$_=$h{$_}" } sort { $a <=> $b } keys %h), "\n"; system("echo from perl"); exit 3'
same "python3 with json, ssl, sqlite3, subprocess" python3 -c '
import json, ssl, sqlite3, subprocess, threading, os
d = sqlite3.connect(":memory:"); d.execute("create table t(a)"); d.executemany("insert into t values(?)", [(i,) for i in range(1000)])
r = []
t = [threading.Thread(target=r.append, args=(i,)) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]
print(json.dumps({"sum": d.execute("select sum(a) from t").fetchone()[0], "threads": sorted(r), "tls": ssl.OPENSSL_VERSION,
    "out": subprocess.run(["uname", "-s"], capture_output=True, text=True).stdout, "cwd": os.getcwd()}))'
same "gcc and the program that it made" sh -c 'printf "#include <stdio.h>\nint main(void){puts(\"hello\");return 7;}\n" >hello.c && gcc -O2 hello.c -o hello && ./hello'
same "git init, add, commit, log" sh -c 'export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
git -c init.defaultBranch=main init -q r && cd r && git config user.name a && git config user.email a@b && seq 1000 >f && git add f && git commit -qm one &&
git mv f g && git commit -qm two && git log --format=%H && git fsck && git status --short'
large "sqlite3: 100000 inserts" sh -c '(echo "create table t(a integer primary key, b text); begin;"; seq 100000 | sed "s/.*/insert into t values(&, \"row &\");/"; echo "commit; select count(*), sum(a), max(b) from t;") | sqlite3 t.db'
large "tar of /usr/share" sh -c 'tar cf - --sort=name --mtime=@0 -C /usr share | sha256sum'
same "a pipeline with 5 stages" sh -c 'seq 20000 | grep -v 7 | sort -rn | sed "s/1/one/" | sha256sum'
same "100 background jobs" bash -c 'for i in $(seq 100); do (echo $i >f$i) & done; wait; cat f* | sort -n | sha256sum'
same "signals and traps" bash -c 'trap "echo usr1" USR1; kill -USR1 $$; (kill -TERM $BASHPID); echo $?; sleep 100 & kill %1; wait %1; echo $?'
same "find, xargs, stat over /usr/bin" sh -c 'find /usr/bin -type f | sort | xargs stat -c "%n %a %s %u %g" | sha256sum'
same "make with parallel jobs" sh -c 'printf "all: a b c d\n%%:\n\t@echo made \$@ > \$@\n" >Makefile; make -s -j4 && cat a b c d'

sum=$(cat <<'SUM'
dd if=/dev/urandom of=big bs=1000 count=$1 2>/dev/null; sha256sum <big
SUM
)
inside sh -c "$sum" sh $((bytes / 500)) >"$work/inside.out" 2>"$work/inside.err" </dev/null
(cd "$work/rootfs/work" && sha256sum <big) >"$work/native.out"
cmp -s "$work/inside.out" "$work/native.out"
result $? "a file of $((bytes / 500000)) MB written inside reads the same inside and on the host"

head -c "$bytes" /dev/urandom >"$work/in"
inside cat <"$work/in" >"$work/out" 2>"$work/inside.err"
cmp -s "$work/in" "$work/out"
result $? "$((bytes / 1000000)) MB of standard input through cat arrive intact"
