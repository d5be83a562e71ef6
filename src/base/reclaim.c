#include "base/reclaim.h"

uint64_t reclaim_horizon(const struct reclaim *r, uint64_t limit)
{
    uint64_t smallest = limit;
    for (unsigned i = 0; i < r->slot_count; i++) {
        /* Sequentially consistent, to be ordered after the owner's swap of `current`: a slot seen
         * OFFLINE here belongs to a worker that will load the new object. */
        uint64_t used = atomic_load_explicit(&r->slots[i].generation, memory_order_seq_cst);
        if (used != RECLAIM_OFFLINE && used < smallest)
            smallest = used;
    }
    return smallest;
}
