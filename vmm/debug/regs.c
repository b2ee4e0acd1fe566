/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of stopped vCPUs and the processor's own debugging. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "vmm/debug/internal.h"
#include "vmm/debug/pause.h"
#include "vmm/debug/trap.h"
#include "vmm/kvm.h"
#include "vmm/vm.h"

/* #syscalls:dbg ioctl[1=KVM_GET_REGS,KVM_GET_SREGS,KVM_GET_DEBUGREGS,KVM_GET_FPU,KVM_GET_XSAVE,KVM_GET_VCPU_EVENTS,KVM_GET_MP_STATE] */
/* #syscalls:dbg ioctl[1=KVM_SET_REGS,KVM_SET_SREGS,KVM_SET_DEBUGREGS,KVM_SET_FPU,KVM_SET_XSAVE,KVM_SET_VCPU_EVENTS,KVM_SET_MP_STATE] */
/* #syscalls:dbg ioctl[1=KVM_GET_MSRS,KVM_SET_GUEST_DEBUG,KVM_NMI,KVM_SIGNAL_MSI] */

static const struct {
	uint32_t set;
	uint32_t size, wire; /* bytes of the kernel's structure, and in a frame */
	unsigned long get, put;
} regs_sets[] = {
	{ CM_DBG_REGS_GENERAL, sizeof(struct kvm_regs), sizeof(struct kvm_regs), KVM_GET_REGS,
		KVM_SET_REGS },
	{ CM_DBG_REGS_SYSTEM, sizeof(struct kvm_sregs), sizeof(struct kvm_sregs), KVM_GET_SREGS,
		KVM_SET_SREGS },
	{ CM_DBG_REGS_DEBUG, sizeof(struct kvm_debugregs), sizeof(struct kvm_debugregs),
		KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS },
	{ CM_DBG_REGS_FPU, sizeof(struct kvm_fpu), sizeof(struct kvm_fpu), KVM_GET_FPU,
		KVM_SET_FPU },
	{ CM_DBG_REGS_XSAVE, sizeof(struct kvm_xsave), sizeof(struct kvm_xsave), KVM_GET_XSAVE,
		KVM_SET_XSAVE },
	{ CM_DBG_REGS_EVENTS, sizeof(struct kvm_vcpu_events), sizeof(struct kvm_vcpu_events),
		KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS },
	{ CM_DBG_REGS_MP, sizeof(struct kvm_mp_state), sizeof(struct kvm_mp_state) + 4,
		KVM_GET_MP_STATE, KVM_SET_MP_STATE },
};
#define REGS_SETS (sizeof(regs_sets) / sizeof(regs_sets[0]))

/* TSC, APIC base, SYSENTER, PAT, MISC_ENABLE, EFER, STAR, LSTAR, CSTAR, SFMASK, FS, GS, kernel GS, TSC_AUX, TSC deadline */
static const uint32_t regs_msrs[] = { 0x10, 0x1b, 0x174, 0x175, 0x176, 0x277, 0xc0000080,
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
	0xc0000103, 0x6e0 };
_Static_assert(sizeof(regs_msrs) / sizeof(regs_msrs[0]) == CM_DBG_MSRS, "all fit");

static void regs_read_msrs(int fd, struct cm_dbg_msrs *m)
{
	size_t i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < CM_DBG_MSRS; i++) {
		uint64_t v;

		if (kvm_get_msr(fd, regs_msrs[i], &v) < 0)
			continue;
		m->msr[m->count].index = regs_msrs[i];
		m->msr[m->count].value = v;
		m->count++;
	}
}

/* The vCPU of a request, when its registers may be touched. */
static uint32_t regs_cpu(struct vm *vm, uint32_t cpu, struct vcpu **c)
{
	if (cpu >= vm->ncpus)
		return ENODEV;
	*c = &vm->cpu[cpu];
	if (pause_stopped(*c))
		return 0;
	return __atomic_load_n(&(*c)->run, __ATOMIC_ACQUIRE) ? EBUSY : ENODEV;
}

uint32_t debug_regs_get(struct debug_call *k)
{
	struct cm_dbg_regs q, *out = (struct cm_dbg_regs *)(void *)k->reply;
	uint32_t at = sizeof(q), r;
	struct vcpu *c;
	size_t i;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	r = regs_cpu(k->s->vm, q.cpu, &c);
	if (r)
		return r;
	*out = (struct cm_dbg_regs){ .cpu = q.cpu };
	for (i = 0; i < REGS_SETS; i++) {
		if (!(q.sets & regs_sets[i].set))
			continue;
		memset(k->reply + at, 0, regs_sets[i].wire);
		if (kvm_state(c->fd, regs_sets[i].get, k->reply + at) < 0)
			continue;
		if (regs_sets[i].set == CM_DBG_REGS_GENERAL)
			trap_get_regs(c, (struct kvm_regs *)(void *)(k->reply + at));
		else if (regs_sets[i].set == CM_DBG_REGS_SYSTEM)
			trap_get_sregs(c, (struct kvm_sregs *)(void *)(k->reply + at));
		out->sets |= regs_sets[i].set;
		at += regs_sets[i].wire;
	}
	if (q.sets & CM_DBG_REGS_MSRS) {
		regs_read_msrs(c->fd, (struct cm_dbg_msrs *)(void *)(k->reply + at));
		out->sets |= CM_DBG_REGS_MSRS;
		at += sizeof(struct cm_dbg_msrs);
	}
	k->reply_len = at;
	return 0;
}

