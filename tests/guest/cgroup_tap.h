/* SPDX-License-Identifier: Apache-2.0 */
/* For guest programs about control groups: the hierarchy of version 2, natively wherever it is mounted, inside on a mount of its own. */
#ifndef TESTS_GUEST_CGROUP_TAP_H
#define TESTS_GUEST_CGROUP_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* `make` is tried with each mount point of the hierarchy until it can make its directories there; it is mounted where there is none that can be written to. */
static inline bool cgroup2_find(bool (*make)(const char *mnt))
{
	char line[600], where[150], type[100];
	FILE *f;

	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	f = fopen("/proc/mounts", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %149s %99s", where, type) == 2 && !strcmp(type, "cgroup2") &&
			make(where)) {
			fclose(f);
			return true;
		}
	}
	if (f)
		fclose(f);
	mkdir("/cg", 0755);
	return mount("none", "/cg", "cgroup2", 0, NULL) == 0 && make("/cg");
}

#endif
