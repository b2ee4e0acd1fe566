/* SPDX-License-Identifier: Apache-2.0 */
/* Two calls of old: sysfs(2), which numbers the types of file systems, and ustat(2). */
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"
#include "task/pid.h"

struct type_search {
	const char *name; /* NULL: the one at `index` */
	u32 index;
	u32 at; /* types seen so far */
	const char *found;
};

static void type_visit(struct fs_type *t, void *arg)
{
	struct type_search *s = arg;

	if (!s->found && (s->name ? !strcmp(t->name, s->name) : s->at == s->index)) {
		s->found = t->name;
		s->index = s->at;
	}
	s->at++;
}

static s64 sysfs_index(uaddr_t name)
{
	struct type_search s = { 0 };
	struct upath u;
	s64 ret = upath_get(&u, name);

	if (ret)
		return ret;
	s.name = u.name;
	fs_type_for_each(type_visit, &s);
	upath_put(&u);
	return s.found ? (s64)s.index : -EINVAL;
}

static s64 sysfs_name(u64 index, uaddr_t buf)
{
	struct type_search s = { .index = (u32)index };

	fs_type_for_each(type_visit, &s);
	if (!s.found || index != s.index)
		return -EINVAL;
	return copy_to_user(buf, s.found, strlen(s.found) + 1);
}

s64 sys_sysfs(struct task *t, const struct sysargs *a)
{
	struct type_search s = { .index = ~0u };

	switch ((int)a->a[0]) {
	case 1:
		return sysfs_index(a->a[1]);
	case 2:
		return sysfs_name(a->a[1], a->a[2]);
	case 3:
		fs_type_for_each(type_visit, &s);
		return s.at;
	default:
		return -EINVAL;
	}
}

/* A mount of the device, with a reference, or NULL. */
static struct mount *mount_of_dev(struct mount_ns *ns, u32 dev)
{
	struct mount *found = NULL;
	u32 n = 0, i;
	struct mount **v = mount_ns_list(ns, &n);

	for (i = 0; v && i < n; i++) {
		if (!found && super_st_dev(v[i]->sb) == dev)
			found = v[i];
		else
			mount_put(v[i]);
	}
	kfree(v);
	return found;
}

s64 sys_ustat(struct task *t, const struct sysargs *a)
{
	struct {
		s32 tfree;
		u64 tinode;
		char fname[6], fpack[6];
	} out = { 0 };
	struct mount *m = mount_of_dev(t->ns->mnt, (u32)a->a[0]);
	struct statfs_info info;
	struct path p;
	s64 ret;

	if (!m)
		return -EINVAL;
	p = (struct path){ m, m->root };
	ret = vfs_statfs(&p, &info);
	mount_put(m);
	if (ret)
		return ret;
	out.tfree = (s32)info.bfree;
	out.tinode = info.ffree;
	return copy_to_user(a->a[1], &out, sizeof(out));
}
