/* Any bytes: what decodes encodes to something that decodes to as many records. The checksum is
 * made right first, so that changes reach what lies behind it. */
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_ledger.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { COUNT_AT = 12, CHECKSUM_AT = 16, HEAD = 24 };
    struct zone_ledger l, again;
    auto_free uint8_t *copy = mem_new(size + 1, 1);
    if (size)
        memcpy(copy, data, size);
    if (size >= HEAD) {
        uint32_t count;
        memcpy(&count, copy + COUNT_AT, sizeof count);
        uint64_t checksum = hash64_seeded(copy + HEAD, size - HEAD, count);
        memcpy(copy + CHECKSUM_AT, &checksum, sizeof checksum);
    }
    if (ledger_decode(copy, size, &l) < 0)
        return 0;
    size_t encoded_size;
    auto_free char *encoded = ledger_encode(&l, &encoded_size);
    int err = ledger_decode(encoded, encoded_size, &again);
    invariant(err == 0 && again.records.count == l.records.count);
    ledger_done(&l);
    ledger_done(&again);
    return 0;
}
