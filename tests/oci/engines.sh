#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The words that engines call a runtime with, each as they were seen: podman 4.3.1 (conmon) and ctr 1.6.20 (containerd-shim-runc-v2). With the engines
# themselves: clients.sh.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
runtime="timeout -k 5 $((60 * patience)) $casemate"
log=$tmp/log.json
words() { # words COMMAND...: its exit code in $rc
	rc=0
	$runtime $global "$@" </dev/null >"$tmp/out" 2>"$tmp/err" || rc=$?
}
state() { $runtime $global state "$1" 2>/dev/null | python3 -c "import json, sys; print(json.load(sys.stdin)['status'])" 2>/dev/null; }
in_state() { [ "$(state "$1")" = "$2" ]; }
ended() { ! kill -0 "$1" 2>/dev/null; }
alive() { kill -0 "$(cat "$1")" 2>/dev/null && echo lives; }
process() { # process WORD...: the file that engines give to exec
	python3 -c "
import json, sys
p = json.load(open('$bundle/config.json'))['process']
p['args'] = sys.argv[1:]
json.dump(p, open('$tmp/process.json', 'w'))" "$@"
}
program='trap "exit 3" TERM; while :; do sleep 0.05; done'

# ---- conmon: --root before the command alone is ours, for a state directory of this test
global="--root $tmp/state"
config /bin/sh -c "touch /ready; $program"
process /bin/sh -c 'echo $$ >/execed; exec sleep 100'
cgroup=/casemate-engines-$$
edit "c['linux']['cgroupsPath'] = '$cgroup/c'; c['linux']['resources'] = {'cpu': {'shares': 1024}}"
words create --bundle "$bundle" --pid-file "$tmp/pid" c
if [ "$rc" != 0 ]; then # cgroups are not everywhere to be made
	cgroup=
	edit "del c['linux']['cgroupsPath'], c['linux']['resources']"
	words create --bundle "$bundle" --pid-file "$tmp/pid" c
fi
is "$rc:$(state c):$(alive "$tmp/pid")" 0:created:lives "create --bundle B --pid-file P ID"
words start c
is "$rc:$(state c)" 0:running "start ID"
words exec --pid-file "$tmp/exec.pid" --process "$tmp/process.json" --detach c
wait_for 10 test -s "$bundle/rootfs/execed"
is "$rc:$(alive "$tmp/exec.pid")" 0:lives "exec --pid-file P --process F --detach ID"
words pause c
is "$rc:$(state c)" 0:paused "pause ID"
words resume c
is "$rc:$(state c)" 0:running "resume ID"
echo '{"cpu": {"shares": 512}}' >"$tmp/resources"
words update --resources="$tmp/resources" c
if [ -n "$cgroup" ]; then
	is "$rc:$(cat "$tmp/err")" 0: "update --resources=FILE ID"
else
	ok 0 "update --resources=FILE ID # SKIP no cgroup can be made here"
fi
wait_for 10 test -e "$bundle/rootfs/ready"
words kill c 15
wait_for 10 in_state c stopped
is "$rc:$(state c)" 0:stopped "kill ID 15"
wait_for 10 ended "$(cat "$tmp/exec.pid")"
ok $? "... with it ends what was executed in it"
words delete --force c
is "$rc:$(state_entries)" 0: "delete --force ID"
words delete --force c
is "$rc" 0 "... of a container that is gone"
config /bin/sleep 100
words create --bundle "$bundle" --pid-file "$tmp/pid" c
words start c
words kill c 9
wait_for 10 in_state c stopped
is "$rc:$(state c)" 0:stopped "kill ID 9"
words delete --force c
config /bin/sh -c 'exit 5'
edit "c['process']['terminal'] = True"
python3 - "$tmp/console" <<'P' >"$tmp/console.out" &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + ".new")
s.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1]) # who sees it can connect
c, _ = s.accept()
_, anc, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
print(os.isatty(array.array("i", anc[0][2])[0]), flush=True)
c.recv(1)
P
console=$!
wait_for 10 test -S "$tmp/console"
words create --bundle "$bundle" --pid-file "$tmp/pid" --console-socket "$tmp/console" c
wait_for 10 test -s "$tmp/console.out"
is "$rc:$(cat "$tmp/console.out")" 0:True "create --console-socket S"
words delete --force c
kill $console 2>/dev/null
wait $console 2>/dev/null

# ---- the shim
global="--root $tmp/state --log $log --log-format json"
config /bin/sh -c "$program"
process /bin/sleep 100
words create --bundle "$bundle" --pid-file "$tmp/pid" s
is "$rc:$(alive "$tmp/pid")" 0:lives "shim: create --bundle B --pid-file P ID"
words start s
is "$rc:$(state s)" 0:running "shim: start ID"
words exec --process "$tmp/process.json" --detach --pid-file "$tmp/exec.pid" s
is "$rc:$(alive "$tmp/exec.pid")" 0:lives "shim: exec --process F --detach --pid-file P ID"
words ps --format json s
is "$rc:$(python3 -c "import json; print(all(isinstance(p, int) for p in json.load(open('$tmp/out'))))")" 0:True "shim: ps --format json ID"
words pause s
is "$rc:$(state s)" 0:paused "shim: pause ID"
words resume s
is "$rc:$(state s)" 0:running "shim: resume ID"
words delete s
is "$rc" 1 "shim: delete ID of a running one is refused"
is "$(python3 -c "
import json
for line in open('$log'):
    e = json.loads(line)
    print(e['level'], 'not stopped' in e['msg'])" | tail -n 1)" "error True" "... and told in the log, as JSON"
words kill s 9
wait_for 10 in_state s stopped
is "$rc:$(state s)" 0:stopped "shim: kill ID 9"
words delete s
is "$rc:$(state_entries)" 0: "shim: delete ID"
config /nonexistent
words create --bundle "$bundle" --pid-file "$tmp/pid" s
is "$([ "$rc" != 0 ] && tail -n 1 "$log" | python3 -c "import json, sys; e = json.load(sys.stdin); print(e['level'], '/nonexistent' in e['msg'])")" "error True" "shim: why create failed is in the log"
words delete --force s
is "$rc:$(state_entries)" 0: "shim: delete --force ID"
[ -z "$cgroup" ] || find /sys/fs/cgroup -depth -path "*$cgroup" -exec rmdir {} + 2>/dev/null
wait_for 5 no_leftover
ok $? "no process is left"
plan
