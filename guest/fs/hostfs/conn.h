/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the file server: one call a request, which sleeps until the reply is there. The transport (drivers/fs_chan.h) moves
 * bytes; this layer makes headers and checks replies. Nothing here interprets a file system operation.
 */
#ifndef FS_HOSTFS_CONN_H
#define FS_HOSTFS_CONN_H

#include <linux/fuse.h>

#include "lib/types.h"
#include "mm/page.h"

#define HOSTFS_ARGS_MAX 3

struct hostfs_conn;

struct hostfs_req {
	u32 op; /* FUSE_* */
	u64 nodeid;
	u32 uid, gid; /* of what is created; else 0 */
	u32 nargs;
	struct {
		const void *p;
		u32 len;
	} arg[HOSTFS_ARGS_MAX]; /* fixed part, then strings with their NUL, or a value */
	void *out; /* the reply without its header */
	u32 out_size, out_len; /* room; bytes that came */
	/* Data of READ and WRITE: npages pages, of which page_bytes bytes travel. They take the place of out, or follow the arguments. */
	struct page **pages;
	u32 npages, page_bytes;
};

/*
 * The connection to the server of a tag, shared by all who ask: the first shakes hands, the last to close says DESTROY. 0, -ENODEV (no such
 * device) or -errno. One caller at a time, for closing too.
 */
int hostfs_conn_open(const char *tag, struct hostfs_conn **out);
void hostfs_conn_close(struct hostfs_conn *c);

/* The server of a tag is about to go: whoever still has the connection gets errors from now on, and the next one is another. As above. */
void hostfs_conn_cut(const char *tag);

/* Bytes of data that one READ or WRITE can move: a multiple of the page size. */
u32 hostfs_conn_max_data(const struct hostfs_conn *c);

/* 0 with out_len set, or -errno: the server's, or -EIO when the reply is not one. Sleeps without regard to signals. */
int hostfs_call(struct hostfs_conn *c, struct hostfs_req *r);

/* A request without reply (FORGET, BATCH_FORGET). May wait for room in the queue. */
void hostfs_send(struct hostfs_conn *c, struct hostfs_req *r);

#define HOSTFS_ARG(r, i, ptr, n) \
	do { \
		(r)->arg[i].p = (ptr); \
		(r)->arg[i].len = (u32)(n); \
		(r)->nargs = (i) + 1; \
	} while (0)

#endif
