#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# podman and ctr (containerd) with casemate as their runtime. By hand: make check-clients. Needs root, podman, conmon, containerd, script, busybox.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
for tool in podman conmon containerd ctr script; do
	command -v $tool >/dev/null || skip_all "$tool is missing"
done
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
containerd_pid=
clean() {
	[ -z "$containerd_pid" ] || { kill "$containerd_pid" && wait "$containerd_pid"; } 2>/dev/null
	podman rm -fa -t 0 >/dev/null 2>&1
	umount "$tmp/podman/root/overlay" 2>/dev/null
	rm -rf "$tmp"
}
trap clean EXIT
runtime_script
podman_words="--root $tmp/podman/root --runroot $tmp/podman/run --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=file --runtime $tmp/runtime"
limits="--network=none --ulimit nofile=1024:4096 --ulimit nproc=4096:4096"
podman() { timeout -k 5 $((60 * patience)) podman $podman_words "$@"; }
p() { # p COMMAND...: its output in $out, exit code in $rc
	rc=0
	out=$(podman "$@" 2>"$tmp/err" </dev/null) || rc=$?
}
typed() { # typed ROWS COLUMNS COMMAND: with a terminal of that size; what is typed is standard input, a line a second
	while read -r line; do
		sleep 1
		printf '%s\n' "$line"
	done | timeout -k 5 $((60 * patience)) script -qefc "stty rows $1 cols $2; podman $podman_words $3" /dev/null >"$tmp/screen" 2>&1
}

mkdir "$tmp/image" "$tmp/image/bin" "$tmp/image/etc" "$tmp/image/tmp"
cp "$busybox" "$tmp/image/bin/busybox"
chroot "$tmp/image" /bin/busybox --install -s /bin
echo 'root:x:0:0:root:/root:/bin/sh' >"$tmp/image/etc/passwd"
tar -C "$tmp/image" -c . | podman import - bb >/dev/null 2>&1
is "$?" 0 "podman import"

# ---- podman
p run $limits --rm bb echo hello
is "$rc:$out" 0:hello "podman run"
p run $limits --rm bb sh -c 'exit 9'
is "$rc" 9 "... exit code"
p run $limits --rm bb nosuch
is "$rc" 127 "... of a missing command"
p run $limits --rm bb /etc/passwd
is "$rc" 126 "... of a file that is no program"
mkdir "$tmp/volume"
p run $limits --rm -v "$tmp/volume:/v" bb sh -c 'echo data > /v/file'
is "$rc:$(cat "$tmp/volume/file")" 0:data "... with a volume"
p run $limits --rm --read-only --tmpfs /t --user 0:6 -w /t -e A=b bb sh -c 'touch x && echo $A $(id -g) $(pwd); touch /x'
is "$rc:$out" "1:b 6 /t" "... read-only, tmpfs, user, directory, variable"
p run $limits -d --name c bb sh -c 'trap "exit 3" TERM; echo started; while :; do sleep 0.1; done'
is "$rc" 0 "podman run -d"
p exec c echo inside
is "$rc:$out" 0:inside "podman exec"
p exec c sh -c 'exit 8'
is "$rc" 8 "... exit code"
p exec c nosuch
is "$rc" 127 "... of a missing command"
is "$(echo in | podman exec -i c cat)" in "... -i"
echo three >"$tmp/three"
is "$(podman exec --preserve-fds=1 c sh -c 'cat <&3' 3<"$tmp/three")" three "... --preserve-fds"
is "$(podman run $limits --rm --preserve-fds=1 bb sh -c 'cat <&3' 3<"$tmp/three")" three "podman run --preserve-fds"
p exec -d c sh -c 'echo later > /tmp/later'
wait_for 5 podman exec c test -s /tmp/later
is "$?" 0 "... -d"
p logs c
is "$rc:$out" 0:started "podman logs"
p ps --format '{{.Names}}'
is "$rc:$out" "0:c" "podman ps"
p inspect c --format '{{.State.Status}}'
is "$rc:$out" 0:running "podman inspect"
p top c -o pid,comm
is "$rc:$(echo "$out" | awk 'NR == 2 { print $1, $2 }')" "0:1 sh" "podman top with options of ps"
p stats --no-stream --format '{{.Name}}' c
is "$rc:$out" 0:c "podman stats"
p cp c:/etc/passwd "$tmp/passwd"
is "$rc:$(cat "$tmp/passwd")" "0:root:x:0:0:root:/root:/bin/sh" "podman cp from a container"
echo new >"$tmp/new"
p cp "$tmp/new" c:/etc/new
is "$rc:$(podman exec c cat /etc/new)" 0:new "... and into it"
p pause c
is "$rc:$(podman inspect c --format '{{.State.Status}}')" 0:paused "podman pause"
p exec c true
[ "$rc" != 0 ]
is "$?" 0 "... exec is refused"
p unpause c
is "$rc:$(podman exec c echo on)" 0:on "podman unpause"
p restart -t 5 c
is "$rc:$(podman logs c | grep -c started)" 0:2 "podman restart"
p stop -t 5 c
p wait c
is "$rc:$out" 0:3 "podman stop and wait"
p start c
p kill -s KILL c
p wait c
is "$rc:$out" 0:137 "podman start and kill"
p rm c
is "$rc" 0 "podman rm"
printf '%s\n' '' 'tty; stty size' 'exit 7' | typed 30 70 "run $limits -it --rm bb sh"
is "$?:$(grep -c '30 70' "$tmp/screen")" 7:1 "podman run -it"
p run $limits -dt --name t bb sh
printf '%s\n' '' 'tty; stty size' 'exit 6' | typed 31 71 "exec -it t sh"
is "$?:$(grep -c '31 71' "$tmp/screen")" 6:1 "podman exec -it"
printf '%s\n' '' 'stty size; echo attached' 'exit 5' | typed 32 72 "attach t"
is "$(grep -c '^attached' "$tmp/screen")" 1 "podman attach"
p rm -f -t 0 t
is "$rc:$(podman ps -aq)" 0: "podman rm -f"

