/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Developer images only: unpacks an embedded cpio archive (newc) into a tmpfs root and starts the program that the boot option
 * init=PATH names, with args=A,B,C and output to the early log. Lets the sentry run programs without any device.
 */
#include "task/devel_start.h"

#include <linux/fcntl.h>

#include "arch.h"
#include "casemate/hypercall.h"
#include "fs/internal.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/task.h"
#include "task/pid.h"

#define CPIO_HEADER	110
#define CPIO_MAGIC	"070701"
#define CPIO_MODE	14
#define CPIO_SIZE	54
#define CPIO_NAME_SIZE	94
#define DEVEL_ARGS	32
#define DEVEL_TEXT	512
#define MODE_TYPE	0170000u
#define MODE_DIRECTORY	0040000u
#define MODE_REGULAR	0100000u
#define MODE_PERMISSION 07777u

extern const char devel_blob[], devel_blob_end[];

static u32 devel_hex(const char *p)
{
	u32 v = 0;
	int i;

	for (i = 0; i < 8; i++) {
		char c = p[i];

		v = v << 4 | (u32)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}

static s64 devel_write(struct file *f, struct uio *u, u64 *pos)
{
	char buf[DEVEL_TEXT];
	s64 done = 0;

	while (u->left) {
		size_t n = uio_read(u, buf, (size_t)MIN(u->left, (u64)sizeof(buf)));

		if (!n)
			return done ? done : -EFAULT;
		arch_log_early(buf, n);
		done += (s64)n;
	}
	return done;
}

static s64 devel_read(struct file *f, struct uio *u, u64 *pos)
{
	return 0;
}

static const struct file_ops devel_console = { .read = devel_read, .write = devel_write };

static void devel_exited(void *arg, int pid, int status)
{
	log_info("devel: init ended, status %#x", (u32)status);
	arch_power_off(CM_OFF_DONE);
}

static void devel_put(
	const struct path *root, const char *name, u32 mode, const char *data, u32 size)
{
	struct file *f;
	int ret;

	if ((mode & MODE_TYPE) == MODE_DIRECTORY) {
		ret = vfs_mkdir(root, name, mode & MODE_PERMISSION);
	} else if ((mode & MODE_TYPE) == MODE_REGULAR) {
		ret = file_open(
			root, name, O_WRONLY | O_CREAT | O_TRUNC, mode & MODE_PERMISSION, 0, &f);
		if (ret == 0) {
			s64 n = file_write_kernel(f, data, size, 0);

			ret = n == (s64)size ? 0 : -EIO;
			file_put(f);
		}
	} else {
		ret = vfs_symlink(data, root, name);
	}
	if (ret < 0)
		log_error("devel: %s: error %d", name, -ret);
}

static void devel_unpack(const struct path *root)
{
	const char *p = devel_blob;

	while (p + CPIO_HEADER <= devel_blob_end && memcmp(p, CPIO_MAGIC, 6) == 0) {
		u32 size = devel_hex(p + CPIO_SIZE);
		const char *name = p + CPIO_HEADER;
		const char *data = p + ALIGN_UP(CPIO_HEADER + devel_hex(p + CPIO_NAME_SIZE), 4u);

		if (strcmp(name, "TRAILER!!!") == 0)
			return;
		while (*name == '/' || (name[0] == '.' && name[1] == '/'))
			name++;
		if (*name && strcmp(name, ".") != 0)
			devel_put(root, name, devel_hex(p + CPIO_MODE), data, size);
		p = data + ALIGN_UP(size, 4u);
	}
}

/* init=PATH args=A,B,C as an argument vector; text holds it. */
static bool devel_args(char *text, char **argv)
{
	size_t len, n = 0;
	const char *init = main_option("init", &len);
	size_t at;
	char *p;

	if (!init || !len || len >= DEVEL_TEXT / 2)
		return false;
	memcpy(text, init, len);
	text[len] = '\0';
	argv[n++] = text;
	at = len + 1;
	init = main_option("args", &len);
	if (init && len && len < DEVEL_TEXT / 2) {
		memcpy(text + at, init, len);
		text[at + len] = '\0';
		for (p = text + at; p && n < DEVEL_ARGS - 1;) {
			argv[n++] = p;
			p = strchr(p, ',');
			if (p)
				*p++ = '\0';
		}
	}
	argv[n] = NULL;
	return true;
}

void devel_start(void)
{
	static char text[DEVEL_TEXT];
	static char *argv[DEVEL_ARGS];
	static char path_env[] = "PATH=/bin:/usr/bin:/tests";
	static char *envp[] = { path_env, NULL };
	struct mount_ns *ns = mount_ns_create();
	struct spawn s = { .argv = argv, .envp = envp, .cwd = "/", .umask = 022 };
	struct path root;
	int i, ret;

	if (!devel_args(text, argv))
		return;
	if (!ns || vfs_mount(ns, "tmpfs", "none", NULL, 0, "mode=755") < 0 ||
		!mount_ns_root(ns, &root))
		panic("devel: no root file system");
	devel_unpack(&root);
	path_put(&root);
	if (vfs_mount(ns, "devtmpfs", "none", "/dev", 0, "") < 0)
		log_error("devel: no /dev");
	for (i = 0; i < 3; i++)
		s.stdio[i] = file_create_anon(&devel_console, NULL, O_RDWR, "console");
	if (nsproxy_create(&nsproxy_root, 0, NULL, NULL, &s.ns) < 0)
		panic("devel: no memory");
	nsproxy_set_mnt(s.ns, ns);
	s.on_exit = devel_exited;
	ret = task_spawn(&s, NULL);
	if (ret < 0) {
		log_error("devel: %s: error %d", argv[0], -ret);
		arch_power_off(CM_OFF_DONE);
	}
}
