/* SPDX-License-Identifier: Apache-2.0 */
/* --probe: a small VM of our own guest code, timed from outside. */
#include <config.h>
#include "vmm/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <casemate/guestmem.h>

#include "vmm/boot.h"
#include "vmm/cpuid.h"
#include "vmm/kvm.h"

#define PROBE_RAM CM_RAM_MIN
#define PROBE_PDPT \
	0x8000u /* RAM offset of the user half's second level: between the GDT and the boot tables */
#define PROBE_CREATES 5
#define MSR_PVM_BITS  0x4b564d12
#define PROBE_SECONDS 30

extern const char probe_guest[], probe_guest_end[];

struct probe {
	int kvm_fd, vm_fd, vcpu_fd;
	int run_size;
	struct kvm_run *run;
	uint8_t *ram;
	bool pvm;
	double vm_create_us, vcpu_create_us;
	double mark[PROBE_MARK_END + 1]; /* us */
	uint32_t late; /* the timer's shortest delay, cycles */
	int tsc_khz;
};

static double probe_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void probe_caps(int kvm_fd)
{
	static const struct {
		int cap;
		const char *name;
	} caps[] = {
		{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" },
		{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
		{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
		{ KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER" },
		{ KVM_CAP_X86_MSR_FILTER, "X86_MSR_FILTER" },
		{ KVM_CAP_X2APIC_API, "X2APIC_API" },
		{ KVM_CAP_MAX_VCPUS, "MAX_VCPUS" },
		{ KVM_CAP_NR_MEMSLOTS, "NR_MEMSLOTS" },
		{ KVM_CAP_SYNC_MMU, "SYNC_MMU" },
	};
	size_t i;

	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		printf("cap.%s=%d\n", caps[i].name, kvm_cap(kvm_fd, caps[i].cap));
}

/* The cheapest of a few: the others paid for somebody else's work. */
static int probe_create(struct probe *p, struct cm_err *err)
{
	int i;

	p->vm_create_us = 1e9;
	for (i = 0; i < PROBE_CREATES; i++) {
		double t = probe_now(), us;

		if (p->vm_fd >= 0)
			close(p->vm_fd);
		t = probe_now();
		p->vm_fd = kvm_create_vm(p->kvm_fd);
		us = probe_now() - t;
		if (p->vm_fd < 0)
			return cm_err_set(err, -p->vm_fd, "create VM");
		p->vm_create_us = us < p->vm_create_us ? us : p->vm_create_us;
	}
	if (kvm_enable_cap(p->vm_fd, KVM_CAP_SPLIT_IRQCHIP, 24) < 0)
		return cm_err_set(err, ENOTSUP, "create the interrupt controllers");
	p->vcpu_create_us = probe_now();
	p->vcpu_fd = kvm_create_vcpu(p->vm_fd, 0);
	p->vcpu_create_us = probe_now() - p->vcpu_create_us;
	if (p->vcpu_fd < 0)
		return cm_err_set(err, -p->vcpu_fd, "create vCPU");
	return 0;
}

static int probe_map(struct probe *p, struct cm_err *err)
{
	void *ram =
		mmap(NULL, PROBE_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *run;
	int r;

	if (ram == MAP_FAILED)
		return cm_err_set(err, errno, "map memory");
	p->ram = ram;
	r = kvm_set_slot(p->vm_fd, 0, CM_GPA_RAM, PROBE_RAM, ram, 0);
	if (r < 0)
		return cm_err_set(err, -r, "give the guest memory");
	p->run_size = kvm_run_size(p->kvm_fd);
	if (p->run_size < (int)sizeof(*p->run))
		return cm_err_set(err, EINVAL, "size of the vCPU run area");
	run = mmap(NULL, (size_t)p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return cm_err_set(err, errno, "map the run area of the vCPU");
	p->run = run;
	return 0;
}

/*
 * The boot tables, and a user half that shows RAM from address 0: in the kernel's PML4 for hardware KVM, in the odd page behind it, alone, for
 * the software KVM, which switches to that page in user mode.
 */
static void probe_load(struct probe *p)
{
	uint64_t *pml4 = (uint64_t *)(p->ram + CM_BOOT_PML4);
	uint64_t *user = pml4 + 512;
	uint64_t *pdpt = (uint64_t *)(p->ram + PROBE_PDPT);
	const uint64_t *image;

	boot_write_tables(p->ram, PROBE_RAM);
	memcpy(p->ram + CM_IMAGE_OFFSET, probe_guest, (size_t)(probe_guest_end - probe_guest));
	image = (const uint64_t *)(p->ram + (pml4[CM_KERNEL_BASE >> 39 & 511] & 0xffff000));
	pdpt[0] = image[CM_KERNEL_BASE >> 30 & 511];
	pml4[0] = user[0] = (CM_GPA_RAM + PROBE_PDPT) | 7;
}

static int probe_registers(struct probe *p, struct cm_err *err)
{
	static struct kvm_cpuid_table cpuid;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int r = kvm_supported_cpuid(p->kvm_fd, &cpuid);

	if (r == 0) {
		cpuid_filter(&cpuid, 1, true);
		r = kvm_set_cpuid(p->vcpu_fd, &cpuid);
	}
	if (r == 0)
		r = kvm_get_sregs(p->vcpu_fd, &sregs);
	if (r == 0) {
		boot_sregs(&sregs);
		r = kvm_set_sregs(p->vcpu_fd, &sregs);
	}
	if (r == 0) {
		boot_regs(&regs, CM_KERNEL_IMAGE, p->pvm, 0);
		r = kvm_set_regs(p->vcpu_fd, &regs);
	}
	return r < 0 ? cm_err_set(err, -r, "set the vCPU up") : 0;
}

static void probe_on_alarm(int sig)
{
	/* Its arrival makes KVM_RUN return. */
}

static int probe_loop(struct probe *p, struct cm_err *err)
{
	struct sigaction sa = { .sa_handler = probe_on_alarm };
	struct kvm_run *run = p->run;
	uint32_t mark = 0;

	/* A guest that hangs, because this KVM differs from what we know, must not hang us. */
	sigaction(SIGALRM, &sa, NULL);
	alarm(PROBE_SECONDS);
	while (mark != PROBE_MARK_END) {
		int r = kvm_run(p->vcpu_fd);

		if (r < 0)
			return cm_err_set(err, -r, "run the probe guest");
		if (run->exit_reason != KVM_EXIT_IO)
			return cm_err_set(err, 0, "probe guest: exit reason %u after mark %u",
				run->exit_reason, mark);
		if (run->io.port == PROBE_PORT_LATE)
			memcpy(&p->late, (char *)run + run->io.data_offset, sizeof(p->late));
		if (run->io.port != PROBE_PORT_MARK)
			continue;
		memcpy(&mark, (char *)run + run->io.data_offset, sizeof(mark));
		if (mark > PROBE_MARK_END)
			return cm_err_set(err, 0, "probe guest: mark %u", mark);
		p->mark[mark] = probe_now();
	}
	alarm(0);
	return 0;
}

static void probe_costs(const struct probe *p)
{
	static const char *const names[] = {
		[PROBE_MARK_PIO] = "pio_exit",
		[PROBE_MARK_CPUID] = "cpuid",
		[PROBE_MARK_MSR] = "rdmsr",
		[PROBE_MARK_SYSCALL] = "syscall_sysret",
		[PROBE_MARK_RETURN] = "syscall_return",
	};
	unsigned i, next;

	for (i = 0; i < PROBE_MARK_END; i = next) {
		/* A mark that the guest left out stays 0. */
		for (next = i + 1; next < PROBE_MARK_END && p->mark[next] == 0; next++)
			;
		if (names[i])
			printf("cost.%s_us=%.3f\n", names[i],
				(p->mark[next] - p->mark[i]) / PROBE_ROUNDS);
	}
	if (p->tsc_khz > 0)
		printf("cost.timer_late_us=%.3f\n", p->late * 1e3 / p->tsc_khz);
}

/* The interface's own registers decide; module names tell hardware kinds apart. */
static void probe_flavour(struct probe *p)
{
	const char *flavour = "unknown";
	uint64_t v;

	p->pvm = kvm_is_pvm(p->vcpu_fd);
	if (p->pvm)
		flavour = "pvm";
	else if (access("/sys/module/kvm_intel", F_OK) == 0)
		flavour = "vmx";
	else if (access("/sys/module/kvm_amd", F_OK) == 0)
		flavour = "svm";
	printf("kvm.flavour=%s\n", flavour);
	if (p->pvm && kvm_get_msr(p->vcpu_fd, MSR_PVM_BITS, &v) == 0)
		printf("kvm.pvm_features=%#llx\n", (unsigned long long)v);
	p->tsc_khz = kvm_get_tsc_khz(p->vcpu_fd);
	printf("kvm.tsc_khz=%d\n", p->tsc_khz);
}

int probe_run(int kvm_fd, struct cm_err *err)
{
	struct probe p = { .kvm_fd = kvm_fd, .vm_fd = -1, .vcpu_fd = -1 };
	int r;

	printf("kvm.api=%d\n", kvm_api_version(kvm_fd));
	probe_caps(kvm_fd);
	r = probe_create(&p, err);
	if (r < 0)
		return r;
	probe_flavour(&p);
	printf("cost.vm_create_us=%.1f\n", p.vm_create_us);
	printf("cost.vcpu_create_us=%.1f\n", p.vcpu_create_us);
	fflush(stdout);
	r = probe_map(&p, err);
	if (r < 0)
		return r;
	probe_load(&p);
	r = probe_registers(&p, err);
	if (r == 0)
		r = probe_loop(&p, err);
	if (r == 0)
		probe_costs(&p);
	return r;
}
