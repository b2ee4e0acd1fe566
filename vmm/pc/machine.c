/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PC from its options to its result. The stages are those of vmm/stage.c. The image is read into memory of our own, inside the jail,
 * before anything of it is looked at: its file may change meanwhile.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/seccomp.h"
#include "vmm/guestlog.h"
#include "vmm/pc/firmware.h"
#include "vmm/pc/model.h"
#include "vmm/pc/pc.h"
#include "vmm/stage.h"
#include "vmm/vlog.h"

#define PC_IMAGE_MAX   (1ULL << 30)
#define PC_INTEL_PAGES 0xfeffc000u
#define PC_ROUTES      24u /* inputs of the I/O APIC */
#define PC_GIB4	       (4ULL << 30)
#define PC_HUGE	       (2ULL << 20)

/* One a process; too large for the stack. */
static struct pc pc_machine;

/* A file that was read. */
struct pc_file {
	uint8_t *data;
	size_t size;
};

/* ---- end */

void pc_end(struct pc *pc, enum cm_pc_end end, uint32_t value, const char *fmt, ...)
{
	struct cm_pc_result *res = &pc->result;
	bool running = false;
	va_list ap;
	int n;

	if (!atomic_compare_exchange_strong(&pc->ended, &running, true))
		return;
	res->end = end;
	res->value = value;
	res->us = pc->begin ? (eventloop_now() - pc->begin) / 1000 : 0;
	va_start(ap, fmt);
	n = vsnprintf(res->text, sizeof(res->text) - 1, fmt, ap);
	va_end(ap);
	res->len = n < 0 ? 0 : (uint32_t)n;
	if (res->len > sizeof(res->text) - 2)
		res->len = sizeof(res->text) - 2;
	res->text[res->len++] = '\n';
	if (pc->loop)
		eventloop_stop(pc->loop);
}

/* The parent may want a core file, now that it knows how the run ended. */
static void pc_offer_core(struct pc *pc)
{
	char answer = CM_PC_CORE_NONE;
	int r;

	/* #syscalls:io read */
	if (!pc->result.core || read(pc->opts->result_fd, &answer, 1) != 1 ||
		answer != CM_PC_CORE_WRITE)
		return;
	r = pc_core_write(pc);
	/* #syscalls:io sendto */
	send(pc->opts->result_fd, &r, sizeof(r), MSG_NOSIGNAL);
}

static int pc_finish(struct pc *pc)
{
	struct cm_pc_result *res = &pc->result;
	bool stands = res->end == CM_PC_END_CRASH || res->end == CM_PC_END_TIMEOUT;

	if (stands)
		pc_report(pc);
	vlog_sanitise(res->text, res->len);
	res->core = pc->opts->core_fd >= 0 && pc->begin;
	if (pc->opts->result_fd < 0) {
		res->core = 0;
		vlog_block(res->text, res->len);
	} else {
		send(pc->opts->result_fd, res, offsetof(struct cm_pc_result, text) + res->len,
			MSG_NOSIGNAL);
	}
	pc_offer_core(pc);
	return res->end == CM_PC_END_EXIT || res->end == CM_PC_END_SHUTDOWN ? 0 : 1;
}

/* ---- creation */

static int pc_read_file(int fd, struct pc_file *f, struct cm_err *err)
{
	struct stat st;
	size_t got = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "look at the image");
	if (!S_ISREG(st.st_mode))
		return cm_err_set(err, EINVAL, "not a regular file");
	if ((uint64_t)st.st_size > PC_IMAGE_MAX)
		return cm_err_set(err, EFBIG, "%lld bytes", (long long)st.st_size);
	f->size = (size_t)st.st_size;
	f->data = malloc(f->size + 1);
	if (!f->data)
		return cm_err_set(err, ENOMEM, "read %zu bytes", f->size);
	while (got < f->size && (n = pread(fd, f->data + got, f->size - got, (off_t)got)) > 0)
		got += (size_t)n;
	return got == f->size ? 0 : cm_err_set(err, EIO, "read %zu bytes", f->size);
}

