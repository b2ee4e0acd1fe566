# SPDX-License-Identifier: Apache-2.0
# The life of containers as the command line shows it. Sourced by fake.sh and microvm.sh after setup_bundle: the same must hold with both.

# ---- exit codes and streams
for code in 0 1 42 255; do
	config /bin/sh -c "exit $code"
	run a </dev/null
	is "$rc" "$code" "exit code $code is the command's"
done
config /bin/sh -c '/bin/sh -c "kill -SEGV \$\$"; exit $?'
run a </dev/null
is "$rc" 139 "a child's death by SIGSEGV is seen as in every shell"
config /bin/sh -c 'echo out; echo err >&2'
is "$($cm run -b "$bundle" ${guest:-} a 2>/dev/null </dev/null)" out "standard output arrives"
is "$($cm run -b "$bundle" ${guest:-} a 2>&1 >/dev/null </dev/null)" err "standard error arrives apart"
config /bin/cat
head -c "$bytes" /dev/urandom >"$tmp/big"
sum=$(md5sum <"$tmp/big")
is "$(cat "$tmp/big" | $cm run -b "$bundle" ${guest:-} a | md5sum)" "$sum" "$((bytes / 1000000)) MB through cat arrive intact, pipes"
# Each answer is read before the next question: what moves the bytes must not keep the pipes locked while it waits.
is "$(python3 - $cm run -b "$bundle" ${guest:-} a <<'P'
import os, subprocess, sys, threading
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
state = sys.argv[sys.argv.index("--root") + 1]
kill = [sys.argv[sys.argv.index("--root") - 1], "--root", state, "kill", "a", "KILL"]
late = threading.Timer(20 * int(os.environ.get("CASEMATE_TEST_PATIENCE", 1)), subprocess.run, [kill])
late.start()
n = 0
for i in range(100):
    try:
        p.stdin.write(b"%03d\n" % i)
    except BrokenPipeError:
        break
    if p.stdout.read(4) != b"%03d\n" % i:
        break
    n += 1
late.cancel()
p.stdin.close()
print(n, p.wait())
P
)" "100 0" "questions and answers through pipes"
$cm run -b "$bundle" ${guest:-} a <"$tmp/big" >"$tmp/big2"
is "$(md5sum <"$tmp/big2")" "$sum" "$((bytes / 1000000)) MB through cat arrive intact, files"
rm -f "$tmp/big" "$tmp/big2"
config /bin/yes
is "$($cm run -b "$bundle" ${guest:-} a 2>/dev/null </dev/null | head -n 1)" y "a reader that leaves ends the writer"

# ---- commands that cannot run
config foo
run a </dev/null
is "$rc" 1 "a missing command fails"
case "$(err)" in *'exec: "foo": executable file not found in $PATH'*) ok 0 "... in runc's words" ;; *) ok 1 "... in runc's words: $(err)" ;; esac
config /nonexistent
run a </dev/null
case "$(err)" in *'exec: "/nonexistent": stat /nonexistent: no such file or directory'*) ok 0 "a missing path fails in runc's words" ;; *) ok 1 "a missing path fails in runc's words: $(err)" ;; esac
config "$noexec"
run a </dev/null
case "$(err)" in *"exec: \"$noexec\": permission denied"*) ok 0 "a file that is not executable fails in runc's words" ;; *) ok 1 "a file that is not executable: $(err)" ;; esac
rm -f "$tmp/log"
timeout -k 5 $((60 * patience)) "$casemate" --root "$tmp/state" --log "$tmp/log" --log-format json run -b "$bundle" ${guest:-} a </dev/null 2>/dev/null
is "$(python3 -c "import json; d = json.load(open('$tmp/log')); print(d['level'], 'permission denied' in d['msg'])")" "error True" "the JSON log has the error"

