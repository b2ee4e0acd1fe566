#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several containers in one microVM, as CRI engines ask for them: by annotations, with the command line of containerd's shim.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
cycles=${CYCLES:-50}
[ -z "${CASEMATE_TEST_EMULATED:-}" ] || cycles=${CYCLES:-8}
first=$bundle

# pod_bundle NAME: $bundle becomes a bundle of its own
pod_bundle() {
	bundle=$tmp/$1
	mkdir -p "$bundle"
	[ -d "$bundle/rootfs" ] || cp -a "$first/rootfs" "$bundle/rootfs"
	echo "$1" >"$bundle/rootfs/name"
}

# member SANDBOX WORD...: config.json of a container in the pod of SANDBOX, whose namespaces are as containerd's CRI writes them
member() {
	sandbox=$1
	shift
	[ -f "$bundle/config.json" ] || "$casemate" spec -b "$bundle"
	edit "
pid = sys.argv[2]
c['process']['args'] = sys.argv[3:]
c['root']['readonly'] = False
c['process'].pop('rlimits', None)
c['mounts'] = [m for m in c['mounts'] if m['type'] != 'bind']
c['annotations'] = {'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': '$sandbox'}
c.pop('hostname', None)
c['linux']['namespaces'] = [{'type': 'pid'}, {'type': 'mount'}] + [
    {'type': t, 'path': '/proc/%s/ns/%s' % (pid, n)} for t, n in (('ipc', 'ipc'), ('uts', 'uts'), ('network', 'net'))]
" "$(field "$sandbox" pid)" "$@"
}

# field ID NAME: of its state. Asked often: no interpreter for it.
field() { $cm state "$1" 2>/dev/null | sed -n 's/^  "'"$2"'": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p'; }

# create NAME [OPTION...]: as containerd-shim-runc-v2 calls it; its standard output and error go to $tmp/NAME.out and .err
create() {
	name=$1
	shift
	rc=0
	$casemate --root "$tmp/state" --log "$tmp/log.json" --log-format json create --bundle "$bundle" --pid-file "$tmp/$name.pid" "$@" "$name" \
		>"$tmp/$name.out" 2>"$tmp/$name.err" </dev/null || rc=$?
}
start() { $cm start "$1" >"$tmp/out" 2>&1; }
says() { grep -q "$2" "$tmp/$1.out"; }
stopped() { [ "$(field "$1" status)" = stopped ]; }

# sandbox NAME: a running pod sandbox
sandbox() {
	pod_bundle "$1"
	config /bin/sh -c 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'
	edit "c['annotations'] = {'io.kubernetes.cri.container-type': 'sandbox', 'io.kubernetes.cri.sandbox-id': '$1'}; c['hostname'] = 'pod-$1'"
	create "$1" --memory 64M
	start "$1"
}
# container NAME SANDBOX WORD...: a running container in it
container() {
	name=$1
	pod_bundle "$name"
	shift
	member "$@"
	create "$name"
	if [ $rc != 0 ] || ! start "$name"; then echo "# container $name: $rc $(cat "$tmp/$name.err" "$tmp/out")"; fi
}

# ---- two containers
sandbox p
is "$rc $(field p status)" "0 running" "a pod's sandbox runs"
pod_bundle a
member p /bin/sh -c 'cat /name; hostname; echo pid $$; echo err >&2; trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'
ln -sf busybox "$bundle/rootfs/bin/hostname"
create a
is "$rc $(field a status) $(field a sandbox)" "0 created p" "create joins the sandbox that the annotations name"
is "$(cat "$tmp/a.pid")" "$(field a pid)" "the pid file has the process that stands for the container"
is "$([ "$(field a pid)" = "$(field p pid)" ]; echo $?)" 1 "which is its own"
start a
is "$?" 0 "start"
is "$(awk '/^(NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$(field a pid)/status" | tr '\n' ' ')" "1 2 " "the process that stands for it gets no new privileges, and is filtered"
wait_for 10 says a up
wait_for 10 test -s "$tmp/a.err"
is "$(tr '\n' ' ' <"$tmp/a.out")$(cat "$tmp/a.err")" "a pod-p pid 1 up err" \
	"it has its own root, standard output and error and pid namespace, and the pod's host name"
is "$(field a status)" running "its state is running"
container b p /bin/sh -c 'cat /name; trap "" TERM; echo up; while :; do sleep 0.1; done'
wait_for 10 says b up
is "$(head -1 "$tmp/b.out") $(field b status)" "b running" "another one"
is "$(ls -A "$tmp/state" | grep -v '^\.' | tr '\n' ' ')" "a b p " "each has a record"
is "$($cm list -q | sort | tr '\n' ' ')" "a b p " "list shows all"

