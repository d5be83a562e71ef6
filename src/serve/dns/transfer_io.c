#include "serve/dns/transfer_io.h"
#include "base/err.h"
#include "base/memory.h"
#include <stdlib.h>

/* A served zone was checked when its plan came; an earlier version is checked now. */
static int zone_map(const char *data, uint64_t hash, bool served, struct mapped *ret_file,
                    struct zone *ret_zone)
{
    int err = store_map(data, PLAN_FILE_ZONE, hash, ret_file);
    if (err)
        return err;
    err = served ? zone_open_trusted(ret_file->data, ret_file->size, ret_zone)
                 : zone_open(ret_file->data, ret_file->size, ret_zone);
    return err ? err : ret_zone->header->checksum == hash ? 0 : ERR_CHECKSUM;
}

static bool is_served(const struct query *q, uint64_t hash)
{
    const struct served_zone *z =
        served_zone_find(q->served, q->name, q->name_length, q->labels, q->labels);
    return z && z->zone.header->checksum == hash;
}

int transfer_stream_open(const char *data, const struct query *q, const struct query_context *ctx,
                         const struct transfer_wish *wish, struct transfer_stream **ret)
{
    struct transfer_stream *s = mem_new(1, sizeof *s);
    struct zone zone, old;
    bool difference = wish->kind == TRANSFER_DIFFERENCE;
    int err = zone_map(data, wish->hash, is_served(q, wish->hash), &s->zone, &zone);
    if (!err && difference)
        err = zone_map(data, wish->old, false, &s->old, &old);
    if (err) {
        transfer_stream_close(s);
        return err;
    }
    s->transfer = transfer_new(q, ctx, wish, &zone, difference ? &old : NULL);
    *ret = s;
    return 0;
}

void transfer_stream_close(struct transfer_stream *s)
{
    if (!s)
        return;
    transfer_free(s->transfer);
    if (s->zone.data)
        mapped_close(&s->zone);
    if (s->old.data)
        mapped_close(&s->old);
    free(s);
}
