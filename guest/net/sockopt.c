/* SPDX-License-Identifier: Apache-2.0 */
/* Socket options of level SOL_SOCKET, socket(7). Other levels belong to the families. */
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "net/socket.h"

#define BUF_MIN 4608u
#define BUF_MAX 425984u

struct timeval_k {
	s64 sec, usec;
};

static int opt_int(uaddr_t val, u32 len, int *out)
{
	s32 v;

	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	*out = v;
	return 0;
}

static int opt_timeout(uaddr_t val, u32 len, u64 *out)
{
	struct timeval_k tv;

	if (len < sizeof(tv))
		return -EINVAL;
	if (get_user(tv, val))
		return -EFAULT;
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -EDOM;
	if (tv.sec < 0)
		tv.sec = tv.usec = 0;
	*out = MIN((u64)tv.sec, 1UL << 32) * NSEC_PER_SEC + (u64)tv.usec * NSEC_PER_USEC;
	return 0;
}

static int opt_linger(struct socket *s, uaddr_t val, u32 len)
{
	s32 l[2];

	if (len < sizeof(l))
		return -EINVAL;
	if (get_user(l, val))
		return -EFAULT;
	s->linger_on = !!l[0];
	s->linger_sec = (u32)l[1];
	return 0;
}

static u32 buf_size(int v)
{
	u64 doubled = v < 0 ? 0 : (u64)v * 2;

	return (u32)MAX(MIN(doubled, (u64)BUF_MAX), (u64)BUF_MIN);
}

static int opt_set_int(struct socket *s, int opt, int v)
{
	switch (opt) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		s->sndbuf = buf_size(v);
		s->sndbuf_set = true;
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		s->rcvbuf = buf_size(v);
		s->rcvbuf_set = true;
		return 0;
	case SO_PASSCRED:
		s->passcred = !!v;
		return 0;
	case SO_REUSEADDR:
		s->reuseaddr = !!v;
		return 0;
	case SO_REUSEPORT:
		s->reuseport = !!v;
		return 0;
	case SO_OOBINLINE:
		s->oobinline = !!v;
		return 0;
	case SO_DONTROUTE:
		s->dontroute = !!v;
		return 0;
	case SO_NO_CHECK:
		s->no_check = !!v;
		return 0;
	case SO_RCVLOWAT:
		s->rcvlowat = v < 0 ? INT_MAX : v ? (u32)v : 1;
		return 0;
	case SO_KEEPALIVE:
		s->keepalive = !!v;
		return 0;
	case SO_BROADCAST:
		s->broadcast = !!v;
		return 0;
	case SO_PRIORITY:
		s->priority = (u32)v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int sockopt_set(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	int v, r;

	if (level != SOL_SOCKET)
		return s->ops->setsockopt ? s->ops->setsockopt(s, level, opt, val, len)
					  : -EOPNOTSUPP;
	switch (opt) {
	case SO_RCVTIMEO_OLD:
		return opt_timeout(val, len, &s->rcvtimeo);
	case SO_SNDTIMEO_OLD:
		return opt_timeout(val, len, &s->sndtimeo);
	case SO_LINGER:
		return opt_linger(s, val, len);
	default:
		r = opt_int(val, len, &v);
		if (!r)
			r = opt_set_int(s, opt, v);
		if (!r && s->ops->options_changed)
			s->ops->options_changed(s);
		return r;
	}
}

/* Value of an integer option, or -ENOPROTOOPT. */
static s64 opt_get_int(struct socket *s, int opt)
{
	switch (opt) {
	case SO_TYPE:
		return s->type;
	case SO_DOMAIN:
		return s->family;
	case SO_PROTOCOL:
		return s->protocol;
	case SO_ERROR:
		return s->ops->take_error ? s->ops->take_error(s) : 0;
	case SO_SNDBUF:
		return s->sndbuf;
	case SO_RCVBUF:
		return s->rcvbuf;
	case SO_PASSCRED:
		return s->passcred;
	case SO_REUSEADDR:
		return s->reuseaddr;
	case SO_KEEPALIVE:
		return s->keepalive;
	case SO_BROADCAST:
		return s->broadcast;
	case SO_PRIORITY:
		return s->priority;
	case SO_RCVLOWAT:
		return s->rcvlowat;
	case SO_SNDLOWAT:
		return 1;
	case SO_REUSEPORT:
		return s->reuseport;
	case SO_OOBINLINE:
		return s->oobinline;
	case SO_DONTROUTE:
		return s->dontroute;
	case SO_NO_CHECK:
		return s->no_check;
	case SO_ACCEPTCONN:
		return s->ops->listening && s->ops->listening(s);
	default:
		return -ENOPROTOOPT;
	}
}

static int opt_get(struct socket *s, int opt, void *buf, u32 *len)
{
	struct timeval_k tv;
	s32 pair[2];
	s64 v;
	s32 i;

	switch (opt) {
	case SO_RCVTIMEO_OLD:
	case SO_SNDTIMEO_OLD:
		v = (s64)(opt == SO_RCVTIMEO_OLD ? s->rcvtimeo : s->sndtimeo);
		tv = (struct timeval_k){ v / (s64)NSEC_PER_SEC,
			v % (s64)NSEC_PER_SEC / (s64)NSEC_PER_USEC };
		memcpy(buf, &tv, *len = sizeof(tv));
		return 0;
	case SO_LINGER:
		pair[0] = (s32)s->linger_on;
		pair[1] = (s32)s->linger_sec;
		memcpy(buf, pair, *len = sizeof(pair));
		return 0;
	case SO_PEERCRED:
		*len = sizeof(struct ucred);
		if (s->ops->peercred)
			return s->ops->peercred(s, buf);
		memcpy(buf, &(struct ucred){ 0, -1u, -1u }, *len);
		return 0;
	default:
		v = opt_get_int(s, opt);
		if (v < 0)
			return (int)v;
		i = (s32)v;
		memcpy(buf, &i, *len = sizeof(i));
		return 0;
	}
}

int sockopt_get(struct socket *s, int level, int opt, uaddr_t val, uaddr_t lenp)
{
	struct sock_optval v;
	s32 want;
	u32 len;
	int r;

	if (get_user(want, lenp))
		return -EFAULT;
	if (want < 0)
		return -EINVAL;
	if (level == SOL_SOCKET)
		r = opt_get(s, opt, v.buf, &v.len);
	else
		r = s->ops->getsockopt ? s->ops->getsockopt(s, level, opt, &v) : -EOPNOTSUPP;
	if (r)
		return r;
	len = MIN(v.len, (u32)want);
	if (copy_to_user(val, v.buf, len) || put_user((s32)len, lenp))
		return -EFAULT;
	return 0;
}
