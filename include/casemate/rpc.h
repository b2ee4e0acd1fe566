/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol between the sandbox process (host) and the agent in the sentry, over virtio-vsock streams. Both ends treat the
 * other as hostile: every length is bounded here, a frame is copied once and then decoded, an unknown type gets -ENOSYS.
 *
 * Ports. The agent listens on both before the device is live, so a connection made while the guest boots waits and is never refused:
 *   CM_RPC_PORT_CONTROL  one connection for the life of the sandbox: frames
 *   CM_RPC_PORT_STREAM   one connection a byte stream: first a struct cm_rpc_stream_hello, then raw bytes; half-close is end of file
 *
 * Frame = struct cm_rpc_hdr + `len` bytes. Little-endian, fixed layouts, natural alignment from the start of the payload. A request has an id of the host's
 * choice, not 0; its reply has it too, and type | CM_RPC_REPLY. `error` is 0, or a positive errno with a struct cm_rpc_error + text as payload. Events (guest
 * to host) have id 0 and no reply. Requests may be sent before earlier replies came (HELLO and START travel together); they are served in order.
 */
#ifndef CASEMATE_RPC_H
#define CASEMATE_RPC_H

#include <stdint.h>

#define CM_RPC_MAGIC	    0x31504d43u /* "CMP1" */
#define CM_RPC_STREAM_MAGIC 0x31534d43u /* "CMS1" */
#define CM_RPC_VERSION	    1
#define CM_RPC_PORT_CONTROL 1024
#define CM_RPC_PORT_STREAM  1025
#define CM_RPC_PAYLOAD_MAX  (256u << 10) /* host to guest, bytes */
#define CM_RPC_EVENT_MAX    (64u << 10) /* guest to host (replies and events), bytes */
#define CM_RPC_CONTAINERS   16 /* of a sandbox: the root's, and one for each spare file device */
#define CM_RPC_REPLY	    0x8000u
#define CM_RPC_EVENT	    0x4000u

enum cm_rpc_type {
	CM_RPC_HELLO = 1, /* struct cm_rpc_hello; reply: the same of the guest */
	CM_RPC_START = 2, /* struct cm_rpc_start + sections; reply: struct cm_rpc_started */
	CM_RPC_SIGNAL = 3, /* struct cm_rpc_signal; reply: empty */
	CM_RPC_PS = 4, /* struct cm_rpc_container; reply: struct cm_rpc_proc[] */
	CM_RPC_TRACE = 5, /* struct cm_rpc_trace; reply: empty */
	CM_RPC_WINSIZE = 6, /* struct cm_rpc_winsize; reply: empty */
	CM_RPC_SHUTDOWN = 7, /* struct cm_rpc_shutdown; reply: empty, then the guest powers off */
	CM_RPC_RELEASE = 8, /* struct cm_rpc_container: execute the held program; reply: empty */
	CM_RPC_EXEC = 9, /* as START, without mounts and paths; reply: struct cm_rpc_started */
	CM_RPC_USAGE = 10, /* struct cm_rpc_container; reply: struct cm_rpc_usage */
	CM_RPC_LIMIT = 11, /* struct cm_rpc_limit; reply: the same with what was set before */
	CM_RPC_LOG = 12, /* struct cm_rpc_log; reply: empty */
	CM_RPC_PROCESS = 13, /* struct cm_rpc_process; reply: uint64_t ns of its start, sections */
	CM_RPC_FILE = 14, /* struct cm_rpc_file + path with NUL; reply: uint64_t bytes, all sent */
	CM_RPC_MOUNT = 15, /* struct cm_rpc_mount_call + type, source, target, data; reply: empty */
	CM_RPC_CGROUP = 16, /* struct cm_rpc_cgroup + path, file, value; reply: text, or empty */
	CM_RPC_TAR = 17, /* as FILE, with an empty path: what an overlay root has above its image */
	CM_RPC_FREEZE = 18, /* struct cm_rpc_container; reply: empty, all its threads stand still */
	CM_RPC_THAW = 19, /* struct cm_rpc_container; reply: empty, they go on */
	CM_RPC_EXITED = CM_RPC_EVENT | 1, /* struct cm_rpc_exited: a first process ended */
	CM_RPC_EXEC_EXITED = CM_RPC_EVENT | 2, /* struct cm_rpc_exited: a process of EXEC ended */
};

