/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack that a program finds, from high to low: 8 zero bytes, name of the program, environment and argument strings, platform name, 16
 * random bytes, then at the stack pointer (16-byte aligned): argc, argv[], NULL, envp[], NULL, auxiliary vector.
 */
#include "task/exec.h"

#include <linux/mman.h>
#include <linux/auxvec.h>

#include "kernel/errno.h"
#include "kernel/random.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/page.h"
#include "task/signal.h"
#include "task/user_ns.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define STACK_START (128UL << 10) /* mapped at once beyond the strings */
#define STACK_AHEAD (2 * PAGE_SIZE) /* below the stack pointer, present from the start */
#define CLK_TCK	    100

/* Writes pointers or auxv words upwards, in batches. */
struct stack_writer {
	struct as *as;
	u64 at;
	u32 n;
	bool failed;
	u64 word[64];
};

static void writer_flush(struct stack_writer *w)
{
	size_t bytes = w->n * sizeof(w->word[0]);

	if (as_copy_to(w->as, w->at, w->word, bytes) != bytes)
		w->failed = true;
	w->at += bytes;
	w->n = 0;
}

static void writer_put(struct stack_writer *w, u64 v)
{
	w->word[w->n++] = v;
	if (w->n == ARRAY_SIZE(w->word))
		writer_flush(w);
}

static int stack_map(struct exec_image *img, u64 strings)
{
	struct as *as = img->as;
	u32 prot = PROT_READ | PROT_WRITE;
	u64 size;
	s64 ret;

	if (img->elf.stack_exec || !img->elf.stack_seen)
		prot |= PROT_EXEC;
	size = ALIGN_UP(strings, PAGE_SIZE) + STACK_START;
	ret = as_mmap(as, img->stack_top - size, size, prot,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0);
	return ret < 0 ? (int)ret : 0;
}

/* One kernel string below *p, which moves down to its start. */
static int stack_put_bytes(struct exec_image *img, u64 *p, const void *data, size_t n)
{
	*p -= n;
	return as_copy_to(img->as, *p, data, n) == n ? 0 : -EFAULT;
}

/* The strings of all chunks at `at`, without the first `skip` bytes. */
static int stack_put_chunks(struct exec_image *img, u64 at, u64 skip)
{
	struct exec_chunk *c;

	list_for_each_entry (c, &img->strings->chunks, link) {
		u64 from = MIN(skip, (u64)c->used);
		u64 n = c->used - from;

		if (n && as_copy_to(img->as, at, c->data + from, n) != n)
			return -EFAULT;
		skip -= from;
		at += n;
	}
	return 0;
}

/* Pointers to the strings that stand at `at` in chunk order: argc of them, NULL, envc, NULL. */
static void stack_put_pointers(struct exec_image *img, struct stack_writer *w, u64 at, u64 skip)
{
	const struct exec_strings *s = img->strings;
	u32 args = s->argc - (s->drop_first ? 1 : 0);
	u32 left = args + s->envc;
	struct exec_chunk *c;
	bool start = true;

	if (args == 0)
		writer_put(w, 0);
	list_for_each_entry (c, &s->chunks, link) {
		u32 i;

		for (i = 0; i < c->used && left; i++) {
			if (skip) {
				skip--;
				continue;
			}
			if (start) {
				writer_put(w, at);
				left--;
				if (left == s->envc && args)
					writer_put(w, 0);
			}
			start = c->data[i] == '\0';
			at++;
		}
	}
	writer_put(w, 0);
}

static u32 stack_auxv(struct exec_image *img, u64 platform, u64 random, u64 execfn)
{
	const struct cred *c = img->cred;
	u64 *v = img->as->auxv;
	u32 n = 0;

#define AUX(id, val) \
	do { \
		v[n++] = (id); \
		v[n++] = (u64)(val); \
	} while (0)
	if (img->as->vdso)
		AUX(AT_SYSINFO_EHDR, img->as->vdso);
	AUX(AT_MINSIGSTKSZ, sigframe_min_stack());
	AUX(AT_HWCAP, arch_hwcap());
	AUX(AT_PAGESZ, PAGE_SIZE);
	AUX(AT_CLKTCK, CLK_TCK);
	AUX(AT_PHDR, img->elf.phdr_vaddr ? img->elf.phdr_vaddr + img->bias : 0);
	AUX(AT_PHENT, sizeof(Elf64_Phdr));
	AUX(AT_PHNUM, img->elf.phnum);
	AUX(AT_BASE, img->interp_base);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, img->elf.entry + img->bias);
	AUX(AT_UID, uid_shown(c->uid));
	AUX(AT_EUID, uid_shown(c->euid));
	AUX(AT_GID, gid_shown(c->gid));
	AUX(AT_EGID, gid_shown(c->egid));
	AUX(AT_SECURE, img->secure);
	AUX(AT_RANDOM, random);
	AUX(AT_HWCAP2, arch_hwcap2());
	AUX(AT_EXECFN, execfn);
	AUX(AT_PLATFORM, platform);
	AUX(AT_NULL, 0);
