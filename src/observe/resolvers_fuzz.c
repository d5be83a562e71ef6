/* Any resolv.conf: never more resolvers than there is room for, never none. */
#include "base/invariant.h"
#include "observe/resolvers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolver list[RESOLVERS_MAX];
    uint32_t count = resolvers_parse((const char *)data, size, list);
    invariant(count >= 1 && count <= RESOLVERS_MAX);
    for (uint32_t i = 0; i < count; i++)
        invariant(list[i].port == RESOLVERS_PORT && list[i].ip.family < IP_FAMILIES);
    return 0;
}
