/* SPDX-License-Identifier: Apache-2.0 */
/* The jail from inside: what a process can still do after the VMM's stages. Every case runs in a child of its own (Check forks). */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/seccomp.h"
#include "vmm/kvm.h"
#include "vmm/opts.h"
#include "vmm/stage.h"

/* The leak checker traces its own process, which a jail does not allow. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct opts no_options(void)
{
	return (struct opts){
		.kvm_fd = -1,
		.arena_fd = -1,
		.vsock_fd = -1,
		.vsock_dir_fd = -1,
		.log_fd = 2,
		.ready_fd = -1,
		.debug_fd = -1,
		.plug_fd = -1,
	};
}

/* ---- stage 1 */

START_TEST(inherit_closes_strays)
{
	struct opts o = no_options();
	struct cm_err err;
	int keep = fcntl(2, F_DUPFD, 20), stray = fcntl(2, F_DUPFD, 30), last;

	last = fcntl(2, F_DUPFD, 900);
	o.log_fd = keep;
	ck_assert_int_ge(last, 900);
	ck_assert_int_eq(stage_inherit(&o, &err), 0);
	ck_assert_int_ge(fcntl(keep, F_GETFD), 0);
	ck_assert_int_ge(fcntl(2, F_GETFD), 0);
	ck_assert_int_eq(fcntl(0, F_GETFD), -1);
	ck_assert_int_eq(fcntl(1, F_GETFD), -1);
	ck_assert_int_eq(fcntl(stray, F_GETFD), -1);
	ck_assert_int_eq(fcntl(last, F_GETFD), -1);
}
END_TEST

START_TEST(inherit_names_missing_descriptor)
{
	struct opts o = no_options();
	struct cm_err err;

	o.arena_fd = 777;
	ck_assert_int_eq(stage_inherit(&o, &err), -EBADF);
	ck_assert_ptr_nonnull(strstr(err.msg, "777"));
}
END_TEST

/* ---- stage 3 */

static void isolate(int dir)
{
	struct opts o = no_options();
	struct cm_err err;
	int r;

	o.vsock_dir_fd = dir;
	r = stage_isolate(&o, &err);
	ck_assert_msg(r == 0, "%s", err.msg);
	r = stage_isolated(&err);
	ck_assert_msg(r == 0, "%s", err.msg);
}

/* Kernels need not have Landlock (0), and older ones forbid less. */
static long landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);

	return abi < 0 ? 0 : abi;
}

START_TEST(no_path_opens)
{
	long abi = landlock_abi();

	isolate(-1);
	/* Without it the root is only empty. */
	ck_assert(open("/", O_RDONLY | O_DIRECTORY) == -1 || abi == 0);
	ck_assert_int_eq(open("/etc/passwd", O_RDONLY), -1);
	ck_assert_int_eq(open("/proc/self/status", O_RDONLY), -1);
	ck_assert_int_eq(open("new", O_CREAT | O_WRONLY, 0600), -1);
	ck_assert_int_eq(mkdir("/new", 0700), -1);
	ck_assert_int_eq(access("/usr", F_OK), -1);
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_int_eq(access("usr", F_OK), -1);
}
END_TEST

START_TEST(no_privilege_returns)
{
	int before = getpid();

	isolate(-1);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_CAPBSET_DROP, 0, 0, 0, 0), -1); /* needs CAP_SETPCAP */
	ck_assert_int_eq(sethostname("x", 1), -1);
	ck_assert_int_eq(chroot("/"), -1);
	ck_assert_int_eq(getpid(), before);
}
END_TEST

START_TEST(no_signal_to_others)
{
	pid_t parent = getppid();
	long abi = landlock_abi();

	ck_assert_int_eq(kill(parent, 0), 0);
	isolate(-1);
	ck_assert(kill(parent, 0) == -1 || abi < 6);
}
END_TEST

static socklen_t unix_address(struct sockaddr_un *sun, const char *path, int abstract)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path + abstract, path, strlen(path));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract +
			   strlen(path));
}

