/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's string, bitmap and ChaCha20 functions against libc, a naive model and RFC 8439. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The sentry's own versions under other names: libc's stay what the tests compare with. */
#define memcpy	guest_memcpy
#define memmove guest_memmove
#define memset	guest_memset
#define memcmp	guest_memcmp
#define memchr	guest_memchr
#define strlen	guest_strlen
#define strnlen guest_strnlen
#define strcmp	guest_strcmp
#define strncmp guest_strncmp
#define strchr	guest_strchr
#define strrchr guest_strrchr
#undef CM_HOST_TEST
#include "lib/string.h"
#include "../../guest/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#include "lib/bitmap.h"
#include "lib/chacha.h"

#define LEN 200

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void fill(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)rand();
}

START_TEST(test_copy)
{
	unsigned char src[LEN], a[LEN], b[LEN];

	for (int round = 0; round < 2000; round++) {
		size_t from = (size_t)rand() % 50, to = (size_t)rand() % 50,
		       n = (size_t)rand() % 150;

		fill(src, LEN);
		fill(a, LEN);
		memcpy(b, a, LEN);
		ck_assert_ptr_eq(guest_memcpy(a + to, src + from, n), a + to);
		memcpy(b + to, src + from, n);
		ck_assert_mem_eq(a, b, LEN);
		ck_assert_ptr_eq(guest_memmove(a + to, a + from, n), a + to);
		memmove(b + to, b + from, n);
		ck_assert_mem_eq(a, b, LEN);
		ck_assert_ptr_eq(guest_memset(a + to, round, n), a + to);
		memset(b + to, round, n);
		ck_assert_mem_eq(a, b, LEN);
	}
}
END_TEST

START_TEST(test_compare)
{
	char a[LEN], b[LEN];

	for (int round = 0; round < 5000; round++) {
		size_t n = (size_t)rand() % 40;

		for (size_t i = 0; i < 40; i++) {
			a[i] = (char)(rand() % 4 ? 'a' : 200);
			b[i] = rand() % 16 ? a[i] : (char)rand();
		}
		a[39] = b[39] = '\0';
		ck_assert_int_eq(sign(guest_memcmp(a, b, n)), sign(memcmp(a, b, n)));
		ck_assert_int_eq(sign(guest_strcmp(a, b)), sign(strcmp(a, b)));
		ck_assert_int_eq(sign(guest_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		ck_assert_uint_eq(guest_strlen(a), strlen(a));
		ck_assert_uint_eq(guest_strnlen(a, n), strnlen(a, n));
		ck_assert_ptr_eq(guest_memchr(a, b[0], n), memchr(a, b[0], n));
		ck_assert_ptr_eq(guest_strchr(a, b[1]), strchr(a, b[1]));
		ck_assert_ptr_eq(guest_strrchr(a, b[1]), strrchr(a, b[1]));
		ck_assert_ptr_eq(guest_strchr(a, 0), strchr(a, 0));
	}
}
END_TEST

START_TEST(test_str_copy)
{
	char buf[4] = "xyz";

	ck_assert_uint_eq(str_copy(buf, "ab", sizeof(buf)), 2);
	ck_assert_str_eq(buf, "ab");
	ck_assert_uint_eq(str_copy(buf, "abcdef", sizeof(buf)), 6);
	ck_assert_str_eq(buf, "abc");
	ck_assert_uint_eq(str_copy(buf, "q", 0), 1);
	ck_assert_str_eq(buf, "abc");
}
END_TEST

START_TEST(test_bitmap)
{
	u64 map[BITMAP_WORDS(150)];

	for (int round = 0; round < 2000; round++) {
		size_t bits = 1 + (size_t)rand() % 150, from = (size_t)rand() % 160, i;

		fill((unsigned char *)map, sizeof(map));
		if (round % 3 == 0)
			memset(map, round % 2 ? 0xff : 0, sizeof(map));
		for (i = from; i < bits && !bitmap_test(map, i); i++)
			;
		ck_assert_uint_eq(bitmap_next_set(map, bits, from), i < bits ? i : bits);
		for (i = from; i < bits && bitmap_test(map, i); i++)
			;
		ck_assert_uint_eq(bitmap_next_zero(map, bits, from), i < bits ? i : bits);
	}
}
END_TEST

/* RFC 8439, 2.3.2 */
START_TEST(test_chacha)
{
	static const u8 want[CHACHA_BLOCK] = { 0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50,
		0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68,
		0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07,
		0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c,
		0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e };
	static const u32 nonce[3] = { 0x09000000, 0x4a000000, 0 };
	u8 key[CHACHA_KEY], out[CHACHA_BLOCK];

	for (u8 i = 0; i < CHACHA_KEY; i++)
		key[i] = i;
	chacha20_block(out, key, 1, nonce);
	ck_assert_mem_eq(out, want, sizeof(out));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest_lib_string");
	TCase *tc = tcase_create("core");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, test_copy);
	tcase_add_test(tc, test_compare);
	tcase_add_test(tc, test_str_copy);
	tcase_add_test(tc, test_bitmap);
	tcase_add_test(tc, test_chacha);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