# ---- bad input: one line, a non-zero exit, nothing left
bad() { # bad TEXT NAME: of the last run
	lines=$(err | wc -l)
	case "$rc:$lines:$(err)" in 0:*) ok 1 "$2 (exit 0)" ;; *:1:*"$1"*) ok 0 "$2" ;; *) ok 1 "$2: $(err)" ;; esac
}
config /bin/true
good=$bundle
bundle=$tmp/none
run a </dev/null
bad "bundle '$tmp/none': No such file" "no bundle"
mkdir "$tmp/none"
run a </dev/null
bad "open 'config.json': No such file" "no config.json"
bundle=$good
for missing in ociVersion process root; do
	config /bin/true
	edit "c.pop('$missing')"
	run a </dev/null
	bad "config.json: $missing: required field is missing" "$missing is missing"
done
for missing in args cwd; do
	config /bin/true
	edit "c['process'].pop('$missing')"
	run a </dev/null
	bad "config.json: process.$missing: required field is missing" "process.$missing is missing"
done
config /bin/true
edit "c['process']['args'] = ['a', 7]"
run a </dev/null
bad 'process.args[1]: expected string, got integer' "a word of the wrong type"
config /bin/true
edit "c['root']['path'] = 'file'"
: >"$bundle/file"
run a </dev/null
bad "root.path: 'file' is not a directory" "root directory that is a file"
ln -sfn / "$bundle/link"
edit "c['root']['path'] = 'link'"
run a </dev/null
bad "root.path: 'link' leads out of the bundle" "root directory that leads out of the bundle"
edit "c['root']['path'] = '../bundle/rootfs'"
run a </dev/null
bad "leads out of the bundle" "root directory by way of .."
config /bin/true
run a --memory 8M </dev/null
bad "--memory: 8M is less than the minimum" "8 MiB of memory"
run a --memory lots </dev/null
bad "'lots' is not a size" "memory that is no size"
run a --cpus 0 </dev/null
bad "out of range" "no CPU"
run a --nonsense </dev/null
bad "unknown option '--nonsense'" "unknown option"
run a/b </dev/null
bad "invalid container id" "invalid id"
for verb in state kill delete; do
	rc=0
	$cm $verb nobody 2>"$tmp/err" || rc=$?
	bad "container 'nobody' does not exist" "$verb of an unknown id"
done
$cm delete --force nobody
ok $? "delete --force of an unknown id is no error"
is "$(state_entries)" "" "nothing is left in the state directory"

# ---- detached containers
config /bin/sleep 100
run d --detach --pid-file "$tmp/pid" </dev/null >/dev/null
is "$rc" 0 "run --detach returns"
is "$(field d status)" running "state says running"
is "$(cat "$tmp/pid")" "$(field d pid)" "the pid file names the process of the state"
is "$($cm list -q)" d "list knows it"
is "$($cm list --format json | python3 -c 'import json,sys; print([(c["id"], c["status"]) for c in json.load(sys.stdin)])')" "[('d', 'running')]" "list in JSON"
run d </dev/null
bad "container with id exists: 'd'" "the same id again"
rc=0
$cm delete d 2>"$tmp/err" || rc=$?
bad "cannot delete container 'd' that is not stopped: running" "delete while it runs"
$cm kill d 0
ok $? "signal 0 reaches it"

