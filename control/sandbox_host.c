/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's place on the host: cgroup, OOM score, and the hooks of its creation. */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/hooks.h"
#include "control/host.h"
#include "control/rpc_start.h"
#include "control/sandbox_internal.h"

/* A lower score needs a right that an administrator may not have given; the guest's own processes get theirs in any case. */
static void host_oom_score(pid_t pid, int score)
{
	char path[64], text[16];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%d", score);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return; /* what stays is the caller's score */
}

static int host_cgroup(struct sandbox *s, struct cm_err *err)
{
	const struct cm_spec *spec = sandbox_root(s)->spec;
	int r;

	if (!cm_cgroup_wanted(spec))
		return 0;
	r = cm_cgroup_create(&s->cgroup, spec, s->o->id, err);
	if (r == 0)
		r = cm_cgroup_join(&s->cgroup, getpid(), err);
	/* It was started before the configuration was read. */
	if (r == 0)
		r = cm_cgroup_join(&s->cgroup, s->l.vmm_pid, err);
	if (r < 0)
		return r;
	s->c.st.cgroups = cm_cgroup_json(&s->cgroup);
	return 0;
}

int sandbox_enter_host(struct sandbox *s, struct cm_err *err)
{
	struct sandbox_container *k = sandbox_root(s);
	int r = host_cgroup(s, err);

	if (r == 0 && k->spec->seccomp)
		r = cm_seccomp_compile(k->spec->seccomp, &k->filter, err);
	if (r == 0 && k->spec->has_oom_score_adj) {
		host_oom_score(getpid(), k->spec->oom_score_adj);
		host_oom_score(s->l.vmm_pid, k->spec->oom_score_adj);
	}
	if (r == 0)
		r = cm_host_keep_hooks(&s->c.st, k->spec, err);
	if (s->c.st.hooks || s->c.st.cgroups)
		s->publish_first = true;
	return r;
}

int sandbox_create_hooks(struct sandbox *s, struct cm_err *err)
{
	int r = 0;

	for (unsigned k = CM_HOOK_PRESTART; r == 0 && k <= CM_HOOK_CREATE_CONTAINER; k++)
		r = cm_hooks_run(sandbox_root(s)->spec->hooks, (enum cm_hook_kind)k, &s->c.st,
			CM_CREATING, s->o->bundle_fd, err);
	return r;
}

void sandbox_leave_host(struct sandbox *s)
{
	if (!s->cgroup.n)
		return;
	cm_cgroup_leave(&s->cgroup);
	(void)cm_cgroup_remove(&s->cgroup, 1000);
}
