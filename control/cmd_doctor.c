/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casemate doctor: looks at this host's KVM and says what to do. Every check is a line "ok", "note" (works, slower or with a limit) or
 * "FAIL" (sandboxes do not start), with the remedy on the line below. Measured numbers come from casemate-vmm --probe.
 */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/cleanup.h"

static const char help[] =
	"usage: casemate doctor\n\n"
	"Look at this host's KVM: flavour, permissions, capabilities, cost of an exit,\n"
	"conditions known to be slow, and what to do about them. Exit code 1 when\n"
	"sandboxes cannot run.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum verdict {
	DOC_OK,
	DOC_NOTE,
	DOC_FAIL
};

static int doctor_say(enum verdict v, const char *text, const char *remedy)
{
	static const char *const words[] = {
		[DOC_OK] = "ok", [DOC_NOTE] = "note", [DOC_FAIL] = "FAIL"
	};

	printf("%-5s %s\n", words[v], text);
	if (remedy && v != DOC_OK)
		printf("      -> %s\n", remedy);
	return v == DOC_FAIL;
}

/* First line of a small file, without its end; empty when there is none. */
static const char *doctor_read(const char *path, char *buf, size_t size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : 0;

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static int doctor_open(int *kvm)
{
	*kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (*kvm >= 0)
		return doctor_say(DOC_OK, "/dev/kvm can be opened", NULL);
	if (errno == ENOENT)
		return doctor_say(DOC_FAIL, "/dev/kvm does not exist",
			"load kvm_intel or kvm_amd, enable virtualization in the firmware, or, in a "
			"virtual machine, nested virtualization");
	if (errno == EACCES || errno == EPERM)
		return doctor_say(DOC_FAIL, "no permission to open /dev/kvm",
			"run as root or as a member of the group that owns /dev/kvm");
	return doctor_say(DOC_FAIL, "/dev/kvm cannot be opened", strerror(errno));
}

static void doctor_flavour(void)
{
	static const struct {
		const char *module, *text;
	} flavours[] = {
		{ "/sys/module/kvm_intel", "hardware KVM (VMX): platform std" },
		{ "/sys/module/kvm_amd", "hardware KVM (SVM): platform std" },
		{ "/sys/module/kvm_pvm", "software KVM without VMX or SVM: platform pvm" },
	};
	bool found = false;

	for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++) {
		if (access(flavours[i].module, F_OK) != 0)
			continue;
		doctor_say(DOC_OK, flavours[i].text, NULL);
		found = true;
	}
	if (!found)
		doctor_say(DOC_NOTE, "the KVM module is not one that is known",
			"the sandbox finds out by itself");
}

static int doctor_capabilities(int kvm)
{
	static const struct {
		int cap;
		bool needed;
		const char *name, *without;
	} caps[] = {
		{ KVM_CAP_USER_MEMORY, true, "KVM_CAP_USER_MEMORY", NULL },
		{ KVM_CAP_SPLIT_IRQCHIP, true, "KVM_CAP_SPLIT_IRQCHIP", NULL },
		{ KVM_CAP_SIGNAL_MSI, true, "KVM_CAP_SIGNAL_MSI", NULL },
		{ KVM_CAP_IMMEDIATE_EXIT, true, "KVM_CAP_IMMEDIATE_EXIT", NULL },
		{ KVM_CAP_EXT_CPUID, true, "KVM_CAP_EXT_CPUID", NULL },
		{ KVM_CAP_TSC_DEADLINE_TIMER, false, "KVM_CAP_TSC_DEADLINE_TIMER",
			"timers are later" },
		{ KVM_CAP_IOEVENTFD, false, "KVM_CAP_IOEVENTFD", "doorbells cost a full exit" },
		{ KVM_CAP_X86_MSR_FILTER, false, "KVM_CAP_X86_MSR_FILTER",
			"model-specific registers are not filtered" },
	};
	int failed = 0, n = ioctl(kvm, KVM_GET_API_VERSION, 0);
	char text[128];

	snprintf(text, sizeof(text), "KVM API version %d", n);
	failed |=
		doctor_say(n == KVM_API_VERSION ? DOC_OK : DOC_FAIL, text, "version 12 is needed");
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (ioctl(kvm, KVM_CHECK_EXTENSION, caps[i].cap) > 0)
			continue;
		snprintf(text, sizeof(text), "%s is missing", caps[i].name);
		failed |= doctor_say(caps[i].needed ? DOC_FAIL : DOC_NOTE, text,
			caps[i].needed ? "a newer kernel has it" : caps[i].without);
	}
	if (!failed)
		doctor_say(DOC_OK, "every capability that is needed", NULL);
	return failed;
}

