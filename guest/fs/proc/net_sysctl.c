/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sys/net: the sizes and ways of guest/net. Most are read only: nothing of it can be changed. */
#include "fs/proc/proc.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_ns.h"
#include "task/user_ns.h"

#define SHOW(fn, fmt, ...) \
	static int fn(struct proc_buf *b, struct proc_ctx *c) \
	{ \
		(void)c; \
		proc_printf(b, fmt "\n", __VA_ARGS__); \
		return 0; \
	}

SHOW(show_zero, "%d", 0)
SHOW(show_one, "%d", 1)
SHOW(show_two, "%d", 2)
SHOW(show_somaxconn, "%d", 4096)
SHOW(show_buf_default, "%d", 212992)
SHOW(show_qdisc, "%s", "noqueue")
SHOW(show_privileged, "%u", READ_ONCE(net_ns_current()->privileged_ports))
SHOW(show_port_range, "%u\t%u", PORT_EPHEMERAL_MIN, PORT_EPHEMERAL_MAX)
SHOW(show_fin_timeout, "%d", 60)
SHOW(show_keep_time, "%d", 7200)
SHOW(show_keep_intvl, "%d", 75)
SHOW(show_keep_probes, "%d", 9)
SHOW(show_syn_retries, "%d", 6)
SHOW(show_tcp_rmem, "%d\t%d\t%d", 4096, 131072, 425984)
SHOW(show_tcp_wmem, "%d\t%d\t%d", 4096, 16384, 425984)
SHOW(show_congestion, "%s", "cubic")
SHOW(show_congestions, "%s", "reno cubic")
SHOW(show_max_tw, "%u", PORT_TIMEWAIT_MAX)
SHOW(show_ttl, "%d", 64)
SHOW(show_qlen, "%d", 10)

static s64 set_privileged(struct proc_ctx *c, char *text, size_t len)
{
	size_t n = strlen(text);
	u64 v;

	(void)c;
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	if (!proc_number(text, &v) || v > 65535)
		return -EINVAL;
	WRITE_ONCE(net_ns_current()->privileged_ports, (u32)v);
	return (s64)len;
}

/* Kept and shown: packets are forwarded to nobody. */
static u64 forward;
static const struct proc_tunable tunable_forward = { .val = &forward, .min = 0, .max = 1 };

static int show_ping_range(struct proc_buf *b, struct proc_ctx *c)
{
	const struct net_ns *net = net_ns_current();
	u32 first = READ_ONCE(net->ping_first), last = READ_ONCE(net->ping_last);

	(void)c;
	if (first > last)
		proc_printf(b, "1\t0\n");
	else
		proc_printf(b, "%u\t%u\n", gid_shown(first), gid_shown(last));
	return 0;
}

/* The second number may be missing: 0. */
static s64 write_ping_range(struct proc_ctx *c, char *text, size_t len)
{
	struct net_ns *net = net_ns_current();
	size_t n = strlen(text);
	char *second = text;
	u64 v[2] = { 0, 0 };
	u32 first = 1, last = 0;

	(void)c;
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	while (*second && *second != ' ' && *second != '\t')
		second++;
	while (*second == ' ' || *second == '\t')
		*second++ = '\0';
	if (!proc_number(text, &v[0]) || (*second && !proc_number(second, &v[1])) ||
		v[0] >= UINT32_MAX || v[1] >= UINT32_MAX)
		return -EINVAL;
	if (v[0] <= v[1]) {
		first = gid_to_kernel((u32)v[0]);
		last = gid_to_kernel((u32)v[1]);
		if (first == ID_NONE || last == ID_NONE)
			return -EINVAL;
	}
	WRITE_ONCE(net->ping_first, first);
	WRITE_ONCE(net->ping_last, last);
	return (s64)len;
}

static const struct proc_entry core_table[] = {
	PROC_FILE("default_qdisc", show_qdisc),
	PROC_FILE("rmem_default", show_buf_default),
	PROC_FILE("rmem_max", show_buf_default),
	PROC_FILE("somaxconn", show_somaxconn),
	PROC_FILE("wmem_default", show_buf_default),
	PROC_FILE("wmem_max", show_buf_default),
	{ .name = NULL },
};

static const struct proc_entry ipv4_table[] = {
	PROC_FILE("ip_default_ttl", show_ttl),
	PROC_TUNABLE("ip_forward", &tunable_forward),
	PROC_FILE("ip_local_port_range", show_port_range),
	PROC_FILE("ip_nonlocal_bind", show_zero),
	PROC_TUNE("ip_unprivileged_port_start", show_privileged, set_privileged),
	PROC_TUNE("ping_group_range", show_ping_range, write_ping_range),
	PROC_FILE("tcp_available_congestion_control", show_congestions),
	PROC_FILE("tcp_congestion_control", show_congestion),
	PROC_FILE("tcp_fastopen", show_one),
	PROC_FILE("tcp_fin_timeout", show_fin_timeout),
	PROC_FILE("tcp_keepalive_intvl", show_keep_intvl),
	PROC_FILE("tcp_keepalive_probes", show_keep_probes),
	PROC_FILE("tcp_keepalive_time", show_keep_time),
	PROC_FILE("tcp_max_syn_backlog", show_somaxconn),
	PROC_FILE("tcp_max_tw_buckets", show_max_tw),
	PROC_FILE("tcp_rmem", show_tcp_rmem),
	PROC_FILE("tcp_syn_retries", show_syn_retries),
	PROC_FILE("tcp_tw_reuse", show_two),
	PROC_FILE("tcp_wmem", show_tcp_wmem),
	{ .name = NULL },
};

static const struct proc_entry conf6_table[] = {
	PROC_FILE("disable_ipv6", show_zero),
	PROC_FILE("forwarding", show_zero),
	{ .name = NULL },
};

static const struct proc_entry confs6_table[] = {
	PROC_DIR("all", conf6_table),
	PROC_DIR("default", conf6_table),
	PROC_DIR("lo", conf6_table),
	{ .name = NULL },
};

static const struct proc_entry ipv6_table[] = {
	PROC_FILE("bindv6only", show_zero),
	PROC_DIR("conf", confs6_table),
	{ .name = NULL },
};

static const struct proc_entry unix_table[] = {
	PROC_FILE("max_dgram_qlen", show_qlen),
	{ .name = NULL },
};

const struct proc_entry proc_sys_net_table[] = {
	PROC_DIR("core", core_table),
	PROC_DIR("ipv4", ipv4_table),
	PROC_DIR("ipv6", ipv6_table),
	PROC_DIR("unix", unix_table),
	{ .name = NULL },
};
