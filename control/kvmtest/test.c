/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a test by their names. */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/parse.h"

void kt_test_init(struct kt_test *t)
{
	memset(t, 0, sizeof(*t));
	t->memory = KT_MEMORY;
	t->cpus = 1;
	t->timeout_ms = KT_TIMEOUT_MS;
	t->expect_exit = KT_NO_EXIT;
	t->skip_exit = KT_EXIT_SKIPPED;
}

void kt_test_fini(struct kt_test *t)
{
	char *text[] = { t->name, t->image, t->args, t->cpu, t->expect, t->format, t->irqchip,
		t->blk, t->vsock, t->module, t->groups, t->skip, t->core_dir };

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		free(text[i]);
	kt_test_init(t);
}

const char *kt_result_name(enum kt_result r)
{
	switch (r) {
	case KT_PASSED:
		return "passed";
	case KT_FAILED:
		return "failed";
	case KT_CRASHED:
		return "guest crashed";
	case KT_TIMED_OUT:
		return "timed out";
	case KT_REFUSED:
		return "KVM refused";
	case KT_NOT_BOOTABLE:
		return "image not bootable";
	case KT_SKIPPED:
		return "skipped";
	case KT_ERROR:
		break;
	}
	return "error";
}

int kt_text(char **member, const char *text, struct cm_err *err)
{
	free(*member);
	*member = strdup(text);
	return *member ? 0 : cm_err_set(err, ENOMEM, "'%s'", text);
}

int kt_path(char **member, const char *dir, const char *text, struct cm_err *err)
{
	if (!dir || text[0] == '/')
		return kt_text(member, text, err);
	free(*member);
	if (asprintf(member, "%s/%s", dir, text) < 0)
		*member = NULL;
	return *member ? 0 : cm_err_set(err, ENOMEM, "'%s'", text);
}

static int test_blk(struct kt_test *t, const char *dir, const char *file, struct cm_err *err)
{
	size_t len = strlen(file);
	int r = kt_path(&t->blk, dir, file, err);

	if (r < 0)
		return r;
	t->blk_readonly = len > 3 && strcmp(file + len - 3, ",ro") == 0;
	if (t->blk_readonly)
		t->blk[strlen(t->blk) - 3] = '\0';
	return 0;
}

int kt_test_device(struct kt_test *t, const char *dir, const char *text, struct cm_err *err)
{
	const struct {
		const char *name;
		bool *flag;
	} plain[] = { { "console", &t->console }, { "rng", &t->rng }, { "edu", &t->edu },
		{ "intel-iommu", &t->iommu } };

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(text, plain[i].name) == 0) {
			*plain[i].flag = true;
			return 0;
		}
	}
	if (strncmp(text, "blk=", 4) == 0 && text[4])
		return test_blk(t, dir, text + 4, err);
	if (strncmp(text, "vsock=", 6) == 0 && text[6])
		return kt_path(&t->vsock, dir, text + 6, err);
	return cm_err_set(err, 0,
		"device '%s': not console, rng, blk=FILE[,ro], vsock=SOCKET, edu or intel-iommu",
		text);
}

static int test_memory(struct kt_test *t, const char *value, struct cm_err *err)
{
	int r = cm_parse_size(value, "memory", &t->memory, err);

	if (r < 0)
		return r;
	if (t->memory < 2 * CM_PC_RAM_MIN || t->memory > CM_PC_RAM_MAX || t->memory % 4096)
		return cm_err_set(err, 0, "memory: %s is not 2M to 64G in whole pages", value);
	return 0;
}

/* Seconds with up to three digits behind the point; "s" may follow. */
static int test_timeout(struct kt_test *t, const char *value, struct cm_err *err)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(value, &end);
	if (end == value || errno || (*end && strcmp(end, "s") != 0) || !(s >= 0) || s > 1000000)
		return cm_err_set(err, 0, "timeout: '%s' is not a number of seconds", value);
	t->timeout_ms = (uint32_t)(s * 1000);
	return 0;
}

static int test_word(char **member, const char *key, const char *value, const char *const *allowed,
	struct cm_err *err)
{
	for (size_t i = 0; allowed[i]; i++) {
		if (strcmp(value, allowed[i]) == 0)
			return kt_text(member, value, err);
	}
	return cm_err_set(err, 0, "%s: '%s' is not known", key, value);
}

static int test_numbers(struct kt_test *t, const char *key, const char *value, struct cm_err *err)
{
	long n;
	int r;

	if (strcmp(key, "smp") == 0) {
		r = cm_parse_number(value, "smp", 1, KT_CPUS_MAX, &n, err);
		if (r == 0)
			t->cpus = (unsigned)n;
		return r;
	}
	if (strcmp(key, "expect-exit") == 0) {
		r = cm_parse_number(value, "expect-exit", 0, UINT32_MAX, &n, err);
		if (r == 0)
			t->expect_exit = n;
		return r;
	}
	if (strcmp(key, "memory") == 0)
		return test_memory(t, value, err);
	if (strcmp(key, "timeout") == 0)
		return test_timeout(t, value, err);
	return 1;
}

int kt_test_set(
	struct kt_test *t, const char *dir, const char *key, const char *value, struct cm_err *err)
{
	static const char *const formats[] = { "auto", "flat16", "flat32", NULL };
	static const char *const irqchips[] = { "auto", "full", "split", NULL };

	if (strcmp(key, "file") == 0)
		return kt_path(&t->image, dir, value, err);
	if (strcmp(key, "args") == 0)
		return kt_text(&t->args, value, err);
	if (strcmp(key, "cpu") == 0)
		return kt_text(&t->cpu, value, err);
	if (strcmp(key, "expect") == 0)
		return kt_text(&t->expect, value, err);
	if (strcmp(key, "format") == 0)
		return test_word(&t->format, key, value, formats, err);
	if (strcmp(key, "irqchip") == 0)
		return test_word(&t->irqchip, key, value, irqchips, err);
	if (strcmp(key, "module") == 0)
		return kt_path(&t->module, dir, value, err);
	if (strcmp(key, "groups") == 0)
		return kt_text(&t->groups, value, err);
	if (strcmp(key, "device") == 0)
		return kt_test_device(t, dir, value, err);
	return test_numbers(t, key, value, err);
}
