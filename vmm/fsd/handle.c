/* SPDX-License-Identifier: Apache-2.0 */
/* The handle table: open files and directories of clients that use OPEN. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int fsd_handles_init(struct fsd_engine *e, unsigned int max_handles)
{
	void *p = mmap(NULL, max_handles * sizeof(*e->handles), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	e->handles = p;
	e->max_handles = max_handles;
	e->handle_free = FSD_NIL;
	return 0;
}

bool fsd_handle_room(const struct fsd_engine *e)
{
	return e->handle_free != FSD_NIL || e->handles_top < e->max_handles;
}

int fsd_handle_add(struct fsd_engine *e, int fd, bool dir, uint64_t *fh)
{
	struct fsd_handle *h;

	if (e->handle_free != FSD_NIL) {
		h = &e->handles[e->handle_free];
		e->handle_free = h->next;
	} else if (e->handles_top < e->max_handles) {
		h = &e->handles[e->handles_top++];
		h->gen = 0;
	} else {
		close(fd);
		return -ENFILE;
	}
	h->fd = fd;
	h->dir = dir;
	h->pos = 0;
	/* Never 0: that means "no handle". */
	*fh = ((uint64_t)h->gen << 32) | (uint32_t)(h - e->handles + 1);
	return 0;
}

struct fsd_handle *fsd_handle_get(struct fsd_engine *e, uint64_t fh)
{
	uint32_t i = (uint32_t)fh;
	struct fsd_handle *h;

	if (!i || i > e->handles_top)
		return NULL;
	h = &e->handles[i - 1];
	return h->fd >= 0 && h->gen == fh >> 32 ? h : NULL;
}

void fsd_handle_put(struct fsd_engine *e, struct fsd_handle *h)
{
	close(h->fd);
	h->fd = -1;
	h->gen++;
	h->next = e->handle_free;
	e->handle_free = (uint32_t)(h - e->handles);
}

int fsd_req_fd(struct fsd_req *rq, uint64_t fh, bool write)
{
	struct fsd_handle *h;

	if (!fh)
		return fsd_node_io(rq->e, rq->node, write);
	h = fsd_handle_get(rq->e, fh);
	if (!h)
		return -EBADF;
	return h->dir ? -EISDIR : h->fd;
}

void fsd_handles_reset(struct fsd_engine *e)
{
	for (unsigned int i = 0; i < e->handles_top; i++) {
		if (e->handles[i].fd >= 0)
			fsd_handle_put(e, &e->handles[i]);
	}
}

void fsd_handles_fini(struct fsd_engine *e)
{
	if (!e->handles)
		return;
	fsd_handles_reset(e);
	munmap(e->handles, e->max_handles * sizeof(*e->handles));
}
