/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-vmm: reads its options, creates the VM, runs it, nothing else. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "vmm/opts.h"
#include "vmm/vlog.h"
#include "vmm/vm.h"

extern const char cm_guest_image[], cm_guest_image_end[];

/* One a process; too large for the stack. */
static struct vm main_vm;

/* A guest kernel from a file, private to us from now on. */
static int main_map_image(const char *path, const void **image, size_t *size, struct cm_err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return cm_err_set(err, EINVAL, "'%s': not a file with content", path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		return cm_err_set(err, errno, "map '%s'", path);
	*image = p;
	*size = (size_t)st.st_size;
	return 0;
}

static int main_start(const struct opts *o, struct cm_err *err)
{
	const void *image = cm_guest_image;
	size_t size = (size_t)(cm_guest_image_end - cm_guest_image);
	int r;

	if (o->guest_image) {
		r = main_map_image(o->guest_image, &image, &size, err);
		if (r < 0)
			return r;
	}
	return vm_create(&main_vm, o, image, size, err);
}

static void main_ready(int fd)
{
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct cm_err err;
	struct opts o;
	int status;

	if (opts_parse(&o, argc, argv, &err) < 0)
		goto fail;
	if (o.help) {
		fputs(opts_usage, stdout);
		return VM_STATUS_OFF;
	}
	vlog_init(o.log_fd);
	if (main_start(&o, &err) < 0)
		goto fail;
	main_ready(o.ready_fd);
	status = vm_run(&main_vm, &err);
	if (status == VM_STATUS_START)
		goto fail;
	return status;
fail:
	dprintf(STDERR_FILENO, "casemate-vmm: %s\n", err.msg);
	return VM_STATUS_START;
}
