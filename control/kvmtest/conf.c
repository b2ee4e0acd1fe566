/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suite files: "[name]" begins a test, "key = value" lines say what it is, "#" begins a comment. kvmtest.cfg and the unittests.cfg of
 * kvm-unit-tests differ in their keys; the latter's also hold options of QEMU. What a machine of ours cannot be told by them makes a test
 * that is skipped with the reason, never one that runs differently.
 */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/cleanup.h"

#define CONF_BYTES_MAX	 (4u << 20)
#define CONF_TESTS_MAX	 10000
#define CONF_KUT_TIMEOUT 90000u /* ms; that of its own scripts */
#define CONF_QUOTES	 "\"\"\""

struct conf {
	struct kt_suite *s;
	const char *file, *dir;
	bool kut;
	unsigned line;
	struct cm_err *err;
	struct kt_test *test; /* the section's; NULL before the first */
};

__attribute__((format(printf, 2, 3))) static void conf_skip(struct kt_test *t, const char *fmt, ...)
{
	va_list ap;

	if (t->skip)
		return;
	va_start(ap, fmt);
	if (vasprintf(&t->skip, fmt, ap) < 0)
		t->skip = NULL;
	va_end(ap);
}

static char *conf_trim(char *s)
{
	size_t len;

	while (*s == ' ' || *s == '\t')
		s++;
	len = strlen(s);
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t' || s[len - 1] == '\r'))
		s[--len] = '\0';
	return s;
}

/* ---- options of QEMU */

static int qemu_machine(struct kt_test *t, char *text)
{
	char *save, *word;

	for (word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (strncmp(word, "accel=", 6) == 0 || strcmp(word, "pc") == 0 ||
			strcmp(word, "pit=on") == 0)
			continue;
		if (strcmp(word, "q35") == 0 || strcmp(word, "kernel-irqchip=split") == 0) {
			t->q35 = true;
			continue;
		}
		/* Tests use it to rule out the PIT's ticks; ours does not tick until it is programmed. */
		if (strcmp(word, "pit=off") == 0)
			continue;
		conf_skip(t, "machine option '%s' is not offered", word);
	}
	return 0;
}

static int qemu_append(struct kt_test *t, const char *value, struct cm_err *err)
{
	char *old = t->args;
	int r = 0;

	if (!old || !*old)
		return kt_text(&t->args, value, err);
	if (asprintf(&t->args, "%s %s", old, value) < 0) {
		t->args = NULL;
		r = cm_err_set(err, ENOMEM, "arguments");
	}
	free(old);
	return r;
}

