/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's reading of passwd(5) and group(5): the answer is a terminated part of the text, or numbers, whatever that is. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lib/passwd.h"
#include "tests/fuzz/fuzz.h"

static const char seed[] =
	"root:x:0:0:root:/root:/bin/sh\nbad:x:1\n:::::\nuser:x:1000:1001:A user:/home/user:/bin/sh\nlast:x:7:7::/l:";

static void check_seed(void)
{
	static const struct {
		u32 uid;
		const char *home;
	} wanted[] = { { 0, "/root" }, { 1, "" }, { 1000, "/home/user" }, { 7, "/l" }, { 8, "" } };
	char home[32];

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		passwd_home(seed, sizeof(seed) - 1, wanted[i].uid, home, sizeof(home));
		if (strcmp(home, wanted[i].home) != 0)
			abort();
	}
	passwd_home(seed, sizeof(seed) - 1, 1000, home, sizeof("/home/user") - 1);
	if (home[0])
		abort();
}

static void check_users(void)
{
	static const struct {
		const char *name;
		bool known;
		u32 uid, gid;
	} wanted[] = { { "root", true, 0, 0 }, { "user", true, 1000, 1001 },
		{ "1000", true, 1000, 1001 }, { "55", true, 55, 0 }, { "bad", false, 0, 0 },
		{ "", false, 0, 0 }, { "4294967295", false, 0, 0 } };
	static const char groups[] = "root:x:0:\nstaff:x:50:user,root\nbad:x\n";
	u32 uid, gid;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool known = passwd_user(
			seed, sizeof(seed) - 1, wanted[i].name, strlen(wanted[i].name), &uid, &gid);

		if (known != wanted[i].known ||
			(known && (uid != wanted[i].uid || gid != wanted[i].gid)))
			abort();
	}
	if (!passwd_group(groups, sizeof(groups) - 1, "staff", 5, &gid) || gid != 50 ||
		!passwd_group(groups, sizeof(groups) - 1, "77", 2, &gid) || gid != 77 ||
		passwd_group(groups, sizeof(groups) - 1, "bad", 3, &gid) ||
		passwd_group(groups, sizeof(groups) - 1, "", 0, &gid))
		abort();
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	check_seed();
	check_users();
	if (room < sizeof(seed) - 1)
		return 0;
	memcpy(buf, seed, sizeof(seed) - 1);
	return sizeof(seed) - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *home = malloc(16);

	memcpy(text, data, size);
	for (u32 uid = 0; uid < 10; uid++) {
		passwd_home(text, size, uid, home, 16);
		if (!memchr(home, '\0', 16))
			abort();
	}
	for (size_t i = 0; i < size && i < 8; i++) {
		u32 a, b;

		/* Names out of the text itself: some of them are there. */
		passwd_user(text, size, text, i, &a, &b);
		passwd_group(text, size, text, i, &a);
	}
	free(home);
	free(text);
	return 0;
}
