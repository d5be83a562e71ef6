#include "http/admission.h"

#include "base/hash.h"

enum { NETWORK_V4 = 24, NETWORK_V6 = 56 };

bool admission_take(struct admission *a, const struct ip *from, usec_t now)
{
    const usec_t cost = USEC_PER_SEC / ADMISSION_PER_S, most = ADMISSION_BURST * cost;
    struct ip network = ip_mask(from, from->family == IP_V6 ? NETWORK_V6 : NETWORK_V4);
    uint64_t hash = hash64_seeded(network.bytes, ip_size(&network), a->seed + network.family);
    struct admission_bucket *b = &a->buckets[hash % ADMISSION_BUCKETS];
    usec_t passed = b->seen ? now - b->seen : most;
    b->seen = now;
    b->credit = passed >= most - b->credit ? most : b->credit + passed;
    if (b->credit < cost)
        return false;
    b->credit -= cost;
    return true;
}
