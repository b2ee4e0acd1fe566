/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generic netlink: the controller, and the figures of tasks (<linux/taskstats.h>). Who listens to the ends of tasks must be in the first namespaces; where this
 * runs in others natively, that it is refused is all there is to see of it.
 */
#define _GNU_SOURCE
#include <linux/acct.h>
#include <linux/capability.h>
#include <linux/cgroupstats.h>
#include <linux/genetlink.h>
#include <linux/taskstats.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "net_tap.h"

#define SEQ	     77
#define PID_NS_FIRST 0xeffffffcu

static unsigned short taskstats; /* the family's number */

struct request {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attrs[256];
};

static union {
	struct nlmsghdr h;
	char raw[65536];
} answer;

static int gopen(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	struct timeval tv = { 5, 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	bind(fd, (struct sockaddr *)&name, sizeof(name));
	return fd;
}

static void start(struct request *r, unsigned short family, unsigned char cmd, int flags)
{
	memset(r, 0, sizeof(*r));
	r->h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
		.nlmsg_type = family,
		.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
		.nlmsg_seq = SEQ };
	r->g = (struct genlmsghdr){ .cmd = cmd, .version = 1 };
}

static void add(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *)((char *)r + r->h.nlmsg_len);

	a->nla_type = type;
	a->nla_len = (unsigned short)(NLA_HDRLEN + len);
	memcpy(a + 1, data, len);
	r->h.nlmsg_len += NLA_ALIGN(a->nla_len);
}

/* Sends it and reads one datagram. Its length, or -errno. */
static long ask(int fd, const struct request *r)
{
	if (send(fd, r, r->h.nlmsg_len, 0) < 0)
		return -errno;
	return recv(fd, &answer, sizeof(answer), 0);
}

static long ask_attr(int fd, unsigned short family, unsigned char cmd, int flags,
	unsigned short type, const void *data, size_t len)
{
	struct request r;

	start(&r, family, cmd, flags);
	add(&r, type, data, len);
	return ask(fd, &r);
}

/* The error in the answer; 1: it is something else. */
static int error(void)
{
	struct nlmsgerr *e = NLMSG_DATA(&answer.h);

	return answer.h.nlmsg_type == NLMSG_ERROR && answer.h.nlmsg_seq == SEQ ? e->error : 1;
}

/* An attribute of a message, or of another that it lies in. */
static const struct nlattr *find(const void *from, const void *end, int type)
{
	const char *at = from;

	while (at + NLA_HDRLEN <= (const char *)end) {
		const struct nlattr *a = (const struct nlattr *)at;

		if (a->nla_len < NLA_HDRLEN)
			return NULL;
		if (a->nla_type == type)
			return a;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

static const struct nlattr *find_in(const struct nlattr *nest, int type)
{
	return nest ? find(nest + 1, (const char *)nest + nest->nla_len, type) : NULL;
}

static const struct nlattr *find_top(const struct nlmsghdr *h, int type)
{
	return find(
		(const char *)h + NLMSG_LENGTH(GENL_HDRLEN), (const char *)h + h->nlmsg_len, type);
}

static unsigned value(const struct nlattr *a)
{
	unsigned v = 0;

	if (a)
		memcpy(&v, a + 1, a->nla_len - NLA_HDRLEN < 4 ? 2 : 4);
	return v;
}

/* ---- the controller ---- */

static bool is_family(const struct nlmsghdr *h, const char *name)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);
	const struct nlattr *a = find_top(h, CTRL_ATTR_FAMILY_NAME);

	return h->nlmsg_type == GENL_ID_CTRL && g->cmd == CTRL_CMD_NEWFAMILY && a &&
	       !strcmp((const char *)(a + 1), name);
}

static unsigned op_flags(const struct nlmsghdr *h, unsigned cmd)
{
	const struct nlattr *ops = find_top(h, CTRL_ATTR_OPS), *op;

	for (int i = 1; (op = find_in(ops, i)); i++) {
		if (value(find_in(op, CTRL_ATTR_OP_ID)) == cmd)
			return value(find_in(op, CTRL_ATTR_OP_FLAGS));
	}
	return 0;
}

