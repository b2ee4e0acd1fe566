/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz entry of casemate-fsd's protocol engine: an input is a sequence of requests, each behind a 16-bit length, on a temporary
 * directory. A file beside the served tree must never change or become reachable.
 */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <casemate/fsdev.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/fsd_client.h"

#define FUZZ_IMAGE "65" /* CM_FSDEV_IMAGE_FIRST */
#define FUZZ_BYTES_MAX \
	(1u << 20) /* of one FALLOCATE: the engine rightly has no limit, the test's disk has */

static size_t seed_add(uint8_t *buf, size_t at, uint32_t op, uint64_t node, const void *arg,
	size_t arg_len, const char *s1, const char *s2)
{
	struct fuse_in_header h = { .opcode = op, .nodeid = node, .unique = 1 };
	size_t l1 = s1 ? strlen(s1) + 1 : 0, l2 = s2 ? strlen(s2) + 1 : 0;
	uint16_t len;

	h.len = (uint32_t)(sizeof(h) + arg_len + l1 + l2);
	len = (uint16_t)h.len;
	memcpy(buf + at, &len, sizeof(len));
	at += sizeof(len);
	memcpy(buf + at, &h, sizeof(h));
	at += sizeof(h);
	memcpy(buf + at, arg ? arg : "", arg_len);
	memcpy(buf + at + arg_len, s1 ? s1 : "", l1);
	memcpy(buf + at + arg_len + l1, s2 ? s2 : "", l2);
	return at + arg_len + l1 + l2;
}

/* One of each; the nodes made are 2, 3 and so on. */
size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0644 };
	struct fuse_mkdir_in md = { .mode = 0755 };
	struct fuse_setattr_in sa = { .valid = FATTR_MODE | FATTR_SIZE | FATTR_MTIME, .size = 100 };
	struct fuse_read_in rd = { .size = 4096 };
	struct fuse_getxattr_in gx = { .size = 64 };
	struct fuse_rename2_in rn = { .newdir = 3 };
	struct fuse_link_in ln = { .oldnodeid = 2 };
	struct fuse_lk_in lk = { .owner = 1, .lk = { 0, 5, F_WRLCK, 0 } };
	struct fuse_fallocate_in fa = { .length = 4096 };
	struct fuse_lseek_in ls = { .whence = SEEK_DATA };
	struct fuse_copy_file_range_in cp = { .nodeid_out = 2, .len = 10 };
	struct fuse_batch_forget_in bf = { .count = 1 };
	struct fuse_create_in cr = { .flags = O_RDWR | O_CREAT };
	struct {
		struct fuse_write_in w;
		char data[16];
	} wr = { .w = { .size = 16 }, .data = "0123456789abcde" };
	size_t at = 0;

	if (room < 4096)
		return 0;
	at = seed_add(buf, at, FUSE_MKNOD, 1, &mk, sizeof(mk), "f", NULL);
	at = seed_add(buf, at, FUSE_MKDIR, 1, &md, sizeof(md), "d", NULL);
	at = seed_add(buf, at, FUSE_SYMLINK, 1, NULL, 0, "l", "../outside");
	at = seed_add(buf, at, FUSE_WRITE, 2, &wr, sizeof(wr), NULL, NULL);
	at = seed_add(buf, at, FUSE_READ, 2, &rd, sizeof(rd), NULL, NULL);
	at = seed_add(buf, at, FUSE_SETATTR, 2, &sa, sizeof(sa), NULL, NULL);
	at = seed_add(buf, at, FUSE_READDIRPLUS, 1, &rd, sizeof(rd), NULL, NULL);
	at = seed_add(buf, at, FUSE_GETXATTR, 2, &gx, sizeof(gx), "user.a", NULL);
	at = seed_add(buf, at, FUSE_LINK, 1, &ln, sizeof(ln), "g", NULL);
	at = seed_add(buf, at, FUSE_RENAME2, 1, &rn, sizeof(rn), "g", "h");
	at = seed_add(buf, at, FUSE_SETLK, 2, &lk, sizeof(lk), NULL, NULL);
	at = seed_add(buf, at, FUSE_FALLOCATE, 2, &fa, sizeof(fa), NULL, NULL);
	at = seed_add(buf, at, FUSE_LSEEK, 2, &ls, sizeof(ls), NULL, NULL);
	at = seed_add(buf, at, FUSE_COPY_FILE_RANGE, 2, &cp, sizeof(cp), NULL, NULL);
	at = seed_add(buf, at, FUSE_CREATE, 3, &cr, sizeof(cr), "c", NULL);
	at = seed_add(buf, at, FUSE_LOOKUP, 1, NULL, 0, "l", NULL);
	at = seed_add(buf, at, FUSE_BATCH_FORGET, 0, &bf, sizeof(bf), NULL, NULL);
	at = seed_add(buf, at, FUSE_UNLINK, 1, NULL, 0, "f", NULL);
	at = seed_add(buf, at, FUSE_LOOKUP, CM_FSDEV_VOLUMES_ID, NULL, 0, FUZZ_IMAGE, NULL);
	return seed_add(buf, at, FUSE_READ, 6, &rd, sizeof(rd), NULL, NULL);
}

static void fuzz_one(const uint8_t *req, size_t len)
{
	static uint8_t copy[65536];
	struct fuse_in_header h;
	struct iovec in[2], out = { fc.out, 8192 };

	memcpy(copy, req, len);
	if (len >= sizeof(h) + sizeof(struct fuse_fallocate_in)) {
		struct fuse_fallocate_in a;

		memcpy(&h, copy, sizeof(h));
		memcpy(&a, copy + sizeof(h), sizeof(a));
		a.length %= FUZZ_BYTES_MAX;
		if (h.opcode == FUSE_FALLOCATE)
			memcpy(copy + sizeof(h), &a, sizeof(a));
	}
	in[0] = (struct iovec){ copy, len / 2 };
	in[1] = (struct iovec){ copy + len / 2, len - len / 2 };
	if (fsd_engine_handle(fc.e, in, 2, &out, 1) > 8192)
		abort();
}

static void fuzz_check_outside(void)
{
	char text[16];
	int fd = open(fc_path("outside"), O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));
	struct stat st;

	if (n != 6 || memcmp(text, "secret", 6) != 0 || fstat(fd, &st) < 0 || st.st_nlink != 1)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	fc_start(NULL);
	/* The file beside the tree as an image, which may be read and nothing else. */
	if (fsd_engine_image(fc.e, CM_FSDEV_IMAGE_FIRST, open(fc_path("outside"), O_RDONLY)) < 0)
		abort();
	while (size - at > sizeof(uint16_t)) {
		uint16_t len;

		memcpy(&len, data + at, sizeof(len));
		at += sizeof(len);
		if (len > size - at)
			len = (uint16_t)(size - at);
		fuzz_one(data + at, len);
		at += len;
	}
	fuzz_check_outside();
	fc_stop();
	return 0;
}
