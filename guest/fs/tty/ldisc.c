/* SPDX-License-Identifier: Apache-2.0 */
/* The line discipline: input editing and echo, signals from keys, output processing. tty->lock is held throughout. */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <asm/signal.h>

#include "lib/bitmap.h"
#include "lib/string.h"

#define IN_AT(i)  ((i) & (TTY_INPUT_SIZE - 1))
#define OUT_AT(i) ((i) & (TTY_OUTPUT_SIZE - 1))

static const u8 default_cc[NCCS] = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0 };

void tty_init_termios(struct tty *tty)
{
	memset(&tty->t, 0, sizeof(tty->t));
	tty->t.c_iflag = ICRNL | IXON;
	tty->t.c_oflag = OPOST | ONLCR;
	tty->t.c_cflag = B38400 | CS8 | CREAD;
	tty->t.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	memcpy(tty->t.c_cc, default_cc, sizeof(default_cc));
}

/* ---- output ---- */
static u32 out_room(const struct tty *tty)
{
	return TTY_OUTPUT_SIZE - (tty->ohead - tty->otail);
}

bool tty_output_full(struct tty *tty)
{
	return READ_ONCE(tty->stopped) || out_room(tty) < 8;
}

static void out_byte(struct tty *tty, u8 c)
{
	if (!out_room(tty))
		return; /* echo is dropped when nobody reads the master */
	tty->out[OUT_AT(tty->ohead)] = c;
	WRITE_ONCE(tty->ohead, tty->ohead + 1);
}

static void out_column(struct tty *tty, u8 c)
{
	if (c == '\r' || (c == '\n' && (tty->t.c_oflag & ONLRET)))
		tty->column = 0;
	else if (c == '\b')
		tty->column -= tty->column > 0;
	else if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80)
		tty->column++;
}

/* One character through OPOST; the caller made sure of 8 bytes of room. */
static void out_char(struct tty *tty, u8 c)
{
	u32 flags = tty->t.c_oflag;

	if (!(flags & OPOST)) {
		out_byte(tty, c);
		return;
	}
	if (c == '\n' && (flags & ONLCR)) {
		out_byte(tty, '\r');
		tty->column = 0;
	} else if (c == '\r') {
		if ((flags & ONOCR) && !tty->column)
			return;
		if (flags & OCRNL)
			c = '\n';
	} else if (c == '\t') {
		u32 n = 8 - (tty->column & 7);

		tty->column += n;
		if ((flags & TABDLY) == XTABS) {
			while (n--)
				out_byte(tty, ' ');
			return;
		}
	} else if ((flags & OLCUC) && c >= 'a' && c <= 'z') {
		c -= 32;
	}
	out_column(tty, c);
	out_byte(tty, c);
}

size_t tty_output(struct tty *tty, const u8 *data, size_t len)
{
	size_t n = 0;

	while (n < len && !tty_output_full(tty))
		out_char(tty, data[n++]);
	return n;
}

void tty_flush_output(struct tty *tty)
{
	tty->otail = tty->ohead;
}

/* ---- echo ---- */
static void echo_raw(struct tty *tty, u8 c)
{
	if (out_room(tty) >= 8)
		out_char(tty, c);
}

static void echo_char(struct tty *tty, u8 c)
{
	bool ctl = (c < ' ' && c != '\t' && c != '\n') || c == 127;

	if (ctl && (tty->t.c_lflag & ECHOCTL)) {
		echo_raw(tty, '^');
		echo_raw(tty, c ^ 0x40);
		return;
	}
	echo_raw(tty, c);
}

static bool echoes(const struct tty *tty)
{
	return tty->t.c_lflag & ECHO;
}

/* ---- input buffer ---- */
static u32 in_used(const struct tty *tty)
{
	return tty->head - tty->tail;
}

static void in_put(struct tty *tty, u8 c, bool end)
{
	u32 at = IN_AT(tty->head);

	if (in_used(tty) >= TTY_INPUT_SIZE - 1 && !end)
		return;
	if (in_used(tty) >= TTY_INPUT_SIZE)
		return;
	tty->in[at] = c;
	if (end)
		bitmap_set(tty->ends, at);
	else
		bitmap_clear(tty->ends, at);
	WRITE_ONCE(tty->head, tty->head + 1);
	if (end)
		WRITE_ONCE(tty->canon, tty->head);
}

void tty_flush_input(struct tty *tty)
{
	tty->tail = tty->canon = tty->head;
	tty->erasing = false;
}

static bool canonical(const struct tty *tty)
{
	return READ_ONCE(tty->t.c_lflag) & ICANON;
}

