#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# casemate debug: attaching to sandboxes that run, stand, hang or died.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$top_builddir/casemate-debug" "$tmp/libexec/"
mkdir "$tmp/libexec/guest" && cp "$top_builddir/guest/sentry.elf" "$tmp/libexec/guest/"
export CASEMATE_LIBEXECDIR

# debug ID COMMAND...: the answer in $tmp/out; within a second on a machine that is not slow
debug() {
	rc=0
	timeout -k 5 $((10 * patience)) "$casemate" --root "$tmp/state" debug "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
}
# Every state must answer these, each within a second: questions ID NAME [PATTERN of the stack]
questions() {
	for question in status regs "core $tmp/questions.core" stack; do
		begin=$(date +%s%N)
		debug "$1" $question
		ms=$((($(date +%s%N) - begin) / 1000000))
		echo "# $2: ${question%% *} took $ms ms"
		is "$rc $(cat "$tmp/err") $((ms < 1000 * patience))" "0  1" "$2 answers ${question%% *} within a second"
	done
	[ $# -lt 3 ] || has "$3" "$2: the stack shows where"
	is "$(head -c 4 "$tmp/questions.core" | tail -c 3)" ELF "$2: its core is an ELF file"
	rm -f "$tmp/questions.core"
}
# json PYTHON: an expression about the answer o
json() { python3 -c "import json,sys; o = json.load(open('$tmp/out')); print(($1))" 2>&1; }
has() { # has PATTERN NAME
	grep -qE "$1" "$tmp/out" && ok 0 "$2" || { ok 1 "$2"; sed 's/^/# /' "$tmp/out" "$tmp/err" | head -30; }
}
start() { # start ID [OPTION...]
	id=$1
	shift
	$cm run -d -b "$bundle" "$@" "$id" </dev/null >"$tmp/lines" 2>"$tmp/start" || sed 's/^/# /' "$tmp/start"
}
state_is() { debug --json "$1" status && [ "$(json 'o["state"]')" = "$2" ]; }

# ---- a sandbox that runs
# The second vCPU starts because something must run there.
config /bin/sh -c 'busybox taskset 2 true; while :; do echo; sleep 0.05; done'
start r --cpus 2 --memory 64M
both_run() { debug --json r status && [ "$(json 'o["vcpus"]')" = "['running', 'running']" ]; }
wait_for 10 both_run
is "$rc $(json 'o["state"], o["vcpus"], o["machine"]["memory"] >> 20, len(o["machine"]["buildId"])')" \
	"0 ('running', ['running', 'running'], 64, 40)" "status of a running sandbox"
is "$(json 'o["devices"], o["spareDevices"]')" "(['console', 'rng', 'vsock', 'fs root'], 15)" "and its devices"
debug --json r regs
is "$(json '[c["cpu"] for c in o], all(c["general"]["rip"].startswith("0x") for c in o)')" "([0, 1], True)" "its registers"
debug r regs 1
has '^vCPU 1$' "of one vCPU, for people"
debug --json r exits
is "$(json '[e["count"] > 0 and sum(b["count"] for b in e["histogram"]) <= e["count"] for e in o if e["reason"] == "io"][0]')" True "exits by reason"
is "$(json 'sum(e["count"] for e in o if e["reason"] == "call cpu-start"), sum(e["count"] for e in o if e["reason"] == "io") >= sum(e["count"] for e in o if e["reason"].startswith("call ") or e["reason"] == "doorbell")')" \
	"(1, True)" "hypercalls among them by their number"
debug --json r devices
is "$(json '[d["name"] for d in o][:4], [d["queues"][0]["size"] > 0 for d in o if d["phase"] == "running"][0]')" \
	"(['console', 'rng', 'vsock', 'fs'], True)" "devices"
is "$(json '{d["lastError"] for d in o}')" "{''}" "none of which had an error"
count() { wc -l <"$tmp/lines"; }
moves() { a=$(count) && sleep 0.3 && [ "$(count)" != "$a" ]; }
wait_for 5 moves
ok $? "the program goes on after each"

# ---- what the guest's structures say
debug --json r tasks
is "$(json '[(t["tid"], t["comm"]) for t in o if t["ppid"] == 0]')" "[(1, 'sh')]" "tasks"
# Between two of its calls it may be elsewhere.
in_call() { debug r stack task 1 && grep -q 'syscall_dispatch+0x' "$tmp/out"; }
wait_for 2 in_call
has 'syscall_dispatch\+0x' "the kernel stack of a task"
has '^  user:' "and where its program stands"
debug --json r maps 1
is "$(json '[v["prot"] for v in o if v["name"] == "/bin/busybox"][0], [v["prot"] for v in o if v["name"] == "[stack]"]')" \
	"('r--p', ['rw-p'])" "mappings of a task"
base=$(json '[v["start"] for v in o if v["name"] == "/bin/busybox"][0]')
debug --json r mem "$base" 16 1
is "$(json 'o[0]["hex"][:8]')" 7f454c46 "memory of a task: the program's header"
debug --json r xlate "$base" 1
is "$(json 'o["mapped"], [s["level"] for s in o["steps"]]')" "(True, ['PML4E', 'PDPTE', 'PDE', 'PTE'])" "its page table walk"
phys=$(json 'o["physical"]')
debug --json r mem "$phys" 4 phys
is "$(json 'o[0]["hex"]')" 7f454c46 "the same memory by its physical address"
debug --json r xlate kmain
is "$(json 'o["mapped"]')" True "a symbol of the sentry is an address"
debug r dis kmain 3
has ' kmain ' "disassembly"
if [ -z "${CASEMATE_TEST_EMULATED:-}" ]; then
	debug --json r fds 1
	is "$(json '[d["path"] for d in o if d["fd"] == 0]')" "['/dev/null']" "open files"
	debug --json r mounts
	is "$(json '[(m["target"], m["type"]) for m in o][0]')" "('/', 'virtiofs')" "mounts"
	debug --json r locks
	is "$rc" 0 "locks"
	debug --json r top 1
	is "$(json 'any(t["comm"] == "sh" for t in o)')" True "top"
	config /bin/sh -c 'while :; do :; done'
	start c --cpus 1 --memory 64M
	debug --json c top 1
	is "$(json '[t["percent"] > 50 for t in o if t["comm"] == "sh"]')" "[True]" "of a program that makes no system call, too"
	$cm delete -f c
	debug r maps 99999
	is "$rc $(cat "$tmp/err")" "1 casemate: debug: no task 99999" "a task that is not there"
	debug r mem 0x800000000000000 8
	is "$rc" 1 "memory that is not there"
	debug r stack vcpu 7
	is "$rc" 1 "the stack of a vCPU that is not there"
	debug --sentry "$busybox" r tasks
	is "$rc" 1 "another file than the sentry is refused"
fi

# ---- the prompt: a command by its first letters and Tab, the same again from the history
HOME=$tmp timeout -k 5 $((60 * patience)) python3 - "$casemate" --root "$tmp/state" debug r >"$tmp/out" 2>&1 <<'P'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "vt100"
    os.execvp(sys.argv[1], sys.argv[1:])
seen, limit = "", 20 * int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
def wait(text, times=1):
    global seen
    while seen.count(text) < times:
        if not select.select([fd], [], [], limit)[0]:
            sys.exit("no '%s' in %r" % (text, seen))
        seen += os.read(fd, 4096).decode(errors="replace")
wait("> ")
os.write(fd, b"stat\t\r")
wait("backend ")
os.write(fd, b"\x1b[A\r")
wait("backend ", 2)
os.write(fd, b"quit\r")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
is "$? $(cat "$tmp/out")" "0 " "a prompt with completion and history"

# ---- traces, log, NMI
printf 'trace on calls exits vsock fuse\n' >"$tmp/in"
(
	cat "$tmp/in"
	sleep 1
	# What the guest says in its log is an exit; KVM may carry the doorbells.
	printf 'nmi\ntrace show\ntrace off\n'
) | timeout -k 5 60 $cm debug r >"$tmp/out" 2>"$tmp/err"
has 'write\(1, "\\n", 1\) = 1' "system calls are traced, in strace's form"
has 'exit io write 0xd0[04]' "VM exits"
has 'vsock (from|to) guest op 5 port' "vsock packets"
debug r trace show write
is "$rc" 0 "the sentry's ring can be read later"
debug r trace on fuse
$cm exec r /bin/sh -c 'echo >/traced; rm /traced' </dev/null
debug r trace show fuse
has 'fuse UNLINK node 1 = 0 <' "requests to the file server, with their time"
has 'fuse BATCH_FORGET node 0, no reply' "also those that nobody waits for"
debug r trace off
debug r trace on nonsense
is "$rc $(cat "$tmp/err")" "1 casemate: debug: trace: 'nonsense' is not calls, fuse, exits, vsock or all" "a wrong kind of trace"
debug r log debug
has debug "the log's level"
debug r nmi
has '^nmi: cpu 1 (user|kernel) thread' "an NMI makes every vCPU say where it stands"
wait_for 5 moves
ok $? "and the program goes on"

# ---- one that is paused
debug r pause
a=$(count)
sleep 0.3
is "$rc $(count)" "0 $a" "a paused sandbox does nothing, also when the command is gone"
debug --json r status
is "$(json 'o["state"], o["vcpus"]')" "('paused', ['stopped', 'stopped'])" "status says so"
questions r "a paused sandbox"
debug r nmi
is "$rc" 1 "an NMI needs a guest that runs"
debug r resume
wait_for 5 moves
ok $? "it goes on after resume"
debug r resume
is "$rc $(cat "$tmp/err")" "1 casemate: debug: resume: it is not paused" "but not twice"
if [ -z "${CASEMATE_TEST_EMULATED:-}" ]; then # minutes there
printf 'status\npause\nstatus\nresume\nnonsense\nquit\nstatus\n' | $cm debug r >"$tmp/out" 2>"$tmp/err"
is "$? $(grep -c ' is ' "$tmp/out") $(cat "$tmp/err")" "0 2 casemate debug: unknown command 'nonsense' (see help)" "commands from a pipe"

# ---- who may, and what is no command
debug --json nobody status
is "$rc $(cat "$tmp/err")" "1 casemate: container 'nobody' does not exist" "a sandbox that is not there"
debug r regs 2
is "$rc $(cat "$tmp/err")" "1 casemate: debug: vCPU '2': at most 1" "a vCPU that is not there"
debug r frobnicate
is "$rc $(cat "$tmp/err")" "1 casemate: debug: unknown command 'frobnicate' (see help)" "an unknown command"
debug r kill
is "$rc" 1 "kill refuses a guest that lives"
python3 - "$tmp/state/r/control.sock" <<'P' >"$tmp/out" 2>&1
import json, os, socket, struct, sys
def attach():
    os.chdir(os.path.dirname(sys.argv[1]))
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect("control.sock")
    s.send(json.dumps({"method": "debug.Attach", "arg": "r"}).encode())
    reply = s.recv(65536)
    assert json.loads(reply)["success"], reply
    return s
def frame(kind, payload=b"", magic=0x31444d43, ident=1, length=None):
    return struct.pack("<IHHIIII", magic, 2, kind, ident, len(payload) if length is None else length, 0, 0) + payload
hello = frame(1, struct.pack("<II", 2, 0))
s = attach()
s.send(frame(77))
print("unknown", struct.unpack("<IHHIIII", s.recv(24))[5])
for name, bad in [("magic", frame(1, magic=1)), ("id", frame(1, ident=0)), ("length", frame(1, length=1 << 20)), ("reply", frame(0x8001))]:
    s = attach()
    s.send(bad)
    print(name, len(s.recv(100)))
s = attach()
s.send(frame(3, struct.pack("<II", 0, 0)))
assert len(s.recv(4096)) == 168
s.send(frame(2) * 1000)          # a peer that does not read
t = [attach() for i in range(7)]
u = attach()
try:
    u.send(hello)
    print("ninth", len(u.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print("ninth", 0)
P
is "$(cat "$tmp/out")" "unknown 38
magic 0
id 0
length 0
reply 0
ninth 0" "frames that break the protocol, and a ninth debugger, are hung up on"
wait_for 5 moves
ok $? "a hang-up takes a pause back"
fi
$cm delete -f r

# ---- one that hangs with interrupts off
if "$top_builddir/casemate-vmm" --help | grep -q guest-image; then
	config /bin/sleep 1000
	start h --guest-cmdline debugtest=loop,$((500 * patience))
	hangs() { debug h stack && grep -q fault_test_loop "$tmp/out"; }
	wait_for 10 hangs
	questions h "a guest that hangs" 'fault_test_loop\+0x'
	debug --json h status
	is "$(json 'o["state"]')" running "its state is running all the same"
	debug h nmi 0
	has 'fault_test_loop' "an NMI reaches it"
	$cm delete -f h
	start h --guest-cmdline debugtest=deadlock,$((500 * patience))
	waits() { debug h locks && grep -q 'spin_lock_irq in fault_test_deadlock' "$tmp/out"; }
	wait_for 10 waits
	ok $? "locks says who waits in a deadlock"
	$cm delete -f h

	# ---- one that panicked
	start p --on-panic hold --guest-cmdline debugtest=panic,$((500 * patience))
	wait_for 10 state_is p held
	ok $? "a guest that panicked is held"
	debug --json p status
	is "$(json 'o["stop"]["reason"]')" panic "status says why"
	questions p "a guest that panicked" 'fault_test_panic\+0x'
	debug p tasks
	has 'sleep' "its tasks can be listed"
	debug p kill
	is "$rc" 0 "kill ends it"
	wait_for 10 is_status p stopped
	ok $? "the container is stopped then"
	$cm delete p
fi
$cm run -b "$bundle" --on-panic maybe x 2>"$tmp/err"
is "$(cat "$tmp/err")" "casemate: --on-panic: 'maybe' is neither end nor hold" "--on-panic wants a word that it knows"
wait_for 10 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left"
plan