struct cm_rpc_hdr {
	uint32_t magic; /* CM_RPC_MAGIC */
	uint16_t version; /* CM_RPC_VERSION of the sender */
	uint16_t type; /* enum cm_rpc_type, | CM_RPC_REPLY */
	uint32_t id;
	uint32_t len; /* bytes of payload */
	int32_t error; /* replies: 0 or a positive errno */
	uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct cm_rpc_hdr) == 24, "frame header layout");

struct cm_rpc_hello {
	uint32_t version; /* highest protocol version understood */
	uint32_t abi; /* CM_ABI_VERSION */
	uint32_t features; /* 0 in this version */
	uint32_t reserved;
};

/* What a failed START was doing; tells the host how to word the message. */
enum cm_rpc_stage {
	CM_RPC_STAGE_NONE = 0, /* request itself */
	CM_RPC_STAGE_ROOTFS, /* mounting the root */
	CM_RPC_STAGE_MOUNT, /* mounts[index] */
	CM_RPC_STAGE_STDIO, /* stream tokens */
	CM_RPC_STAGE_CWD, /* changing to cwd */
	CM_RPC_STAGE_LOOKUP, /* argv[0] was not found in PATH */
	CM_RPC_STAGE_EXEC, /* loading the program */
	CM_RPC_STAGE_TASK, /* making the first task */
	CM_RPC_STAGE_DEVICE, /* linux.devices[index] */
	CM_RPC_STAGE_SYSCTL, /* linux.sysctl, the index-th */
	CM_RPC_STAGE_SECCOMP, /* the filter */
	CM_RPC_STAGE_CGROUP, /* the cgroup, the index-th control file */
	CM_RPC_STAGE_USER, /* looking the user up */
	CM_RPC_STAGE_COUNT
};

#define CM_RPC_TEXT_MAX 512
/* Payload of a reply with error != 0: this, then at most CM_RPC_TEXT_MAX bytes of text without NUL (hdr.len says how many). */
struct cm_rpc_error {
	uint32_t stage; /* enum cm_rpc_stage */
	uint32_t index; /* element of the table that the stage names */
};

#define CM_RPC_START_OVERLAY	  0x01u /* writes stay in a tmpfs above the root file system */
#define CM_RPC_START_READONLY	  0x02u /* root is read-only for the application */
#define CM_RPC_START_NO_NEW_PRIVS 0x04u
#define CM_RPC_START_TTY	  0x08u /* stdio is one terminal: token[0] is its stream, the others are 0 */
#define CM_RPC_START_HOLD	  0x10u /* find the program, wait for RELEASE before it is executed */
#define CM_RPC_START_SHARED	  0x20u /* has the root container's mounts */
#define CM_RPC_START_NO_HOME	  0x40u /* no HOME but that of envp */
#define CM_RPC_START_CHANGES	  0x80u /* others change the root; not with OVERLAY or SHARED */

#define CM_RPC_ARGS_MAX	   4096u /* argv and envp, each */
#define CM_RPC_GROUPS_MAX  1024u
#define CM_RPC_RLIMITS_MAX 16u
#define CM_RPC_MOUNTS_MAX  64u
#define CM_RPC_PATHS_MAX   256u /* masked and read-only paths, each */
#define CM_RPC_DEVICES_MAX 256u
#define CM_RPC_SYSCTLS_MAX 256u
#define CM_RPC_CGROUP_MAX  64u
#define CM_RPC_IDMAPS_MAX  64u /* of users and of groups, each */
#define CM_RPC_FILTER_MAX  4096u /* instructions; as Linux */
#define CM_RPC_FDS_MAX	   16u
#define CM_RPC_FD_NUMBERS  1024u /* descriptors that START opens are below */
#define CM_RPC_SENT	   (2u + CM_RPC_FDS_MAX)

/* Index into cm_rpc_start.caps. */
enum cm_rpc_capset {
	CM_RPC_CAP_BOUNDING,
	CM_RPC_CAP_EFFECTIVE,
	CM_RPC_CAP_INHERITABLE,
	CM_RPC_CAP_PERMITTED,
	CM_RPC_CAP_AMBIENT,
	CM_RPC_CAPSETS
};

/* Index into cm_rpc_start.join. */
enum cm_rpc_ns {
	CM_RPC_NS_PID,
	CM_RPC_NS_IPC,
	CM_RPC_NS_UTS,
	CM_RPC_NS_KINDS
};

