/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, sizes, signals; a container's directory, record, lock and transitions. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/container.h"
#include "control/parse.h"

static char root[256];

/* In place of the C library's: what was synced and renamed, in this order ("f": a file, "d": a directory, "r": a rename), and a sync that fails. */
static char trail[16];
static int sync_error;

static void trail_add(char what)
{
	size_t n = strlen(trail);

	if (n + 1 < sizeof(trail))
		trail[n] = what;
}

int fsync(int fd)
{
	struct stat sb;

	ck_assert_int_eq(fstat(fd, &sb), 0);
	trail_add(S_ISDIR(sb.st_mode) ? 'd' : 'f');
	errno = sync_error;
	return sync_error ? -1 : 0;
}

int renameat(int from, const char *old, int to, const char *new)
{
	trail_add('r');
	return (int)syscall(SYS_renameat, from, old, to, new);
}

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/check_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(root + strlen(root), sizeof(root) - strlen(root), "/a/b");
}

static void teardown(void)
{
	char cmd[300];
	char *p;
	char path[300];

	/* What a test leaves behind is its failure: only the lock and the empty directory may be there. */
	snprintf(path, sizeof(path), "%s/.lock", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.empty", root);
	rmdir(path);
	snprintf(cmd, sizeof(cmd), "%s", root);
	for (int i = 0; i < 3; i++) {
		if (rmdir(cmd) < 0 && errno != ENOENT)
			ck_abort_msg("%s: %s", cmd, strerror(errno));
		p = strrchr(cmd, '/');
		*p = '\0';
	}
}

START_TEST(life)
{
	struct cm_container c, twice;
	struct cm_err err = { 0 };
	struct cm_state st;

	ck_assert_msg(cm_container_create(&c, root, "x", "/bundle", &err) == 0, "%s", err.msg);
	ck_assert_int_eq(cm_container_create(&twice, root, "x", "/b", &err), -EEXIST);
	ck_assert_str_eq(err.msg, "container with id exists: 'x'");
	ck_assert_int_eq(cm_state_load(root, "x", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_CREATING);
	ck_assert_int_eq(st.pid, getpid());
	ck_assert_str_eq(st.bundle, "/bundle");
	cm_state_fini(&st);
	ck_assert_int_lt(cm_status_change("x", &c.st.status, CM_RUNNING, &err), 0);
	ck_assert_str_eq(err.msg, "container 'x' cannot go from creating to running");
	ck_assert_int_eq(cm_status_change("x", &c.st.status, CM_CREATED, &err), 0);
	ck_assert_int_eq(cm_status_change("x", &c.st.status, CM_RUNNING, &err), 0);
	ck_assert_int_eq(cm_container_save(&c, &err), 0);
	ck_assert_int_eq(cm_state_load(root, "x", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_RUNNING);
	cm_state_fini(&st);
	ck_assert_int_eq(cm_container_delete(root, "x", false, &err), -EBUSY);
	c.st.exit_status = 9;
	ck_assert_int_eq(cm_status_change("x", &c.st.status, CM_STOPPED, &err), 0);
	ck_assert_int_lt(cm_status_change("x", &c.st.status, CM_RUNNING, &err), 0);
	ck_assert_int_eq(cm_container_save(&c, &err), 0);
	cm_container_release(&c);
	ck_assert_int_eq(cm_state_load(root, "x", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_STOPPED);
	ck_assert_int_eq(st.pid, 0);
	ck_assert_int_eq(st.exit_status, 9);
	cm_state_fini(&st);
	ck_assert_int_eq(cm_container_delete(root, "x", false, &err), 0);
	ck_assert_int_eq(cm_state_load(root, "x", &st, &err), -ENOENT);
	ck_assert_str_eq(err.msg, "container 'x' does not exist");
}
END_TEST

/* A sandbox that is killed leaves a record that says running; its lock is gone. */
START_TEST(record_is_on_the_disk_before_its_name)
{
	struct cm_container c;
	struct cm_err err = { 0 };
	struct cm_state st;

	memset(trail, 0, sizeof(trail));
	ck_assert_int_eq(cm_container_create(&c, root, "d", "/bundle", &err), 0);
	ck_assert_int_eq(cm_container_save(&c, &err), 0);
	ck_assert_str_eq(trail, "rr"); /* nobody relies on it */
	memset(trail, 0, sizeof(trail));
	c.durable = true;
	ck_assert_int_eq(cm_container_save(&c, &err), 0);
	ck_assert_str_eq(trail, "frdd");
	ck_assert_int_eq(cm_container_save(&c, &err), 0);
	ck_assert_str_eq(trail, "frddfrd"); /* the state root has its entry now */

	/* A disk that fails is told, and the record stays as it was. */
	ck_assert_int_eq(cm_status_change("d", &c.st.status, CM_CREATED, &err), 0);
	memset(trail, 0, sizeof(trail));
	sync_error = EIO;
	ck_assert_int_eq(cm_container_save(&c, &err), -EIO);
	sync_error = 0;
	ck_assert_str_eq(trail, "f");
	ck_assert_str_eq(err.msg, "write state of 'd': Input/output error");
	ck_assert_int_eq(cm_state_read(c.dirfd, &st, &err), 0);
	ck_assert_int_eq(st.status, CM_CREATING);
	cm_state_fini(&st);
	cm_container_remove(&c);
}
END_TEST

START_TEST(killed_sandbox_is_stopped)
{
	struct cm_err err = { 0 };
	struct cm_state st;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct cm_container c;

		if (cm_container_create(&c, root, "k", "/b", &err) < 0 ||
			cm_status_change("x", &c.st.status, CM_CREATED, &err) < 0 ||
			cm_status_change("x", &c.st.status, CM_RUNNING, &err) < 0 ||
			cm_container_save(&c, &err) < 0)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(cm_state_load(root, "k", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_STOPPED);
	ck_assert_int_eq(st.pid, 0);
	cm_state_fini(&st);
	ck_assert_int_eq(cm_container_delete(root, "k", false, &err), 0);
}
END_TEST

START_TEST(broken_record_can_be_deleted)
{
	struct cm_err err = { 0 };
	struct cm_state st;
	char path[300];
	int fd;

	for (char *p = root + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(root, 0711);
		*p = '/';
	}
	mkdir(root, 0711);
	snprintf(path, sizeof(path), "%s/b", root);
	ck_assert_int_eq(mkdir(path, 0711), 0);
	snprintf(path, sizeof(path), "%s/b/state.json", root);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "{\"version\":1", 12), 12);
	close(fd);
	ck_assert_int_eq(cm_state_load(root, "b", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_STOPPED);
	cm_state_fini(&st);
	ck_assert_int_eq(cm_container_delete(root, "b", false, &err), 0);
}
END_TEST

START_TEST(delete_unknown)
{
	struct cm_err err = { 0 };

	ck_assert_int_eq(cm_container_delete(root, "none", false, &err), -ENOENT);
	ck_assert_int_eq(cm_container_delete(root, "none", true, &err), 0);
}
END_TEST

static void find_root(void)
{
	*strrchr(root, '/') = '\0';
	ck_assert_int_eq(mkdir(root, 0711), 0);
	root[strlen(root)] = '/';
	ck_assert_int_eq(mkdir(root, 0711), 0);
}

/* A container's directory, and files that are none. */
static void find_make(const char *name, bool dir)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (dir)
		ck_assert_int_eq(mkdir(path, 0711), 0);
	else
		ck_assert_int_eq(mknod(path, S_IFREG | 0600, 0), 0);
}

static void find_unmake(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	ck_assert_int_eq(remove(path), 0);
}

START_TEST(find_by_prefix)
{
	char id[CM_ID_MAX + 1];
	struct cm_err err = { 0 };

	/* No root at all: the word is the answer. */
	ck_assert_int_eq(cm_state_find(root, "web", id, &err), 0);
	ck_assert_str_eq(id, "web");
	find_root();
	find_make("web2", true);
	find_make("db", true);
	find_make("data", false);
	find_make(".empty", true);
	ck_assert_int_eq(cm_state_find(root, "web", id, &err), 0);
	ck_assert_str_eq(id, "web2");
	ck_assert_int_eq(cm_state_find(root, "d", id, &err), 0);
	ck_assert_str_eq(id, "db");
	ck_assert_int_eq(cm_state_find(root, "dat", id, &err), 0);
	ck_assert_str_eq(id, "dat");
	ck_assert_int_eq(cm_state_find(root, ".", id, &err), -EINVAL);
	ck_assert_int_eq(cm_state_find(root, "", id, &err), -EINVAL);
	ck_assert_int_eq(cm_state_find(root, "../b/w", id, &err), -EINVAL);
	ck_assert_int_eq(cm_state_find(root, ".em", id, &err), 0);
	ck_assert_str_eq(id, ".em");
	/* The whole id wins; several candidates are named. */
	find_make("web", true);
	ck_assert_int_eq(cm_state_find(root, "web", id, &err), 0);
	ck_assert_str_eq(id, "web");
	ck_assert_int_eq(cm_state_find(root, "we", id, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "container id 'we' is ambiguous: web, web2");
	find_unmake("web");
	find_unmake("web2");
	find_unmake("db");
	find_unmake("data");
}
END_TEST

START_TEST(find_many)
{
	char id[CM_ID_MAX + 1], name[8];
	struct cm_err err = { 0 };

	find_root();
	/* In an order that is none. */
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "c%c", 'a' + i * 5 % 12);
		find_make(name, true);
	}
	ck_assert_int_eq(cm_state_find(root, "c", id, &err), -EINVAL);
	ck_assert_str_eq(
		err.msg, "container id 'c' is ambiguous: ca, cb, cc, cd, ce, cf, cg, ch, ...");
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "c%c", 'a' + i);
		find_unmake(name);
	}
}
END_TEST

