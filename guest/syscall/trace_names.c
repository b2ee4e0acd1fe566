/* SPDX-License-Identifier: Apache-2.0 */
/* Names of errno values, signals and flags for the tracer. */
#include "syscall/trace_names.h"

#include <asm/mman.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "kernel/errno.h"

static const char *const errno_names[] = {
	[EPERM] = "EPERM",
	[ENOENT] = "ENOENT",
	[ESRCH] = "ESRCH",
	[EINTR] = "EINTR",
	[EIO] = "EIO",
	[ENXIO] = "ENXIO",
	[E2BIG] = "E2BIG",
	[ENOEXEC] = "ENOEXEC",
	[EBADF] = "EBADF",
	[ECHILD] = "ECHILD",
	[EAGAIN] = "EAGAIN",
	[ENOMEM] = "ENOMEM",
	[EACCES] = "EACCES",
	[EFAULT] = "EFAULT",
	[ENOTBLK] = "ENOTBLK",
	[EBUSY] = "EBUSY",
	[EEXIST] = "EEXIST",
	[EXDEV] = "EXDEV",
	[ENODEV] = "ENODEV",
	[ENOTDIR] = "ENOTDIR",
	[EISDIR] = "EISDIR",
	[EINVAL] = "EINVAL",
	[ENFILE] = "ENFILE",
	[EMFILE] = "EMFILE",
	[ENOTTY] = "ENOTTY",
	[ETXTBSY] = "ETXTBSY",
	[EFBIG] = "EFBIG",
	[ENOSPC] = "ENOSPC",
	[ESPIPE] = "ESPIPE",
	[EROFS] = "EROFS",
	[EMLINK] = "EMLINK",
	[EPIPE] = "EPIPE",
	[EDOM] = "EDOM",
	[ERANGE] = "ERANGE",
	[EDEADLK] = "EDEADLK",
	[ENAMETOOLONG] = "ENAMETOOLONG",
	[ENOLCK] = "ENOLCK",
	[ENOSYS] = "ENOSYS",
	[ENOTEMPTY] = "ENOTEMPTY",
	[ELOOP] = "ELOOP",
	[ENOMSG] = "ENOMSG",
	[EIDRM] = "EIDRM",
	[ECHRNG] = "ECHRNG",
	[EL2NSYNC] = "EL2NSYNC",
	[EL3HLT] = "EL3HLT",
	[EL3RST] = "EL3RST",
	[ELNRNG] = "ELNRNG",
	[EUNATCH] = "EUNATCH",
	[ENOCSI] = "ENOCSI",
	[EL2HLT] = "EL2HLT",
	[EBADE] = "EBADE",
	[EBADR] = "EBADR",
	[EXFULL] = "EXFULL",
	[ENOANO] = "ENOANO",
	[EBADRQC] = "EBADRQC",
	[EBADSLT] = "EBADSLT",
	[EBFONT] = "EBFONT",
	[ENOSTR] = "ENOSTR",
	[ENODATA] = "ENODATA",
	[ETIME] = "ETIME",
	[ENOSR] = "ENOSR",
	[ENONET] = "ENONET",
	[ENOPKG] = "ENOPKG",
	[EREMOTE] = "EREMOTE",
	[ENOLINK] = "ENOLINK",
	[EADV] = "EADV",
	[ESRMNT] = "ESRMNT",
	[ECOMM] = "ECOMM",
	[EPROTO] = "EPROTO",
	[EMULTIHOP] = "EMULTIHOP",
	[EDOTDOT] = "EDOTDOT",
	[EBADMSG] = "EBADMSG",
	[EOVERFLOW] = "EOVERFLOW",
	[ENOTUNIQ] = "ENOTUNIQ",
	[EBADFD] = "EBADFD",
	[EREMCHG] = "EREMCHG",
	[ELIBACC] = "ELIBACC",
	[ELIBBAD] = "ELIBBAD",
	[ELIBSCN] = "ELIBSCN",
	[ELIBMAX] = "ELIBMAX",
	[ELIBEXEC] = "ELIBEXEC",
	[EILSEQ] = "EILSEQ",
	[ERESTART] = "ERESTART",
	[ESTRPIPE] = "ESTRPIPE",
	[EUSERS] = "EUSERS",
	[ENOTSOCK] = "ENOTSOCK",
	[EDESTADDRREQ] = "EDESTADDRREQ",
	[EMSGSIZE] = "EMSGSIZE",
	[EPROTOTYPE] = "EPROTOTYPE",
	[ENOPROTOOPT] = "ENOPROTOOPT",
	[EPROTONOSUPPORT] = "EPROTONOSUPPORT",
	[ESOCKTNOSUPPORT] = "ESOCKTNOSUPPORT",
	[EOPNOTSUPP] = "EOPNOTSUPP",
	[EPFNOSUPPORT] = "EPFNOSUPPORT",
	[EAFNOSUPPORT] = "EAFNOSUPPORT",
	[EADDRINUSE] = "EADDRINUSE",
	[EADDRNOTAVAIL] = "EADDRNOTAVAIL",
	[ENETDOWN] = "ENETDOWN",
	[ENETUNREACH] = "ENETUNREACH",
	[ENETRESET] = "ENETRESET",
	[ECONNABORTED] = "ECONNABORTED",
	[ECONNRESET] = "ECONNRESET",
	[ENOBUFS] = "ENOBUFS",
	[EISCONN] = "EISCONN",
	[ENOTCONN] = "ENOTCONN",
	[ESHUTDOWN] = "ESHUTDOWN",
	[ETOOMANYREFS] = "ETOOMANYREFS",
	[ETIMEDOUT] = "ETIMEDOUT",
	[ECONNREFUSED] = "ECONNREFUSED",
	[EHOSTDOWN] = "EHOSTDOWN",
	[EHOSTUNREACH] = "EHOSTUNREACH",
	[EALREADY] = "EALREADY",
	[EINPROGRESS] = "EINPROGRESS",
	[ESTALE] = "ESTALE",
	[EUCLEAN] = "EUCLEAN",
	[ENOTNAM] = "ENOTNAM",
	[ENAVAIL] = "ENAVAIL",
	[EISNAM] = "EISNAM",
	[EREMOTEIO] = "EREMOTEIO",
	[EDQUOT] = "EDQUOT",
	[ENOMEDIUM] = "ENOMEDIUM",
	[EMEDIUMTYPE] = "EMEDIUMTYPE",
	[ECANCELED] = "ECANCELED",
	[ENOKEY] = "ENOKEY",
	[EKEYEXPIRED] = "EKEYEXPIRED",
	[EKEYREVOKED] = "EKEYREVOKED",
	[EKEYREJECTED] = "EKEYREJECTED",
	[EOWNERDEAD] = "EOWNERDEAD",
	[ENOTRECOVERABLE] = "ENOTRECOVERABLE",
	[ERFKILL] = "ERFKILL",
	[EHWPOISON] = "EHWPOISON",
};

