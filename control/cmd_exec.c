/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casemate exec: one more process in a container.
 *
 * The process lives in the guest; on the host a process of ours stands for it: it ends when that does, with its exit code, hands signals
 * on, and takes it along when it is killed. Without --detach that is this command, with --detach a child that stays.
 */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "common/seccomp.h"
#include "control/console.h"
#include "control/exec_process.h"
#include "control/seccomp_exec.h"
#include "control/spec.h"
#include "control/state.h"
#include "control/urpc.h"

#define EXEC_SHORT_MS 10 /* of waiting before it is worth a seal */
#define EXEC_FAILED   255 /* exit code when nothing was started, as runc's */
#define EXEC_LOOK_NS  20000000 /* between two looks whether a paused container goes on */

static const char help[] =
	"usage: casemate exec [OPTIONS] ID COMMAND [ARGUMENTS]\n"
	"       casemate exec [OPTIONS] --process FILE ID\n\n"
	"Run a command in container ID with this command's standard streams. The exit\n"
	"code is the command's, 128+n when signal n ended it, 255 when it did not start.\n\n"
	"  -p, --process FILE     an OCI process object instead of the command\n"
	"  -d, --detach           return when the command runs\n"
	"  -t, --tty              with a terminal\n"
	"  --console-socket S     with -d -t: send the terminal's master to socket S\n"
	"  --pid-file FILE        write the id of the process on the host to FILE\n"
	"  --internal-pid-file F  write the id inside the container to F\n"
	"  --cwd DIR              working directory\n"
	"  -e, --env NAME=VALUE   add a variable\n"
	"  -u, --user UID[:GID]   user and group\n"
	"  -g, --additional-gids N  add a supplementary group\n"
	"  -c, --cap CAP_NAME     add a capability\n"
	"  --no-new-privs         no more rights by set-user-ID programs\n"
	"  --preserve-fds N       descriptors 3 to N+2 are the command's too\n"
	"  --ignore-paused        in a paused container: wait until it goes on\n";

enum exec_option {
	EXEC_CONSOLE = 0x100,
	EXEC_PID_FILE,
	EXEC_INTERNAL,
	EXEC_CWD,
	EXEC_NNP,
	EXEC_PRESERVE,
	EXEC_PATIENT
};

