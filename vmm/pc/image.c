/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded parsers of foreign images. */
#include <config.h>
#include "vmm/pc/image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <casemate/pcmachine.h>

#define MB_MAGIC	0x1badb002u
#define MB_REQUIRED	0xffffu /* bits that a loader must know */
#define MB_KNOWN	0x3u /* aligned modules, memory information */
#define MB_ADDRESSES	0x10000u /* the header says where the image goes */
#define NOTE_XEN_ENTRY	18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define NOTES_MAX	256
#define IMAGE_PHDRS_MAX 256

/* The image and what was found in it so far. */
struct parser {
	const uint8_t *image;
	size_t size;
	uint64_t low;
	struct pc_image *out;
	struct cm_err *err;
	bool pvh;
	uint32_t pvh_entry;
	uint64_t vaddr[PC_SEGMENTS_MAX]; /* link address of each segment */
};

/* Program header of either class. */
struct phdr {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

static int image_add(struct parser *p, const struct pc_segment *s, uint64_t vaddr)
{
	struct pc_image *out = p->out;
	uint64_t end, file_end;
	unsigned i;

	if (__builtin_add_overflow(s->offset, s->filesz, &file_end) || file_end > p->size)
		return cm_err_set(p->err, 0, "segment at %#llx: outside the file",
			(unsigned long long)s->gpa);
	if (s->filesz > s->memsz)
		return cm_err_set(p->err, 0, "segment at %#llx: larger in the file than in memory",
			(unsigned long long)s->gpa);
	if (__builtin_add_overflow(s->gpa, s->memsz, &end) || end > p->low)
		return cm_err_set(p->err, 0,
			"segment at %#llx: ends beyond the %llu MiB of memory below 4 GiB",
			(unsigned long long)s->gpa, (unsigned long long)p->low >> 20);
	if (s->gpa < CM_PC_FIRMWARE_END && end > CM_PC_FIRMWARE)
		return cm_err_set(p->err, 0,
			"segment at %#llx: overlaps the firmware at %#llx to %#llx",
			(unsigned long long)s->gpa, CM_PC_FIRMWARE, CM_PC_FIRMWARE_END);
	for (i = 0; i < out->nsegments; i++) {
		const struct pc_segment *o = &out->segment[i];

		if (s->gpa < o->gpa + o->memsz && o->gpa < end)
			return cm_err_set(p->err, 0, "segments at %#llx and %#llx overlap",
				(unsigned long long)o->gpa, (unsigned long long)s->gpa);
	}
	if (out->nsegments == PC_SEGMENTS_MAX)
		return cm_err_set(p->err, 0, "more than %d segments", PC_SEGMENTS_MAX);
	p->vaddr[out->nsegments] = vaddr;
	out->segment[out->nsegments++] = *s;
	if (end > out->end)
		out->end = end;
	return 0;
}

/* The entry, as a link or a physical address, must be a byte of the image. */
static int image_entry(struct parser *p, uint64_t entry)
{
	struct pc_image *out = p->out;
	unsigned i;

	for (i = 0; i < out->nsegments; i++) {
		const struct pc_segment *s = &out->segment[i];

		if (entry >= p->vaddr[i] && entry - p->vaddr[i] < s->filesz) {
			out->entry = (uint32_t)(s->gpa + (entry - p->vaddr[i]));
			return 0;
		}
	}
	for (i = 0; i < out->nsegments; i++) {
		const struct pc_segment *s = &out->segment[i];

		if (entry >= s->gpa && entry - s->gpa < s->filesz) {
			out->entry = (uint32_t)entry;
			return 0;
		}
	}
	return cm_err_set(p->err, 0, "entry %#llx lies in no segment", (unsigned long long)entry);
}

/* ---- multiboot */

static bool image_find_multiboot(const struct parser *p, struct multiboot_header *h, size_t *at)
{
	size_t limit = p->size < PC_MULTIBOOT_HEAD ? p->size : PC_MULTIBOOT_HEAD;
	size_t off;

	for (off = 0; off + 12 <= limit; off += 4) {
		memset(h, 0, sizeof(*h));
		memcpy(h, p->image + off, 12);
		if (h->magic != MB_MAGIC || h->magic + h->flags + h->checksum != 0)
			continue;
		if (p->size - off >= sizeof(*h))
			memcpy(h, p->image + off, sizeof(*h));
		*at = off;
		return true;
	}
	return false;
}

static int image_multiboot_flags(struct parser *p, const struct multiboot_header *h)
{
	if (h->flags & MB_REQUIRED & ~MB_KNOWN)
		return cm_err_set(p->err, 0, "multiboot header asks for %#x, which is not offered",
			h->flags & MB_REQUIRED & ~MB_KNOWN);
	p->out->kind = PC_KIND_MULTIBOOT;
	return 0;
}

/* The header, at file offset `at`, says where the image goes. */
static int image_multiboot_addresses(struct parser *p, const struct multiboot_header *h, size_t at)
{
	struct pc_segment s = { .gpa = h->load_addr };
	uint64_t back = (uint64_t)h->header_addr - h->load_addr;
	int r;

	if (p->size - at < sizeof(*h))
		return cm_err_set(p->err, 0, "multiboot header is cut off");
	if (h->header_addr < h->load_addr || back > at)
		return cm_err_set(p->err, 0,
			"multiboot header: load address %#x does not fit header address %#x",
			h->load_addr, h->header_addr);
	s.offset = at - back;
	s.filesz = p->size - s.offset;
	if (h->load_end_addr) {
		if (h->load_end_addr < h->load_addr)
			return cm_err_set(p->err, 0, "multiboot header: load end %#x before %#x",
				h->load_end_addr, h->load_addr);
		s.filesz = h->load_end_addr - h->load_addr;
	}
	s.memsz = s.filesz;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr + s.filesz)
			return cm_err_set(p->err, 0, "multiboot header: bss end %#x in the image",
				h->bss_end_addr);
		s.memsz = h->bss_end_addr - h->load_addr;
	}
	r = image_add(p, &s, s.gpa);
	return r < 0 ? r : image_entry(p, h->entry_addr);
}

