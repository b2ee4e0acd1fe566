/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between descriptors: sendfile, copy_file_range, splice, tee, vmsplice. Data moves through kernel pages. */
#include <linux/fs.h>

#include "fs/pipe.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"

#define COPY_PAGES_ORDER  4u /* 64 KiB at a time */
#define COPY_CHUNK	  (PAGE_SIZE << COPY_PAGES_ORDER)
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL	  15u

/* Copies up to len bytes; both positions move. Bytes, or the first error when nothing was copied. */
static s64 copy_loop(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len)
{
	void *buf = page_alloc_va(COPY_PAGES_ORDER, 0);
	s64 done = 0, ret = 0;

	if (!buf)
		return -ENOMEM;
	while ((u64)done < len && !signal_pending(task_current())) {
		struct iov iov;
		struct uio u;
		u64 at = *ipos;
		s64 got;

		uio_init_kernel(&u, &iov, buf, MIN(len - (u64)done, COPY_CHUNK));
		ret = got = vfs_read(in, &u, ipos);
		if (got <= 0)
			break;
		uio_init_kernel(&u, &iov, buf, (u64)got);
		ret = vfs_write(out, &u, opos);
		if (ret < got) {
			*ipos = at + (u64)MAX(ret, 0L);
			done += MAX(ret, 0L);
			break;
		}
		done += ret;
	}
	page_free_va(buf, COPY_PAGES_ORDER);
	if (!done && ret >= 0 && len && signal_pending(task_current()))
		return -ERESTARTSYS;
	return done ? done : MIN(ret, 0L);
}

/* One side of a copy: the file and where its position is. */
struct copy_end {
	struct file *file;
	uaddr_t uoff; /* 0: the file's own position */
	u64 pos;
};

static s64 copy_end_get(struct copy_end *e, int fd, uaddr_t uoff)
{
	e->file = fd_get(fd);
	e->uoff = uoff;
	e->pos = 0;
	if (!e->file)
		return -EBADF;
	if (uoff) {
		if (get_user(e->pos, uoff))
			return -EFAULT;
		if (e->file->mode & FMODE_STREAM)
			return -ESPIPE;
		if ((s64)e->pos < 0)
			return -EINVAL;
	} else if (!(e->file->mode & FMODE_STREAM)) {
		mutex_lock(&e->file->pos_lock);
		e->pos = e->file->pos;
	}
	return 0;
}

static s64 copy_end_put(struct copy_end *e, s64 ret)
{
	s64 err = 0;

	if (!e->file)
		return 0;
	if (!e->uoff && !(e->file->mode & FMODE_STREAM)) {
		if (ret > 0)
			e->file->pos = e->pos;
		mutex_unlock(&e->file->pos_lock);
	} else if (e->uoff && ret >= 0) {
		err = put_user(e->pos, e->uoff);
	}
	file_put(e->file);
	return err;
}

/*
 * What cannot seek is no source: a caller takes EAGAIN to mean that the other end is full, and what was read and not written would be lost. Into
 * a pipe anything goes but another pipe.
 */
static bool sendfile_takes(struct file *in, struct file *out)
{
	return pipe_of(out) ? !pipe_of(in) : !(in->mode & FMODE_STREAM);
}

/* Both a read and a write in /proc/PID/io. */
static void copy_counted(struct task *t, s64 n)
{
	io_count_read(&t->io, n);
	io_count_write(&t->io, n);
}

