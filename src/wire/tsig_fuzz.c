#include "base/err.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/tsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that is found lies in the message; only a MAC made with the key passes (and the fuzzer
 * cannot make one but by the corpus); what is then signed verifies. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t reply[DNS_MESSAGE_MAX];
    struct tsig_key key = {.name = "\010transfer\007example"};
    struct tsig_session s = {0};
    struct tsig t;
    if (size > DNS_MESSAGE_MAX || tsig_find(data, size, &t))
        return 0;
    invariant(t.offset >= DNS_HEADER_SIZE && t.offset < size);
    invariant(t.mac.data + t.mac.length <= data + size && t.other.data <= data + size);
    for (unsigned i = 0; i < TSIG_ALGORITHMS; i++) {
        key.algorithm = (uint8_t)i;
        if (tsig_secret_parse("c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh", &key))
            return 0;
        int err = tsig_request_verify(&s, &key, data, &t, t.time);
        memcpy(reply, data, t.offset);
        if (!err)
            invariant(tsig_sign(&s, reply, t.offset, sizeof reply, 1) != ERR_SYNTAX);
        else if (err > 0 && !s.key)
            invariant(tsig_refuse(&s, &t, reply, t.offset, sizeof reply) != 0);
    }
    return 0;
}
