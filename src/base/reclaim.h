/* Reclaim by generation: workers read a shared pointer without locks; the owner frees a replaced
 * object only when no worker can still be using it.
 *
 * Each worker has a slot. Before it sleeps it stores OFFLINE; when it wakes it stores ONLINE
 * (sequentially consistent) *before* it loads the pointer, then stores the generation of what it
 * loaded. Loading first and storing after lets the owner free memory in use: doc/internals/ has the
 * spin model that shows it. The owner swaps the pointer first and then waits for (or polls) the
 * slots. */
#pragma once

#include "base/attr.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RECLAIM_OFFLINE UINT64_MAX /* asleep: uses nothing */
#define RECLAIM_ONLINE                                                        \
    UINT64_C(0) /* awake, has not said yet what it uses: blocks every reclaim \
                 */

struct reclaim_slot {
    _Atomic uint64_t generation;
} cache_aligned;

/* A published object: pointer and generation travel together inside the object. */
struct reclaim {
    _Atomic(void *) current;
    struct reclaim_slot *slots;
    unsigned slot_count;
};

/* Worker: wake up and get the current object. `generation_of` reads its generation (> 0). Who got
 * NULL uses nothing. */
static inline void *reclaim_enter(struct reclaim *r, unsigned slot,
                                  uint64_t (*generation_of)(const void *))
{
    atomic_store_explicit(&r->slots[slot].generation, RECLAIM_ONLINE, memory_order_seq_cst);
    void *object = atomic_load_explicit(&r->current, memory_order_seq_cst);
    atomic_store_explicit(&r->slots[slot].generation,
                          object ? generation_of(object) : RECLAIM_OFFLINE, memory_order_release);
    return object;
}

/* Worker: done with what reclaim_enter gave. */
static inline void reclaim_leave(struct reclaim *r, unsigned slot)
{
    atomic_store_explicit(&r->slots[slot].generation, RECLAIM_OFFLINE, memory_order_release);
}

/* Owner: everything below this generation may be freed: the smallest generation in use (an ONLINE
 * slot counts as 0, OFFLINE as nothing); `limit` where nobody is using anything. */
uint64_t reclaim_horizon(const struct reclaim *r, uint64_t limit);
