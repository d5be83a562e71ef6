#include "wire/relay.h"
#include "base/err.h"
#include "base/invariant.h"

static void token_write(struct writer *w, uint64_t token)
{
    writer_u32(w, (uint32_t)(token >> 32));
    writer_u32(w, (uint32_t)token);
}

static uint64_t token_read(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}

static int message_take(struct reader *r, struct bytes *ret)
{
    size_t left = reader_left(r);
    if (r->failed || left < DNS_HEADER_SIZE)
        return ERR_TRUNCATED;
    if (left > DNS_MESSAGE_MAX)
        return ERR_LIMIT;
    *ret = (struct bytes){r->data + r->position, left};
    return 0;
}

void relay_request_head(const struct relay_request *r, uint8_t ret[static RELAY_REQUEST_HEAD])
{
    struct writer w = writer_init(ret, RELAY_REQUEST_HEAD);
    token_write(&w, r->token);
    writer_u8(&w, r->stream);
    writer_u8(&w, r->client.family);
    writer_u16(&w, r->port);
    writer_bytes(&w, r->client.bytes, sizeof r->client.bytes);
    invariant(!w.failed && w.position == RELAY_REQUEST_HEAD);
}

int relay_request_parse(const uint8_t *frame, size_t length, struct relay_request *ret)
{
    struct reader r = reader_init(frame, length);
    struct relay_request q = {.token = token_read(&r)};
    uint8_t stream = reader_u8(&r);
    q.client.family = reader_u8(&r);
    q.port = reader_u16(&r);
    const uint8_t *address = reader_take(&r, sizeof q.client.bytes);
    int err = message_take(&r, &q.message);
    if (err)
        return err;
    if (stream > 1 || q.client.family >= IP_FAMILIES)
        return ERR_INVALID;
    q.stream = stream;
    memcpy(q.client.bytes, address, ip_size(&q.client));
    *ret = q;
    return 0;
}

void relay_answer_head(uint64_t token, uint8_t ret[static RELAY_ANSWER_HEAD])
{
    struct writer w = writer_init(ret, RELAY_ANSWER_HEAD);
    token_write(&w, token);
    invariant(!w.failed);
}

int relay_answer_parse(const uint8_t *frame, size_t length, uint64_t *ret_token,
                       struct bytes *ret_message)
{
    struct reader r = reader_init(frame, length);
    uint64_t token = token_read(&r);
    int err = message_take(&r, ret_message);
    if (!err)
        *ret_token = token;
    return err;
}
