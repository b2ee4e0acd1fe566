/* SPDX-License-Identifier: Apache-2.0 */
/* Socket system calls: decode, copy in, call, copy out. */
#include <asm/fcntl.h>
#include <linux/time_types.h>

#include "fs/fdtable.h"
#include "kernel/clock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/scm.h"
#include "net/net_ns.h"
#include "net/socket.h"
#include "syscall/handlers.h"

#define IOV_MAX	     1024u
#define IOV_FAST     8u
#define RW_MAX	     0x7ffff000UL
#define MMSG_MAX     1024u
#define MMSG_LEN_OFF sizeof(struct user_msghdr)
#define MMSG_SIZE    (sizeof(struct user_msghdr) + 8)

static int addr_read(struct sock_addr *out, uaddr_t p, s64 len)
{
	if (len < 0 || len > (s64)sizeof(out->raw))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	out->len = (u32)len;
	return copy_from_user(out->raw, p, (size_t)len);
}

/* As move_addr_to_user: copies what fits, stores the full length. lenp 0 = not wanted. */
static int addr_write(const struct sock_addr *addr, uaddr_t p, uaddr_t lenp)
{
	s32 room;

	if (get_user(room, lenp))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (room && addr->len && copy_to_user(p, addr->raw, MIN((u32)room, addr->len)))
		return -EFAULT;
	return put_user((s32)addr->len, lenp);
}

s64 sys_socket(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1] & ~SOCK_TYPE_MASK;
	struct file *f;
	int r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = socket_create(net_ns_current(), (u32)a->a[0], (u32)a->a[1] & SOCK_TYPE_MASK,
		(u32)a->a[2], flags, &f);
	if (r)
		return r;
	r = fd_install(f, flags & SOCK_CLOEXEC ? O_CLOEXEC : 0, 0);
	if (r < 0)
		file_put(f);
	return r;
}

/* Both descriptors or none. */
static int pair_install(struct file *fa, struct file *fb, u32 cloexec, uaddr_t out)
{
	s32 fds[2];

	fds[0] = fd_install(fa, cloexec, 0);
	if (fds[0] < 0) {
		file_put(fa);
		file_put(fb);
		return fds[0];
	}
	fds[1] = fd_install(fb, cloexec, 0);
	if (fds[1] < 0) {
		file_put(fb);
		fd_close(fds[0]);
		return fds[1];
	}
	if (!copy_to_user(out, fds, sizeof(fds)))
		return 0;
	fd_close(fds[0]);
	fd_close(fds[1]);
	return -EFAULT;
}

s64 sys_socketpair(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1] & ~SOCK_TYPE_MASK, type = (u32)a->a[1] & SOCK_TYPE_MASK;
	struct socket *sa, *sb;
	struct file *fa, *fb;
	int r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = socket_create(net_ns_current(), (u32)a->a[0], type, (u32)a->a[2], flags, &fa);
	if (r)
		return r;
	r = socket_create(net_ns_current(), (u32)a->a[0], type, (u32)a->a[2], flags, &fb);
	if (r)
		goto err_put;
	sa = fa->priv;
	sb = fb->priv;
	r = sa->ops->pair ? sa->ops->pair(sa, sb) : -EOPNOTSUPP;
	if (!r)
		return pair_install(fa, fb, flags & SOCK_CLOEXEC ? O_CLOEXEC : 0, a->a[3]);
	file_put(fb);
err_put:
	file_put(fa);
	return r;
}

/* Calls fn with the socket that the first argument names. */
static s64 with_socket(
	const struct sysargs *a, s64 (*fn)(struct socket *s, const struct sysargs *a))
{
	struct file *f;
	int err;
	struct socket *s = socket_of_fd((int)a->a[0], &f, &err);
	s64 r;

	if (!s)
		return err;
	r = fn(s, a);
	file_put(f);
	return r;
}

static s64 do_bind(struct socket *s, const struct sysargs *a)
{
	struct sock_addr addr;
	int r = addr_read(&addr, a->a[1], (s32)a->a[2]);

	return r ? r : s->ops->bind(s, &addr);
}

s64 sys_bind(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_bind);
}

static s64 do_connect(struct socket *s, const struct sysargs *a)
{
	struct sock_addr addr;
	int r = addr_read(&addr, a->a[1], (s32)a->a[2]);

	return r ? r : s->ops->connect(s, &addr);
}

s64 sys_connect(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_connect);
}

static s64 do_listen(struct socket *s, const struct sysargs *a)
{
	return s->ops->listen ? s->ops->listen(s, (int)a->a[1]) : -EOPNOTSUPP;
}

s64 sys_listen(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_listen);
}

static s64 accept_install(struct socket *s, struct file *nf, u32 flags, uaddr_t addr, uaddr_t lenp)
{
	struct socket *ns = nf->priv;
	struct sock_addr peer;
	int r = s->ops->accept(s, ns, socket_nonblock(s, 0));

	if (r)
		return r;
	if (addr) {
		r = s->ops->getname(ns, &peer, true);
		if (r)
			return r == -ENOTCONN ? -ECONNABORTED : r;
		r = addr_write(&peer, addr, lenp);
		if (r)
			return r;
	}
	return fd_install(nf, flags & SOCK_CLOEXEC ? O_CLOEXEC : 0, 0);
}

