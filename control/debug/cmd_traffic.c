/* SPDX-License-Identifier: Apache-2.0 */
/* exits, devices. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/hypercall.h>

#include "control/debug/cmds.h"
#include "control/debug/text.h"

static const char *const exit_names[] = {
	[KVM_EXIT_IO] = "io",
	[KVM_EXIT_MMIO] = "mmio",
	[KVM_EXIT_INTR] = "intr",
	[KVM_EXIT_HLT] = "hlt",
	[KVM_EXIT_DEBUG] = "debug",
	[KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq-window",
	[KVM_EXIT_SHUTDOWN] = "shutdown",
	[KVM_EXIT_INTERNAL_ERROR] = "internal-error",
	[KVM_EXIT_FAIL_ENTRY] = "fail-entry",
};

static const char *const call_names[CM_HC_COUNT] = {
	[CM_HC_NONE] = "call unknown",
	[CM_HC_MMIO_BATCH] = "call mmio-batch",
	[CM_HC_POWER_OFF] = "call power-off",
	[CM_HC_PANIC] = "call panic",
	[CM_HC_CPU_START] = "call cpu-start",
	[CM_HC_MEM_RELEASE] = "call mem-release",
	[CM_HC_LOG] = "call log",
	[CM_HC_TRAP] = "call trap",
};

const char *exit_name(uint32_t reason, char *buf, size_t size)
{
	if (reason == CM_DBG_EXIT_DOORBELL)
		return "doorbell";
	if (reason >= CM_DBG_EXIT_CALL && reason - CM_DBG_EXIT_CALL < CM_HC_COUNT)
		return call_names[reason - CM_DBG_EXIT_CALL];
	if (reason < sizeof(exit_names) / sizeof(exit_names[0]) && exit_names[reason])
		return exit_names[reason];
	snprintf(buf, size, "reason%u", reason);
	return buf;
}

static double exits_us(const struct session *s, uint64_t ticks)
{
	uint32_t khz = dbg_machine(s->d)->tsc_khz;

	return khz ? (double)ticks * 1000.0 / khz : 0;
}

static json_t *exits_one(const struct session *s, const struct cm_dbg_exit *e)
{
	json_t *list = json_array();
	char name[16];
	unsigned i;

	for (i = 0; i < CM_DBG_BUCKETS; i++) {
		if (e->bucket[i])
			json_array_append_new(
				list, json_pack("{s:f, s:I}", "belowUs", exits_us(s, 256ull << i),
					      "count", (json_int_t)e->bucket[i]));
	}
	return json_pack("{s:I, s:s, s:I, s:f, s:o}", "cpu", (json_int_t)e->cpu, "reason",
		exit_name(e->reason, name, sizeof(name)), "count", (json_int_t)e->count, "us",
		exits_us(s, e->ticks), "histogram", list);
}

json_t *cmd_exits_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct cm_dbg_cpu q = { .cpu = CM_DBG_ALL_CPUS };
	struct dbg_buf part = { &q, sizeof(q) };
	struct cm_dbg_exit *e;
	uint64_t cpu;
	json_t *o;
	int r, i;

	if (cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	if (argc > 1) {
		if (cmd_number("vCPU", argv[1], dbg_machine(s->d)->ncpus - 1, &cpu, err) < 0)
			return NULL;
		q.cpu = (uint32_t)cpu;
	}
	e = malloc(CM_DBG_PAYLOAD_MAX);
	r = e ? dbg_call(s->d, CM_DBG_EXITS, &part, 1, e, CM_DBG_PAYLOAD_MAX) : -ENOMEM;
	if (r < 0) {
		free(e);
		cmd_error(r, err, "read the counts of exits");
		return NULL;
	}
	o = json_array();
	for (i = 0; i < r / (int)sizeof(*e); i++)
		json_array_append_new(o, exits_one(s, &e[i]));
	free(e);
	return o;
}

void cmd_exits_print(const json_t *o, FILE *f)
{
	const json_t *e, *b, *list;
	size_t i, k;

	json_array_foreach(o, i, e)
	{
		double us = json_number_value(json_object_get(e, "us"));
		long long count = json_number(e, "count");

		fprintf(f, "vCPU %lld  %-16s %10lld exits  %10.1f us each  %.3f s in all\n",
			json_number(e, "cpu"), json_text(e, "reason"), count,
			count ? us / (double)count : 0, us / 1e6);
		list = json_object_get(e, "histogram");
		json_array_foreach(list, k, b) fprintf(f, "    < %10.1f us %10lld\n",
			json_number_value(json_object_get(b, "belowUs")), json_number(b, "count"));
	}
}

/* ---- devices */

