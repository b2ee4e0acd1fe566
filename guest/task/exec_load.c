/* SPDX-License-Identifier: Apache-2.0 */
/* Placing an ELF program and its interpreter in a new address space. */
#include "task/exec.h"

#include <linux/mman.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/filemap.h"
#include "mm/reclaim.h"
#include "mm/slab.h"

static const char exec_zeroes[PAGE_SIZE];

static u32 exec_prot(u32 flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* The part of a segment that no file page covers, from `start` (rounded up) to `end`. */
static int exec_map_zero(struct as *as, u64 start, u64 end, u32 prot)
{
	s64 ret;

	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (start >= end)
		return 0;
	ret = as_mmap(
		as, start, end - start, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	return ret < 0 ? (int)ret : 0;
}

static int exec_map_segment(struct as *as, struct file *file, const struct elf_segment *s, u64 bias)
{
	u64 vaddr = s->vaddr + bias;
	u64 start = ALIGN_DOWN(vaddr, PAGE_SIZE);
	u64 file_end = vaddr + s->filesz;
	u32 prot = exec_prot(s->flags);
	size_t tail;
	s64 ret;

	if (!s->filesz)
		return exec_map_zero(as, start, vaddr + s->memsz, prot);
	ret = as_mmap(as, start, ALIGN_UP(file_end, PAGE_SIZE) - start, prot,
		MAP_PRIVATE | MAP_FIXED, file, ALIGN_DOWN(s->offset, PAGE_SIZE) >> PAGE_SHIFT);
	if (ret < 0)
		return (int)ret;
	if (s->memsz == s->filesz)
		return 0;
	/* The file's bytes behind the segment are not the program's: it wants zeroes. */
	tail = (size_t)(ALIGN_UP(file_end, PAGE_SIZE) - file_end);
	if (tail && (s->flags & PF_W) && as_copy_to(as, file_end, exec_zeroes, tail) != tail)
		return -EFAULT;
	return exec_map_zero(as, file_end, vaddr + s->memsz, prot);
}

static int exec_map_segments(
	struct as *as, struct file *file, const struct elf_image *elf, u64 bias)
{
	u32 i;

	for (i = 0; i < elf->nsegments; i++) {
		int ret = exec_map_segment(as, file, &elf->segment[i], bias);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- ahead of use */

/* Pages that a program has from the start: cheap in a batch, dear as faults where a fault is dear. */
#define EXEC_AHEAD_FILE \
	1024u /* of a segment that is only read: all of it or, when it is larger, nothing */
#define EXEC_AHEAD_DATA 16u
#define EXEC_AHEAD_ZERO 8u

/* Pages of the file that a segment has. */
static u64 exec_file_pages(const struct elf_segment *s)
{
	u64 start = ALIGN_DOWN(s->vaddr, PAGE_SIZE);

	return s->filesz ? (ALIGN_UP(s->vaddr + s->filesz, PAGE_SIZE) - start) >> PAGE_SHIFT : 0;
}

static bool exec_read_segment(struct file *file, const struct elf_segment *s)
{
	u64 pages = exec_file_pages(s);

	if (pages > EXEC_AHEAD_FILE || !file->inode->mapping)
		return false;
	if (pages)
		mapping_read_ahead(file->inode->mapping, s->offset >> PAGE_SHIFT, pages);
	return true;
}

/* What fails here is left to the faults. */
static void exec_populate_segment(
	struct as *as, struct file *file, const struct elf_segment *s, u64 bias)
{
	u64 start = ALIGN_DOWN(s->vaddr + bias, PAGE_SIZE);
	u64 file_end = ALIGN_UP(s->vaddr + bias + s->filesz, PAGE_SIZE);
	u64 end = ALIGN_UP(s->vaddr + bias + s->memsz, PAGE_SIZE);
	u64 pages = exec_file_pages(s);

	if (!exec_read_segment(file, s))
		return;
	if (!(s->flags & PF_W)) {
		as_populate(as, start, pages << PAGE_SHIFT, false);
		return;
	}
	as_populate(as, start, MIN(pages, EXEC_AHEAD_DATA) << PAGE_SHIFT, true);
	if (end > file_end && pages)
		as_populate(as, file_end, MIN(end - file_end, EXEC_AHEAD_ZERO << PAGE_SHIFT), true);
}

static void exec_populate(struct as *as, struct file *file, const struct elf_image *elf, u64 bias)
{
	for (u32 i = 0; mm_plenty() && i < elf->nsegments; i++)
		exec_populate_segment(as, file, &elf->segment[i], bias);
}

static int exec_read_phdrs(struct file *file, struct elf_image *elf)
{
	size_t size = elf->phnum * sizeof(Elf64_Phdr);
	Elf64_Phdr *ph = kmalloc(size);
	s64 n;
	int ret;

	if (!ph)
		return -ENOMEM;
	n = file_read_kernel(file, ph, size, elf->phoff);
	if (n < 0)
		ret = (int)n;
	else if ((size_t)n != size)
		ret = -ENOEXEC;
	else
		ret = elf_parse_segments(ph, USER_TOP, elf);
	kfree(ph);
	return ret;
}

static int exec_read_header(struct file *file, struct elf_image *elf)
{
	char head[sizeof(Elf64_Ehdr)];
	s64 n = file_read_kernel(file, head, sizeof(head), 0);

	return n < 0 ? (int)n : elf_parse_header(head, (size_t)n, elf);
}

static int exec_open_interp(struct file *program, const struct elf_image *elf, struct file **out)
{
	size_t len = elf->interp_len;
	char *path = kmalloc(len);
	s64 n;
	int ret = -ENOEXEC;

	if (!path)
		return -ENOMEM;
	n = file_read_kernel(program, path, len, elf->interp_offset);
	if (n == (s64)len && path[len - 1] == '\0')
		ret = file_open_exec(NULL, path, LOOKUP_FOLLOW, out);
	kfree(path);
	return ret;
}

static int exec_load_interp(struct exec_image *img)
{
	struct elf_image *elf = kmalloc(sizeof(*elf));
	struct file *file = NULL;
	u64 bias = 0;
	int ret;

	if (!elf)
		return -ENOMEM;
	ret = exec_open_interp(img->file, &img->elf, &file);
	if (ret < 0)
		goto out_free;
	ret = exec_read_header(file, elf);
	if (ret == -ENOEXEC)
		ret = -ELIBBAD;
	if (ret == 0)
		ret = exec_read_phdrs(file, elf);
	if (ret < 0)
		goto out_file;
	if (elf->dynamic) {
		s64 at = as_mmap(img->as, 0, elf->high - elf->low, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);

		if (at < 0) {
			ret = (int)at;
			goto out_file;
		}
		bias = (u64)at - elf->low;
	}
	ret = exec_map_segments(img->as, file, elf, bias);
	if (ret == 0)
		exec_populate(img->as, file, elf, bias);
	img->interp_base = bias + elf->low;
	img->entry = elf->entry + bias;
out_file:
	file_put(file);
out_free:
	kfree(elf);
	return ret;
}

static void exec_set_bounds(struct exec_image *img)
{
	struct as *as = img->as;
	u32 i;

	as->code_start = ~0UL;
	for (i = 0; i < img->elf.nsegments; i++) {
		const struct elf_segment *s = &img->elf.segment[i];
		u64 start = s->vaddr + img->bias;
		u64 end = start + s->filesz;

		as->code_start = MIN(as->code_start, start);
		as->data_start = MAX(as->data_start, start);
		if (s->flags & PF_X)
			as->code_end = MAX(as->code_end, end);
		as->data_end = MAX(as->data_end, end);
	}
	as_set_brk(as, img->elf.high + img->bias);
}

int exec_load_elf(struct exec_image *img, const char *head, size_t len)
{
	struct elf_image *elf = &img->elf;
	int ret = elf_parse_header(head, len, elf);

	if (ret == 0)
		ret = exec_read_phdrs(img->file, elf);
	if (ret < 0)
		return ret;
	if (elf->dynamic) {
		u64 at = ALIGN_DOWN(as_pie_base(img->as), elf->align);

		img->bias = at - elf->low;
		if (elf->high - elf->low > USER_TOP - at)
			return -ENOMEM;
	}
	ret = exec_map_segments(img->as, img->file, elf, img->bias);
	if (ret < 0)
		return ret;
	exec_populate(img->as, img->file, elf, img->bias);
	img->entry = elf->entry + img->bias;
	exec_set_bounds(img);
	return elf->interp_len ? exec_load_interp(img) : 0;
}

/* The header and segments of one file. */
static int exec_read_file(struct file *file, struct elf_image *elf)
{
	int ret = exec_read_header(file, elf);

	if (ret == 0)
		ret = exec_read_phdrs(file, elf);
	for (u32 i = 0; ret == 0 && mm_plenty() && i < elf->nsegments; i++)
		exec_read_segment(file, &elf->segment[i]);
	return ret;
}

void exec_read_ahead(const char *path)
{
	struct elf_image *elf = kmalloc(sizeof(*elf));
	struct file *file, *interp;

	if (elf && file_open_exec(NULL, path, LOOKUP_FOLLOW, &file) == 0) {
		if (exec_read_file(file, elf) == 0 && elf->interp_len &&
			exec_open_interp(file, elf, &interp) == 0) {
			exec_read_file(interp, elf);
			file_put(interp);
		}
		file_put(file);
	}
	kfree(elf);
}