static s64 do_accept(struct socket *s, const struct sysargs *a)
{
	u32 flags = (u32)a->a[3];
	struct file *nf;
	s64 r;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	if (!s->ops->listening(s))
		return s->type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
	r = socket_create(s->net, s->family, s->type, s->protocol, flags, &nf);
	if (r)
		return r;
	r = accept_install(s, nf, flags, a->a[1], a->a[2]);
	if (r < 0)
		file_put(nf);
	return r;
}

s64 sys_accept4(struct task *t, const struct sysargs *a)
{
	if ((u32)a->a[3] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	return with_socket(a, do_accept);
}

s64 sys_accept(struct task *t, const struct sysargs *a)
{
	struct sysargs plain = *a;

	plain.a[3] = 0;
	return with_socket(&plain, do_accept);
}

static s64 getname(struct socket *s, const struct sysargs *a, bool peer)
{
	struct sock_addr addr;
	int r = s->ops->getname(s, &addr, peer);

	return r ? r : addr_write(&addr, a->a[1], a->a[2]);
}

static s64 do_getsockname(struct socket *s, const struct sysargs *a)
{
	return getname(s, a, false);
}

s64 sys_getsockname(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_getsockname);
}

static s64 do_getpeername(struct socket *s, const struct sysargs *a)
{
	return getname(s, a, true);
}

s64 sys_getpeername(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_getpeername);
}

static s64 do_sendto(struct socket *s, const struct sysargs *a)
{
	struct sock_addr addr = { .len = 0 };
	struct scm scm;
	struct iov iov;
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = (u32)a->a[3], .name = &addr, .scm = &scm };
	s64 n;

	scm_init(&scm);
	uio_init_user(&u, &iov, a->a[1], MIN(a->a[2], RW_MAX));
	n = a->a[4] ? addr_read(&addr, a->a[4], (s32)a->a[5]) : 0;
	if (!n)
		n = s->ops->send(s, &m);
	scm_fini(&scm);
	return n;
}

s64 sys_sendto(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_sendto);
}

static s64 do_recvfrom(struct socket *s, const struct sysargs *a)
{
	struct sock_addr addr = { .len = 0 };
	struct scm scm;
	struct iov iov;
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = (u32)a->a[3], .name = &addr, .scm = &scm };
	s64 n;

	scm_init(&scm);
	uio_init_user(&u, &iov, a->a[1], MIN(a->a[2], RW_MAX));
	n = s->ops->recv(s, &m);
	if (n >= 0 && a->a[4]) {
		int r = addr_write(&addr, a->a[4], a->a[5]);

		if (r)
			n = r;
	}
	scm_fini(&scm);
	return n;
}

s64 sys_recvfrom(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_recvfrom);
}

/* A message header with its vector in kernel form. */
struct msg_buf {
	struct user_msghdr h;
	struct iov fast[IOV_FAST], *iov;
	struct uio u;
	struct sock_addr addr;
	struct scm scm;
	struct sock_cmsgs cmsgs;
};

static int iov_read(struct msg_buf *b)
{
	u64 total = 0;

	if (b->h.iovlen > IOV_MAX)
		return -EMSGSIZE;
	b->iov = b->fast;
	if (b->h.iovlen > IOV_FAST)
		b->iov = kmalloc(b->h.iovlen * sizeof(struct iov));
	if (!b->iov)
		return -ENOMEM;
	if (copy_from_user(b->iov, b->h.iov, b->h.iovlen * sizeof(struct iov)))
		return -EFAULT;
	for (u64 i = 0; i < b->h.iovlen; i++) {
		if ((s64)b->iov[i].len < 0)
			return -EINVAL;
		b->iov[i].len = MIN(b->iov[i].len, RW_MAX - total);
		total += b->iov[i].len;
	}
	b->u = (struct uio){ .iov = b->iov, .niov = (u32)b->h.iovlen, .left = total };
	return 0;
}

static int msg_buf_read(struct msg_buf *b, uaddr_t p)
{
	b->iov = b->fast;
	b->addr.len = 0;
	scm_init(&b->scm);
	b->cmsgs.n = 0;
	b->scm.extra = &b->cmsgs;
	if (get_user(b->h, p))
		return -EFAULT;
	if (b->h.name && b->h.namelen < 0)
		return -EINVAL;
	return iov_read(b);
}

static void msg_buf_free(struct msg_buf *b)
{
	if (b->iov != b->fast)
		kfree(b->iov);
	scm_fini(&b->scm);
}

static s64 send_user_msg(struct socket *s, uaddr_t p, u32 flags)
{
	struct msg_buf b;
	struct sock_msg m = { .uio = &b.u, .flags = flags, .name = &b.addr, .scm = &b.scm };
	s64 r = msg_buf_read(&b, p);

	if (!r && b.h.name && b.h.namelen)
		r = addr_read(&b.addr, b.h.name, MIN((s64)b.h.namelen, (s64)sizeof(b.addr.raw)));
	if (!r && b.h.control && b.h.controllen)
		r = b.h.controllen > 65536 ? -ENOBUFS
					   : scm_read_user(&b.scm, b.h.control, b.h.controllen);
	if (!r)
		r = s->ops->send(s, &m);
	msg_buf_free(&b);
	return r;
}

