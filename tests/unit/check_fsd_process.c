/* SPDX-License-Identifier: Apache-2.0 */
/* The program casemate-fsd as the VMM sees it: start, queues in the arena, jail, DAX messages, reset, hangup. */
#include <config.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <casemate/fsdev.h>
#include <casemate/guestmem.h>

#define ARENA	  (1u << 20)
#define RING_SIZE 16u
#define RING_AT	  0u /* descriptors, available ring at +4 KiB, used ring at +8 KiB */
#define IN_AT	  0x10000u
#define OUT_AT	  0x20000u
#define OUT_LEN	  0x10000u

static struct {
	char dir[64];
	pid_t pid;
	int sock, kick, call, status;
	uint8_t *arena;
	uint16_t next;
	uint64_t unique;
} p;

static const char *in_dir(const char *name)
{
	static char buf[4][128];
	static unsigned int n;
	char *b = buf[n++ % 4];

	(void)snprintf(b, sizeof(buf[0]), "%s/%s", p.dir, name);
	return b;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* In the child: everything inherits, as from the sandbox process. */
static void exec_fsd(int arena, int sock, int root, bool readonly)
{
	char prog[512], a[8][40];
	const char *top = getenv("top_builddir");

	(void)snprintf(prog, sizeof(prog), "%s/casemate-fsd", top ? top : ".");
	(void)snprintf(a[0], sizeof(a[0]), "--arena-fd=%d", arena);
	(void)snprintf(a[1], sizeof(a[1]), "--sock-fd=%d", sock);
	(void)snprintf(a[2], sizeof(a[2]), "--kick-fd=%d", p.kick);
	(void)snprintf(a[3], sizeof(a[3]), "--call-fd=%d", p.call);
	(void)snprintf(a[4], sizeof(a[4]), "--root-fd=%d%s", root, readonly ? ",ro" : "");
	(void)snprintf(a[5], sizeof(a[5]), "--volume-fd=%d,ro,rec",
		open(in_dir("volume"), O_PATH | O_DIRECTORY));
	(void)snprintf(a[6], sizeof(a[6]), "--volume-fd=%d", open(in_dir("volume/file"), O_PATH));
	/* The leak checker traces its own process, which the jail does not allow. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	execl(prog, prog, a[0], a[1], a[2], a[3], a[4], a[5], a[6], "--log-fd=2", NULL);
	_exit(127);
}

static void spawn(int seals, bool readonly)
{
	int arena = memfd_create("arena", MFD_ALLOW_SEALING);
	int pair[2], root = open(in_dir("tree"), O_PATH | O_DIRECTORY);

	ck_assert_int_eq(ftruncate(arena, ARENA), 0);
	ck_assert_int_eq(fcntl(arena, F_ADD_SEALS, seals), 0);
	p.arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, arena, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFD, FD_CLOEXEC), 0);
	p.kick = eventfd(0, 0);
	p.call = eventfd(0, 0);
	p.pid = fork();
	if (p.pid == 0)
		exec_fsd(arena, pair[1], root, readonly);
	ck_assert_int_gt(p.pid, 0);
	p.sock = pair[0];
	close(pair[1]);
	close(arena);
	close(root);
}

static void make_tree(void)
{
	memset(&p, 0, sizeof(p));
	(void)snprintf(p.dir, sizeof(p.dir), "/tmp/check-fsd-proc.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p.dir));
	ck_assert_int_eq(mkdir(in_dir("tree"), 0755), 0);
	ck_assert_int_eq(mkdir(in_dir("volume"), 0755), 0);
	write_file(in_dir("tree/hello"), "hello, world");
	write_file(in_dir("volume/file"), "file");
	write_file(in_dir("outside"), "secret");
}

static void ask(struct cm_fsdev_msg *m)
{
	m->version = CM_FSDEV_VERSION;
	m->id = ++p.unique;
	ck_assert_int_eq(send(p.sock, m, sizeof(*m), 0), (ssize_t)sizeof(*m));
	ck_assert_int_eq(recv(p.sock, m, sizeof(*m), 0), (ssize_t)sizeof(*m));
	ck_assert_uint_eq(m->op, CM_FSDEV_REPLY);
	ck_assert_uint_eq(m->id, p.unique);
}

static int queue_start(uint32_t index, uint32_t size)
{
	struct cm_fsdev_msg m = {
		.op = CM_FSDEV_QUEUE_START,
		.queue = index,
		.size = size,
		.desc = CM_GPA_ARENA + RING_AT,
		.driver = CM_GPA_ARENA + RING_AT + 0x1000,
		.device = CM_GPA_ARENA + RING_AT + 0x2000,
	};

	memset(p.arena + RING_AT, 0, 0x3000);
	p.next = 0;
	ask(&m);
	return m.status;
}

static void submit(uint32_t op, uint64_t node, const void *arg, size_t arg_len, const char *name)
{
	struct vring_desc *d = (void *)(p.arena + RING_AT);
	struct vring_avail *avail = (void *)(p.arena + RING_AT + 0x1000);
	struct fuse_in_header h = { .opcode = op, .unique = 5, .nodeid = node };
	size_t len = name ? strlen(name) + 1 : 0;
	const uint64_t one = 1;

	h.len = (uint32_t)(sizeof(h) + arg_len + len);
	memcpy(p.arena + IN_AT, &h, sizeof(h));
	memcpy(p.arena + IN_AT + sizeof(h), arg ? arg : "", arg_len);
	memcpy(p.arena + IN_AT + sizeof(h) + arg_len, name ? name : "", len);
	d[0] = (struct vring_desc){ CM_GPA_ARENA + IN_AT, h.len, VRING_DESC_F_NEXT, 1 };
	d[1] = (struct vring_desc){ CM_GPA_ARENA + OUT_AT, OUT_LEN, VRING_DESC_F_WRITE, 0 };
	avail->ring[p.next % RING_SIZE] = 0;
	__atomic_store_n(&avail->idx, ++p.next, __ATOMIC_RELEASE);
	ck_assert_int_eq(write(p.kick, &one, sizeof(one)), sizeof(one));
}

/* Wait for the interrupt; the reply's error. */
static int finish(void)
{
	struct vring_used *used = (void *)(p.arena + RING_AT + 0x2000);
	struct fuse_out_header o;
	uint64_t n;

	while (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != p.next) {
		struct pollfd f = { .fd = p.call, .events = POLLIN };

		ck_assert_int_eq(poll(&f, 1, 5000), 1);
		ck_assert_int_eq(read(p.call, &n, sizeof(n)), sizeof(n));
	}
	memcpy(&o, p.arena + OUT_AT, sizeof(o));
	ck_assert_uint_eq(used->ring[(p.next - 1) % RING_SIZE].len, o.len);
	return o.error;
}

static int call(uint32_t op, uint64_t node, const void *arg, size_t arg_len, const char *name)
{
	submit(op, node, arg, arg_len, name);
	return finish();
}

static void start(bool readonly)
{
	struct fuse_init_in a = { .major = 7, .minor = 38 };

	make_tree();
	spawn(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, readonly);
	ck_assert_int_eq(queue_start(1, RING_SIZE), 0);
	ck_assert_int_eq(call(FUSE_INIT, 0, &a, sizeof(a), NULL), 0);
}

static int exit_status(void)
{
	int st;

	close(p.sock);
	p.sock = -1;
	ck_assert_int_eq(waitpid(p.pid, &st, 0), p.pid);
	p.pid = 0;
	return st;
}

static void teardown(void)
{
	char cmd[128];

	if (p.pid > 0) {
		kill(p.pid, SIGKILL);
		waitpid(p.pid, NULL, 0);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", p.dir);
	ck_assert_int_eq(system(cmd), 0);
}

static uint64_t lookup_in(uint64_t dir, const char *name)
{
	struct fuse_entry_out e;

	ck_assert_int_eq(call(FUSE_LOOKUP, dir, NULL, 0, name), 0);
	memcpy(&e, p.arena + OUT_AT + 16, sizeof(e));
	return e.nodeid;
}

static uint64_t lookup(const char *name)
{
	return lookup_in(FUSE_ROOT_ID, name);
}

START_TEST(test_serves_and_exits_at_hangup)
{
	struct fuse_read_in r = { .size = 100 };

	start(false);
	ck_assert_int_eq(call(FUSE_READ, lookup("hello"), &r, sizeof(r), NULL), 0);
	ck_assert_mem_eq(p.arena + OUT_AT + 16, "hello, world", 12);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

/* The jail leaves a file server all that it needs; a call that the filter lacks would kill it. */
START_TEST(test_names_in_the_jail)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0644 };
	struct fuse_mkdir_in md = { .mode = 0755 };
	struct fuse_create_in cr = { .flags = O_RDWR | O_CREAT, .mode = 0600 };
	struct fuse_read_in rd = { .size = 4096 };
	struct fuse_link_in ln;
	struct fuse_rename_in rn;
	char args[sizeof(rn) + 4];
	uint64_t d;
	struct stat st;

	start(false);
	ck_assert_int_eq(call(FUSE_MKDIR, 1, &md, sizeof(md), "d"), 0);
	d = lookup("d");
	ck_assert_int_eq(call(FUSE_MKNOD, 1, &mk, sizeof(mk), "f"), 0);
	ck_assert_int_eq(call(FUSE_SYMLINK, 1, "link\0target", 12, NULL), 0);
	ck_assert_int_eq(call(FUSE_READLINK, lookup("link"), NULL, 0, NULL), 0);
	ln.oldnodeid = lookup("f");
	ck_assert_int_eq(call(FUSE_LINK, d, &ln, sizeof(ln), "g"), 0);
	rn.newdir = d;
	memcpy(args, &rn, sizeof(rn));
	memcpy(args + sizeof(rn), "f\0h", 4);
	ck_assert_int_eq(call(FUSE_RENAME, 1, args, sizeof(args), NULL), 0);
	ck_assert_int_eq(stat(in_dir("tree/d/h"), &st), 0);
	ck_assert_int_eq(call(FUSE_READDIRPLUS, 1, &rd, sizeof(rd), NULL), 0);
	ck_assert_int_eq(call(FUSE_CREATE, d, &cr, sizeof(cr), "c"), 0);
	ck_assert_int_eq(call(FUSE_TMPFILE, d, &cr, sizeof(cr), "/"), 0);
	ck_assert_int_eq(call(FUSE_UNLINK, d, NULL, 0, "g"), 0);
	ck_assert_int_eq(call(FUSE_RMDIR, 1, NULL, 0, "d"), -ENOTEMPTY);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_setid_bits_in_the_jail)
{
	struct fuse_setattr_in sa = { .valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE |
					       FATTR_MTIME,
		.mode = 06755,
		.gid = 7,
		.uid = 9,
		.size = 100,
		.mtime = 5 };
	struct {
		struct fuse_write_in w;
		char data[5];
	} wr = { .w = { .size = 5 }, .data = "abcd" };
	struct stat st;
	uint64_t f;

	if (geteuid() != 0)
		return;
	start(false);
	f = lookup("hello");
	ck_assert_int_eq(call(FUSE_SETATTR, f, &sa, sizeof(sa), NULL), 0);
	ck_assert_int_eq(stat(in_dir("tree/hello"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 06755);
	ck_assert_uint_eq(st.st_uid, 9);
	ck_assert_int_eq(st.st_mtime, 5);
	/* A write drops the bits: the server has no CAP_FSETID. */
	ck_assert_int_eq(call(FUSE_WRITE, f, &wr, sizeof(wr), NULL), 0);
	ck_assert_int_eq(stat(in_dir("tree/hello"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0755);
}
END_TEST

START_TEST(test_contents_in_the_jail)
{
	struct fuse_getxattr_in gx = { .size = 100 };
	struct fuse_fsync_in fs = { .fsync_flags = 1 };
	struct fuse_fallocate_in fa = { .length = 4096 };
	struct fuse_lseek_in ls = { .whence = SEEK_HOLE };
	struct fuse_copy_file_range_in cp = { .len = 5, .off_out = 100 };
	struct fuse_lk_in lk = { .owner = 1, .lk = { 0, 5, F_WRLCK, 0 } };
	struct fuse_flush_in fl = { .lock_owner = 1 };
	struct fuse_open_in op = { .flags = O_RDWR };
	struct fuse_syncfs_in sy = { 0 };
	uint64_t f;

	start(false);
	f = lookup("hello");
	ck_assert_int_eq(call(FUSE_GETXATTR, f, &gx, sizeof(gx), "user.none"), -ENODATA);
	ck_assert_int_eq(call(FUSE_LISTXATTR, f, &gx, sizeof(gx), NULL), 0);
	ck_assert_int_eq(call(FUSE_REMOVEXATTR, f, NULL, 0, "user.none"), -ENODATA);
	ck_assert_int_eq(call(FUSE_FSYNC, f, &fs, sizeof(fs), NULL), 0);
	ck_assert_int_eq(call(FUSE_FSYNCDIR, 1, &fs, sizeof(fs), NULL), 0);
	ck_assert_int_eq(call(FUSE_FALLOCATE, f, &fa, sizeof(fa), NULL), 0);
	ck_assert_int_eq(call(FUSE_LSEEK, f, &ls, sizeof(ls), NULL), 0);
	cp.nodeid_out = f;
	ck_assert_int_eq(call(FUSE_COPY_FILE_RANGE, f, &cp, sizeof(cp), NULL), 0);
	ck_assert_int_eq(call(FUSE_SETLK, f, &lk, sizeof(lk), NULL), 0);
	ck_assert_int_eq(call(FUSE_GETLK, f, &lk, sizeof(lk), NULL), 0);
	lk.lk_flags = FUSE_LK_FLOCK;
	ck_assert_int_eq(call(FUSE_SETLK, f, &lk, sizeof(lk), NULL), 0);
	ck_assert_int_eq(call(FUSE_OPEN, f, &op, sizeof(op), NULL), 0);
	memcpy(&fl.fh, p.arena + OUT_AT + 16, sizeof(fl.fh));
	ck_assert_int_eq(call(FUSE_FLUSH, f, &fl, sizeof(fl), NULL), 0);
	ck_assert_int_eq(call(FUSE_STATFS, 1, NULL, 0, NULL), 0);
	ck_assert_int_eq(call(FUSE_SYNCFS, 1, &sy, sizeof(sy), NULL), 0);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_owner_in_the_jail)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0644 };
	struct vring_desc *d;
	struct stat st;

	if (geteuid() != 0)
		return;
	start(false);
	submit(FUSE_MKNOD, 1, &mk, sizeof(mk), "first");
	ck_assert_int_eq(finish(), 0);
	/* The same request once more with the ids changed in place. */
	d = (void *)(p.arena + RING_AT);
	((struct fuse_in_header *)(void *)(p.arena + IN_AT))->uid = 1000;
	((struct fuse_in_header *)(void *)(p.arena + IN_AT))->gid = 1001;
	memcpy(p.arena + IN_AT + d[0].len - 6, "other", 6);
	{
		struct vring_avail *avail = (void *)(p.arena + RING_AT + 0x1000);
		const uint64_t one = 1;

		avail->ring[p.next % RING_SIZE] = 0;
		__atomic_store_n(&avail->idx, ++p.next, __ATOMIC_RELEASE);
		ck_assert_int_eq(write(p.kick, &one, sizeof(one)), sizeof(one));
	}
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(stat(in_dir("tree/other"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 1000);
	ck_assert_uint_eq(st.st_gid, 1001);
}
END_TEST

static unsigned long status_field(const char *key)
{
	char path[64], line[256];
	unsigned long v = ~0ul;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", p.pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtoul(
				line + strlen(key), NULL, strcmp(key, "CapEff:") == 0 ? 16 : 10);
	}
	fclose(f);
	return v;
}

START_TEST(test_jail)
{
	char path[64];
	unsigned int fds = 0;
	struct stat a, b;
	struct dirent *e;
	DIR *d;
	int leak;

	/* A descriptor that happens to be open is not inherited by the server's work. */
	leak = open("/", O_RDONLY);
	start(false);
	close(leak);
	ck_assert_uint_eq(status_field("NoNewPrivs:"), 1);
	ck_assert_uint_eq(status_field("Seccomp:"), 2);
	/* CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID and nothing else. */
	ck_assert_uint_eq(status_field("CapEff:") & ~0xcbul, 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/root", p.pid);
	if (stat(path, &a) == 0) {
		ck_assert_int_eq(stat(in_dir("tree"), &b), 0);
		ck_assert_uint_eq(a.st_ino, b.st_ino);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", p.pid);
	d = opendir(path);
	if (!d && geteuid() != 0)
		return; /* it is not dumpable */
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		fds += e->d_name[0] != '.';
	closedir(d);
	/* Three standard, socket, kick, call, root, its sync twin, /proc/self/fd, a spare one, epoll. */
	ck_assert_uint_le(fds, 13);
}
END_TEST

START_TEST(test_readonly_process)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0644 };
	struct fuse_read_in r = { .size = 100 };

	start(true);
	ck_assert_int_eq(call(FUSE_MKNOD, 1, &mk, sizeof(mk), "f"), -EROFS);
	ck_assert_int_eq(call(FUSE_READ, lookup("hello"), &r, sizeof(r), NULL), 0);
	ck_assert_int_eq(call(FUSE_UNLINK, 1, NULL, 0, "hello"), -EROFS);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_volumes_in_the_jail)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0644 };
	struct fuse_read_in r = { .size = 100 };
	struct {
		struct fuse_write_in w;
		char data[3];
	} w = { .w = { .size = 3 }, .data = "new" };
	struct fuse_setattr_in cut = { .valid = FATTR_SIZE, .size = 2 };
	uint64_t dir, file;

	start(false);
	dir = lookup_in(CM_FSDEV_VOLUMES_ID, "1");
	ck_assert_int_eq(call(FUSE_MKNOD, dir, &mk, sizeof(mk), "f"), -EROFS);
	ck_assert_int_eq(call(FUSE_READ, lookup_in(dir, "file"), &r, sizeof(r), NULL), 0);
	file = lookup_in(CM_FSDEV_VOLUMES_ID, "2");
	ck_assert_int_eq(call(FUSE_WRITE, file, &w, sizeof(w.w) + 3, NULL), 0);
	ck_assert_int_eq(call(FUSE_SETATTR, file, &cut, sizeof(cut), NULL), 0);
	ck_assert_int_eq(call(FUSE_LOOKUP, CM_FSDEV_VOLUMES_ID, NULL, 0, "3"), -ENOENT);
	ck_assert_int_eq(exit_status(), 0);
	ck_assert_int_eq(access(in_dir("volume/f"), F_OK), -1);
	{
		char text[8] = "";
		int fd = open(in_dir("volume/file"), O_RDONLY);

		ck_assert_int_eq(read(fd, text, sizeof(text)), 2);
		ck_assert_str_eq(text, "ne");
		close(fd);
	}
}
END_TEST

START_TEST(test_reset)
{
	struct fuse_init_in a = { .major = 7, .minor = 38 };
	struct fuse_getattr_in g = { 0 };
	struct cm_fsdev_msg m = { .op = CM_FSDEV_RESET };
	uint64_t n;

	start(false);
	n = lookup("hello");
	ask(&m);
	ck_assert_int_eq(m.status, 0);
	ck_assert_int_eq(queue_start(1, RING_SIZE), 0);
	ck_assert_int_eq(call(FUSE_GETATTR, n, &g, sizeof(g), NULL), -EIO); /* INIT first */
	ck_assert_int_eq(call(FUSE_INIT, 0, &a, sizeof(a), NULL), 0);
	ck_assert_int_eq(call(FUSE_GETATTR, n, &g, sizeof(g), NULL), -ESTALE);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_broken_ring_and_bad_queues)
{
	struct fuse_init_in a = { .major = 7, .minor = 38 };
	struct vring_avail *avail;
	const uint64_t one = 1;

	start(false);
	ck_assert_int_eq(queue_start(7, RING_SIZE), -EINVAL);
	ck_assert_int_eq(queue_start(1, 3), -EINVAL);
	ck_assert_int_eq(queue_start(1, 1u << 20), -EINVAL);
	ck_assert_int_eq(queue_start(1, RING_SIZE), 0);
	avail = (void *)(p.arena + RING_AT + 0x1000);
	__atomic_store_n(&avail->idx, 5000, __ATOMIC_RELEASE);
	ck_assert_int_eq(write(p.kick, &one, sizeof(one)), sizeof(one));
	usleep(20000);
	ck_assert_int_eq(waitpid(p.pid, NULL, WNOHANG), 0);
	/* Set up anew it works again. */
	ck_assert_int_eq(queue_start(1, RING_SIZE), 0);
	ck_assert_int_eq(call(FUSE_INIT, 0, &a, sizeof(a), NULL), 0);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_dax_messages)
{
	struct fuse_setupmapping_in a = { .len = 4096, .moffset = 8192, .flags = 2 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct cm_fsdev_msg m;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf) };
	char text[16];
	int fd;

	start(false);
	submit(FUSE_SETUPMAPPING, lookup("hello"), &a, sizeof(a), NULL);
	ck_assert_int_eq(recvmsg(p.sock, &h, 0), (ssize_t)sizeof(m));
	ck_assert_uint_eq(m.op, CM_FSDEV_MAP);
	ck_assert_uint_eq(m.window_offset, 8192);
	ck_assert_uint_eq(m.len, 4096);
	ck_assert_uint_eq(m.prot, CM_FSDEV_READ);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&h));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(fd));
	ck_assert_int_eq(read(fd, text, sizeof(text)), 12);
	m.op = CM_FSDEV_REPLY;
	m.status = -ENOMEM;
	ck_assert_int_eq(send(p.sock, &m, sizeof(m), 0), (ssize_t)sizeof(m));
	ck_assert_int_eq(finish(), -ENOMEM);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

