#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Servers of a Debian root file system with clients on loopback: redis, nginx, Python's http.server and asyncio, PostgreSQL. Each runs natively first (chroot in
# a network namespace of its own), then inside: both must print the same. Speeds come as comments.
# Long, and makes a root file system of 500 MB in $CASEMATE_TEST_CACHE: make check-servers.
#
#   servers.sh [redis|nginx|python|postgres]...
set -u
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
export CASEMATE_LIBEXECDIR=$top_builddir
casemate=$top_builddir/casemate
cache=${CASEMATE_TEST_CACHE:-/var/tmp/casemate-test}
memory=${CASEMATE_TEST_MEMORY:-1024M}
patience=${CASEMATE_TEST_PATIENCE:-1}
packages=redis-server,redis-tools,nginx-light,wrk,python3,curl,postgresql,iproute2,procps
n=0

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
[ -e /dev/kvm ] || skip_all "no /dev/kvm"
debian=$("$top_srcdir/tests/lib/debian-rootfs" servers $packages) || skip_all "$debian"
work=$(mktemp -d "$cache/run.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp -a --reflink=auto "$debian" "$work/rootfs"

python3 - "$work/config.json" <<'PY'
import json, sys
caps = ["CAP_" + c for c in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE", "SYS_CHROOT")]
json.dump({
    "ociVersion": "1.0.2",
    "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/bash", "/srv/script"], "cwd": "/srv",
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "TERM=dumb"],
                "capabilities": {k: caps for k in ("bounding", "effective", "permitted")}},
    "root": {"path": "rootfs"}, "hostname": "servers",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
               {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]}],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")]}}, open(sys.argv[1], "w"))
PY

inside() {
	timeout -k 5 $((240 * patience)) "$casemate" --root "$work/state" run --memory "$memory" --cpus "${SERVERS_CPUS:-2}" --bundle "$work" "servers-$$"
}

native() {
	timeout -k 5 $((240 * patience)) unshare -m -p -f -i -u -n sh -c 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"
		exec chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb \
		sh -c "ip link set lo up; cd /srv && exec bash script"' sh "$work/rootfs"
}

# Both must end well and print the same, but for lines that begin with #.
compare() { # compare NAME, script on standard input
	local rc_native rc_inside

	cat >"$work/script.body"
	for where in native inside; do
		rm -rf "$work/rootfs/srv"
		mkdir -m 777 "$work/rootfs/srv"
		cat "$work/prelude" "$work/script.body" >"$work/rootfs/srv/script"
		$where >"$work/$where.out" 2>"$work/$where.err"
		eval "rc_$where=$?"
		grep '^#' "$work/$where.out" | sed "s/^#/# $where:/"
		sed -i '/^#/d' "$work/$where.out"
	done
	n=$((n + 1))
	if [ $rc_native -eq 0 ] && [ $rc_inside -eq 0 ] && cmp -s "$work/native.out" "$work/inside.out"; then
		echo "ok $n - $1"
		return
	fi
	echo "not ok $n - $1 # natively $rc_native, inside $rc_inside"
	diff "$work/native.out" "$work/inside.out" | head -n 20 | sed 's/^/# /'
	tail -n 15 "$work/inside.err" | sed 's/^/# /'
}

cat >"$work/prelude" <<'SH'
# Waits until a command succeeds.
until_ok() {
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "never: $*"
	exit 1
}
SH

test_redis() {
	compare "redis answers on both loopback addresses, redis-benchmark" <<'SH'
redis-server --port 7001 --bind 127.0.0.1 ::1 --save "" --appendonly no >redis.log 2>&1 &
server=$!
until_ok redis-cli -p 7001 ping
redis-cli -p 7001 set key value
redis-cli -h ::1 -p 7001 get key
redis-cli -p 7001 client list | sed 's/.* laddr=\([^ ]*\) .*/\1/'
redis-benchmark -p 7001 -q -n 20000 -c 20 -t set,get,lpush --csv | sed -n 's/^"\([A-Z]*\)","\([0-9.]*\)".*/# redis \1 \2 requests\/s/p'
redis-benchmark -p 7001 -q -n 40000 -c 20 -P 16 -t get --csv | sed -n 's/^"\([A-Z]*\)","\([0-9.]*\)".*/# redis pipelined \1 \2 requests\/s/p'
redis-cli -p 7001 dbsize >/dev/null && echo alive
redis-cli -p 7001 shutdown nosave
wait $server
echo "ended with $?"
SH
}

