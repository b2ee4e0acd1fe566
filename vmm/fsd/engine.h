/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file server's protocol engine: FUSE requests (linux/fuse.h, version 7.31 and later) in, replies out, over one host directory and
 * any number of volumes (directories or files of the host, found as casemate/fsdev.h says).
 *
 * Threat model: every byte of a request is hostile, and so is concurrent change of the served tree. The engine copies a request once,
 * checks it, then uses the copy; only the data of WRITE and READ is moved straight between the file and the caller's buffers. Names
 * are single components (no '/', not "." or ".."), resolved with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
 * below a descriptor, so nothing outside the tree can be named. Only regular files and directories are ever opened for I/O; a
 * FIFO, socket or device node is an O_PATH descriptor and nothing more. All tables are bounded.
 *
 * Handles: a client may OPEN files as usual, or pass fh 0 in any request that takes one: the engine then opens the node itself and
 * keeps a bounded number of such descriptors. A client that knows its permissions needs no OPEN, RELEASE, OPENDIR or RELEASEDIR.
 *
 * Ownership: objects are created with the uid and gid of the request. The engine does no permission check of its own beyond
 * read-only: the client decides. It runs without CAP_FSETID, so each write, truncation and change of owner drops setuid and
 * setgid bits and file capabilities, as Linux does for a user without that capability (FUSE_HANDLE_KILLPRIV).
 *
 * Roots: a node belongs to the root below which it was found, and two roots share no node, even where they show the same file: so each
 * root is read-only or not by itself. Names and data never pass from one root to another (EXDEV), except by copying into a writable one.
 *
 * Not thread-safe; one engine a process (it changes the working directory and the file system ids of the process).
 */
#ifndef CM_VMM_FSD_ENGINE_H
#define CM_VMM_FSD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FSD_MAX_WRITE	(1024u * 1024) /* bytes of data in one READ or WRITE */
#define FSD_MAX_NODES	65536u /* default bound of nodes that a client holds */
#define FSD_MAX_HANDLES 4096u /* default bound of open handles */
#define FSD_MAX_IO	512u /* descriptors kept for requests with fh 0 */

struct fsd_engine;

/* What SETUPMAPPING and REMOVEMAPPING need of the outside. Both return 0 or -errno. */
struct fsd_dax_ops {
	/* Map len bytes of fd from file offset foff at offset moff of the DAX window. fd is borrowed. */
	int (*map)(void *ctx, int fd, uint64_t foff, uint64_t len, uint64_t moff, bool write);
	int (*unmap)(void *ctx, uint64_t moff, uint64_t len);
};

/* What is served. */
struct fsd_root {
	int fd; /* O_PATH; borrowed for the engine's life */
	bool readonly; /* refuse each change with EROFS */
	bool recursive; /* mounts below it are part of it; for the jail */
};

struct fsd_config {
	const struct fsd_root *roots; /* 0: the tree, a directory; 1 ..: the volumes */
	unsigned int nroots;
	int proc_fd; /* O_PATH of /proc/self/fd: how a node is reopened for I/O; borrowed */
	unsigned int max_nodes; /* 0 = FSD_MAX_NODES; every node is a descriptor */
	unsigned int max_handles; /* 0 = FSD_MAX_HANDLES */
	const struct fsd_dax_ops *dax; /* NULL: no DAX window */
	void *dax_ctx;
};

/*
 * Let the process create files as any user and keep its other rights while it does; clear the umask. Best effort: without the
 * right, requests of other users that create something fail with EPERM. Call while CAP_SETPCAP is still held.
 */
void fsd_creds_prepare(void);

/* 0 with *out set, or -errno. */
int fsd_engine_create(const struct fsd_config *cfg, struct fsd_engine **out);
void fsd_engine_destroy(struct fsd_engine *e);

/* Back to the state before INIT: every node, handle, lock and image of the client is gone. */
void fsd_engine_reset(struct fsd_engine *e);

/*
 * A file that the client may look up once by this number (casemate/fsdev.h), and then read. fd is open for reading alone; it is consumed, also on
 * failure. 0, -EISDIR, -EINVAL for what is no regular file, and for a number that is not one of an image or in use.
 */
int fsd_engine_image(struct fsd_engine *e, uint32_t number, int fd);
/* It will not be looked up. Nothing happens when it was. */
void fsd_engine_image_drop(struct fsd_engine *e, uint32_t number);

/*
 * Serve one request: `in` are the request's bytes, `out` the room for the reply, both possibly in memory that the client changes
 * meanwhile. Returns the number of reply bytes written from the start of `out`; 0 where the request takes no reply (FORGET), is shorter than
 * a header, or `out` has no room for a header.
 */
size_t fsd_engine_handle(struct fsd_engine *e, const struct iovec *in, unsigned int nin,
	const struct iovec *out, unsigned int nout);

#endif
