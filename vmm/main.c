/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-vmm: reads its options, creates the VM, runs it, nothing else. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/seccomp.h"
#include "vmm/opts.h"
#include "vmm/pc/pc.h"
#include "vmm/probe.h"
#include "vmm/stage.h"
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

static int main_open_kvm(const struct opts *o, struct cm_err *err)
{
	int fd = o->kvm_fd >= 0 ? o->kvm_fd : open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? cm_err_set(err, errno, "open /dev/kvm") : fd;
}

/* The stages; stage.c explains them. */
static int main_start(const struct opts *o, struct cm_err *err)
{
	const void *image = cm_guest_image;
	size_t size = (size_t)(cm_guest_image_end - cm_guest_image);
	int kvm, r;

	r = stage_inherit(o, err);
	if (r == 0 && o->guest_image)
		r = main_map_image(o->guest_image, &image, &size, err);
	if (r < 0)
		return r;
	kvm = main_open_kvm(o, err);
	if (kvm < 0)
		return kvm;
	stage_mark("inherit");
	r = stage_isolate(o, err);
	stage_mark("isolate");
	return r < 0 ? r : vm_create(&main_vm, o, kvm, image, size, err);
}

static int main_probe(const struct opts *o)
{
	struct cm_err err;
	int kvm = main_open_kvm(o, &err);

	if (kvm >= 0 && probe_run(kvm, &err) >= 0)
		return VM_STATUS_OFF;
	fflush(stdout);
	dprintf(STDERR_FILENO, "casemate-vmm: %s\n", err.msg);
	return VM_STATUS_START;
}

int main(int argc, char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct cm_err err;
	struct opts o;

	if (argc > 1 && strcmp(argv[1], "--machine=pc") == 0)
		return pc_main(argc, argv);
	stage_mark("start");
	if (opts_parse(&o, argc, argv, &err) < 0)
		goto fail;
	if (o.help) {
		fputs(opts_usage, stdout);
		return VM_STATUS_OFF;
	}
	if (o.probe)
		return main_probe(&o);
	sigaction(SIGPIPE, &ignore, NULL);
	cm_seccomp_report_calls();
	vlog_init(o.log_fd);
	if (main_start(&o, &err) < 0)
		goto fail;
	/* In the jail there is nothing that an exit handler could do, and the kernel frees everything faster. */
	_exit(vm_run(&main_vm));
fail:
	dprintf(STDERR_FILENO, "casemate-vmm: %s\n", err.msg);
	return VM_STATUS_START;
}
