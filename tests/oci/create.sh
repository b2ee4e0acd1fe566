#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# create, start, exec, ps, events, wait and terminals, in real microVMs; the words that conmon and containerd's shim say.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in stty tty dd wc tr test ps; do
	[ -e "$bundle/rootfs/bin/$applet" ] || ln -s busybox "$bundle/rootfs/bin/$applet"
done
mkdir -p "$bundle/rootfs/etc" "$bundle/rootfs/dev" "$bundle/rootfs/proc"

create() { # create ID [OPTION...]
	id=$1
	shift
	rc=0
	$cm create -b "$bundle" "$@" "$id" >"$tmp/out" 2>"$tmp/cerr" </dev/null || rc=$?
}
refused() { # refused NAME TEXT COMMAND...: exit code not 0, one line that has TEXT
	name=$1 text=$2
	shift 2
	rc=0
	"$@" >"$tmp/out2" 2>"$tmp/err" </dev/null || rc=$?
	case "$rc:$(err | wc -l):$(err)" in 0:*) ok 1 "$name (exit 0)" ;; *:1:*"$text"*) ok 0 "$name" ;; *) ok 1 "$name: $rc $(err)" ;; esac
}
served() { # served ID BYTES: the file server has read so many
	[ "$(awk '/^rchar/ { print $2 }' "/proc/$(recorded "$1" fsdPid)/io")" -ge "$2" ]
}
json() { python3 -c "import json,sys; d = json.load(sys.stdin); print($1)"; }

# ---- created, running, stopped
config /bin/sh -c 'echo out; echo err >&2; trap "exit 9" TERM; sleep 1000 & wait'
create a --pid-file "$tmp/pid"
is "$rc:$(cat "$tmp/cerr")" "0:" "create"
is "$(field a status)" created "... gives a created container"
is "$(cat "$tmp/pid")" "$(field a pid)" "... the pid file has its process"
is "$(cat "$tmp/out")" "" "... whose program does not run"
is "$(nsenter --mount="/proc/$(field a pid)/ns/mnt" /bin/ls -d /bin/busybox /usr 2>/dev/null)" /bin/busybox "... whoever joins its mount namespace finds the container's files"
is "$(nsenter --mount="/proc/$(field a pid)/ns/mnt" /bin/cat /proc/1/comm 2>/dev/null)" casemate-sandbo "... and the sandbox's processes in /proc, not the host's"
is "$(ls "/proc/$(field a pid)/root/")" "$(ls "$bundle/rootfs")" "... and so at its root"
is "$($cm ps --format json a)" "[1]" "... but is there"
wait_for 5 served a $(($(stat -c %s "$bundle/rootfs/bin/busybox") * 9 / 10))
is "$?" 0 "... and read, so that start need not wait for it"
refused "create of the same id is refused" "container with id exists: 'a'" $cm create -b "$bundle" a
$cm start a
is "$?:$(field a status)" "0:running" "start runs it"
wait_for 5 test -s "$tmp/cerr"
is "$(cat "$tmp/out" "$tmp/cerr")" "$(printf 'out\nerr')" "its output is where create's went"
refused "start of a running container names the state" "cannot start container 'a' that is running" $cm start a
refused "the socket names both states" "cannot go from running to running" sh -c "
	case \"\$(python3 - '$tmp/state/a/control.sock' <<'P'
import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
s = socket.socket(socket.AF_UNIX); s.connect('control.sock')
s.sendall(b'{\"method\":\"containerManager.StartRoot\",\"arg\":\"a\"}')
print(s.recv(65536).decode())
P
)\" in *'cannot go from running to running'*) echo 'cannot go from running to running' >&2; exit 1 ;; esac"
$cm wait a >"$tmp/wait1" &
w1=$!
$cm wait a >"$tmp/wait2" &
w2=$!
$cm kill a TERM
wait $w1 $w2
is "$(json 'd["exitStatus"]' <"$tmp/wait1"):$(json 'd["exitStatus"]' <"$tmp/wait2")" 9:9 "any number of waiters get the exit status"
wait_for 5 is_status a stopped
is "$($cm wait a | json 'd["exitStatus"]')" 9 "... and so does one that comes later"
refused "start of a stopped container names the state" "cannot start container 'a' that is stopped" $cm start a
refused "exec in a stopped container names the state" "cannot exec in container 'a' that is stopped" $cm exec a /bin/true
$cm delete a
is "$?:$(state_entries)" "0:" "delete leaves nothing"

