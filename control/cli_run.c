/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's side of a sandbox: fork it, wait for its word, hand signals on.
 *
 * Theory: signals are blocked before the fork, so that none is lost and none kills the command before the sandbox knows of it. The
 * sandbox process is not executed anew: it starts with everything that the command has read.
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/console.h"
#include "control/container.h"
#include "control/hooks.h"
#include "control/member.h"
#include "control/namespaces.h"
#include "control/scope.h"
#include "control/start.h"

static const int run_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
	SIGIO, SIGPWR, SIGSYS, SIGWINCH };

int cm_cli_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(run_signals) / sizeof(run_signals[0]); i++)
		sigaddset(&set, run_signals[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(&set, i);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Engines read it as soon as it exists, so it appears whole. */
int cm_cli_write_pid(const char *path, int pid, struct cm_err *err)
{
	char tmp[4096];
	FILE *f;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= sizeof(tmp))
		return cm_err_set(err, ENAMETOOLONG, "--pid-file");
	f = fopen(tmp, "we");
	if (!f)
		return cm_err_set(err, errno, "--pid-file: open '%s'", tmp);
	fprintf(f, "%d", pid);
	if (fclose(f) != 0 || rename(tmp, path) < 0)
		return cm_err_set(err, errno, "--pid-file: write '%s'", path);
	return 0;
}

struct run {
	int fd; /* to the sandbox */
	int signal_fd;
	bool detach;
	const char *pid_file;
	const struct cm_sandbox_options *o;
	bool started, done;
	bool hooks; /* its record has hooks, which this command runs */
	char *scope; /* of systemd, that this command had made */
	struct cm_spec *spec; /* that this command had to read itself; NULL = none */
	bool broken; /* what ended was not the program */
	int terminal; /* that the program has; -1 = none */
	int code; /* exit code, or -errno */
};

static void run_winsize(const struct run *r)
{
	uint16_t rows, cols;

	cm_console_size(r->terminal, &rows, &cols);
	cm_sandbox_send(r->fd, CM_MSG_WINSIZE, (int)((uint32_t)rows << 16 | cols), NULL);
}

static void run_forward(const struct run *r)
{
	struct signalfd_siginfo si;

	while (read(r->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && r->terminal >= 0)
			run_winsize(r);
		if (si.ssi_signo == SIGWINCH)
			continue;
		cm_sandbox_send(r->fd, CM_MSG_SIGNAL, (int)si.ssi_signo, NULL);
	}
}

/* startContainer and poststart hooks: a failure ends the container. A program that is not to wait for `start`, and waits, does for the first. */
static int run_hooks(struct run *r, struct cm_err *err)
{
	struct cm_state st;
	int ret = cm_state_load(r->o->root, r->o->id, &st, err);

	if (ret < 0)
		return ret;
	if (st.status == CM_CREATED)
		ret = cm_start_program(r->o->root, r->o->id, &st, err);
	if (ret == 0)
		ret = cm_hooks_run_state(&st, CM_HOOK_POSTSTART, CM_RUNNING, err);
	cm_state_fini(&st);
	return ret;
}

/* The configuration, which as a rule the sandbox process alone reads. NULL with err set. */
static const struct cm_spec *run_spec(struct run *r, struct cm_err *err)
{
	if (!r->o->spec && !r->spec)
		(void)cm_spec_load(r->o->bundle_fd, &r->spec, err);
	return r->o->spec ? r->o->spec : r->spec;
}

/* prestart, createRuntime, createContainer: the sandbox waits for the outcome. */
static int run_create_hooks(struct run *r, struct cm_err *err)
{
	const struct cm_spec *spec = run_spec(r, err);
	struct cm_state st;
	int ret = spec ? cm_state_load(r->o->root, r->o->id, &st, err) : -err->code;

	if (ret < 0)
		return ret;
	for (unsigned k = CM_HOOK_PRESTART; ret == 0 && k <= CM_HOOK_CREATE_CONTAINER; k++)
		ret = cm_hooks_run(
			spec->hooks, (enum cm_hook_kind)k, &st, CM_CREATING, r->o->bundle_fd, err);
	cm_state_fini(&st);
	return ret;
}

/* The sandbox process may be where systemd cannot be reached. */
static int run_scope(struct run *r, const struct cm_sandbox_msg *m, struct cm_err *err)
{
	const pid_t pids[2] = { m->value, (pid_t)strtol(m->text, NULL, 10) };
	const struct cm_spec *spec = run_spec(r, err);
	struct cm_scope scope;
	int ret = spec ? cm_scope_parse(&scope, spec->cgroups_path, r->o->id, err) : -err->code;

	if (ret < 0)
		return ret;
	ret = cm_scope_start(&scope, spec->has_resources ? &spec->resources : NULL, pids, err);
	if (ret == 0)
		r->scope = strdup(scope.unit);
	cm_scope_fini(&scope);
	return ret;
}

/* What the sandbox process has asked for, which waits for the outcome. */
static void run_asked(struct run *r, const struct cm_sandbox_msg *m)
{
	struct cm_err err = { 0 };
	int ret = m->kind == CM_MSG_SCOPE ? run_scope(r, m, &err) : run_create_hooks(r, &err);

	cm_sandbox_send(r->fd, CM_MSG_DONE, -ret, ret < 0 ? err.msg : NULL);
}

/* The end of a container with hooks: the sandbox process leaves its record. One that broke, or is to be kept, stays, and so do its hooks. */
static void run_leave(struct run *r)
{
	struct cm_err err;

	if (!r->hooks || (r->code >= 0 && (r->o->keep || r->broken)))
		return;
	if (cm_container_delete(r->o->root, r->o->id, true, &err) < 0)
		fprintf(stderr, "casemate: %s\n", err.msg);
}

static void run_message(struct run *r, const struct cm_sandbox_msg *m, struct cm_err *err)
{
	switch ((enum cm_sandbox_msg_kind)m->kind) {
	case CM_MSG_STARTED:
		r->started = true;
		r->hooks = strcmp(m->text, CM_STARTED_HOOKS) == 0;
		if ((r->pid_file && cm_cli_write_pid(r->pid_file, m->value, err) < 0) ||
			(r->hooks && run_hooks(r, err) < 0)) {
			/* Nobody could find the container, or its hooks want it to end. */
			cm_sandbox_send(r->fd, CM_MSG_SIGNAL, SIGKILL, NULL);
			r->code = -err->code;
			r->done = true;
		} else if (r->detach) {
			r->done = true;
		}
		break;
	case CM_MSG_FAILED:
		cm_err_set(err, 0, "%s", m->text);
		err->code = m->value > 0 ? m->value : EIO;
		r->code = -err->code;
		r->done = true;
		break;
	case CM_MSG_EXITED:
		r->done = true;
		r->code = cm_cli_exit_code(m->value);
		r->broken = m->text[0];
		if (r->broken)
			fprintf(stderr, "casemate: %s\n", m->text);
		break;
	case CM_MSG_TERMINAL:
		r->terminal = cm_console_user();
		if (r->terminal >= 0)
			cm_console_raw(r->terminal);
		break;
	case CM_MSG_HOOKS:
	case CM_MSG_SCOPE:
		run_asked(r, m);
		break;
	case CM_MSG_SIGNAL:
	case CM_MSG_DONE:
	case CM_MSG_WINSIZE:
		break;
	}
}

static void run_wait(struct run *r, struct cm_err *err)
{
	while (!r->done) {
		struct pollfd p[2] = { { r->fd, POLLIN, 0 }, { r->signal_fd, POLLIN, 0 } };
		struct cm_sandbox_msg m;

		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			r->code = cm_err_set(err, errno, "wait for the sandbox");
			return;
		}
		if (p[1].revents)
			run_forward(r);
		if (!p[0].revents)
			continue;
		if (cm_sandbox_receive(r->fd, &m) == 1) {
			run_message(r, &m, err);
			continue;
		}
		/* Killed: so is the VMM. The record that stays says stopped. */
		r->done = r->broken = true;
		if (r->started) {
			fprintf(stderr, "casemate: the sandbox process died\n");
			r->code = 128 + SIGKILL;
		} else {
			r->code = cm_err_set(err, 0, "the sandbox process died");
		}
	}
}

