#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Descriptors of the caller inside: --preserve-fds of run, create and exec, and socket activation. Where runc is there and can run, it does the same first
# and must give the same.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in ls; do ln -sf busybox "$bundle/rootfs/bin/$applet"; done
mkdir -p "$bundle/rootfs/proc" "$bundle/rootfs/dev"

# The descriptors that a shell has, but its own of the moment.
numbers='for i in 3 4 5 6 7 8 9 10 11 12 13; do [ -e /proc/$$/fd/$i ] && echo -n "$i "; done; echo'
refused() { # refused NAME TEXT COMMAND...: one line that has TEXT, and no container
	name=$1 text=$2
	shift 2
	rc=0
	"$@" >/dev/null 2>"$tmp/err" </dev/null || rc=$?
	case "$rc:$(err | wc -l):$(err)" in 0:*) ok 1 "$name (exit 0)" ;; *:1:*"$text"*) ok 0 "$name" ;; *) ok 1 "$name: $rc $(err)" ;; esac
}

# same NAME WANTED SCRIPT: what the shell script prints, where $r is a runtime, $x the same without a limit on time, $o its words for a bundle
same() {
	name=$1 wanted=$2
	if [ -n "$reference" ]; then
		is "$(r="timeout -k 5 60 $reference" x=$reference o="-b $bundle" sh -c "$3" 2>&1)" "$wanted" "runc: $name"
	fi
	is "$(r=$cm x="$casemate --root $tmp/state" o="-b $bundle" sh -c "$3" 2>&1)" "$wanted" "$name"
}
export tmp
reference=
config /bin/true
if command -v runc >/dev/null && runc --root "$tmp/runc" run -b "$bundle" probe </dev/null >/dev/null 2>&1; then
	reference="runc --root $tmp/runc"
else
	echo "# runc cannot run here: no reference"
fi

# ---- run
config /bin/sh -c "$numbers; read a <&3; echo \"got \$a\"; echo to 4 >&4; echo to 5 >&5; cat <&6"
same "run: a pipe to read, one to write, a file to append to, one to read" "$(printf '3 4 5 6 \ngot in the pipe\na file\nto 4\nbefore\nto 5')" '
	echo before >$tmp/five
	echo a file >$tmp/six
	{ echo in the pipe | { $r run $o --preserve-fds 4 p 3<&0 4>&9 5>>$tmp/five 6<$tmp/six </dev/null; } } 9>$tmp/four
	cat $tmp/four $tmp/five'
config /bin/sh -c "$numbers"
same "... only as many as are asked for" "3 4 " '$r run $o --preserve-fds 2 p 3</dev/null 4</dev/null 5</dev/null </dev/null'
same "... none without the option" "" '$r run $o p 3</dev/null </dev/null'
is "$(python3 -c "
import subprocess, os
os.dup2(os.open('/dev/null', os.O_RDONLY), 4)
subprocess.run('$cm run -b $bundle --preserve-fds 9 p'.split(), stdin=subprocess.DEVNULL, pass_fds=[4])")" "4 " "... those that the caller has: no file of ours is among them"
config /bin/sh -c 'echo x >&3'
is "$($cm run -b "$bundle" --preserve-fds 1 p 3>&1 >/dev/null </dev/null | cat)" x "... who reads sees the end of it with the program's"
config /bin/sh -c 'head -c 3000000 <&3 | cat >&4'
head -c 3000000 /dev/urandom >"$tmp/big"
$cm run -b "$bundle" --preserve-fds 2 p 3<"$tmp/big" 4>"$tmp/copy" </dev/null
cmp -s "$tmp/big" "$tmp/copy"
is "$?" 0 "... 3 MB arrive intact"

# ---- sockets
config /bin/sh -c 'read a <&3; echo "got $a" >&3'
python3 - "$cm" "$bundle" >"$tmp/socket" 2>&1 <<'P'
import os, socket, subprocess, sys
a, b = socket.socketpair()
a, b = socket.fromfd(a.fileno(), a.family, a.type), b.detach()
os.dup2(b, 3)
os.set_inheritable(3, True)
p = subprocess.Popen(sys.argv[1].split() + ["run", "-b", sys.argv[2], "--preserve-fds", "1", "s"], pass_fds=[3], stdin=subprocess.DEVNULL)
os.close(3)
if b != 3:
    os.close(b)
a.settimeout(60)
a.sendall(b"word\n")
print(a.recv(100), a.recv(100), p.wait())
P
is "$(cat "$tmp/socket")" "b'got word\n' b'' 0" "a stream socket goes both ways, and ends with the container"

# ---- what no stream can stand for
config /bin/true
refused "a directory is refused" "--preserve-fds: descriptor 3: a directory" $cm run -b "$bundle" --preserve-fds 1 p 3</
is "$(state_entries)" "" "... nothing is left"
: >"$tmp/both"
refused "a file that is open both ways is refused" "descriptor 4: a file that is read and written" $cm create -b "$bundle" --preserve-fds 2 p 4<>"$tmp/both"
odd() { # odd PYTHON TEXT: a descriptor 3 that Python makes
	refused "... $2" "descriptor 3: $2" python3 -c "
import os, socket, sys
$1
os.dup2(fd, 3)
os.set_inheritable(3, True)
os.execvp('sh', ['sh', '-c', 'exec $cm run -b $bundle --preserve-fds 1 p'])"
}
odd "s = socket.socket(socket.AF_UNIX); s.bind('\\0casemate-test-%d' % os.getpid()); s.listen(); fd = s.fileno()" "a listening socket of the host takes no connections"
odd "s = socket.socketpair(type=socket.SOCK_SEQPACKET); fd = s[0].fileno()" "a socket whose messages"
odd "s = socket.socket(); fd = s.fileno()" "a socket that is not connected"
odd "fd = os.open('/', os.O_PATH)" "not open for data"
odd "import select; e = select.epoll(); fd = e.fileno()" "a descriptor without a file"
refused "more than 16 are refused" "more than 16" python3 -c "
import os
for i in range(3, 20):
    os.dup2(0, i)
