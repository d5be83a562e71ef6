/* Any bytes from the name server, which outside bytes may have taken over: what is taken lies in
 * the frame, and is written as it came. */
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/dns.h"
#include "wire/relay.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message_check(struct bytes message, const uint8_t *frame, size_t size)
{
    invariant(message.data > frame && message.data + message.length == frame + size);
    invariant(message.length >= DNS_HEADER_SIZE && message.length <= DNS_MESSAGE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct relay_request q;
    struct bytes message;
    uint64_t token;
    if (!relay_request_parse(data, size, &q)) {
        uint8_t head[RELAY_REQUEST_HEAD];
        message_check(q.message, data, size);
        invariant(q.client.family < IP_FAMILIES);
        relay_request_head(&q, head);
        struct relay_request again;
        uint8_t *frame = mem_new(1, size);
        memcpy(frame, data, size);
        memcpy(frame, head, sizeof head);
        int err = relay_request_parse(frame, size, &again);
        invariant(err == 0 && again.token == q.token && again.stream == q.stream &&
                  again.port == q.port && ip_equal(&again.client, &q.client));
        free(frame);
    }
    if (!relay_answer_parse(data, size, &token, &message)) {
        uint8_t head[RELAY_ANSWER_HEAD];
        message_check(message, data, size);
        relay_answer_head(token, head);
        invariant(!memcmp(head, data, sizeof head));
    }
    return 0;
}
