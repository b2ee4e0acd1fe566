/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's file system channel for host tests, on casemate-fsd's engine. */
#include "fake_fs_chan.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/arena.h"
#include "drivers/fs_chan.h"
#include "tests/lib/fsd_client.h"

extern int open(const char *path, int flags, ...);

#define COUNTS 64

static unsigned int counts[COUNTS], total, fail_op;
static int fail_error;
static unsigned int arena_pages; /* given out: 0 at the end */

static void tune(struct fsd_config *cfg);
static unsigned int max_nodes;

static void tune(struct fsd_config *cfg)
{
	cfg->max_nodes = max_nodes;
}

void fake_fs_start(unsigned int nodes)
{
	max_nodes = nodes;
	fc_start(tune);
	fake_fs_reset_counts();
}

void fake_fs_stop(void)
{
	fc_stop();
	if (arena_pages) {
		fprintf(stderr, "%u arena pages leaked\n", arena_pages);
		abort();
	}
}

unsigned int fake_fs_requests(void)
{
	return total;
}

unsigned int fake_fs_count(unsigned int op)
{
	return op < COUNTS ? counts[op] : 0;
}

void fake_fs_reset_counts(void)
{
	total = 0;
	memset(counts, 0, sizeof(counts));
}

void fake_fs_fail(unsigned int op, int error)
{
	fail_op = op;
	fail_error = error;
}

int fake_fs_image(unsigned int number, const void *data, unsigned long len)
{
	const char *path = fc_path("image");
	FILE *f = fopen(path, "w");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		abort();
	return fsd_engine_image(fc.e, number, open(path, 0));
}

void fake_fs_image_resize(unsigned long len)
{
	if (truncate(fc_path("image"), (long)len) < 0)
		abort();
}

unsigned int fake_fs_open_fds(void)
{
	return fc_open_fds();
}

/* ---- the sentry's side */

int fs_chan_open(const char *tag, struct fs_chan **out)
{
	if (strcmp(tag, FAKE_FS_TAG) != 0)
		return -ENODEV;
	*out = (struct fs_chan *)&counts;
	return 0;
}

u32 fs_chan_opening(const struct fs_chan *ch)
{
	(void)ch;
	return 0;
}

void fs_chan_close(struct fs_chan *ch)
{
	(void)ch;
}

void fs_chan_keep(struct fs_chan *ch, u32 opening, void *va, u32 pages)
{
	(void)ch;
	(void)opening;
	arena_free(va, pages);
}

static void chan_serve(struct fs_req *r)
{
	struct iovec iov[FS_REQ_SEGS];
	struct fuse_in_header h;

	for (int i = 0; i < r->nout + r->nin; i++)
		iov[i] = (struct iovec){ r->seg[i].va, r->seg[i].len };
	memcpy(&h, r->seg[0].va, sizeof(h));
	if (h.opcode < COUNTS)
		counts[h.opcode]++;
	total++;
	r->error = 0;
	if (fail_error && h.opcode == fail_op) {
		struct fuse_out_header o = {
			.len = sizeof(o), .error = -fail_error, .unique = h.unique
		};

		memcpy(r->seg[r->nout].va, &o, sizeof(o));
		r->written = sizeof(o);
		return;
	}
	r->written = (u32)fsd_engine_handle(fc.e, iov, r->nout, iov + r->nout, r->nin);
}

int fs_chan_call(struct fs_chan *ch, struct fs_req *r)
{
	(void)ch;
	chan_serve(r);
	return r->error;
}

void fs_chan_submit(struct fs_chan *ch, enum fs_chan_queue queue, struct fs_req *const *req, u32 n)
{
	(void)ch;
	(void)queue;
	for (u32 i = 0; i < n; i++) {
		chan_serve(req[i]);
		req[i]->done(req[i]);
	}
}

void *arena_alloc(u32 pages)
{
	void *p = aligned_alloc(4096, (size_t)pages * 4096);

	if (!p)
		abort();
	memset(p, 0xa5, (size_t)pages * 4096);
	arena_pages += pages;
	return p;
}

void *arena_alloc_wait(u32 pages)
{
	return arena_alloc(pages);
}

void arena_free(void *p, u32 pages)
{
	arena_pages -= pages;
	free(p);
}

/* ---- the host's side */

static const char *host_path(const char *path)
{
	return fc_path("tree/%s", path);
}

void host_rename(const char *from, const char *to)
{
	if (rename(host_path(from), host_path(to)) < 0)
		abort();
}

void host_write(const char *path, const char *text)
{
	fc_host_file(host_path(path), text);
}

const char *host_read(const char *path)
{
	static char buf[65536];
	FILE *f = fopen(host_path(path), "r");
	size_t n;

	if (!f)
		return "(none)";
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

int host_compare(const char *path, const void *data, unsigned long len)
{
	static char buf[1 << 20];
	FILE *f = fopen(host_path(path), "r");
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return n == len ? memcmp(buf, data, len) : -1;
}

static struct stat host_stat(const char *path)
{
	struct stat st;

	if (lstat(host_path(path), &st) < 0)
		memset(&st, 0, sizeof(st));
	return st;
}

unsigned int host_mode(const char *path)
{
	return host_stat(path).st_mode;
}

unsigned int host_uid(const char *path)
{
	return host_stat(path).st_uid;
}

long host_size(const char *path)
{
	struct stat st = host_stat(path);

	return st.st_mode ? (long)st.st_size : -1;
}

long host_mtime(const char *path)
{
	return (long)host_stat(path).st_mtime;
}

void host_mkdir(const char *path)
{
	if (mkdir(host_path(path), 0755) < 0)
		abort();
}

void host_symlink(const char *target, const char *path)
{
	if (symlink(target, host_path(path)) < 0)
		abort();
}

void host_unlink(const char *path)
{
	if (unlink(host_path(path)) < 0)
		abort();
}

void host_many(const char *prefix, unsigned int n)
{
	char name[64];

	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%s%u", prefix, i);
		host_write(name, "");
	}
}