/* Names, control data and flags back to the header at p. */
static int recv_finish(
	struct socket *s, struct msg_buf *b, struct sock_msg *m, u32 flags, uaddr_t p)
{
	u64 control = b->h.control ? b->h.controllen : 0;
	s32 namelen = (s32)b->addr.len;
	u32 out =
		m->out_flags |
		(flags & MSG_CMSG_CLOEXEC); /* Linux gives it back, and Go's library asks for it */

	if (scm_write_user(
		    &b->scm, s->passcred, flags & MSG_CMSG_CLOEXEC, b->h.control, &control, &out))
		return -EFAULT;
	if (b->h.name) {
		if (copy_to_user(b->h.name, b->addr.raw, MIN((u32)b->h.namelen, b->addr.len)) ||
			put_user(namelen, p + offsetof(struct user_msghdr, namelen)))
			return -EFAULT;
	}
	if (put_user(out, p + offsetof(struct user_msghdr, flags)) ||
		put_user(control, p + offsetof(struct user_msghdr, controllen)))
		return -EFAULT;
	return 0;
}

static s64 recv_user_msg(struct socket *s, uaddr_t p, u32 flags)
{
	struct msg_buf b;
	struct sock_msg m = { .uio = &b.u, .flags = flags, .name = &b.addr, .scm = &b.scm };
	s64 n = msg_buf_read(&b, p);

	if (!n)
		n = s->ops->recv(s, &m);
	if (n >= 0) {
		int r = recv_finish(s, &b, &m, flags, p);

		if (r)
			n = r;
	}
	msg_buf_free(&b);
	return n;
}

static s64 do_sendmsg(struct socket *s, const struct sysargs *a)
{
	return send_user_msg(s, a->a[1], (u32)a->a[2]);
}

s64 sys_sendmsg(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_sendmsg);
}

static s64 do_recvmsg(struct socket *s, const struct sysargs *a)
{
	return recv_user_msg(s, a->a[1], (u32)a->a[2]);
}

s64 sys_recvmsg(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_recvmsg);
}

static s64 do_sendmmsg(struct socket *s, const struct sysargs *a)
{
	u32 want = (u32)MIN(a->a[2], (u64)MMSG_MAX), done = 0;
	s64 n = 0;

	for (; done < want; done++) {
		uaddr_t p = a->a[1] + done * MMSG_SIZE;

		n = send_user_msg(s, p, (u32)a->a[3]);
		if (n >= 0 && put_user((u32)n, p + MMSG_LEN_OFF))
			n = -EFAULT;
		if (n < 0)
			break;
	}
	return done ? done : n;
}

s64 sys_sendmmsg(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_sendmmsg);
}

static int mmsg_deadline(uaddr_t p, u64 *deadline)
{
	struct __kernel_timespec ts;

	*deadline = WAIT_FOREVER;
	if (!p)
		return 0;
	if (get_user(ts, p))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*deadline =
		clock_monotonic() + MIN((u64)ts.tv_sec, 1UL << 32) * NSEC_PER_SEC + (u64)ts.tv_nsec;
	return 0;
}

static s64 do_recvmmsg(struct socket *s, const struct sysargs *a)
{
	u32 want = (u32)MIN(a->a[2], (u64)MMSG_MAX), done = 0, flags = (u32)a->a[3];
	u64 deadline;
	s64 n = 0;
	int r = mmsg_deadline(a->a[4], &deadline);

	if (r)
		return r;
	/* The timeout is looked at after each message only, as on Linux. */
	while (done < want) {
		uaddr_t p = a->a[1] + done * MMSG_SIZE;

		n = recv_user_msg(s, p, flags & ~MSG_WAITFORONE);
		if (n >= 0 && put_user((u32)n, p + MMSG_LEN_OFF))
			n = -EFAULT;
		if (n < 0)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_monotonic() >= deadline)
			break;
	}
	return done ? done : n;
}

s64 sys_recvmmsg(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_recvmmsg);
}

static s64 do_shutdown(struct socket *s, const struct sysargs *a)
{
	return a->a[1] > SHUT_RDWR ? -EINVAL : s->ops->shutdown(s, (int)a->a[1]);
}

s64 sys_shutdown(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_shutdown);
}

static s64 do_setsockopt(struct socket *s, const struct sysargs *a)
{
	if ((s32)a->a[4] < 0)
		return -EINVAL;
	return sockopt_set(s, (int)a->a[1], (int)a->a[2], a->a[3], (u32)a->a[4]);
}

s64 sys_setsockopt(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_setsockopt);
}

static s64 do_getsockopt(struct socket *s, const struct sysargs *a)
{
	return sockopt_get(s, (int)a->a[1], (int)a->a[2], a->a[3], a->a[4]);
}

s64 sys_getsockopt(struct task *t, const struct sysargs *a)
{
	return with_socket(a, do_getsockopt);
}