/*
 * Fixed part of START. The sections follow in this order without gaps, and end where the frame ends:
 *   struct cm_rpc_rlimit[nrlimits], struct cm_rpc_mount[nmounts], struct cm_rpc_fd[nfds], struct cm_rpc_device[ndevices],
 *   struct cm_rpc_insn[nfilter], struct cm_rpc_idmap[nuidmap], struct cm_rpc_idmap[ngidmap], uint32_t gids[ngroups],
 *   strings, each ending in NUL: container id, rootfs tag, hostname, domainname, cwd, program (empty: argv[0]), user, initial cgroup (empty: the
 *   container's), argv[argc], envp[envc], for each mount: destination, source, data; masked[nmasked]; readonly[nreadonly]; path of each device;
 *   for each sysctl: name, value; for each of ncgroup: control file, value.
 * An absent string is empty. argc is at least 1. user, NAME or NUMBER, with :GROUP or not, overrides uid and gid; one but 0 has no capabilities in effect.
 */
struct cm_rpc_start {
	/*
	 * 1 .. CM_RPC_CONTAINERS: the number that other requests use. 1 is the root container: with its end the sandbox ends. A number is free again
	 * when START failed, a RELEASE of it failed, or EXITED was sent: nothing of the container is left then.
	 */
	uint32_t container;
	uint32_t flags; /* CM_RPC_START_* */
	uint32_t uid, gid, umask;
	uint32_t argc, envc, ngroups, nrlimits, nmounts, nmasked, nreadonly;
	uint64_t caps[CM_RPC_CAPSETS]; /* bit = capability number */
	uint64_t token[3]; /* stream of fd 0, 1, 2; 0 = /dev/null */
	uint64_t overlay_size; /* bytes the overlay's upper layer may hold, 0 = half of RAM */
	uint16_t rows, cols; /* of the terminal, 0 = unknown */
	uint32_t ncgroup; /* control files of the container's cgroup that are written */
	uint64_t memory; /* bytes that the guest may use, 0 = all it has */
	uint32_t pids; /* tasks that it may have, 0 = no limit */
	int32_t oom_score_adj; /* -1000 .. 1000 */
	uint32_t ndevices, nsysctls;
	uint32_t nfilter; /* seccomp; 0 = none */
	uint32_t filter_flags; /* SECCOMP_FILTER_FLAG_* of the Linux ABI */
	/* Whose namespace of each kind it shares, by the number of a container that lives; 0: one of its own. The root container's are 0. */
	uint32_t join[CM_RPC_NS_KINDS];
	uint32_t nuidmap, ngidmap; /* of the container's user namespace: both or none */
	uint32_t nfds, nsecret; /* so many strings of envp, the last ones, are kept out of dumps */
	uint32_t policy, rt_priority; /* SCHED_* but SCHED_DEADLINE; 0 unless real-time */
	int32_t nice; /* -20 .. 19 */
	uint32_t personality; /* PER_* of the Linux ABI */
	uint32_t root_kind; /* propagation of the root: MS_SHARED ... and MS_REC, or 0 */
};

/* Ids from `first` are those from `lower` in the first user namespace. */
struct cm_rpc_idmap {
	uint32_t first, lower, count, reserved;
};

/* A descriptor besides the standard ones. */
struct cm_rpc_fd {
	uint64_t token; /* stream of kind FD */
	uint32_t fd; /* 3 .. CM_RPC_FD_NUMBERS - 1, each once */
	uint32_t flags; /* O_RDONLY, O_WRONLY or O_RDWR of the Linux ABI */
};

/* An instruction of classic BPF: struct sock_filter of the Linux ABI. */
struct cm_rpc_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

/* A device node, or a FIFO. */
struct cm_rpc_device {
	uint32_t mode; /* with S_IFCHR, S_IFBLK or S_IFIFO */
	uint32_t major, minor, uid, gid;
	uint32_t reserved;
};

struct cm_rpc_rlimit {
	uint32_t resource; /* RLIMIT_* of the Linux ABI */
	uint32_t reserved;
	uint64_t soft, hard;
};

