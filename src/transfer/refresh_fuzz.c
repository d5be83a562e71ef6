/* Any datagram as a primary's answer to what serial it has. The first byte says whether a key is
 * used; what is not signed with it does not count, and costs the true answer nothing. */
#include "base/invariant.h"
#include "base/memory.h"
#include "transfer/refresh.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 0x1234, NOW = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zone[] = "\7example\3com";
    static const struct tsig_key key = {
        .name = "\1k", .algorithm = TSIG_SHA256, .secret = "ABC", .secret_length = 3};
    uint8_t asked[REFRESH_SIZE_MAX];
    uint32_t serial = 0;
    if (!size)
        return 0;
    struct tsig_session session = {.key = data[0] & 1 ? &key : NULL};
    int length = refresh_write(ID, zone, &session, NOW, asked);
    invariant(length > 0 && length <= REFRESH_SIZE_MAX);
    struct tsig_session before = session;
    uint8_t *wire = mem_new(1, size); /* reads past it are seen */
    memcpy(wire, data + 1, size - 1);
    int err = refresh_answered(wire, size - 1, ID, zone, &session, NOW, &serial);
    invariant(err <= 0);
    invariant(err || !session.key); /* nobody here can sign */
    invariant(!memcmp(&before, &session, sizeof session));
    free(wire);
    return 0;
}