int cm_cli_run_sandbox(const struct cm_cli *cli, struct cm_sandbox_options *o, bool detach,
	const char *pid_file, struct cm_err *err)
{
	struct run r = { .detach = detach, .pid_file = pid_file, .terminal = -1, .o = o };
	cleanup_fd int signal_fd = cm_cli_signalfd();
	cleanup_fd int fd = -1;
	int sp[2];
	pid_t pid;

	if (signal_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return cm_err_set(err, errno, "start the sandbox");
	o->detached = detach;
	o->publish_first = detach || pid_file;
	pid = cm_namespaces_fork(detach && !o->sandbox && !o->pod ? o->spec : NULL, err);
	if (pid == 0) {
		close(sp[0]);
		_exit(o->sandbox ? cm_member_main(o, sp[1]) : cm_sandbox_main(o, sp[1]));
	}
	close(sp[1]);
	fd = sp[0];
	/* The sandbox process has them: whoever reads them must see their end with the program's. */
	cm_preserve_close(&o->preserve);
	if (pid < 0)
		return cm_err_wrap(err, "config.json");
	r.fd = fd;
	r.signal_fd = signal_fd;
	run_wait(&r, err);
	if (!detach || !r.started || r.code < 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		run_leave(&r);
		if (r.scope)
			cm_scope_stop(r.scope);
	}
	free(r.scope);
	cm_spec_destroy(r.spec);
	cm_console_restore();
	return r.code;
}
