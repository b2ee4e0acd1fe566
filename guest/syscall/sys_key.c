/* SPDX-License-Identifier: Apache-2.0 */
/* add_key(2), request_key(2), keyctl(2): decoding, and copies of names and payloads. The operations are in keys/. */
#include <linux/keyctl.h>

#include "keys/keys.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/user_ns.h"

/* ---- arguments ---- */

static s64 type_from_user(char *type, uaddr_t p)
{
	s64 n = strncpy_from_user(type, p, KEY_TYPE_MAX);

	if (n == -EFAULT)
		return n;
	if (n <= 0)
		return -EINVAL;
	return type[0] == '.' ? -EPERM : 0;
}

/* A string for kfree; NULL for a null pointer. 0 or -errno. */
static s64 text_from_user(uaddr_t p, char **out)
{
	s64 n;

	*out = NULL;
	if (!p)
		return 0;
	*out = kmalloc(KEY_TEXT_MAX);
	if (!*out)
		return -ENOMEM;
	n = strncpy_from_user(*out, p, KEY_TEXT_MAX);
	if (n >= 0)
		return 0;
	kfree(*out);
	*out = NULL;
	return n == -ENAMETOOLONG ? -EINVAL : n;
}

static s64 payload_from_user(uaddr_t p, size_t len, void **out)
{
	*out = NULL;
	if (!len)
		return 0;
	*out = kmalloc(len);
	if (!*out)
		return -ENOMEM;
	if (copy_from_user(*out, p, len) == 0)
		return 0;
	kfree(*out);
	*out = NULL;
	return -EFAULT;
}

/* Gives data of `len` bytes to a program that has room for `room`: all of it or, when it does not fit, none. Frees it; the result of the call. */
static s64 give(void *data, s64 len, uaddr_t to, u64 room)
{
	if (len > 0 && to && room >= (u64)len && copy_to_user(to, data, (size_t)len) < 0)
		len = -EFAULT;
	kfree(data);
	return len;
}

/* ---- add_key, request_key ---- */

s64 sys_add_key(struct task *t, const struct sysargs *a)
{
	char type[KEY_TYPE_MAX], *desc = NULL;
	size_t len = a->a[3];
	void *data = NULL;
	s64 ret;

	if (len > KEY_PAYLOAD_MAX)
		return -EINVAL;
	ret = type_from_user(type, a->a[0]);
	if (!ret)
		ret = text_from_user(a->a[1], &desc);
	if (!ret && desc && !desc[0]) {
		kfree(desc);
		desc = NULL;
	}
	if (!ret && desc && desc[0] == '.' && !strcmp(type, "keyring"))
		ret = -EPERM;
	if (!ret)
		ret = payload_from_user(a->a[2], len, &data);
	if (!ret)
		ret = key_op_add(type, desc, data, len, (s32)a->a[4]);
	kfree(desc);
	return ret;
}

s64 sys_request_key(struct task *t, const struct sysargs *a)
{
	char type[KEY_TYPE_MAX], *desc = NULL, *callout = NULL;
	s64 ret = type_from_user(type, a->a[0]);

	if (!ret)
		ret = a->a[1] ? text_from_user(a->a[1], &desc) : -EFAULT;
	if (!ret)
		ret = text_from_user(a->a[2], &callout);
	if (!ret)
		ret = key_op_request(type, desc, callout, (s32)a->a[3]);
	kfree(callout);
	kfree(desc);
	return ret;
}

/* ---- keyctl ---- */

static s64 ctl_join(uaddr_t uname)
{
	char *name;
	s64 ret = text_from_user(uname, &name);

	if (!ret && name && name[0] == '.')
		ret = -EPERM;
	if (!ret)
		ret = key_op_join(name);
	kfree(name);
	return ret;
}

static s64 ctl_update(s32 id, uaddr_t payload, u64 len)
{
	void *data;
	s64 ret;

	if (len > PAGE_SIZE)
		return -EINVAL;
	ret = payload_from_user(payload, len, &data);
	return ret ? ret : key_op_update(id, data, len);
}

static s64 ctl_describe(s32 id, uaddr_t to, u64 room)
{
	char *text;
	s64 ret = key_op_describe(id, &text);

	return give(text, ret, to, room);
}