START_TEST(ids)
{
	static const char *const good[] = { "a", "A-b_c.d+9", "0" };
	static const char *const wrong[] = { "", ".", "..", "a/b", "a b", "\xc3\xa4", "a\n" };
	char longest[CM_ID_MAX + 2];
	struct cm_err err = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(cm_id_check(good[i], &err), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_lt(cm_id_check(wrong[i], &err), 0);
	memset(longest, 'x', sizeof(longest));
	longest[CM_ID_MAX + 1] = '\0';
	ck_assert_int_lt(cm_id_check(longest, &err), 0);
	longest[CM_ID_MAX] = '\0';
	ck_assert_int_eq(cm_id_check(longest, &err), 0);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0 = refused */
	} cases[] = {
		{ "1", 1 },
		{ "512M", 512ULL << 20 },
		{ "2g", 2ULL << 30 },
		{ "64KiB", 64ULL << 10 },
		{ "3MB", 3ULL << 20 },
		{ "1T", 1ULL << 40 },
		{ "7b", 7 },
		{ "", 0 },
		{ "-1", 0 },
		{ " 1", 0 },
		{ "1X", 0 },
		{ "1MM", 0 },
		{ "9223372036854775808", 0 },
		{ "99999999999999999999", 0 },
		{ "8388608T", 0 },
	};
	struct cm_err err = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 0;
		int r = cm_parse_size(cases[i].text, "x", &v, &err);

		ck_assert_msg((r == 0) == (cases[i].bytes != 0), "'%s'", cases[i].text);
		if (r == 0)
			ck_assert_uint_eq(v, cases[i].bytes);
	}
}
END_TEST

