/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data: SCM_RIGHTS and SCM_CREDENTIALS, in and out. See unix(7), cmsg(3). */
#include "net/scm.h"

#include <linux/capability.h>

#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "task/pid.h"
#include "task/task.h"
#include "task/user_ns.h"

#define CMSG_ALIGN(n) ALIGN_UP((u64)(n), 8UL)
#define CMSG_HDR      sizeof(struct cmsghdr_k)

void scm_init(struct scm *scm)
{
	memset(scm, 0, sizeof(*scm));
}

void scm_fini(struct scm *scm)
{
	for (u32 i = 0; i < scm->nfiles; i++)
		file_put(scm->files[i]);
	kfree(scm->files);
	scm->files = NULL;
	scm->nfiles = 0;
	pid_assign(&scm->cred.pid, NULL);
}

/* All but the room for other levels' data, which is each side's own. */
static void scm_assign(struct scm *dst, const struct scm *src)
{
	struct sock_cmsgs *own = dst->extra;

	*dst = *src;
	dst->extra = own;
}

void scm_move(struct scm *dst, struct scm *src)
{
	pid_put(dst->cred.pid);
	scm_assign(dst, src);
	src->files = NULL;
	src->nfiles = 0;
	src->cred.pid = NULL;
}

int scm_copy(struct scm *dst, const struct scm *src)
{
	pid_put(dst->cred.pid);
	scm_assign(dst, src);
	pid_get(dst->cred.pid);
	if (!src->nfiles)
		return 0;
	dst->files = kmalloc(src->nfiles * sizeof(struct file *));
	if (!dst->files) {
		dst->nfiles = 0;
		return -ENOMEM;
	}
	for (u32 i = 0; i < src->nfiles; i++) {
		dst->files[i] = src->files[i];
		file_get(dst->files[i]);
	}
	return 0;
}

void scm_fill_cred(struct scm_cred *out)
{
	const struct cred *c = cred_current();

	pid_assign(&out->pid, task_current()->group->id);
	out->uid = c->euid;
	out->gid = c->egid;
}

void scm_copy_cred(struct scm_cred *dst, const struct scm_cred *src)
{
	pid_assign(&dst->pid, src->pid);
	dst->uid = src->uid;
	dst->gid = src->gid;
}

struct ucred scm_user_cred(const struct scm_cred *c)
{
	return (struct ucred){ pid_nr(c->pid), uid_shown(c->uid), gid_shown(c->gid) };
}

static int scm_add_files(struct scm *scm, uaddr_t p, u64 len)
{
	u32 n = (u32)(len / sizeof(s32));
	struct file **files;

	if (scm->nfiles + n > SCM_MAX_FD)
		return -EINVAL;
	files = krealloc(scm->files, scm->nfiles * sizeof(struct file *),
		(scm->nfiles + n) * sizeof(struct file *));
	if (n && !files)
		return -ENOMEM;
	scm->files = files;
	for (u32 i = 0; i < n; i++) {
		struct file *f;
		s32 fd;

		if (get_user(fd, p + i * sizeof(fd)))
			return -EFAULT;
		f = fd_get(fd);
		if (!f)
			return -EBADF;
		scm->files[scm->nfiles++] = f;
	}
	return 0;
}

/* Data of a family's own level: kept for it when it fits, else of no interest. */
static int scm_add_extra(struct scm *scm, const struct cmsghdr_k *h, uaddr_t p)
{
	u64 len = h->len - CMSG_HDR;
	struct sock_cmsg *c;

	if (!scm->extra || scm->extra->n >= SOCK_CMSGS || len > SOCK_CMSG_DATA)
		return 0;
	c = &scm->extra->c[scm->extra->n++];
	c->level = h->level;
	c->type = h->type;
	c->len = (u32)len;
	return copy_from_user(c->data, p, len);
}

void scm_add(struct scm *scm, int level, int type, const void *data, u32 len)
{
	struct sock_cmsg *c;

	if (!scm->extra || scm->extra->n >= SOCK_CMSGS)
		return;
	c = &scm->extra->c[scm->extra->n++];
	c->level = level;
	c->type = type;
	c->len = len;
	memcpy(c->data, data, len);
}

static bool scm_id_allowed(u32 id, u32 real, u32 effective, u32 saved, int cap)
{
	return id == real || id == effective || id == saved || capable_here(cap);
}

