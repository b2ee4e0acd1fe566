/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of ProcfsDump made of the text that /proc holds. What is missing or makes no sense in it is left out. */
#include <config.h>
#include "control/procfs.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "casemate/rpc.h"
#include "common/cleanup.h"

/* Bytes of the guest as a string: those that are no UTF-8 become '?'. */
static json_t *procfs_text(const char *p, size_t len)
{
	json_t *o = json_stringn(p, len);
	cleanup_free char *copy = o ? NULL : malloc(len + 1);

	if (o || !copy)
		return o;
	for (size_t i = 0; i < len; i++)
		copy[i] = p[i] & 0x80 ? '?' : p[i];
	return json_stringn(copy, len);
}

/* Strings that each end in NUL; the last may lack it. */
static json_t *procfs_words(const char *p, size_t len)
{
	json_t *list = json_array();

	while (len > 0) {
		size_t n = strnlen(p, len);

		json_array_append_new(list, procfs_text(p, n));
		n += n < len;
		p += n;
		len -= n;
	}
	return list;
}

/* What follows "name" at the start of a line, or NULL. */
static const char *procfs_line(const char *text, const char *name)
{
	size_t n = strlen(name);

	while (text && strncmp(text, name, n) != 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text ? text + n : NULL;
}

static json_int_t procfs_number(const char *text, const char *name)
{
	const char *p = procfs_line(text, name);

	return p ? strtoll(p, NULL, 10) : 0;
}

static json_t *procfs_ids(const char *text, const char *name)
{
	const char *p = procfs_line(text, name);
	unsigned id[3] = { 0 };

	if (p && sscanf(p, "%u %u %u", &id[0], &id[1], &id[2]) != 3)
		id[0] = id[1] = id[2] = 0;
	return json_pack("{s:I, s:I, s:I}", "real", (json_int_t)id[0], "effective",
		(json_int_t)id[1], "saved", (json_int_t)id[2]);
}

static json_t *procfs_status(const char *text, size_t len)
{
	const char *comm = procfs_line(text, "Name:\t");

	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:I, s:I}", "comm",
		comm ? procfs_text(comm, strcspn(comm, "\n")) : json_string(""), "pid",
		procfs_number(text, "Pid:"), "ppid", procfs_number(text, "PPid:"), "uid",
		procfs_ids(text, "Uid:"), "gid", procfs_ids(text, "Gid:"), "vm_size",
		procfs_number(text, "VmSize:") * 1024, "vm_rss",
		procfs_number(text, "VmRSS:") * 1024);
}

static json_t *procfs_stat(const char *text, size_t len)
{
	/* The name may hold anything, parentheses too. */
	const char *p = strrchr(text, ')');
	int pgid = 0, sid = 0;

	if (p && sscanf(p + 1, " %*c %*d %d %d", &pgid, &sid) != 2)
		pgid = sid = 0;
	return json_pack("{s:i, s:i}", "pgid", pgid, "sid", sid);
}

static json_int_t procfs_limit(const char *word)
{
	return strncmp(word, "unlimited", 9) == 0 ? -1 : strtoll(word, NULL, 10);
}

static json_t *procfs_limits(const char *text, size_t len)
{
	const char *p = procfs_line(text, "Max open files");
	char soft[24] = "0", hard[24] = "0";

	if (!p || sscanf(p, "%23s %23s", soft, hard) != 2)
		return json_object();
	return json_pack("{s:{s:I, s:I}}", "RLIMIT_NOFILE", "cur", procfs_limit(soft), "max",
		procfs_limit(hard));
}

/* Calls fn for each line, terminated. Changes the text. */
static json_t *procfs_lines(char *text, json_t *(*fn)(char *line))
{
	json_t *list = json_array(), *o;
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		o = fn(line);
		if (o)
			json_array_append_new(list, o);
	}
	return list;
}

static json_t *procfs_cgroup_line(char *line)
{
	char *c = strchr(line, ':'), *path = c ? strchr(c + 1, ':') : NULL;

	if (!path)
		return NULL;
	*c++ = *path++ = '\0';
	return json_pack("{s:I, s:o, s:o}", "hierarchy_id", (json_int_t)strtol(line, NULL, 10),
		"controllers", procfs_text(c, strlen(c)), "path", procfs_text(path, strlen(path)));
}