static bool doctor_favordynmods(void)
{
	cleanup_file FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " cgroup2 ") || strstr(line, " cgroup "))
			if (strstr(line, "favordynmods"))
				return true;
	}
	return false;
}

/* Conditions that make the start of a virtual machine slow; all of them work. */
static void doctor_slow(void)
{
	char b[64];

	if (strcmp(doctor_read("/sys/module/kvm/parameters/nx_huge_pages", b, sizeof(b)), "Y") ==
			0 &&
		!doctor_favordynmods())
		doctor_say(DOC_NOTE,
			"kvm.nx_huge_pages is on: the first start of each VM makes a thread and "
			"takes a cgroup lock (tens of ms)",
			"mount cgroup2 with favordynmods, or set kvm.nx_huge_pages=never where the CPU "
			"is not affected (iTLB multihit)");
	if (strcmp(doctor_read("/sys/module/kvm_intel/parameters/ept", b, sizeof(b)), "N") == 0 ||
		strcmp(doctor_read("/sys/module/kvm_amd/parameters/npt", b, sizeof(b)), "0") == 0)
		doctor_say(DOC_NOTE, "nested paging is off: memory-heavy programs are slow",
			"load kvm_intel with ept=1 or kvm_amd with npt=1");
	if (strstr(doctor_read("/sys/kernel/mm/transparent_hugepage/enabled", b, sizeof(b)),
		    "[never]"))
		doctor_say(DOC_NOTE,
			"transparent huge pages are off: guest memory costs more faults",
			"echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
	if (strstr(doctor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			   b, sizeof(b)),
		    "hpet"))
		doctor_say(DOC_NOTE, "the host's clock source is hpet: timers are slow", "use tsc");
	if (access("/sys/module/kvm_pvm", F_OK) == 0)
		doctor_say(DOC_NOTE, "a system call of the program costs a trap (6-9 us) on pvm",
			"hardware virtualization has no such cost");
}

/* casemate-vmm measures in the place where it counts; its lines are of the form of ours. */
static int doctor_probe(struct cm_err *err)
{
	char path[4096], name[] = "casemate-vmm", option[] = "--probe";
	char *argv[] = { name, option, NULL };
	cleanup_fd int null = -1;
	int status = 0, p[2];
	char buf[4096];
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cm_err_set(err, errno, "make pipe");
	null = p[0];
	pid = cm_launch_spawn(
		cm_launch_path("casemate-vmm", path, sizeof(path)), argv, NULL, 0, p[1], err);
	close(p[1]);
	if (pid < 0)
		return doctor_say(DOC_FAIL, err->msg, "install casemate completely");
	fflush(stdout);
	while ((n = read(p[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return doctor_say(DOC_FAIL, "the probe of the virtual machine monitor failed",
			"its message stands above");
	return 0;
}

int cm_cmd_doctor(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	cleanup_fd int kvm = -1;
	int failed;

	if (cm_cli_option(argc, argv, "+:h", longs, help, err) == -2 ||
		cm_cli_words(argc, argv, 0, 0, err) < 0)
		return -err->code;
	failed = doctor_open(&kvm);
	doctor_flavour();
	if (kvm >= 0)
		failed |= doctor_capabilities(kvm);
	doctor_slow();
	if (kvm >= 0)
		failed |= doctor_probe(err);
	puts(failed ? "sandboxes cannot run here" : "sandboxes can run here");
	return failed ? CM_CLI_FAILED : 0;
}
