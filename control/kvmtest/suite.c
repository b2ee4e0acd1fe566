/* SPDX-License-Identifier: Apache-2.0 */
/* A suite: some runs at once in one loop, outcomes printed in the order of the tests. */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/kvmtest/cmd.h"
#include "control/parse.h"

#define SUITE_JOBS_MAX 64

struct job {
	struct kt_run *run; /* NULL = free */
	size_t test;
	unsigned tries;
	unsigned first, n; /* its part of the poll array */
};

struct pool {
	struct kt_suite *s;
	const struct kt_suite_options *o;
	struct job job[SUITE_JOBS_MAX];
	struct pollfd fds[SUITE_JOBS_MAX * KT_POLL_MAX];
	bool *done;
	size_t next; /* test to start */
	size_t printed;
	size_t passed, skipped, failed;
};

/* Outcomes become lines once all before them are known. */
static void pool_print(struct pool *p)
{
	for (; p->printed < p->s->count && p->done[p->printed]; p->printed++) {
		const struct kt_test *t = &p->s->test[p->printed];
		const struct kt_outcome *o = &p->s->outcome[p->printed];

		if (p->o->tap)
			kt_print_tap(stdout, p->printed + 1, t, o);
		else
			kt_print_line(stdout, t, o);
		fflush(stdout);
	}
}

static void pool_count(struct pool *p, size_t test)
{
	enum kt_result r = p->s->outcome[test].result;

	p->done[test] = true;
	p->passed += r == KT_PASSED;
	p->skipped += r == KT_SKIPPED;
	p->failed += r != KT_PASSED && r != KT_SKIPPED;
	pool_print(p);
}

static int pool_launch(struct pool *p, struct job *j, struct cm_err *err)
{
	j->tries++;
	j->run = kt_run_start(&p->s->test[j->test], -1, NULL);
	return j->run ? 0 : cm_err_set(err, ENOMEM, "run '%s'", p->s->test[j->test].name);
}

/* Give a free job the next test that is run at all. */
static int pool_fill(struct pool *p, struct job *j, struct cm_err *err)
{
	while (p->next < p->s->count) {
		size_t i = p->next++;
		struct kt_outcome *o = &p->s->outcome[i];

		if (!p->s->test[i].skip) {
			j->test = i;
			j->tries = 0;
			return pool_launch(p, j, err);
		}
		o->result = KT_SKIPPED;
		snprintf(o->reason, sizeof(o->reason), "%s", p->s->test[i].skip);
		pool_count(p, i);
	}
	return 0;
}

static int pool_over(struct pool *p, struct job *j, struct cm_err *err)
{
	struct kt_outcome *o = &p->s->outcome[j->test];

	kt_run_finish(j->run, o);
	j->run = NULL;
	o->tries = j->tries;
	if (o->result != KT_PASSED && o->result != KT_SKIPPED && o->result != KT_NOT_BOOTABLE &&
		j->tries <= p->o->retries) {
		kt_outcome_fini(o);
		return pool_launch(p, j, err);
	}
	pool_count(p, j->test);
	return 0;
}

/* One round: fill, wait, go on with all. 0 when nothing runs any more. */
static int pool_round(struct pool *p, struct cm_err *err)
{
	unsigned n = 0, busy = 0, i;
	int timeout = -1, r;

	for (i = 0; i < p->o->jobs; i++) {
		struct job *j = &p->job[i];

		r = j->run ? 0 : pool_fill(p, j, err);
		if (r < 0)
			return r;
		j->first = n;
		j->n = j->run ? kt_run_poll(j->run, p->fds + n, &timeout) : 0;
		n += j->n;
		busy += j->run != NULL;
		if (j->run && j->n == 0)
			timeout = 0; /* it is over already */
	}
	if (busy == 0)
		return 0;
	if (poll(p->fds, n, timeout) < 0) {
		for (i = 0; i < n; i++)
			p->fds[i].revents = 0;
	}
	for (i = 0; i < p->o->jobs; i++) {
		struct job *j = &p->job[i];

		if (!j->run || !kt_run_step(j->run, p->fds + j->first, j->n))
			continue;
		r = pool_over(p, j, err);
		if (r < 0)
			return r;
	}
	return 1;
}

int kt_suite_run(struct kt_suite *s, const struct kt_suite_options *o, struct cm_err *err)
{
	struct pool *p = calloc(1, sizeof(*p));
	int r;

	s->outcome = calloc(s->count ? s->count : 1, sizeof(*s->outcome));
	if (!p || !s->outcome || !(p->done = calloc(s->count + 1, sizeof(*p->done)))) {
		free(p);
		return cm_err_set(err, ENOMEM, "run %zu tests", s->count);
	}
	p->s = s;
	p->o = o;
	if (o->tap)
		printf("TAP version 13\n1..%zu\n", s->count);
	while ((r = pool_round(p, err)) > 0)
		;
	if (r == 0 && !o->tap)
		printf("%zu passed, %zu failed, %zu skipped\n", p->passed, p->failed, p->skipped);
	if (r == 0 && o->junit)
		r = kt_write_junit(s, o->junit, err);
	if (r == 0)
		r = p->failed > 0;
	free(p->done);
	free(p);
	return r;
}

/* ---- command line */

static const char help_suite[] =
	"usage: casemate kvmtest suite [OPTION]... FILE|DIR [NAME]...\n\n"
	"Run the tests of a suite file (kvmtest.cfg, or unittests.cfg of kvm-unit-tests),\n"
	"or those whose names match a NAME (a shell pattern).\n\n"
	"  -j N                 runs at once (default: one a processor)\n"
	"  --tap                print TAP\n"
	"  --junit FILE         write JUnit XML, too\n"
	"  --retry N            run what did not pass up to N more times\n"
	"  --shard I/N          of N equal parts, the I-th\n"
	"  --group NAME         only tests of this group\n"
	"  --all                also those of the group nodefault\n"
	"  --timeout SECONDS    limit of every test, whatever the file says\n"
	"  --core-on-fail DIR   write an ELF core of each that did not pass\n"
	"  --list               print the names, run nothing\n\n"
	"exit status: 0 all passed or were skipped, 1 some did not, 125 kvmtest itself failed\n";