static const struct option longs[] = {
	{ "process", required_argument, NULL, 'p' },
	{ "detach", no_argument, NULL, 'd' },
	{ "tty", no_argument, NULL, 't' },
	{ "console-socket", required_argument, NULL, EXEC_CONSOLE },
	{ "pid-file", required_argument, NULL, EXEC_PID_FILE },
	{ "internal-pid-file", required_argument, NULL, EXEC_INTERNAL },
	{ "cwd", required_argument, NULL, EXEC_CWD },
	{ "env", required_argument, NULL, 'e' },
	{ "user", required_argument, NULL, 'u' },
	{ "additional-gids", required_argument, NULL, 'g' },
	{ "cap", required_argument, NULL, 'c' },
	{ "no-new-privs", no_argument, NULL, EXEC_NNP },
	{ "preserve-fds", required_argument, NULL, EXEC_PRESERVE },
	{ "ignore-paused", no_argument, NULL, EXEC_PATIENT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct exec {
	const struct cm_cli *cli;
	const char *id;
	const char *pid_file, *internal_pid_file, *console;
	bool detach;
	bool patient; /* waits for a paused container */
	const char *process_file;
	struct cm_exec_words words;
	struct cm_preserve preserve;
	json_t *process; /* of the file, or what the words say */
	bool terminal;
	int tty; /* terminal whose size counts; -1 = none */
	int fd; /* connection to the sandbox */
	int signal_fd;
	int parent_fd; /* with detach: to the command that returns; -1 = none */
	int pid; /* inside */
};

static int exec_option(struct exec *x, int c, struct cm_err *err)
{
	switch (c) {
	case 'd':
		x->detach = true;
		return 0;
	case EXEC_CONSOLE:
		x->console = optarg;
		return 0;
	case EXEC_PID_FILE:
		x->pid_file = optarg;
		return 0;
	case EXEC_INTERNAL:
		x->internal_pid_file = optarg;
		return 0;
	case EXEC_PRESERVE:
		return cm_preserve_option(&x->preserve, optarg, err);
	case EXEC_PATIENT:
		x->patient = true;
		return 0;
	case 'p':
		x->process_file = optarg;
		return 0;
	case 't':
		x->words.tty = true;
		return 0;
	case EXEC_CWD:
		x->words.cwd = optarg;
		return 0;
	case EXEC_NNP:
		x->words.no_new_privs = true;
		return 0;
	case 'u':
		x->words.user = optarg;
		return 0;
	default: /* e, g, c: may come several times */
		return cm_exec_words_add(&x->words, c, optarg, err);
	}
}

static int exec_check_terminal(const struct exec *x, struct cm_err *err)
{
	if (x->console && !(x->detach && x->terminal))
		return cm_err_set(err, 0, "--console-socket needs --detach and a terminal");
	if (x->terminal && x->detach && !x->console)
		return cm_err_set(err, 0, "a detached terminal needs --console-socket");
	return 0;
}

/* The descriptors of the process: ours, or the slave of a new terminal. */
static int exec_streams(struct exec *x, int fds[3], struct cm_err *err)
{
	cleanup_fd int sock = -1;
	int slave;

	for (int i = 0; i < 3; i++)
		fds[i] = i;
	x->tty = -1;
	if (!x->terminal)
		return 0;
	if (!x->console) {
		x->tty = cm_console_user();
		if (x->tty >= 0)
			cm_console_raw(x->tty);
		return 0;
	}
	sock = cm_console_connect(x->console, err);
	slave = sock < 0 ? -1 : cm_console_send(sock, err);
	if (slave < 0)
		return -err->code;
	fds[0] = fds[1] = fds[2] = x->tty = slave;
	return 0;
}

static int exec_start(struct exec *x, struct cm_err *err)
{
	uint16_t rows, cols;
	json_t *arg, *result;
	int fds[3 + CM_RPC_FDS_MAX], n = 3;

	if (exec_streams(x, fds, err) < 0)
		return -err->code;
	cm_console_size(x->tty, &rows, &cols);
	for (unsigned i = 0; i < x->preserve.n; i++)
		fds[n++] = x->preserve.fd[i];
	arg = json_pack("{s:s, s:O, s:b, s:b, s:i, s:i, s:o}", "CID", x->id,
		x->process_file ? "Process" : "Words", x->process, "Owned", 1, "Wait", 1, "Rows",
		(int)rows, "Columns", (int)cols, "donated_fds", cm_preserve_numbers(&x->preserve));
	x->fd = cm_urpc_open(x->cli->root, x->id, err);
	if (x->fd < 0) {
		json_decref(arg);
		return x->fd;
	}
	if (cm_urpc_send(x->fd, "containerManager.ExecuteAsync", arg, fds, n, err) < 0 ||
		cm_urpc_receive(x->fd, false, &result, err) < 0)
		return -err->code;
	/* The sandbox process has them: whoever reads them must see their end with the program's. */
	cm_preserve_close(&x->preserve);
	x->pid = (int)json_integer_value(result);
	json_decref(result);
	if (x->internal_pid_file)
		return cm_cli_write_pid(x->internal_pid_file, x->pid, err);
	return 0;
}

static void exec_winsize(const struct exec *x)
{
	struct cm_err ignored;
	uint16_t rows, cols;

	cm_console_size(x->tty, &rows, &cols);
	cm_urpc_call(x->cli->root, x->id, "casemate.WindowSize",
		json_pack("{s:s, s:i, s:i, s:i}", "CID", x->id, "PID", x->pid, "Rows", (int)rows,
			"Columns", (int)cols),
		NULL, &ignored);
}

static void exec_signals(const struct exec *x)
{
	struct signalfd_siginfo si;
	struct cm_err ignored;

	while (read(x->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH) {
			if (x->tty >= 0)
				exec_winsize(x);
			continue;
		}
		/* The terminal's end reaches the program through the terminal. */
		if (si.ssi_signo == SIGHUP && x->console && si.ssi_pid == 0)
			continue;
		cm_urpc_signal(
			x->cli->root, x->id, (int)si.ssi_signo, x->pid, CM_URPC_PROCESS, &ignored);
	}
}

/*
 * The process runs, and all that is left is to wait, to hand signals on, to say how it ended.
 * #syscalls:exec poll read write lseek newfstatat close exit_group rt_sigreturn rt_sigprocmask
 * #syscalls:exec brk mmap[2&PROT_EXEC=0] munmap mremap madvise mprotect[2&PROT_EXEC=0] getrandom clock_gettime -- of the C library
 */
static int exec_seal(struct cm_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "give up new privileges");
	cm_seccomp_report_calls();
	return CM_SECCOMP_INSTALL(seccomp_filter_exec, err);
}

/* A short command is over before this process is sealed, which takes the processor from it where there are few. */
static bool exec_is_over(const struct exec *x)
{
	struct pollfd p[2] = { { x->fd, POLLIN, 0 }, { x->signal_fd, POLLIN, 0 } };

	return poll(p, 2, EXEC_SHORT_MS) > 0 && p[0].revents;
}

/* Wait for the end: the exit code, or -errno. */
static int exec_wait(const struct exec *x, struct cm_err *err)
{
	struct pollfd p[2] = { { x->fd, POLLIN, 0 }, { x->signal_fd, POLLIN, 0 } };
	json_t *result;
	int status;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return cm_err_set(err, errno, "wait for the process");
		if (p[1].revents)
			exec_signals(x);
		if (p[0].revents)
			break;
	}
	/* The sandbox process was killed: so was everything in it. */
	if (cm_urpc_receive(x->fd, true, &result, err) < 0)
		return cm_cli_exit_code(SIGKILL);
	status = (int)json_integer_value(result);
	json_decref(result);
	return cm_cli_exit_code(status);
}

