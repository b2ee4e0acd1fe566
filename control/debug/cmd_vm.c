/* SPDX-License-Identifier: Apache-2.0 */
/* status, pause, resume, kill, nmi, help, quit. */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <linux/virtio_ids.h>

#include "control/debug/cmds.h"
#include "control/debug/text.h"

static const char *const state_names[] = { "running", "paused", "held", "ending" };
static const char *const cpu_names[] = { "off", "running", "stopped", "ended" };
static const char *const reason_names[] = { "none", "trap", "panic", "crash" };

#define NAME(table, i) ((i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : "unknown")

static json_t *status_machine(const struct cm_dbg_machine *m)
{
	char id[2 * CM_DBG_BUILD_ID + 1] = "";
	uint64_t ram = 0;
	unsigned i;

	for (i = 0; i < m->build_id_len; i++)
		snprintf(id + 2 * i, sizeof(id) - 2 * i, "%02x", m->build_id[i]);
	for (i = 0; i < m->nranges; i++)
		ram += m->range[i].kind == CM_DBG_RAM ? m->range[i].len : 0;
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "backend",
		m->backend == CM_DBG_PVM ? "pvm" : "std", "vmm", m->program, "buildId", id,
		"protocol", (json_int_t)m->version, "abi", (json_int_t)m->abi, "memory",
		(json_int_t)ram, "tscKhz", (json_int_t)m->tsc_khz);
}

/* A file device that no driver has touched and that waits for a further container (casemate/fsdev.h). */
static bool device_spare(const struct cm_dbg_device *d)
{
	return d->virtio_id == VIRTIO_ID_FS && d->status == 0 && strncmp(d->tag, "root", 5) != 0;
}

/* "console", "fs root"...; *spares = devices that are not in the list */
static json_t *status_devices(struct session *s, int *spares)
{
	char name[4 * 16 + 1], tag[4 * 40 + 1], both[256];
	struct cm_dbg_device d[32];
	json_t *list = json_array();
	int r = dbg_call(s->d, CM_DBG_DEVICES, NULL, 0, d, sizeof(d)), i;

	for (i = 0; i < r / (int)sizeof(d[0]); i++) {
		if (device_spare(&d[i])) {
			++*spares;
			continue;
		}
		snprintf(both, sizeof(both), "%s%s%s",
			text_escape(name, sizeof(name), d[i].name, sizeof(d[i].name)),
			d[i].tag[0] ? " " : "",
			text_escape(tag, sizeof(tag), d[i].tag, sizeof(d[i].tag)));
		json_array_append_new(list, json_string(both));
	}
	return list;
}

static json_t *status_stop(const struct cm_dbg_stop *stop)
{
	if (stop->reason == CM_DBG_NONE)
		return NULL;
	return json_pack("{s:s, s:I, s:o}", "reason", NAME(reason_names, stop->reason), "cpu",
		(json_int_t)stop->cpu, "pc", json_hex(stop->pc));
}

json_t *cmd_status_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	const struct cm_dbg_machine *m = dbg_machine(s->d);
	struct cm_dbg_status st;
	json_t *o, *cpus;
	unsigned i;
	int r, spares = 0;

	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	r = dbg_status(s->d, &st);
	if (r < 0) {
		cmd_error(r, err, "ask for the status");
		return NULL;
	}
	cpus = json_array();
	for (i = 0; i < m->ncpus; i++)
		json_array_append_new(cpus, json_string(NAME(cpu_names, st.cpu[i])));
	o = json_pack("{s:s, s:s, s:f, s:o, s:I, s:I, s:I, s:b, s:o*}", "id", s->id, "state",
		NAME(state_names, st.state), "uptime", (double)st.uptime_ns / 1e9, "vcpus", cpus,
		"resident", (json_int_t)st.memory_resident, "debuggers", (json_int_t)st.conns,
		"pauses", (json_int_t)st.pauses, "kept", (int)st.kept, "stop",
		status_stop(&st.stop));
	if (o) {
		json_object_set_new(o, "machine", status_machine(m));
		json_object_set_new(o, "devices", status_devices(s, &spares));
		json_object_set_new(o, "spareDevices", json_integer(spares));
	}
	return o;
}