enum {
	OPT_TAP = 0x100,
	OPT_JUNIT,
	OPT_RETRY,
	OPT_SHARD,
	OPT_GROUP,
	OPT_ALL,
	OPT_TIMEOUT,
	OPT_CORE,
	OPT_LIST
};

static const struct option suite_longs[] = {
	{ "jobs", required_argument, NULL, 'j' },
	{ "tap", no_argument, NULL, OPT_TAP },
	{ "junit", required_argument, NULL, OPT_JUNIT },
	{ "retry", required_argument, NULL, OPT_RETRY },
	{ "shard", required_argument, NULL, OPT_SHARD },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "core-on-fail", required_argument, NULL, OPT_CORE },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct selection {
	struct kt_suite_options run;
	long shard, shards;
	const char *group, *timeout, *core_dir;
	bool all, list;
};

static int suite_shard(struct selection *s, const char *text, struct cm_err *err)
{
	char *end, *end2 = NULL;

	s->shard = strtol(text, &end, 10);
	if (end != text && *end == '/')
		s->shards = strtol(end + 1, &end2, 10);
	if (!end2 || *end2 || s->shards < 1 || s->shards > 100000 || s->shard < 1 ||
		s->shard > s->shards)
		return cm_err_set(err, 0, "--shard: '%s' is not I/N with I from 1 to N", text);
	return 0;
}

static int suite_option(struct selection *s, int c, struct cm_err *err)
{
	long n;
	int r = 0;

	switch (c) {
	case 'j':
		r = cm_parse_number(optarg, "-j", 1, SUITE_JOBS_MAX, &n, err);
		s->run.jobs = r == 0 ? (unsigned)n : 0;
		break;
	case OPT_TAP:
		s->run.tap = true;
		break;
	case OPT_JUNIT:
		s->run.junit = optarg;
		break;
	case OPT_RETRY:
		r = cm_parse_number(optarg, "--retry", 0, 100, &n, err);
		s->run.retries = r == 0 ? (unsigned)n : 0;
		break;
	case OPT_SHARD:
		r = suite_shard(s, optarg, err);
		break;
	case OPT_GROUP:
		s->group = optarg;
		break;
	case OPT_ALL:
		s->all = true;
		break;
	case OPT_TIMEOUT:
		s->timeout = optarg;
		break;
	case OPT_CORE:
		s->core_dir = optarg;
		break;
	default:
		s->list = true;
		break;
	}
	return r < 0 ? -err->code : 0;
}

static bool in_words(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (words && *words) {
		size_t n = strcspn(words, " ");

		if (n == len && strncmp(words, word, len) == 0)
			return true;
		words += n + strspn(words + n, " ");
	}
	return false;
}

static bool suite_wants(const struct selection *s, const struct kt_test *t, char **names)
{
	if (s->group && !in_words(t->groups, s->group))
		return false;
	if (!*names)
		return s->group || s->all || !in_words(t->groups, "nodefault");
	for (; *names; names++) {
		if (fnmatch(*names, t->name, 0) == 0)
			return true;
	}
	return false;
}

/* Leave only the tests that are wanted, with the options that go for all. */
static int suite_select(
	struct kt_suite *s, const struct selection *sel, char **names, struct cm_err *err)
{
	size_t kept = 0, number = 0;
	int r = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct kt_test *t = &s->test[i];
		bool wanted = suite_wants(sel, t, names);

		if (wanted && sel->shards)
			wanted = (long)(number++ % (size_t)sel->shards) == sel->shard - 1;
		if (!wanted) {
			kt_test_fini(t);
			continue;
		}
		if (sel->timeout && r == 0)
			r = kt_test_set(t, NULL, "timeout", sel->timeout, err);
		if (sel->core_dir && r == 0)
			r = kt_text(&t->core_dir, sel->core_dir, err);
		if (kept != i) {
			s->test[kept] = *t;
			kt_test_init(t);
		}
		kept++;
	}
	s->count = kept;
	if (r < 0)
		return r;
	return kept || sel->shards ? 0 : cm_err_set(err, 0, "%s: no test is selected", s->name);
}

int kt_cmd_suite(int argc, char **argv, struct cm_err *err)
{
	struct selection sel = { .run.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	struct kt_suite s;
	const char *name;
	int c, r = 0;

	if (sel.run.jobs > SUITE_JOBS_MAX)
		sel.run.jobs = SUITE_JOBS_MAX;
	while (r == 0 &&
		(c = kt_cmd_option(argc, argv, ":hj:", suite_longs, help_suite, &name, err)) != -1)
		r = c == -2 ? -EINVAL : suite_option(&sel, c, err);
	if (r < 0)
		return r;
	if (optind == argc)
		return cm_err_set(err, 0,
			"kvmtest suite: a file is missing (see casemate kvmtest suite --help)");
	r = kt_suite_read(&s, argv[optind], err);
	if (r < 0)
		return r;
	r = suite_select(&s, &sel, argv + optind + 1, err);
	if (r == 0 && sel.list) {
		for (size_t i = 0; i < s.count; i++)
			printf("%s\n", s.test[i].name);
	} else if (r == 0) {
		r = kt_suite_run(&s, &sel.run, err);
	}
	kt_suite_fini(&s);
	return r;
}
