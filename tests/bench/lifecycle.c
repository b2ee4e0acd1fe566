/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime's verbs take, seen by whoever calls them: lifecycle N BUNDLE CONTAINER RUNTIME [OPTION...]. N times each of, in an order that changes:
 * `run` of BUNDLE; `create`, `start` and the wait for the end of its process; `exec` of /bin/true in CONTAINER, which runs. Standard streams are the null
 * device. Prints NAME MEDIAN_NS lines.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS 32

enum verb {
	VERB_RUN,
	VERB_CREATE_START,
	VERB_EXEC,
	VERBS
};

static const char *const verb_names[VERBS] = { "run-true", "create+start+exit", "exec-true" };

struct bench {
	const char *bundle, *container;
	char **runtime; /* words, NULL at the end */
	char pid_file[64], id[64];
	posix_spawn_file_actions_t streams;
};

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* The runtime with these words, to its end. */
static void call(const struct bench *b, const char *const *words)
{
	char *argv[WORDS];
	int n = 0, status;
	pid_t pid;

	for (char **w = b->runtime; *w && n < WORDS / 2; w++)
		argv[n++] = *w;
	for (; *words && n < WORDS - 1; words++)
		argv[n++] = (char *)(uintptr_t)*words;
	argv[n] = NULL;
	if (posix_spawnp(&pid, argv[0], &b->streams, NULL, argv, environ) ||
		waitpid(pid, &status, 0) < 0 || status) {
		fprintf(stderr, "lifecycle: %s %s failed\n", argv[0], argv[n - 2]);
		exit(1);
	}
}

static void create_start(const struct bench *b)
{
	struct pollfd end = { .events = POLLIN };
	FILE *f;
	int pid;

	call(b, (const char *[]){
			"create", "--bundle", b->bundle, "--pid-file", b->pid_file, b->id, NULL });
	f = fopen(b->pid_file, "re");
	if (!f || fscanf(f, "%d", &pid) != 1)
		exit(1);
	fclose(f);
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	call(b, (const char *[]){ "start", b->id, NULL });
	poll(&end, 1, -1);
	close(end.fd);
}

static uint64_t measure(struct bench *b, enum verb verb)
{
	static int count;
	uint64_t start, took;

	snprintf(b->id, sizeof(b->id), "lifecycle-%d-%d", getpid(), count++);
	start = now_ns();
	if (verb == VERB_RUN)
		call(b, (const char *[]){ "run", "--bundle", b->bundle, b->id, NULL });
	else if (verb == VERB_EXEC)
		call(b, (const char *[]){ "exec", b->container, "/bin/true", NULL });
	else
		create_start(b);
	took = now_ns() - start;
	if (verb == VERB_CREATE_START)
		call(b, (const char *[]){ "delete", "--force", b->id, NULL });
	return took;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	size_t n = argc > 4 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t *took[VERBS];
	struct bench b;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (n == 0 || null < 0) {
		fprintf(stderr, "usage: lifecycle N BUNDLE CONTAINER RUNTIME [OPTION...]\n");
		return 2;
	}
	b = (struct bench){ .bundle = argv[2], .container = argv[3], .runtime = argv + 4 };
	snprintf(b.pid_file, sizeof(b.pid_file), "/tmp/lifecycle.%d.pid", getpid());
	posix_spawn_file_actions_init(&b.streams);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_adddup2(&b.streams, null, fd);
	for (int v = 0; v < VERBS; v++)
		took[v] = calloc(n, sizeof(uint64_t));
	for (size_t i = 0; i < n * VERBS; i++) {
		/* Each round begins with another one. */
		size_t verb = (i + i / VERBS) % VERBS;

		took[verb][i / VERBS] = measure(&b, (enum verb)verb);
	}
	unlink(b.pid_file);
	for (int v = 0; v < VERBS; v++) {
		qsort(took[v], n, sizeof(uint64_t), compare);
		printf("%s %llu\n", verb_names[v], (unsigned long long)took[v][n / 2]);
	}
	return 0;
}