/* What the unit does anyway may be said. */
static int qemu_iommu(struct kt_test *t, char *options)
{
	char *save, *word;

	for (word = strtok_r(options, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (strcmp(word, "intremap=on") != 0 && strcmp(word, "eim=off") != 0)
			conf_skip(t, "intel-iommu with '%s' is not offered", word);
	}
	t->iommu = true;
	return 0;
}

static int qemu_device(struct kt_test *t, char *value)
{
	static const char *const have[] = { "pc-testdev", "isa-debug-exit", "testdev",
		"hyperv-testdev" };
	size_t len = strcspn(value, ",");

	if (strcmp(value, "edu") == 0) {
		t->edu = true;
		return 0;
	}
	if (len == strlen("intel-iommu") && strncmp(value, "intel-iommu", len) == 0)
		return qemu_iommu(t, value + len);

	for (size_t i = 0; i < sizeof(have) / sizeof(have[0]); i++) {
		if (strlen(have[i]) == len && strncmp(value, have[i], len) == 0)
			return 0;
	}
	conf_skip(t, "device '%s' is not offered", value);
	return 0;
}

/* An option with a value; 1 when it is none of those that are known. */
static int qemu_value(struct kt_test *t, const char *name, char *value, struct cm_err *err)
{
	if (strcmp(name, "-cpu") == 0)
		return kt_text(&t->cpu, value, err);
	if (strcmp(name, "-m") == 0) {
		/* A number alone is in MiB, and units may be small letters. */
		char text[32];
		size_t len = strlen(value);

		snprintf(text, sizeof(text), "%s%s", value,
			len && value[len - 1] >= '0' && value[len - 1] <= '9' ? "M" : "");
		for (char *p = text; *p; p++)
			*p = *p == 'm' ? 'M' : *p == 'g' ? 'G' : *p;
		return kt_test_set(t, NULL, "memory", text, err);
	}
	if (strcmp(name, "-smp") == 0) {
		value[strcspn(value, ",")] = '\0';
		return kt_test_set(t, NULL, "smp", value, err);
	}
	if (strcmp(name, "-append") == 0)
		return qemu_append(t, value, err);
	if (strcmp(name, "-machine") == 0 || strcmp(name, "-M") == 0)
		return qemu_machine(t, value);
	if (strcmp(name, "-device") == 0)
		return qemu_device(t, value);
	if (strcmp(name, "-overcommit") == 0 || strcmp(name, "-global") == 0 ||
		strcmp(name, "-display") == 0 || strcmp(name, "-accel") == 0)
		return 0;
	return 1;
}

static int conf_qemu(struct conf *c, const char *text)
{
	struct kt_test *t = c->test;
	struct cm_err why;
	char **w;
	int n = kt_words(text, &w, &why), r = 0;

	if (n < 0) {
		conf_skip(t, "%s", why.msg);
		return 0;
	}
	for (int i = 0; i < n && r >= 0; i++) {
		if (strcmp(w[i], "-enable-kvm") == 0)
			continue;
		r = i + 1 < n ? qemu_value(t, w[i], w[i + 1], &why) : 1;
		if (r == 1)
			conf_skip(t, "option '%s' is not understood", w[i]);
		else if (r < 0)
			conf_skip(t, "%s", why.msg);
		r = 0;
		i++;
	}
	kt_words_free(w);
	if (t->q35 && !t->iommu)
		conf_skip(t, "machine q35 is offered with intel-iommu only");
	return r;
}

/* ---- keys of unittests.cfg */

/* "PATH=VALUE" words: the file must hold the value. */
static void conf_check(struct kt_test *t, char *text)
{
	char *save, *word, have[128];

	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(word, '=');
		ssize_t n = 0;

		if (!eq) {
			conf_skip(t, "check '%s' is not PATH=VALUE", word);
			return;
		}
		*eq = '\0';
		cleanup_fd int fd = open(word, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			n = read(fd, have, sizeof(have) - 1);
		have[n > 0 ? n : 0] = '\0';
		have[strcspn(have, "\n")] = '\0';
		if (fd < 0 || strcmp(have, eq + 1) != 0)
			conf_skip(t, "%s is not %s", word, eq + 1);
	}
}

static int conf_kut_args(struct conf *c, const char *value)
{
	struct cm_err why;
	char **w;
	int n = kt_words(value, &w, &why), r = 0;

	if (n < 0) {
		conf_skip(c->test, "%s", why.msg);
		return 0;
	}
	for (int i = 0; i < n && r == 0; i++)
		r = qemu_append(c->test, w[i], c->err);
	kt_words_free(w);
	return r;
}

/* 1 when the key is not known. */
static int conf_kut(struct conf *c, const char *key, char *value)
{
	struct kt_test *t = c->test;
	struct cm_err why;

	if (strcmp(key, "file") == 0)
		return kt_path(&t->image, c->dir, value, c->err);
	if (strcmp(key, "test_args") == 0)
		return conf_kut_args(c, value);
	if (strcmp(key, "qemu_params") == 0 || strcmp(key, "extra_params") == 0)
		return conf_qemu(c, value);
	if (strcmp(key, "groups") == 0)
		return kt_text(&t->groups, value, c->err);
	if (strcmp(key, "check") == 0) {
		conf_check(t, value);
		return 0;
	}
	if (strcmp(key, "timeout") == 0)
		return kt_test_set(t, NULL, key, value, c->err);
	if (strcmp(key, "smp") == 0) {
		char **w;

		/* Expressions of the shell are possible here. */
		if (kt_words(value, &w, &why) < 0) {
			conf_skip(t, "smp: %s", why.msg);
			return 0;
		}
		if (!w[0] || w[1] || kt_test_set(t, NULL, key, w[0], &why) < 0)
			conf_skip(t, "smp '%s' is not a number", value);
		kt_words_free(w);
		return 0;
	}
	if (strcmp(key, "arch") == 0) {
		if (strcmp(value, "x86_64") != 0)
			conf_skip(t, "%s only", value);
		return 0;
	}
	if (strcmp(key, "accel") == 0) {
		if (strncmp(value, "kvm", 3) != 0)
			conf_skip(t, "%s only", value);
		return 0;
	}
	if (strcmp(key, "machine") == 0) {
		if (strcmp(value, "pc") != 0)
			conf_skip(t, "machine %s only", value);
		return 0;
	}
	if (strcmp(key, "disabled_if") == 0) {
		conf_skip(t, "disabled_if needs a shell");
		return 0;
	}
	return 1;
}

/* ---- lines */

static int conf_section(struct conf *c, char *name)
{
	struct kt_suite *s = c->s;
	struct kt_test *grown;

	if (s->count == CONF_TESTS_MAX)
		return cm_err_set(c->err, 0, "more than %d tests", CONF_TESTS_MAX);
	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->test[i].name, name) == 0)
			return cm_err_set(c->err, 0, "test '%s' comes twice", name);
	}
	grown = realloc(s->test, (s->count + 1) * sizeof(*grown));
	if (!grown)
		return cm_err_set(c->err, ENOMEM, "test '%s'", name);
	s->test = grown;
	c->test = &grown[s->count++];
	kt_test_init(c->test);
	c->test->kut = c->kut;
	if (c->kut) {
		c->test->timeout_ms = CONF_KUT_TIMEOUT;
		c->test->skip_exit = KT_KUT_SKIPPED;
	}
	return kt_text(&c->test->name, name, c->err);
}

