/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/lib/fake_rsp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fake_send(void *t, const void *p, size_t len)
{
	struct fake_rsp *f = t;

	if (len >= sizeof(f->sent) - f->nsent)
		f->nsent = 0;
	memcpy(f->sent + f->nsent, p, len);
	f->nsent += len;
	f->sent[f->nsent] = '\0';
}

static int fake_threads(void *t, uint32_t *ids, unsigned max)
{
	ids[0] = 1;
	ids[1] = 2;
	return 2;
}

static bool fake_alive(void *t, uint32_t thread)
{
	return thread == 1 || thread == 2;
}

static void fake_describe(void *t, uint32_t thread, char *buf, size_t room)
{
	snprintf(buf, room, "thread <%u>", thread);
}

static int fake_get_regs(void *t, uint32_t thread, struct rsp_regs *r)
{
	struct fake_rsp *f = t;

	if (!fake_alive(t, thread))
		return -ESRCH;
	*r = f->regs[thread - 1];
	return 0;
}

static int fake_set_regs(void *t, uint32_t thread, const struct rsp_regs *r)
{
	struct fake_rsp *f = t;

	if (!fake_alive(t, thread))
		return -ESRCH;
	f->regs[thread - 1] = *r;
	return 0;
}

static int fake_read(void *t, uint32_t thread, uint64_t addr, void *buf, size_t len)
{
	struct fake_rsp *f = t;

	if (addr < FAKE_RSP_BASE || addr >= FAKE_RSP_BASE + FAKE_RSP_SIZE)
		return -EFAULT;
	addr -= FAKE_RSP_BASE;
	len = len < FAKE_RSP_SIZE - addr ? len : FAKE_RSP_SIZE - addr;
	memcpy(buf, f->memory + addr, len);
	return (int)len;
}

static int fake_write(void *t, uint32_t thread, uint64_t addr, const void *buf, size_t len)
{
	struct fake_rsp *f = t;

	if (addr < FAKE_RSP_BASE || addr - FAKE_RSP_BASE > FAKE_RSP_SIZE ||
		len > FAKE_RSP_SIZE - (addr - FAKE_RSP_BASE))
		return -EFAULT;
	memcpy(f->memory + (addr - FAKE_RSP_BASE), buf, len);
	return 0;
}

static int fake_breakpoint(void *t, enum rsp_break kind, uint64_t addr, uint64_t len, bool set)
{
	struct fake_rsp *f = t;

	if (kind == RSP_WATCH_READ)
		return -EOPNOTSUPP;
	f->brk = set ? addr : 0;
	f->brk_kind = kind;
	return 0;
}

static int fake_hardware(void *t)
{
	const struct fake_rsp *f = t;

	return f->stop_at_once ? 1 : f->hardware;
}

static int fake_resume(void *t, const struct rsp_resume *how)
{
	struct fake_rsp *f = t;

	f->resumed = *how;
	f->resumes++;
	if (f->stop_at_once)
		rsp_stopped(&f->rsp, &(struct rsp_stop){ .thread = 2, .signal = 5, .kind = -1 });
	return 0;
}

static void fake_interrupt(void *t)
{
	((struct fake_rsp *)t)->interrupts++;
}

static int fake_object(void *t, const char *name, char **data, size_t *len)
{
	if (strcmp(name, "exec-file") != 0)
		return -EOPNOTSUPP;
	*data = strdup("/bin/a#b$c}d*e");
	*len = *data ? strlen(*data) : 0;
	return *data ? 0 : -ENOMEM;
}

static char *fake_monitor(void *t, const char *line)
{
	char *text = malloc(20001);

	if (!text)
		return NULL;
	/* "big" wants more than a packet takes. */
	if (strcmp(line, "big") == 0) {
		memset(text, 'x', 20000);
		text[20000] = '\0';
	} else {
		snprintf(text, 20001, "<%s>", line);
	}
	return text;
}

static void fake_detach(void *t)
{
	((struct fake_rsp *)t)->detaches++;
}

static const struct rsp_ops fake_ops[2] = {
#define FAKE_OPS(is_app) \
	{ \
		.app = is_app, .send = fake_send, .threads = fake_threads, .alive = fake_alive, \
		.describe = fake_describe, .get_regs = fake_get_regs, .set_regs = fake_set_regs, \
		.read = fake_read, .write = fake_write, .breakpoint = fake_breakpoint, \
		.hardware = fake_hardware, .resume = fake_resume, .interrupt = fake_interrupt, \
		.object = fake_object, .monitor = fake_monitor, .detach = fake_detach, \
	}
	FAKE_OPS(false),
	FAKE_OPS(true),
};

void fake_rsp_init(struct fake_rsp *f, bool app)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < FAKE_RSP_SIZE; i++)
		f->memory[i] = (uint8_t)i;
	f->hardware = 1;
	f->regs[0].rip = 0x1122334455667788;
	f->regs[1].gpr[0] = 0xabc;
	rsp_init(&f->rsp, &fake_ops[app], f,
		&(struct rsp_stop){ .thread = 1, .signal = 5, .kind = -1 });
}
