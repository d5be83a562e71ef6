/* Messages that the name server passes on to control (UPDATE, NOTIFY) and their answers: one frame
 * a packet on a unix SOCK_SEQPACKET socket of the node.
 *
 *   request  u64 token | u8 transport | u8 family | u16 port | 16 bytes address | message
 *   answer   u64 token | message
 *
 * All big-endian. The token is the name server's own; control gives it back. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/ip.h"
#include "wire/dns.h"

enum {
    RELAY_REQUEST_HEAD = 28,
    RELAY_ANSWER_HEAD = 8,
    RELAY_FRAME_MAX = RELAY_REQUEST_HEAD + DNS_MESSAGE_MAX,
};
#define RELAY_SOCKET "relay.sock" /* in DATA/run */

struct relay_request {
    uint64_t token;
    bool stream; /* came over TCP or TLS: the answer may be long */
    struct ip client;
    uint16_t port;
    struct bytes message;
};

/* The head in front of the message, which follows it. */
void relay_request_head(const struct relay_request *r, uint8_t ret[static RELAY_REQUEST_HEAD]);
/* Views the frame. ERR_TRUNCATED, ERR_INVALID, ERR_LIMIT. */
must_check int relay_request_parse(const uint8_t *frame, size_t length, struct relay_request *ret);

void relay_answer_head(uint64_t token, uint8_t ret[static RELAY_ANSWER_HEAD]);
must_check int relay_answer_parse(const uint8_t *frame, size_t length, uint64_t *ret_token,
                                  struct bytes *ret_message);