enum cm_rpc_mount_type {
	CM_RPC_MOUNT_PROC = 1,
	CM_RPC_MOUNT_SYSFS,
	CM_RPC_MOUNT_TMPFS,
	CM_RPC_MOUNT_DEVPTS,
	CM_RPC_MOUNT_MQUEUE,
	CM_RPC_MOUNT_CGROUP2,
	CM_RPC_MOUNT_DEV, /* devtmpfs: the standard nodes and links */
	CM_RPC_MOUNT_VOLUME_DIR, /* `volume` of the file server, a directory */
	CM_RPC_MOUNT_VOLUME_FILE, /* the same, anything else */
	CM_RPC_MOUNT_TYPES
};

#define CM_RPC_MOUNT_COPY_UP 0x1u /* a tmpfs begins with what the directory below it holds */

struct cm_rpc_mount {
	uint32_t type; /* enum cm_rpc_mount_type */
	uint16_t volume; /* 1 .. CM_FSDEV_VOLUMES, 0 for other types */
	uint16_t options; /* CM_RPC_MOUNT_* */
	uint64_t flags; /* MS_* of the Linux ABI */
};

struct cm_rpc_started {
	int32_t pid; /* of the first task, root PID namespace */
	uint32_t reserved;
};

enum cm_rpc_signal_mode {
	CM_RPC_SIGNAL_PID = 0, /* pid, 0 = the container's first process */
	CM_RPC_SIGNAL_ALL = 1, /* every process of the container; pid must be 0 */
	CM_RPC_SIGNAL_FOREGROUND = 2, /* foreground group of the terminal, else as mode 0 */
	CM_RPC_SIGNAL_PGRP = 3, /* the container's processes in the process group pid */
};

struct cm_rpc_signal {
	uint32_t container;
	int32_t signo; /* 0 = only check */
	int32_t pid;
	uint32_t mode; /* enum cm_rpc_signal_mode */
};

struct cm_rpc_container {
	uint32_t container;
	uint32_t reserved;
};

#define CM_RPC_PROCS_MAX 1024u
struct cm_rpc_proc {
	int32_t pid, ppid;
	uint32_t uid, threads;
	uint64_t start_ns; /* since boot */
	uint64_t cpu_ns; /* user + system */
	char comm[16]; /* NUL-terminated */
};

struct cm_rpc_trace {
	uint32_t container;
	uint32_t on; /* 0 or 1 */
	uint64_t token; /* stream that takes the text, 0 = the sentry's log */
};

struct cm_rpc_winsize {
	uint32_t container;
	uint16_t rows, cols, xpixel, ypixel;
	int32_t pid; /* of the process that got the terminal by START or EXEC; 0 = the first */
};

#define CM_RPC_SHUTDOWN_SYNC 0x1u
struct cm_rpc_shutdown {
	uint32_t flags; /* CM_RPC_SHUTDOWN_SYNC: write back every file system first */
	uint32_t reserved;
};

#define CM_RPC_EXITED_OOM    0x2u /* a process of the container was killed for want of memory */
#define CM_RPC_EXITED_SYNCED 0x1u /* the container's files were written back without error */
struct cm_rpc_exited {
	uint32_t container;
	int32_t pid;
	int32_t status; /* wait(2) encoding */
	uint32_t flags; /* CM_RPC_EXITED_* */
	uint64_t cpu_ns; /* of the container, user + system */
	uint64_t sent[CM_RPC_SENT]; /* bytes to stdout, stderr, each of fds; SENT_ALL: it is shut */
};
#define CM_RPC_SENT_ALL UINT64_MAX

struct cm_rpc_usage {
	uint64_t total, free; /* bytes of RAM: what the sentry manages, and what is not in use */
	uint64_t anon, cache; /* bytes: memory of programs, cached pages of files (tmpfs too) */
	uint64_t cpu_ns; /* of the container, user + system */
	uint32_t processes, oom_kills; /* of the container */
};

#define CM_RPC_LIMIT_MEMORY 0x1u
#define CM_RPC_LIMIT_PIDS   0x2u
struct cm_rpc_limit {
	uint32_t container;
	uint32_t which; /* CM_RPC_LIMIT_*: the members that count */
	uint64_t memory; /* bytes, 0 = no limit */
	uint32_t pids; /* 0 = no limit */
	uint32_t reserved; /* 0 */
};

