/* Who may begin a TLS handshake now: a share for each network, so that one which floods the port
 * uses up its own alone. A handshake costs some 0.2 ms (1 ms with an RSA key) before anything is
 * known of who is there; to be turned away costs some 10 us.
 *
 * Networks are /24 of IPv4 and /56 of IPv6, what one party commonly has. They share buckets by a
 * hash that nobody outside knows. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "base/time.h"

enum {
    ADMISSION_BUCKETS = 4096,
    ADMISSION_PER_S = 20, /* handshakes of one network */
    ADMISSION_BURST = 40,
};

struct admission {
    uint64_t seed;
    struct admission_bucket {
        usec_t credit, seen; /* credit: a second's worth is ADMISSION_PER_S handshakes */
    } buckets[ADMISSION_BUCKETS];
};

/* seed: random; the rest is zero to begin with. False: not now. */
bool admission_take(struct admission *a, const struct ip *from, usec_t now);
