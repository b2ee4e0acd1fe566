/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz entry of the debug server's requests: the input is a list of frames (type, length, payload) over a small machine without vCPUs. Whatever
 * is asked, the VMM answers or refuses and touches nothing outside.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <casemate/guestmem.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/debug/internal.h"
#include "vmm/machine.h"
#include "vmm/vm.h"

#define RAM_BYTES (64u << 10)
#define FRAME	  36 /* bytes of one request in the input: type, length, 32 of payload */

static struct vm vm;
static struct opts opts = {
	.vsock_fd = -1, .log_fd = -1, .debug_fd = -1, .cpus = 2, .cmdline = ""
};
static struct debug_server server;

static void set_up(void)
{
	struct cm_err err;
	unsigned i;

	if (!vm.ram) {
		vm.opts = &opts;
		vm.ncpus = 2;
		vm.cpu[0].vm = vm.cpu[1].vm = &vm;
		vm.loop = eventloop_create();
		vm.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		vm.ram_size = RAM_BYTES;
		vm.dax = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		vm.dax_size = 8192;
		pause_init(&vm.pause);
		if (vm.ram == MAP_FAILED || vm.dax == MAP_FAILED || !vm.loop ||
			machine_create(&vm, &err) < 0 ||
			gmem_add(&vm.mem, CM_GPA_RAM, RAM_BYTES, vm.ram, true) < 0)
			abort();
		server.vm = &vm;
		server.hand_fd = server.event_fd = -1;
		server.pipe[0] = server.pipe[1] = -1;
		for (i = 0; i < CM_DBG_CONNS; i++)
			server.conn[i].fd = -1;
	}
	atomic_store(&vm.status, -1);
	server.conn[0].fd = 0; /* in use; nothing is sent here */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct debug_conn *c = &server.conn[0];
	struct debug_call k = { .s = &server, .c = c, .reply = c->out + sizeof(struct cm_dbg_hdr) };
	size_t at;

	set_up();
	for (at = 0; size - at >= FRAME && at / FRAME < 64; at += FRAME) {
		uint16_t type = data[at] % 24;
		uint32_t len =
			(uint32_t)(data[at + 2] | data[at + 3] << 8) % (CM_DBG_PAYLOAD_MAX + 1);

		memset(c->in, 0, sizeof(struct cm_dbg_hdr) + len);
		memcpy(c->in + sizeof(struct cm_dbg_hdr), data + at + 4, 32);
		k.arg = c->in + sizeof(struct cm_dbg_hdr);
		k.len = len;
		k.reply_len = 0;
		debug_dispatch(&k, type);
		if (k.reply_len > CM_DBG_PAYLOAD_MAX)
			abort();
	}
	debug_release(&server, c);
	if (server.kept) {
		server.kept = false;
		pause_remove(&vm);
	}
	if (atomic_load(&vm.pause.wanted) != 0)
		abort();
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const uint32_t sizes[] = { 0, 8, 0, 8, 8, 8, 8, 16, 32, 16, 8, 0, 48, 16, 16, 8, 8,
		24, 0, 0 };
	size_t at = 0, i;

	for (i = 1; i < sizeof(sizes) / sizeof(sizes[0]) && room - at >= FRAME; i++, at += FRAME) {
		struct cm_dbg_mem m = { .gpa = CM_GPA_RAM + 4096 * i, .len = 16 };

		memset(buf + at, 0, FRAME);
		buf[at] = (uint8_t)i;
		buf[at + 2] = (uint8_t)sizes[i];
		if (i == CM_DBG_BREAK_ADD || i == CM_DBG_BREAK_DEL)
			m.len = 1;
		if (i >= CM_DBG_READ && i <= CM_DBG_FIND_DATA)
			memcpy(buf + at + 4, &m, sizeof(m));
		else if (i == CM_DBG_HELLO)
			buf[at + 4] = CM_DBG_VERSION;
	}
	return at;
}