#define CM_RPC_LOG_LEVEL 0x1u
#define CM_RPC_LOG_CALLS 0x2u
#define CM_RPC_LOG_WORDS 8
struct cm_rpc_log {
	uint32_t which; /* CM_RPC_LOG_*: the members that count */
	uint32_t level; /* 0 error, 1 warning, 2 info, 3 debug */
	uint32_t calls; /* 1: system calls go to the sentry's log */
	uint32_t reserved; /* 0 */
	uint64_t only[CM_RPC_LOG_WORDS]; /* bit N: those of number N; none set: all */
};

struct cm_rpc_process {
	uint32_t container;
	int32_t pid;
};

/* What a section holds: the file of that name in /proc/PID, or the target of the link. */
enum cm_rpc_section_kind {
	CM_RPC_SECTION_CMDLINE = 1,
	CM_RPC_SECTION_ENVIRON,
	CM_RPC_SECTION_EXE,
	CM_RPC_SECTION_CWD,
	CM_RPC_SECTION_ROOT,
	CM_RPC_SECTION_STATUS,
	CM_RPC_SECTION_STAT,
	CM_RPC_SECTION_LIMITS,
	CM_RPC_SECTION_CGROUP,
	CM_RPC_SECTION_MAPS,
	CM_RPC_SECTION_FDS, /* lines "NUMBER OCTAL-MODE TARGET" */
	CM_RPC_SECTIONS
};
#define CM_RPC_SECTION_CUT 0x1u /* its end is missing */
struct cm_rpc_section { /* followed by len bytes, without padding */
	uint16_t kind; /* enum cm_rpc_section_kind */
	uint16_t flags; /* CM_RPC_SECTION_* */
	uint32_t len;
};

struct cm_rpc_file {
	uint32_t container, reserved; /* reserved: 0 */
	uint64_t token; /* stream of kind FILE that takes the bytes */
	uint64_t offset;
	uint64_t size; /* bytes at most, 0 = all */
};

enum cm_rpc_mount_what {
	CM_RPC_MOUNT_NEW = 1, /* a file system of `type` */
	CM_RPC_MOUNT_BIND, /* `source`, a path of the container, once more at `target` */
	CM_RPC_UNMOUNT, /* flags: MNT_DETACH or 0 */
	CM_RPC_MOUNT_IMAGE, /* `image`, of type "erofs", read-only; data is empty */
};
struct cm_rpc_mount_call {
	uint32_t container, what; /* what: enum cm_rpc_mount_what */
	uint64_t flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME */
	uint32_t image, reserved; /* image: its number at the container's file server; else 0 */
};

#define CM_RPC_CGROUP_TEXT 16384 /* bytes of a control file that are read */
struct cm_rpc_cgroup {
	uint32_t write; /* 1: value goes into the file, 0: value is empty */
	uint32_t reserved; /* 0 */
};

enum cm_rpc_stream_kind {
	CM_RPC_STREAM_STDIN = 0,
	CM_RPC_STREAM_STDOUT = 1,
	CM_RPC_STREAM_STDERR = 2,
	CM_RPC_STREAM_TTY = 3,
	CM_RPC_STREAM_TRACE = 4,
	CM_RPC_STREAM_FILE = 5,
	CM_RPC_STREAM_FD = 6,
	CM_RPC_STREAM_KINDS
};

/* First bytes of a stream connection, sent by the host. The token is chosen by the host, never 0, and used once. */
struct cm_rpc_stream_hello {
	uint32_t magic; /* CM_RPC_STREAM_MAGIC */
	uint16_t version, kind; /* enum cm_rpc_stream_kind */
	uint64_t token;
};
_Static_assert(sizeof(struct cm_rpc_stream_hello) == 16, "stream header layout");
_Static_assert(sizeof(struct cm_rpc_start) == 208, "start layout");
_Static_assert(sizeof(struct cm_rpc_fd) == 16, "descriptor layout");
_Static_assert(sizeof(struct cm_rpc_device) == 24, "device layout");
_Static_assert(sizeof(struct cm_rpc_insn) == 8, "instruction layout");
_Static_assert(sizeof(struct cm_rpc_limit) == 24, "limit layout");
_Static_assert(sizeof(struct cm_rpc_log) == 80, "log layout");
_Static_assert(sizeof(struct cm_rpc_section) == 8, "section layout");
_Static_assert(sizeof(struct cm_rpc_proc) == 48, "process record layout");
#endif
