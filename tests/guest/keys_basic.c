/* SPDX-License-Identifier: Apache-2.0 */
/* add_key(2), request_key(2), keyctl(2): keyrings of threads, processes and sessions, permissions, states, quotas. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define POS_ALL	    0x3f000000u
#define POS_VIEW    0x01000000u
#define POS_READ    0x02000000u
#define POS_WRITE   0x04000000u
#define POS_SEARCH  0x08000000u
#define POS_SETATTR 0x20000000u
#define USR_ALL	    0x003f0000u

static long add(const char *type, const char *desc, const void *data, size_t len, int ring)
{
	return syscall(SYS_add_key, type, desc, data, len, ring);
}

static long request(const char *type, const char *desc, const char *callout, int dest)
{
	return syscall(SYS_request_key, type, desc, callout, dest);
}

static long ctl(int op, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, op, a, b, c, d);
}

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static bool reads(long key, const char *want)
{
	char buf[64];
	long n = ctl(KEYCTL_READ, key, (long)buf, sizeof(buf), 0);

	return n == (long)strlen(want) && !memcmp(buf, want, (size_t)n);
}

/* Does the keyring link exactly these? */
static bool links(long ring, size_t n, const int *want)
{
	int got[16];
	size_t found = 0;

	if (ctl(KEYCTL_READ, ring, (long)got, sizeof(got), 0) != (long)(n * sizeof(int)))
		return false;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			found += want[i] == got[j];
	return found == n;
}

