#include "seam/clock.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "seam/disk.h"
#include <stdlib.h>
#include <time.h>

static usec_t clock_read(clockid_t id)
{
    struct timespec t;
    int failed = clock_gettime(id, &t);
    invariant(failed == 0);
    return (usec_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

usec_t clock_now(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

usec_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

uint64_t clock_boot_id(void)
{
    enum { UUID_LINE_MAX = 64 };
    char *line;
    size_t length;
    if (disk_read("/proc/sys/kernel/random/boot_id", UUID_LINE_MAX, &line, &length))
        return 0;
    uint64_t id = hash64(line, length);
    free(line);
    return id;
}
