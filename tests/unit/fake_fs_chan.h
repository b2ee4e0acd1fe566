/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's file system channel for host tests: requests go straight to casemate-fsd's engine on a temporary directory. No header of
 * the sentry and none of libc here, so that both sides of a test can include it.
 */
#ifndef TESTS_FAKE_FS_CHAN_H
#define TESTS_FAKE_FS_CHAN_H

#define FAKE_FS_TAG "root"

/* Make the directory and the engine behind the channel FAKE_FS_TAG; max_nodes 0: the engine's default. */
void fake_fs_start(unsigned int max_nodes);
void fake_fs_stop(void);

/* Requests since the last call of fake_fs_reset_counts: all, or of one FUSE opcode. */
unsigned int fake_fs_requests(void);
unsigned int fake_fs_count(unsigned int op);
void fake_fs_reset_counts(void);
/* Every request answers this error (> 0) until 0 is set. */
void fake_fs_fail(unsigned int op, int error);

/* Hand an image with these bytes to the server under a number. 0 or -errno. */
int fake_fs_image(unsigned int number, const void *data, unsigned long len);
/* The image of the last call is this long now. */
void fake_fs_image_resize(unsigned long len);
/* Descriptors that the server (and the test) has open. */
unsigned int fake_fs_open_fds(void);

/* ---- the host's view of the directory; paths are relative to it */
void host_write(const char *path, const char *text);
/* The file's content in a static buffer, "(none)" when it is missing. */
const char *host_read(const char *path);
/* 0 when the file has exactly these bytes. */
int host_compare(const char *path, const void *data, unsigned long len);
unsigned int host_mode(const char *path); /* st_mode, 0 = missing */
unsigned int host_uid(const char *path);
long host_size(const char *path); /* -1 = missing */
long host_mtime(const char *path);
void host_mkdir(const char *path);
void host_symlink(const char *target, const char *path);
void host_unlink(const char *path);
void host_rename(const char *from, const char *to);
/* n empty files PREFIX0.. */
void host_many(const char *prefix, unsigned int n);

#endif
