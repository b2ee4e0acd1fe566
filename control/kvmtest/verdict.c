/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console as it comes, and the verdict. The guest is hostile: what it prints reaches a terminal only as printable ASCII, newlines and tabs;
 * anything else appears as \xNN.
 */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kt_console_init(struct kt_console *c, const char *expect, struct cm_err *err)
{
	int r;

	memset(c, 0, sizeof(*c));
	if (!expect)
		return 0;
	r = regcomp(&c->regex, expect, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		char why[128];

		regerror(r, &c->regex, why, sizeof(why));
		return cm_err_set(err, 0, "expect '%s': %s", expect, why);
	}
	c->has_regex = true;
	return 0;
}

void kt_console_fini(struct kt_console *c)
{
	if (c->has_regex)
		regfree(&c->regex);
	free(c->text);
	memset(c, 0, sizeof(*c));
}

/* ---- TAP, as any test framework prints it */

static bool tap_directive(const char *line, const char *word)
{
	const char *hash = strchr(line, '#');

	if (!hash)
		return false;
	hash++;
	while (*hash == ' ')
		hash++;
	return strncasecmp(hash, word, strlen(word)) == 0;
}

static void tap_point(struct kt_console *c, const char *line, bool ok)
{
	c->tap_points++;
	if (!ok && !tap_directive(line, "todo") && !tap_directive(line, "skip"))
		c->tap_bad++;
}

static void tap_line(struct kt_console *c, const char *line)
{
	char *end;
	long n;

	if (strncmp(line, "ok", 2) == 0 && (line[2] == ' ' || line[2] == '\0')) {
		tap_point(c, line, true);
	} else if (strncmp(line, "not ok", 6) == 0 && (line[6] == ' ' || line[6] == '\0')) {
		tap_point(c, line, false);
	} else if (strncmp(line, "Bail out!", 9) == 0) {
		c->tap_bail = true;
	} else if (strncmp(line, "1..", 3) == 0 && line[3] >= '0' && line[3] <= '9') {
		n = strtol(line + 3, &end, 10);
		if (*end && *end != ' ' && *end != '#')
			return;
		c->tap_plan = true;
		c->tap_planned = n;
		c->tap_skip_all = n == 0;
	}
}

/* ---- lines */

static void console_line(struct kt_console *c)
{
	c->line[c->line_len] = '\0';
	if (c->has_regex && regexec(&c->regex, c->line, 0, NULL, 0) == 0)
		c->matched = true;
	tap_line(c, c->line);
	c->line_len = 0;
}

static void console_keep(struct kt_console *c, const char *s, size_t len, FILE *echo)
{
	if (echo)
		fwrite(s, 1, len, echo);
	if (!c->text)
		c->text = malloc(KT_CONSOLE + 1);
	if (!c->text || c->len + len > KT_CONSOLE) {
		c->dropped += len;
		return;
	}
	memcpy(c->text + c->len, s, len);
	c->len += len;
	c->text[c->len] = '\0';
}

static void console_char(struct kt_console *c, unsigned char ch, FILE *echo)
{
	char text[8];
	int n;

	if (ch == '\n' || ch == '\t' || (ch >= 0x20 && ch < 0x7f))
		n = snprintf(text, sizeof(text), "%c", ch);
	else
		n = snprintf(text, sizeof(text), "\\x%02x", ch);
	console_keep(c, text, (size_t)n, echo);
	if (ch == '\n')
		console_line(c);
	else if (c->line_len < KT_LINE - 1)
		c->line[c->line_len++] = ch ? (char)ch : ' ';
}

void kt_console_feed(struct kt_console *c, const char *data, size_t len, FILE *echo)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)data[i];

		/* Carriage returns beside a newline belong to the line's end. */
		if (ch == '\r') {
			c->cr = true;
			continue;
		}
		if (c->cr && ch != '\n')
			console_char(c, '\r', echo);
		c->cr = false;
		console_char(c, ch, echo);
	}
	if (echo)
		fflush(echo);
}

