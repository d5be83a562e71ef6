/* A transfer on a stream: with its files. */
#pragma once

#include "model/snapshot_io.h"
#include "serve/dns/keyed.h"

struct transfer_stream {
    struct transfer *transfer;
    struct mapped zone, old;
};

/* Maps the files of the wish from DATA/store and begins. 0, or why a file cannot be had. */
must_check int transfer_stream_open(const char *data, const struct query *q,
                                    const struct query_context *ctx,
                                    const struct transfer_wish *wish, struct transfer_stream **ret);
void transfer_stream_close(struct transfer_stream *s);
