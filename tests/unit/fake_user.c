/* SPDX-License-Identifier: Apache-2.0 */
/* User memory of host tests as a plain host buffer at a chosen user address, for modules that do not need an address space. */
#include "fake_user.h"

#include <string.h>

char fake_user_mem[FAKE_USER_SIZE];

static size_t fake_user_room(uaddr_t at, size_t n)
{
	if (at < FAKE_USER_BASE || at >= FAKE_USER_BASE + FAKE_USER_SIZE)
		return 0;
	return MIN(n, FAKE_USER_BASE + FAKE_USER_SIZE - at);
}

size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n)
{
	size_t part = fake_user_room(src, n);

	if (part)
		memcpy(dst, fake_user_mem + (src - FAKE_USER_BASE), part);
	return n - part;
}

size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	size_t part = fake_user_room(dst, n);

	if (part)
		memcpy(fake_user_mem + (dst - FAKE_USER_BASE), src, part);
	return n - part;
}

size_t arch_clear_user(uaddr_t dst, size_t n)
{
	size_t part = fake_user_room(dst, n);

	if (part)
		memset(fake_user_mem + (dst - FAKE_USER_BASE), 0, part);
	return n - part;
}

s64 arch_strnlen_user(uaddr_t s, size_t max)
{
	size_t room = fake_user_room(s, max), len;

	if (!room)
		return -14;
	len = strnlen(fake_user_mem + (s - FAKE_USER_BASE), room);
	return len == room && room < max ? -14 : (s64)len;
}

int arch_cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old)
{
	if (arch_copy_from_user(old, p, sizeof(*old)))
		return -14;
	if (*old == expected)
		arch_copy_to_user(p, &new_value, sizeof(new_value));
	return 0;
}
