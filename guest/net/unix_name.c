/* SPDX-License-Identifier: Apache-2.0 */
/* Names of AF_UNIX sockets: files of type socket, and the abstract name space. See unix(7). */
#include "net/unix.h"

#include "fs/internal.h"
#include "lib/printf.h"
#include "task/task.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static struct spinlock names_lock; /* protects: names, unix_name.owner, inode.sock */
static struct list_head names = LIST_HEAD_INIT(names); /* abstract ones */
static u32 next_autobind;

void unix_name_get(struct unix_name *n)
{
	ref_get(&n->ref);
}

void unix_name_put(struct unix_name *n)
{
	if (!n || !ref_put(&n->ref))
		return;
	if (n->path.dentry)
		path_put(&n->path);
	kfree(n);
}

static struct unix_name *name_alloc(const struct sock_addr *addr)
{
	struct unix_name *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	ref_init(&n->ref);
	list_init(&n->link);
	n->addr = *addr;
	return n;
}

static bool addr_abstract(const struct sock_addr *addr)
{
	return addr->len > PATH_OFFSET && addr->raw[PATH_OFFSET] == '\0';
}

/* Lock held. */
static struct unix_name *abstract_find(u32 net, const struct sock_addr *addr)
{
	struct unix_name *n;

	list_for_each_entry (n, &names, link) {
		if (n->net == net && n->addr.len == addr->len &&
			!memcmp(n->addr.raw, addr->raw, addr->len))
			return n;
	}
	return NULL;
}

/* Gives u the name unless it has one. names_lock held. */
static int name_attach(struct unix_sock *u, struct unix_name *n)
{
	int r = -EINVAL;

	spin_lock(&u->lock);
	if (!u->name && u->state != UNIX_CLOSED) {
		unix_name_get(n);
		u->name = n;
		n->owner = u;
		r = 0;
	}
	spin_unlock(&u->lock);
	return r;
}

static int bind_abstract(struct unix_sock *u, const struct sock_addr *addr)
{
	struct unix_name *n = name_alloc(addr);
	int r = -EADDRINUSE;

	if (!n)
		return -ENOMEM;
	n->net = u->net;
	spin_lock(&names_lock);
	if (!abstract_find(u->net, addr))
		r = name_attach(u, n);
	if (!r)
		list_add(&names, &n->link);
	spin_unlock(&names_lock);
	unix_name_put(n);
	return r;
}

/* bind with the family alone: a free abstract name of five hexadecimal digits. */
static int bind_auto(struct unix_sock *u)
{
	struct sock_addr addr = { .len = PATH_OFFSET + 6 };
	int r = -EADDRINUSE;

	addr.family = AF_UNIX;
	for (u32 tries = 0; tries < 0x100000 && r == -EADDRINUSE; tries++) {
		char text[8];

		str_format(text, sizeof(text), "%05x", atomic_add(&next_autobind, 1) & 0xfffff);
		memcpy(addr.raw + PATH_OFFSET + 1, text, 5);
		r = bind_abstract(u, &addr);
	}
	return r;
}

/* The path of addr as a string. sun_path need not end in NUL. */
static void addr_path(const struct sock_addr *addr, char *out)
{
	u32 len = addr->len - (u32)PATH_OFFSET;

	memcpy(out, addr->raw + PATH_OFFSET, len);
	out[len] = '\0';
}

static int bind_path(struct unix_sock *u, const struct sock_addr *addr)
{
	char text[sizeof(addr->raw) + 1];
	struct unix_name *n = name_alloc(addr);
	int r;

	if (!n)
		return -ENOMEM;
	addr_path(addr, text);
	r = vfs_mknod(NULL, text, S_IFSOCK | (0777 & ~fs_umask()), 0);
	if (r) {
		r = r == -EEXIST ? -EADDRINUSE : r;
		goto out_put;
	}
	r = path_lookup(NULL, text, 0, &n->path);
	if (r)
		goto out_put;
	spin_lock(&names_lock);
	r = name_attach(u, n);
	if (!r)
		dentry_inode(n->path.dentry)->sock = n;
	spin_unlock(&names_lock);
out_put:
	unix_name_put(n);
	return r;
}

int unix_bind(struct socket *s, const struct sock_addr *addr)
{
	struct unix_sock *u = unix_of(s);

	if (addr->len < sizeof(addr->family) || addr->family != AF_UNIX)
		return -EINVAL;
	if (READ_ONCE(u->name))
		return -EINVAL;
	u->ino = s->file->inode->ino;
	if (addr->len <= PATH_OFFSET)
		return bind_auto(u);
	if (addr->len > sizeof(struct sockaddr_un))
		return -EINVAL;
	return addr_abstract(addr) ? bind_abstract(u, addr) : bind_path(u, addr);
}

/* Owner of a name with a reference, or NULL. names_lock held. */
static struct unix_sock *name_owner(struct unix_name *n)
{
	if (!n || !n->owner || !ref_get_unless_zero(&n->owner->ref))
		return NULL;
	return n->owner;
}

static int lookup_path(const struct sock_addr *addr, struct unix_sock **out)
{
	char text[sizeof(addr->raw) + 1];
	struct inode *inode;
	struct path p;
	int r;

	addr_path(addr, text);
	r = path_lookup(NULL, text, LOOKUP_FOLLOW, &p);
	if (r)
		return r;
	inode = dentry_inode(p.dentry);
	r = inode_permission(inode, MAY_WRITE);
	if (!r && (inode->mode & S_IFMT) != S_IFSOCK)
		r = -ECONNREFUSED;
	if (!r) {
		spin_lock(&names_lock);
		*out = name_owner(inode->sock);
		spin_unlock(&names_lock);
		r = *out ? 0 : -ECONNREFUSED;
	}
	path_put(&p);
	return r;
}

int unix_lookup(u32 net, const struct sock_addr *addr, u32 type, struct unix_sock **out)
{
	int r;

	if (addr->len <= PATH_OFFSET || addr->len > sizeof(struct sockaddr_un) ||
		addr->family != AF_UNIX)
		return -EINVAL;
	if (addr_abstract(addr)) {
		spin_lock(&names_lock);
		*out = name_owner(abstract_find(net, addr));
		spin_unlock(&names_lock);
		r = *out ? 0 : -ECONNREFUSED;
	} else {
		r = lookup_path(addr, out);
	}
	if (r)
		return r;
	if ((*out)->type != type) {
		unix_put(*out);
		return -EPROTOTYPE;
	}
	return 0;
}

void unix_unbind(struct unix_sock *u)
{
	struct unix_name *n;

	spin_lock(&names_lock);
	n = u->name;
	/* A server's accepted ends share its name without owning it. */
	if (n && n->owner == u) {
		n->owner = NULL;
		list_del(&n->link);
		if (n->path.dentry)
			dentry_inode(n->path.dentry)->sock = NULL;
	}
	spin_unlock(&names_lock);
}
