/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of the guest as results of calls. */
#include <config.h>
#include "control/call.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* When the process began, as ps(1) shows it, in UTC. */
static void ps_start(const struct sandbox *s, uint64_t start_ns, char *buf, size_t size)
{
	time_t now = time(NULL), at = s->boot_time + (time_t)(start_ns / 1000000000);
	struct tm day, tm;

	gmtime_r(&now, &day);
	gmtime_r(&at, &tm);
	if (tm.tm_year == day.tm_year && tm.tm_yday == day.tm_yday)
		strftime(buf, size, "%H:%M", &tm);
	else
		strftime(buf, size, tm.tm_year == day.tm_year ? "%b%d" : "%Y", &tm);
}

json_t *call_ps_result(const struct sandbox *s, const struct cm_rpc_frame *f)
{
	json_t *list = json_array();
	struct cm_rpc_proc p;
	char stime[16], cpu[32];
	int r = 1;

	for (uint32_t i = 0; (r = cm_rpc_decode_proc(f, i, &p)) > 0; i++) {
		uint64_t ms = p.cpu_ns / 1000000;

		ps_start(s, p.start_ns, stime, sizeof(stime));
		snprintf(cpu, sizeof(cpu), "%llu.%03llus", (unsigned long long)(ms / 1000),
			(unsigned long long)(ms % 1000));
		json_array_append_new(list,
			json_pack("{s:I, s:i, s:i, s:I, s:i, s:s, s:s, s:s, s:s#}", "uid",
				(json_int_t)p.uid, "pid", p.pid, "ppid", p.ppid, "nthreads",
				(json_int_t)p.threads, "c", 0, "tty", "?", "stime", stime, "time",
				cpu, "cmd", p.comm, (int)strnlen(p.comm, sizeof(p.comm))));
	}
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *usage_event(const char *id, const struct cm_rpc_usage *u)
{
	json_int_t used = (json_int_t)(u->total - u->free), cpu = (json_int_t)u->cpu_ns;

	return json_pack(
		"{s:s, s:s, s:{s:{s:{s:I}, s:{}}, s:{s:I, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I}}, s:{s:I}}}",
		"type", "stats", "id", id, "data", "cpu", "usage", "total", cpu, "throttling",
		"memory", "cache", (json_int_t)u->cache, "usage", "limit", (json_int_t)u->total,
		"usage", used, "max", (json_int_t)0, "failcnt", (json_int_t)0, "raw", "anon",
		(json_int_t)u->anon, "oom_kill", (json_int_t)u->oom_kills, "pids", "current",
		(json_int_t)u->processes);
}

json_t *call_usage_result(const struct cm_rpc_frame *f, const char *id)
{
	struct cm_rpc_usage u;

	if (f->hdr.len != sizeof(u))
		return NULL;
	memcpy(&u, f->payload, sizeof(u));
	/* Whatever the guest says: no number wraps. */
	if (u.total > INT64_MAX || u.free > u.total || u.anon > u.total || u.cache > u.total ||
		u.cpu_ns > INT64_MAX)
		return NULL;
	if (id)
		return json_pack("{s:o}", "event", usage_event(id, &u));
	return json_pack("{s:i, s:I, s:I, s:I, s:i, s:i, s:i, s:I}", "Unknown", 0, "System",
		(json_int_t)(u.total - u.free > u.anon + u.cache
				     ? u.total - u.free - u.anon - u.cache
				     : 0),
		"Anonymous", (json_int_t)u.anon, "PageCache", (json_int_t)u.cache, "Mapped", 0,
		"Tmpfs", 0, "Ramdiskfs", 0, "Total", (json_int_t)(u.total - u.free));
}
