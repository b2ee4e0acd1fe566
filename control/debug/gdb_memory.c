/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory by virtual address, for both of gdb's targets. */
#include <config.h>

#include <errno.h>

#include "control/debug/gdb.h"

int gdb_page(struct gdb_machine *m, uint64_t root, uint64_t va, struct gdb_page *p)
{
	struct guest_walk w;

	*p = (struct gdb_page){ .left = GUEST_PAGE - va % GUEST_PAGE };
	if (guest_kernel_pa(m->guest, va, &p->gpa) == 0)
		return 0;
	if (!root)
		return -EFAULT;
	guest_walk(m->guest, root, va, &w);
	if (!w.mapped)
		return -EFAULT;
	p->gpa = w.gpa;
	p->entry = w.step[w.steps - 1].entry;
	return 0;
}

int gdb_read(struct gdb_machine *m, uint64_t root, uint64_t va, void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t done = 0;

	while (done < len) {
		struct gdb_page p;
		int r = gdb_page(m, root, va + done, &p);

		p.left = p.left < len - done ? p.left : len - done;
		r = r ? r : guest_read_phys(m->guest, p.gpa, to + done, p.left);
		if (r < 0)
			return done ? (int)done : r;
		done += p.left;
	}
	return (int)done;
}

int gdb_write(struct gdb_machine *m, uint64_t root, uint64_t va, const void *buf, size_t len,
	uint64_t want)
{
	const uint8_t *from = buf;

	while (len > 0) {
		struct gdb_page p;
		int r = gdb_page(m, root, va, &p);

		if (r == 0 && (p.entry & want) != want)
			r = -EACCES;
		p.left = p.left < len ? p.left : len;
		r = r ? r : dbg_write_phys(m->d, p.gpa, from, p.left);
		guest_forget(m->guest);
		if (r < 0)
			return r;
		va += p.left;
		from += p.left;
		len -= p.left;
	}
	return 0;
}
