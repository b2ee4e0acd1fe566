/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of linux.resources that are the host's alone: blockIO, hugepageLimits, network, rdma. What this host's cgroups have no file for is an error
 * that names it. The members were checked when the configuration was parsed.
 */
#include <config.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "control/cgroup_internal.h"

#define IO_WEIGHT_MIN 10 /* of blockIO, and 1 of io.weight; 1000 is its 10000 */

__attribute__((format(printf, 5, 6))) static int io_write(const struct cm_cgroup_dir *d,
	const char *name, const char *file, struct cm_err *err, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = r >= (int)sizeof(text) ? -ENAMETOOLONG : cm_cgroup_write(d, file, text);
	return r < 0 ? cm_cgroup_failed(name, d, file, r, err) : 0;
}

static bool io_has_file(const struct cm_cgroup_dir *d, const char *file)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	return access(path, F_OK) == 0;
}

/* The group that has a controller's files; of version 2 the only one. NULL with err set. */
static const struct cm_cgroup_dir *io_dir(
	const struct cm_cgroup *cg, const char *controller, const char *name, struct cm_err *err)
{
	for (unsigned i = 0; i < cg->n; i++) {
		if (cg->dir[i].v2 || cm_cgroup_has(&cg->dir[i], controller))
			return &cg->dir[i];
	}
	cm_err_set(err, ENOTSUP, "linux.resources.%s: this host has no cgroup with %s", name,
		controller);
	return NULL;
}

