/* SPDX-License-Identifier: Apache-2.0 */
/* Core dumps: when there is one, its name, what it holds. Where kernel.core_pattern is not "core" natively, the test cannot know the name. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096

static char *private_page, *hidden_page, *shared_page;
static char marker[] = "a word that the core must hold";
static pthread_barrier_t ready;
static int *volatile nowhere = (int *)16;

struct core {
	char *data;
	size_t size;
	Elf64_Ehdr *head;
	Elf64_Phdr *phdr;
};

static void limit_core(rlim_t soft)
{
	struct rlimit r;

	getrlimit(RLIMIT_CORE, &r);
	r.rlim_cur = soft;
	setrlimit(RLIMIT_CORE, &r);
}

/* The status of a child that runs fn with this limit; its core lies in the directory. */
static int crash(void (*fn)(void), rlim_t limit)
{
	int status = 0;
	pid_t pid;

	unlink("core");
	pid = fork();
	if (pid == 0) {
		limit_core(limit);
		fn();
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool core_load(struct core *c)
{
	struct stat st;
	int fd = open("core", O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return false;
	c->size = (size_t)st.st_size;
	c->data = mmap(NULL, c->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (c->data == MAP_FAILED)
		return false;
	c->head = (Elf64_Ehdr *)c->data;
	c->phdr = (Elf64_Phdr *)(c->data + c->head->e_phoff);
	return true;
}

/* The memory of the process at an address, or NULL. */
static const char *core_at(const struct core *c, const void *addr)
{
	unsigned long at = (unsigned long)addr;

	for (int i = 0; i < c->head->e_phnum; i++) {
		const Elf64_Phdr *p = &c->phdr[i];

		if (p->p_type == PT_LOAD && at >= p->p_vaddr && at < p->p_vaddr + p->p_filesz)
			return c->data + p->p_offset + (at - p->p_vaddr);
	}
	return NULL;
}

/* The nth note of a type; how many there are when it is NULL that is returned. */
static const void *core_note(const struct core *c, unsigned type, int n, int *count)
{
	const char *at = c->data + c->phdr[0].p_offset, *end = at + c->phdr[0].p_filesz;

	*count = 0;
	while (at + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *h = (const Elf64_Nhdr *)at;
		const char *desc = at + sizeof(*h) + ((h->n_namesz + 3) & ~3U);

		if (h->n_type == type && (*count)++ == n)
			return desc;
		at = desc + ((h->n_descsz + 3) & ~3U);
	}
	return NULL;
}

static void *sleeper(void *arg)
{
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return arg;
}

static void crash_write(void)
{
	pthread_t t;

	pthread_barrier_init(&ready, NULL, 3);
	pthread_create(&t, NULL, sleeper, NULL);
	pthread_create(&t, NULL, sleeper, NULL);
	strcpy(private_page, "private");
	strcpy(shared_page, "shared");
	strcpy(hidden_page, "hidden");
	madvise(hidden_page, PAGE, MADV_DONTDUMP);
	pthread_barrier_wait(&ready);
	*nowhere = 1;
}

static void test_contents(void)
{
	int status = crash(crash_write, RLIM_INFINITY), count;
	const struct elf_prstatus *ps;
	const struct elf_prpsinfo *info;
	const siginfo_t *si;
	const char *text;
	struct core c;
	struct stat st;

	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status),
		"status says core");
	ok(stat("core", &st) == 0 && (st.st_mode & 07777) == 0600, "the file is the owner's alone");
	ok(core_load(&c), "the file can be read");
	ok(!memcmp(c.head->e_ident, ELFMAG, SELFMAG) && c.head->e_type == ET_CORE &&
			c.head->e_machine == EM_X86_64 && c.phdr[0].p_type == PT_NOTE,
		"an ELF core file");
	ps = core_note(&c, NT_PRSTATUS, 0, &count);
	ok(ps && ps->pr_cursig == SIGSEGV && ps->pr_ppid == getpid() && ps->pr_pgrp == getpgrp(),
		"NT_PRSTATUS: the thread that crashed is the first");
	core_note(&c, NT_PRSTATUS, -1, &count);
	ok(count == 3, "NT_PRSTATUS: every thread");
	core_note(&c, NT_FPREGSET, -1, &count);
	ok(count == 3, "NT_FPREGSET: every thread");
	info = core_note(&c, NT_PRPSINFO, 0, &count);
	ok(info && !strcmp(info->pr_fname, "task_core") && strstr(info->pr_psargs, "task_core"),
		"NT_PRPSINFO: name and arguments");
	si = core_note(&c, NT_SIGINFO, 0, &count);
	ok(si && si->si_signo == SIGSEGV && si->si_code == SEGV_MAPERR && si->si_addr == nowhere,
		"NT_SIGINFO");
	ok(core_note(&c, NT_AUXV, 0, &count) != NULL, "NT_AUXV");
	ok(core_note(&c, NT_FILE, 0, &count) != NULL, "NT_FILE");
	text = core_at(&c, marker);
	ok(text && !strcmp(text, marker), "data");
	text = core_at(&c, private_page);
	ok(text && !strcmp(text, "private"), "anonymous memory");
	text = core_at(&c, shared_page);
	ok(text && !strcmp(text, "shared"), "shared anonymous memory");
	ok(core_at(&c, hidden_page) == NULL, "MADV_DONTDUMP: not there");
	ok(core_at(&c, crash_write) == NULL, "code: not there");
	munmap(c.data, c.size);
}

static void filter(const char *bits)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY);

	if (write(fd, bits, strlen(bits)) < 0)
		_exit(2);
	close(fd);
}

