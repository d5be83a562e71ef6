/* What bounds the streams of a kind (TCP, TLS), over all threads. */
#pragma once

#include "base/time.h"
#include <stddef.h>
#include <stdint.h>

struct stream_limits {
    uint32_t clients;             /* most at once */
    uint32_t clients_each;        /* of one client; 0: no limit */
    uint8_t client_v4, client_v6; /* length of the prefix that is one client */
    usec_t idle;                  /* without a whole message for so long a stream is closed */
    usec_t patience;              /* who takes nothing of what is sent for so long is closed */
    uint64_t memory;              /* bytes of what is not whole, and of what is not taken */
    uint32_t handshakes;          /* streams taken a second; 0: no limit */
};
