#include "base/invariant.h"
#include "transfer/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing passes for the answer to a signed message but what was signed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsig_key key = {
        .name = "\1k", .algorithm = TSIG_SHA256, .secret = "ABC", .secret_length = 3};
    struct tsig_session plain = {0}, keyed = {.key = &key};
    uint8_t wire[NOTIFY_SIZE_MAX];
    unsigned rcode = 0;
    uint16_t id = size > 1 ? (uint16_t)(data[0] << 8 | data[1]) : 0;
    if (notify_answered(data, size, id, &plain, 0, &rcode))
        invariant(size >= 12 && rcode < 16);
    invariant(notify_write(id, (const uint8_t *)"\3com", &keyed, 1700000000, wire) > 0);
    uint32_t serial;
    if (notify_serial(data, size, (const uint8_t *)"\7example\3com", &serial))
        invariant(size > 12 + 22);
    invariant(!notify_answered(data, size, id, &keyed, 1700000000, &rcode));
    return 0;
}
