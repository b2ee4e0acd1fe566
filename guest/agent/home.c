/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is, from the container's own files: HOME where the configuration has none, as runc gives it, and the numbers of a user's name. */
#include "agent/internal.h"

#include "fs/mount.h"
#include "lib/passwd.h"
#include "lib/string.h"
#include "mm/slab.h"

#define HOME_FILE_MAX 65536u /* bytes of /etc/passwd and /etc/group that are looked at */

/* What a small regular file of the container holds: how many bytes of it are in *text, for kfree(); 0 = there is none. */
static size_t home_read(struct mount_ns *ns, const char *name, char **text)
{
	struct path root;
	struct file *f;
	s64 n = 0;
	int ret;

	*text = NULL;
	if (!mount_ns_root(ns, &root))
		return 0;
	ret = file_open(&root, name, O_RDONLY | O_NONBLOCK, 0, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &f);
	path_put(&root);
	if (ret < 0)
		return 0;
	*text = kmalloc(HOME_FILE_MAX);
	if (*text && S_ISREG(f->inode->mode))
		n = file_read_kernel(f, *text, HOME_FILE_MAX, 0);
	file_put(f);
	return n > 0 ? (size_t)n : 0;
}

/* The home directory in the container's /etc/passwd, or "/". */
static void home_find(struct mount_ns *ns, u32 uid, char *out, size_t size)
{
	char *text;
	size_t n = home_read(ns, "/etc/passwd", &text);

	out[0] = '\0';
	if (n)
		passwd_home(text, n, uid, out, size);
	kfree(text);
	if (!out[0])
		str_copy(out, "/", size);
}

int agent_user(struct mount_ns *ns, const char *user, u32 *uid, u32 *gid)
{
	const char *colon = strchr(user, ':');
	char *text;
	size_t n = home_read(ns, "/etc/passwd", &text);
	bool known =
		passwd_user(text, n, user, colon ? (size_t)(colon - user) : strlen(user), uid, gid);

	kfree(text);
	if (!known || !colon)
		return known ? 0 : -ENOENT;
	n = home_read(ns, "/etc/group", &text);
	known = passwd_group(text, n, colon + 1, strlen(colon + 1), gid);
	kfree(text);
	return known ? 0 : -ENOENT;
}

char *agent_home(struct mount_ns *ns, char *const envp[], u32 uid)
{
	static const char name[] = "HOME=";
	char *word;

	for (u32 i = 0; envp[i]; i++) {
		if (!strncmp(envp[i], name, sizeof(name) - 1))
			return NULL;
	}
	word = kmalloc(PATH_MAX_LEN);
	if (!word)
		return NULL;
	memcpy(word, name, sizeof(name));
	home_find(ns, uid, word + sizeof(name) - 1, PATH_MAX_LEN - sizeof(name));
	return word;
}
