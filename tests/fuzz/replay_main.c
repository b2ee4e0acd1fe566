/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer where it is absent: `target FILE...` replays stored inputs; without files it feeds mutations of the target's own
 * seed (fuzz_seed), or of nothing, with a fixed random sequence, and reports as TAP.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define REPLAY_MAX    (1u << 20) /* bytes of one input */
#define REPLAY_ROUNDS 2000

static uint8_t *replay_read(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf = malloc(REPLAY_MAX);

	if (!f || !buf) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	*size = fread(buf, 1, REPLAY_MAX, f);
	fclose(f);
	return buf;
}

/* In a block of its exact size, so that a sanitizer sees every stray access. */
static void replay_run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(EXIT_FAILURE);
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Headers decide most, so half of the changes fall into the first 256 bytes. */
static void replay_mutate(uint8_t *buf, size_t size)
{
	unsigned n = 1 + (unsigned)random() % 8;

	while (n-- && size) {
		size_t room = random() % 2 && size > 256 ? 256 : size;
		size_t at = (size_t)random() % room;
		static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };

		buf[at] =
			random() % 2 ? (uint8_t)random() : edges[(size_t)random() % sizeof(edges)];
	}
}

static void replay_mutations(void)
{
	uint8_t *seed = malloc(REPLAY_MAX);
	uint8_t *work = malloc(REPLAY_MAX);
	size_t size = 0;
	unsigned i;

	if (!seed || !work)
		exit(EXIT_FAILURE);
	srandom(1);
	if (fuzz_seed) {
		size = fuzz_seed(seed, REPLAY_MAX);
		replay_run(seed, size);
	}
	for (i = 0; i < REPLAY_ROUNDS; i++) {
		size_t len = size ? size : (size_t)random() % 512;

		if (size)
			memcpy(work, seed, size);
		else
			memset(work, (int)random(), len);
		replay_mutate(work, len);
		replay_run(work, i % 8 == 0 && len ? (size_t)random() % len : len);
	}
	free(work);
	free(seed);
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 1) {
		replay_mutations();
		printf("ok 1 - %d mutations\n1..1\n", REPLAY_ROUNDS);
		return EXIT_SUCCESS;
	}
	for (i = 1; i < argc; i++) {
		size_t size;
		uint8_t *data = replay_read(argv[i], &size);

		replay_run(data, size);
		free(data);
		printf("ok %d - %s\n", i, argv[i]);
	}
	printf("1..%d\n", argc - 1);
	return EXIT_SUCCESS;
}
