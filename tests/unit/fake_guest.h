/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the machine below guest/mm in host tests: RAM, locks of one thread, hypercalls, time. */
#ifndef TESTS_FAKE_GUEST_H
#define TESTS_FAKE_GUEST_H

#include "arch.h"

#define FAKE_RAM_START 0x100000000UL

/* (Re)make RAM of so many MiB and start the page allocator on it. */
void fake_ram(unsigned mib);
extern unsigned fake_cpu; /* what cpu_id() answers */
extern unsigned fake_spin_held, fake_sem_held; /* locks held now: 0 at the end of every test */
extern void (*fake_sleep)(void); /* NULL, or what happens instead of a wait without end */
extern unsigned long fake_released_pages; /* given back to the host by hypercall */
extern u64 fake_now; /* CLOCK_MONOTONIC, ns */

#endif
