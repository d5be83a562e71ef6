/* Any bytes from another node: what is taken is what message_put() and request_put() give back, and
 * nothing is lost. The first byte says which decoder. */
#include "base/invariant.h"
#include "replica/message.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void raft_try(struct bytes data)
{
    struct raft_message m;
    struct text again = text_init(data.length + 100);
    if (message_take(data, &m))
        return;
    message_put(&m, &again);
    invariant(again.length == data.length);
    if (m.type == RAFT_IO_APPEND_ENTRIES)
        invariant(!memcmp(again.data, data.data, again.length));
    message_drop(&m);
    text_done(&again);
}

static void request_try(struct bytes data)
{
    struct request_frame f;
    struct text again = text_init(data.length + 100);
    if (request_take(data, &f))
        return;
    request_put(&f, &again);
    invariant(again.length == data.length && !memcmp(again.data, data.data, data.length));
    text_done(&again);
}

static void batch_try(struct bytes data)
{
    struct batch_item item;
    size_t position = 0, before = 0;
    while (batch_take(data, &position, &item) > 0) {
        invariant(position > before && position <= data.length);
        before = position;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct bytes rest = {data + 1, size - 1};
    if (data[0] % 3 == 0)
        raft_try(rest);
    else if (data[0] % 3 == 1)
        request_try(rest);
    else
        batch_try(rest);
    return 0;
}
