/* SPDX-License-Identifier: Apache-2.0 */
/* The 16550A. Transmission takes no time: the holding register is always empty. */
#include <config.h>
#include "vmm/pc/serial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/pc.h"

#define SERIAL_IRQ     4
#define SERIAL_LATE_NS 10000000u /* a prompt without a line's end appears after this */
#define SERIAL_WAIT_MS 50

#define IER_RX	  0x01
#define IER_THRE  0x02
#define IIR_NONE  0x01
#define IIR_THRE  0x02
#define IIR_RX	  0x04
#define IIR_FIFO  0xc0
#define FCR_ON	  0x01
#define FCR_CLEAR 0x02
#define LCR_DLAB  0x80
#define MCR_LOOP  0x10
#define LSR_DR	  0x01
#define LSR_EMPTY 0x60

/* ---- output */

/* The reader may be slow, but the run can end meanwhile: then what is left is lost. */
static void serial_write(struct pc_serial *s, const char *p, size_t len)
{
	while (len > 0) {
		/* #syscalls:io,vcpu write poll */
		ssize_t n = write(s->out_fd, p, len);
		struct pollfd wait = { .fd = s->out_fd, .events = POLLOUT };

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return;
		if (poll(&wait, 1, SERIAL_WAIT_MS) <= 0 && pc_ending(s->pc))
			return;
	}
}

static void serial_flush(struct pc_serial *s)
{
	if (s->out_fd >= 0)
		serial_write(s, s->out, s->out_len);
	s->out_len = 0;
}

static void serial_out(struct pc_serial *s, char c)
{
	s->out[s->out_len++] = c;
	if (c == '\n' || s->out_len == SERIAL_OUT)
		serial_flush(s);
	if (s->out_len == 0 || s->late)
		return;
	s->late = true;
	eventloop_post(&s->flush);
}

void pc_serial_flush(struct pc_serial *s)
{
	pthread_mutex_lock(&s->lock);
	serial_flush(s);
	pthread_mutex_unlock(&s->lock);
}

void pc_serial_write(struct pc_serial *s, const char *text, size_t len)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++)
		serial_out(s, text[i]);
	pthread_mutex_unlock(&s->lock);
}

static void serial_on_flush(struct ev_work *w)
{
	struct pc_serial *s = w->arg;

	if (!s->flush_timer.armed)
		eventloop_timer_set(s->pc->loop, &s->flush_timer, SERIAL_LATE_NS);
}

static void serial_on_flush_timer(struct ev_timer *t)
{
	struct pc_serial *s = t->arg;

	pthread_mutex_lock(&s->lock);
	s->late = false;
	serial_flush(s);
	pthread_mutex_unlock(&s->lock);
}

/* ---- input */

static void serial_irq(struct pc_serial *s)
{
	bool level = ((s->ier & IER_RX) && s->fifo_len) || ((s->ier & IER_THRE) && s->thr_empty);

	if (level == s->level)
		return;
	s->level = level;
	pc_irq_line(s->pc, SERIAL_IRQ, level);
}

static void serial_push(struct pc_serial *s, uint8_t c)
{
	if (s->fifo_len < SERIAL_FIFO)
		s->fifo[s->fifo_len++] = c;
}

static uint8_t serial_pop(struct pc_serial *s)
{
	uint8_t c = s->fifo[0];

	if (s->fifo_len == 0)
		return 0;
	s->fifo_len--;
	memmove(s->fifo, s->fifo + 1, s->fifo_len);
	if (s->fifo_len == 0 && s->in_fd >= 0)
		eventloop_post(&s->refill);
	return c;
}

/* Take no more than fits; the rest stays in the pipe until the guest has read. */
static void serial_on_input(struct ev_source *src, uint32_t events)
{
	struct pc_serial *s = src->arg;
	uint8_t buf[SERIAL_FIFO];
	ssize_t n = 0;
	unsigned room;

	pthread_mutex_lock(&s->lock);
	room = SERIAL_FIFO - s->fifo_len;
	/* #syscalls:io read */
	if (room > 0)
		n = read(s->in_fd, buf, room);
	for (ssize_t i = 0; i < n; i++)
		serial_push(s, buf[i]);
	serial_irq(s);
	/* Not only muted: the end of the pipe would be reported again and again. */
	if (n == 0 || s->fifo_len > 0) {
		eventloop_del(s->pc->loop, &s->in);
		s->watching = false;
	}
	if (room > 0 && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)))
		s->in_fd = -1;
	pthread_mutex_unlock(&s->lock);
}

