/* SPDX-License-Identifier: Apache-2.0 */
/* HOME of a process whose configuration has none, as runc gives it. */
#include "agent/internal.h"

#include "fs/mount.h"
#include "lib/passwd.h"
#include "lib/string.h"
#include "mm/slab.h"

#define HOME_FILE_MAX 65536u /* bytes of /etc/passwd that are looked at */

/* The home directory in the container's /etc/passwd, or "/". */
static void home_find(struct mount_ns *ns, u32 uid, char *out, size_t size)
{
	struct path root;
	struct file *f;
	char *text;
	s64 n = 0;
	int ret;

	str_copy(out, "/", size);
	if (!mount_ns_root(ns, &root))
		return;
	ret = file_open(
		&root, "/etc/passwd", O_RDONLY | O_NONBLOCK, 0, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &f);
	path_put(&root);
	if (ret < 0)
		return;
	text = kmalloc(HOME_FILE_MAX);
	if (text && S_ISREG(f->inode->mode))
		n = file_read_kernel(f, text, HOME_FILE_MAX, 0);
	file_put(f);
	if (n > 0)
		passwd_home(text, (size_t)n, uid, out, size);
	kfree(text);
	if (!out[0])
		str_copy(out, "/", size);
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