/* ---- ELF */

static void image_note(struct parser *p, const char *name, size_t namesz, uint32_t type,
	const uint8_t *desc, size_t descsz)
{
	if (descsz < 4)
		return;
	if (type == NOTE_XEN_ENTRY && namesz == 4 && memcmp(name, "Xen", 4) == 0) {
		memcpy(&p->pvh_entry, desc, 4);
		p->pvh = true;
	}
	if (type == CM_PC_NOTE_MACHINE && namesz == sizeof(CM_PC_NOTE_NAME) &&
		memcmp(name, CM_PC_NOTE_NAME, namesz) == 0)
		memcpy(&p->out->note, desc, 4);
}

/* Notes that do not fit their segment end the walk: they are hints, not parts to be loaded. */
static void image_notes(struct parser *p, const struct phdr *ph)
{
	uint64_t align = ph->align == 8 ? 8 : 4, end;
	uint64_t off = 0;
	unsigned n;

	if (__builtin_add_overflow(ph->offset, ph->filesz, &end) || end > p->size)
		return;
	for (n = 0; n < NOTES_MAX && ph->filesz - off >= sizeof(Elf64_Nhdr); n++) {
		const uint8_t *at = p->image + ph->offset + off;
		uint64_t left = ph->filesz - off - sizeof(Elf64_Nhdr), name, desc;
		Elf64_Nhdr nh;

		memcpy(&nh, at, sizeof(nh));
		name = ((uint64_t)nh.n_namesz + align - 1) & ~(align - 1);
		desc = ((uint64_t)nh.n_descsz + align - 1) & ~(align - 1);
		if (name > left || nh.n_descsz > left - name)
			return;
		image_note(p, (const char *)at + sizeof(nh), nh.n_namesz, nh.n_type,
			at + sizeof(nh) + name, nh.n_descsz);
		if (desc > left - name)
			return;
		off += sizeof(nh) + name + desc;
	}
}

static void image_read_phdr(const uint8_t *at, bool wide, struct phdr *ph)
{
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (wide) {
		memcpy(&p64, at, sizeof(p64));
		*ph = (struct phdr){ p64.p_type, p64.p_offset, p64.p_vaddr, p64.p_paddr,
			p64.p_filesz, p64.p_memsz, p64.p_align };
	} else {
		memcpy(&p32, at, sizeof(p32));
		*ph = (struct phdr){ p32.p_type, p32.p_offset, p32.p_vaddr, p32.p_paddr,
			p32.p_filesz, p32.p_memsz, p32.p_align };
	}
}

struct elf_head {
	bool wide;
	uint64_t entry, phoff;
	unsigned phnum, phsize;
};

