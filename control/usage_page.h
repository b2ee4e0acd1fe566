/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of Usage.UsageFD. A reader takes `sequence`, the members, and `sequence` again: they belong together when both are the same even
 * number. Its time says how old they are.
 */
#ifndef CM_CONTROL_USAGE_PAGE_H
#define CM_CONTROL_USAGE_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define CM_USAGE_VERSION 1
#define CM_USAGE_SIZE	 4096

struct cm_usage_page {
	uint32_t version; /* CM_USAGE_VERSION */
	uint32_t size; /* bytes of this structure */
	_Atomic uint64_t sequence; /* odd while it is written */
	uint64_t time_ns; /* wall clock */
	uint64_t total, free, anon, cache; /* bytes, as struct cm_rpc_usage */
	uint64_t cpu_ns;
	uint64_t processes;
};
_Static_assert(sizeof(struct cm_usage_page) == 72, "the page's layout");

#endif
