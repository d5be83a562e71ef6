/* Messages that are more than a plain question: signed with TSIG (RFC 8945), or for a transfer. */
#pragma once

#include "serve/dns/transfer.h"

/* The response to a query of QUERY_KEYED that is answered at once: as query_finish(). */
size_t keyed_answer(struct query *q, struct query_context *ctx, uint8_t *response,
                    size_t response_size);

/* Does it ask for a transfer over a stream? Then instead of query_finish(): */
bool keyed_is_transfer(const struct query *q);
/* 0 and *ret_wish: stream it; else the length of a response that refuses. */
size_t keyed_transfer(struct query *q, struct query_context *ctx, uint8_t *response,
                      size_t response_size, struct transfer_wish *ret_wish);
/* The response to a wish that could not be fulfilled after all. */
size_t keyed_fail(const struct query *q, const struct query_context *ctx,
                  struct transfer_wish *wish, enum dns_rcode rcode, uint8_t *response,
                  size_t response_size);
