/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: the line discipline and pseudo-terminals. One struct tty is a pair: programs read and write its slave side through the
 * line discipline, whoever emulates the terminal (sshd, script, the agent) its master side.
 *
 * A tty's memory is never freed, only used again for a new pair, because group->tty points to it without a reference: a pointer counts only
 * while tty->session is the group's session.
 */
#ifndef FS_TTY_H
#define FS_TTY_H

#include <asm/termbits.h>
#include <asm/termios.h>

#include "fs/vfs.h"

#define TTY_INPUT_SIZE	4096u /* a power of two; one less than this many bytes fit */
#define TTY_OUTPUT_SIZE 8192u /* a power of two */

struct group;
struct pid;
struct pid_ns;

struct tty {
	struct mutex lock; /* protects: everything but what other locks are named for */
	struct waitq rd, wr; /* slave: readers; writers that wait for room */
	struct waitq mrd, mwr; /* master: the same */
	struct termios t;
	struct winsize size;
	/* input: lines end at set bits of `ends`; [tail, canon) are complete lines, [canon, head) the one being typed */
	u8 in[TTY_INPUT_SIZE];
	u64 ends[TTY_INPUT_SIZE / 64];
	u32 head, canon, tail; /* free running */
	u8 out[TTY_OUTPUT_SIZE]; /* to the master */
	u32 ohead, otail;
	u32 column, canon_column; /* cursor; where the line being typed began */
	bool literal_next, stopped, erasing;
	/* the pair */
	bool in_use, master_open, locked, packet;
	u8 packet_status;
	bool other_closed; /* the last slave went, none came since */
	u32 slaves; /* open slave files that were not hung up */
	u32 generation; /* slave files of an older one are hung up */
	u32 index;
	struct inode *inode; /* of the slave node, reference */
	/* job control; lock: tty_session_lock */
	struct pid *session, *pgrp; /* references, NULL = none */
};

extern struct spinlock tty_session_lock;

/* ldisc.c; lock held */
void tty_init_termios(struct tty *tty);
void tty_receive(
	struct tty *tty, const u8 *data, size_t len); /* from the master: echo, signals, editing */
/* Output with processing; how much was taken before the output was full. */
size_t tty_output(struct tty *tty, const u8 *data, size_t len);
bool tty_output_full(struct tty *tty);
/* Take input for a read: up to n bytes; canonical: one line at most. eof: an end-of-file mark was met. */
size_t tty_take(struct tty *tty, u8 *buf, size_t n, bool *eof);
size_t tty_available(struct tty *tty); /* bytes a read could get now */
bool tty_readable(struct tty *tty); /* a complete line, or any byte in raw mode; no lock needed */
void tty_flush_input(struct tty *tty);
void tty_flush_output(struct tty *tty);
void tty_mode_changed(struct tty *tty, const struct termios *old);

/* tty.c */
extern const struct file_ops tty_slave_ops;
s64 tty_ioctl_common(struct tty *tty, struct file *f, u32 cmd, u64 arg, bool master);
int tty_open_slave(struct tty *tty, struct file *f);
void tty_hangup(struct tty *tty); /* no lock held */
void tty_signal_pgrp(struct tty *tty, int sig);
bool tty_has_pgrp(struct tty *tty); /* a foreground group */
void tty_wake(struct tty *tty); /* everybody who waits for anything */
void tty_wake_input(struct tty *tty); /* readers of the slave, after tty_receive */
void tty_wake_output(struct tty *tty); /* writers of the slave, after output was taken */
struct file;
void tty_async(struct tty *tty, struct file *f); /* file_ops.async of either side */
/* As the processes of a pid namespace see it. */
void tty_describe(struct group *g, const struct pid_ns *ns, int *tty_nr, int *tpgid);

/* pty.c */
void pty_init(void);
struct tty *pty_of_inode(struct inode *inode); /* slave node of devpts */
int pty_open_master(struct inode *inode, struct file *f);
/* A new pair in the devpts mounted at dev/pts below root, for the agent. 0 or -errno. */
int pty_create(const struct path *root, struct file **master, struct file **slave);
int pty_set_size(struct file *master, u16 rows, u16 cols);

#endif