void kt_console_end(struct kt_console *c, FILE *echo)
{
	if (c->line_len == 0)
		return;
	console_keep(c, "\n", 1, echo);
	console_line(c);
	if (echo)
		fflush(echo);
}

/* ---- verdict */

static enum kt_result verdict_tap(const struct kt_console *c, char *reason, size_t size)
{
	if (c->tap_bail) {
		snprintf(reason, size, "TAP: bailed out after %ld points", c->tap_points);
		return KT_FAILED;
	}
	if (c->tap_bad) {
		snprintf(reason, size, "TAP: %ld of %ld points not ok", c->tap_bad, c->tap_points);
		return KT_FAILED;
	}
	if (c->tap_points != c->tap_planned) {
		snprintf(reason, size, "TAP: %ld points, %ld planned", c->tap_points,
			c->tap_planned);
		return KT_FAILED;
	}
	snprintf(reason, size, "TAP: %ld points", c->tap_points);
	return c->tap_skip_all ? KT_SKIPPED : KT_PASSED;
}

static enum kt_result verdict_exit(const struct kt_test *t, const struct kt_console *c,
	const struct cm_pc_result *res, char *reason, size_t size)
{
	uint32_t want = t->expect_exit == KT_NO_EXIT ? 0 : (uint32_t)t->expect_exit;

	snprintf(reason, size, "exit code %u", res->value);
	if (t->expect_exit == KT_NO_EXIT && res->value == t->skip_exit)
		return KT_SKIPPED;
	if (res->value != want) {
		snprintf(reason, size, "exit code %u, expected %u", res->value, want);
		return KT_FAILED;
	}
	if (t->expect_exit == KT_NO_EXIT && c->tap_plan)
		return verdict_tap(c, reason, size);
	return KT_PASSED;
}

/* The guest ended in an orderly way. */
static enum kt_result verdict_orderly(const struct kt_test *t, const struct kt_console *c,
	const struct cm_pc_result *res, char *reason, size_t size)
{
	if (t->expect) {
		snprintf(reason, size, "no line of the console matches '%.200s'", t->expect);
		return KT_FAILED;
	}
	if (res->end == CM_PC_END_EXIT)
		return verdict_exit(t, c, res, reason, size);
	snprintf(reason, size, "%.*s", (int)strcspn(res->text, "\n"), res->text);
	if (res->end == CM_PC_END_RESET)
		return KT_FAILED;
	if (t->expect_exit != KT_NO_EXIT) {
		snprintf(reason, size, "powered off, expected exit code %ld", t->expect_exit);
		return KT_FAILED;
	}
	return c->tap_plan ? verdict_tap(c, reason, size) : KT_PASSED;
}

enum kt_result kt_verdict(const struct kt_test *t, const struct kt_console *c,
	const struct cm_pc_result *res, char *reason, size_t size)
{
	if (c->has_regex && c->matched) {
		snprintf(reason, size, "a line matches '%.200s'", t->expect);
		return KT_PASSED;
	}
	snprintf(reason, size, "%.*s", (int)strcspn(res->text, "\n"), res->text);
	switch ((enum cm_pc_end)res->end) {
	case CM_PC_END_EXIT:
	case CM_PC_END_SHUTDOWN:
	case CM_PC_END_RESET:
		return verdict_orderly(t, c, res, reason, size);
	case CM_PC_END_CRASH:
		return KT_CRASHED;
	case CM_PC_END_TIMEOUT:
		return KT_TIMED_OUT;
	case CM_PC_END_REFUSED:
		return KT_REFUSED;
	case CM_PC_END_IMAGE:
		return KT_NOT_BOOTABLE;
	case CM_PC_END_UNSUPPORTED:
		return t->kut ? KT_SKIPPED : KT_ERROR;
	case CM_PC_END_VMM:
		break;
	}
	return KT_ERROR;
}