static s64 ctl_read(s32 id, uaddr_t to, u64 room)
{
	void *data;
	s64 ret = key_op_read(id, &data);

	return give(data, ret, to, room);
}

static s64 ctl_search(const struct sysargs *a)
{
	char type[KEY_TYPE_MAX], *desc = NULL;
	s64 ret = type_from_user(type, a->a[2]);

	if (!ret)
		ret = a->a[3] ? text_from_user(a->a[3], &desc) : -EFAULT;
	if (!ret)
		ret = key_op_search((s32)a->a[1], type, desc, (s32)a->a[4]);
	kfree(desc);
	return ret;
}

static s64 ctl_chown(s32 id, u32 uid, u32 gid)
{
	u32 kuid = uid == ~0U ? uid : uid_to_kernel(uid);
	u32 kgid = gid == ~0U ? gid : gid_to_kernel(gid);

	if ((uid != ~0U && kuid == ID_NONE) || (gid != ~0U && kgid == ID_NONE))
		return -EINVAL;
	return key_op_chown(id, kuid, kgid);
}

/* No security module labels keys. */
static s64 ctl_security(s32 id, uaddr_t to, u64 room)
{
	s64 ret = key_op_visible(id);

	if (ret < 0)
		return ret;
	return to && room && clear_user(to, 1) < 0 ? -EFAULT : 1;
}

static s64 ctl_capabilities(uaddr_t to, u64 room)
{
	static const u8 caps[2] = { KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_INVALIDATE |
				    KEYCTL_CAPS0_MOVE };
	size_t n = MIN(room, sizeof(caps));

	if (copy_to_user(to, caps, n) < 0 || clear_user(to + n, room - n) < 0)
		return -EFAULT;
	return sizeof(caps);
}

/* Operations on keyrings. */
static s64 ctl_ring(const struct sysargs *a)
{
	s32 id = (s32)a->a[1];

	switch ((u32)a->a[0]) {
	case KEYCTL_GET_KEYRING_ID:
		return key_op_ring_id(id, (int)a->a[2]);
	case KEYCTL_JOIN_SESSION_KEYRING:
		return ctl_join(a->a[1]);
	case KEYCTL_CLEAR:
		return key_op_clear(id);
	case KEYCTL_LINK:
		return key_op_link(id, (s32)a->a[2]);
	case KEYCTL_UNLINK:
		return key_op_unlink(id, (s32)a->a[2]);
	case KEYCTL_MOVE:
		return key_op_move(id, (s32)a->a[2], (s32)a->a[3], (u32)a->a[4]);
	case KEYCTL_SEARCH:
		return ctl_search(a);
	case KEYCTL_SET_REQKEY_KEYRING:
		return key_op_reqkey_dest(id);
	case KEYCTL_CAPABILITIES:
		return ctl_capabilities(a->a[1], a->a[2]);
	case KEYCTL_INSTANTIATE:
	case KEYCTL_INSTANTIATE_IOV:
	case KEYCTL_NEGATE:
	case KEYCTL_REJECT:
		return -EPERM; /* nobody was asked to */
	case KEYCTL_ASSUME_AUTHORITY:
		return id < 0 ? -EINVAL : id ? -ENOKEY : 0;
	case KEYCTL_SESSION_TO_PARENT:
		return -EPERM;
	default:
		return -EOPNOTSUPP;
	}
}

s64 sys_keyctl(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[1];

	switch ((u32)a->a[0]) {
	case KEYCTL_UPDATE:
		return ctl_update(id, a->a[2], a->a[3]);
	case KEYCTL_REVOKE:
		return key_op_revoke(id);
	case KEYCTL_INVALIDATE:
		return key_op_invalidate(id);
	case KEYCTL_CHOWN:
		return ctl_chown(id, (u32)a->a[2], (u32)a->a[3]);
	case KEYCTL_SETPERM:
		return key_op_setperm(id, (u32)a->a[2]);
	case KEYCTL_DESCRIBE:
		return ctl_describe(id, a->a[2], a->a[3]);
	case KEYCTL_READ:
		return ctl_read(id, a->a[2], a->a[3]);
	case KEYCTL_SET_TIMEOUT:
		return key_op_timeout(id, (u32)a->a[2]);
	case KEYCTL_GET_SECURITY:
		return ctl_security(id, a->a[2], a->a[3]);
	default:
		return ctl_ring(a);
	}
}
