/* SPDX-License-Identifier: Apache-2.0 */
/* Atomics and reference counts. All are sequentially consistent unless the name says otherwise. */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

#include "lib/types.h"

#define atomic_load(p)	   __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_xchg(p, v)  __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_add(p, v)   __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST) /* new value */
#define atomic_sub(p, v)   __atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST) /* new value */
#define atomic_or(p, v)	   __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST) /* old value */
#define atomic_and(p, v)   __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST) /* old value */
#define atomic_cas(p, oldp, v) \
	__atomic_compare_exchange_n(p, oldp, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

struct ref {
	s32 count;
};

static inline void ref_init(struct ref *r)
{
	r->count = 1;
}

static inline void ref_get(struct ref *r)
{
	atomic_add(&r->count, 1);
}

/* False when the object is already dying (count 0): for lookups that race with the last put. */
static inline bool ref_get_unless_zero(struct ref *r)
{
	s32 old = atomic_load(&r->count);

	while (old > 0) {
		if (atomic_cas(&r->count, &old, old + 1))
			return true;
	}
	return false;
}

/* True when this was the last reference: the caller destroys the object. */
static inline bool ref_put(struct ref *r)
{
	return atomic_sub(&r->count, 1) == 0;
}

#endif