create b
$cm kill b KILL
wait_for 5 is_status b stopped
is "$($cm wait b | json 'd["exitStatus"]')" 137 "a created container can be killed"
$cm delete b
create b
$cm kill b TERM
wait_for 5 is_status b stopped
is "$(field b status)" stopped "... by any signal that ends a program without handlers"
$cm delete b
create b
$cm delete b
is "$?:$(state_entries)" "0:" "a created container can be deleted"
create b
kill -9 "$(field b pid)"
wait_for 5 is_status b stopped
is "$(field b status)" stopped "a created container whose sandbox process was killed is stopped"
$cm delete b
is "$?:$(state_entries)" "0:" "... and can be deleted"

# ---- programs that cannot run are told of by create
config nosuch
create c
is "$rc" 1 "create of a missing program fails"
case "$(cat "$tmp/cerr")" in *'exec: "nosuch": executable file not found in $PATH'*) ok 0 "... in runc's words" ;; *) ok 1 "... in runc's words: $(cat "$tmp/cerr")" ;; esac
printf 'not a program' >"$bundle/rootfs/bin/bad"
chmod 755 "$bundle/rootfs/bin/bad"
config /bin/bad
create c
is "$rc" 0 "create of a file that is no program"
refused "... start fails" "exec /bin/bad: exec format error" $cm start c
wait_for 5 is_status c stopped
is "$(field c status)" stopped "... and the container is stopped"
$cm delete c
is "$(state_entries)" "" "... and can be deleted"

# ---- exec
config /bin/sh -c 'sleep 1000 & wait'
edit "c['process']['env'] += ['BASE=1']; c['process']['user'] = {'uid': 0, 'gid': 0, 'additionalGids': [7]}"
create d
$cm start d
is "$($cm exec d /bin/echo hello)" hello "exec runs a command"
$cm exec d /bin/sh -c 'exit 42'
is "$?" 42 "... its exit code is ours"
$cm exec d /bin/sh -c 'kill -9 $$'
is "$?" 137 "... 128+n for a signal"
is "$(echo in | $cm exec d /bin/cat)" in "... input arrives"
is "$($cm exec d /bin/sh -c 'echo o; echo e >&2' 2>/dev/null)" o "... output and error apart"
is "$($cm exec -e BASE=2 -e NEW=3 --cwd /tmp d /bin/sh -c 'echo $BASE $NEW $(pwd)')" "2 3 /tmp" "... with variables and directory"
is "$($cm exec -u 5:6 d /bin/id -u):$($cm exec -u 5:6 d /bin/id -g)" 5:6 "... as another user"
is "$($cm exec -g 99 d /bin/sh -c 'id -G')" "0 7 99" "... with one more group"
head -c 20000000 /dev/urandom >"$tmp/big"
is "$($cm exec d /bin/cat <"$tmp/big" | md5sum)" "$(md5sum <"$tmp/big")" "... 20 MB through it arrive intact"
rm -f "$tmp/big"
$cm exec d /bin/sh -c 'sleep 1000 & echo done' >"$tmp/left"
is "$(cat "$tmp/left")" "done" "... its end is not that of what it left behind, its output is whole"
refused "a missing command fails in runc's words" 'exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH' $cm exec d nosuch
is "$rc" 255 "... with exit code 255"
refused "a wrong process file is refused" "--process" $cm exec --process "$bundle/rootfs/bin/bad" d
rc=0
$cm exec d /bin/sleep 1000 &
e=$!
wait_for 5 sh -c "$cm ps d | grep -q 'sleep\$'"
waits=$(grep -ls "^PPid:.$e\$" /proc/[0-9]*/status)
filtered() { [ "$(grep -c -e '^Seccomp:.2' -e '^NoNewPrivs:.1' "$1")" = 2 ]; }
wait_for 5 filtered "$waits"
is "$?" 0 "exec is filtered while it waits"
kill -TERM $e 2>/dev/null
wait $e || rc=$?
is "$rc" 143 "a signal to exec reaches the command"

