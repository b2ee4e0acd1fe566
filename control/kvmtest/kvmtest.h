/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of foreign kernels: what a test is, how a run is done, what came out of it. */
#ifndef CM_CONTROL_KVMTEST_H
#define CM_CONTROL_KVMTEST_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "casemate/pcmachine.h"
#include "common/err.h"

#define KT_MEMORY	(128ULL << 20)
#define KT_TIMEOUT_MS	30000u
#define KT_CPUS_MAX	64
#define KT_CONSOLE	(1u << 20) /* bytes of console output that are kept */
#define KT_LINE		4096 /* longest line that a rule looks at */
#define KT_NO_EXIT	(-1)
#define KT_EXIT_SKIPPED 77
#define KT_KUT_SKIPPED	38 /* what kvm-unit-tests write: QEMU makes 77 of it */
#define KT_STATUS_ERROR 125 /* casemate kvmtest itself failed */

/* Results; the numbers are exit statuses of `run`. */
enum kt_result {
	KT_PASSED = 0,
	KT_FAILED = 1,
	KT_CRASHED = 2,
	KT_TIMED_OUT = 3,
	KT_REFUSED = 4, /* by KVM */
	KT_NOT_BOOTABLE = 5,
	KT_SKIPPED = KT_EXIT_SKIPPED,
	KT_ERROR = KT_STATUS_ERROR /* of the VMM */
};

/* "passed", "failed", ... */
const char *kt_result_name(enum kt_result r);

/* One test. All text is owned by it; NULL = not said. */
struct kt_test {
	char *name;
	char *image;
	char *args;
	char *cpu; /* model and features */
	char *expect; /* extended regular expression that a line of the console must match */
	char *format, *irqchip; /* words of casemate-vmm */
	char *blk, *vsock, *module; /* files */
	char *groups; /* words */
	char *skip; /* reason why it is not run */
	char *core_dir;
	uint64_t memory;
	unsigned cpus;
	uint32_t timeout_ms;
	long expect_exit; /* KT_NO_EXIT = none given */
	uint32_t skip_exit; /* exit code that means skipped */
	bool console, rng, edu, iommu, blk_readonly, trace;
	bool q35; /* wants a machine that there is with an IOMMU only */
	bool kut; /* rules of kvm-unit-tests: what the machine lacks is skipped, the environment is a module */
};

void kt_test_init(struct kt_test *t);
void kt_test_fini(struct kt_test *t);

/* --device and `device =`: console, rng, blk=FILE[,ro], vsock=SOCKET, edu, intel-iommu. `dir` (may be NULL) precedes relative files. */
int kt_test_device(struct kt_test *t, const char *dir, const char *text, struct cm_err *err);

/* Set a member by the name it has in a suite file and, with "--", on the command line. 1 = no such name. */
int kt_test_set(
	struct kt_test *t, const char *dir, const char *key, const char *value, struct cm_err *err);

/* Replace *member by a copy of text, or of dir/text. 0 or -ENOMEM with err. */
int kt_text(char **member, const char *text, struct cm_err *err);
int kt_path(char **member, const char *dir, const char *text, struct cm_err *err);

/* ---- verdict */

/* What the console said so far, line by line. */
struct kt_console {
	char *text; /* all of it, cleaned for terminals, at most KT_CONSOLE */
	size_t len, dropped;
	char line[KT_LINE];
	size_t line_len;
	bool cr; /* a carriage return is held back */

	regex_t regex;
	bool has_regex, matched;

	bool tap_plan, tap_bail, tap_skip_all;
	long tap_planned, tap_points, tap_bad;
};

/* 0, or -EINVAL with err when `expect` is no regular expression. */
int kt_console_init(struct kt_console *c, const char *expect, struct cm_err *err);
void kt_console_fini(struct kt_console *c);

/* Take in output as it came; what is fit for a terminal goes to `echo` too (NULL = nowhere). */
void kt_console_feed(struct kt_console *c, const char *data, size_t len, FILE *echo);

/* The output ended: the last line may lack its end. */
void kt_console_end(struct kt_console *c, FILE *echo);

/* Decide. `res`: how the run ended. The reason is one line. */
enum kt_result kt_verdict(const struct kt_test *t, const struct kt_console *c,
	const struct cm_pc_result *res, char *reason, size_t size);

/* ---- run */

struct kt_outcome {
	enum kt_result result;
	char reason[512];
	char *report; /* registers and the like; may be NULL */
	char *log; /* what the VMM said; may be NULL */
	char *console;
	char *core; /* file that was written; may be NULL */
	uint64_t us; /* of the guest */
	uint64_t total_us; /* start of the VMM to its end */
	unsigned tries;
};

void kt_outcome_fini(struct kt_outcome *o);

struct kt_run;

/*
 * Start a test. input: descriptor whose content goes to the guest's COM1 (-1 = none), stays the caller's. echo: where the console goes as
 * it comes. What cannot even be started is an outcome too: only NULL memory makes this return NULL.
 */
struct kt_run *kt_run_start(const struct kt_test *t, int input, FILE *echo);

#define KT_POLL_MAX 5
struct pollfd;

/* Descriptors to wait for (at most KT_POLL_MAX), and the milliseconds until kt_run_step must be called anyway (lowers *timeout_ms). */
unsigned kt_run_poll(struct kt_run *r, struct pollfd *fds, int *timeout_ms);

/* Go on as far as possible without waiting; fds as filled by kt_run_poll and poll. True when it is over. */
bool kt_run_step(struct kt_run *r, const struct pollfd *fds, unsigned n);

/* Take the outcome and free the run, which is over. */
void kt_run_finish(struct kt_run *r, struct kt_outcome *o);

/* ---- suites */

struct kt_suite {
	char *name; /* of the file, for reports */
	struct kt_test *test;
	struct kt_outcome *outcome; /* by test; NULL until it ran */
	size_t count;
};

/* Read FILE, or kvmtest.cfg or unittests.cfg in a directory. 0, or -errno with "file:line: reason". */
int kt_suite_read(struct kt_suite *s, const char *path, struct cm_err *err);
void kt_suite_fini(struct kt_suite *s);

/* For the parser's tests: a whole suite file as text. `kut`: rules of unittests.cfg. */
int kt_suite_parse(struct kt_suite *s, const char *text, size_t len, const char *file,
	const char *dir, bool kut, struct cm_err *err);

struct kt_suite_options {
	unsigned jobs, retries;
	bool tap;
	const char *junit;
};

/* Run all tests and print. Exit status, or -errno with err. */
int kt_suite_run(struct kt_suite *s, const struct kt_suite_options *o, struct cm_err *err);

/* output.c */
void kt_print_tap(FILE *f, size_t number, const struct kt_test *t, const struct kt_outcome *o);
void kt_print_line(FILE *f, const struct kt_test *t, const struct kt_outcome *o);
int kt_write_junit(const struct kt_suite *s, const char *path, struct cm_err *err);

/* words.c: split as a shell does, with quotes and backslashes; `date +%s` in backquotes is the only command. NULL-terminated, free with kt_words_free. */
int kt_words(const char *text, char ***words, struct cm_err *err);
void kt_words_free(char **words);

/* new.c */
int kt_new(const char *dir, struct cm_err *err);

#endif
