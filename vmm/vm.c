/* SPDX-License-Identifier: Apache-2.0 */
/* Creation of the virtual machine, its main loop and its end. */
#include <config.h>
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <casemate/guestmem.h>

#include "vmm/boot.h"
#include "vmm/cpuid.h"
#include "vmm/debug/server.h"
#include "vmm/devtree.h"
#include "vmm/guestlog.h"
#include "vmm/hypercall.h"
#include "vmm/loader.h"
#include "vmm/machine.h"
#include "vmm/msr.h"
#include "vmm/plug.h"
#include "vmm/report.h"
#include "vmm/stage.h"
#include "vmm/vlog.h"

#define VM_HUGE	     (2ul << 20)
#define MSR_IA32_TSC 0x10

/* ---- creation */

static int vm_check_kvm(struct vm *vm, struct cm_err *err)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP" },
		{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
		{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
		{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
		{ KVM_CAP_GET_TSC_KHZ, "KVM_CAP_GET_TSC_KHZ" },
		{ KVM_CAP_TSC_DEADLINE_TIMER, "KVM_CAP_TSC_DEADLINE_TIMER" },
	};
	int version = kvm_api_version(vm->kvm_fd);
	size_t i;

	if (version < 0)
		return cm_err_set(err, -version, "/dev/kvm: not a KVM device");
	if (version != KVM_API_VERSION)
		return cm_err_set(
			err, 0, "/dev/kvm: API version %d, need %d", version, KVM_API_VERSION);
	for (i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
		if (kvm_cap(vm->kvm_fd, need[i].cap) <= 0)
			return cm_err_set(err, ENOTSUP, "/dev/kvm: %s is missing", need[i].name);
	}
	return 0;
}

static int vm_open(struct vm *vm, struct cm_err *err)
{
	int r = vm_check_kvm(vm, err);

	if (r < 0)
		return r;
	vm->vm_fd = kvm_create_vm(vm->kvm_fd);
	if (vm->vm_fd < 0)
		return cm_err_set(err, -vm->vm_fd, "create VM");
	r = kvm_enable_cap(vm->vm_fd, KVM_CAP_SPLIT_IRQCHIP, VM_IOAPIC_ROUTES);
	if (r < 0)
		return cm_err_set(err, -r, "create the interrupt controllers");
	r = kvm_cap(vm->kvm_fd, KVM_CAP_X86_MSR_FILTER) > 0 ? msr_filter(vm->vm_fd) : 0;
	if (r < 0)
		return cm_err_set(err, -r, "limit the guest's MSRs");
	vm->run_size = kvm_run_size(vm->kvm_fd);
	if (vm->run_size < (int)sizeof(struct kvm_run))
		return cm_err_set(err, EINVAL, "size of the vCPU run area");
	return 0;
}

/* Anonymous memory that costs nothing until touched, aligned for huge pages. */
static uint8_t *vm_map_ram(uint64_t size)
{
	uint8_t *p, *aligned;
	size_t head;

	p = mmap(NULL, size + VM_HUGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	head = (VM_HUGE - ((uintptr_t)p & (VM_HUGE - 1))) & (VM_HUGE - 1);
	aligned = p + head;
	if (head > 0)
		munmap(p, head);
	munmap(aligned + size, VM_HUGE - head);
	/*
	 * Hints. The first block holds little but the boot tables and the device tree, a few pages: clearing all of it would cost more than
	 * their faults, and the sandbox 2 MiB for good.
	 */
	madvise(aligned, VM_HUGE, MADV_NOHUGEPAGE);
	if (size > VM_HUGE)
		madvise(aligned + VM_HUGE, size - VM_HUGE, MADV_HUGEPAGE);
	return aligned;
}

static int vm_add_memory(struct vm *vm, enum vm_slot slot, uint64_t gpa, uint64_t size,
	uint8_t *host, struct cm_err *err)
{
	int r = kvm_set_slot(vm->vm_fd, slot, gpa, size, host, 0);

	if (r < 0)
		return cm_err_set(err, -r, "give the guest %llu MiB at %#llx",
			(unsigned long long)size >> 20, (unsigned long long)gpa);
	/* The DAX window's pages come and go; no device may read or write through it. */
	if (slot == VM_SLOT_DAX)
		return 0;
	r = gmem_add(&vm->mem, gpa, size, host, true);
	if (r < 0)
		return cm_err_set(err, -r, "memory at %#llx", (unsigned long long)gpa);
	return 0;
}

static int vm_add_ram(struct vm *vm, struct cm_err *err)
{
	vm->ram_size = vm->opts->memory;
	vm->ram = vm_map_ram(vm->ram_size);
	if (!vm->ram)
		return cm_err_set(err, errno, "map %llu MiB of guest memory",
			(unsigned long long)vm->ram_size >> 20);
	return vm_add_memory(vm, VM_SLOT_RAM, CM_GPA_RAM, vm->ram_size, vm->ram, err);
}

/* A memfd that could shrink would let its other user kill us by SIGBUS. */
static int vm_add_arena(struct vm *vm, struct cm_err *err)
{
	int fd = vm->opts->arena_fd;
	int want = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	void *p;
	int seals;

	if (fd < 0)
		return 0;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "--arena-fd=%d", fd);
	if ((seals & want) != want)
		return cm_err_set(err, EINVAL, "--arena-fd=%d: not sealed against resizing", fd);
	if (st.st_size <= 0 || (uint64_t)st.st_size > CM_ARENA_MAX || st.st_size % 4096 != 0)
		return cm_err_set(
			err, EINVAL, "--arena-fd=%d: size %lld", fd, (long long)st.st_size);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return cm_err_set(err, errno, "map the arena");
	vm->arena = p;
	vm->arena_size = (uint64_t)st.st_size;
	gmem_add(&vm->arena_mem, CM_GPA_ARENA, vm->arena_size, vm->arena, true);
	return vm_add_memory(vm, VM_SLOT_ARENA, CM_GPA_ARENA, vm->arena_size, vm->arena, err);
}

/* Address space only: file pages are mapped into it later. */
static int vm_add_dax(struct vm *vm, struct cm_err *err)
{
	void *p;

	if (vm->opts->nfs == 0)
		return 0;
	p = mmap(NULL, CM_DAX_DEFAULT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);
	if (p == MAP_FAILED)
		return cm_err_set(err, errno, "map the DAX window");
	vm->dax = p;
	vm->dax_size = CM_DAX_DEFAULT;
	return vm_add_memory(vm, VM_SLOT_DAX, CM_GPA_DAX, vm->dax_size, vm->dax, err);
}

/*
 * Everything in RAM but the device tree, which needs a vCPU's clock. The image is looked at once more only for symbols, if ever: its pages are the file's
 * again, not this process'.
 */
static void vm_load(struct vm *vm, const void *image, size_t size, const struct loader_plan *plan)
{
	loader_copy(image, plan, vm->ram);
	madvise((void *)(uintptr_t)image, size, MADV_DONTNEED);
	boot_write_tables(vm->ram, vm->ram_size);
}

/* The guest's TSC and the wall clock, read together as well as two calls can. */
static int vm_read_clock(struct vm *vm, struct devtree_machine *m, struct cm_err *err)
{
	struct timespec t;
	int r = kvm_get_tsc_khz(vm->cpu[0].fd);

	if (r <= 0)
		return cm_err_set(err, r < 0 ? -r : EINVAL, "frequency of the guest's TSC");
	m->tsc_khz = (uint32_t)r;
	vm->tsc_khz = m->tsc_khz;
	vm->pvm = kvm_is_pvm(vm->cpu[0].fd);
	r = kvm_get_msr(vm->cpu[0].fd, MSR_IA32_TSC, &m->tsc);
	if (r < 0)
		return cm_err_set(err, -r, "read the guest's TSC");
	clock_gettime(CLOCK_REALTIME, &t);
	m->realtime_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return 0;
}

static int vm_write_devtree(struct vm *vm, struct cm_err *err)
{
	struct devtree_machine m = {
		.ram = vm->ram_size,
		.arena = vm->arena_size,
		.dax = vm->dax_size,
		.cpus = vm->ncpus,
		.cmdline = vm->opts->cmdline,
	};
	int r;

	machine_describe(vm, &m);
	if (getrandom(m.seed, sizeof(m.seed), 0) != (ssize_t)sizeof(m.seed))
		return cm_err_set(err, errno, "seed of the guest's random numbers");
	r = vm_read_clock(vm, &m, err);
	if (r < 0)
		return r;
	r = devtree_build(&m, vm->ram + CM_BOOT_FDT, CM_BOOT_FDT_MAX);
	explicit_bzero(m.seed, sizeof(m.seed));
	if (r < 0)
		return cm_err_set(err, -r, "device tree");
	return 0;
}

static int vm_init(struct vm *vm, const struct opts *opts, int kvm_fd, struct cm_err *err)
{
	vm->opts = opts;
	vm->kvm_fd = kvm_fd;
	vm->ncpus = opts->cpus;
	vm->fdt_gpa = CM_GPA_RAM + CM_BOOT_FDT;
	atomic_init(&vm->status, -1);
	sem_init(&vm->sealed, 0, 0);
	sem_init(&vm->created, 0, 0);
	sem_init(&vm->debug_sealed, 0, 0);
	pause_init(&vm->pause);
	vm->log = guestlog_create(opts->log_fd);
	vm->loop = eventloop_create();
	if (!vm->log || !vm->loop)
		return cm_err_set(err, ENOMEM, "create the event loop");
	if (wire_init(vm) < 0 || plug_init(vm) < 0)
		return cm_err_set(err, ENOMEM, "create the event loop");
	return 0;
}

static int vm_add_slots(struct vm *vm, struct cm_err *err)
{
	int r = vm_add_ram(vm, err);

	if (r < 0)
		return r;
	r = vm_add_arena(vm, err);
	return r < 0 ? r : vm_add_dax(vm, err);
}

static int vm_read_cpuid(struct vm *vm, struct cm_err *err)
{
	int r = kvm_supported_cpuid(vm->kvm_fd, &vm->cpuid);

	if (r < 0)
		return cm_err_set(err, -r, "read the CPUID that KVM supports");
	cpuid_filter(&vm->cpuid, vm->ncpus, true);
	return 0;
}

/* The threads that the guest's first instruction needs seal themselves beside the main thread, which reads CPUID meanwhile. */
static int vm_start_threads(struct vm *vm, struct cm_err *err)
{
	unsigned i;
	int r;

	vcpu_init();
	for (i = 0; i < vm->ncpus; i++)
		vcpu_prepare(vm, i);
	r = vcpu_start(vm, 0, err);
	return r < 0 ? r : debug_start(vm, err);
}

/* The others, beside the guest's first instructions: vCPUs that it may ask for later. */
static int vm_start_more_threads(struct vm *vm, struct cm_err *err)
{
	unsigned i;

	for (i = 1; i < vm->ncpus; i++) {
		int r = vcpu_start(vm, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static void vm_wait(sem_t *s)
{
	while (sem_wait(s) < 0)
		;
}

/* What needs the whole machine: the device tree, and vCPU 0 for its clock. */
static int vm_complete(struct vm *vm, struct cm_err *err)
{
	int r = hypercall_init(vm);

	if (r < 0)
		return cm_err_set(err, -r, "claim the hypercall ports");
	r = machine_create(vm, err);
	if (r < 0)
		return r;
	stage_mark("devices");
	vm_wait(&vm->created);
	if (vm_stopping(vm))
		return cm_err_set(err, EIO, "create vcpu 0");
	stage_mark("vcpu");
	return vm_write_devtree(vm, err);
}

int vm_create(struct vm *vm, const struct opts *opts, int kvm_fd, const void *image, size_t size,
	struct cm_err *err)
{
	struct loader_plan plan;
	int r = vm_init(vm, opts, kvm_fd, err);

	if (r == 0)
		r = loader_parse(image, size, opts->memory, &plan, err);
	if (r < 0)
		return r;
	symtab_init(&vm->symbols, image, size);
	vm->image = image;
	vm->image_size = size;
	vm->entry = plan.entry;
	r = vm_open(vm, err);
	if (r == 0)
		r = vm_add_slots(vm, err);
	stage_mark("vm");
	if (r == 0)
		r = vm_start_threads(vm, err);
	if (r == 0)
		r = vm_read_cpuid(vm, err);
	if (r < 0)
		return r;
	stage_mark("threads");
	/* Its thread creates vCPU 0 while this one copies the guest. */
	vcpu_want(&vm->cpu[0]);
	vm_load(vm, image, size, &plan);
	stage_mark("load");
	return vm_complete(vm, err);
}

/* ---- running */

void vm_stop(struct vm *vm, enum vm_status status)
{
	int running = -1;

	atomic_compare_exchange_strong(&vm->status, &running, (int)status);
	eventloop_stop(vm->loop);
}

void vm_fail(struct vm *vm, const struct cm_err *err)
{
	vlog_printf("%s", err->msg);
	vm_stop(vm, VM_STATUS_VMM);
	sem_post(&vm->sealed);
	sem_post(&vm->debug_sealed);
	sem_post(&vm->created);
}

void vm_sealed(struct vm *vm)
{
	sem_post(&vm->sealed);
}

void vm_first_vcpu_created(struct vm *vm)
{
	sem_post(&vm->created);
}

static void vm_on_hangup(struct ev_source *src, uint32_t events)
{
	vm_stop(src->arg, VM_STATUS_PARENT);
}

/* The parent holds the other end of the ready descriptor, or of a log that is a pipe or socket: its hang-up means that it died. */
static int vm_watch_parent(struct vm *vm)
{
	int fd = vm->opts->ready_fd;
	struct stat st;

	if (fd < 0)
		fd = vm->opts->log_fd;
	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return 0;
	vm->hangup = (struct ev_source){ .fd = fd, .fn = vm_on_hangup, .arg = vm };
	return eventloop_add(vm->loop, &vm->hangup, 0);
}

static void vm_join(struct vm *vm)
{
	unsigned i;

	pause_abandon(vm);
	for (i = 0; i < vm->ncpus; i++)
		vcpu_end(&vm->cpu[i]);
	for (i = 0; i < vm->ncpus; i++)
		vcpu_join(&vm->cpu[i]);
}

static void vm_report_start(void)
{
	char text[512];

	if (stage_report_times(text, sizeof(text)) > 0)
		vlog_printf("start us:%s", text);
}

/*
 * The thread of vCPU 0 filtered itself long ago; all others do, and the last privileged one ends, before a device is served. Nobody can make a
 * thread later.
 */
static int vm_seal(struct vm *vm, struct cm_err *err)
{
	unsigned i;
	int r;

	vm_wait(&vm->sealed);
	if (vm_stopping(vm))
		return cm_err_set(err, EIO, "filter the system calls of a thread");
	vm->started_ns = eventloop_now();
	sem_post(&vm->cpu[0].go);
	r = vm_start_more_threads(vm, err);
	if (r == 0)
		r = stage_seal_io(err);
	if (r < 0)
		return r;
	for (i = 1; i < vm->ncpus; i++)
		vm_wait(&vm->sealed);
	if (vm->opts->debug_fd >= 0)
		vm_wait(&vm->debug_sealed);
	stage_mark("seal");
	r = stage_isolated(err);
	stage_mark("detach");
	return r;
}

static void vm_tell_ready(struct vm *vm)
{
	if (vm->opts->ready_fd >= 0 && write(vm->opts->ready_fd, "1", 1) < 0)
		vlog_printf("--ready-fd=%d: %s", vm->opts->ready_fd, strerror(errno));
}

int vm_run(struct vm *vm)
{
	struct cm_err err;
	int r;

	/* #syscalls:io fstat newfstatat */
	if (vm_watch_parent(vm) < 0)
		vlog_printf("cannot watch the parent process");
	stage_mark("devtree");
	if (vm_seal(vm, &err) < 0) {
		vm_fail(vm, &err);
	} else {
		vm_tell_ready(vm);
		r = eventloop_run(vm->loop);
		if (r < 0) {
			cm_err_set(&err, -r, "event loop");
			vm_fail(vm, &err);
		}
	}
	vm_join(vm);
	if (vm->opts->trace_exits) {
		vm_report_start();
		wire_report(vm);
		report_exits(vm);
	}
	return atomic_load(&vm->status);
}