# ---- the words of conmon and containerd-shim
cat >"$tmp/process.json" <<'P'
{"terminal": false, "user": {"uid": 1, "gid": 2}, "args": ["/bin/sh", "-c", "echo as $(id -u); exec sleep 1000"], "cwd": "/",
 "env": ["PATH=/bin"], "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 18446744073709551615}]}
P
$cm --systemd-cgroup --log "$tmp/log" --log-format json exec --pid-file "$tmp/epid" --process "$tmp/process.json" --detach d >"$tmp/eout" </dev/null
is "$?" 0 "exec --process --detach --pid-file returns"
wait_for 5 test -s "$tmp/eout"
is "$(cat "$tmp/eout")" "as 1" "... and the process runs"
kill -0 "$(cat "$tmp/epid")"
is "$?" 0 "... a process of the host stands for it"
wait_for 5 filtered "/proc/$(cat "$tmp/epid")/status"
is "$?" 0 "... which is filtered"
kill -KILL "$(cat "$tmp/epid")"
wait_for 5 sh -c "! $cm exec d /bin/ps | grep -q 'sleep 1000\$' || [ \$($cm exec d /bin/ps | grep -c 'sleep 1000\$') -le 2 ]"
is "$?" 0 "... and takes it along"
is "$($cm --log "$tmp/log" --log-format json ps --format json d | json 'd[0]')" 1 "ps --format json"
is "$($cm events --stats d | json 'd["type"], d["data"]["pids"]["current"] > 0, d["data"]["memory"]["usage"]["usage"] > 0')" "stats True True" "events --stats"
rm -f "$tmp/log"
refused "a failing exec" "executable file not found" $cm --log "$tmp/log" --log-format json exec d nosuch
is "$(json 'd["level"], "not found" in d["msg"]' <"$tmp/log")" "error True" "... is in the JSON log"
$cm kill d 9
wait_for 5 is_status d stopped
$cm delete d
is "$?" 0 "delete"
$cm delete --force d
is "$?" 0 "delete --force of what is gone"

# ---- pause
config /bin/sh -c 'trap "echo usr1" USR1; while :; do echo x; sleep 0.05; done'
create p
refused "a created container cannot be paused" "cannot pause container 'p' that is created" $cm pause p
$cm start p
lines() { wc -l <"$tmp/out"; }
some_lines() { [ "$(lines)" -gt 3 ]; }
wait_for 5 some_lines
$cm pause p
is "$?:$(field p status)" "0:paused" "pause"
before=$(lines)
sleep 1
is "$(lines)" "$before" "... stops the program"
refused "... exec is refused" "cannot exec in container 'p' that is paused" $cm exec p /bin/true
refused "... ps too" "that is paused" $cm ps p
refused "... and another pause" "cannot pause container 'p' that is paused" $cm pause p
$cm kill p USR1
is "$?" 0 "... a signal is taken"
$cm exec --ignore-paused p /bin/sh -c 'echo waited; exit 4' >"$tmp/waited" 2>&1 </dev/null &
waiter=$!
sleep 0.5
is "$(cat "$tmp/waited")$(kill -0 $waiter && echo waits):$(field p status)" "waits:paused" "... exec --ignore-paused waits"
$cm resume p
is "$?:$(field p status)" "0:running" "resume"
rc=0
wait $waiter || rc=$?
is "$rc:$(cat "$tmp/waited")" "4:waited" "... its program runs then"
wait_for 5 grep -q usr1 "$tmp/out"
is "$(grep -c usr1 "$tmp/out")" 1 "... the program goes on, and gets the signal"
refused "resume of what is not paused is refused" "cannot resume container 'p' that is running" $cm resume p
pause() { urpc p '{"method":"containerManager.Pause","arg":"p"}' | json 'd["success"]'; }
resume() { urpc p '{"method":"containerManager.Resume","arg":"p"}' | json 'd["success"], d["err"]'; }
is "$(pause) $(pause) $(field p status)" "True True paused" "pauses nest"
is "$(resume)/$(field p status)" "True /paused" "... one resume is not enough"
is "$(resume)/$(field p status)" "True /running" "... two are"
is "$(resume)" "False container 'p' cannot go from running to running" "... three are too many"
$cm pause p
$cm exec --ignore-paused p /bin/sleep 1000 >"$tmp/waited" 2>&1 </dev/null &
waiter=$!
sleep 0.5
$cm kill p KILL
wait_for 10 is_status p stopped
is "$(field p status):$(field p exitStatus)" stopped:9 "a paused container can be killed"
rc=0
wait $waiter || rc=$?
ok "$([ $rc = 255 ] || [ $rc = 137 ]; echo $?)" "... exec --ignore-paused ends then: $rc $(cat "$tmp/waited")"
$cm delete p
create p
$cm start p
$cm pause p
$cm delete --force p
is "$?:$(state_entries)" "0:" "... and deleted by force"

# ---- many at once, and after one another
config /bin/sh -c 'sleep 1000 & wait'
create m
$cm start m
for i in 1 2 3 4 5 6 7 8 9 10; do
	$cm exec m /bin/sh -c "echo $i; exit $i" >"$tmp/m$i" &
	eval "p$i=$!"
done
good=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	rc=0
	eval "wait \$p$i" || rc=$?
	[ "$rc:$(cat "$tmp/m$i")" = "$i:$i" ] && good=$((good + 1))
done
is "$good" 10 "ten execs at once"
usage() { awk '/VmRSS/ { print $2 }' "/proc/$(field m pid)/status"; }
free() { $cm events --stats m | json 'd["data"]["memory"]["usage"]["usage"] // 1024 - d["data"]["memory"]["cache"] // 1024'; }
i=0
while [ $i -lt 20 ]; do $cm exec m /bin/true || break; i=$((i + 1)); done
host=$(usage) guest_kb=$(free)
while [ $i -lt 100 ]; do $cm exec m /bin/true || break; i=$((i + 1)); done
is "$i" 100 "100 execs"
[ $(($(usage) - host)) -lt 256 ]
is "$?" 0 "... leave the sandbox process's memory flat ($host -> $(usage) kB)"
[ $(($(free) - guest_kb)) -lt 512 ]
is "$?" 0 "... and the guest's ($guest_kb -> $(free) kB)"
$cm delete --force m
is "$(state_entries)" "" "delete --force of a running container leaves nothing"

# ---- who reads from the streams of a detached container sees their end when the program closes them, not when it ends
config /bin/sh -c 'echo out; echo err >&2; exec >&- 2>&-; sleep 100'
is "$(timeout $((20 * patience)) $cm run -b "$bundle" -d m </dev/null 2>&1 | sort)" "err
out" "a detached program closes its output"
is "$(field m status)" running "... and runs on"
$cm delete --force m

# ---- terminals
python3 "$top_srcdir/tests/oci/terminal.py" "$casemate" "$tmp" "$bundle" >"$tmp/tty" 2>&1
while read -r verdict text; do
	case "$verdict" in ok) ok 0 "$text" ;; not) ok 1 "$text" ;; *) echo "# $verdict $text" ;; esac