static void crash_filtered(void)
{
	filter("0x5");
	strcpy(private_page, "private");
	strcpy(shared_page, "shared");
	abort();
}

static void test_filter(void)
{
	char buf[32] = "";
	struct core c;
	int fd = open("/proc/self/coredump_filter", O_RDONLY);
	int status = crash(crash_filtered, RLIM_INFINITY);

	ok(read(fd, buf, sizeof(buf) - 1) == 9 && !strcmp(buf, "00000033\n"), "filter: default");
	close(fd);
	fd = open("/proc/self/coredump_filter", O_WRONLY);
	ok(write(fd, "x", 1) == -1 && errno == EINVAL, "filter: no number");
	close(fd);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status) && core_load(&c),
		"filter: a core");
	ok(core_at(&c, private_page) && !core_at(&c, shared_page) && core_at(&c, crash_filtered),
		"filter: private and code, nothing shared");
	munmap(c.data, c.size);
}

static void crash_plain(void)
{
	*nowhere = 1;
}

static void crash_undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	*nowhere = 1;
}

static void crash_quit(void)
{
	raise(SIGQUIT);
}

static void crash_term(void)
{
	raise(SIGTERM);
}

/* Over what has the name already. */
static int crash_over(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		limit_core(RLIM_INFINITY);
		crash_plain();
	}
	waitpid(pid, &status, 0);
	return status;
}

static void test_conditions(void)
{
	int status = crash(crash_plain, 0), fd;
	struct stat st;

	ok(WIFSIGNALED(status) && !WCOREDUMP(status) && access("core", F_OK), "limit 0: none");
	status = crash(crash_plain, PAGE);
	ok(WIFSIGNALED(status) && WCOREDUMP(status) && !access("core", F_OK), "a limit: cut off");
	status = crash(crash_undumpable, RLIM_INFINITY);
	ok(WIFSIGNALED(status) && !WCOREDUMP(status) && access("core", F_OK), "not dumpable: none");
	status = crash(crash_quit, RLIM_INFINITY);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT && WCOREDUMP(status),
		"SIGQUIT: core");
	status = crash(crash_term, RLIM_INFINITY);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !WCOREDUMP(status),
		"SIGTERM: none");
	unlink("core");
	ok(symlink("elsewhere", "core") == 0, "a link of that name");
	ok(WCOREDUMP(crash_over()) && access("elsewhere", F_OK) && lstat("core", &st) == 0 &&
			S_ISREG(st.st_mode),
		"is not followed but replaced");
	unlink("core");
	fd = open("core", O_CREAT | O_WRONLY, 0644);
	close(fd);
	ok(link("core", "other") == 0, "a file with two names");
	ok(WCOREDUMP(crash_over()) && stat("other", &st) == 0 && st.st_size == 0,
		"is not written but replaced");
	unlink("other");
	unlink("core");
}

int main(void)
{
	char dir[] = "/tmp/task_core.XXXXXX";

	private_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hidden_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	test_contents();
	test_filter();
	test_conditions();
	if (chdir("/") || rmdir(dir))
		return 1;
	return tap_end();
}
