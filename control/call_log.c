/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging.Change: what the sentry writes into the sandbox's log, which `casemate --debug` shows and whose end a crash report has: how much of its
 * own doings, and the system calls of programs.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

/* gVisor's names and numbers, and two of ours. 0, or -EINVAL. */
static int log_level(const json_t *v, uint32_t *out)
{
	static const struct {
		const char *name;
		int number; /* in gVisor's enumeration, -1 = not there */
	} levels[] = { { "error", -1 }, { "warning", 0 }, { "info", 1 }, { "debug", 2 } };

	for (uint32_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (json_is_string(v) ? strcmp(json_string_value(v), levels[i].name) == 0
				      : json_is_integer(v) && levels[i].number >= 0 &&
						json_integer_value(v) == levels[i].number) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The system calls of a list of names as bits. 0 or -EINVAL with err naming the one that there is not. */
static int log_calls(const json_t *list, struct cm_rpc_log *q, struct cm_err *err)
{
	const json_t *e;
	size_t i;

	if (list && !json_is_array(list) && !json_is_null(list))
		return cm_err_set(err, 0, "StraceAllowlist: not a list");
	json_array_foreach(list, i, e)
	{
		const char *name = json_string_value(e);
		int nr = name ? seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name)
			      : __NR_SCMP_ERROR;

		if (nr < 0 || nr >= 64 * CM_RPC_LOG_WORDS)
			return cm_err_set(err, 0, "StraceAllowlist: '%.64s' is no system call",
				name ? name : "");
		q->only[nr / 64] |= 1ull << nr % 64;
	}
	return 0;
}

static int log_request(
	const struct sandbox *s, const json_t *arg, struct cm_rpc_log *q, struct cm_err *err)
{
	if (json_is_true(json_object_get(arg, "SetLogPackets")) &&
		json_is_true(json_object_get(arg, "LogPackets")))
		return cm_err_set(err, ENOTSUP, "LogPackets");
	if (json_is_true(json_object_get(arg, "SetEventStrace")))
		return cm_err_set(err, ENOTSUP, "SetEventStrace");
	if (json_is_true(json_object_get(arg, "SetLevel"))) {
		q->which |= CM_RPC_LOG_LEVEL;
		if (log_level(json_object_get(arg, "Level"), &q->level) < 0)
			return cm_err_set(err, 0, "Level: warning, info or debug");
	}
	if (!json_is_true(json_object_get(arg, "SetStrace")))
		return 0;
	if (s->trace_id)
		return cm_err_set(err, EBUSY, "the calls go to the file of --trace");
	q->which |= CM_RPC_LOG_CALLS;
	q->calls = json_is_true(json_object_get(arg, "EnableStrace"));
	return log_calls(json_object_get(arg, "StraceAllowlist"), q, err);
}

void call_log_change(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct cm_rpc_log q = { 0 };
	struct cm_err err;

	if (!json_is_object(arg)) {
		cm_urpc_reply(c, EINVAL, "an object is expected", NULL);
		return;
	}
	if (log_request(s, arg, &q, &err) < 0) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	call_request(s, sandbox_root(s), c, CALL_GUEST, CM_RPC_LOG, &q, sizeof(q));
}
