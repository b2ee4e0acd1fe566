/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables. One spinlock a table; it is held for a lookup or for the search of a free number, and files are closed outside it. Small
 * tables (64 descriptors) live inside the object; bigger ones move to allocated arrays that only grow.
 */
#include "fs/fdtable.h"

#include "debug/layout.h"
#include "fs/internal.h"
#include "lib/bitmap.h"
#include "task/task.h"

#define FD_INLINE 64u
#define FD_LIMIT  524288u /* entries of the largest array that kmalloc gives */

struct fdtable {
	struct ref ref;
	struct spinlock lock; /* protects: the rest */
	u32 size;
	u32 next; /* no free descriptor below */
	struct file **files;
	u64 *open, *cloexec;
	struct file *inline_files[FD_INLINE];
	u64 inline_open[1], inline_cloexec[1];
};

DEBUG_FIELD(fdtable, size);
DEBUG_FIELD(fdtable, files);
DEBUG_FIELD(fdtable, open);
DEBUG_FIELD(fdtable, cloexec);

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->size = FD_INLINE;
	t->files = t->inline_files;
	t->open = t->inline_open;
	t->cloexec = t->inline_cloexec;
	return t;
}

static void fdtable_free_arrays(struct fdtable *t)
{
	if (t->files != t->inline_files)
		kfree(t->files);
}

/* Grows to hold descriptor fd. 0 or -ENOMEM/-EMFILE. One allocation: files, then the two bitmaps. */
static int fdtable_grow_locked(struct fdtable *t, u32 fd)
{
	u32 size = t->size;
	struct file **files;
	u64 *open, *cloexec;

	if (fd >= FD_LIMIT - FD_LIMIT / 16)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	size = MIN(size, FD_LIMIT - FD_LIMIT / 16);
	files = kzalloc(size * sizeof(*files) + size / 4);
	if (!files)
		return -ENOMEM;
	open = (u64 *)(files + size);
	cloexec = open + size / 64;
	memcpy(files, t->files, t->size * sizeof(*files));
	memcpy(open, t->open, t->size / 8);
	memcpy(cloexec, t->cloexec, t->size / 8);
	fdtable_free_arrays(t);
	t->files = files;
	t->open = open;
	t->cloexec = cloexec;
	t->size = size;
	return 0;
}

u64 fd_nr_open = 1048576;

struct fdtable *fdtable_dup(struct fdtable *src, int *err)
{
	struct fdtable *t = fdtable_create();
	u32 top;

	*err = -ENOMEM;
	if (!t)
		return NULL;
	if (fdtable_next(src, (int)READ_ONCE(fd_nr_open)) >= 0) {
		*err = -EMFILE;
		kfree(t);
		return NULL;
	}
	spin_lock(&src->lock);
	for (top = src->size; top > FD_INLINE && !src->open[top / 64 - 1]; top -= 64)
		;
	if (top > FD_INLINE && fdtable_grow_locked(t, top - 1) < 0) {
		spin_unlock(&src->lock);
		kfree(t);
		return NULL;
	}
	for (size_t fd = bitmap_next_set(src->open, top, 0); fd < top;
		fd = bitmap_next_set(src->open, top, fd + 1)) {
		if (!src->files[fd])
			continue;
		file_get(src->files[fd]);
		t->files[fd] = src->files[fd];
		bitmap_set(t->open, fd);
		if (bitmap_test(src->cloexec, fd))
			bitmap_set(t->cloexec, fd);
	}
	t->next = src->next;
	spin_unlock(&src->lock);
	*err = 0;
	return t;
}

void fdtable_get(struct fdtable *t)
{
	ref_get(&t->ref);
}

int file_close(struct fdtable *t, struct file *f)
{
	int err = f->ops && f->ops->flush && !(f->mode & FMODE_PATH) ? f->ops->flush(f) : 0;

	if (f->inode && !list_empty(&f->inode->locks))
		lockf_release_posix(f->inode, t);
	file_put(f);
	return err;
}

void fdtable_put(struct fdtable *t)
{
	if (!t || !ref_put(&t->ref))
		return;
	for (size_t fd = bitmap_next_set(t->open, t->size, 0); fd < t->size;
		fd = bitmap_next_set(t->open, t->size, fd + 1)) {
		if (t->files[fd])
			file_close(t, t->files[fd]);
	}
	fdtable_free_arrays(t);
	kfree(t);
}

/* Takes the file out of slot fd, or NULL. */
static struct file *fdtable_take_locked(struct fdtable *t, u32 fd)
{
	struct file *f = t->files[fd];

	t->files[fd] = NULL;
	bitmap_clear(t->open, fd);
	bitmap_clear(t->cloexec, fd);
	if (fd < t->next)
		t->next = fd;
	return f;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (u32 word = 0; word < t->size / 64; word++) {
		for (;;) {
			struct file *f = NULL;
			u64 bits;

			spin_lock(&t->lock);
			bits = t->cloexec[word];
			if (bits)
				f = fdtable_take_locked(t, word * 64 + (u32)__builtin_ctzl(bits));
			spin_unlock(&t->lock);
			if (!bits)
				break;
			if (f)
				file_close(t, f);
		}
	}
}

struct file *fdtable_file(struct fdtable *t, int fd, bool *cloexec)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size) {
		f = t->files[fd];
		if (f)
			file_get(f);
		if (f && cloexec)
			*cloexec = bitmap_test(t->cloexec, (u32)fd);
	}
	spin_unlock(&t->lock);
	return f;
}

