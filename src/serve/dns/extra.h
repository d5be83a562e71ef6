/* What a response says beside the answer: EDNS options (NSID, cookies, extended errors) and the
 * CHAOS class. Nothing of it costs a query that does not ask for it. */
#pragma once

#include "serve/dns/answer.h"

/* Bits of query_edns.extras. */
enum query_extra {
    EXTRA_NSID = 1,
    EXTRA_COOKIE = 2,
    EXTRA_EDE = 4,
    EXTRA_KEEPALIVE = 8,
    EXTRA_PADDING = 16
};

/* RFC 8914 4: why, for who asked with EDNS. */
enum extended_error {
    EDE_STALE = 3,
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24,
    EDE_INVALID_TYPE = 30, /* RFC 9824 */
};

/* An option of a query. */
void extra_option(struct query_edns *e, uint16_t code, const uint8_t *value, size_t size);
/* Keeps what the policy grants; false: malformed (RFC 7873 5.2.2). */
bool extra_admit(struct query *q, const struct query_context *ctx);
static inline void extra_explain(struct query *q, enum extended_error why)
{
    if (q->edns.present) {
        q->edns.extras |= EXTRA_EDE;
        q->ede = (uint16_t)why;
    }
}

/* Is the client's cookie to be answered with BADCOOKIE? Notes whether it is good. */
bool extra_cookie_bad(struct query *q, const struct query_context *ctx);

/* What is explained where it turns out to be so. */
void extra_suppose(struct query *q, const struct query_context *ctx);
/* Bytes that the explanation wants. No answer is cut for them: they are not kept free. */
size_t extra_explanation(const struct query *q);
/* The answer is all but written: it is explained where it turned out so, and there is room. */
void extra_decide(struct query *q, struct answer *a);

/* Bytes of all of them in the OPT record, and the writing of them. padding: bytes more than that.
 */
size_t extra_size(const struct query *q, const struct query_context *ctx);
void extra_write(const struct query *q, const struct query_context *ctx, size_t padding,
                 uint8_t *to);
/* RFC 8467 4.1: over TLS, where the client pads, to a multiple of 468 bytes. total: bytes of the
 * message without; most: what there is room for. */
size_t extra_padding(const struct query *q, size_t total, size_t most);

/* A refused query of class CH: answered where the operator wants that (RFC 4892). */
void extra_chaos(const struct query *q, const struct query_context *ctx, struct answer *a);

/* Asks for the memory that extra_limit() will read of a name that is there. */
void extra_limit_prepare(const struct query *q, const struct query_context *ctx);
/* May a response that is all but written be sent? Streams and good cookies are never limited. */
enum limit_verdict extra_limit(const struct query *q, struct query_context *ctx,
                               const struct answer *a);

/* Who asked, a v4 address that came over a v6 socket as what it is (RFC 4291 2.5.5.2). */
struct ip extra_client(const struct query_client *client);
