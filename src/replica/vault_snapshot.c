/* Snapshots: everything that the log said up to an index, and who belonged to the cluster then. */
#include "replica/vault_parts.h"

#include "base/err.h"
#include "base/hash.h"
#include "replica/membership.h"
#include "replica/word.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* magic u32 | version u32 | checksum u64 of what follows
 * index u64 | term u64 | configuration's index u64 | its length u32, and it | length u32, and data
 */
enum { MAGIC = 0x48465353 /* "HFSS" */, VERSION = 1, SUMMED_FROM = 16 };

static void number_put(struct text *out, uint64_t number, unsigned bytes)
{
    uint8_t raw[8];
    struct writer w = writer_init(raw, sizeof raw);
    word_put(&w, number);
    text_append_bytes(out, raw + 8 - bytes, bytes);
}

static void snapshot_put(const struct vault_snapshot *s, struct text *out)
{
    struct text body = text_init(out->max), members = text_init(out->max);
    membership_put(&s->configuration, &members);
    number_put(&body, s->index, 8);
    number_put(&body, s->term, 8);
    number_put(&body, s->configuration_index, 8);
    number_put(&body, members.length, 4);
    text_append_bytes(&body, members.data, members.length);
    number_put(&body, s->data.len, 4);
    text_append_bytes(&body, s->data.base, s->data.len);
    number_put(out, MAGIC, 4);
    number_put(out, VERSION, 4);
    number_put(out, body.failed ? 0 : hash64(body.data, body.length), 8);
    text_append_bytes(out, text_string(&body), body.length);
    out->failed |= body.failed || members.failed;
    text_done(&body);
    text_done(&members);
}

static int snapshot_take(const void *data, size_t size, struct raft_snapshot *ret)
{
    struct reader r = reader_init(data, size);
    if (reader_u32(&r) != MAGIC || reader_u32(&r) != VERSION)
        return ERR_VERSION;
    uint64_t sum = word_take(&r);
    if (r.failed || sum != hash64((const uint8_t *)data + SUMMED_FROM, size - SUMMED_FROM))
        return ERR_CHECKSUM;
    ret->index = word_take(&r);
    ret->term = word_take(&r);
    ret->configuration_index = word_take(&r);
    size_t length = reader_u32(&r);
    const uint8_t *members = reader_take(&r, length);
    size_t content_size = reader_u32(&r);
    const uint8_t *content = reader_take(&r, content_size);
    struct reader inner = reader_init(members, r.failed ? 0 : length);
    if (r.failed || reader_left(&r) || membership_take(&inner, &ret->configuration))
        return ERR_INVALID;
    ret->bufs = vault_memory(sizeof *ret->bufs);
    ret->n_bufs = 1;
    ret->bufs[0].base = vault_memory(content_size);
    ret->bufs[0].len = content_size;
    if (content_size)
        memcpy(ret->bufs[0].base, content, content_size);
    return 0;
}

int vault_snapshot_read(const struct replica_disk *disk, uint64_t index, struct raft_snapshot **ret)
{
    char name[VAULT_NAME_MAX], *data;
    size_t size;
    struct raft_snapshot *s = vault_memory(sizeof *s);
    *s = (struct raft_snapshot){0};
    int err = disk->read(disk->context, vault_snapshot_name(index, name), VAULT_SNAPSHOT_MAX, &data,
                         &size);
    if (!err) {
        err = snapshot_take(data, size, s);
        err = err ? err : s->index == index ? 0 : ERR_INVALID;
        free(data);
    }
    if (err)
        vault_snapshot_free(s);
    else
        *ret = s;
    return err;
}

void vault_snapshot_free(struct raft_snapshot *s)
{
    if (!s)
        return;
    raft_configuration_close(&s->configuration);
    for (unsigned i = 0; i < s->n_bufs; i++)
        raft_free(s->bufs[i].base);
    raft_free(s->bufs);
    raft_free(s);
}

/* Segments whose entries are all replaced by a snapshot go; never the newest. */
static int segments_drop(struct vault *s, uint64_t below)
{
    char name[VAULT_NAME_MAX];
    size_t gone = 0;
    int err = 0;
    while (gone + 1 < s->segment_count && s->segments[gone].highest < below && !err)
        err =
            s->disk->remove(s->disk->context, vault_segment_name(s->segments[gone++].number, name));
    s->segment_count -= gone;
    memmove(s->segments, s->segments + gone, s->segment_count * sizeof *s->segments);
    return err;
}

/* The two newest stay: a damaged one must not be the only one. */
static int snapshots_note(struct vault *s, uint64_t index)
{
    char name[VAULT_NAME_MAX];
    uint64_t oldest = s->snapshots[1];
    if (s->snapshots[0] == index)
        return 0;
    s->snapshots[1] = s->snapshots[0];
    s->snapshots[0] = index;
    if (!oldest || oldest == index)
        return 0;
    int err = s->disk->remove(s->disk->context, vault_snapshot_name(oldest, name));
    return err == -ENOENT ? 0 : err;
}

int vault_snapshot_put(struct vault *s, const struct vault_snapshot *snapshot, unsigned trailing)
{
    char name[VAULT_NAME_MAX];
    struct text bytes = text_init(VAULT_SNAPSHOT_MAX), none = text_init(1);
    /* Where there is a snapshot there is a segment: one that is missing is noticed. */
    int err = s->segment_count ? 0 : vault_segment_begin(s, RECORD_HEAD, 0, 0, &none);
    snapshot_put(snapshot, &bytes);
    if (!err)
        err = bytes.failed
                  ? ERR_LIMIT
                  : s->disk->replace(s->disk->context, vault_snapshot_name(snapshot->index, name),
                                     bytes.data, bytes.length);
    text_done(&bytes);
    if (!err && !trailing) {
        err = vault_segment_begin(s, RECORD_RESET, snapshot->index, snapshot->term, &none);
        s->last = snapshot->index;
    }
    err = err ? err : snapshots_note(s, snapshot->index);
    /* the older snapshot needs the log from where it ends: what it would take stays */
    uint64_t keep =
        trailing ? snapshot->index - (snapshot->index < trailing ? snapshot->index : trailing)
                 : UINT64_MAX;
    if (trailing && s->snapshots[1] && s->snapshots[1] < keep)
        keep = s->snapshots[1];
    return err ? err : segments_drop(s, keep);
}

int vault_snapshot_get(struct vault *s, struct raft_snapshot **ret)
{
    if (!s->snapshots[0])
        return ERR_MISSING;
    return vault_snapshot_read(s->disk, s->snapshots[0], ret);
}