# ---- exec, ps, events of each
is "$($cm exec a cat /name) $($cm exec b cat /name) $($cm exec p cat /name)" "a b p" "exec in each sees its root"
$cm exec b /bin/sh -c 'echo >/mark'
is "$(ls "$tmp"/*/rootfs/mark)" "$tmp/b/rootfs/mark" "what one writes lands in its own directory"
rc=0
$cm exec a /bin/sh -c 'exit 9' || rc=$?
is "$rc" 9 "the exit code of an exec is its own"
$cm exec -d b /bin/sleep 1234
shells() { $cm ps "$1" | grep -c ' sh$'; }
# A child that has not executed its program yet is a shell, too.
one_shell_each() { [ "$(shells a) $(shells b) $(shells p)" = "1 1 1" ]; }
wait_for 5 one_shell_each
ok $? "ps lists a container's processes"
is "$($cm ps -f json b | python3 -c 'import json, sys; p = json.load(sys.stdin); print(1 in p, len(p) >= 2)')" "True True" "with the numbers that it has"
is "$($cm exec a cat /proc/1/cmdline | tr '\0' ' ' | grep -c 'trap "exit 7"')$($cm exec a /bin/sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' '\n' | grep -c 1234)" 10 "/proc has its own processes and none of another's"
is "$($cm events --stats a | python3 -c 'import json, sys; e = json.load(sys.stdin); print(e["id"], e["data"]["pids"]["current"] > 0)')" "a True" "events of one"

# ---- one dies, the others do not
$cm kill a TERM
wait_for 10 stopped a
is "$(field a status) $(field a exitStatus) $(field b status) $(field p status)" "stopped 1792 running running" \
	"kill of one: its program's exit status; the others run on"
$cm kill a KILL >"$tmp/out" 2>&1
is "$? $(cat "$tmp/out")" "1 casemate: container not running" "it can be killed once"
$cm exec a true >"$tmp/out" 2>&1
is "$?" 255 "and takes no more commands"
$cm delete a
is "$? $(ls "$tmp/state" | tr '\n' ' ')$($cm exec b cat /name)" "0 b p b" "delete of one leaves the others"
container a p /bin/sh -c '/bin/sh -c "kill -SEGV \$\$"; exit $?'
wait_for 10 stopped a
is "$(field a exitStatus) $(field b status)" "$((139 << 8)) running" "the id and its place are free again; a crash is a crash of one"
$cm delete a
container a p /bin/sh -c 'exec /missing'
wait_for 10 stopped a
is "$(field a exitStatus)" $((127 << 8)) "another exit code"
$cm delete a
pod_bundle a
member p /bin/nothing
create a
is "$rc $(grep -o 'no such file or directory' "$tmp/a.err") $(ls "$tmp/state" | tr '\n' ' ')" "1 no such file or directory b p " \
	"a program that is not there: create says so and leaves nothing"
member p /bin/true
edit "c['mounts'].append({'type': 'bind', 'source': '/nowhere/at/all', 'destination': '/x', 'options': ['bind']})"
create a
is "$rc $(grep -c 'nowhere' "$tmp/a.err") $(ls "$tmp/state" | tr '\n' ' ')" "1 1 b p " "so does a volume that is not there"

# ---- volumes, namespaces
mkdir "$tmp/shared"
echo hello >"$tmp/shared/file"
for i in a c; do
	pod_bundle $i
	member p /bin/sh -c 'while :; do sleep 0.1; done'
	edit "c['mounts'] += [{'type': 'bind', 'source': '$tmp/shared', 'destination': '/data', 'options': ['rbind', 'rw']},
		{'type': 'bind', 'source': '$tmp/shared/file', 'destination': '/one', 'options': ['bind', 'ro']}]"
	[ $i = a ] || edit "c['linux']['namespaces'][0]['path'] = '/proc/$(field a pid)/ns/pid'"
	create $i
	start $i
done
is "$($cm exec a cat /one)" hello "a volume that is a file"
$cm exec a /bin/sh -c 'echo from a >/data/new'
is "$(cat "$tmp/shared/new") $($cm exec c cat /data/new)" "from a from a" "volumes are shared where they are the same directory"
is "$($cm exec c /bin/sh -c 'echo x >/one' 2>&1 | grep -c -i 'read-only')" 1 "a read-only one is"
is "$($cm exec c cat /proc/1/comm)" sh "its /proc is that of the namespace that it joined"
is "$($cm ps -f json c | python3 -c 'import json, sys; print(1 in json.load(sys.stdin))')" False \
	"a pid namespace joined by /proc/PID/ns: ps still lists its own alone"