static long long io_number(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

/* ---- blockIO */

/* Where weights go, and whether they are of 1 .. 10000 there. */
static const char *io_weight_file(const struct cm_cgroup_dir *d, bool device, bool *wide)
{
	*wide = false;
	if (d->v2 && io_has_file(d, "io.bfq.weight"))
		return "io.bfq.weight";
	*wide = d->v2;
	if (d->v2)
		return "io.weight";
	if (!io_has_file(d, "blkio.weight") && io_has_file(d, "blkio.bfq.weight"))
		return device ? "blkio.bfq.weight_device" : "blkio.bfq.weight";
	return device ? "blkio.weight_device" : "blkio.weight";
}

/* As the other runtimes and systemd do. */
static long long io_weight(long long weight, bool wide)
{
	if (!wide)
		return weight;
	return weight < IO_WEIGHT_MIN ? 1 : 1 + (weight - IO_WEIGHT_MIN) * 9999 / 990;
}

static int io_leaf(const struct cm_cgroup_dir *d, const char *name, const char *file,
	const char *device, long long weight, struct cm_err *err)
{
	if (weight == 0)
		return 0;
	if (d->v2)
		return cm_err_set(err, ENOTSUP,
			"linux.resources.%s: cgroups of version 2 have no leaf weights", name);
	return io_write(d, name, file, err, "%s%lld", device, weight);
}

static int io_weight_devices(const struct cm_cgroup_dir *d, const json_t *list, const char *file,
	bool wide, struct cm_err *err)
{
	const json_t *e;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, e)
	{
		long long weight = io_number(e, "weight");
		char device[64], name[64];

		snprintf(name, sizeof(name), "blockIO.weightDevice[%zu]", i);
		snprintf(device, sizeof(device), "%lld:%lld ", io_number(e, "major"),
			io_number(e, "minor"));
		if (weight)
			r = io_write(d, name, file, err, "%s%lld", device, io_weight(weight, wide));
		if (r == 0)
			r = io_leaf(d, name, "blkio.leaf_weight_device", device,
				io_number(e, "leafWeight"), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct io_throttle {
	const char *name; /* in blockIO */
	const char *v1, *v2; /* a file, and a word of io.max */
} io_throttles[] = {
	{ "throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
	{ "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
	{ "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
	{ "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

/* A rate of 0 takes a limit away. */
static int io_throttle(const struct cm_cgroup_dir *d, const struct io_throttle *t,
	const json_t *list, struct cm_err *err)
{
	const json_t *e;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, e)
	{
		long long major = io_number(e, "major"), minor = io_number(e, "minor");
		long long rate = io_number(e, "rate");
		char name[64];

		snprintf(name, sizeof(name), "blockIO.%s[%zu]", t->name, i);
		if (!d->v2)
			r = io_write(d, name, t->v1, err, "%lld:%lld %lld", major, minor, rate);
		else if (rate)
			r = io_write(d, name, "io.max", err, "%lld:%lld %s=%lld", major, minor,
				t->v2, rate);
		else
			r = io_write(
				d, name, "io.max", err, "%lld:%lld %s=max", major, minor, t->v2);
		if (r < 0)
			return r;
	}
	return 0;
}

static int io_block(const struct cm_cgroup *cg, const json_t *o, struct cm_err *err)
{
	const struct cm_cgroup_dir *d = io_dir(cg, "blkio", "blockIO", err);
	long long weight = io_number(o, "weight");
	bool wide;
	int r = 0;

	if (!d)
		return -err->code;
	if (weight) {
		const char *file = io_weight_file(d, false, &wide);

		r = io_write(d, "blockIO.weight", file, err, "%lld", io_weight(weight, wide));
	}
	if (r == 0)
		r = io_leaf(d, "blockIO.leafWeight", "blkio.leaf_weight", "",
			io_number(o, "leafWeight"), err);
	if (r == 0) {
		const char *file = io_weight_file(d, true, &wide);

		r = io_weight_devices(d, json_object_get(o, "weightDevice"), file, wide, err);
	}
	for (size_t i = 0; r == 0 && i < sizeof(io_throttles) / sizeof(io_throttles[0]); i++)
		r = io_throttle(d, &io_throttles[i], json_object_get(o, io_throttles[i].name), err);
	return r;
}

/* ---- the others */

static int io_hugepages(const struct cm_cgroup *cg, const json_t *list, struct cm_err *err)
{
	const struct cm_cgroup_dir *d = io_dir(cg, "hugetlb", "hugepageLimits", err);
	const json_t *e;
	size_t i;
	int r = 0;

	if (!d)
		return -err->code;
	json_array_foreach(list, i, e)
	{
		const char *size = json_string_value(json_object_get(e, "pageSize"));
		const char *last = d->v2 ? "max" : "limit_in_bytes";
		long long limit = io_number(e, "limit");
		char name[64], file[128];

		snprintf(name, sizeof(name), "hugepageLimits[%zu]", i);
		snprintf(file, sizeof(file), "hugetlb.%.32s.%s", size, last);
		r = io_write(d, name, file, err, "%lld", limit);
		/* Pages that are promised, where the kernel counts those too. */
		snprintf(file, sizeof(file), "hugetlb.%.32s.rsvd.%s", size, last);
		if (r == 0 && io_has_file(d, file))
			r = io_write(d, name, file, err, "%lld", limit);
		if (r < 0)
			return r;
	}
	return 0;
}

static int io_network(const struct cm_cgroup *cg, const json_t *o, struct cm_err *err)
{
	const json_t *list = json_object_get(o, "priorities"), *e;
	const struct cm_cgroup_dir *d;
	size_t i;
	int r = 0;

	if (cg->n && cg->dir[0].v2)
		return cm_err_set(err, ENOTSUP,
			"linux.resources.network: cgroups of version 2 have nothing of the kind");
	if (io_number(o, "classID")) {
		d = io_dir(cg, "net_cls", "network.classID", err);
		r = d ? io_write(d, "network.classID", "net_cls.classid", err, "%lld",
				io_number(o, "classID"))
		      : -err->code;
	}
	json_array_foreach(list, i, e)
	{
		if (r < 0)
			return r;
		d = io_dir(cg, "net_prio", "network.priorities", err);
		r = d ? io_write(d, "network.priorities", "net_prio.ifpriomap", err, "%s %lld",
				json_string_value(json_object_get(e, "name")),
				io_number(e, "priority"))
		      : -err->code;
	}
	return r;
}

static int io_rdma(const struct cm_cgroup *cg, json_t *o, struct cm_err *err)
{
	const struct cm_cgroup_dir *d = io_dir(cg, "rdma", "rdma", err);
	static const char *const members[][2] = { { "hcaHandles", "hca_handle" },
		{ "hcaObjects", "hca_object" } };
	const char *device;
	json_t *e;
	int r = d ? 0 : -err->code;

	json_object_foreach(o, device, e)
	{
		for (size_t i = 0; r == 0 && i < sizeof(members) / sizeof(members[0]); i++) {
			if (json_object_get(e, members[i][0]))
				r = io_write(d, "rdma", "rdma.max", err, "%s %s=%lld", device,
					members[i][1], io_number(e, members[i][0]));
		}
	}
	return r;
}

int cm_cgroup_update_io(
	const struct cm_cgroup *cg, const struct cm_spec_resources *res, struct cm_err *err)
{
	int r = 0;

	if (res->block_io)
		r = io_block(cg, res->block_io, err);
	if (r == 0 && res->hugepages)
		r = io_hugepages(cg, res->hugepages, err);
	if (r == 0 && res->network)
		r = io_network(cg, res->network, err);
	if (r == 0 && res->rdma)
		r = io_rdma(cg, res->rdma, err);
	return r;
}