static void test_family(int fd)
{
	unsigned short id = GENL_ID_CTRL;

	ok(ask_attr(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "TASKSTATS",
		   10) > 0 &&
			is_family(&answer.h, "TASKSTATS"),
		"a family by its name");
	taskstats = (unsigned short)value(find_top(&answer.h, CTRL_ATTR_FAMILY_ID));
	ok(taskstats > GENL_ID_CTRL && answer.h.nlmsg_seq == SEQ && !answer.h.nlmsg_flags,
		"has a number");
	ok(value(find_top(&answer.h, CTRL_ATTR_VERSION)) == TASKSTATS_GENL_VERSION &&
			find_top(&answer.h, CTRL_ATTR_HDRSIZE) &&
			!value(find_top(&answer.h, CTRL_ATTR_HDRSIZE)),
		"and a version");
	ok(op_flags(&answer.h, TASKSTATS_CMD_GET) ==
			(GENL_ADMIN_PERM | GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL),
		"what it takes, and that one must be an administrator");
	ok(ask_attr(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK, CTRL_ATTR_FAMILY_ID, &id,
		   sizeof(id)) > 0 &&
			is_family(&answer.h, "nlctrl"),
		"a family by its number");
	ok((op_flags(&answer.h, CTRL_CMD_GETFAMILY) & GENL_CMD_CAP_DUMP) &&
			value(find_in(find_in(find_top(&answer.h, CTRL_ATTR_MCAST_GROUPS), 1),
				CTRL_ATTR_MCAST_GRP_ID)) == GENL_ID_CTRL,
		"which has dumps and a group");
	ok(recv(fd, &answer, sizeof(answer), 0) == NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
			!error() && answer.h.nlmsg_flags == NLM_F_CAPPED,
		"the acknowledgement comes behind it");
}

static void test_dump(int fd)
{
	int ctrl = 0, stats = 0, done = 0;
	struct request r;
	long len;

	start(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_DUMP);
	for (len = ask(fd, &r); len > 0 && !done;
		len = done ? 0 : recv(fd, &answer, sizeof(answer), 0)) {
		for (struct nlmsghdr *h = &answer.h; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (!(h->nlmsg_flags & NLM_F_MULTI) || h->nlmsg_seq != SEQ)
				break;
			done = h->nlmsg_type == NLMSG_DONE;
			ctrl += !done && is_family(h, "nlctrl");
			stats += !done && is_family(h, "TASKSTATS");
		}
	}
	ok(ctrl == 1 && stats == 1 && done, "a dump of the families");
}

/* The error of a request for a family. */
static int family_error(int fd, unsigned short type, const char *data, size_t len)
{
	ask_attr(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, type, data, len);
	return error();
}

