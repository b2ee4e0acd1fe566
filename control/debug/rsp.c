/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of gdb's remote protocol: framing, checksums, escapes, acknowledgements. */
#include <config.h>
#include "control/debug/rsp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/debug/rsp_internal.h"

#define RSP_INTERRUPT 0x03

static const char rsp_digits[] = "0123456789abcdef";

static int rsp_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- the answer */

void rsp_add(struct rsp *r, const void *p, size_t len)
{
	if (len > sizeof(r->out) - r->out_len) {
		r->out_full = true;
		return;
	}
	memcpy(r->out + r->out_len, p, len);
	r->out_len += len;
}

void rsp_add_text(struct rsp *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		rsp_add(r, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void rsp_add_hex(struct rsp *r, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (; len > 0; len--, b++) {
		char two[2] = { rsp_digits[*b >> 4], rsp_digits[*b & 15] };

		rsp_add(r, two, 2);
	}
}

void rsp_add_error(struct rsp *r, int error)
{
	error = error < 0 ? -error : error;
	r->out_len = 0;
	rsp_add_text(r, "E%02x", error < 255 ? (unsigned)error : 255u);
}

void rsp_flush(struct rsp *r)
{
	char *to = r->last;
	uint8_t sum = 0;
	size_t i;

	if (r->out_full) {
		r->out_full = false;
		rsp_add_error(r, EMSGSIZE);
	}
	*to++ = '$';
	for (i = 0; i < r->out_len; i++) {
		char c = r->out[i];

		if (c == '$' || c == '#' || c == '}' || c == '*') {
			*to++ = '}';
			sum = (uint8_t)(sum + '}');
			c ^= 0x20;
		}
		*to++ = c;
		sum = (uint8_t)(sum + (uint8_t)c);
	}
	*to++ = '#';
	*to++ = rsp_digits[sum >> 4];
	*to++ = rsp_digits[sum & 15];
	r->last_len = (size_t)(to - r->last);
	r->out_len = 0;
	r->ops->send(r->target, r->last, r->last_len);
}

/* ---- reading */

bool rsp_get_hex(const char **p, uint64_t *v)
{
	const char *s = *p;

	*v = 0;
	while (rsp_digit(*s) >= 0 && s - *p < 16)
		*v = *v << 4 | (uint64_t)rsp_digit(*s++);
	if (s == *p || rsp_digit(*s) >= 0)
		return false;
	*p = s;
	return true;
}

bool rsp_get_char(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

int rsp_get_bytes(const char *p, const char *end, void *buf, size_t room)
{
	uint8_t *to = buf;
	size_t n = (size_t)(end - p), i;

	if (n % 2 != 0 || n / 2 > room)
		return -EINVAL;
	for (i = 0; i < n / 2; i++) {
		int hi = rsp_digit(p[2 * i]), lo = rsp_digit(p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		to[i] = (uint8_t)(hi << 4 | lo);
	}
	return (int)(n / 2);
}

/* ---- packets */

static void rsp_packet(struct rsp *r)
{
	bool good = r->sum == r->want && !r->overflow;

	r->state = RSP_IDLE;
	if (!r->no_ack)
		r->ops->send(r->target, good ? "+" : "-", 1);
	if (!good || r->running)
		return; /* gdb says nothing but ^C to a target that runs */
	r->in[r->len] = '\0';
	rsp_command(r);
}

static void rsp_body(struct rsp *r, uint8_t c)
{
	if (c == '#') {
		r->state = RSP_SUM1;
		return;
	}
	r->sum = (uint8_t)(r->sum + c);
	if (r->state == RSP_BODY && c == '}') {
		r->state = RSP_ESCAPE;
		return;
	}
	if (r->state == RSP_ESCAPE)
		c ^= 0x20;
	r->state = RSP_BODY;
	if (r->len < RSP_PACKET)
		r->in[r->len++] = (char)c;
	else
		r->overflow = true;
}

static void rsp_sum(struct rsp *r, int digit)
{
	r->overflow |= digit < 0;
	r->want = (uint8_t)(r->want << 4 | (digit & 15));
	if (r->state == RSP_SUM1)
		r->state = RSP_SUM2;
	else
		rsp_packet(r);
}

static void rsp_idle(struct rsp *r, uint8_t c)
{
	switch (c) {
	case '$':
		r->state = RSP_BODY;
		r->len = 0;
		r->sum = 0;
		r->overflow = false;
		break;
	case '-':
		if (!r->no_ack && r->last_len > 0)
			r->ops->send(r->target, r->last, r->last_len);
		break;
	case RSP_INTERRUPT:
		if (r->running)
			r->ops->interrupt(r->target);
		break;
	default: /* acknowledgements, noise */
		break;
	}
}

static void rsp_byte(struct rsp *r, uint8_t c)
{
	/* A '$' is never part of a packet: one that was cut off begins again. */
	if (c == '$')
		r->state = RSP_IDLE;
	switch (r->state) {
	case RSP_IDLE:
		rsp_idle(r, c);
		break;
	case RSP_BODY:
	case RSP_ESCAPE:
		rsp_body(r, c);
		break;
	case RSP_SUM1:
	case RSP_SUM2:
		rsp_sum(r, rsp_digit(c));
		break;
	}
}

void rsp_input(struct rsp *r, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (; len > 0 && !r->detached; len--)
		rsp_byte(r, *p++);
}

void rsp_init(struct rsp *r, const struct rsp_ops *ops, void *target, const struct rsp_stop *stop)
{
	memset(r, 0, sizeof(*r));
	r->ops = ops;
	r->target = target;
	r->stop = *stop;
	r->general = stop->thread;
}
