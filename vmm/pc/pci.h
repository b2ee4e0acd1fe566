/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: bus 0 by configuration mechanism 1, functions with one memory BAR, MSI and INTx, as firmware leaves them. No bridges, no I/O BARs, no
 * ECAM. No lock: the chipset's protects it.
 */
#ifndef CM_VMM_PC_PCI_H
#define CM_VMM_PC_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

#define PC_PCI_PORT	  0xcf8u /* address and data; the reset register lies among them */
#define PC_PCI_PORTS	  8u
#define PC_PCI_WINDOW	  0xf0000000ull /* where BARs may lie */
#define PC_PCI_WINDOW_LEN 0x0e000000ull
#define PC_PCI_FUNCTIONS  2u
#define PC_PCI_LINE	  11u /* interrupt line of every INTx */

struct pc_pci_function {
	uint16_t devfn; /* the number of the sender, too: there is one bus */
	uint32_t bar_size; /* 0 = none */
	const struct bus_ops *ops; /* of its BAR */
	void *dev;
	uint8_t config[256], writable[256];
	bool msi; /* has the capability */
	bool intx; /* the function asks for an interrupt */
};

/* Where interrupts and resets go. */
struct pc_pci_host {
	void (*line)(void *arg, bool level);
	void (*msi)(void *arg, uint16_t sid, uint64_t addr, uint32_t data);
	void (*reset)(void *arg);
	void *arg;
};

struct pc_pci {
	struct pc_pci_host host;
	uint32_t address;
	bool line;
	unsigned count;
	struct pc_pci_function function[PC_PCI_FUNCTIONS];
};

/* A bus with nothing but its host bridge. */
void pc_pci_init(struct pc_pci *p, const struct pc_pci_host *host);

/* Add a function with a memory BAR of 2^n bytes. NULL when there is no room. */
struct pc_pci_function *pc_pci_add(struct pc_pci *p, uint32_t id, uint32_t class, uint32_t bar_size,
	const struct bus_ops *ops, void *dev);

/* Accesses of the ports from PC_PCI_PORT and of the window. */
extern const struct bus_ops pc_pci_port_ops, pc_pci_window_ops;

/* Ask for an interrupt, or no more: by message when the guest enabled these, else by the line. */
void pc_pci_interrupt(struct pc_pci *p, struct pc_pci_function *f, bool on);

/* May the function access memory? */
bool pc_pci_master(const struct pc_pci_function *f);

#endif
