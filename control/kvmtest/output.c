/* SPDX-License-Identifier: Apache-2.0 */
/* What a suite prints: TAP 13, JUnit XML, lines for people. */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"

static double seconds(uint64_t us)
{
	return (double)us / 1e6;
}

/* A text of several lines, each behind a prefix. */
static void output_lines(FILE *f, const char *prefix, const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		fprintf(f, "%s%.*s\n", prefix, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void kt_print_tap(FILE *f, size_t number, const struct kt_test *t, const struct kt_outcome *o)
{
	bool ok = o->result == KT_PASSED || o->result == KT_SKIPPED;

	fprintf(f, "%sok %zu - %s", ok ? "" : "not ", number, t->name);
	if (o->result == KT_SKIPPED)
		fprintf(f, " # SKIP %s\n", o->reason);
	else
		fprintf(f, "\n");
	if (ok && o->tries <= 1)
		return;
	fprintf(f, "# %s: %s\n", kt_result_name(o->result), o->reason);
	if (o->tries > 1)
		fprintf(f, "# try %u\n", o->tries);
	if (!ok) {
		output_lines(f, "# ", o->report);
		output_lines(f, "# console: ", o->console);
		output_lines(f, "# log: ", o->log);
	}
	if (o->core)
		fprintf(f, "# core file: %s\n", o->core);
}

void kt_print_line(FILE *f, const struct kt_test *t, const struct kt_outcome *o)
{
	fprintf(f, "%-18s %s (%s, %.3f s", kt_result_name(o->result), t->name, o->reason,
		seconds(o->total_us));
	if (o->tries > 1)
		fprintf(f, ", try %u", o->tries);
	fprintf(f, ")\n");
	if (o->result == KT_CRASHED || o->result == KT_TIMED_OUT)
		output_lines(f, "    ", o->report);
	if (o->core)
		fprintf(f, "    core file: %s\n", o->core);
}

/* ---- JUnit */

static void junit_text(FILE *f, const char *s)
{
	for (; s && *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '<')
			fputs("&lt;", f);
		else if (c == '>')
			fputs("&gt;", f);
		else if (c == '&')
			fputs("&amp;", f);
		else if (c == '"')
			fputs("&quot;", f);
		else if (c >= 0x20 || c == '\n' || c == '\t')
			fputc(c, f);
		else
			fprintf(f, "\\x%02x", c);
	}
}

static void junit_element(FILE *f, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(f, "      <%s>", name);
	junit_text(f, text);
	fprintf(f, "</%s>\n", name);
}

static void junit_case(FILE *f, const struct kt_suite *s, size_t i)
{
	const struct kt_outcome *o = &s->outcome[i];
	const char *tag = o->result == KT_FAILED ? "failure" : "error";

	fputs("    <testcase classname=\"", f);
	junit_text(f, s->name);
	fputs("\" name=\"", f);
	junit_text(f, s->test[i].name);
	fprintf(f, "\" time=\"%.6f\">\n", seconds(o->total_us));
	if (o->result == KT_SKIPPED) {
		fputs("      <skipped message=\"", f);
		junit_text(f, o->reason);
		fputs("\"/>\n", f);
	} else if (o->result != KT_PASSED) {
		fprintf(f, "      <%s type=\"%s\" message=\"", tag, kt_result_name(o->result));
		junit_text(f, o->reason);
		fputs("\">", f);
		junit_text(f, o->report);
		fprintf(f, "</%s>\n", tag);
	}
	junit_element(f, "system-out", o->console);
	junit_element(f, "system-err", o->log);
	fputs("    </testcase>\n", f);
}

int kt_write_junit(const struct kt_suite *s, const char *path, struct cm_err *err)
{
	cleanup_file FILE *f = fopen(path, "we");
	size_t failures = 0, errors = 0, skipped = 0;
	uint64_t us = 0;

	if (!f)
		return cm_err_set(err, errno, "open '%s'", path);
	for (size_t i = 0; i < s->count; i++) {
		enum kt_result r = s->outcome[i].result;

		failures += r == KT_FAILED;
		skipped += r == KT_SKIPPED;
		errors += r != KT_FAILED && r != KT_SKIPPED && r != KT_PASSED;
		us += s->outcome[i].total_us;
	}
	fprintf(f,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"");
	junit_text(f, s->name);
	fprintf(f,
		"\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\">\n",
		s->count, failures, errors, skipped, seconds(us));
	for (size_t i = 0; i < s->count; i++)
		junit_case(f, s, i);
	fputs("  </testsuite>\n</testsuites>\n", f);
	return fflush(f) == 0 ? 0 : cm_err_set(err, errno, "write '%s'", path);
}