static void test_refusals(int fd)
{
	static const char name[] = "nobody";
	struct request r;

	is(-family_error(fd, CTRL_ATTR_FAMILY_NAME, name, sizeof(name)), ENOENT);
	ok(answer.h.nlmsg_len == NLMSG_LENGTH(sizeof(int)) + NLMSG_LENGTH(GENL_HDRLEN) + 12 &&
			!memcmp(&((struct nlmsgerr *)NLMSG_DATA(&answer.h))->msg + 1, "\3\1\0\0",
				4) &&
			!answer.h.nlmsg_flags,
		"an error brings the whole request back");
	set_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	is(-family_error(fd, CTRL_ATTR_FAMILY_NAME, name, sizeof(name)), ENOENT);
	ok(answer.h.nlmsg_len == NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
			answer.h.nlmsg_flags == NLM_F_CAPPED,
		"but for NETLINK_CAP_ACK");
	is(get_int(fd, SOL_NETLINK, NETLINK_CAP_ACK), 1);
	set_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 0);
	is(-family_error(fd, CTRL_ATTR_FAMILY_NAME, "TASKSTATS", 9), EINVAL); /* no 0 */
	is(-family_error(fd, CTRL_ATTR_FAMILY_NAME, "TASKSTATS-and-more-of-it", 25), EINVAL);
	is(-family_error(fd, CTRL_ATTR_FAMILY_NAME, "nlctrl\0and-more-of-it", 22), ERANGE);
	is(-family_error(fd, CTRL_ATTR_FAMILY_ID, "\20", 1), ERANGE);
	is(-family_error(fd, CTRL_ATTR_FAMILY_ID, "\377\177", 2), ENOENT);
	start(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	ask(fd, &r);
	is(-error(), EINVAL);
	start(&r, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY, 0);
	ask(fd, &r);
	is(-error(), EOPNOTSUPP);
	start(&r, 0x7fff, 1, 0);
	ask(fd, &r);
	is(-error(), ENOENT);
	start(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	r.h.nlmsg_len = NLMSG_HDRLEN;
	ask(fd, &r);
	is(-error(), EINVAL);
	start(&r, 0x7fff, 1, NLM_F_ACK);
	r.h.nlmsg_flags = NLM_F_ACK;
	ask(fd, &r);
	ok(!error(), "what is no request is acknowledged only");
	start(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	memcpy((char *)&r + r.h.nlmsg_len, "\50\0\2\0abcd", 8);
	r.h.nlmsg_len += 8;
	ask(fd, &r);
	is(-error(), EINVAL); /* longer than the message */
}

/* ---- figures ---- */

/* The figures in a message. */
static bool stats_in(
	const struct nlmsghdr *h, int aggr, int id_type, unsigned id, struct taskstats *out)
{
	const struct nlattr *nest = find_top(h, aggr), *s = find_in(nest, TASKSTATS_TYPE_STATS);

	memset(out, 0, sizeof(*out));
	if (h->nlmsg_type != taskstats || !s || s->nla_len < NLA_HDRLEN + sizeof(*out) ||
		value(find_in(nest, id_type)) != id)
		return false;
	memcpy(out, s + 1, sizeof(*out));
	return out->version >= TASKSTATS_VERSION;
}

static bool stats_of(int fd, bool process, int id, struct taskstats *out)
{
	return ask_attr(fd, taskstats, TASKSTATS_CMD_GET, 0,
		       process ? TASKSTATS_CMD_ATTR_TGID : TASKSTATS_CMD_ATTR_PID, &id,
		       sizeof(id)) > 0 &&
	       stats_in(&answer.h, process ? TASKSTATS_TYPE_AGGR_TGID : TASKSTATS_TYPE_AGGR_PID,
		       process ? TASKSTATS_TYPE_TGID : TASKSTATS_TYPE_PID, (unsigned)id, out);
}

static unsigned long long clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (unsigned long long)ts.tv_sec * 1000000000 + (unsigned long long)ts.tv_nsec;
}

static void compute(unsigned ms)
{
	unsigned long long end = clock_now(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000ull;

	while (clock_now(CLOCK_THREAD_CPUTIME_ID) < end)
		continue;
}

static char *touch(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	return p;
}

static void test_identity(int fd)
{
	struct taskstats s;
	struct stat exe;
	long long start_at;

	ok(stats_of(fd, false, getpid(), &s), "the figures of a thread");
	start_at = time(NULL) - (long long)(s.ac_etime / 1000000);
	ok(!strncmp(s.ac_comm, "net_genl", 32), "its name");
	ok(s.ac_pid == (unsigned)getpid() && s.ac_tgid == (unsigned)getpid() &&
			s.ac_ppid == (unsigned)getppid(),
		"numbers");
	ok(s.ac_uid == getuid() && s.ac_gid == getgid(), "owner");
	ok(s.ac_nice == getpriority(PRIO_PROCESS, 0) && !s.ac_sched, "scheduling");
	ok(!(s.ac_flag & (AFORK | AXSIG | ACORE)), "it has executed a program");
	ok(s.ac_btime == s.ac_btime64 && llabs((long long)s.ac_btime64 - start_at) <= 2,
		"when it began");
	ok(s.ac_tgetime >= s.ac_etime && s.ac_etime > 0, "how long ago");
	ok(!stat("/proc/self/exe", &exe) && s.ac_exe_inode == exe.st_ino, "what it executes");
}

static void test_work(int fd)
{
	struct rusage before, after;
	struct taskstats s, t;
	unsigned long long cpu, cpu_after;
	const size_t size = 16 << 20;
	char *p;

	stats_of(fd, false, getpid(), &s);
	getrusage(RUSAGE_THREAD, &before);
	p = touch(size);
	compute(200);
	/* One that is over before it began, on a machine that stood still, is no switch. */
	for (int i = 0; i < 25; i++)
		usleep(2000);
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	stats_of(fd, false, getpid(), &t);
	cpu_after = clock_now(CLOCK_THREAD_CPUTIME_ID);
	getrusage(RUSAGE_THREAD, &after);
	ok(t.cpu_run_virtual_total + 20000000 >= cpu && t.cpu_run_virtual_total <= cpu_after,
		"its CPU time");
	ok(t.cpu_run_real_total > s.cpu_run_real_total + 50000000 &&
			t.ac_utime + t.ac_stime > s.ac_utime + s.ac_stime + 50000,
		"grows as it computes");
	ok(t.ac_minflt > s.ac_minflt && t.ac_minflt <= (unsigned long long)after.ru_minflt &&
			t.ac_minflt - s.ac_minflt <=
				(unsigned long long)(after.ru_minflt - before.ru_minflt) + 64,
		"page faults");
	ok(t.nvcsw >= s.nvcsw + 5 && t.nvcsw <= (unsigned long long)after.ru_nvcsw &&
			t.nivcsw <= (unsigned long long)after.ru_nivcsw,
		"context switches");
	ok(t.hiwater_rss >= 15 << 10 && t.hiwater_vm >= 16 << 10, "the most memory it had");
	munmap(p, size);
}

static void *thread_fn(void *arg)
{
	int *tid = arg;

	tid[0] = (int)syscall(SYS_gettid);
	compute(30);
	__atomic_store_n(&tid[1], 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&tid[2], __ATOMIC_ACQUIRE))
		usleep(1000);
	return NULL;
}

static void test_threads(int fd)
{
	int tid[3] = { 0 };
	struct taskstats one, all, rest;
	pthread_t th;

	pthread_create(&th, NULL, thread_fn, tid);
	while (!__atomic_load_n(&tid[1], __ATOMIC_ACQUIRE))
		usleep(1000);
	ok(stats_of(fd, false, tid[0], &one) && one.ac_pid == (unsigned)tid[0] &&
			one.ac_tgid == (unsigned)getpid() &&
			one.cpu_run_virtual_total >= 10000000 &&
			one.cpu_run_virtual_total < 150000000,
		"another thread by its number");
	ok(stats_of(fd, true, getpid(), &all) &&
			all.cpu_run_virtual_total > one.cpu_run_virtual_total + 100000000,
		"the process: the sum of both");
	ok(!all.ac_comm[0] && !all.ac_pid && all.ac_etime > one.ac_etime, "without a name");
	ok(stats_of(fd, true, tid[0], &rest), "by the number of any thread");
	__atomic_store_n(&tid[2], 1, __ATOMIC_RELEASE);
	pthread_join(th, NULL);
	ok(stats_of(fd, true, getpid(), &rest) &&
			rest.cpu_run_virtual_total >= all.cpu_run_virtual_total,
		"the time of a thread that has ended is in it");
}

static int stats_error(int fd, unsigned short type, const void *data, size_t len)
{
	ask_attr(fd, taskstats, TASKSTATS_CMD_GET, NLM_F_ACK, type, data, len);
	return error();
}

static int id_error(int fd, unsigned short type, int id)
{
	return stats_error(fd, type, &id, sizeof(id));
}

static void test_stats_refusals(int fd)
{
	struct taskstats s;
	struct request r;
	int id = getpid();

	is(-id_error(fd, TASKSTATS_CMD_ATTR_PID, 0), ESRCH);
	is(-id_error(fd, TASKSTATS_CMD_ATTR_PID, 99999999), ESRCH);
	is(-id_error(fd, TASKSTATS_CMD_ATTR_TGID, -1), ESRCH);
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_PID, "ab", 2), ERANGE);
	is(-stats_error(fd, 60, "abcd", 4), EINVAL);
	start(&r, taskstats, TASKSTATS_CMD_GET, 0);
	ask(fd, &r);
	is(-error(), EINVAL);
	start(&r, taskstats, TASKSTATS_CMD_GET, NLM_F_DUMP);
	ask(fd, &r);
	is(-error(), EOPNOTSUPP);
	start(&r, taskstats, TASKSTATS_CMD_NEW, 0);
	ask(fd, &r);
	is(-error(), EOPNOTSUPP);
	start(&r, taskstats, TASKSTATS_CMD_GET, 0);
	add(&r, TASKSTATS_CMD_ATTR_TGID, &(int){ 99999999 }, 4);
	add(&r, TASKSTATS_CMD_ATTR_TGID, &id, 4);
	ok(ask(fd, &r) > 0 && stats_in(&answer.h, TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID,
				      (unsigned)id, &s),
		"the last attribute of a kind counts");
	add(&r, TASKSTATS_CMD_ATTR_PID, &id, 4);
	r.h.nlmsg_len += 2;
	ok(ask(fd, &r) > 0 && stats_in(&answer.h, TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID,
				      (unsigned)id, &s),
		"and a thread more than a process");
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "", 0), ERANGE);
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "x", 2), EINVAL);
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "1-0", 4), EINVAL);
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "99999", 6), ERANGE);
}

