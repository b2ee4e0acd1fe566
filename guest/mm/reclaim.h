/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when memory is short: drop caches, write back, unmap file pages, and at last kill the biggest process. */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "lib/types.h"

struct cgroup;
struct page;

#define REPORT_CUSHION 2048u /* free pages that stay backed by the host: 8 MiB */
#define REPORT_TRIGGER 6144u /* more free pages than this in large blocks: give the rest back */

/* A page for an application. Reclaims, waits and lets the OOM killer work; may sleep. NULL = the caller itself is to die, or nothing helps. */
struct page *mm_alloc_page(u32 gfp);
/* The same without waiting, for what is made present ahead of use. */
struct page *mm_try_page(u32 gfp);
/* A page for bytes on their way (pipes): reclaims and waits, but kills nobody and charges nobody; may sleep. */
struct page *mm_buffer_page(void);
/* Make room; may sleep. True when something was freed and trying again makes sense. */
bool mm_reclaim(u64 want);
/* Drop every clean page that only the page cache holds; how many went. Never sleeps. */
u64 mm_drop_clean(void);
/* Wake the mm thread: memory is low, or there is free memory to give back to the host. Any context. */
void mm_thread_kick(void);
/* The same among what is charged to cg and below. */
bool mm_reclaim_cgroup(struct cgroup *cg, u64 want);
/* Kill the process of cg and below with the most resident memory; announced as its event. True when a victim is dying. May sleep. */
bool oom_kill_cgroup(struct cgroup *cg);
/* Kill the process with the most resident memory. True when a victim is dying. May sleep. */
bool oom_kill(void);
/* How often it did. */
u64 oom_kills(void);
/* Is there so much free memory that pages may be mapped ahead of use? */
bool mm_plenty(void);
/* So much that 2 MiB may be taken for a page? */
bool mm_ample(void);

#endif
