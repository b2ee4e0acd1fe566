/* SPDX-License-Identifier: Apache-2.0 */
/* Images: files that came from outside the served trees (casemate/fsdev.h). A node of one lies below no root, and its descriptor is the file itself. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <unistd.h>

void fsd_images_init(struct fsd_engine *e)
{
	for (unsigned int i = 0; i < CM_FSDEV_IMAGES; i++)
		e->images[i].fd = -1;
	e->roots[FSD_ROOT_IMAGES] = (struct fsd_root){ .fd = -1, .readonly = true };
}

static void image_close(struct fsd_image *i)
{
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
}

void fsd_images_reset(struct fsd_engine *e)
{
	for (unsigned int i = 0; i < CM_FSDEV_IMAGES; i++)
		image_close(&e->images[i]);
}

static struct fsd_image *image_find(struct fsd_engine *e, uint32_t number)
{
	for (unsigned int i = 0; i < CM_FSDEV_IMAGES; i++) {
		if (e->images[i].fd >= 0 && e->images[i].number == number)
			return &e->images[i];
	}
	return NULL;
}

int fsd_engine_image(struct fsd_engine *e, uint32_t number, int fd)
{
	struct fsd_image *i = &e->images[e->image_next];
	struct statx stx;
	int r = fsd_stat(fd, &stx);

	if (r == 0 && S_ISDIR(stx.stx_mode))
		r = -EISDIR;
	else if (r == 0 &&
		 (!S_ISREG(stx.stx_mode) || number < CM_FSDEV_IMAGE_FIRST || image_find(e, number)))
		r = -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	image_close(i);
	i->number = number;
	i->fd = fd;
	e->image_next = (e->image_next + 1) % CM_FSDEV_IMAGES;
	return 0;
}

void fsd_engine_image_drop(struct fsd_engine *e, uint32_t number)
{
	struct fsd_image *i = image_find(e, number);

	if (i)
		image_close(i);
}

int fsd_node_image(struct fsd_engine *e, uint32_t number, struct fsd_node **out, struct statx *stx)
{
	struct fsd_image *i = image_find(e, number);
	int fd;

	if (!i)
		return -ENOENT;
	fd = i->fd;
	i->fd = -1;
	return fsd_node_add(e, FSD_ROOT_IMAGES, fd, out, stx);
}