static void adding(void)
{
	long a, b, ring;
	char text[80];

	ok(fails(add("nosuch", "x:y", "z", 1, KEY_SPEC_PROCESS_KEYRING), ENODEV), "unknown type");
	ok(fails(add(".dot", "x", "z", 1, KEY_SPEC_PROCESS_KEYRING), EPERM), "type with a dot");
	ok(fails(add("", "x", "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL), "type without a name");
	ok(fails(add("user", NULL, "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL) &&
			fails(add("user", "", "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL),
		"no description");
	ok(fails(add("user", "x", NULL, 1, KEY_SPEC_PROCESS_KEYRING), EFAULT), "no payload");
	ok(fails(add("user", "x", "", 0, KEY_SPEC_PROCESS_KEYRING), EINVAL), "empty payload");
	ok(fails(add("keyring", "x", "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL),
		"keyring with a payload");
	ok(fails(add("keyring", ".x", NULL, 0, KEY_SPEC_PROCESS_KEYRING), EPERM),
		"keyring with a dot");
	ok(fails(add("user", "x", "z", 1 << 20, KEY_SPEC_PROCESS_KEYRING), EINVAL), "too long");
	ok(fails(add("logon", "x", "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL) &&
			fails(add("logon", ":x", "z", 1, KEY_SPEC_PROCESS_KEYRING), EINVAL),
		"logon without a service");
	ok(fails(add("user", "x", "z", 1, 0), EINVAL) &&
			fails(add("user", "x", "z", 1, -6), EINVAL) &&
			fails(add("user", "x", "z", 1, -7), ENOKEY) &&
			fails(add("user", "x", "z", 1, 0x7ffffff0), ENOKEY),
		"no such keyring");
	a = add("user", "one", "first", 5, KEY_SPEC_PROCESS_KEYRING);
	ok(a > 0 && reads(a, "first"), "a user's key can be read");
	b = add("user", "one", "other", 5, KEY_SPEC_PROCESS_KEYRING);
	ok(b == a && reads(a, "other"), "adding it again updates it");
	ok(ctl(KEYCTL_UPDATE, a, (long)"third", 5, 0) == 0 && reads(a, "third"), "UPDATE");
	ok(fails(ctl(KEYCTL_UPDATE, a, (long)"third", 5000, 0), EINVAL), "UPDATE with too much");
	ok(ctl(KEYCTL_READ, a, 0, 0, 0) == 5, "READ of nothing tells the length");
	memset(text, 'x', sizeof(text));
	ok(ctl(KEYCTL_READ, a, (long)text, 3, 0) == 5 && text[0] == 'x',
		"READ into too little room gives nothing");
	ok(fails(add("user", "two", "z", 1, (int)a), ENOTDIR), "a key is no keyring");
	b = add("logon", "s:n", "secret", 6, KEY_SPEC_PROCESS_KEYRING);
	ok(b > 0 && fails(ctl(KEYCTL_READ, b, (long)text, sizeof(text), 0), EOPNOTSUPP),
		"logon is not read");
	ok(ctl(KEYCTL_DESCRIBE, b, (long)text, sizeof(text), 0) == (long)strlen(text) + 1 &&
			!strcmp(text, "logon;0;0;3d010000;s:n"),
		"DESCRIBE");
	ring = add("keyring", "r", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	ok(ring > 0 && links(ring, 0, NULL), "an empty keyring");
	ok(fails(ctl(KEYCTL_UPDATE, ring, (long)"x", 1, 0), EOPNOTSUPP), "no UPDATE of a keyring");
	ok(links(KEY_SPEC_PROCESS_KEYRING, 3, (int[]){ (int)a, (int)b, (int)ring }),
		"READ of a keyring");
	ok(ctl(KEYCTL_GET_SECURITY, a, 0, 0, 0) >= 1, "GET_SECURITY");
	ok(fails(ctl(99, 0, 0, 0, 0), EOPNOTSUPP), "unknown operation");
}

static void linking(void)
{
	int inner = (int)add("keyring", "inner", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	int outer = (int)add("keyring", "outer", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	int key = (int)add("user", "k", "v", 1, inner), twin;

	ok(ctl(KEYCTL_LINK, inner, outer, 0, 0) == 0 && links(outer, 1, &inner), "LINK");
	ok(ctl(KEYCTL_LINK, inner, outer, 0, 0) == 0 && links(outer, 1, &inner), "LINK twice");
	ok(fails(ctl(KEYCTL_LINK, outer, inner, 0, 0), EDEADLK) &&
			fails(ctl(KEYCTL_LINK, outer, outer, 0, 0), EDEADLK),
		"no circles");
	ok(fails(ctl(KEYCTL_LINK, inner, key, 0, 0), ENOTDIR), "LINK into a key");
	ok(ctl(KEYCTL_SEARCH, outer, (long)"user", (long)"k", 0) == key, "SEARCH goes inside");
	ok(fails(ctl(KEYCTL_SEARCH, outer, (long)"user", (long)"none", 0), ENOKEY),
		"SEARCH for what is not there");
	ok(ctl(KEYCTL_SEARCH, outer, (long)"user", (long)"k", KEY_SPEC_THREAD_KEYRING) == key &&
			links(KEY_SPEC_THREAD_KEYRING, 1, &key),
		"SEARCH links what it finds");
	ok(ctl(KEYCTL_MOVE, key, inner, outer, 0) == 0 && links(inner, 0, NULL) &&
			links(outer, 2, (int[]){ inner, key }),
		"MOVE");
	ok(fails(ctl(KEYCTL_MOVE, key, inner, outer, 0), ENOENT), "MOVE of what is not there");
	twin = (int)add("user", "k", "w", 1, inner);
	ok(fails(ctl(KEYCTL_MOVE, twin, inner, outer, KEYCTL_MOVE_EXCL), EEXIST), "MOVE_EXCL");
	ok(ctl(KEYCTL_LINK, twin, outer, 0, 0) == 0 && links(outer, 2, (int[]){ inner, twin }),
		"a name is linked once");
	ok(ctl(KEYCTL_UNLINK, twin, outer, 0, 0) == 0 &&
			fails(ctl(KEYCTL_UNLINK, twin, outer, 0, 0), ENOENT),
		"UNLINK");
	ok(ctl(KEYCTL_CLEAR, outer, 0, 0, 0) == 0 && links(outer, 0, NULL) &&
			fails(ctl(KEYCTL_CLEAR, twin, 0, 0, 0), ENOTDIR),
		"CLEAR");
}

static void deep(void)
{
	int at = KEY_SPEC_PROCESS_KEYRING, top = 0;
	long key;

	for (int i = 0; i < 30; i++) {
		at = (int)add("keyring", "nest", NULL, 0, at);
		top = top ? top : at;
	}
	key = add("user", "deep", "v", 1, at);
	ok(key > 0 && fails(ctl(KEYCTL_SEARCH, top, (long)"user", (long)"deep", 0), ENOKEY),
		"SEARCH does not go thirty levels down");
	ok(ctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0) == 0, "all of them go together");
}

static void states(void)
{
	int ring = (int)add("keyring", "states", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	int key = (int)add("user", "old", "v", 1, ring), fresh;

	ok(ctl(KEYCTL_REVOKE, key, 0, 0, 0) == 0 &&
			fails(ctl(KEYCTL_UPDATE, key, (long)"v", 1, 0), EKEYREVOKED) &&
			fails(request("user", "old", NULL, 0), ENOKEY) &&
			fails(ctl(KEYCTL_SEARCH, ring, (long)"user", (long)"old", 0), EKEYREVOKED),
		"REVOKE");
	fresh = (int)add("user", "old", "new", 3, ring);
	ok(fresh != key && links(ring, 1, &fresh), "a revoked key is replaced");
	ok(ctl(KEYCTL_SET_TIMEOUT, fresh, 1, 0, 0) == 0 && reads(fresh, "new"), "SET_TIMEOUT");
	usleep(2100000);
	ok(fails(ctl(KEYCTL_READ, fresh, 0, 0, 0), EKEYEXPIRED) &&
			fails(request("user", "old", NULL, 0), ENOKEY) &&
			fails(ctl(KEYCTL_SEARCH, ring, (long)"user", (long)"old", 0), EKEYEXPIRED),
		"after it the key has expired");
	key = (int)add("user", "gone", "v", 1, ring);
	ok(ctl(KEYCTL_INVALIDATE, key, 0, 0, 0) == 0, "INVALIDATE");
	usleep(500000); /* Linux collects it some time later */
	ok(fails(ctl(KEYCTL_READ, key, 0, 0, 0), ENOKEY), "an invalid key is no more");
	ok(ctl(KEYCTL_REVOKE, ring, 0, 0, 0) == 0 &&
			fails(add("user", "x", "v", 1, ring), EKEYREVOKED),
		"a revoked keyring takes nothing");
}

static void requests(void)
{
	int key = (int)add("user", "wanted", "v", 1, KEY_SPEC_THREAD_KEYRING), got = 0;

	ok(request("user", "wanted", NULL, 0) == key, "request_key finds it");
	ok(request("user", "wanted", NULL, KEY_SPEC_PROCESS_KEYRING) == key &&
			links(KEY_SPEC_PROCESS_KEYRING, 1, &key),
		"and links it");
	ok(fails(request("user", "missing", NULL, 0), ENOKEY), "request_key of what is not there");
	ok(fails(request("nosuch", "missing", NULL, 0), ENOKEY), "of an unknown type");
	ok(fails(request(".user", "x", NULL, 0), EPERM), "of a type with a dot");
	ok(fails(request("user", (char *)1, NULL, 0), EFAULT), "of bad memory");
	ok(fails(request("keyring", "missing", "info", 0), EPERM), "nobody makes keyrings");
	ok(ctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0) == 0, "empty again");
	ok(fails(request("user", "missing", "info", KEY_SPEC_PROCESS_KEYRING), ENOENT) ||
			errno == ENOKEY,
		"nobody makes the key");
	ok(ctl(KEYCTL_READ, KEY_SPEC_PROCESS_KEYRING, (long)&got, sizeof(got), 0) == sizeof(got) &&
			got > 0,
		"a negative key is left");
	ok(fails(ctl(KEYCTL_READ, got, 0, 0, 0), ENOKEY) &&
			fails(request("user", "missing", "info", 0), ENOKEY),
		"and found by the next");
	ok(add("user", "missing", "v", 1, KEY_SPEC_PROCESS_KEYRING) == got && reads(got, "v"),
		"until it is added");
	ok(ctl(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0) == 0 &&
			ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_PROCESS_KEYRING, 0, 0, 0) ==
				0 &&
			ctl(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0) == 2 &&
			fails(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0,
				      0),
				EINVAL),
		"SET_REQKEY_KEYRING");
	ok(fails(ctl(KEYCTL_NEGATE, got, 1, 0, 0), EPERM) &&
			ctl(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0) == 0 &&
			fails(ctl(KEYCTL_ASSUME_AUTHORITY, got, 0, 0, 0), ENOKEY),
		"no authority to instantiate");
}

static void rights(void)
{
	int key = (int)add("user", "mine", "v", 1, KEY_SPEC_PROCESS_KEYRING);
	int status = -1;
	pid_t pid;

	ok(fails(ctl(KEYCTL_SETPERM, key, 0x40, 0, 0), EINVAL), "SETPERM with unknown bits");
	ok(ctl(KEYCTL_SETPERM, key, POS_SEARCH | POS_SETATTR, 0, 0) == 0 &&
			fails(ctl(KEYCTL_UPDATE, key, (long)"w", 1, 0), EACCES) &&
			fails(ctl(KEYCTL_DESCRIBE, key, 0, 0, 0), EACCES),
		"rights that are missing");
	ok(reads(key, "v"), "what can be found can be read");
	ok(ctl(KEYCTL_SETPERM, key, POS_ALL | USR_ALL, 0, 0) == 0 &&
			ctl(KEYCTL_CHOWN, key, 4000, -1, 0) == 0 &&
			ctl(KEYCTL_UPDATE, key, (long)"w", 1, 0) == 0,
		"CHOWN; the possessor has his rights");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int bad = !fails(ctl(KEYCTL_READ, key, 0, 0, 0), EACCES);

		/* Not possessed any more: the owner's rights alone. */
		if (setresuid(4000, 4000, 4000) < 0)
			_exit(99);
		bad |= 2 * !reads(key, "w");
		bad |= 4 * !fails(ctl(KEYCTL_CHOWN, key, 0, -1, 0), EACCES);
		bad |= 8 * (ctl(KEYCTL_SETPERM, key, POS_ALL, 0, 0) != 0);
		bad |= 16 * !fails(ctl(KEYCTL_READ, key, 0, 0, 0), EACCES);
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "others and the owner");
}

static void *other_thread(void *arg)
{
	long *got = arg;

	got[0] = ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0);
	got[1] = ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
	got[2] = ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
	return NULL;
}

static int of_child(long session)
{
	int bad = !fails(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0), ENOKEY);

	bad |= 2 * !fails(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0), ENOKEY);
	bad |= 4 * (ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0) != session);
	return bad;
}

static void tasks(void)
{
	long session = ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), got[3] = { 0 };
	long proc = ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0);
	long mine = ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1, 0, 0), named;
	char word[24];
	pthread_t thread;
	int status = -1;
	pid_t pid;

	ok(session > 0 && proc > 0 && mine > 0 &&
			ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0) == session,
		"keyrings of session, process, thread");
	pthread_create(&thread, NULL, other_thread, got);
	pthread_join(thread, NULL);
	ok(got[0] > 0 && got[0] != mine && got[1] == proc && got[2] == session,
		"what a thread shares");
	pid = fork();
	if (pid == 0)
		_exit(of_child(session));
	waitpid(pid, &status, 0);
	ok(status == 0, "what a child has");
	pid = fork();
	if (pid == 0) {
		char name[] = "keys_basic";
		char *argv[] = { name, word, NULL };

		ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1, 0, 0);
		ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0);
		snprintf(word, sizeof(word), "%ld", session);
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "what is left after exec");
	ok(fails(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)".x", 0, 0, 0), EPERM),
		"JOIN of a name with a dot");
	named = ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"casemate-test", 0, 0, 0);
	ok(named > 0 && named != session, "JOIN of a new name");
	ok(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0, 0, 0) > 0 &&
			ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0) > 0,
		"keyrings of the user");
}

static void quota(void)
{
	int n = 0, status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		char name[16];

		if (setresuid(54321, 54321, 54321) < 0)
			_exit(99);
		do
			snprintf(name, sizeof(name), "q%d", n++);
		while (n < 300 && add("user", name, "v", 1, KEY_SPEC_THREAD_KEYRING) > 0);
		if (n == 300 || errno != EDQUOT)
			_exit(1);
		/* What is given back can be used again. */
		if (ctl(KEYCTL_CLEAR, KEY_SPEC_THREAD_KEYRING, 0, 0, 0) != 0)
			_exit(2);
		usleep(500000);
		_exit(add("user", "again", "v", 1, KEY_SPEC_THREAD_KEYRING) > 0 ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "a user has a quota");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return of_child(atol(argv[1]));
	tasks();
	adding();
	ctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
	linking();
	ctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
	ctl(KEYCTL_CLEAR, KEY_SPEC_THREAD_KEYRING, 0, 0, 0);
	deep();
	states();
	ctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
	requests();
	rights();
	quota();
	return tap_end();
}
