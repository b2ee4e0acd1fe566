/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of suite files and of what a guest prints. */
#include <config.h>

#include <string.h>

#include "control/kvmtest/kvmtest.h"
#include "tests/fuzz/fuzz.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const char text[] =
		"[a]\nfile = x.flat\nsmp = $MAX_SMP\ntest_args = 'a b' `date +%s`\n"
		"extra_params = \"\"\"-cpu max,+x2apic\n-m 64 -append \"y\"\"\"\"\n"
		"check = /proc/version=1\n[b]\nfile = y\ngroups = nodefault\n"
		"1..2\nok 1 - x\nnot ok 2 # TODO\nBail out!\n";

	if (room < sizeof(text))
		return 0;
	memcpy(buf, text, sizeof(text) - 1);
	return sizeof(text) - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_suite s = { 0 };
	struct kt_console c;
	struct cm_err err;

	for (int kut = 0; kut < 2; kut++) {
		kt_suite_parse(&s, (const char *)data, size, "file", "dir", kut, &err);
		kt_suite_fini(&s);
	}
	if (kt_console_init(&c, "ok [0-9]+$", &err) == 0) {
		kt_console_feed(&c, (const char *)data, size, NULL);
		kt_console_end(&c, NULL);
		kt_console_fini(&c);
	}
	return 0;
}