static void test_cgroup(int fd)
{
	struct request r;

	start(&r, taskstats, CGROUPSTATS_CMD_GET, 0);
	ask(fd, &r);
	is(-error(), EINVAL);
	add(&r, CGROUPSTATS_CMD_ATTR_FD, &fd, sizeof(fd));
	ask(fd, &r);
	is(-error(), EINVAL); /* not a directory of cgroup v1 */
	start(&r, taskstats, CGROUPSTATS_CMD_GET, NLM_F_ACK);
	add(&r, CGROUPSTATS_CMD_ATTR_FD, &(int){ 999 }, 4);
	ask(fd, &r);
	ok(!error(), "a descriptor that is not open is no error");
}

/* ---- who may ---- */

/* With CAP_NET_ADMIN effective, or without. */
static void admin(bool on)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	syscall(SYS_capget, &h, d);
	d[0].effective &= ~(1u << CAP_NET_ADMIN);
	d[0].effective |= (unsigned)on << CAP_NET_ADMIN;
	syscall(SYS_capset, &h, d);
}

static void test_rights(int fd)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request r;
	struct taskstats s;
	int id = getpid(), other;

	admin(false);
	other = gopen();
	is(-id_error(fd, TASKSTATS_CMD_ATTR_PID, id), EPERM);
	is(-id_error(other, TASKSTATS_CMD_ATTR_PID, id), EPERM);
	is(-stats_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "0", 2), EPERM);
	ok(ask_attr(other, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "TASKSTATS",
		   10) > 0 &&
			is_family(&answer.h, "TASKSTATS"),
		"everybody may ask for families");
	admin(true);
	is(-id_error(other, TASKSTATS_CMD_ATTR_PID, id), EPERM); /* opened without the right */
	start(&r, taskstats, TASKSTATS_CMD_GET, 0);
	add(&r, TASKSTATS_CMD_ATTR_PID, &id, 4);
	sendto(other, &r, r.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	ok(recv(other, &answer, sizeof(answer), 0) > 0 &&
			stats_in(&answer.h, TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID,
				(unsigned)id, &s),
		"but with an address the sender alone counts");
	close(other);
}