static void serial_on_refill(struct ev_work *w)
{
	struct pc_serial *s = w->arg;

	if (s->in_fd >= 0 && !s->watching)
		s->watching = eventloop_add(s->pc->loop, &s->in, EPOLLIN) == 0;
}

/* ---- registers */

static uint8_t serial_iir(struct pc_serial *s)
{
	uint8_t fifo = s->fcr & FCR_ON ? IIR_FIFO : 0;

	if ((s->ier & IER_RX) && s->fifo_len)
		return fifo | IIR_RX;
	if ((s->ier & IER_THRE) && s->thr_empty) {
		s->thr_empty = false; /* reading acknowledges it */
		return fifo | IIR_THRE;
	}
	return fifo | IIR_NONE;
}

static uint8_t serial_read_reg(struct pc_serial *s, uint64_t off)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (off) {
	case 0:
		return dlab ? s->dll : serial_pop(s);
	case 1:
		return dlab ? s->dlm : s->ier;
	case 2:
		return serial_iir(s);
	case 3:
		return s->lcr;
	case 4:
		return s->mcr;
	case 5:
		return LSR_EMPTY | (s->fifo_len ? LSR_DR : 0);
	case 6:
		/* Loop back: RTS, DTR, OUT1, OUT2 appear as CTS, DSR, RI, DCD; else a peer is there. */
		if (s->mcr & MCR_LOOP)
			return (uint8_t)(((s->mcr & 2) << 3) | ((s->mcr & 1) << 5) |
					 ((s->mcr & 4) << 4) | ((s->mcr & 8) << 4));
		return 0xb0;
	default:
		return s->scr;
	}
}

static void serial_transmit(struct pc_serial *s, uint8_t c)
{
	if (s->mcr & MCR_LOOP)
		serial_push(s, c);
	else
		serial_out(s, (char)c);
	s->thr_empty = true;
}

static void serial_write_reg(struct pc_serial *s, uint64_t off, uint8_t v)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (off) {
	case 0:
		if (dlab)
			s->dll = v;
		else
			serial_transmit(s, v);
		break;
	case 1:
		if (dlab) {
			s->dlm = v;
			break;
		}
		if ((v & IER_THRE) && !(s->ier & IER_THRE))
			s->thr_empty = true;
		s->ier = v & 0xf;
		break;
	case 2:
		s->fcr = v;
		if (v & FCR_CLEAR)
			s->fifo_len = 0;
		break;
	case 3:
		s->lcr = v;
		break;
	case 4:
		s->mcr = v & 0x1f;
		break;
	case 7:
		s->scr = v;
		break;
	default:
		break;
	}
}

static void serial_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_serial *s = dev;

	pthread_mutex_lock(&s->lock);
	*(uint8_t *)data = serial_read_reg(s, off);
	serial_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_write_port(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_serial *s = dev;

	pthread_mutex_lock(&s->lock);
	serial_write_reg(s, off, *(const uint8_t *)data);
	serial_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_ops = { .read = serial_read, .write = serial_write_port };

int pc_serial_init(struct pc_serial *s, struct pc *pc, int out_fd, int in_fd)
{
	int r;

	*s = (struct pc_serial){ .pc = pc, .out_fd = out_fd, .in_fd = in_fd };
	pthread_mutex_init(&s->lock, NULL);
	s->in = (struct ev_source){ .fd = in_fd, .fn = serial_on_input, .arg = s };
	s->refill = (struct ev_work){ .fn = serial_on_refill, .arg = s };
	s->flush = (struct ev_work){ .fn = serial_on_flush, .arg = s };
	s->flush_timer = (struct ev_timer){ .fn = serial_on_flush_timer, .arg = s };
	r = eventloop_work_add(pc->loop, &s->refill);
	if (r == 0)
		r = eventloop_work_add(pc->loop, &s->flush);
	if (r == 0 && in_fd >= 0)
		r = eventloop_add(pc->loop, &s->in, EPOLLIN);
	s->watching = r == 0 && in_fd >= 0;
	return r < 0 ? r : bus_add(&pc->pio, CM_PC_COM1, 8, &serial_ops, s);
}
