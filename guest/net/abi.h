/* SPDX-License-Identifier: Apache-2.0 */
/* Socket constants and structures of the Linux user ABI that no uapi header has. */
#ifndef NET_ABI_H
#define NET_ABI_H

#include <asm/socket.h>
#include <linux/socket.h>
#include <linux/un.h>

#include "lib/types.h"

#define AF_UNSPEC  0
#define AF_UNIX	   1
#define AF_INET	   2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_MAX	   46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_LAST 10
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  04000
#define SOCK_CLOEXEC   02000000

#define MSG_OOB		 1u
#define MSG_PEEK	 2u
#define MSG_CTRUNC	 8u
#define MSG_TRUNC	 0x20u
#define MSG_DONTWAIT	 0x40u
#define MSG_EOR		 0x80u
#define MSG_WAITALL	 0x100u
#define MSG_ERRQUEUE	 0x2000u
#define MSG_NOSIGNAL	 0x4000u
#define MSG_MORE	 0x8000u
#define MSG_WAITFORONE	 0x10000u
#define MSG_FASTOPEN	 0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SOL_NETLINK 270

/* <linux/icmp.h> and <linux/icmpv6.h> need a libc, too. */
#define ICMP_ECHOREPLY	    0
#define ICMP_ECHO	    8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129
#define ICMP_FILTER	    1
#define ICMPV6_FILTER	    1

#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD	253

#define SHUT_RD	  0
#define SHUT_WR	  1
#define SHUT_RDWR 2

#define SO_EE_ORIGIN_ICMP_K  2 /* <linux/errqueue.h> needs a libc */
#define SO_EE_ORIGIN_ICMP6_K 3

struct sock_extended_err_k {
	u32 err;
	u8 origin, type, code, pad;
	u32 info, data;
};

struct ucred {
	s32 pid;
	u32 uid, gid;
};

struct user_msghdr {
	uaddr_t name;
	s32 namelen;
	u32 pad0;
	uaddr_t iov;
	u64 iovlen;
	uaddr_t control;
	u64 controllen;
	u32 flags;
	u32 pad1;
};

struct cmsghdr_k {
	u64 len;
	s32 level, type;
};

#endif