/* ---- the ends of tasks ---- */

static bool first_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == PID_NS_FIRST;
}

/* Reads until the record of a thread comes; others end meanwhile. */
static bool record_of(int fd, int pid, struct taskstats *out)
{
	for (;;) {
		if (recv(fd, &answer, sizeof(answer), 0) <= 0)
			return false;
		if (stats_in(&answer.h, TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID, (unsigned)pid,
			    out))
			return answer.h.nlmsg_pid == 0;
	}
}

static int child_that(int exit_code, int sig, bool thread)
{
	int tid[3] = { 0, 0, 1 };
	int pid = fork();
	pthread_t th;

	if (pid)
		return pid;
	touch(65536);
	compute(20);
	if (thread) {
		pthread_create(&th, NULL, thread_fn, tid);
		pthread_join(th, NULL);
	}
	if (sig)
		raise(sig);
	_exit(exit_code);
}

static void test_ends(int fd, bool first)
{
	struct taskstats s, p;
	int pid = child_that(7, 0, false);

	ok(!first || (record_of(fd, pid, &s) && s.ac_exitcode == 7 << 8 &&
			     s.ac_pid == (unsigned)pid),
		"the end of a process is told");
	ok(!first || ((s.ac_flag & (AFORK | AGROUP | AXSIG)) == (AFORK | AGROUP) &&
			     s.ac_ppid == (unsigned)getpid() &&
			     !strncmp(s.ac_comm, "net_genl", 16)),
		"that it was the only thread, and never executed anything");
	ok(!first || (s.cpu_run_virtual_total >= 15000000 && s.hiwater_rss > 0 && s.ac_minflt > 0),
		"what it used");
	ok(!first || !find_top(&answer.h, TASKSTATS_TYPE_AGGR_TGID), "nothing of the process");
	waitpid(pid, NULL, 0);
	pid = child_that(0, SIGKILL, false);
	ok(!first || (record_of(fd, pid, &s) && s.ac_exitcode == SIGKILL && (s.ac_flag & AXSIG)),
		"what killed it");
	waitpid(pid, NULL, 0);
	pid = child_that(0, 0, true);
	ok(!first || (record_of(fd, pid, &s) && (s.ac_flag & AGROUP)), "one with two threads");
	ok(!first || (stats_in(&answer.h, TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID,
			      (unsigned)pid, &p) &&
			     p.cpu_run_virtual_total >= s.cpu_run_virtual_total + 20000000),
		"and the sum of both");
	waitpid(pid, NULL, 0);
}