uint32_t debug_regs_set(struct debug_call *k)
{
	uint8_t buf[sizeof(struct kvm_xsave)] __attribute__((aligned(64)));
	uint32_t at = sizeof(struct cm_dbg_regs), r;
	struct cm_dbg_regs q;
	struct vcpu *c;
	size_t i;

	if (k->len < sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	r = regs_cpu(k->s->vm, q.cpu, &c);
	if (r)
		return r;
	for (i = 0; i < REGS_SETS; i++) {
		if (q.sets & regs_sets[i].set)
			at += regs_sets[i].wire;
	}
	if (at != k->len || q.sets & ~(CM_DBG_REGS_ALL & ~CM_DBG_REGS_MSRS))
		return EINVAL;
	at = sizeof(q);
	for (i = 0; i < REGS_SETS; i++) {
		int n;

		if (!(q.sets & regs_sets[i].set))
			continue;
		memcpy(buf, k->arg + at, regs_sets[i].wire);
		n = 0;
		if (regs_sets[i].set != CM_DBG_REGS_GENERAL ||
			!trap_set_regs(c, (const struct kvm_regs *)(const void *)buf))
			n = kvm_state(c->fd, regs_sets[i].put, buf);
		if (n < 0)
			return (uint32_t)-n;
		at += regs_sets[i].wire;
	}
	return 0;
}

/* ---- the processor's debugging */

static uint32_t gd_set(struct vcpu *c, const struct cm_dbg_guest_debug *q)
{
	int r = trap_set_debug(c, q);

	return r < 0 ? (uint32_t)-r : 0;
}

static bool gd_other_debugs(const struct debug_call *k)
{
	unsigned i;

	for (i = 0; i < CM_DBG_CONNS; i++) {
		const struct debug_conn *c = &k->s->conn[i];

		if (c != k->c && c->fd >= 0 && c->debugs)
			return true;
	}
	return false;
}

uint32_t debug_guest_debug(struct debug_call *k)
{
	struct vm *vm = k->s->vm;
	struct cm_dbg_guest_debug q;
	struct vcpu *c;
	uint32_t r;
	unsigned i;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.flags & ~CM_DBG_GD_ALL)
		return EINVAL;
	if (gd_other_debugs(k))
		return EBUSY;
	if (q.cpu != CM_DBG_ALL_CPUS) {
		r = regs_cpu(vm, q.cpu, &c);
		r = r ? r : gd_set(c, &q);
		k->c->debugs |= r == 0;
		return r;
	}
	for (i = 0; i < vm->ncpus; i++) {
		r = regs_cpu(vm, i, &c);
		if (r == ENODEV)
			continue;
		r = r ? r : gd_set(c, &q);
		if (r)
			return r;
		k->c->debugs = true;
	}
	return 0;
}

void debug_guest_debug_off(struct vm *vm)
{
	static const struct cm_dbg_guest_debug off;
	struct vcpu *c;
	unsigned i;

	for (i = 0; i < vm->ncpus; i++) {
		if (regs_cpu(vm, i, &c) == 0)
			gd_set(c, &off);
	}
}

/* See CM_VECTOR_DEBUG. */
static int nmi_send(struct vm *vm, struct vcpu *c)
{
	struct kvm_regs r;
	int e = vm->pvm ? kvm_get_regs(c->fd, &r) : 0;

	if (e < 0)
		return e;
	if (!vm->pvm || r.rip >> 63)
		return kvm_state(c->fd, KVM_NMI, NULL);
	e = kvm_signal_msi(vm->vm_fd, CM_GPA_LAPIC | (uint64_t)c->index << 12, CM_VECTOR_DEBUG);
	return e < 0 ? e : 0;
}

uint32_t debug_nmi(struct debug_call *k)
{
	struct vm *vm = k->s->vm;
	struct cm_dbg_cpu q;
	struct vcpu *c;
	uint32_t e;
	unsigned i;
	int r;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	for (i = 0; i < vm->ncpus; i++) {
		if (q.cpu != CM_DBG_ALL_CPUS && q.cpu != i)
			continue;
		e = regs_cpu(vm, i, &c);
		if (e == ENODEV && q.cpu == CM_DBG_ALL_CPUS)
			continue;
		if (e)
			return e;
		r = nmi_send(vm, c);
		if (r < 0)
			return (uint32_t)-r;
	}
	return q.cpu == CM_DBG_ALL_CPUS || q.cpu < vm->ncpus ? 0 : ENODEV;
}
