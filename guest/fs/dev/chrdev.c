/* SPDX-License-Identifier: Apache-2.0 */
/* Character devices by number, and the memory devices. */
#include "fs/dev/dev.h"

#include "fs/internal.h"
#include "kernel/random.h"

#define MEM_MAJOR    1u
#define RANDOM_CHUNK 256u

static struct chrdev *chrdevs; /* only grows, at boot */

void chrdev_register(struct chrdev *d)
{
	d->next = chrdevs;
	chrdevs = d;
}

int chrdev_open(struct inode *inode, struct file *f)
{
	u32 major = dev_major(inode->rdev), minor = dev_minor(inode->rdev);
	struct chrdev *d;

	for (d = chrdevs; d; d = d->next) {
		if (d->major == major && minor - d->minor_first < d->minor_count)
			return d->open(inode, f);
	}
	return -ENXIO;
}

/* ---- null, zero, full ---- */
static s64 null_read(struct file *f, struct uio *u, u64 *pos)
{
	(void)f;
	(void)u;
	(void)pos;
	return 0;
}

static s64 null_write(struct file *f, struct uio *u, u64 *pos)
{
	s64 n = (s64)u->left;

	(void)f;
	(void)pos;
	uio_advance(u, u->left);
	return n;
}

static s64 zero_read(struct file *f, struct uio *u, u64 *pos)
{
	static const u8 zeroes[PAGE_SIZE];
	s64 done = 0;

	(void)f;
	(void)pos;
	while (u->left) {
		size_t n = MIN(u->left, PAGE_SIZE), got = uio_write(u, zeroes, n);

		done += (s64)got;
		if (got < n)
			return done ? done : -EFAULT;
	}
	return done;
}

static s64 full_write(struct file *f, struct uio *u, u64 *pos)
{
	(void)f;
	(void)u;
	(void)pos;
	return -ENOSPC;
}

static s64 mem_llseek(struct file *f, s64 off, int whence)
{
	(void)off;
	(void)whence;
	return (s64)(f->pos = 0);
}

static int zero_mmap(struct file *f, struct vma *vma)
{
	(void)f;
	(void)vma;
	return 0;
}

static int zero_fault(struct file *f, u64 pgoff, struct page **out)
{
	(void)f;
	(void)pgoff;
	*out = page_alloc(0, GFP_ZERO | GFP_USER);
	return *out ? 0 : -ENOMEM;
}

/* ---- random ---- */
static s64 random_read(struct file *f, struct uio *u, u64 *pos)
{
	u8 buf[RANDOM_CHUNK];
	s64 done = 0;

	(void)f;
	(void)pos;
	while (u->left) {
		size_t n = MIN(u->left, sizeof(buf)), got;

		random_bytes(buf, n);
		got = uio_write(u, buf, n);
		done += (s64)got;
		if (got < n) {
			done = done ? done : -EFAULT;
			break;
		}
	}
	memset(buf, 0, sizeof(buf));
	return done;
}

/* What programs add is consumed and not trusted: the pool is seeded by the VMM and the processor. */
static s64 random_write(struct file *f, struct uio *u, u64 *pos)
{
	return null_write(f, u, pos);
}

#define RNDGETENTCNT 0x80045200u

static s64 random_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int bits = 256;

	(void)f;
	return cmd == RNDGETENTCNT ? put_user(bits, arg) : -EINVAL;
}

/* ---- kmsg: writes go to the log ---- */
static s64 kmsg_write(struct file *f, struct uio *u, u64 *pos)
{
	char line[512];
	s64 full = (s64)u->left;
	size_t n = uio_read(u, line, MIN(u->left, sizeof(line) - 1));

	(void)f;
	(void)pos;
	if (!n && full)
		return -EFAULT;
	line[n] = 0;
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	log_info("kmsg: %s", line);
	uio_advance(u, u->left);
	return full;
}

static const struct file_ops null_ops = {
	.read = null_read,
	.write = null_write,
	.nowait = MAY_READ | MAY_WRITE,
	.llseek = mem_llseek,
};
static const struct file_ops zero_ops = {
	.read = zero_read,
	.write = null_write,
	.nowait = MAY_READ | MAY_WRITE,
	.llseek = mem_llseek,
	.mmap = zero_mmap,
	.fault = zero_fault,
};
static const struct file_ops full_ops = {
	.read = zero_read,
	.write = full_write,
	.nowait = MAY_READ | MAY_WRITE,
	.llseek = mem_llseek,
};
static const struct file_ops random_ops = {
	.read = random_read,
	.write = random_write,
	.nowait = MAY_READ | MAY_WRITE,
	.ioctl = random_ioctl,
	.llseek = mem_llseek,
};
static const struct file_ops kmsg_ops = { .write = kmsg_write };

static int mem_open(struct inode *inode, struct file *f)
{
	static const struct file_ops *const ops[] = {
		[3] = &null_ops,
		[5] = &zero_ops,
		[7] = &full_ops,
		[8] = &random_ops,
		[9] = &random_ops,
		[11] = &kmsg_ops,
	};
	u32 minor = dev_minor(inode->rdev);

	if (minor >= ARRAY_SIZE(ops) || !ops[minor])
		return -ENXIO;
	f->ops = ops[minor];
	return 0;
}

static struct chrdev mem_chrdev = { MEM_MAJOR, 0, 16, mem_open, NULL };

void chrdev_init(void)
{
	chrdev_register(&mem_chrdev);
}

/* The default operations of special inodes: open replaces them. */
const struct file_ops chrdev_ops, blkdev_ops, fifo_ops, sock_inode_ops;
