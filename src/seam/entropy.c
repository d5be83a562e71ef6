#include "seam/entropy.h"

#include "base/invariant.h"
#include <errno.h>
#include <sys/random.h>

void entropy_fill(void *data, size_t size)
{
    uint8_t *at = (uint8_t *)data;
    while (size) {
        ssize_t n = getrandom(at, size, 0);
        invariant(n > 0 || errno == EINTR);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

uint64_t entropy_u64(void)
{
    uint64_t value;
    entropy_fill(&value, sizeof value);
    return value;
}