int fdtable_next(struct fdtable *t, int from)
{
	size_t fd;

	spin_lock(&t->lock);
	fd = (u32)from < t->size ? bitmap_next_set(t->open, t->size, (u32)from) : t->size;
	if (fd >= t->size)
		fd = (size_t)-1;
	spin_unlock(&t->lock);
	return (int)fd;
}

u32 fdtable_size(struct fdtable *t)
{
	return READ_ONCE(t->size);
}

struct file *fd_get_any(int fd)
{
	return fdtable_file(task_current()->files, fd, NULL);
}

struct file *fd_get(int fd)
{
	struct file *f = fd_get_any(fd);

	if (f && unlikely(f->mode & FMODE_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

static u32 fd_rlimit(void)
{
	u64 lim = task_current()->group->rlim[RLIMIT_NOFILE].rlim_cur;

	return (u32)MIN(lim, (u64)FD_LIMIT);
}

int fd_install(struct file *f, u32 o_cloexec, int from)
{
	struct fdtable *t = task_current()->files;
	u32 limit = fd_rlimit(), start;
	size_t fd;
	int err = 0;

	if (from < 0 || (u32)from >= limit)
		return from ? -EINVAL : -EMFILE;
	spin_lock(&t->lock);
	start = MAX(t->next, (u32)from);
	fd = start < t->size ? bitmap_next_zero(t->open, t->size, start) : start;
	if (fd >= limit)
		err = -EMFILE;
	else if (fd >= t->size)
		err = fdtable_grow_locked(t, (u32)fd);
	if (!err) {
		t->files[fd] = f;
		bitmap_set(t->open, fd);
		if (o_cloexec & O_CLOEXEC)
			bitmap_set(t->cloexec, fd);
		else
			bitmap_clear(t->cloexec, fd);
		if (start == t->next)
			t->next = (u32)fd + 1;
	}
	spin_unlock(&t->lock);
	return err ? err : (int)fd;
}

static int fdtable_replace(struct fdtable *t, u32 fd, struct file *f, bool cloexec)
{
	struct file *old = NULL;
	int err = 0;

	spin_lock(&t->lock);
	if (fd >= t->size)
		err = fdtable_grow_locked(t, fd);
	if (!err) {
		old = t->files[fd];
		t->files[fd] = f;
		bitmap_set(t->open, fd);
		if (cloexec)
			bitmap_set(t->cloexec, fd);
		else
			bitmap_clear(t->cloexec, fd);
	}
	spin_unlock(&t->lock);
	if (old)
		file_close(t, old);
	return err;
}

int fdtable_set(struct fdtable *t, int fd, struct file *f, bool cloexec)
{
	int err = fd < 0 ? -EBADF : fdtable_replace(t, (u32)fd, f, cloexec);

	if (err)
		file_put(f);
	return err;
}

int fd_replace(int fd, struct file *f, u32 o_cloexec)
{
	if (fd < 0 || (u32)fd >= fd_rlimit())
		return -EBADF;
	return fdtable_replace(task_current()->files, (u32)fd, f, o_cloexec & O_CLOEXEC);
}

int fd_close(int fd)
{
	struct fdtable *t = task_current()->files;
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size)
		f = fdtable_take_locked(t, (u32)fd);
	spin_unlock(&t->lock);
	return f ? file_close(t, f) : -EBADF;
}

int fd_cloexec_get(int fd)
{
	bool on = false;
	struct file *f = fdtable_file(task_current()->files, fd, &on);

	if (!f)
		return -EBADF;
	file_put(f);
	return on;
}

int fd_cloexec_set(int fd, bool on)
{
	struct fdtable *t = task_current()->files;
	int err = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd]) {
		if (on)
			bitmap_set(t->cloexec, (u32)fd);
		else
			bitmap_clear(t->cloexec, (u32)fd);
		err = 0;
	}
	spin_unlock(&t->lock);
	return err;
}

void fd_close_range(u32 first, u32 last, bool cloexec_only)
{
	struct fdtable *t = task_current()->files;

	for (u64 fd = first; fd <= last;) {
		struct file *f = NULL;

		spin_lock(&t->lock);
		fd = fd < t->size ? bitmap_next_set(t->open, t->size, fd) : t->size;
		if (fd >= t->size || fd > last) {
			spin_unlock(&t->lock);
			return;
		}
		if (cloexec_only)
			bitmap_set(t->cloexec, fd);
		else
			f = fdtable_take_locked(t, (u32)fd);
		spin_unlock(&t->lock);
		if (f)
			file_close(t, f);
		fd++;
	}
}

bool fdtable_shared(struct fdtable *t)
{
	return atomic_load(&t->ref.count) > 1;
}

/* ---- root and working directory ---- */
struct fs_context *fs_context_create(const struct path *root, const struct path *cwd, u32 umask)
{
	struct fs_context *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref);
	c->root = *root;
	c->cwd = *cwd;
	path_get(&c->root);
	path_get(&c->cwd);
	c->umask = umask;
	return c;
}

struct fs_context *fs_context_dup(struct fs_context *src)
{
	struct path root, cwd;
	struct fs_context *c;

	spin_lock(&src->lock);
	root = src->root;
	cwd = src->cwd;
	path_get(&root);
	path_get(&cwd);
	spin_unlock(&src->lock);
	c = fs_context_create(&root, &cwd, src->umask);
	path_put(&root);
	path_put(&cwd);
	return c;
}

void fs_context_get(struct fs_context *c)
{
	ref_get(&c->ref);
}

void fs_context_put(struct fs_context *c)
{
	if (!c || !ref_put(&c->ref))
		return;
	path_put(&c->root);
	path_put(&c->cwd);
	kfree(c);
}