# ---- ctr
cat >"$tmp/containerd.toml" <<C
version = 2
root = "$tmp/containerd/root"
state = "$tmp/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$tmp/containerd.sock"
C
podman save --format oci-archive -o "$tmp/bb.tar" bb >/dev/null 2>&1
containerd -c "$tmp/containerd.toml" >"$tmp/containerd.log" 2>&1 &
containerd_pid=$!
wait_for 20 test -S "$tmp/containerd.sock"
ctr() { timeout -k 5 $((60 * patience)) ctr -a "$tmp/containerd.sock" "$@"; }
c() {
	rc=0
	out=$(ctr "$@" 2>"$tmp/err" </dev/null) || rc=$?
}
ctr images import --snapshotter native "$tmp/bb.tar" >/dev/null 2>&1
image=$(ctr images ls -q | head -n 1)
run="run --snapshotter native --runc-binary $tmp/runtime"
c $run --rm "$image" x echo hello
is "$rc:$out" 0:hello "ctr run"
c $run --rm "$image" x sh -c 'exit 5'
is "$rc" 5 "... exit code"
c $run --rm "$image" x nosuch
case "$(err)" in *'executable file not found in $PATH'*) ok 0 "... the reason of a failure" ;; *) ok 1 "... the reason of a failure: $(err)" ;; esac
ctr container rm x >/dev/null 2>&1
c $run -d "$image" y sleep 1000
is "$rc" 0 "ctr run -d"
c task exec --exec-id e1 y echo inside
is "$rc:$out" 0:inside "ctr task exec"
c task exec --exec-id e2 y sh -c 'exit 6'
is "$rc" 6 "... exit code"
c task ps y
is "$rc:$(echo "$out" | awk 'NR == 2 { print $1 }')" 0:1 "ctr task ps"
status() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
c task pause y
is "$rc:$(status y)" 0:PAUSED "ctr task pause"
c task resume y
is "$rc:$(status y)" 0:RUNNING "ctr task resume"
c task kill -s KILL y
stopped() { [ "$(status y)" = STOPPED ]; }
wait_for 10 stopped
is "$rc:$(status y)" 0:STOPPED "ctr task kill"
ctr task rm y >/dev/null 2>&1
c container rm y
is "$rc" 0 "ctr container rm"
# ---- a pod: what containerd's CRI writes into the annotations, which its shim reads too. One shim, one microVM.
member="--annotation io.kubernetes.cri.sandbox-id=pod --annotation io.kubernetes.cri.container-type"
c $run -d $member=sandbox "$image" pod sleep 1000
is "$rc" 0 "ctr run of a pod's sandbox"
c $run -d $member=container "$image" one sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'
is "$rc" 0 "ctr run of a container in it"
c $run -d $member=container "$image" two sh -c 'while :; do sleep 0.1; done'
vmms() { ls -d /proc/[0-9]*/exe | while read -r l; do readlink "$l"; done | grep -c "^$tmp/libexec/casemate-vmm"; }
is "$rc:$(vmms)" 0:1 "another one: there is one VMM"
c task exec --exec-id e3 one sh -c 'hostname; exit 8'
is "$rc" 8 "ctr task exec in it"
c task ps two
is "$rc:$(echo "$out" | awk 'NR == 2 { print $1 }')" 0:1 "ctr task ps of it"
c task kill -s TERM one
task_is() { [ "$(status "$1")" = "$2" ]; }
wait_for 10 task_is one STOPPED
is "$(status one):$(status two):$(status pod)" STOPPED:RUNNING:RUNNING "ctr task kill of one"
c task rm one
c $run --rm $member=container "$image" three sh -c 'exit 5'
is "$rc" 5 "ctr run in the foreground gives the exit code"
c task kill -s KILL pod
wait_for 10 task_is two STOPPED
is "$(status two):$(status pod)" STOPPED:STOPPED "with the sandbox all end"
for i in two pod; do ctr task rm $i; done >/dev/null 2>&1
for i in one two pod; do ctr container rm $i; done >/dev/null 2>&1
is "$(ctr container ls -q)" "" "ctr container rm of all"
wait_for 5 no_leftover
is "$(leftover)" "" "no process is left"
plan
