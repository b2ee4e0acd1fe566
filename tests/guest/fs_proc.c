/* SPDX-License-Identifier: Apache-2.0 */
/* /proc as programs use it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "fs_tap.h"

static char text[1 << 20];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, len = 0;

	while (fd >= 0 && (n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += n;
	for (ssize_t i = 0; i < len; i++) {
		if (!text[i])
			text[i] = '\n';
	}
	text[len] = 0;
	close(fd);
	return text;
}

static bool has(const char *path, const char *what)
{
	return strstr(slurp(path), what) != NULL;
}

/* Only what is refused: the caches of the machine that runs the test are not ours to drop. */
static void test_drop_caches(void)
{
	static const char *const refused[] = { "0", "all" };
	struct stat st = { 0 };

	is(stat("/proc/sys/vm/drop_caches", &st), 0);
	is(st.st_mode, S_IFREG | 0200);
	for (size_t i = 0; i < 2; i++) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

		/* an engine's default makes /proc/sys read-only */
		ok(fd < 0 ? errno == EROFS
			  : write(fd, refused[i], strlen(refused[i])) < 0 && errno == EINVAL,
			"drop_caches refuses what is no set of caches");
		close(fd);
	}
}

static void test_self(const char *argv0)
{
	char path[64], link[200] = "";
	int p[2], fd = open("file with space", O_CREAT | O_RDWR, 0600);

	snprintf(path, sizeof(path), "%d", getpid());
	ok(readlink("/proc/self", link, sizeof(link)) > 0 && !strcmp(link, path), "/proc/self");
	memset(link, 0, sizeof(link));
	ok(readlink("/proc/self/exe", link, sizeof(link)) > 0 && strstr(link, "fs_proc"), "exe");
	ok(!strncmp(slurp("/proc/self/cmdline"), argv0, strlen(argv0)), "cmdline");
	prctl(PR_SET_NAME, "renamed");
	ok(!strcmp(slurp("/proc/self/comm"), "renamed\n"), "comm");
	ok(has("/proc/self/stat", "(renamed) R "), "stat has name and state");
	ok(has("/proc/self/status", "Name:\trenamed\n") && has("/proc/self/status", "VmRSS:"),
		"status");
	ok(has("/proc/self/environ", "MARK=here"), "environ");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(link, 0, sizeof(link));
	ok(readlink(path, link, sizeof(link)) > 0 && strstr(link, "/file with space"), "fd link");
	is(unlink("file with space"), 0);
	memset(link, 0, sizeof(link));
	ok(readlink(path, link, sizeof(link)) > 0 && strstr(link, " (deleted)"),
		"fd link of a deleted file");
	is(write(fd, "again", 5), 5);
	ok(!strcmp(slurp(path), "again"), "a deleted file opens through its descriptor");
	is(pipe(p), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	memset(link, 0, sizeof(link));
	ok(readlink(path, link, sizeof(link)) > 0 && !strncmp(link, "pipe:[", 6),
		"fd link of a pipe");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ok(has(path, "pos:\t5\nflags:\t0100002\n"), "fdinfo");
	is(open("/proc/self/fd/999", O_RDONLY), -ENOENT);
	is(access("/proc/99999999", F_OK), -ENOENT);
	close(fd);
	close(p[0]);
	close(p[1]);
}

/* The call that reads it. */
static void test_syscall(void)
{
	char want[64], buf[256] = "";
	int fd = open("/proc/self/syscall", O_RDONLY);

	snprintf(want, sizeof(want), "0 0x%x %#lx 0xff ", fd, (unsigned long)buf);
	ok(syscall(SYS_read, fd, buf, 255) > 0 && !strncmp(buf, want, strlen(want)),
		"self/syscall");
	close(fd);
}

static void test_maps(void)
{
	char want[64];
	char *p = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE);
	snprintf(want, sizeof(want), "%lx-%lx rw-p 00000000 00:00 0", (long)p + 4096,
		(long)p + 8192);
	ok(has("/proc/self/maps", want), "maps shows a mapping");
	ok(has("/proc/self/maps", "[stack]") && has("/proc/self/maps", "[vdso]"), "named areas");
	ok(has("/proc/self/smaps", "VmFlags:") && has("/proc/self/smaps_rollup", "[rollup]"),
		"smaps");
	p[4096] = 'm';
	fd = open("/proc/self/mem", O_RDWR);
	is(pread(fd, want, 1, (long)p + 4096), 1);
	is(want[0], 'm');
	is(pwrite(fd, "n", 1, (long)p + 4096), 1);
	is(p[4096], 'n');
	close(fd);
}