static const char *const signal_names[] = { "0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP",
	"SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE",
	"SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
	"SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",
	"SIGPWR", "SIGSYS" };

const char *trace_errno_name(s64 err)
{
	if (err < 0 || err >= (s64)ARRAY_SIZE(errno_names))
		return NULL;
	return errno_names[err];
}

const char *trace_signal_name(u64 sig)
{
	return sig < ARRAY_SIZE(signal_names) ? signal_names[sig] : NULL;
}

#define FLAG(f) \
	{ \
		(u64)(u32)(f), #f \
	}

const struct trace_flag trace_open_flags[] = {
	FLAG(O_CREAT),
	FLAG(O_EXCL),
	FLAG(O_NOCTTY),
	FLAG(O_TRUNC),
	FLAG(O_APPEND),
	FLAG(O_NONBLOCK),
	FLAG(O_SYNC),
	FLAG(O_DSYNC),
	FLAG(O_DIRECT),
	FLAG(O_LARGEFILE),
	FLAG(O_TMPFILE),
	FLAG(O_DIRECTORY),
	FLAG(O_NOFOLLOW),
	FLAG(O_NOATIME),
	FLAG(O_CLOEXEC),
	FLAG(O_PATH),
	{ 0, NULL },
};

const struct trace_flag trace_prot_flags[] = {
	FLAG(PROT_READ),
	FLAG(PROT_WRITE),
	FLAG(PROT_EXEC),
	FLAG(PROT_GROWSDOWN),
	{ 0, NULL },
};

const struct trace_flag trace_mmap_flags[] = {
	FLAG(MAP_SHARED),
	FLAG(MAP_PRIVATE),
	FLAG(MAP_FIXED),
	FLAG(MAP_ANONYMOUS),
	FLAG(MAP_GROWSDOWN),
	FLAG(MAP_DENYWRITE),
	FLAG(MAP_LOCKED),
	FLAG(MAP_NORESERVE),
	FLAG(MAP_POPULATE),
	FLAG(MAP_STACK),
	FLAG(MAP_HUGETLB),
	FLAG(MAP_FIXED_NOREPLACE),
	{ 0, NULL },
};

const struct trace_flag trace_at_flags[] = {
	FLAG(AT_SYMLINK_NOFOLLOW),
	FLAG(AT_REMOVEDIR),
	FLAG(AT_SYMLINK_FOLLOW),
	FLAG(AT_NO_AUTOMOUNT),
	FLAG(AT_EMPTY_PATH),
	{ 0, NULL },
};

const struct trace_flag trace_clone_flags[] = {
	FLAG(CLONE_VM),
	FLAG(CLONE_FS),
	FLAG(CLONE_FILES),
	FLAG(CLONE_SIGHAND),
	FLAG(CLONE_PIDFD),
	FLAG(CLONE_PTRACE),
	FLAG(CLONE_VFORK),
	FLAG(CLONE_PARENT),
	FLAG(CLONE_THREAD),
	FLAG(CLONE_NEWNS),
	FLAG(CLONE_SYSVSEM),
	FLAG(CLONE_SETTLS),
	FLAG(CLONE_PARENT_SETTID),
	FLAG(CLONE_CHILD_CLEARTID),
	FLAG(CLONE_DETACHED),
	FLAG(CLONE_UNTRACED),
	FLAG(CLONE_CHILD_SETTID),
	FLAG(CLONE_NEWCGROUP),
	FLAG(CLONE_NEWUTS),
	FLAG(CLONE_NEWIPC),
	FLAG(CLONE_NEWUSER),
	FLAG(CLONE_NEWPID),
	FLAG(CLONE_NEWNET),
	FLAG(CLONE_IO),
	{ 0, NULL },
};