done <"$tmp/tty"

wait_for 5 no_leftover
is "$(leftover)" "" "no process is left"
is "$(state_entries)" "" "no state is left"
# ---- words
for id in match-1 match-2 other; do
	config /bin/sleep 100
	$cm create -b "$bundle" $id </dev/null >/dev/null 2>&1
done
$cm delete --regex '^match-[12]$'
is "$?:$(state_entries)" "0:other" "delete --regex"
$cm delete --regex '[' 2>"$tmp/err"
is "$?:$(state_entries)" "1:other" "... of no regular expression"
$cm delete other

# ---- the beginning of an id
for id in web2 web22; do
	config /bin/sleep 100
	$cm create -b "$bundle" $id </dev/null >/dev/null 2>&1
done
refused "an ambiguous id" "container id 'we' is ambiguous: web2, web22" $cm state we
is "$(field web2 id):$(field web22 id)" web2:web22 "a whole id wins over a longer one"
refused "an ambiguous id is not killed" "is ambiguous" $cm kill w KILL
refused "... nor deleted" "is ambiguous" $cm delete w
$cm delete web2
is "$(field w id)" web22 "an id's beginning is enough"
$cm start w
is "$($cm exec w /bin/echo hello 2>&1 </dev/null)" hello "... for exec"
is "$($cm pause we && field we status && $cm resume we && field we status)" "paused
running" "... for pause and resume"
is "$($cm ps --format json we)" "[1]" "... for ps"
is "$($cm events --stats we | json 'd["id"]')" web22 "... for events"
refused "exec in a directory that is missing" 'chdir to cwd ("/not/there") set in config.json failed: no such file or directory' $cm exec --cwd /not/there we /bin/pwd
$cm update --pids-limit 100 we
is "$?" 0 "... for update"
is "$($cm debug we vcpus 2>&1 | grep -c 'does not exist')" 0 "... for debug"
refused "... not for an engine" "container 'web2' does not exist" $cm --log "$tmp/log" state web2
$cm --log "$tmp/log" delete --force web2 2>"$tmp/err"
is "$?:$(err):$(field web22 status)" "0::running" "... whose delete --force leaves it alone"
$cm delete --force web2 2>"$tmp/err"
is "$?:$(field web22 status)" "0:running" "delete --force takes no beginning"
is "$(err)" "casemate: no container 'web2'; with --force 'web2' is not taken for 'web22'" "... and says so"
$cm kill we KILL
is "$($cm wait we | json '(d["id"], d["exitStatus"])')" "('web22', 137)" "... for kill and wait"
$cm delete we
is "$?:$(state_entries)" "0:" "... for delete"

$cm --log "$tmp/nowhere/log" list 2>"$tmp/err"
case "$?:$(cat "$tmp/err")" in 1:*"--log: open"*) ok 0 "a log that cannot be written" ;; *) ok 1 "a log that cannot be written" ;; esac
rm "$bundle/config.json"
$cm spec --rootless -b "$bundle" id -u
is "$?:$($cm run -b "$bundle" r </dev/null)" 0:0 "spec --rootless"

# ---- a program that is over before anybody could say that it runs
config /bin/true
failed=
for i in $(seq 30); do
	create "s$i"
	$cm start "s$i" >"$tmp/out2" 2>&1 || failed="$failed $i: $(cat "$tmp/out2")"
	$cm delete --force "s$i"
done
is "$failed" "" "start of a program that is over at once succeeds, 30 times"

plan