/* The sandbox process has them: whoever reads them must see their end with the process's. */
static void exec_close_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
}

/* Start it and stay until it ends. */
static int exec_run(struct exec *x, struct cm_err *err)
{
	int r;

	x->signal_fd = cm_cli_signalfd();
	if (x->signal_fd < 0)
		return cm_err_set(err, errno, "exec");
	r = exec_start(x, err);
	if (r == 0 && !x->detach && x->pid_file)
		r = cm_cli_write_pid(x->pid_file, getpid(), err);
	if (x->parent_fd >= 0) {
		cm_sandbox_send(x->parent_fd, r < 0 ? CM_MSG_FAILED : CM_MSG_STARTED,
			r < 0 ? -r : 0, r < 0 ? err->msg : NULL);
		close(x->parent_fd);
		exec_close_streams();
	}
	if (r == 0 && !exec_is_over(x))
		r = exec_seal(err);
	if (r == 0)
		r = exec_wait(x, err);
	cm_console_restore();
	return r;
}

/* The one that stays: nothing of the caller's is held open but what the process got. */
static int exec_stay(struct exec *x, int parent_fd)
{
	struct cm_err err = { 0 };
	int r;

	x->parent_fd = parent_fd;
	setsid();
	r = exec_run(x, &err);
	return r < 0 ? EXEC_FAILED : r;
}

static int exec_detach(struct exec *x, struct cm_err *err)
{
	struct cm_sandbox_msg m;
	int sp[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return cm_err_set(err, errno, "exec");
	pid = fork();
	if (pid == 0) {
		close(sp[0]);
		_exit(exec_stay(x, sp[1]));
	}
	close(sp[1]);
	if (pid < 0)
		return cm_err_set(err, errno, "exec");
	r = cm_sandbox_receive(sp[0], &m);
	close(sp[0]);
	if (r == 1 && m.kind == CM_MSG_STARTED)
		return x->pid_file ? cm_cli_write_pid(x->pid_file, pid, err) : 0;
	waitpid(pid, NULL, 0);
	cm_err_set(err, 0, "%s", r == 1 ? m.text : "the process that stands for it died");
	return -err->code;
}

/* runc's process would stand still in the frozen group until then, and its command wait for it. */
static int exec_await(const struct exec *x, struct cm_err *err)
{
	const struct timespec pause = { .tv_nsec = EXEC_LOOK_NS };
	struct cm_state st;

	for (;;) {
		bool paused;

		if (cm_state_load(x->cli->root, x->id, &st, err) < 0)
			return -err->code;
		paused = st.status == CM_PAUSED;
		cm_state_fini(&st);
		if (!paused)
			return 0;
		nanosleep(&pause, NULL);
	}
}

/* The file's process object, or what the words say of one. */
static json_t *exec_process(const struct exec *x, struct cm_err *err)
{
	json_t *p;

	if (!x->process_file)
		return cm_exec_words_json(&x->words, err);
	p = cm_spec_load_object(x->process_file, err);
	if (!p)
		cm_err_wrap(err, "--process");
	else if (x->words.tty)
		json_object_set_new(p, "terminal", json_true());
	return p;
}

static int exec_prepare(struct exec *x, int argc, char **argv, struct cm_err *err)
{
	int c;

	while ((c = cm_cli_option(argc, argv, "+:p:dte:u:g:c:h", longs, help, err)) >= 0) {
		if (exec_option(x, c, err) < 0)
			return -err->code;
	}
	if (c == -2 || cm_cli_id_words(x->cli, argc, argv, x->process_file ? 1 : 2,
			       x->process_file ? 1 : argc, err) < 0)
		return -err->code;
	if (cm_preserve_take(&x->preserve, err) < 0)
		return -err->code;
	x->id = argv[optind];
	x->words.argv = argv + optind + 1;
	if (x->patient && exec_await(x, err) < 0)
		return -err->code;
	if (cm_cli_need(x->cli, x->id, "exec in", 1u << CM_CREATED | 1u << CM_RUNNING, err) < 0)
		return -err->code;
	x->process = exec_process(x, err);
	if (!x->process)
		return -err->code;
	x->terminal = json_is_true(json_object_get(x->process, "terminal"));
	return exec_check_terminal(x, err);
}

int cm_cmd_exec(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct exec x = { .cli = cli, .fd = -1, .tty = -1, .parent_fd = -1 };
	int r = exec_prepare(&x, argc, argv, err);

	if (r == 0)
		r = x.detach ? exec_detach(&x, err) : exec_run(&x, err);
	if (r >= 0)
		return r;
	cm_err_wrap(err, "exec failed");
	cm_cli_report(cli, err);
	return EXEC_FAILED;
}
