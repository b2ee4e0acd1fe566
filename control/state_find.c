/* SPDX-License-Identifier: Apache-2.0 */
/* From what somebody typed to the id of a container. */
#include <config.h>
#include "control/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "common/cleanup.h"
#include "control/parse.h"

#define FIND_NAMES 8 /* candidates that an error names */

struct find {
	char ids[FIND_NAMES][CM_ID_MAX + 1]; /* the first ones in order of the alphabet */
	unsigned count; /* of all */
};

static void find_add(struct find *f, const char *id, size_t len)
{
	unsigned held = f->count < FIND_NAMES ? f->count : FIND_NAMES;
	unsigned i = held;

	f->count++;
	while (i > 0 && strcmp(f->ids[i - 1], id) > 0)
		i--;
	if (i == FIND_NAMES)
		return;
	if (held == FIND_NAMES)
		held--;
	memmove(f->ids[i + 1], f->ids[i], (held - i) * sizeof(f->ids[0]));
	memcpy(f->ids[i], id, len + 1);
}

static void find_scan(DIR *d, const char *word, struct find *f)
{
	size_t len = strlen(word);
	const struct dirent *e;
	struct cm_err ignored;
	struct stat st;

	while ((e = readdir(d)) != NULL) {
		/* .lock, .empty: none of a container begins so. */
		if (e->d_name[0] == '.' || strncmp(e->d_name, word, len) != 0 ||
			cm_id_check(e->d_name, &ignored) < 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode))
			find_add(f, e->d_name, strlen(e->d_name));
	}
}

static int find_ambiguous(const char *word, const struct find *f, struct cm_err *err)
{
	unsigned held = f->count < FIND_NAMES ? f->count : FIND_NAMES;
	char names[FIND_NAMES * (CM_ID_MAX + 2) + 1];
	size_t n = 0;

	for (unsigned i = 0; i < held; i++)
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, "%s%s", i ? ", " : "", f->ids[i]);
	return cm_err_set(err, 0, "container id '%s' is ambiguous: %s%s", word, names,
		f->count > held ? ", ..." : "");
}

int cm_state_find(const char *root, const char *word, char id[CM_ID_MAX + 1], struct cm_err *err)
{
	cleanup_dir DIR *d = NULL;
	struct find f = { .count = 0 };
	struct stat st;

	if (cm_id_check(word, err) < 0)
		return -err->code;
	memcpy(id, word, strlen(word) + 1);
	d = opendir(root);
	if (!d || fstatat(dirfd(d), word, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	find_scan(d, word, &f);
	if (f.count > 1)
		return find_ambiguous(word, &f, err);
	if (f.count == 1)
		memcpy(id, f.ids[0], sizeof(f.ids[0]));
	return 0;
}