/* Who hears the answer to RESET may use the memory of requests again. */
START_TEST(test_reset_is_answered_behind_the_request)
{
	struct fuse_setupmapping_in a = { .len = 4096, .flags = 1 };
	struct cm_fsdev_msg map, reset = { .version = CM_FSDEV_VERSION, .op = CM_FSDEV_RESET };
	struct fuse_out_header o;

	start(false);
	submit(FUSE_SETUPMAPPING, lookup("hello"), &a, sizeof(a), NULL);
	ck_assert_int_eq(recv(p.sock, &map, sizeof(map), 0), (ssize_t)sizeof(map));
	ck_assert_uint_eq(map.op, CM_FSDEV_MAP);
	memset(p.arena + OUT_AT, 0, sizeof(o));
	reset.id = 99;
	ck_assert_int_eq(send(p.sock, &reset, sizeof(reset), 0), (ssize_t)sizeof(reset));
	usleep(100000);
	ck_assert_int_lt(recv(p.sock, &reset, sizeof(reset), MSG_DONTWAIT), 0);
	map.op = CM_FSDEV_REPLY;
	map.status = -ENOMEM;
	ck_assert_int_eq(send(p.sock, &map, sizeof(map), 0), (ssize_t)sizeof(map));
	ck_assert_int_eq(recv(p.sock, &reset, sizeof(reset), 0), (ssize_t)sizeof(reset));
	ck_assert_uint_eq(reset.op, CM_FSDEV_REPLY);
	ck_assert_uint_eq(reset.id, 99);
	memcpy(&o, p.arena + OUT_AT, sizeof(o));
	ck_assert_int_eq(o.error, -ENOMEM);
	ck_assert_int_eq(exit_status(), 0);
}
END_TEST