static uint8_t *pc_map_ram(uint64_t size)
{
	uint8_t *p = mmap(NULL, size + PC_HUGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *aligned;

	if (p == MAP_FAILED)
		return NULL;
	aligned = (uint8_t *)(((uintptr_t)p + PC_HUGE - 1) & ~(PC_HUGE - 1));
	/* Small images touch a few pages of the first blocks: clearing all of these would cost more. */
	if (size > 8 * PC_HUGE)
		madvise(aligned + 8 * PC_HUGE, size - 8 * PC_HUGE, MADV_HUGEPAGE);
	return aligned;
}

static int pc_ram(struct pc *pc, struct cm_err *err)
{
	uint64_t size = pc->opts->memory;
	int r;

	pc->low_size = size < CM_PC_LOW_MAX ? size : CM_PC_LOW_MAX;
	pc->high_size = size - pc->low_size;
	pc->low = pc_map_ram(pc->low_size);
	pc->high = pc->high_size ? pc_map_ram(pc->high_size) : NULL;
	if (!pc->low || (pc->high_size && !pc->high))
		return cm_err_set(
			err, ENOMEM, "map %llu MiB of memory", (unsigned long long)size >> 20);
	r = kvm_set_slot(pc->vm_fd, 0, 0, pc->low_size, pc->low, 0);
	if (r == 0 && pc->high)
		r = kvm_set_slot(pc->vm_fd, 1, PC_GIB4, pc->high_size, pc->high, 0);
	if (r < 0)
		return cm_err_set(
			err, -r, "give the guest %llu MiB", (unsigned long long)size >> 20);
	gmem_add(&pc->mem, 0, pc->low_size, pc->low, true);
	if (pc->high)
		gmem_add(&pc->mem, PC_GIB4, pc->high_size, pc->high, true);
	return 0;
}

/* struct kvm_irq_routing with room for its entries. */
struct pc_routing {
	uint32_t nr, flags;
	struct kvm_irq_routing_entry e[16 + PC_ROUTES + HYPERV_ROUTES];
};
_Static_assert(offsetof(struct pc_routing, e) == offsetof(struct kvm_irq_routing, entries),
	"the kernel's layout");

/* Inputs 0 to 15 reach PIC and I/O APIC, the PIT's at input 2 of the latter as on any PC. */
int pc_set_routes(struct pc *pc, const struct pc_sint_route *more, unsigned n)
{
	struct pc_routing r = { 0 };
	struct kvm_irq_routing_entry *e = r.e;
	unsigned i;

	for (i = 0; i < PC_ROUTES; i++) {
		if (i == 2)
			continue;
		e->gsi = i;
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e->u.irqchip.pin = i == 0 ? 2 : i;
		e++;
		if (i >= 16)
			continue;
		e->gsi = i;
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		e->u.irqchip.pin = i % 8;
		e++;
	}
	for (i = 0; i < n && i < HYPERV_ROUTES; i++, e++) {
		e->gsi = more[i].line;
		e->type = KVM_IRQ_ROUTING_HV_SINT;
		e->u.hv_sint.vcpu = more[i].cpu;
		e->u.hv_sint.sint = more[i].sint;
	}
	r.nr = (uint32_t)(e - r.e);
	/* #syscalls:vcpu ioctl[1=KVM_SET_GSI_ROUTING] */
	return kvm_set_routes(pc->vm_fd, (struct kvm_irq_routing *)(void *)&r);
}

int pc_set_msi_routes(struct pc *pc, const struct pc_msi_route *route, unsigned n)
{
	struct pc_routing r = { .nr = n };

	for (unsigned i = 0; i < n && i < PC_ROUTES; i++) {
		r.e[i].gsi = route[i].line;
		r.e[i].type = KVM_IRQ_ROUTING_MSI;
		r.e[i].u.msi.address_lo = (uint32_t)route[i].addr;
		r.e[i].u.msi.address_hi = (uint32_t)(route[i].addr >> 32);
		r.e[i].u.msi.data = route[i].data;
	}
	return kvm_set_routes(pc->vm_fd, (struct kvm_irq_routing *)(void *)&r);
}

static int pc_irqchip(struct pc *pc, struct cm_err *err)
{
	int r;

	if (!pc->full_irqchip) {
		r = kvm_enable_cap(pc->vm_fd, KVM_CAP_SPLIT_IRQCHIP, PC_ROUTES);
		return r < 0 ? cm_err_set(err, -r, "create the local APICs") : 0;
	}
	r = kvm_create_irqchip(pc->vm_fd);
	if (r == 0)
		r = pc_set_routes(pc, NULL, 0);
	if (r == 0)
		r = kvm_create_pit(pc->vm_fd);
	return r < 0 ? cm_err_set(err, -r, "create PIC, I/O APIC and PIT") : 0;
}

void pc_irq_line(struct pc *pc, unsigned line, bool level)
{
	/* #syscalls:io,vcpu ioctl[1=KVM_IRQ_LINE] */
	if (pc->full_irqchip)
		kvm_irq_line(pc->vm_fd, line, level);
	else if (pc->chipset.has_iommu)
		pc_chipset_line(&pc->chipset, line == 0 ? 2 : line, level);
}

static int pc_create_vm(struct pc *pc, struct cm_err *err)
{
	int version = kvm_api_version(pc->kvm_fd), r;

	if (version != KVM_API_VERSION)
		return cm_err_set(
			err, 0, "/dev/kvm: API version %d, need %d", version, KVM_API_VERSION);
	pc->vm_fd = kvm_create_vm(pc->kvm_fd);
	if (pc->vm_fd < 0)
		return cm_err_set(err, -pc->vm_fd, "create VM");
	pc->run_size = kvm_run_size(pc->kvm_fd);
	if (pc->run_size < (int)sizeof(struct kvm_run))
		return cm_err_set(err, EINVAL, "size of the vCPU run area");
	r = kvm_set_intel_pages(pc->vm_fd, PC_INTEL_PAGES);
	if (r < 0)
		return cm_err_set(err, -r, "set aside pages for VMX");
	r = pc_irqchip(pc, err);
	return r < 0 ? r : pc_ram(pc, err);
}

/* Hyper-V's leaves take the place of KVM's, which go on behind them. */
static int pc_hyperv_cpuid(struct pc *pc, struct kvm_cpuid_table *t, struct cm_err *err)
{
	static struct kvm_cpuid_table hv;
	int r = kvm_cap(pc->kvm_fd, KVM_CAP_SYS_HYPERV_CPUID) > 0
			? kvm_supported_hyperv_cpuid(pc->kvm_fd, &hv)
			: -ENOTSUP;

	if (r == 0 && !pc->full_irqchip)
		r = -EINVAL;
	if (r < 0)
		return cm_err_set(err, -r, "Hyper-V's interface");
	pc_model_hyperv(t, &hv);
	r = pc_hyperv_init(&pc->hyperv, pc);
	return r < 0 ? cm_err_set(err, -r, "Hyper-V's test device") : 0;
}

static int pc_create_cpus(struct pc *pc, enum cm_pc_end *kind, struct cm_err *err)
{
	static struct kvm_cpuid_table cpuid;
	bool deadline = kvm_cap(pc->kvm_fd, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	int r = kvm_supported_cpuid(pc->kvm_fd, &cpuid);

	if (r < 0)
		return cm_err_set(err, -r, "read the CPUID that KVM supports");
	/* A model that is not known is no fault of KVM. */
	*kind = CM_PC_END_UNSUPPORTED;
	pc->hyperv_on = strstr(pc->opts->cpu, PC_MODEL_HYPERV) != NULL;
	r = pc->hyperv_on ? pc_hyperv_cpuid(pc, &cpuid, err) : 0;
	if (r == 0)
		r = pc_model_apply(&cpuid, pc->opts->cpu, pc->ncpus, deadline, err);
	if (r == 0)
		*kind = CM_PC_END_REFUSED;
	for (unsigned i = 0; i < pc->ncpus && r == 0; i++)
		r = pc_cpu_create(pc, i, &cpuid, err);
	return r;
}

/* The image goes where it wants, a module behind it, the firmware's tables last. */
static int pc_load(struct pc *pc, const struct pc_file *image, const struct pc_file *module,
	struct cm_err *err)
{
	struct pc_firmware f = {
		.low = pc->low_size,
		.high = pc->high_size,
		.cpus = pc->ncpus,
		.iommu = pc->opts->iommu,
		.cmdline = pc->cmdline,
	};
	uint64_t at = (pc->image.end + 0xfff) & ~0xfffULL;

	pc_image_copy(image->data, &pc->image, pc->low);
	if (at < CM_PC_FIRMWARE_END)
		at = CM_PC_FIRMWARE_END;
	if (module->size > 0) {
		if (at > pc->low_size || module->size > pc->low_size - at)
			return cm_err_set(err, ENOMEM, "module of %zu bytes", module->size);
		memcpy(pc->low + at, module->data, module->size);
		f.module = (uint32_t)at;
		f.module_end = (uint32_t)(at + module->size);
	}
	pc_firmware_write(pc->low, &f);
	return 0;
}

static int pc_devices(struct pc *pc, struct cm_err *err)
{
	const struct pc_opts *o = pc->opts;
	int r = pc_chipset_init(&pc->chipset, pc, err);

	if (r < 0)
		return r;
	r = pc_serial_init(&pc->serial, pc, o->console_fd, o->input_fd);
	if (r == 0)
		r = pc_ports_init(&pc->ports, pc);
	if (r < 0)
		return cm_err_set(err, -r, "create the devices");
	return pc_virtio_create(pc, err);
}

static bool pc_wants_irqchip(const struct pc *pc)
{
	const struct pc_opts *o = pc->opts;

	/* Interrupts that are remapped cannot come from KVM's. */
	if (o->iommu)
		return false;
	if (o->irqchip != PC_IRQCHIP_AUTO)
		return o->irqchip == PC_IRQCHIP_FULL;
	/* Virtio devices and edu interrupt by the I/O APIC. */
	return !(pc->image.note & CM_PC_NOTE_NO_PIC) || o->edu || o->console || o->rng ||
	       o->blk_fd >= 0 || o->vmm.vsock_fd >= 0;
}

/* ---- running */

static void pc_on_timeout(struct ev_timer *t)
{
	struct pc *pc = t->arg;

	pc_end(pc, CM_PC_END_TIMEOUT, pc->opts->timeout_ms, "timed out after %u.%03u s",
		pc->opts->timeout_ms / 1000, pc->opts->timeout_ms % 1000);
}

static void pc_on_hangup(struct ev_source *src, uint32_t events)
{
	pc_end(src->arg, CM_PC_END_VMM, 0, "the parent went away");
}

static int pc_start(struct pc *pc, struct cm_err *err)
{
	const struct pc_opts *o = pc->opts;
	unsigned i;
	int r = 0;

	sem_init(&pc->sealed, 0, 0);
	sem_init(&pc->go, 0, 0);
	for (i = 0; i < pc->ncpus && r == 0; i++)
		r = pc_cpu_start(&pc->cpu[i], err);
	if (r < 0)
		return r;
	if (o->result_fd >= 0) {
		pc->hangup =
			(struct ev_source){ .fd = o->result_fd, .fn = pc_on_hangup, .arg = pc };
		eventloop_add(pc->loop, &pc->hangup, 0);
	}
	pc->timeout = (struct ev_timer){ .fn = pc_on_timeout, .arg = pc };
	if (o->timeout_ms)
		eventloop_timer_set(pc->loop, &pc->timeout, o->timeout_ms * 1000000ull);
	r = pc_seal_io(err);
	if (r == 0)
		r = stage_isolated(err);
	for (i = 0; i < pc->ncpus; i++) {
		while (sem_wait(&pc->sealed) < 0)
			;
	}
	return r;
}

static void pc_run(struct pc *pc)
{
	struct cm_err err;
	int r = pc_start(pc, &err);

	if (r < 0)
		pc_end(pc, CM_PC_END_VMM, 0, "%s", err.msg);
	pc->begin = eventloop_now();
	/* Also when the run has ended already: they wait for it. */
	for (unsigned i = 0; i < pc->ncpus; i++)
		sem_post(&pc->go);
	if (r == 0)
		r = eventloop_run(pc->loop);
	if (r < 0)
		pc_end(pc, CM_PC_END_VMM, 0, "event loop: %s", strerror(-r));
	pc_cpu_stop_all(pc);
	pc_serial_flush(&pc->serial);
}

/* What needs paths, before the jail closes. */
static int pc_open(struct pc *pc, struct cm_err *err)
{
	const struct pc_opts *o = pc->opts;

	pc->loop = eventloop_create();
	pc->log = guestlog_create(o->vmm.log_fd);
	if (!pc->loop || !pc->log)
		return cm_err_set(err, ENOMEM, "create the event loop");
	pc->kvm_fd = o->vmm.kvm_fd >= 0 ? o->vmm.kvm_fd : open("/dev/kvm", O_RDWR | O_CLOEXEC);
	return pc->kvm_fd < 0 ? cm_err_set(err, errno, "open /dev/kvm") : 0;
}

static int pc_jail(struct pc *pc, enum cm_pc_end *kind, struct cm_err *err)
{
	int r = stage_inherit(&pc->opts->vmm, err);

	if (r < 0)
		return r;
	*kind = CM_PC_END_REFUSED;
	r = pc_open(pc, err);
	if (r < 0)
		return r;
	*kind = CM_PC_END_VMM;
	return stage_isolate(&pc->opts->vmm, err);
}

/* Multiboot's begins with the name of the image; a long one is cut by the options already. */
static void pc_command_line(struct pc *pc)
{
	const struct pc_opts *o = pc->opts;
	bool named = pc->image.kind == PC_KIND_MULTIBOOT;

	snprintf(pc->cmdline, PC_CMDLINE_MAX, "%s%s%s", named ? o->image_name : "",
		named && *o->cmdline ? " " : "", o->cmdline);
}

/* Every step ends the run by the kind of its failure. */
static void pc_make(struct pc *pc, const struct pc_opts *o)
{
	struct pc_file image = { 0 }, module = { 0 };
	uint64_t low = o->memory < CM_PC_LOW_MAX ? o->memory : CM_PC_LOW_MAX;
	enum cm_pc_end kind = CM_PC_END_VMM;
	struct cm_err err;
	int r;

	pc->opts = o;
	pc->ncpus = o->cpus;
	r = pc_jail(pc, &kind, &err);
	if (r == 0) {
		kind = CM_PC_END_IMAGE;
		r = pc_read_file(o->image_fd, &image, &err);
	}
	if (r == 0)
		r = pc_image_parse(image.data, image.size, low, o->format, &pc->image, &err);
	if (r == 0 && o->module_fd >= 0)
		r = pc_read_file(o->module_fd, &module, &err);
	pc->full_irqchip = pc_wants_irqchip(pc);
	pc_command_line(pc);
	if (r == 0) {
		kind = CM_PC_END_REFUSED;
		r = pc_create_vm(pc, &err);
	}
	if (r == 0) {
		kind = CM_PC_END_VMM;
		r = pc_devices(pc, &err);
	}
	if (r == 0)
		r = pc_load(pc, &image, &module, &err);
	if (r == 0) {
		kind = CM_PC_END_REFUSED;
		r = pc_create_cpus(pc, &kind, &err);
	}
	free(image.data);
	free(module.data);
	if (r < 0)
		pc_end(pc, kind, 0, "%s", err.msg);
}

int pc_main(int argc, char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	static struct pc_opts o;
	struct pc *pc = &pc_machine;
	struct cm_err err;

	if (argc == 3 && strcmp(argv[2], "--help") == 0) {
		fputs(pc_opts_usage, stdout);
		return 0;
	}
	if (pc_opts_parse(&o, argc, argv, &err) < 0) {
		dprintf(STDERR_FILENO, "casemate-vmm: %s\n", err.msg);
		return 1;
	}
	sigaction(SIGPIPE, &ignore, NULL);
	cm_seccomp_report_calls();
	vlog_init(o.vmm.log_fd);
	pc_make(pc, &o);
	if (!pc_ending(pc))
		pc_run(pc);
	/* In the jail there is nothing that an exit handler could do, and the kernel frees everything faster. */
	_exit(pc_finish(pc));
}