s64 sys_sendfile(struct task *t, const struct sysargs *a)
{
	struct copy_end in;
	struct file *out;
	u64 opos = 0;
	s64 ret = copy_end_get(&in, (int)a->a[1], a->a[2]), err;
	bool own;

	if (ret) {
		file_put(in.file);
		return ret;
	}
	out = fd_get((int)a->a[0]);
	own = out && !(out->mode & FMODE_STREAM) && out != in.file;
	if (!out)
		ret = -EBADF;
	else if (!(in.file->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		ret = -EBADF;
	else if ((out->flags & O_APPEND) || !sendfile_takes(in.file, out))
		ret = -EINVAL;
	if (!ret) {
		if (own) {
			mutex_lock(&out->pos_lock);
			opos = out->pos;
		}
		ret = copy_loop(in.file, &in.pos, out, &opos, MIN(a->a[3], RW_MAX));
		copy_counted(t, ret);
		if (own) {
			if (ret > 0)
				out->pos = opos;
			mutex_unlock(&out->pos_lock);
		}
	}
	err = copy_end_put(&in, ret);
	file_put(out);
	return err ? err : ret;
}

static s64 copy_range_check(struct file *in, struct file *out, u64 ipos, u64 opos, u64 len)
{
	u64 end;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (in->inode->swapfile || out->inode->swapfile)
		return -ETXTBSY;
	if (__builtin_add_overflow(ipos, len, &end) || __builtin_add_overflow(opos, len, &end))
		return -EOVERFLOW;
	if (in->inode == out->inode && ipos < opos + len && opos < ipos + len)
		return -EINVAL;
	return 0;
}

static s64 copy_range(struct copy_end *in, struct copy_end *out, u64 len)
{
	s64 ret = -EXDEV;

	if (in->file->inode->sb == out->file->inode->sb && out->file->ops->copy_range) {
		ret = out->file->ops->copy_range(in->file, in->pos, out->file, out->pos, len);
		if (ret >= 0) {
			in->pos += (u64)ret;
			out->pos += (u64)ret;
		}
	}
	if (ret == -EXDEV || ret == -EOPNOTSUPP)
		ret = copy_loop(in->file, &in->pos, out->file, &out->pos, len);
	return ret;
}

s64 sys_copy_file_range(struct task *t, const struct sysargs *a)
{
	struct copy_end in = { .file = NULL }, out = { .file = NULL };
	u64 len = MIN(a->a[4], RW_MAX);
	s64 ret, err;

	if (a->a[5])
		return -EINVAL;
	ret = copy_end_get(&in, (int)a->a[0], a->a[1]);
	if (ret) {
		file_put(in.file);
		return ret;
	}
	/* One file for both ends with its own position twice would lock itself. */
	if (!a->a[1] && !a->a[3]) {
		struct file *f = fd_get((int)a->a[2]);

		ret = f == in.file ? (len ? -EINVAL : 0) : 0;
		file_put(f);
		if (f == in.file) {
			copy_end_put(&in, 0);
			return ret;
		}
	}
	ret = copy_end_get(&out, (int)a->a[2], a->a[3]);
	if (ret) {
		file_put(out.file);
		out.file = NULL;
	} else {
		ret = copy_range_check(in.file, out.file, in.pos, out.pos, len);
		if (!ret && len)
			copy_counted(t, ret = copy_range(&in, &out, len));
	}
	err = copy_end_put(&in, ret) ?: copy_end_put(&out, ret);
	return err ? err : ret;
}

/* ---- splice ---- */
/* A page from the tail of the pipe, shared; len bytes at off. Lock held. 0 or -EAGAIN... */
static s64 pipe_to_file(struct pipe *p, struct file *out, u64 *pos, u64 len, bool nonblock)
{
	s64 done = 0, ret = 0;

	while ((u64)done < len) {
		struct pipe_slot s;
		struct iov iov;
		struct uio u;

		mutex_lock(&p->lock);
		ret = done && pipe_empty(p) ? -EAGAIN : pipe_wait_readable(p, nonblock);
		if (ret || pipe_empty(p)) {
			mutex_unlock(&p->lock);
			break;
		}
		s = *pipe_slot(p, p->tail);
		page_get(s.page);
		mutex_unlock(&p->lock);
		uio_init_kernel(
			&u, &iov, (u8 *)page_va(s.page) + s.off, MIN(s.len, len - (u64)done));
		ret = vfs_write(out, &u, pos);
		page_put(s.page);
		if (ret <= 0)
			break;
		mutex_lock(&p->lock);
		/* Only what this call saw; a concurrent reader may have taken some. */
		if (!pipe_empty(p) && pipe_slot(p, p->tail)->page == s.page)
			pipe_consume(p, MIN((u32)ret, pipe_slot(p, p->tail)->len));
		mutex_unlock(&p->lock);
		pipe_wake_writer(p);
		done += ret;
	}
	return done ? done : ret;
}

/* Adds one slot that owns `page`. Lock held, room is there. */
static void pipe_push(struct pipe *p, struct page *page, u32 off, u32 len, bool shared)
{
	*pipe_slot(p, p->head) =
		(struct pipe_slot){ .page = page, .off = off, .len = len, .shared = shared };
	WRITE_ONCE(p->head, p->head + 1);
}

/* A stream gives what it has: the call waits for the first bytes at most, and with SPLICE_F_NONBLOCK not even for them. */
static bool would_wait(struct file *in, bool may_wait)
{
	return (in->mode & FMODE_STREAM) && !may_wait &&
	       !(file_poll(in, NULL) & (POLLIN | POLLHUP | POLLERR));
}

static s64 file_to_pipe(struct file *in, u64 *pos, struct pipe *p, u64 len, bool nonblock)
{
	s64 done = 0, ret = 0;

	while ((u64)done < len) {
		struct page *page;
		struct iov iov;
		struct uio u;

		if (would_wait(in, !done && !nonblock)) {
			ret = -EAGAIN;
			break;
		}
		mutex_lock(&p->lock);
		ret = done && pipe_full(p) ? -EAGAIN : pipe_wait_writable(p, nonblock);
		if (!ret && !p->readers)
			ret = pipe_broken();
		mutex_unlock(&p->lock);
		if (ret)
			break;
		page = mm_buffer_page();
		if (!page)
			return done ? done : -ENOMEM;
		uio_init_kernel(&u, &iov, page_va(page), MIN(PAGE_SIZE, len - (u64)done));
		ret = vfs_read(in, &u, pos);
		if (ret <= 0) {
			page_put(page);
			break;
		}
		mutex_lock(&p->lock);
		if (pipe_full(p))
			ret = pipe_wait_writable(p, false) ?: ret;
		if (ret > 0)
			pipe_push(p, page, 0, (u32)ret, false);
		mutex_unlock(&p->lock);
		if (ret < 0) {
			page_put(page);
			break;
		}
		pipe_wake_reader(p);
		done += ret;
	}
	return done ? done : ret;
}

static void pipe_lock_two(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock(a < b ? &b->lock : &a->lock);
}

/* Moves (or with `dup` copies by reference) slots from one pipe to another, as far as both allow without waiting again. */
static s64 pipe_to_pipe(struct pipe *in, struct pipe *out, u64 len, bool nonblock, bool dup)
{
	s64 done = 0, ret;
	u32 at;

	mutex_lock(&in->lock);
	ret = pipe_wait_readable(in, nonblock);
	mutex_unlock(&in->lock);
	if (ret)
		return ret;
	mutex_lock(&out->lock);
	ret = pipe_wait_writable(out, nonblock);
	if (!ret && !out->readers)
		ret = pipe_broken();
	mutex_unlock(&out->lock);
	if (ret)
		return ret;
	pipe_lock_two(in, out);
	at = in->tail;
	while ((u64)done < len && at != in->head && !pipe_full(out)) {
		struct pipe_slot *s = pipe_slot(in, at);
		u32 n = (u32)MIN((u64)s->len, len - (u64)done);

		page_get(s->page);
		s->shared = true;
		pipe_push(out, s->page, s->off, n, true);
		done += n;
		if (dup)
			at++;
		else
			pipe_consume(in, n);
		if (!dup)
			at = in->tail;
	}
	mutex_unlock(&in->lock);
	mutex_unlock(&out->lock);
	if (done) {
		pipe_wake_reader(out);
		pipe_wake_writer(in);
	}
	return done;
}

/* Directories, and descriptors of events, have no bytes to move: nobody waits for the pipe first. */
static bool splice_fits(const struct file *f)
{
	if (f->anon_name && !strncmp(f->anon_name, "anon_inode:", 11))
		return false;
	return !f->inode || !S_ISDIR(f->inode->mode);
}

static s64 splice_ends(struct copy_end *in, struct copy_end *out, u64 len, u32 flags)
{
	struct pipe *ip = pipe_of(in->file), *op = pipe_of(out->file);
	bool nonblock = flags & SPLICE_F_NONBLOCK;

	if (!(in->file->mode & FMODE_READ) || !(out->file->mode & FMODE_WRITE))
		return -EBADF;
	if (!splice_fits(in->file) || !splice_fits(out->file))
		return -EINVAL;
	if (ip && op)
		return ip == op ? -EINVAL
				: pipe_to_pipe(ip, op, len,
					  nonblock || (in->file->flags & O_NONBLOCK) ||
						  (out->file->flags & O_NONBLOCK),
					  false);
	if (ip) {
		if (out->file->flags & O_APPEND)
			return -EINVAL;
		return pipe_to_file(
			ip, out->file, &out->pos, len, nonblock || (in->file->flags & O_NONBLOCK));
	}
	if (op)
		return file_to_pipe(
			in->file, &in->pos, op, len, nonblock || (out->file->flags & O_NONBLOCK));
	return -EINVAL;
}

s64 sys_splice(struct task *t, const struct sysargs *a)
{
	struct copy_end in = { .file = NULL }, out = { .file = NULL };
	s64 ret, err;

	(void)t;
	if ((u32)a->a[5] & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!a->a[4])
		return 0;
	if ((int)a->a[0] == (int)a->a[2])
		return -EINVAL;
	ret = copy_end_get(&in, (int)a->a[0], a->a[1]);
	if (ret) {
		file_put(in.file);
		return ret;
	}
	ret = copy_end_get(&out, (int)a->a[2], a->a[3]);
	if (ret) {
		file_put(out.file);
		out.file = NULL;
	} else {
		ret = splice_ends(&in, &out, MIN(a->a[4], RW_MAX), (u32)a->a[5]);
	}
	err = copy_end_put(&in, ret) ?: copy_end_put(&out, ret);
	return err ? err : ret;
}

s64 sys_tee(struct task *t, const struct sysargs *a)
{
	struct file *in, *out = NULL;
	s64 ret = -EINVAL;

	(void)t;
	if ((u32)a->a[3] & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!a->a[2])
		return 0;
	in = fd_get((int)a->a[0]);
	if (in)
		out = fd_get((int)a->a[1]);
	if (!out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		ret = -EBADF;
	else if (pipe_of(in) && pipe_of(out) && pipe_of(in) != pipe_of(out))
		ret = pipe_to_pipe(pipe_of(in), pipe_of(out), a->a[2],
			((u32)a->a[3] & SPLICE_F_NONBLOCK) ||
				((in->flags | out->flags) & O_NONBLOCK),
			true);
	file_put(out);
	file_put(in);
	return ret;
}

/* User memory to a pipe is copied, never given away: later writes of the program do not show in the pipe. */
s64 sys_vmsplice(struct task *t, const struct sysargs *a)
{
	struct file *f;
	struct uvec v;
	u64 pos = 0;
	s64 ret;

	(void)t;
	if ((u32)a->a[3] & ~SPLICE_F_ALL)
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	ret = pipe_of(f) ? uvec_get(&v, a->a[1], a->a[2]) : -EBADF;
	if (!ret) {
		if (f->mode & FMODE_WRITE)
			ret = pipe_write_some(f, &v.uio,
				(f->flags & O_NONBLOCK) || (a->a[3] & SPLICE_F_NONBLOCK));
		else
			ret = vfs_read(f, &v.uio, &pos);
		uvec_put(&v);
	}
	file_put(f);
	return ret;
}