START_TEST(signals)
{
	static const struct {
		const char *text;
		int signo; /* -1 = refused */
	} cases[] = {
		{ "TERM", 15 },
		{ "sigkill", 9 },
		{ "SIGUSR1", 10 },
		{ "0", 0 },
		{ "64", 64 },
		{ "RTMIN", 34 },
		{ "SIGRTMIN+2", 36 },
		{ "RTMAX-1", 63 },
		{ "65", -1 },
		{ "", -1 },
		{ "SIG", -1 },
		{ "FOO", -1 },
		{ "RTMIN+31", -1 },
		{ "9x", -1 },
	};
	struct cm_err err = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int v = -1, r = cm_parse_signal(cases[i].text, &v, &err);

		ck_assert_msg((r == 0) == (cases[i].signo >= 0), "'%s'", cases[i].text);
		if (r == 0)
			ck_assert_int_eq(v, cases[i].signo);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control/container");
	TCase *t = tcase_create("directory"), *words = tcase_create("words");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, life);
	tcase_add_test(t, record_is_on_the_disk_before_its_name);
	tcase_add_test(t, killed_sandbox_is_stopped);
	tcase_add_test(t, broken_record_can_be_deleted);
	tcase_add_test(t, delete_unknown);
	tcase_add_test(t, find_by_prefix);
	tcase_add_test(t, find_many);
	tcase_add_test(words, ids);
	tcase_add_test(words, sizes);
	tcase_add_test(words, signals);
	suite_add_tcase(suite, t);
	suite_add_tcase(suite, words);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
