/* SPDX-License-Identifier: Apache-2.0 */
/* The five cleanup attributes of host code, and steal_fd/steal_ptr that take an object out of their reach. */
#ifndef CM_COMMON_CLEANUP_H
#define CM_COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cm_cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cm_cleanup_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cm_cleanup_filep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cm_cleanup_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_free __attribute__((cleanup(cm_cleanup_freep)))
#define cleanup_fd   __attribute__((cleanup(cm_cleanup_closep)))
#define cleanup_file __attribute__((cleanup(cm_cleanup_filep)))
#define cleanup_dir  __attribute__((cleanup(cm_cleanup_dirp)))

static inline int steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#define steal_ptr(pp) \
	({ \
		__typeof__(*(pp)) cm_p_ = *(pp); \
		*(pp) = NULL; \
		cm_p_; \
	})

#endif
