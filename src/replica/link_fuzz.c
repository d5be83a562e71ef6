/* Bytes of a peer, in parts as the fuzzer likes: the link never grows past its bounds. The first
 * byte says whether it is a guest, and how the rest is cut. */
#include "replica/link.h"

#include "base/invariant.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, enum mesh_channel channel, const uint8_t *data, size_t size)
{
    size_t *sum = context;
    invariant(channel != MESH_LINK && size > 0 && size <= link_message_max(channel));
    *sum += data[0] + data[size - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct link_self self = {.id = 1, .cluster = "cluster", .software = "1"};
    static uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    size_t sum = 0, given = 0;
    if (!size)
        return 0;
    struct link *l = link_new(&self, data[0] & 1 ? LINK_REQUEST_MAX : 0, 1);
    size_t step = 1 + (data[0] >> 1);
    for (size_t at = 1; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        if (link_receive(l, data + at, part, (usec_t)at, 1000 + (int64_t)at, take, &sum))
            break;
        const struct link_state state = {.applied = at};
        if (link_beat(l, &state, (usec_t)at, (int64_t)at))
            break;
    }
    while (link_give(l, chunk) && given++ < 1000)
        ;
    invariant(given < 1000);
    link_free(l);
    return 0;
}
