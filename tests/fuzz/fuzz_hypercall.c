/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz entry of the sentry's requests: the input is a list of port writes over a small RAM that it also fills. Whatever the guest says, the VMM
 * answers, refuses or ends the VM, and touches nothing outside.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <casemate/guestmem.h>
#include <casemate/hypercall.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/guestlog.h"
#include "vmm/hypercall.h"
#include "vmm/machine.h"
#include "vmm/opts.h"
#include "vmm/vlog.h"
#include "vmm/vm.h"

#define RAM_BYTES (64u << 10)
#define CALL_BYTES \
	80 /* one request in the input: port selector, block, and 16 bytes for its arrays */

static struct vm vm;
static struct opts opts = { .vsock_fd = -1, .log_fd = -1, .cpus = 2, .cmdline = "" };

static void set_up(void)
{
	static bool done;

	if (!done) {
		struct cm_err err;

		vm.opts = &opts;
		vm.ncpus = 2;
		vm.log = guestlog_create(-1);
		vm.loop = eventloop_create();
		vm.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		vm.ram_size = RAM_BYTES;
		vlog_init(-1);
		sem_init(&vm.cpu[1].wanted, 0, 0);
		if (vm.ram == MAP_FAILED || !vm.log || !vm.loop || hypercall_init(&vm) < 0 ||
			machine_create(&vm, &err) < 0 ||
			gmem_add(&vm.mem, CM_GPA_RAM, RAM_BYTES, vm.ram, true) < 0)
			abort();
		done = true;
	}
	memset(vm.ram, 0, RAM_BYTES);
	atomic_store(&vm.status, -1);
	atomic_store(&vm.cpu[1].asked, false);
}

static void one_call(const uint8_t *in)
{
	uint32_t pfn = (uint32_t)(CM_GPA_RAM >> 12) + in[0] % 4;
	uint32_t value;

	memcpy(&value, in + 4, sizeof(value));
	/* Block in page 0, arrays in page 1: addresses of the input mostly point there. */
	memcpy(vm.ram, in + 8, sizeof(struct cm_hypercall));
	memcpy(vm.ram + 4096 + in[1] * 8, in + 64, 16);
	switch (in[2] % 4) {
	case 0:
	case 1:
		bus_write(&vm.pio, CM_PORT_CALL, &pfn, 4);
		break;
	case 2:
		bus_write(&vm.pio, CM_PORT_DOORBELL, &value, 4);
		break;
	default:
		bus_write(&vm.pio, value & 0xffff, &value, in[3] % 5);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at;

	set_up();
	for (at = 0; size - at >= CALL_BYTES && at / CALL_BYTES < 64; at += CALL_BYTES)
		one_call(data + at);
	eventloop_step(vm.loop, 0);
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	size_t at = 0;
	uint32_t op;

	memset(buf, 0, room < CALL_BYTES * CM_HC_COUNT ? room : CALL_BYTES * CM_HC_COUNT);
	for (op = 0; op < CM_HC_COUNT && room - at >= CALL_BYTES; op++, at += CALL_BYTES) {
		struct cm_hypercall hc = { .op = op, .arg = { CM_GPA_RAM + 4096, 2 } };

		memcpy(buf + at + 8, &hc, sizeof(hc));
	}
	return at;
}
