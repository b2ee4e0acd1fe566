/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting into a buffer. */
#include "lib/printf.h"
#include "lib/string.h"

struct fmt_out {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, stored or not */
};

struct fmt_spec {
	bool left, plus, space, alt, zero;
	int width;
	int precision; /* -1 = none */
	int longs; /* -2 char, -1 short, 0 int, 1 long and longer */
};

static void fmt_put(struct fmt_out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void fmt_fill(struct fmt_out *o, char c, int n)
{
	for (; n > 0; n--)
		fmt_put(o, c);
}

static void fmt_bytes(struct fmt_out *o, const char *s, size_t n)
{
	for (; n; n--)
		fmt_put(o, *s++);
}

/* prefix, zeros, digits within the width */
static void fmt_field(struct fmt_out *o, const struct fmt_spec *f, const char *prefix,
	const char *s, size_t n, int zeros)
{
	int pad = f->width - (int)strlen(prefix) - (int)n - zeros;

	if (!f->left)
		fmt_fill(o, ' ', pad);
	fmt_bytes(o, prefix, strlen(prefix));
	fmt_fill(o, '0', zeros);
	fmt_bytes(o, s, n);
	if (f->left)
		fmt_fill(o, ' ', pad);
}

static void fmt_number(struct fmt_out *o, const struct fmt_spec *f, u64 v, u32 base, bool upper,
	const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t n = 0;
	int zeros = 0;

	do {
		text[sizeof(text) - ++n] = digits[v % base];
		v /= base;
	} while (v);
	if (f->precision == 0 && n == 1 && text[sizeof(text) - 1] == '0')
		n = 0;
	if (f->precision >= 0)
		zeros = f->precision - (int)n;
	else if (f->zero && !f->left)
		zeros = f->width - (int)n - (int)strlen(prefix);
	fmt_field(o, f, prefix, text + sizeof(text) - n, n, MAX(zeros, 0));
}

static void fmt_signed(struct fmt_out *o, const struct fmt_spec *f, s64 v)
{
	const char *prefix = v < 0 ? "-" : f->plus ? "+" : f->space ? " " : "";

	fmt_number(o, f, v < 0 ? 0 - (u64)v : (u64)v, 10, false, prefix);
}

static void fmt_unsigned(struct fmt_out *o, const struct fmt_spec *f, u64 v, char conv)
{
	u32 base = conv == 'u' ? 10 : conv == 'o' ? 8 : 16;
	const char *prefix = "";

	if (f->alt && v && base == 16)
		prefix = conv == 'X' ? "0X" : "0x";
	else if (f->alt && v && base == 8)
		prefix = "0";
	fmt_number(o, f, v, base, conv == 'X', prefix);
}

static void fmt_string(struct fmt_out *o, const struct fmt_spec *f, const char *s)
{
	if (!s)
		s = "(null)";
	fmt_field(o, f, "", s, f->precision >= 0 ? strnlen(s, (size_t)f->precision) : strlen(s), 0);
}

static const char *fmt_flags(struct fmt_spec *f, const char *p)
{
	for (;; p++) {
		if (*p == '-')
			f->left = true;
		else if (*p == '+')
			f->plus = true;
		else if (*p == ' ')
			f->space = true;
		else if (*p == '#')
			f->alt = true;
		else if (*p == '0')
			f->zero = true;
		else
			return p;
	}
}

/* Bounded: nobody formats wider fields, and a wrong format must not fill the stack's neighbours with time. */
#define FMT_NUMBER_MAX 4096

static const char *fmt_int(const char *p, int *v)
{
	*v = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		*v = MIN(*v * 10 + (*p - '0'), FMT_NUMBER_MAX);
	return p;
}

static s64 fmt_narrow_signed(int longs, s64 v)
{
	return longs == -2 ? (signed char)v : longs == -1 ? (short)v : longs == 0 ? (int)v : v;
}

static u64 fmt_narrow_unsigned(int longs, u64 v)
{
	return longs == -2 ? (u8)v : longs == -1 ? (u16)v : longs == 0 ? (u32)v : v;
}

static const char *fmt_length(struct fmt_spec *f, const char *p)
{
	for (;; p++) {
		if (*p == 'h')
			f->longs--;
		else if (*p == 'l' || *p == 'z' || *p == 'j' || *p == 't')
			f->longs = 1;
		else
			return p;
	}
}

int str_vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct fmt_out o = { .buf = buf, .size = size };
	const char *p = fmt;
	va_list ap;

	va_copy(ap, args);
	for (; *p; p++) {
		struct fmt_spec f = { .precision = -1 };
		char c;

		if (*p != '%') {
			fmt_put(&o, *p);
			continue;
		}
		p = fmt_flags(&f, p + 1);
		if (*p == '*') {
			f.width = va_arg(ap, int);
			if (f.width < 0) {
				f.left = true;
				f.width = -f.width;
			}
			p++;
		} else {
			p = fmt_int(p, &f.width);
		}
		if (*p == '.') {
			if (*++p == '*') {
				f.precision = va_arg(ap, int);
				p++;
			} else {
				p = fmt_int(p, &f.precision);
			}
		}
		p = fmt_length(&f, p);
		if (*p == 'd' || *p == 'i') {
			s64 v = f.longs > 0 ? va_arg(ap, long) : va_arg(ap, int);

			fmt_signed(&o, &f, fmt_narrow_signed(f.longs, v));
		} else if (*p == 'u' || *p == 'x' || *p == 'X' || *p == 'o') {
			u64 v = f.longs > 0 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int);

			fmt_unsigned(&o, &f, fmt_narrow_unsigned(f.longs, v), *p);
		} else if (*p == 'p') {
			f.alt = true;
			fmt_unsigned(&o, &f, (u64)va_arg(ap, void *), 'x');
		} else if (*p == 's') {
			fmt_string(&o, &f, va_arg(ap, const char *));
		} else if (*p == 'c') {
			c = (char)va_arg(ap, int);
			fmt_field(&o, &f, "", &c, 1, 0);
		} else if (*p == '%') {
			fmt_put(&o, '%');
		} else {
			break; /* an unknown conversion: what follows in ap is unknown too */
		}
	}
	va_end(ap);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)MIN(o.len, (size_t)INT_MAX);
}

int str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = str_vformat(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
