/* Any datagram as the answer to a fixed query: nothing is read outside it, counts stay below what
 * fits, an address is only "expected" where an answer was counted or a record was there. */
#include "base/invariant.h"
#include "observe/dnsprobe.h"
#include "wire/dns.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t name[] = "\x03www\x07"
                                  "example\x03"
                                  "com";
    struct dnsprobe p = {.type = DNS_A,
                         .name_length = sizeof name,
                         .has_expect = true,
                         .expect = {.bytes = {192, 0, 2, 5}, .family = IP_V4}};
    memcpy(p.name, name, sizeof name);
    struct dnsprobe_reply r = {.answers = 12345};
    int err = dnsprobe_read(&p, 77, data, size, &r);
    if (err)
        invariant(r.answers == 12345);
    else
        invariant(r.address_count <= r.answers && r.address_count <= DNSPROBE_ADDRESSES_MAX &&
                  r.answers <= size / 11 && r.rcode < 16 && (!r.expected || r.answers > 0));
    return 0;
}