$cm delete --force c
is "$? $(field a status)" "0 running" "delete --force of it leaves the one whose namespace it is"
member p /bin/true
edit "c['linux']['namespaces'][0]['path'] = '/proc/1/ns/pid'"
create c
is "$rc $(grep -c "of no container of this sandbox" "$tmp/c.err")" "1 1" "a namespace of anybody else is refused"

# ---- who reads its output
pod_bundle y
member p /bin/sh -c 'echo said; exec /bin/sleep 1000 >&- 2>&-'
mkfifo "$tmp/y.out"
timeout $((20 * patience)) cat "$tmp/y.out" >"$tmp/said" &
reader=$!
create y
start y
wait $reader
is "$? $(cat "$tmp/said") $(field y status)" "0 said running" "nobody but the program holds its standard output"
$cm delete --force y
rm "$tmp/y.out"

# ---- pause
$cm pause b
is "$? $(field b status) $(field a status) $(field p status)" "0 paused running running" "pause of one stops it alone"
is "$($cm exec a echo on)" on "... the others go on"
$cm pause p
is "$? $(field b status) $(field a status) $(field p status)" "0 paused running paused" "the sandbox's own container too"
is "$($cm exec a echo on)" on "... is no more than one of them"
$cm resume p
is "$? $(field b status) $(field p status)" "0 paused running" "... it goes on by itself"
reply=$(urpc p '{"method":"Lifecycle.Pause","arg":{}}')
is "$(field b status) $(field a status) $(field p status)" "paused paused paused" "Lifecycle.Pause is of them all: $reply"
$cm resume b 2>"$tmp/err"
is "$? $(grep -c "the whole sandbox is paused" "$tmp/err")" "1 1" "... none goes on by itself then"
reply=$(urpc p '{"method":"Lifecycle.Resume","arg":{}}')
is "$(field b status) $(field a status) $(field p status)" "paused running running" "... after it each is as it was: $reply"
$cm resume b
is "$? $(field b status)" "0 running" "resume of the one"

