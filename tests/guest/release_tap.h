/* SPDX-License-Identifier: Apache-2.0 */
/* For guest programs that check what older kernels, on which they run natively too, do otherwise. */
#ifndef TESTS_GUEST_RELEASE_TAP_H
#define TESTS_GUEST_RELEASE_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* Is this a Linux before that release? The sentry, whatever number it reports, is not. */
static inline bool linux_before(int major, int minor)
{
	struct utsname u;
	int is_major = 0, is_minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &is_major, &is_minor);
	return !strstr(u.release, "casemate") &&
	       (is_major < major || (is_major == major && is_minor < minor));
}

#endif