static int image_elf_head(struct parser *p, struct elf_head *h)
{
	uint16_t type, machine;
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;
	uint64_t end;

	h->wide = p->size > EI_CLASS && p->image[EI_CLASS] == ELFCLASS64;
	if (p->size < (h->wide ? sizeof(e64) : sizeof(e32)))
		return cm_err_set(p->err, 0, "%zu bytes, too short for an ELF header", p->size);
	if (p->image[EI_DATA] != ELFDATA2LSB || (!h->wide && p->image[EI_CLASS] != ELFCLASS32))
		return cm_err_set(p->err, 0, "not a little-endian ELF file");
	if (h->wide) {
		memcpy(&e64, p->image, sizeof(e64));
		type = e64.e_type;
		machine = e64.e_machine;
		*h = (struct elf_head){ true, e64.e_entry, e64.e_phoff, e64.e_phnum,
			e64.e_phentsize };
	} else {
		memcpy(&e32, p->image, sizeof(e32));
		type = e32.e_type;
		machine = e32.e_machine;
		*h = (struct elf_head){ false, e32.e_entry, e32.e_phoff, e32.e_phnum,
			e32.e_phentsize };
	}
	if (type != ET_EXEC || machine != (h->wide ? EM_X86_64 : EM_386))
		return cm_err_set(p->err, 0,
			"ELF type %u for machine %u; an executable for x86 is needed", type,
			machine);
	if (h->phsize != (h->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || h->phnum == 0 ||
		h->phnum > IMAGE_PHDRS_MAX)
		return cm_err_set(
			p->err, 0, "%u ELF program headers of %u bytes", h->phnum, h->phsize);
	if (__builtin_add_overflow(h->phoff, (uint64_t)h->phnum * h->phsize, &end) || end > p->size)
		return cm_err_set(p->err, 0, "ELF program headers outside the file");
	return 0;
}

static int image_elf_segments(struct parser *p, const struct elf_head *h)
{
	struct phdr ph;
	unsigned i;
	int r;

	for (i = 0; i < h->phnum; i++) {
		image_read_phdr(p->image + h->phoff + (uint64_t)i * h->phsize, h->wide, &ph);
		if (ph.type == PT_NOTE)
			image_notes(p, &ph);
		if (ph.type != PT_LOAD || ph.memsz == 0)
			continue;
		struct pc_segment s = { ph.offset, ph.filesz, ph.paddr, ph.memsz };

		r = image_add(p, &s, ph.vaddr);
		if (r < 0)
			return r;
	}
	return p->out->nsegments ? 0 : cm_err_set(p->err, 0, "ELF file without a segment to load");
}

static int image_elf(struct parser *p)
{
	struct multiboot_header mb;
	struct elf_head h = { 0 };
	bool multiboot;
	size_t at;
	int r = image_elf_head(p, &h);

	if (r == 0)
		r = image_elf_segments(p, &h);
	if (r < 0)
		return r;
	multiboot = image_find_multiboot(p, &mb, &at);
	/* A 64-bit file that can do both means the PVH entry: loaders of multiboot 1 take no 64-bit files. */
	if (p->pvh && (h.wide || !multiboot)) {
		p->out->kind = PC_KIND_PVH;
		return image_entry(p, p->pvh_entry);
	}
	if (!multiboot)
		return cm_err_set(
			p->err, 0, "ELF file with neither a multiboot header nor a PVH note");
	r = image_multiboot_flags(p, &mb);
	return r < 0 ? r : image_entry(p, h.entry);
}

/* ---- all */

static int image_flat(struct parser *p, bool real)
{
	struct pc_segment s = {
		.filesz = p->size,
		.memsz = p->size,
		.gpa = real ? PC_FLAT16_BASE : PC_FLAT32_BASE,
	};
	int r = image_add(p, &s, s.gpa);

	if (r < 0)
		return r;
	p->out->kind = real ? PC_KIND_FLAT16 : PC_KIND_FLAT32;
	p->out->entry = (uint32_t)s.gpa;
	return 0;
}

int pc_image_parse(const void *image, size_t size, uint64_t low, enum pc_image_format format,
	struct pc_image *out, struct cm_err *err)
{
	struct parser p = { .image = image, .size = size, .low = low, .out = out, .err = err };
	struct multiboot_header mb;
	size_t at;
	int r;

	memset(out, 0, sizeof(*out));
	if (size == 0)
		return cm_err_set(err, 0, "the file is empty");
	if (format != PC_FORMAT_AUTO)
		return image_flat(&p, format == PC_FORMAT_FLAT16);
	if (size >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0)
		return image_elf(&p);
	if (!image_find_multiboot(&p, &mb, &at))
		return cm_err_set(err, 0,
			"neither ELF nor multiboot (a flat binary needs --format flat16 or flat32)");
	r = image_multiboot_flags(&p, &mb);
	if (r < 0)
		return r;
	if (!(mb.flags & MB_ADDRESSES))
		return cm_err_set(err, 0, "multiboot header without addresses, and no ELF file");
	return image_multiboot_addresses(&p, &mb, at);
}

void pc_image_copy(const void *image, const struct pc_image *plan, void *ram)
{
	unsigned i;

	for (i = 0; i < plan->nsegments; i++) {
		const struct pc_segment *s = &plan->segment[i];

		memcpy((uint8_t *)ram + s->gpa, (const uint8_t *)image + s->offset, s->filesz);
	}
}