static int conf_key(struct conf *c, const char *key, char *value)
{
	int r;

	if (!c->test)
		return cm_err_set(c->err, 0, "'%s' before the first [name]", key);
	r = c->kut ? conf_kut(c, key, value) : kt_test_set(c->test, c->dir, key, value, c->err);
	return r == 1 ? cm_err_set(c->err, 0, "unknown key '%s'", key) : r;
}

static int conf_line(struct conf *c, char *line)
{
	size_t len;
	char *eq;

	line = conf_trim(line);
	len = strlen(line);
	if (len == 0 || *line == '#')
		return 0;
	if (*line == '[') {
		if (len < 3 || line[len - 1] != ']')
			return cm_err_set(c->err, 0, "'%s' is not [name]", line);
		line[len - 1] = '\0';
		return conf_section(c, line + 1);
	}
	eq = strchr(line, '=');
	if (!eq || eq == line)
		return cm_err_set(c->err, 0, "'%.40s' is not key = value", line);
	*eq = '\0';
	return conf_key(c, conf_trim(line), conf_trim(eq + 1));
}

/* A value that begins with three quotes goes on to the next three; its lines become one. */
static char *conf_join(struct conf *c, char *line, char **next)
{
	char *open = strstr(line, CONF_QUOTES), *end;

	if (!open || !c->kut || *line == '#')
		return line;
	memmove(open, open + 3, strlen(open + 3) + 1);
	end = strstr(open, CONF_QUOTES);
	while (!end && *next) {
		char *more = *next, *nl = strchr(more, '\n');

		*next = nl ? nl + 1 : NULL;
		if (nl)
			*nl = '\0';
		c->line++;
		/* The texts are neighbours in the buffer: close the gap, with a blank for the newline. */
		size_t len = strlen(line);

		line[len] = ' ';
		memmove(line + len + 1, more, strlen(more) + 1);
		end = strstr(open, CONF_QUOTES);
	}
	if (end)
		*end = '\0';
	return line;
}