# ---- the control socket and the sandbox process
is "$(stat -c %a "$tmp/state/d/control.sock")" 600 "the control socket is the owner's"
is "$(stat -c %a "$tmp/state/d")" 711 "its directory cannot be listed by others"
is "$(grep -c -e '^Seccomp:.2' -e '^NoNewPrivs:.1' "/proc/$(field d pid)/status")" 2 "the sandbox process is filtered"
reply=$(urpc d '{"method":"containerManager.Nothing","arg":{}}')
case "$reply" in *'"success":false'*'unknown method'*) ok 0 "unknown method" ;; *) ok 1 "unknown method: $reply" ;; esac
reply=$(urpc d '{"method":"containerManager.Signal","arg":{"CID":"other","Signo":9}}')
case "$reply" in *'"success":false'*'no such container'*) ok 0 "signal to another container" ;; *) ok 1 "signal to another: $reply" ;; esac
reply=$(urpc d '{"method":"containerManager.Signal","arg":{"CID":"d","Signo":9,"PID":0,"Mode":77}}')
case "$reply" in *'"success":false'*invalid*) ok 0 "unknown signal mode" ;; *) ok 1 "unknown mode: $reply" ;; esac
is "$(urpc d 'no JSON at all')" closed "noise on the control socket is hung up"
is "$(urpc d '{"method":7}{' | grep -c success.:false)" 1 "a method that is no string"
reply=$(urpc d '{"method":"containerManager.State","arg":"d"}')
case "$reply" in *'"success":true'*running*) ok 0 "state through the socket" ;; *) ok 1 "state: $reply" ;; esac
urpc d '{"method":"containerManager.Wait","arg":"d"}' "$tmp/waits" >"$tmp/wait" &
wait_pid=$!
wait_for 10 test -e "$tmp/waits"
$cm kill d KILL
ok $? "kill"
wait_for 2 is_status d stopped
ok $? "then state says stopped"
is "$(field d exitStatus)" 9 "the wait status is kept"
wait $wait_pid
case "$(cat "$tmp/wait")" in *'"success":true'*'"result":9'* | *'"result":9'*'"success":true'*) ok 0 "a waiting client is told" ;; *) ok 1 "a waiting client is told: $(cat "$tmp/wait")" ;; esac
rc=0
$cm kill d 2>"$tmp/err" || rc=$?
bad "container not running" "kill of a stopped container"
$cm delete d
ok $? "delete"
is "$(state_entries)" "" "nothing is left of it"
run e --detach </dev/null >/dev/null
$cm delete --force e
ok $? "delete --force of a running container"
wait_for 2 no_leftover
run e --detach </dev/null >/dev/null
: >"$tmp/state/e/stranger"
rc=0
$cm delete --force e 2>"$tmp/err" || rc=$?
bad "its directory holds 'stranger', which is not ours" "delete --force of one whose directory somebody else uses"
is "$(wc -l <"$tmp/err") $(field e status)" "1 stopped" "... in one line; it is stopped"
rm "$tmp/state/e/stranger"
$cm delete e
ok $? "... and deleted when that is gone"
is "$(state_entries)" "" "... with nothing left"
wait_for 2 no_leftover
is "$(leftover)" "" "no process is left"

# ---- signals to the command
config /bin/sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
$cm run -b "$bundle" ${guest:-} --pid-file "$tmp/pid2" s </dev/null >"$tmp/out" &
run_pid=$!
wait_for 5 grep -q ready "$tmp/out"
kill -TERM "$run_pid" # timeout hands it on to the command
rc=0
wait "$run_pid" || rc=$?
[ "$rc" = 7 ] || [ "$rc" = 124 ]
ok $? "SIGTERM is forwarded to the program"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "and it has ended"

# ---- death of any process
config /bin/sleep 100
for victim in vmmPid fsdPid; do
	run k --detach </dev/null >/dev/null 2>&1
	kill -9 "$(recorded k $victim)"
	wait_for 2 is_status k stopped
	ok $? "$victim killed: state then state says stopped"
	wait_for 2 no_leftover
	is "$(leftover)" "" "... and takes the others along"
	$cm delete k
	ok $? "... and delete cleans up"
done
run k --detach </dev/null >/dev/null 2>&1
kill -9 "$(field k pid)"
wait_for 2 is_status k stopped
ok $? "sandbox process killed: state says stopped"
wait_for 2 no_leftover
is "$(leftover)" "" "... the helpers die with it"
$cm delete k
ok $? "... and delete cleans up"
$cm run -b "$bundle" ${guest:-} f </dev/null 2>"$tmp/err" &
run_pid=$!
wait_for 5 is_status f running
kill -9 "$(recorded f vmmPid)"
rc=0
wait "$run_pid" || rc=$?
is "$rc" 137 "VMM killed below a waiting run: exit code 137"
is "$(field f status)" stopped "... the record stays, stopped"
$cm delete f
ok $? "... until delete"

# ---- many
config /bin/true
fails=0
i=0
while [ $i -lt 20 ]; do
	i=$((i + 1))
	(run "m$i" </dev/null; exit "$rc") &
done
for job in $(jobs -p); do wait "$job" || fails=$((fails + 1)); done
is "$fails" 0 "20 at once"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