static int listen_at(const char *path, int abstract)
{
	struct sockaddr_un sun;
	socklen_t len = unix_address(&sun, path, abstract);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static int connect_to(const char *path, int abstract)
{
	struct sockaddr_un sun;
	socklen_t len = unix_address(&sun, path, abstract);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sun, len);
}

START_TEST(abstract_sockets_are_out_of_reach)
{
	char name[32];
	pid_t child;
	int fds[2], status;

	/* The listener must be somebody else: Landlock allows sockets of the own domain. */
	snprintf(name, sizeof(name), "casemate-test-%d", (int)getpid());
	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		char c = 0;

		isolate(-1);
		if (read(fds[0], &c, 1) != 1)
			_exit(2);
		_exit(connect_to(name, 1) == 0);
	}
	listen_at(name, 1);
	ck_assert_int_eq(connect_to(name, 1), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The jailed side of the test below: a bit for each thing that should not be so. */
static int probe_vsock_root(const char *dir)
{
	struct stat st;

	isolate(open(dir, O_PATH | O_DIRECTORY));
	return (connect_to("uds_52", 0) != 0) | (connect_to("/uds_52", 0) != 0) << 1 |
	       (connect_to("uds_53", 0) == 0) << 2 | (unlink("uds_52") == 0) << 3 |
	       (stat("/tmp", &st) == 0) << 4;
}

START_TEST(vsock_directory_is_the_root)
{
	char dir[] = "/tmp/casemate-stage-XXXXXX", path[64];
	int status;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/uds_52", dir);
	listen_at(path, 0);
	pid = fork();
	if (pid == 0)
		_exit(probe_vsock_root(dir));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- stage 5 */

static void seal_io(void)
{
	struct cm_err err;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ck_assert_int_eq(stage_seal_io(&err), 0);
}

static void seal_vcpu(void)
{
	struct cm_err err;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ck_assert_int_eq(stage_seal_vcpu(&err), 0);
}

static void call_open(void)
{
	open("/dev/null", O_RDONLY);
}

static void call_inet(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void call_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void call_create_vm(void)
{
	ioctl(0, KVM_CREATE_VM, 0);
}

static void call_run(void)
{
	ioctl(0, KVM_RUN, 0);
}

static void call_mmap_exec(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void call_mprotect_exec(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void call_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void call_kill(void)
{
	kill(1, 0);
}

static void call_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void call_connect(void)
{
	connect_to("/nowhere", 0);
}

/* deadly: bit 0 = on the io thread, bit 1 = on a vCPU thread */
static const struct {
	void (*fn)(void);
	unsigned deadly;
} calls[] = {
	{ call_open, 3 },
	{ call_inet, 3 },
	{ call_exec, 3 },
	{ call_create_vm, 3 },
	{ call_run, 1 },
	{ call_mmap_exec, 3 },
	{ call_mprotect_exec, 3 },
	{ call_fork, 3 },
	{ call_kill, 3 },
	{ call_ptrace, 3 },
	{ call_connect, 2 },
};

#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* The loop covers each call on each kind of thread. */
START_TEST(forbidden_call_kills)
{
	size_t call = (size_t)_i / 2;
	unsigned vcpu = (unsigned)_i % 2;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(STDERR_FILENO);
		cm_seccomp_report_calls();
		if (vcpu)
			seal_vcpu();
		else
			seal_io();
		calls[call].fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (calls[call].deadly & (1u << vcpu)) {
		ck_assert_msg(WIFSIGNALED(status), "call %zu survived", call);
		ck_assert_int_eq(WTERMSIG(status), SIGSYS);
	} else {
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "call %zu: %#x", call,
			(unsigned)status);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stage");
	TCase *tc = tcase_create("stage");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, inherit_closes_strays);
	tcase_add_test(tc, inherit_names_missing_descriptor);
	tcase_add_test(tc, no_path_opens);
	tcase_add_test(tc, no_privilege_returns);
	tcase_add_test(tc, no_signal_to_others);
	tcase_add_test(tc, abstract_sockets_are_out_of_reach);
	tcase_add_test(tc, vsock_directory_is_the_root);
	tcase_add_loop_test(tc, forbidden_call_kills, 0, 2 * NCALLS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
