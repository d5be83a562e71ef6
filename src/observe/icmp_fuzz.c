/* Any bytes from the network: nothing is read outside them, and only what carries a cookie counts
 * as a reply. The first byte chooses family and header. */
#include "base/invariant.h"
#include "observe/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum ip_family family = data[0] & 1 ? IP_V6 : IP_V4;
    struct icmp_echo echo = {.serial = 1};
    struct ip to = {.family = 9};
    enum icmp_kind kind =
        icmp_read(family, family == IP_V4 && data[0] & 2, data + 1, size - 1, &echo, &to);
    if (kind == ICMP_REPLY)
        invariant(echo.has_cookie && to.family == 9);
    if (kind == ICMP_UNREACHABLE)
        invariant(to.family == family);
    if (kind == ICMP_FOREIGN)
        invariant(echo.serial == 1 && to.family == 9);
    return 0;
}
