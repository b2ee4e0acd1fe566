/* SPDX-License-Identifier: Apache-2.0 */
/* nmi: asks the sentry itself, by an interrupt that it cannot turn off. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/debug/cmds.h"
#include "control/debug/text.h"

#define NMI_TRIES   100
#define NMI_WAIT_NS 10000000 /* between two looks for the answer */
#define NMI_LINE    1024

static uint64_t nmi_counts(struct guest *g, uint32_t cpu)
{
	guest_forget(g);
	return guest_number(g, guest_const(g, S_nmi_count) + 4ull * cpu, 4);
}

/* Send while the vCPUs stand, then let them go on: they answer by running. */
static int nmi_send(struct session *s, uint32_t cpu, struct cm_err *err)
{
	struct cm_dbg_cpu q = { .cpu = cpu };
	int r = dbg_pause(s->d, 0, 0, NULL), e;

	if (r < 0)
		return cmd_error(r, err, "stop the vCPUs");
	r = dbg_call(s->d, CM_DBG_NMI, &(struct dbg_buf){ &q, sizeof(q) }, 1, NULL, 0);
	e = dbg_resume(s->d, 0, NULL);
	if (r == -ENODEV)
		return cm_err_set(err, 0, "nmi: vCPU %u is off", cpu);
	if (r < 0 || e < 0)
		return cmd_error(r < 0 ? r : e, err, "send the NMI");
	return 0;
}

/* A line of the answer, with a name behind every address of the sentry. */
static json_t *nmi_line(const struct guest *g, const char *p, size_t len)
{
	char text[NMI_LINE], out[4 * NMI_LINE], name[128];
	char *word, *save = NULL;
	size_t at = 0;

	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), p);
	out[0] = '\0';
	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		uint64_t va = strncmp(word, "ffffffff8", 9) == 0 ? strtoull(word, NULL, 16) : 0;

		name[0] = '\0';
		if (va)
			cmd_symbol(g, va, name, sizeof(name));
		if (at + strlen(word) + strlen(name) + 4 > sizeof(out))
			break;
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s%s%s%s", at ? " " : "",
			word, *name ? " <" : "", name, *name ? ">" : "");
	}
	return json_string(out);
}

static json_t *nmi_answer(struct session *s, struct guest *g, uint32_t cpu)
{
	char raw[4 * NMI_LINE];
	json_t *list = json_array();
	const char *p, *end;
	uint64_t size = guest_const(g, C_NMI_TEXT);

	size = size < NMI_LINE ? size : NMI_LINE;
	guest_string(g, guest_const(g, S_nmi_text) + size * cpu, size, raw, sizeof(raw));
	/* The escaping turned line ends into "\x0a". */
	for (p = raw; *p; p = end + 4) {
		end = strstr(p, "\\x0a");
		if (!end)
			break;
		json_array_append_new(list, nmi_line(g, p, (size_t)(end - p)));
	}
	return json_pack("{s:I, s:o}", "cpu", (json_int_t)cpu, "text", list);
}

static json_t *nmi_ask(struct session *s, struct guest *g, uint32_t cpu, struct cm_err *err)
{
	uint64_t before = nmi_counts(g, cpu);
	int i;

	if (nmi_send(s, cpu, err) < 0)
		return NULL;
	for (i = 0; i < NMI_TRIES; i++) {
		if (nmi_counts(g, cpu) != before)
			return nmi_answer(s, g, cpu);
		nanosleep(&(struct timespec){ .tv_nsec = NMI_WAIT_NS }, NULL);
	}
	cm_err_set(err, 0, "nmi: vCPU %u does not answer", cpu);
	return NULL;
}

json_t *cmd_nmi_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct cm_dbg_status st;
	json_t *list, *o;
	uint32_t cpu = 0;
	int r;

	if (!g || cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	r = dbg_status(s->d, &st);
	if (r < 0 || st.state != CM_DBG_RUNNING) {
		if (r < 0)
			cmd_error(r, err, "ask for the status");
		else
			cm_err_set(err, 0, "nmi: the guest does not run, so it cannot answer");
		return NULL;
	}
	if (argc > 1) {
		if (cmd_cpu(s, argv[1], &cpu, err) < 0)
			return NULL;
		o = nmi_ask(s, g, cpu, err);
		return o ? json_pack("[o]", o) : NULL;
	}
	list = json_array();
	for (; cpu < dbg_machine(s->d)->ncpus; cpu++) {
		if (st.cpu[cpu] == CM_DBG_CPU_OFF)
			continue;
		o = nmi_ask(s, g, cpu, err);
		if (!o) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, o);
	}
	return list;
}

void cmd_nmi_print(const json_t *o, FILE *f)
{
	const json_t *cpu, *line;
	size_t i, k;

	json_array_foreach(o, i, cpu)
	{
		json_array_foreach(json_object_get(cpu, "text"), k, line)
			fprintf(f, "%s\n", json_string_value(line));
	}
}
