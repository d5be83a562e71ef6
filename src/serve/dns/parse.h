/* The reading half of query.h: header, question, EDNS. */
#pragma once

#include "serve/dns/query.h"

/* Fills everything of the query but zone and hash; q->course says how it goes on. */
void query_parse(struct query *q, const struct query_context *ctx);