# ---- out of memory
ln -s busybox "$first/rootfs/bin/awk"
container o p /bin/awk 'BEGIN { while (1) a[i++] = i }'
wait_for 60 stopped o
is "$(field o exitStatus) $(field o oomKilled) $(field b status) $(field p status)" "9 true running running" "out of memory: one is killed, and known for it"
$cm delete o
container q p /bin/sh -c 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'
$cm events --interval 1s q >"$tmp/q.events" 2>&1 &
events=$!
wait_for 10 test -s "$tmp/q.events"
rc=0
$cm exec q /bin/awk 'BEGIN { while (1) a[i++] = i }' >/dev/null 2>&1 || rc=$?
told() { grep -q '^{"type":"oom","id":"q"}$' "$tmp/q.events"; }
wait_for 10 told
is "$rc:$(grep -c "^{.type.:.oom" "$tmp/q.events") $(field q status)" "137:1 running" "... events tells of a kill in a container that lives"
kills() { $cm events --stats "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["memory"]["raw"]["oom_kill"])'; }
is "$(kills q) $(kills b)" "1 0" "... and counts them for each container"
$cm kill q TERM
wait_for 10 stopped q
wait $events
is "$? $(field q oomKilled) $(grep -c '"type":"oom"' "$tmp/q.events")" "0 true 1" "... its end is that of the events"
$cm delete q

# ---- the process that stands for one, and its file server
kill -9 "$(field b pid)"
wait_for 10 stopped b
is "$(field b status) $(field a status)" "stopped running" "who kills a container's process kills it alone"
is "$(python3 "$top_srcdir/tests/oci/busy_sandbox.py" "$tmp/state/b" "$casemate" --root "$tmp/state" delete b)" \
	"asked 3 times, record kept, 0" "delete waits for a sandbox that cannot forget it yet"
is "$($cm state b 2>&1 | grep -c 'does not exist')" 1 "delete of what was killed so"
container b p /bin/sh -c 'while :; do cat /bin/busybox >/tmp/x; done'
kill -9 "$(recorded b fsdPid)"
wait_for 20 stopped b
is "$(field b exitStatus) $(field a status)" "9 running" "a container without its file server ends"
$cm delete b
# One that stands still may have a request in its hands, and goes on.
container b p /bin/sh -c 'while :; do cat /bin/busybox >/tmp/x; done'
server=$(recorded b fsdPid)
kill -STOP "$server"
$cm kill b KILL
wait_for 20 stopped b
is "$(field b exitStatus) $(field a status)" "9 running" "a container whose file server stands still can be killed"
kill -CONT "$server"
ended() { [ ! -e "/proc/$1" ]; }
wait_for 10 ended "$server"
is "$?" 0 "... that ends when it goes on"
$cm delete b
container b p /bin/sh -c 'echo up; while :; do sleep 0.1; done'
is "$(field b status) $(field a status)" "running running" "... and another container takes its place"
$cm delete --force b

# ---- the annotations of cri-o; run in the foreground
pod_bundle d
member p /bin/sh -c 'cat /name; exit 3'
edit "c['annotations'] = {'io.kubernetes.cri-o.ContainerType': 'container', 'io.kubernetes.cri-o.SandboxID': 'p'}"
rc=0
$cm run -b "$bundle" d >"$tmp/out" 2>&1 || rc=$?
is "$rc $(cat "$tmp/out") $(ls "$tmp/state" | tr '\n' ' ')" "3 d a p " "run in the foreground, with cri-o's annotations"
edit "c['annotations'] = {'io.kubernetes.cri-o.ContainerType': 'container'}"
$cm run -b "$bundle" d >"$tmp/out" 2>&1
is "$? $(cat "$tmp/out")" "1 casemate: run failed: config.json: annotations.io.kubernetes.cri-o.SandboxID is missing" "a container without a sandbox"
member nobody /bin/true
$cm run -b "$bundle" d >"$tmp/out" 2>&1
is "$? $(cat "$tmp/out")" "1 casemate: run failed: its sandbox: container 'nobody' does not exist" "an unknown sandbox"
member a /bin/true
$cm run -b "$bundle" d >"$tmp/out" 2>&1
is "$? $(grep -c 'is a container of another one' "$tmp/out")" "1 1" "a container is no sandbox"

# ---- many, in any order
for i in 1 2 3 4 5 6; do
	container m$i p /bin/sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'
done
is "$($cm list -q | grep -c '^m')" 6 "six more"
for i in 4 1 6; do $cm kill m$i KILL; done
for i in 4 1 6; do wait_for 10 stopped m$i; $cm delete m$i || echo "# m$i stays"; done
is "$(for i in 2 3 5; do field m$i status; done | tr '\n' ' ')$(field a status)" "running running running running" "killed in any order, the rest runs on"
for i in 5 2 3; do $cm delete --force m$i; done
is "$(ls "$tmp/state" | tr '\n' ' ')" "a p " "deleted in another"

# ---- memory of sandbox and VMM over many lives. The first ones fill caches and pools.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
pod_bundle l
member p /bin/sh -c 'echo $$; cat /bin/busybox >/dev/null'
life() {
	create l
	start l
	wait_for 20 stopped l
	$cm delete l
}
i=0
while [ $i -lt $((cycles / 5)) ]; do life; i=$((i + 1)); done
descriptors() { ls "/proc/$(field p pid)/fd" "/proc/$(recorded p vmmPid)/fd" | wc -l; }
fds_before=$(descriptors)
sandbox_before=$(resident "$(field p pid)") vmm_before=$(resident "$(recorded p vmmPid)")
while [ $i -lt "$cycles" ]; do life; i=$((i + 1)); done
sandbox_after=$(resident "$(field p pid)") vmm_after=$(resident "$(recorded p vmmPid)")
echo "# $cycles lives: sandbox $sandbox_before to $sandbox_after KiB, VMM $vmm_before to $vmm_after KiB"
ok "$([ $((sandbox_after - sandbox_before)) -le 256 ]; echo $?)" "the sandbox process does not grow"
ok "$([ $((vmm_after - vmm_before)) -le 4096 ]; echo $?)" "nor does the VMM"
is "$(descriptors)" "$fds_before" "nor their descriptors"

# ---- the end of the sandbox
container e p /bin/sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'
wait_for 10 says e up
$cm kill p KILL
wait_for 10 stopped p
wait_for 10 stopped e
is "$(field p status) $(field e status) $(field e exitStatus) $(field a status)" "stopped stopped 9 stopped" "with the root container ends the sandbox, and with it the others"
for i in e p a; do $cm delete $i; done
is "$(state_entries)" "" "no state is left"
wait_for 1 no_leftover
is "$(leftover)" "" "no process is left"
plan
