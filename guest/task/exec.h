/* SPDX-License-Identifier: Apache-2.0 */
/* A new program in the making: everything is built aside, then exec_commit takes it over at the point of no return. */
#ifndef TASK_EXEC_H
#define TASK_EXEC_H

#include "lib/types.h"
#include "task/elf.h"
#include "task/exec_strings.h"

struct as;
struct cred;
struct file;
struct path;
struct task;

#define EXEC_HEAD 256 /* bytes read to tell what a file is, as Linux */

struct exec_image {
	struct file *file; /* the program; reference */
	const char *execfn; /* as the caller named it: AT_EXECFN */
	struct exec_strings *strings;
	struct as *as; /* being built */
	struct cred *cred; /* of the new program */
	bool secure; /* AT_SECURE */
	bool script;
	struct elf_image elf;
	u64 bias; /* where the program was placed */
	u64 entry; /* first instruction: of the interpreter if there is one */
	u64 interp_base; /* AT_BASE */
	u64 stack_top, sp; /* end of the stack; where the program finds argc */
	char comm[16];
};

/* Load the ELF file and its interpreter into img->as. 0 or -errno. */
int exec_load_elf(struct exec_image *img, const char *head, size_t len);
/*
 * Have the page cache read what exec_load_elf would of the file at `path`, as the current task finds it, and of its interpreter. Nothing is said when that fails.
 */
void exec_read_ahead(const char *path);
/* Map the stack and write strings, vectors and the auxiliary vector; sets img->sp. 0 or -errno. */
int exec_build_stack(struct exec_image *img);

/* execve below the system call: path is a kernel string, relative to base (NULL: cwd); lookup: LOOKUP_*; strings are filled.
 * 0 or -errno; after the point of no return it ends the process instead. */
int exec_path(struct task *t, const struct path *base, const char *path, u32 lookup,
	const char *execfn, struct exec_strings *strings);

/* Give the current task a descriptor table of its own. 0 or -ENOMEM. */
int exec_unshare_files(struct task *t);

#endif