bool tty_readable(struct tty *tty)
{
	return READ_ONCE(tty->tail) !=
	       (canonical(tty) ? READ_ONCE(tty->canon) : READ_ONCE(tty->head));
}

size_t tty_available(struct tty *tty)
{
	u32 end = canonical(tty) ? tty->canon : tty->head, n = 0;

	for (u32 i = tty->tail; i != end; i++)
		n += !(canonical(tty) && bitmap_test(tty->ends, IN_AT(i)) && !tty->in[IN_AT(i)]);
	return n;
}

size_t tty_take(struct tty *tty, u8 *buf, size_t n, bool *eof)
{
	bool canon = canonical(tty);
	u32 end = canon ? tty->canon : tty->head;
	size_t done = 0;

	*eof = false;
	while (tty->tail != end && done < n) {
		u32 at = IN_AT(tty->tail);
		u8 c = tty->in[at];
		bool mark = bitmap_test(tty->ends, at);

		WRITE_ONCE(tty->tail, tty->tail + 1);
		if (canon && mark && !c) {
			*eof = true;
			break;
		}
		buf[done++] = c;
		if (canon && mark) {
			*eof = true; /* of this line */
			break;
		}
	}
	/* A line that filled the buffer exactly: its end-of-file mark goes with it. */
	if (canon && done == n && tty->tail != end && bitmap_test(tty->ends, IN_AT(tty->tail)) &&
		!tty->in[IN_AT(tty->tail)])
		WRITE_ONCE(tty->tail, tty->tail + 1);
	return done;
}

void tty_mode_changed(struct tty *tty, const struct termios *old)
{
	if ((old->c_lflag & ICANON) == (tty->t.c_lflag & ICANON))
		return;
	/* What was typed so far is one line for whoever reads next. */
	memset(tty->ends, 0, sizeof(tty->ends));
	if (canonical(tty) && tty->head != tty->tail)
		bitmap_set(tty->ends, IN_AT(tty->head - 1));
	tty->canon = tty->head;
	tty->erasing = tty->literal_next = false;
	if (!(tty->t.c_iflag & IXON))
		tty->stopped = false;
}

/* ---- editing ---- */
/* Columns that the line being typed takes up to position `end`. */
static u32 line_columns(const struct tty *tty, u32 end)
{
	u32 col = tty->canon_column;

	for (u32 i = tty->canon; i != end; i++) {
		u8 c = tty->in[IN_AT(i)];

		if (c == '\t')
			col += 8 - (col & 7);
		else if ((c < ' ' || c == 127) && (tty->t.c_lflag & ECHOCTL))
			col += 2;
		else if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80)
			col++;
	}
	return col;
}

static void echo_erase(struct tty *tty, u32 old_column)
{
	u32 target = line_columns(tty, tty->head);

	while (old_column-- > target) {
		echo_raw(tty, '\b');
		echo_raw(tty, ' ');
		echo_raw(tty, '\b');
	}
}

