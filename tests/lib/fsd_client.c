/* SPDX-License-Identifier: Apache-2.0 */
/* A FUSE client for tests. */
#include <config.h>
#include "tests/lib/fsd_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fsd_client fc;

static void fc_die(const char *what)
{
	perror(what);
	abort();
}

const char *fc_path(const char *fmt, ...)
{
	static char bufs[4][600];
	static unsigned int next;
	char *b = bufs[next++ % 4];
	int n = snprintf(b, sizeof(bufs[0]), "%s/", fc.dir);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(b + n, sizeof(bufs[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	return b;
}

void fc_host_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fc_die(path);
	close(fd);
}

static void fc_engine(void (*tune)(struct fsd_config *cfg))
{
	static const char *const names[FC_ROOTS] = { "tree", "volume", "volume", "outside" };

	fc.cfg = (struct fsd_config){
		.roots = fc.roots,
		.nroots = FC_ROOTS,
		.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	for (unsigned int i = 0; i < FC_ROOTS; i++) {
		fc.roots[i] =
			(struct fsd_root){ .fd = open(fc_path("%s", names[i]), O_PATH | O_CLOEXEC),
				.readonly = i == 2 };
		if (fc.roots[i].fd < 0)
			fc_die(names[i]);
	}
	if (tune)
		tune(&fc.cfg);
	if (fc.cfg.proc_fd < 0 || fsd_engine_create(&fc.cfg, &fc.e) < 0)
		fc_die("engine");
	fc.room = sizeof(fc.out);
}

int fc_init(uint32_t flags)
{
	struct fuse_init_in a = { .major = 7, .minor = 38, .flags = flags };

	return fc_call(FUSE_INIT, 0, &a, sizeof(a), NULL, NULL, NULL, 0);
}

/* The engine reaches its own bounds before those of a shell's descriptors. */
static void fc_more_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		fc_die("getrlimit");
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		fc_die("setrlimit");
}

void fc_start(void (*tune)(struct fsd_config *cfg))
{
	fc.e = NULL;
	fc_more_descriptors();
	/* Memory where there is some: fsync and fallocate cost nothing there. */
	(void)snprintf(fc.dir, sizeof(fc.dir), "%s/check-fsd.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	fsd_creds_prepare();
	if (!mkdtemp(fc.dir) || mkdir(fc_path("tree"), 0755) < 0 ||
		mkdir(fc_path("volume"), 0755) < 0)
		fc_die("mkdtemp");
	fc.uid = geteuid();
	fc.gid = getegid();
	fc_host_file(fc_path("outside"), "secret");
	fc_engine(tune);
	if (fc_init(0) != 0)
		fc_die("init");
}

static void fc_engine_stop(void)
{
	fsd_engine_destroy(fc.e);
	for (unsigned int i = 0; i < FC_ROOTS; i++)
		close(fc.roots[i].fd);
	close(fc.cfg.proc_fd);
}

void fc_restart(void (*tune)(struct fsd_config *cfg))
{
	fc_engine_stop();
	fc_engine(tune);
	if (fc_init(0) != 0)
		fc_die("init");
}

static int fc_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

void fc_stop(void)
{
	if (fc.e)
		fc_engine_stop();
	(void)nftw(fc.dir, fc_remove, 16, FTW_DEPTH | FTW_PHYS);
}

int fc_call(uint32_t op, uint64_t node, const void *arg, size_t arg_len, const char *s1,
	const char *s2, const void *extra, size_t extra_len)
{
	struct fuse_in_header h = { .opcode = op, .unique = 42, .nodeid = node };
	struct fuse_out_header o;
	struct iovec in, out;
	size_t at = sizeof(h);

	memcpy(fc.in + at, arg ? arg : "", arg_len);
	at += arg_len;
	for (int i = 0; i < 2; i++) {
		const char *s = i ? s2 : s1;

		if (!s)
			continue;
		memcpy(fc.in + at, s, strlen(s) + 1);
		at += strlen(s) + 1;
	}
	memcpy(fc.in + at, extra ? extra : "", extra_len);
	at += extra_len;
	h.len = (uint32_t)at;
	h.uid = fc.uid;
	h.gid = fc.gid;
	memcpy(fc.in, &h, sizeof(h));
	in = (struct iovec){ fc.in, at };
	out = (struct iovec){ fc.out, fc.room };
	fc.reply_len = fsd_engine_handle(fc.e, &in, 1, &out, 1);
	fc.payload_len = 0;
	if (!fc.reply_len)
		return 1;
	memcpy(&o, fc.out, sizeof(o));
	if (o.len != fc.reply_len || o.unique != 42)
		fc_die("reply header");
	fc.payload = fc.out + sizeof(o);
	fc.payload_len = o.len - sizeof(o);
	return o.error;
}

static int64_t fc_node(int r)
{
	struct fuse_entry_out e;

	if (r < 0)
		return r;
	memcpy(&e, fc.payload, sizeof(e));
	return (int64_t)e.nodeid;
}

int64_t fc_lookup(uint64_t dir, const char *name)
{
	return fc_node(fc_call(FUSE_LOOKUP, dir, NULL, 0, name, NULL, NULL, 0));
}

int64_t fc_mknod(uint64_t dir, const char *name, uint32_t mode)
{
	struct fuse_mknod_in a = { .mode = mode };

	return fc_node(fc_call(FUSE_MKNOD, dir, &a, sizeof(a), name, NULL, NULL, 0));
}

int64_t fc_mkdir(uint64_t dir, const char *name, uint32_t mode)
{
	struct fuse_mkdir_in a = { .mode = mode };

	return fc_node(fc_call(FUSE_MKDIR, dir, &a, sizeof(a), name, NULL, NULL, 0));
}

int fc_forget(uint64_t node, uint64_t n)
{
	struct fuse_forget_in a = { .nlookup = n };

	return fc_call(FUSE_FORGET, node, &a, sizeof(a), NULL, NULL, NULL, 0);
}

int64_t fc_write(uint64_t node, uint64_t fh, uint64_t off, const void *buf, uint32_t len)
{
	struct fuse_write_in a = { .fh = fh, .offset = off, .size = len };
	struct fuse_write_out o;
	int r = fc_call(FUSE_WRITE, node, &a, sizeof(a), NULL, NULL, buf, len);

	if (r < 0)
		return r;
	memcpy(&o, fc.payload, sizeof(o));
	return o.size;
}

int64_t fc_read(uint64_t node, uint64_t fh, uint64_t off, uint32_t len)
{
	struct fuse_read_in a = { .fh = fh, .offset = off, .size = len };
	int r = fc_call(FUSE_READ, node, &a, sizeof(a), NULL, NULL, NULL, 0);

	return r < 0 ? r : (int64_t)fc.payload_len;
}

const struct fuse_attr *fc_entry_attr(void)
{
	return &((const struct fuse_entry_out *)(const void *)fc.payload)->attr;
}

const struct fuse_attr *fc_getattr(uint64_t node)
{
	struct fuse_getattr_in a = { 0 };

	if (fc_call(FUSE_GETATTR, node, &a, sizeof(a), NULL, NULL, NULL, 0) != 0)
		return NULL;
	return &((const struct fuse_attr_out *)(const void *)fc.payload)->attr;
}

unsigned int fc_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!d)
		fc_die("opendir");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
