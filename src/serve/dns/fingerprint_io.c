#include "serve/dns/fingerprint_io.h"
#include "base/memory.h"
#include "seam/thread.h"
#include <stdlib.h>

/* Some 100 us each: spread evenly, and little is left to wait for at the end. */
enum { SEGMENT = 1 << 20 };

struct fingerprint {
    const struct mapped *file;
    struct hash128 *segments;
};

static void segment_take(void *context, unsigned i)
{
    const struct fingerprint *f = context;
    const uint8_t *from = f->file->data + (size_t)i * SEGMENT;
    size_t left = f->file->size - (size_t)i * SEGMENT;
    size_t length = left < SEGMENT ? left : SEGMENT;
    f->segments[i] = hash128(from, length);
}

/* The last segment's hash depends on its length, and the number of the others is theirs. */
struct hash128 fingerprint_take(const struct mapped *file, bool all_cores)
{
    unsigned count = (unsigned)((file->size + SEGMENT - 1) / SEGMENT);
    struct fingerprint f = {file, mem_new(count + (size_t)1, sizeof *f.segments)};
    if (all_cores)
        threads_spread(segment_take, &f, count);
    for (unsigned i = 0; i < count && !all_cores; i++)
        segment_take(&f, i);
    struct hash128 whole = hash128(f.segments, count * sizeof *f.segments);
    free(f.segments);
    return whole;
}