/* Removes the last character (all bytes of it under IUTF8). False: the line is empty. */
static bool erase_one(struct tty *tty)
{
	u32 old = line_columns(tty, tty->head);

	if (tty->head == tty->canon)
		return false;
	do {
		tty->head--;
	} while ((tty->t.c_iflag & IUTF8) && tty->head != tty->canon &&
		 (tty->in[IN_AT(tty->head)] & 0xc0) == 0x80);
	if (!echoes(tty))
		return true;
	if (tty->t.c_lflag & ECHOPRT) {
		if (!tty->erasing)
			echo_raw(tty, '\\');
		tty->erasing = true;
		echo_char(tty, tty->in[IN_AT(tty->head)]);
	} else if (tty->t.c_lflag & ECHOE) {
		echo_erase(tty, old);
	} else {
		echo_char(tty, tty->t.c_cc[VERASE]);
	}
	return true;
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static void erase_word(struct tty *tty)
{
	bool seen = false;

	while (tty->head != tty->canon) {
		if (is_word(tty->in[IN_AT(tty->head - 1)]))
			seen = true;
		else if (seen)
			break;
		erase_one(tty);
	}
}

static void kill_line(struct tty *tty)
{
	u32 flags = tty->t.c_lflag;

	if (!echoes(tty) || !(flags & ECHOK) || !(flags & ECHOKE) || !(flags & ECHOE)) {
		tty->head = tty->canon;
		if (echoes(tty)) {
			echo_char(tty, tty->t.c_cc[VKILL]);
			if (flags & ECHOK)
				echo_raw(tty, '\n');
		}
		return;
	}
	while (erase_one(tty))
		;
}

static void reprint_line(struct tty *tty)
{
	echo_char(tty, tty->t.c_cc[VREPRINT]);
	echo_raw(tty, '\n');
	for (u32 i = tty->canon; i != tty->head; i++)
		echo_char(tty, tty->in[IN_AT(i)]);
}

/* ---- receiving ---- */
static bool is_cc(const struct tty *tty, u32 which, u8 c)
{
	return tty->t.c_cc[which] && tty->t.c_cc[which] == c;
}

static bool receive_signal(struct tty *tty, u8 c)
{
	int sig = is_cc(tty, VINTR, c)	 ? SIGINT
		  : is_cc(tty, VQUIT, c) ? SIGQUIT
		  : is_cc(tty, VSUSP, c) ? SIGTSTP
					 : 0;

	if (!sig)
		return false;
	if (!(tty->t.c_lflag & NOFLSH)) {
		tty_flush_input(tty);
		tty_flush_output(tty);
		tty->packet_status |= TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE;
	}
	if (tty->stopped && (tty->t.c_iflag & IXON))
		tty->stopped = false;
	if (echoes(tty))
		echo_char(tty, c);
	tty_signal_pgrp(tty, sig);
	return true;
}

static bool receive_flow(struct tty *tty, u8 c)
{
	if (is_cc(tty, VSTART, c)) {
		tty->stopped = false;
		tty->packet_status = (tty->packet_status & ~TIOCPKT_STOP) | TIOCPKT_START;
		return true;
	}
	if (is_cc(tty, VSTOP, c)) {
		tty->stopped = true;
		tty->packet_status = (tty->packet_status & ~TIOCPKT_START) | TIOCPKT_STOP;
		return true;
	}
	if (tty->stopped && (tty->t.c_iflag & IXANY))
		tty->stopped = false;
	return false;
}

static void line_start(struct tty *tty)
{
	if (tty->head == tty->canon)
		tty->canon_column = tty->column;
}

/* Canonical keys. True: c was one of them. */
static bool receive_edit(struct tty *tty, u8 c)
{
	bool ext = tty->t.c_lflag & IEXTEN;

	if (is_cc(tty, VERASE, c)) {
		erase_one(tty);
	} else if (is_cc(tty, VKILL, c)) {
		kill_line(tty);
	} else if (ext && is_cc(tty, VWERASE, c)) {
		erase_word(tty);
	} else if (ext && is_cc(tty, VLNEXT, c)) {
		tty->literal_next = true;
		if (echoes(tty) && (tty->t.c_lflag & ECHOCTL)) {
			echo_raw(tty, '^');
			echo_raw(tty, '\b');
		}
	} else if (ext && is_cc(tty, VREPRINT, c) && echoes(tty)) {
		reprint_line(tty);
	} else {
		return false;
	}
	return true;
}

/* Keys that end a line. */
static bool receive_end(struct tty *tty, u8 c)
{
	bool ext = tty->t.c_lflag & IEXTEN;

	if (c == '\n') {
		if (tty->t.c_lflag & (ECHO | ECHONL))
			echo_raw(tty, '\n');
		in_put(tty, c, true);
	} else if (is_cc(tty, VEOF, c)) {
		in_put(tty, 0, true);
	} else if (is_cc(tty, VEOL, c) || (ext && is_cc(tty, VEOL2, c))) {
		if (echoes(tty))
			echo_char(tty, c);
		in_put(tty, c, true);
	} else {
		return false;
	}
	return true;
}

static void receive_ordinary(struct tty *tty, u8 c)
{
	if (canonical(tty))
		line_start(tty);
	if (in_used(tty) >= TTY_INPUT_SIZE - 1) {
		if (tty->t.c_iflag & IMAXBEL)
			echo_raw(tty, '\a');
		return;
	}
	if (tty->erasing) {
		echo_raw(tty, '/');
		tty->erasing = false;
	}
	if (echoes(tty)) {
		if (c == '\n' && !canonical(tty))
			echo_raw(tty, c);
		else
			echo_char(tty, c);
	}
	in_put(tty, c, false);
}

static void receive_char(struct tty *tty, u8 c)
{
	u32 iflag = tty->t.c_iflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal_next) {
		tty->literal_next = false;
		receive_ordinary(tty, c);
		return;
	}
	if ((iflag & IXON) && receive_flow(tty, c))
		return;
	if ((tty->t.c_lflag & ISIG) && receive_signal(tty, c))
		return;
	if (c == '\r') {
		if (iflag & IGNCR)
			return;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if ((iflag & IUCLC) && (tty->t.c_lflag & IEXTEN) && c >= 'A' && c <= 'Z')
		c += 32;
	if (canonical(tty) && (receive_edit(tty, c) || receive_end(tty, c)))
		return;
	receive_ordinary(tty, c);
}

void tty_receive(struct tty *tty, const u8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		receive_char(tty, data[i]);
}