void cmd_status_print(const json_t *o, FILE *f)
{
	const json_t *m = json_object_get(o, "machine"), *stop = json_object_get(o, "stop");
	const json_t *cpus = json_object_get(o, "vcpus"), *devices = json_object_get(o, "devices");
	size_t i;

	fprintf(f, "%s is %s", json_text(o, "id"), json_text(o, "state"));
	if (stop)
		fprintf(f, " (%s on vCPU %lld)", json_text(stop, "reason"),
			json_number(stop, "cpu"));
	fprintf(f, ", up %.3f s\n", json_number_value(json_object_get(o, "uptime")));
	fprintf(f, "vCPUs:");
	for (i = 0; i < json_array_size(cpus); i++)
		fprintf(f, " %zu %s%s", i, json_string_value(json_array_get(cpus, i)),
			i + 1 < json_array_size(cpus) ? "," : "");
	fprintf(f, "\nmemory: %lld MiB", json_number(m, "memory") >> 20);
	if (json_number(o, "resident"))
		fprintf(f, ", %lld KiB resident", json_number(o, "resident") >> 10);
	fprintf(f, "\ndevices:");
	for (i = 0; i < json_array_size(devices); i++)
		fprintf(f, "%s %s", i ? "," : "", json_string_value(json_array_get(devices, i)));
	if (json_number(o, "spareDevices"))
		fprintf(f, " (and %lld spare ones for further containers)",
			json_number(o, "spareDevices"));
	fprintf(f, "\nbackend %s, %s, protocol %lld, ABI %lld, TSC %lld kHz\nsentry %s\n",
		json_text(m, "backend"), json_text(m, "vmm"), json_number(m, "protocol"),
		json_number(m, "abi"), json_number(m, "tscKhz"), json_text(m, "buildId"));
	fprintf(f, "debuggers %lld, pauses %lld%s\n", json_number(o, "debuggers"),
		json_number(o, "pauses"),
		json_is_true(json_object_get(o, "kept")) ? " (one kept by `pause`)" : "");
}

json_t *cmd_pause_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	int r;

	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	r = dbg_pause(s->d, 0, CM_DBG_PAUSE_KEEP, NULL);
	if (r < 0) {
		cmd_error(r, err, "pause");
		return NULL;
	}
	return json_pack("{s:s}", "state", "paused");
}

json_t *cmd_resume_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct cm_dbg_status st;
	int r;

	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	r = dbg_resume(s->d, CM_DBG_PAUSE_KEEP, &st);
	if (r == -EINVAL)
		cm_err_set(err, 0, "resume: it is not paused");
	else if (r < 0)
		cmd_error(r, err, "resume");
	return r < 0 ? NULL : json_pack("{s:s}", "state", NAME(state_names, st.state));
}

json_t *cmd_kill_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	int r;

	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	r = dbg_call(s->d, CM_DBG_LET_GO, NULL, 0, NULL, 0);
	/* It may be gone before its answer. */
	if (r >= 0 || r == -ENOTCONN) {
		s->quit = true;
		return json_pack("{s:s}", "state", "ended");
	}
	if (r == -EINVAL)
		cm_err_set(
			err, 0, "kill: the guest lives (casemate kill and casemate delete end it)");
	else
		cmd_error(r, err, "kill");
	return NULL;
}

json_t *cmd_help_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	const struct command *c;
	json_t *o;

	if (cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	o = json_array();
	for (c = commands; c->name; c++) {
		if (argc == 1 || strcmp(c->name, argv[1]) == 0)
			json_array_append_new(o, json_pack("{s:s, s:s, s:s}", "command", c->name,
							 "arguments", c->args, "help", c->help));
	}
	if (json_array_size(o) > 0)
		return o;
	json_decref(o);
	cm_err_set(err, 0, "unknown command '%s'", argv[1]);
	return NULL;
}

void cmd_help_print(const json_t *o, FILE *f)
{
	const json_t *c;
	size_t i;

	json_array_foreach(o, i, c)
	{
		int n = fprintf(f, "  %s %s", json_text(c, "command"), json_text(c, "arguments"));

		fprintf(f, "%*s%s\n", n < 30 ? 30 - n : 1, "", json_text(c, "help"));
	}
}

json_t *cmd_quit_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	s->quit = true;
	return json_object();
}