int kt_suite_parse(struct kt_suite *s, const char *text, size_t len, const char *file,
	const char *dir, bool kut, struct cm_err *err)
{
	struct conf c = { .s = s, .file = file, .dir = dir, .kut = kut, .err = err };
	cleanup_free char *copy = malloc(len + 2);
	char *next, *line;
	int r = 0;

	if (!copy)
		return cm_err_set(err, ENOMEM, "'%s'", file);
	if (memchr(text, '\0', len))
		return cm_err_set(err, 0, "%s: not a text file", file);
	memcpy(copy, text, len);
	copy[len] = copy[len + 1] = '\0';
	for (next = copy; next && r >= 0;) {
		char *nl = strchr(next, '\n');

		line = next;
		next = nl ? nl + 1 : NULL;
		if (nl)
			*nl = '\0';
		c.line++;
		r = conf_line(&c, conf_join(&c, line, &next));
	}
	if (r < 0)
		return cm_err_wrap(err, "%s:%u", file, c.line);
	for (size_t i = 0; i < s->count; i++) {
		if (!s->test[i].image)
			return cm_err_set(
				err, 0, "%s: test '%s' has no file", file, s->test[i].name);
	}
	return s->count ? 0 : cm_err_set(err, 0, "%s: no test in it", file);
}

/* ---- files */

static int suite_text(struct kt_suite *s, int fd, const char *file, bool kut, struct cm_err *err)
{
	cleanup_free char *text = malloc(CONF_BYTES_MAX + 1), *dir = strdup(file);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	size_t len = 0;
	ssize_t n;

	if (!text || !dir)
		return cm_err_set(err, ENOMEM, "'%s'", file);
	while (len <= CONF_BYTES_MAX && (n = read(fd, text + len, CONF_BYTES_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return cm_err_set(err, errno, "read '%s'", file);
	if (len > CONF_BYTES_MAX)
		return cm_err_set(err, EFBIG, "'%s'", file);
	if (slash)
		*slash = '\0';
	return kt_suite_parse(s, text, len, file, slash ? dir : NULL, kut, err);
}

int kt_suite_read(struct kt_suite *s, const char *path, struct cm_err *err)
{
	static const char *const names[] = { "kvmtest.cfg", "unittests.cfg" };
	const char *base;
	char file[4096];
	struct stat st;
	int r;

	memset(s, 0, sizeof(*s));
	snprintf(file, sizeof(file), "%s", path);
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "open '%s'", path);
	if (S_ISDIR(st.st_mode)) {
		close(fd);
		fd = -1;
		for (size_t i = 0; i < 2 && fd < 0; i++) {
			if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, names[i]) >=
				sizeof(file))
				return cm_err_set(err, ENAMETOOLONG, "'%s'", path);
			fd = open(file, O_RDONLY | O_CLOEXEC);
		}
		if (fd < 0)
			return cm_err_set(
				err, 0, "'%s': neither %s nor %s in it", path, names[0], names[1]);
	}
	base = strrchr(file, '/');
	base = base ? base + 1 : file;
	r = suite_text(s, fd, file, strcmp(base, names[1]) == 0, err);
	s->name = strdup(file);
	if (r < 0 || !s->name) {
		kt_suite_fini(s);
		return r < 0 ? r : cm_err_set(err, ENOMEM, "'%s'", file);
	}
	return 0;
}

void kt_suite_fini(struct kt_suite *s)
{
	for (size_t i = 0; i < s->count; i++) {
		kt_test_fini(&s->test[i]);
		if (s->outcome)
			kt_outcome_fini(&s->outcome[i]);
	}
	free(s->test);
	free(s->outcome);
	free(s->name);
	memset(s, 0, sizeof(*s));
}