START_TEST(test_bad_starts)
{
	make_tree();
	spawn(0, false); /* an arena that could shrink under it */
	ck_assert_int_eq(WEXITSTATUS(exit_status()), 1);
	spawn(F_SEAL_SHRINK | F_SEAL_GROW, false);
	ck_assert_int_eq(send(p.sock, "nonsense", 8, 0), 8);
	{
		int st;

		ck_assert_int_eq(waitpid(p.pid, &st, 0), p.pid);
		p.pid = 0;
		ck_assert_int_eq(st, 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsd_process");
	TCase *t = tcase_create("process");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_serves_and_exits_at_hangup);
	tcase_add_test(t, test_names_in_the_jail);
	tcase_add_test(t, test_setid_bits_in_the_jail);
	tcase_add_test(t, test_contents_in_the_jail);
	tcase_add_test(t, test_owner_in_the_jail);
	tcase_add_test(t, test_jail);
	tcase_add_test(t, test_readonly_process);
	tcase_add_test(t, test_volumes_in_the_jail);
	tcase_add_test(t, test_reset);
	tcase_add_test(t, test_broken_ring_and_bad_queues);
	tcase_add_test(t, test_dax_messages);
	tcase_add_test(t, test_reset_is_answered_behind_the_request);
	tcase_add_test(t, test_bad_starts);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