static int scm_set_cred(struct scm *scm, uaddr_t p, u64 len)
{
	const struct cred *c = cred_current();
	struct pid *pid;
	struct ucred u;
	u32 uid, gid;

	if (len != sizeof(u))
		return -EINVAL;
	if (get_user(u, p))
		return -EFAULT;
	if (u.pid != task_current()->group->pid &&
		!ns_capable(pid_ns_current()->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	uid = uid_to_kernel(u.uid);
	gid = gid_to_kernel(u.gid);
	if (uid == ID_NONE || gid == ID_NONE)
		return -EINVAL;
	if (!scm_id_allowed(uid, c->uid, c->euid, c->suid, CAP_SETUID) ||
		!scm_id_allowed(gid, c->gid, c->egid, c->sgid, CAP_SETGID))
		return -EPERM;
	pid = pid_find(pid_ns_current(), u.pid);
	if (!pid)
		return -ESRCH;
	pid_put(scm->cred.pid);
	scm->cred = (struct scm_cred){ pid, uid, gid };
	scm->has_cred = true;
	return 0;
}

int scm_read_user(struct scm *scm, uaddr_t p, u64 len)
{
	while (len >= CMSG_HDR) {
		struct cmsghdr_k h;
		int r;

		if (get_user(h, p))
			return -EFAULT;
		if (h.len < CMSG_HDR || h.len > len)
			return -EINVAL;
		if (h.level == SOL_SOCKET) {
			if (h.type == SCM_RIGHTS)
				r = scm_add_files(scm, p + CMSG_HDR, h.len - CMSG_HDR);
			else if (h.type == SCM_CREDENTIALS)
				r = scm_set_cred(scm, p + CMSG_HDR, h.len - CMSG_HDR);
			else
				r = -EINVAL;
		} else {
			r = scm_add_extra(scm, &h, p + CMSG_HDR);
		}
		if (r)
			return r;
		if (CMSG_ALIGN(h.len) >= len)
			break;
		p += CMSG_ALIGN(h.len);
		len -= CMSG_ALIGN(h.len);
	}
	return 0;
}

/* Where the next control message goes. */
struct scm_writer {
	uaddr_t p;
	u64 left, used;
};

static int scm_put_level(struct scm_writer *w, int level, int type, const void *data, u64 len)
{
	struct cmsghdr_k h = { .len = CMSG_HDR + len, .level = level, .type = type };
	u64 step = MIN(CMSG_ALIGN(h.len), w->left);

	if (put_user(h, w->p) || copy_to_user(w->p + CMSG_HDR, data, len))
		return -EFAULT;
	w->p += step;
	w->left -= step;
	w->used += step;
	return 0;
}

static int scm_put(struct scm_writer *w, int type, const void *data, u64 len)
{
	return scm_put_level(w, SOL_SOCKET, type, data, len);
}

/* What does not fit in whole is left out. */
static int scm_put_extra(const struct sock_cmsgs *x, struct scm_writer *w, u32 *out_flags)
{
	int r = 0;

	for (u32 i = 0; i < x->n && !r; i++) {
		const struct sock_cmsg *c = &x->c[i];

		if (w->left < CMSG_HDR + c->len)
			*out_flags |= MSG_CTRUNC;
		else
			r = scm_put_level(w, c->level, c->type, c->data, c->len);
	}
	return r;
}

/* Installs as many descriptors as fit; the rest is dropped with the scm. */
static int scm_put_files(struct scm *scm, struct scm_writer *w, bool cloexec, u32 *out_flags)
{
	u64 room = w->left < CMSG_HDR ? 0 : (w->left - CMSG_HDR) / sizeof(s32);
	u32 n = (u32)MIN(room, (u64)scm->nfiles), done = 0;
	s32 fds[SCM_MAX_FD];

	for (; done < n; done++) {
		int fd;

		file_get(scm->files[done]);
		fd = fd_install(scm->files[done], cloexec ? O_CLOEXEC : 0, 0);
		if (fd < 0) {
			file_put(scm->files[done]);
			break;
		}
		fds[done] = fd;
	}
	if (done < scm->nfiles)
		*out_flags |= MSG_CTRUNC;
	return done ? scm_put(w, SCM_RIGHTS, fds, done * sizeof(s32)) : 0;
}

int scm_write_user(
	struct scm *scm, bool passcred, bool cloexec, uaddr_t p, u64 *len, u32 *out_flags)
{
	struct scm_writer w = { .p = p, .left = *len };
	int r = 0;

	if (passcred) {
		struct ucred u = scm_user_cred(&scm->cred);

		if (w.left < CMSG_HDR + sizeof(u))
			*out_flags |= MSG_CTRUNC;
		else
			r = scm_put(&w, SCM_CREDENTIALS, &u, sizeof(u));
	}
	if (!r && scm->nfiles)
		r = scm_put_files(scm, &w, cloexec, out_flags);
	if (!r && scm->extra)
		r = scm_put_extra(scm->extra, &w, out_flags);
	*len = w.used;
	return r;
}