const struct trace_flag trace_wait_flags[] = {
	FLAG(WNOHANG),
	FLAG(WUNTRACED),
	FLAG(WEXITED),
	FLAG(WCONTINUED),
	FLAG(WNOWAIT),
	FLAG(__WNOTHREAD),
	FLAG(__WALL),
	FLAG(__WCLONE),
	{ 0, NULL },
};

static const char *const trace_futex_ops[] = {
	[0] = "FUTEX_WAIT",
	[1] = "FUTEX_WAKE",
	[2] = "FUTEX_FD",
	[3] = "FUTEX_REQUEUE",
	[4] = "FUTEX_CMP_REQUEUE",
	[5] = "FUTEX_WAKE_OP",
	[6] = "FUTEX_LOCK_PI",
	[7] = "FUTEX_UNLOCK_PI",
	[8] = "FUTEX_TRYLOCK_PI",
	[9] = "FUTEX_WAIT_BITSET",
	[10] = "FUTEX_WAKE_BITSET",
	[11] = "FUTEX_WAIT_REQUEUE_PI",
	[12] = "FUTEX_CMP_REQUEUE_PI",
	[13] = "FUTEX_LOCK_PI2",
};

static const char *const trace_clocks[] = {
	[0] = "CLOCK_REALTIME",
	[1] = "CLOCK_MONOTONIC",
	[2] = "CLOCK_PROCESS_CPUTIME_ID",
	[3] = "CLOCK_THREAD_CPUTIME_ID",
	[4] = "CLOCK_MONOTONIC_RAW",
	[5] = "CLOCK_REALTIME_COARSE",
	[6] = "CLOCK_MONOTONIC_COARSE",
	[7] = "CLOCK_BOOTTIME",
	[8] = "CLOCK_REALTIME_ALARM",
	[9] = "CLOCK_BOOTTIME_ALARM",
	[11] = "CLOCK_TAI",
};

static const char *const trace_rlimits[] = {
	[0] = "RLIMIT_CPU",
	[1] = "RLIMIT_FSIZE",
	[2] = "RLIMIT_DATA",
	[3] = "RLIMIT_STACK",
	[4] = "RLIMIT_CORE",
	[5] = "RLIMIT_RSS",
	[6] = "RLIMIT_NPROC",
	[7] = "RLIMIT_NOFILE",
	[8] = "RLIMIT_MEMLOCK",
	[9] = "RLIMIT_AS",
	[10] = "RLIMIT_LOCKS",
	[11] = "RLIMIT_SIGPENDING",
	[12] = "RLIMIT_MSGQUEUE",
	[13] = "RLIMIT_NICE",
	[14] = "RLIMIT_RTPRIO",
	[15] = "RLIMIT_RTTIME",
};

static const char *const trace_sighow[] = {
	[0] = "SIG_BLOCK",
	[1] = "SIG_UNBLOCK",
	[2] = "SIG_SETMASK",
};

static const char *const trace_itimers[] = {
	[0] = "ITIMER_REAL",
	[1] = "ITIMER_VIRTUAL",
	[2] = "ITIMER_PROF",
};

static const char *const trace_whence[] = {
	[0] = "SEEK_SET",
	[1] = "SEEK_CUR",
	[2] = "SEEK_END",
	[3] = "SEEK_DATA",
	[4] = "SEEK_HOLE",
};

static const char *const trace_fcntl[] = {
	[0] = "F_DUPFD",
	[1] = "F_GETFD",
	[2] = "F_SETFD",
	[3] = "F_GETFL",
	[4] = "F_SETFL",
	[5] = "F_GETLK",
	[6] = "F_SETLK",
	[7] = "F_SETLKW",
	[8] = "F_SETOWN",
	[9] = "F_GETOWN",
	[10] = "F_SETSIG",
	[11] = "F_GETSIG",
};

const struct trace_enum trace_enums[TRACE_ENUM_COUNT] = {
	[TRACE_FUTEX_OP] = { trace_futex_ops, ARRAY_SIZE(trace_futex_ops) },
	[TRACE_CLOCK] = { trace_clocks, ARRAY_SIZE(trace_clocks) },
	[TRACE_RLIMIT] = { trace_rlimits, ARRAY_SIZE(trace_rlimits) },
	[TRACE_SIGHOW] = { trace_sighow, ARRAY_SIZE(trace_sighow) },
	[TRACE_ITIMER] = { trace_itimers, ARRAY_SIZE(trace_itimers) },
	[TRACE_WHENCE] = { trace_whence, ARRAY_SIZE(trace_whence) },
	[TRACE_FCNTL] = { trace_fcntl, ARRAY_SIZE(trace_fcntl) },
};
