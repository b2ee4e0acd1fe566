/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux asynchronous I/O: contexts that collect the results of operations. An operation runs when it is submitted, as Linux's do on
 * buffered files, so a context holds results only. It belongs to an address space and is named by a page in it, which libaio looks at
 * (and finds no ring that it could read without a system call).
 */
#ifndef FS_AIO_H
#define FS_AIO_H

#include <linux/aio_abi.h>

#include "lib/types.h"

#define AIO_MAX_EVENTS 65536u /* of all contexts: /proc/sys/fs/aio-max-nr */

struct as;
struct aio_ctx;

u32 aio_count(void); /* results that all contexts have room for */

s64 aio_setup(struct as *as, u32 nr); /* the name, or -errno */
/* With a reference; NULL: no such context in the address space. */
struct aio_ctx *aio_get(struct as *as, u64 name);
void aio_put(struct aio_ctx *c);
s64 aio_destroy(struct as *as, u64 name); /* 0 or -EINVAL */
bool aio_reserve(struct aio_ctx *c); /* room for one result; false: full */
void aio_unreserve(struct aio_ctx *c);
void aio_complete(struct aio_ctx *c, const struct io_event *ev); /* uses up a reservation */
/* Up to max results; sleeps until there are min or the deadline (CLOCK_MONOTONIC). How many, or a restart code when there are none. */
s64 aio_collect(struct aio_ctx *c, u32 min, u32 max, u64 deadline, struct io_event *ev);
void aio_exit(struct as *as); /* the address space ends */

#endif