#undef AUX
	return n;
}

static u64 stack_string_bytes(const struct exec_image *img)
{
	const struct exec_strings *s = img->strings;
	u64 n = s->bytes + strlen(img->execfn) + 1;
	u32 i;

	for (i = 0; i < s->nprefix; i++)
		n += strlen(s->prefix[i]) + 1;
	return n + (u64)(s->argc + s->envc + 3) * sizeof(u64);
}

/* Bytes of the strings in all chunks (s->bytes also counts pointers). */
static u64 stack_chunk_bytes(const struct exec_strings *s)
{
	struct exec_chunk *c;
	u64 n = 0;

	list_for_each_entry (c, &s->chunks, link)
		n += c->used;
	return n;
}

/* Strings from the top downwards. prefix[i] gets the address of each #! argument, *strings that of the others. */
static int stack_put_strings(
	struct exec_image *img, u64 *pp, u64 *prefix, u64 *strings, u64 *execfn)
{
	struct exec_strings *s = img->strings;
	u64 skip = s->drop_first ? s->first_len : 0;
	u64 p = *pp;
	u32 i;

	if (stack_put_bytes(img, &p, img->execfn, strlen(img->execfn) + 1) < 0)
		return -EFAULT;
	*execfn = p;
	p -= stack_chunk_bytes(s) - skip;
	*strings = p;
	if (stack_put_chunks(img, p, skip) < 0)
		return -EFAULT;
	/* prefix[0] is the last argument before the others. */
	for (i = 0; i < s->nprefix; i++) {
		if (stack_put_bytes(img, &p, s->prefix[i], strlen(s->prefix[i]) + 1) < 0)
			return -EFAULT;
		prefix[i] = p;
	}
	img->as->arg_start = p;
	*pp = p;
	return 0;
}

static void stack_set_bounds(struct exec_image *img, u64 strings, u64 execfn)
{
	const struct exec_strings *s = img->strings;
	struct as *as = img->as;
	u32 args = s->argc - (s->drop_first ? 1 : 0);
	u64 skip = s->drop_first ? s->first_len : 0;
	struct exec_chunk *c;
	u64 at = strings;

	/* arg_end: after the last argument's NUL. */
	list_for_each_entry (c, &s->chunks, link) {
		u32 i;

		for (i = 0; i < c->used && args; i++) {
			if (skip) {
				skip--;
				continue;
			}
			at++;
			args -= c->data[i] == '\0';
		}
	}
	as->arg_end = at;
	as->env_start = at;
	as->env_end = execfn;
	as->env_secret = s->secret ? execfn - s->secret : 0;
}

static int stack_put_vectors(struct exec_image *img, struct stack_writer *w, u64 p, u64 strings,
	const u64 *prefix, u32 auxn)
{
	struct exec_strings *s = img->strings;
	u32 argc = exec_strings_argc(s);
	u64 words = 1 + argc + 1 + s->envc + 1 + auxn;
	u32 i;

	img->sp = ALIGN_DOWN(p - words * sizeof(u64), 16UL);
	w->as = img->as;
	w->at = img->sp;
	writer_put(w, argc);
	for (i = s->nprefix; i-- > 0;)
		writer_put(w, prefix[i]);
	stack_put_pointers(img, w, strings, s->drop_first ? s->first_len : 0);
	for (i = 0; i < auxn; i++)
		writer_put(w, img->as->auxv[i]);
	writer_flush(w);
	return w->failed ? -EFAULT : 0;
}

int exec_build_stack(struct exec_image *img)
{
	static const char platform[] = "x86_64";
	struct stack_writer w = { .n = 0 };
	u64 prefix[ARRAY_SIZE(img->strings->prefix)];
	u8 random[16];
	u64 p, strings, execfn, at_platform, at_random;
	u64 bytes = stack_string_bytes(img);
	int ret;

	/* A quarter of the stack is for strings and pointers, as in Linux; the rest must stay usable. */
	if (bytes > img->strings->limit)
		return -E2BIG;
	ret = stack_map(img, bytes);
	if (ret < 0)
		return ret;
	p = img->stack_top - sizeof(u64);
	ret = stack_put_strings(img, &p, prefix, &strings, &execfn);
	if (ret < 0)
		return ret;
	stack_set_bounds(img, strings, execfn);
	random_bytes(random, sizeof(random));
	p = ALIGN_DOWN(p, 16UL);
	if (stack_put_bytes(img, &p, platform, sizeof(platform)) < 0)
		return -EFAULT;
	at_platform = p;
	if (stack_put_bytes(img, &p, random, sizeof(random)) < 0)
		return -EFAULT;
	at_random = p;
	ret = stack_put_vectors(
		img, &w, p, strings, prefix, stack_auxv(img, at_platform, at_random, execfn));
	img->as->stack_start = img->sp;
	if (ret == 0)
		as_populate(img->as, img->sp - STACK_AHEAD, STACK_AHEAD, true);
	return ret;
}