/* Names as they are printed, a link to the file, gone with the mapping. */
static void test_map_files(void)
{
	char name[64], target[64], path[] = "/tmp/map-XXXXXX";
	int fd = mkstemp(path), seen = 0;
	struct dirent *e;
	struct stat st;
	char *p;
	DIR *d;

	is(ftruncate(fd, 8192), 0);
	p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	snprintf(name, sizeof(name), "%lx-%lx", (long)p, (long)p + 8192);
	d = opendir("/proc/self/map_files");
	while (d && (e = readdir(d)))
		seen += !strcmp(e->d_name, name);
	ok(seen == 1, "map_files lists the mapping once");
	if (d)
		closedir(d);
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 8192);
	ok(readlink(name, target, sizeof(target)) == (ssize_t)strlen(path) &&
			!memcmp(target, path, strlen(path)),
		"and links to its file");
	ok(lstat(name, &st) == 0 && st.st_mode == (S_IFLNK | 0600),
		"with the rights that the file is open for");
	ok(stat(name, &st) == 0 && st.st_size == 8192, "which it leads to");
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 4096);
	is(readlink(name, target, sizeof(target)), -ENOENT);
	snprintf(name, sizeof(name), "/proc/self/map_files/0%lx-%lx", (long)p, (long)p + 8192);
	is(readlink(name, target, sizeof(target)), -ENOENT);
	munmap(p, 8192);
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 8192);
	is(readlink(name, target, sizeof(target)), -ENOENT);
	ok(access("/proc/thread-self/map_files", F_OK) == -1, "threads have none");
	close(fd);
	unlink(path);
}

static void test_smaps(void)
{
	ok(has("/proc/self/smaps", "\nAnonHugePages:  ") &&
			has("/proc/self/smaps", "\nPrivate_Hugetlb:       0 kB\n") &&
			has("/proc/self/smaps_rollup", "\nShared_Hugetlb:        0 kB\n"),
		"smaps speaks of huge pages");
}

static void test_nameless(void)
{
	char name[64], want[64], target[128];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;
	ssize_t n;

	if (fd < 0) {
		is(errno, EOPNOTSUPP);
		return;
	}
	fstat(fd, &st);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	snprintf(want, sizeof(want), "/#%lu (deleted)", (unsigned long)st.st_ino);
	n = readlink(name, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	ok(n > 0 && strstr(target, want), "a file without a name is shown by its number");
	close(fd);
}

static void test_system(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), seen = 0, self = 0;
	struct dirent *e;
	DIR *d;

	ok(has("/proc/meminfo", "MemTotal:") && has("/proc/meminfo", "MemAvailable:"), "meminfo");
	ok(has("/proc/cpuinfo", "model name") && has("/proc/cpuinfo", " sse2 "), "cpuinfo");
	ok(has("/proc/stat", "cpu  ") && has("/proc/stat", "btime "), "stat");
	ok(has("/proc/uptime", ".") && has("/proc/loadavg", "/"), "uptime and loadavg");
	ok(has("/proc/version", "Linux version "), "version");
	ok(has("/proc/filesystems", "nodev\ttmpfs\n"), "filesystems");
	ok(has("/proc/mounts", " /proc proc rw"), "mounts");
	ok(has("/proc/self/mountinfo", " - proc "), "mountinfo");
	ok(has("/proc/self/limits", "Max open files"), "limits");
	ok(has("/proc/sys/kernel/ostype", "Linux\n"), "sysctl");
	ok(strlen(slurp("/proc/sys/kernel/random/uuid")) == 37, "a random uuid");
	test_drop_caches();
	ok(cpus >= 1, "processors are counted");
	d = opendir("/proc");
	while ((e = readdir(d))) {
		seen++;
		self += atoi(e->d_name) == getpid();
	}
	closedir(d);
	ok(seen > 10 && self == 1, "/proc lists this process once");
	is(write(open("/proc/version", O_WRONLY), "x", 1), -EIO);
	is(mkdir("/proc/x", 0755), -ENOENT);
	is(unlink("/proc/version"), -EPERM);
}

static void test_sched(void)
{
	char want[80];
	struct sched_param p = { 0 };

	prctl(PR_SET_NAME, "a name");
	snprintf(want, sizeof(want), "a name (%d, #threads: 1)\n--------", getpid());
	ok(has("/proc/self/sched", want), "sched: name, number, threads");
	snprintf(want, sizeof(want), "\nprio %41s %20d\n", ":", 120 + getpriority(PRIO_PROCESS, 0));
	ok(has("/proc/self/sched",
		   "\npolicy                                       :                    0\n") &&
			has("/proc/self/sched", want),
		"sched: policy and priority");
	sched_setscheduler(0, SCHED_BATCH, &p);
	setpriority(PRIO_PROCESS, 0, 5);
	ok(has("/proc/self/sched",
		   "\npolicy                                       :                    3\n") &&
			has("/proc/self/sched",
				"\nprio                                         :                  125\n"),
		"sched: others");
	sched_setscheduler(0, SCHED_OTHER, &p);
	ok(has("/proc/self/sched", "\nnr_voluntary_switches                        :"),
		"sched: switches");
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!getenv("MARK")) {
		setenv("MARK", "here", 1);
		execv("/proc/self/exe", argv);
		mkdir("/proc", 0755);
		if (mount("proc", "/proc", "proc", 0, NULL) == 0)
			execv("/proc/self/exe", argv);
	}
	scratch();
	test_self(argv[0]);
	test_maps();
	test_map_files();
	test_nameless();
	test_smaps();
	test_syscall();
	test_system();
	test_sched();
	return tap_end();
}
