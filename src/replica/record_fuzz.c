/* Any bytes as a segment: every record that is found is one that record_put() gives back. */
#include "base/invariant.h"
#include "replica/record.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record r;
    size_t position = 0, before = 0;
    struct bytes all = {data, size};
    int got;
    while ((got = record_take(all, SEGMENT, &position, &r)) > 0) {
        struct text again = text_init(size + RECORD_HEADER);
        record_put(&r, SEGMENT, &again);
        invariant(again.length == position - before);
        invariant(!memcmp(again.data, data + before, RECORD_HEADER + r.size));
        before = position;
        text_done(&again);
    }
    if (got < 0)
        (void)record_is_torn(all, SEGMENT, position);
    return 0;
}