static json_t *procfs_maps_line(char *line)
{
	unsigned long long start, end, offset, ino;
	unsigned major, minor;
	char perm[5];
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perm, &offset, &major,
		    &minor, &ino, &at) != 7 ||
		strlen(perm) != 4)
		return NULL;
	return json_pack("{s:{s:I, s:I}, s:{s:b, s:b, s:b}, s:b, s:I, s:I, s:I, s:I, s:o}",
		"address", "Start", (json_int_t)start, "End", (json_int_t)end, "permissions",
		"Read", perm[0] == 'r', "Write", perm[1] == 'w', "Execute", perm[2] == 'x',
		"private", perm[3] == 'p', "offset", (json_int_t)offset, "deviceMajor",
		(json_int_t)major, "deviceMinor", (json_int_t)minor, "inode", (json_int_t)ino,
		"pathname", procfs_text(line + at, at ? strlen(line + at) : 0));
}

static json_t *procfs_fd_line(char *line)
{
	unsigned mode;
	int fd, at = 0;

	if (sscanf(line, "%d %o %n", &fd, &mode, &at) != 2 || at == 0)
		return NULL;
	return json_pack("{s:i, s:o, s:I}", "number", fd, "path",
		procfs_text(line + at, strlen(line + at)), "mode", (json_int_t)mode);
}

/* A section as a member; text is terminated behind its len bytes and may be changed. */
static json_t *procfs_member(uint16_t kind, char *text, size_t len)
{
	switch ((enum cm_rpc_section_kind)kind) {
	case CM_RPC_SECTION_CMDLINE:
	case CM_RPC_SECTION_ENVIRON:
		return procfs_words(text, len);
	case CM_RPC_SECTION_EXE:
	case CM_RPC_SECTION_CWD:
	case CM_RPC_SECTION_ROOT:
		return procfs_text(text, len);
	case CM_RPC_SECTION_STATUS:
		return procfs_status(text, len);
	case CM_RPC_SECTION_STAT:
		return procfs_stat(text, len);
	case CM_RPC_SECTION_LIMITS:
		return procfs_limits(text, len);
	case CM_RPC_SECTION_CGROUP:
		return procfs_lines(text, procfs_cgroup_line);
	case CM_RPC_SECTION_MAPS:
		return procfs_lines(text, procfs_maps_line);
	case CM_RPC_SECTION_FDS:
		return procfs_lines(text, procfs_fd_line);
	case CM_RPC_SECTIONS:
		break;
	}
	return NULL;
}

static void procfs_section(json_t *o, json_t *cut, const struct cm_rpc_section *h, const char *data)
{
	static const char *const names[CM_RPC_SECTIONS] = {
		[CM_RPC_SECTION_CMDLINE] = "args",
		[CM_RPC_SECTION_ENVIRON] = "env",
		[CM_RPC_SECTION_EXE] = "exe",
		[CM_RPC_SECTION_CWD] = "cwd",
		[CM_RPC_SECTION_ROOT] = "root",
		[CM_RPC_SECTION_STATUS] = "status",
		[CM_RPC_SECTION_STAT] = "stat",
		[CM_RPC_SECTION_LIMITS] = "limits",
		[CM_RPC_SECTION_CGROUP] = "cgroup",
		[CM_RPC_SECTION_MAPS] = "maps",
		[CM_RPC_SECTION_FDS] = "fdlist",
	};
	cleanup_free char *text = malloc((size_t)h->len + 1);

	if (!text || h->kind >= CM_RPC_SECTIONS || !names[h->kind])
		return;
	memcpy(text, data, h->len);
	text[h->len] = '\0';
	json_object_set_new(o, names[h->kind], procfs_member(h->kind, text, h->len));
	if (h->flags & CM_RPC_SECTION_CUT)
		json_array_append_new(cut, json_string(names[h->kind]));
}

json_t *cm_procfs_entry(const void *payload, size_t len, int64_t boot_ns)
{
	const char *p = payload;
	struct cm_rpc_section h;
	json_t *o, *cut;
	uint64_t start;

	if (len < sizeof(start))
		return NULL;
	memcpy(&start, p, sizeof(start));
	o = json_pack("{s:I}", "clone_ts", (json_int_t)((uint64_t)boot_ns + start));
	cut = json_array();
	for (size_t at = sizeof(start); at < len; at += sizeof(h) + h.len) {
		if (len - at < sizeof(h)) {
			json_decref(o);
			o = NULL;
			break;
		}
		memcpy(&h, p + at, sizeof(h));
		if (h.len > len - at - sizeof(h)) {
			json_decref(o);
			o = NULL;
			break;
		}
		procfs_section(o, cut, &h, p + at + sizeof(h));
	}
	if (o && json_array_size(cut) > 0)
		json_object_set(o, "truncated", cut);
	json_decref(cut);
	return o;
}
