/* SPDX-License-Identifier: Apache-2.0 */
/* Running commands. */
#include <config.h>
#include "control/debug/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/text.h"

int session_split(char *line, char **argv, int max)
{
	int n = 0;

	for (;;) {
		char *to;
		char quote = 0;

		line += strspn(line, " \t\n");
		if (!*line)
			return n;
		if (n == max)
			return -EINVAL;
		argv[n++] = to = line;
		for (; *line && (quote || !strchr(" \t\n", *line)); line++) {
			if (quote ? *line == quote : *line == '"' || *line == '\'')
				quote = quote ? 0 : *line;
			else
				*to++ = *line;
		}
		if (quote)
			return -EINVAL;
		if (*line)
			line++;
		*to = '\0';
	}
}

static const struct command *session_find(const char *name, struct cm_err *err)
{
	const struct command *c;

	for (c = commands; c->name; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	cm_err_set(err, 0, "unknown command '%s' (see help)", name);
	return NULL;
}

/* A vCPU that does not stop in time is told, and the others are shown all the same. */
static int session_stop(struct session *s, struct cm_err *err)
{
	int r = dbg_pause(s->d, 0, 0, NULL);

	if (r == -ETIMEDOUT && dbg_fd(s->d) >= 0) {
		fprintf(stderr, "casemate debug: a vCPU does not stop\n");
		return 0;
	}
	return r < 0 ? cmd_error(r, err, "stop the vCPUs") : 0;
}

/* ---- the guest's memory */

static int session_read(void *arg, uint64_t gpa, void *buf, size_t len)
{
	return dbg_read_phys(arg, gpa, buf, len);
}

static struct guest *session_make_guest(struct session *s, struct cm_err *err)
{
	const struct cm_dbg_machine *m = dbg_machine(s->d);
	struct guest *g = calloc(1, sizeof(*g));
	unsigned i;

	if (!g) {
		cm_err_set(err, ENOMEM, "read the guest");
		return NULL;
	}
	g->read = session_read;
	g->arg = s->d;
	g->pvm = m->backend == CM_DBG_PVM;
	g->img = s->img;
	for (i = 0; i < m->nranges; i++) {
		if (m->range[i].kind != CM_DBG_RAM)
			continue;
		g->ram_gpa = m->range[i].gpa;
		g->ram_size = m->range[i].len;
	}
	if (guest_init(g, err) == 0)
		return g;
	free(g);
	return NULL;
}

struct guest *session_guest(struct session *s, struct cm_err *err)
{
	const struct cm_dbg_machine *m = dbg_machine(s->d);

	if (!s->img)
		s->img = image_load(s->image_path, m->build_id, m->build_id_len, err);
	if (!s->img)
		return NULL;
	if (!s->g)
		s->g = session_make_guest(s, err);
	return s->g;
}

int session_run(struct session *s, int argc, char **argv, struct cm_err *err)
{
	const struct command *c = session_find(argv[0], err);
	json_t *o;

	if (!c || (c->flags & CMD_STOPPED && session_stop(s, err) < 0))
		return -err->code;
	if (s->g)
		guest_forget(s->g);
	o = c->get(s, argc, argv, err);
	if (c->flags & CMD_STOPPED && dbg_fd(s->d) >= 0)
		dbg_resume(s->d, 0, NULL);
	if (!o)
		return -err->code;
	if (s->json) {
		json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		putchar('\n');
	} else if (c->print) {
		c->print(o, stdout);
	}
	json_decref(o);
	if (fflush(stdout) != 0)
		return cm_err_set(err, errno, "write the answer");
	return 0;
}

/* ---- for commands */

int cmd_words(int argc, char **argv, int min, int max, struct cm_err *err)
{
	if (argc - 1 < min)
		return cm_err_set(err, 0, "%s: an argument is missing (see help)", argv[0]);
	if (argc - 1 > max)
		return cm_err_set(err, 0, "%s: unexpected argument '%s'", argv[0], argv[max + 1]);
	return 0;
}

int cmd_number(const char *what, const char *s, uint64_t max, uint64_t *out, struct cm_err *err)
{
	char *end;

	errno = 0;
	*out = *s >= '0' && *s <= '9' ? strtoull(s, &end, 0) : 0;
	if (*s < '0' || *s > '9' || *end)
		return cm_err_set(err, 0, "%s '%s': not a number", what, s);
	if (errno || *out > max)
		return cm_err_set(
			err, 0, "%s '%s': at most %llu", what, s, (unsigned long long)max);
	return 0;
}

int cmd_error(int r, struct cm_err *err, const char *what)
{
	if (r == -ENOTCONN)
		return cm_err_set(err, ENOTCONN, "%s: the VM is gone", what);
	return cm_err_set(err, -r, "%s", what);
}

json_t *json_hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)v);
	return json_string(text);
}

const char *json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

long long json_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

int cmd_cpu(const struct session *s, const char *text, uint32_t *cpu, struct cm_err *err)
{
	uint64_t v;
	int r = cmd_number("vCPU", text, dbg_machine(s->d)->ncpus - 1, &v, err);

	*cpu = (uint32_t)v;
	return r;
}

int cmd_address(struct session *s, const char *text, uint64_t *va, struct cm_err *err)
{
	struct guest *g;
	char name[128];
	size_t len = strcspn(text, "+");
	uint64_t offset = 0;

	if (*text >= '0' && *text <= '9')
		return cmd_number("address", text, UINT64_MAX, va, err);
	g = session_guest(s, err);
	if (!g)
		return -err->code;
	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : 0), text);
	if (!image_symbol(g->img, name, va, NULL))
		return cm_err_set(err, 0, "address '%s': neither a number nor a symbol", text);
	if (text[len] && cmd_number("offset", text + len + 1, UINT64_MAX, &offset, err) < 0)
		return -err->code;
	*va += offset;
	return 0;
}

const char *cmd_symbol(const struct guest *g, uint64_t va, char *buf, size_t size)
{
	uint64_t offset;
	const char *name = image_name(g->img, va, &offset);

	buf[0] = '\0';
	if (name && offset)
		snprintf(buf, size, "%s+%#llx", name, (unsigned long long)offset);
	else if (name)
		snprintf(buf, size, "%s", name);
	return buf;
}
