/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for host tests of guest drivers: RAM and an arena, threads as coroutines on one CPU, interrupts, and below it the real device
 * models of the VMM, with a file server made of test code. Two halves: fake_machine.c is the guest's (kernel functions that drivers
 * call), fake_machine_host.c the host's.
 */
#ifndef CM_TESTS_FAKE_MACHINE_H
#define CM_TESTS_FAKE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- guest half ---- */

/* Make the machine; abort on failure. The current directory becomes a scratch one with the vsock sockets. */
void fake_machine_init(void);
void fake_machine_fini(void);
struct fdt_reader;
const struct fdt_reader *fake_fdt(void);

/* Start a kernel thread. */
void fake_thread(void (*fn)(void *), void *arg);
/* Run threads, devices and interrupts until fake_done was called as often as there were calls to fake_expect. Aborts after 20 s. */
void fake_expect(unsigned int n);
void fake_done(void);
void fake_run(void);
/* Let the others go on; for a thread that plays the host with non-blocking calls. */
void fake_yield(void);
extern unsigned int fake_interrupts, fake_doorbells, fake_exits;

/* ---- host half ---- */

#define FAKE_ARENA_GPA 0x40000000UL
#define FAKE_ARENA_LEN (16UL << 20)
#define FAKE_RAM_GPA   0x100000000UL
#define FAKE_RAM_LEN   (64UL << 20)

enum fake_device {
	FAKE_VSOCK,
	FAKE_FS,
	FAKE_RNG,
	FAKE_CONSOLE,
	FAKE_DEVICES
};

void fake_host_init(void *base_minus_gpa);
void fake_host_fini(void);
int fake_host_fdt(void *buf, size_t size);
void fake_host_mmio(uint32_t device, uint32_t offset, bool write, uint64_t *value);
void fake_host_doorbell(uint32_t device, uint32_t queue);
/* One round of the devices, waiting at most ms. Returns callbacks run. */
int fake_host_step(int ms);
/* Vectors (bit = device) raised since the last call. */
uint32_t fake_host_raised(void);

/* The file server: what it does with a request. Returns bytes written. */
typedef uint32_t (*fake_fsd_fn)(const void *in, size_t in_len, void *out, size_t out_len);
void fake_fsd_serve(fake_fsd_fn fn);
extern bool fake_fsd_asleep; /* does not look at its rings */
extern bool fake_fsd_prompt; /* has answered when the doorbell's exit is over */
extern bool fake_fsd_mute; /* serves, but forgets interrupts */
extern unsigned int fake_fsd_served[2], fake_fsd_kicks;
/* One request of those that wait, though it sleeps. */
void fake_fsd_serve_once(void);
/* Killed: now, or in the middle of a poll, in which it wants no doorbells. */
void fake_fsd_die(void);
void fake_fsd_die_polling(void);

/* A host client on the vsock listening socket; a listener for connections of the guest. Non-blocking. */
int fake_vsock_connect(void);
int fake_vsock_bind_port(uint32_t port);
/* What the console wrote. */
size_t fake_console_read(char *buf, size_t size);

#endif