static int fork_many(int n)
{
	int pid = 0;

	for (int i = 0; i < n; i++) {
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return pid;
}

static int drain(int fd)
{
	int n = 0;

	for (;;) {
		if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) > 0)
			n++;
		else if (errno != ENOBUFS) /* of others' ends */
			return n;
	}
}

static void test_overrun(int fd, bool first)
{
	struct taskstats s;
	int n, pid;

	set_int(fd, SOL_SOCKET, SO_RCVBUF, 8192);
	fork_many(100);
	ok(!first || (ready(fd) & (POLLIN | POLLERR)) == (POLLIN | POLLERR),
		"more ends than there is room for");
	is(first ? recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) : -ENOBUFS, -ENOBUFS);
	n = drain(fd);
	ok(!first || (n > 0 && n < 100), "the first ones are there");
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 200000);
	drain(fd);
	pid = child_that(3, 0, false);
	ok(!first || (record_of(fd, pid, &s) && s.ac_exitcode == 3 << 8), "and it goes on");
	waitpid(pid, NULL, 0);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 8192);
	set_int(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
	drain(fd);
	fork_many(100);
	ok(!first || ((ready(fd) & (POLLIN | POLLERR)) == POLLIN && drain(fd) > 0),
		"NETLINK_NO_ENOBUFS: nothing is said of a loss");
	set_int(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 0);
}

/* The answer of one who listens: it stands among the records of others' ends. */
static int listening_error(int fd, unsigned short type)
{
	int r;

	set_int(fd, SOL_SOCKET, SO_RCVBUF, 200000);
	drain(fd);
	r = stats_error(fd, type, "0-N", 4);
	while (r == 1 && (recv(fd, &answer, sizeof(answer), 0) > 0 || errno == ENOBUFS))
		r = error();
	return r;
}

static void test_listening(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct timeval tv = { 10, 0 };
	bool first = first_pid_ns();
	int r, pid;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	bind(fd, (struct sockaddr *)&name, sizeof(name));
	r = listening_error(fd, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK);
	ok(r == (first ? 0 : -EINVAL), "who listens must be in the first namespaces");
	test_ends(fd, first);
	test_overrun(fd, first);
	r = listening_error(fd, TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK);
	ok(r == (first ? 0 : -EINVAL), "no longer");
	drain(fd);
	pid = fork_many(3);
	ok(pid > 0 && !drain(fd), "then nothing is told");
	close(fd);
}

int main(void)
{
	int fd = gopen();

	ok(fd >= 0, "a socket of generic netlink");
	test_family(fd);
	test_dump(fd);
	test_refusals(fd);
	test_identity(fd);
	test_work(fd);
	test_threads(fd);
	test_stats_refusals(fd);
	test_cgroup(fd);
	test_rights(fd);
	close(fd);
	test_listening();
	return tap_end();
}