static json_t *devices_queues(const struct cm_dbg_device *d)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < d->nqueues && i < CM_DBG_QUEUES; i++)
		json_array_append_new(list,
			json_pack("{s:I, s:b, s:o, s:o, s:o, s:i, s:i, s:i}", "size",
				(json_int_t)d->queue[i].size, "ready", (int)d->queue[i].ready,
				"desc", json_hex(d->queue[i].desc), "driver",
				json_hex(d->queue[i].driver), "device",
				json_hex(d->queue[i].device), "avail", (int)d->queue[i].avail,
				"seen", (int)d->queue[i].seen, "used", (int)d->queue[i].used));
	return list;
}

static json_t *devices_one(const struct cm_dbg_device *d)
{
	static const char *const phases[] = { "idle", "starting", "running", "stopping" };
	char name[4 * sizeof(d->name) + 1], tag[4 * sizeof(d->tag) + 1];
	char error[4 * sizeof(d->error) + 1], both[sizeof(error) + 32];

	text_escape(error, sizeof(error), d->error, sizeof(d->error));
	if (d->error_queue)
		snprintf(both, sizeof(both), "queue %u: %s", d->error_queue - 1, error);
	else
		snprintf(both, sizeof(both), "%s", error);
	return json_pack("{s:I, s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:I, s:b, s:s, s:o}", "index",
		(json_int_t)d->index, "name",
		text_escape(name, sizeof(name), d->name, sizeof(d->name)), "tag",
		text_escape(tag, sizeof(tag), d->tag, sizeof(d->tag)), "virtioId",
		(json_int_t)d->virtio_id, "phase", d->phase < 4 ? phases[d->phase] : "unknown",
		"status", json_hex(d->status), "offered", json_hex(d->offered), "features",
		json_hex(d->features), "isr", (json_int_t)d->isr, "failed", (int)d->failed,
		"lastError", both, "queues", devices_queues(d));
}

json_t *cmd_devices_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct cm_dbg_device d[32];
	json_t *o;
	int r, i;

	if (cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	r = dbg_call(s->d, CM_DBG_DEVICES, NULL, 0, d, sizeof(d));
	if (r < 0) {
		cmd_error(r, err, "read the devices");
		return NULL;
	}
	o = json_array();
	for (i = 0; i < r / (int)sizeof(d[0]); i++)
		json_array_append_new(o, devices_one(&d[i]));
	return o;
}

void cmd_devices_print(const json_t *o, FILE *f)
{
	const json_t *d, *q, *list;
	size_t i, k;

	json_array_foreach(o, i, d)
	{
		const char *error = json_text(d, "lastError");

		fprintf(f, "%lld %s%s%s  %s, status %s, features %s of %s, isr %lld%s\n",
			json_number(d, "index"), json_text(d, "name"),
			*json_text(d, "tag") ? " " : "", json_text(d, "tag"), json_text(d, "phase"),
			json_text(d, "status"), json_text(d, "features"), json_text(d, "offered"),
			json_number(d, "isr"),
			json_is_true(json_object_get(d, "failed")) ? ", needs a reset" : "");
		if (*error)
			fprintf(f, "    last error: %s\n", error);
		list = json_object_get(d, "queues");
		json_array_foreach(list, k, q)
		{
			if (!json_is_true(json_object_get(q, "ready")))
				continue;
			fprintf(f,
				"    queue %zu: size %lld, avail %lld, seen %lld, used %lld"
				"  desc %s driver %s device %s\n",
				k, json_number(q, "size"), json_number(q, "avail"),
				json_number(q, "seen"), json_number(q, "used"),
				json_text(q, "desc"), json_text(q, "driver"),
				json_text(q, "device"));
		}
	}
}