test_nginx() {
	compare "nginx serves files to curl and wrk" <<'SH'
mkdir -p www && head -c 100000 /dev/zero | tr '\0' x >www/large && echo hello >www/small
cat >nginx.conf <<CONF
worker_processes 2;
pid /srv/nginx.pid;
error_log /srv/error.log;
events { worker_connections 256; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	server {
		listen 127.0.0.1:7002 reuseport;
		listen [::1]:7002;
		root /srv/www;
	}
	server {
		listen 127.0.0.1:7003;
		location / { proxy_pass http://[::1]:7002; }
	}
}
CONF
nginx -c /srv/nginx.conf -g 'daemon off;' &
server=$!
until_ok curl -s http://127.0.0.1:7002/small
curl -s http://127.0.0.1:7002/small
curl -s http://[::1]:7002/large | md5sum
curl -s http://127.0.0.1:7003/large | md5sum
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:7002/missing
curl -s -r 10-19 http://127.0.0.1:7002/large
echo
for file in small large; do
	wrk -t 1 -c 16 -d 2s http://127.0.0.1:7002/$file >wrk.out
	grep -i 'errors' wrk.out
	sed -n "s/^Requests.sec: *\(.*\)/# nginx $file \1 requests\/s/p" wrk.out
done
kill -QUIT $server
wait $server
echo "ended with $?"
grep -v missing error.log
true
SH
}

test_python() {
	compare "Python's http.server, asyncio and socketserver" <<'SH'
python3 -m http.server 7004 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
until_ok curl -s http://127.0.0.1:7004/script
curl -s http://127.0.0.1:7004/script | cmp - script && echo same
kill $server
wait $server
cat >echo.py <<'PY'
import asyncio, socket

async def serve(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()

async def client(port, host, i):
    reader, writer = await asyncio.open_connection(host, port)
    text = (f"client {i} " * 5000).encode()
    writer.write(text)
    writer.write_eof()
    back = await reader.read(-1)
    writer.close()
    return back == text

async def main():
    server = await asyncio.start_server(serve, ["127.0.0.1", "::1"], 7005)
    got = await asyncio.gather(*(client(7005, h, i) for i in range(20) for h in ("127.0.0.1", "::1", "localhost")))
    print(len(got), all(got))
    server.close()
    try:
        await asyncio.open_connection("127.0.0.1", 7006)
    except OSError as e:
        print(e.errno)

asyncio.run(main())
for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((host, 0))
    s.sendto(b"datagram", s.getsockname())
    print(s.recvfrom(100)[0])
print(socket.create_server(("", 7007), family=socket.AF_INET6, dualstack_ipv6=True).getsockname())
print([i for i in socket.if_nameindex() if i[1] == "lo"])
PY
python3 echo.py
SH
}

test_postgres() {
	compare "PostgreSQL: initdb, psql, pgbench over loopback" <<'SH'
bin=$(echo /usr/lib/postgresql/*/bin)
chown postgres .
as() { setpriv --reuid=postgres --regid=postgres --clear-groups env PATH="$bin:$PATH" HOME=/srv "$@"; }
as initdb -D data -A trust --no-sync >initdb.log 2>&1 || tail -n 5 initdb.log
as postgres -D data -p 7008 -c listen_addresses='127.0.0.1,::1' -c unix_socket_directories=/srv -c shared_memory_type=mmap \
	-c dynamic_shared_memory_type=posix -c fsync=off >postgres.log 2>&1 &
server=$!
until_ok as psql -h 127.0.0.1 -p 7008 -c 'select 1' postgres
as psql -h ::1 -p 7008 -Atc 'select inet_server_addr(), inet_server_port()' postgres
as psql -h 127.0.0.1 -p 7008 -Atc 'create table t as select g, md5(g::text) m from generate_series(1, 50000) g; select count(*), max(m) from t' postgres
as pgbench -h 127.0.0.1 -p 7008 -i -s 2 -q postgres >/dev/null 2>pgbench.log || tail -n 5 pgbench.log
as pgbench -h 127.0.0.1 -p 7008 -c 4 -j 2 -t 100 postgres >pgbench.out 2>pgbench.log || tail -n 5 pgbench.log
grep 'actually processed' pgbench.out
sed -n 's/^tps = \([0-9.]*\).*/# pgbench \1 transactions\/s/p' pgbench.out
as pgbench -h ::1 -p 7008 -S -c 4 -j 2 -t 500 postgres 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/# pgbench -S \1 transactions\/s/p'
as psql -h 127.0.0.1 -p 7008 -Atc 'select count(*) from pgbench_history' postgres
as pg_ctl -D data -m fast -w stop >pg_ctl.log 2>&1 || cat pg_ctl.log
wait $server
echo "ended with $?"
grep -E 'FATAL|PANIC|ERROR' postgres.log | grep -v 'starting up'
true
SH
}

[ $# -gt 0 ] || set -- redis nginx python postgres
echo "1..$#"
for name; do
	"test_$name"
done
