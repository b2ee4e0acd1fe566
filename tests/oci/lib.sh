# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of tests/oci: TAP points, a busybox bundle, and the helper programs in a directory of their own, so that leftover
# processes can be told from those of others.

# CASEMATE_TEST_PATIENCE multiplies every limit on time, for slow machines; CASEMATE_TEST_BYTES is the size of what is large.
patience=${CASEMATE_TEST_PATIENCE:-1}
bytes=${CASEMATE_TEST_BYTES:-100000000}
n=0
ok() { # ok STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
is() { # is GOT WANTED NAME
	n=$((n + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		printf '%s\n' "got:    $1" "wanted: $2" | sed 's/^/# /'
	fi
}
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
plan() { echo "1..$n"; }

# setup_bundle HELPERS-DIRECTORY...: $tmp, $bundle, $cm (the command with a state directory of its own)
setup_bundle() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm is missing or not accessible"
	command -v busybox >/dev/null && busybox=$(command -v busybox)
	[ -n "${busybox:-}" ] || skip_all "busybox is missing"
	command -v python3 >/dev/null || skip_all "python3 is missing"
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	bundle=$tmp/bundle
	mkdir -p "$bundle/rootfs/bin" "$bundle/rootfs/tmp" "$tmp/libexec"
	cp "$busybox" "$bundle/rootfs/bin/busybox"
	for applet in sh cat true false sleep echo head ls pwd env id kill yes; do
		ln -s busybox "$bundle/rootfs/bin/$applet"
	done
	CASEMATE_LIBEXECDIR=$tmp/libexec
	export CASEMATE_LIBEXECDIR
	casemate=$top_builddir/casemate
	cm="timeout -k 5 $((60 * patience)) $casemate --root $tmp/state"
}

# $tmp/runtime: the command as engines can call it, which start a runtime with an environment of their own
runtime_script() {
	cat >"$tmp/runtime" <<R
#!/bin/sh
CASEMATE_LIBEXECDIR='$tmp/libexec' exec '$(cd "$top_builddir" && pwd)/casemate' "\$@"
R
	chmod 755 "$tmp/runtime"
}

# config WORD...: config.json that runs the words
config() {
	rm -f "$bundle/config.json"
	"$casemate" spec -b "$bundle"
	edit "c['process']['args'] = sys.argv[2:]; c['root']['readonly'] = False; c['process'].pop('rlimits')" "$@"
}

# edit PYTHON [WORD...]: change config.json, which is `c`
edit() {
	python_code=$1
	shift
	python3 -c "
import json, sys
f = sys.argv[1]
c = json.load(open(f))
$python_code
json.dump(c, open(f, 'w'))" "$bundle/config.json" "$@"
}

run() { # run ID [OPTION...]; standard error in $tmp/err, exit code in $rc
	id=$1
	shift
	rc=0
	$cm run -b "$bundle" ${guest:-} "$@" "$id" 2>"$tmp/err" || rc=$?
}
err() { cat "$tmp/err"; }
field() { $cm state "$1" 2>/dev/null | python3 -c "import json,sys; print(json.load(sys.stdin).get('$2', ''))" 2>/dev/null; }
recorded() { python3 -c "import json; print(json.load(open('$tmp/state/$1/state.json'))['$2'])"; }

# wait_for SECONDS COMMAND...: until it succeeds; a machine under load may take ten times as long
wait_for() {
	tries=$(($1 * 200 * patience))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}
is_status() { [ "$(field "$1" status)" = "$2" ]; }

# Processes of ours that live (not zombies), one a line.
leftover() {
	for p in /proc/[0-9]*; do
		case "$(readlink "$p/exe" 2>/dev/null) $(readlink "$p/cwd" 2>/dev/null)" in
		*"$tmp"/libexec/* | *"$tmp"/state/*) echo "$p $(tr '\0' ' ' <"$p/cmdline" 2>/dev/null)" ;;
		esac
	done
}
no_leftover() { [ -z "$(leftover)" ]; }
state_entries() { ls -A "$tmp/state" 2>/dev/null | grep -v -e '^\.lock$' -e '^\.empty$'; }

# urpc ID TEXT [MARK]: send TEXT on the control socket of a container, make the file MARK, print the reply (or the word "closed")
urpc() {
	python3 - "$tmp/state/$1/control.sock" "$2" ${3:-} <<'P'
import json, os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
s.connect("control.sock")
s.sendall(sys.argv[2].encode())
if len(sys.argv) > 3:
    open(sys.argv[3], "w")
try:
    b = s.recv(65536)
except ConnectionResetError:
    b = b""
print(b.decode() or "closed")
P
}