os.execvp('sh', ['sh', '-c', 'exec $cm run -b $bundle --preserve-fds 17 p'])"
for v in -1 x 1022 ''; do refused "--preserve-fds '$v' is refused" "--preserve-fds" $cm run -b "$bundle" --preserve-fds "$v" p; done

# ---- socket activation
config /bin/sh -c "$numbers"'; echo $LISTEN_FDS; echo $LISTEN_PID; cat <&3'
edit "c['process']['env'] += ['LISTEN_FDS=9']"
echo listen >"$tmp/listen"
same "LISTEN_FDS and LISTEN_PID of this process: as many descriptors more, and number 1 is told" "$(printf '3 4 \n1\n1\nlisten')" \
	'export LISTEN_FDS=1; sh -c "LISTEN_PID=\$\$ exec $x run $o --preserve-fds 1 p" 3<$tmp/listen 4</dev/null </dev/null'
is "$(LISTEN_FDS=1 $cm run -b "$bundle" p 3<"$tmp/listen" </dev/null)" "$(printf '3 \n1\n1\nlisten')" "... without LISTEN_PID, too"
same "... LISTEN_PID of another process: not ours" "$(printf '\n9\n')" 'LISTEN_FDS=1 LISTEN_PID=2 $r run $o p 3<$tmp/listen </dev/null 2>/dev/null'
refused "... a number that is none is refused" "LISTEN_FDS" env LISTEN_FDS=x $cm run -b "$bundle" p

# ---- create, start, exec
config /bin/sh -c 'cat <&3 >&4; sleep 1000'
echo for the first >"$tmp/in"
$cm create -b "$bundle" --preserve-fds 2 c 3<"$tmp/in" 4>"$tmp/first" </dev/null >"$tmp/out" 2>&1
$cm start c
has() { grep -q "$2" "$1" 2>/dev/null; }
wait_for 5 has "$tmp/first" first
is "$(cat "$tmp/first")" "for the first" "create: the program has them after start"
echo one >"$tmp/in"
is "$($cm exec --preserve-fds 2 c /bin/sh -c "$numbers; cat <&3 >&4" 3<"$tmp/in" 4>"$tmp/exec" </dev/null):$(cat "$tmp/exec")" "3 4 :one" "exec: in a file when the command returns"
$cm exec --preserve-fds 1 c /bin/sh -c 'sleep 1000 & head -c 1000000 /dev/zero >&3' 3>"$tmp/exec" </dev/null
is "$?:$(wc -c <"$tmp/exec")" "0:1000000" "... also where a process that it left behind has the file open"
is "$(LISTEN_FDS=1 $cm exec c /bin/sh -c "$numbers" 3<"$tmp/in" </dev/null)" "" "... LISTEN_FDS is for the first process"
is "$($cm exec -d --preserve-fds 1 c /bin/sh -c 'echo x >&3; sleep 1' 3>&1 >/dev/null </dev/null | cat)" x "... --detach: its end is seen"
echo process >"$tmp/in"
echo '{"args": ["/bin/cat", "/proc/self/fd/5"], "cwd": "/", "env": ["PATH=/bin"]}' >"$tmp/process.json"
is "$($cm exec --preserve-fds 3 --process "$tmp/process.json" c 5<"$tmp/in" </dev/null)" process "... --process, and by the name in /proc"
refused "... what cannot be is refused" "--preserve-fds: descriptor 3: a directory" $cm exec --preserve-fds 1 c /bin/true 3</
$cm delete --force c

# ---- a container of a pod
config /bin/sh -c 'sleep 1000 & wait'
edit "c['annotations'] = {'io.kubernetes.cri.container-type': 'sandbox', 'io.kubernetes.cri.sandbox-id': 's'}"
$cm run -d -b "$bundle" s </dev/null >/dev/null 2>&1
config /bin/sh -c "$numbers"'; cat <&4 >&5; echo $LISTEN_FDS'
edit "c['annotations'] = {'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': 's'}
c['mounts'] = [m for m in c['mounts'] if m['type'] != 'bind']
c['linux']['namespaces'] = [{'type': 'pid'}, {'type': 'mount'}]"
echo pod >"$tmp/in"
is "$(LISTEN_FDS=2 $cm run -b "$bundle" --preserve-fds 1 m 3</dev/null 4<"$tmp/in" 5>"$tmp/five" </dev/null):$(cat "$tmp/five")" "$(printf '3 4 5 \n2:pod')" "a container of a pod"
$cm delete --force s
is "$(state_entries)" "" "no state is left"
wait_for 1 no_leftover
is "$(leftover)" "" "no process is left"
plan
