#include "replica/message.h"

#include "base/err.h"
#include "replica/membership.h"
#include "replica/record.h"
#include "replica/vault_parts.h"
#include "replica/word.h"
#include <string.h>

enum { VERSION = 1, BATCH_VERSION = 1, HEAD_MAX = 64, ENTRY_HEAD = 13 };

static void put(struct text *out, const struct writer *w)
{
    text_append_bytes(out, w->data, w->position);
}

/* ---- out ---- */

static void append_put(const struct raft_append_entries *a, struct writer *w, struct text *out)
{
    word_put(w, a->term);
    word_put(w, a->prev_log_index);
    word_put(w, a->prev_log_term);
    word_put(w, a->leader_commit);
    writer_u32(w, a->n_entries);
    put(out, w);
    for (unsigned i = 0; i < a->n_entries; i++) {
        w->position = 0;
        word_put(w, a->entries[i].term);
        writer_u8(w, (uint8_t)a->entries[i].type);
        writer_u32(w, (uint32_t)a->entries[i].buf.len);
        put(out, w);
        text_append_bytes(out, a->entries[i].buf.base, a->entries[i].buf.len);
    }
}

static void snapshot_put(const struct raft_install_snapshot *s, struct writer *w, struct text *out)
{
    word_put(w, s->term);
    word_put(w, s->last_index);
    word_put(w, s->last_term);
    word_put(w, s->conf_index);
    writer_u32(w, (uint32_t)s->data.len);
    put(out, w);
    membership_put(&s->conf, out);
    text_append_bytes(out, s->data.base, s->data.len);
}

static void small_put(const struct raft_message *m, struct writer *w)
{
    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        word_put(w, m->append_entries_result.term);
        word_put(w, m->append_entries_result.rejected);
        word_put(w, m->append_entries_result.last_log_index);
        break;
    case RAFT_IO_REQUEST_VOTE:
        word_put(w, m->request_vote.term);
        word_put(w, m->request_vote.candidate_id);
        word_put(w, m->request_vote.last_log_index);
        word_put(w, m->request_vote.last_log_term);
        writer_u8(w, m->request_vote.disrupt_leader);
        writer_u8(w, m->request_vote.pre_vote);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        word_put(w, m->request_vote_result.term);
        writer_u8(w, m->request_vote_result.vote_granted);
        writer_u8(w, (uint8_t)m->request_vote_result.pre_vote);
        break;
    default:
        word_put(w, m->timeout_now.term);
        word_put(w, m->timeout_now.last_log_index);
        word_put(w, m->timeout_now.last_log_term);
        break;
    }
}

void message_put(const struct raft_message *m, struct text *out)
{
    uint8_t head[HEAD_MAX];
    struct writer w = writer_init(head, sizeof head);
    writer_u8(&w, VERSION);
    writer_u8(&w, (uint8_t)m->type);
    if (m->type == RAFT_IO_APPEND_ENTRIES) {
        append_put(&m->append_entries, &w, out);
    } else if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
        snapshot_put(&m->install_snapshot, &w, out);
    } else {
        small_put(m, &w);
        put(out, &w);
    }
}

/* ---- in ---- */

/* libraft wants all entries of a message in one piece of memory. */
static int entries_take(struct reader *r, struct raft_append_entries *a)
{
    struct reader ahead = *r;
    size_t total = 0;
    for (unsigned i = 0; i < a->n_entries; i++) {
        (void)reader_take(&ahead, ENTRY_HEAD - 4);
        size_t size = reader_u32(&ahead);
        if (!reader_take(&ahead, size) || size > RECORD_PAYLOAD_MAX)
            return ERR_INVALID;
        total += (size + 7) / 8 * 8;
    }
    if (!a->n_entries)
        return 0;
    a->entries = vault_memory(a->n_entries * sizeof *a->entries);
    char *batch = vault_memory(total);
    size_t at = 0;
    for (unsigned i = 0; i < a->n_entries; i++) {
        struct raft_entry *e = &a->entries[i];
        *e = (struct raft_entry){.term = word_take(r), .batch = batch};
        e->type = reader_u8(r);
        e->buf = (struct raft_buffer){batch + at, reader_u32(r)};
        if (e->buf.len)
            memcpy(e->buf.base, reader_take(r, e->buf.len), e->buf.len);
        at += (e->buf.len + 7) / 8 * 8;
    }
    return 0;
}

/* Terms never fall along a log, and entries are of kinds that we know. */
static bool entries_are_good(const struct raft_append_entries *a)
{
    raft_term term = a->prev_log_term;
    for (unsigned i = 0; i < a->n_entries; i++) {
        const struct raft_entry *e = &a->entries[i];
        struct raft_configuration c;
        if (e->term < term || e->term > a->term || e->type < RAFT_COMMAND || e->type > RAFT_CHANGE)
            return false;
        if (e->type == RAFT_CHANGE) {
            if (membership_of_entry(&e->buf, &c))
                return false;
            raft_configuration_close(&c);
        }
        term = e->term;
    }
    return true;
}

static void entries_free(struct raft_append_entries *a)
{
    if (a->n_entries)
        raft_free(a->entries[0].batch);
    raft_free(a->entries);
}

static int append_take(struct reader *r, struct raft_append_entries *a)
{
    a->term = word_take(r);
    a->prev_log_index = word_take(r);
    a->prev_log_term = word_take(r);
    a->leader_commit = word_take(r);
    a->n_entries = reader_u32(r);
    if (r->failed || a->n_entries > MESSAGE_ENTRIES_MAX || entries_take(r, a))
        return ERR_INVALID;
    if (!reader_left(r) && entries_are_good(a))
        return 0;
    entries_free(a);
    return ERR_INVALID;
}

static int snapshot_take(struct reader *r, struct raft_install_snapshot *s)
{
    s->term = word_take(r);
    s->last_index = word_take(r);
    s->last_term = word_take(r);
    s->conf_index = word_take(r);
    s->data.len = reader_u32(r);
    if (r->failed || !s->last_index || membership_take(r, &s->conf))
        return ERR_INVALID;
    const uint8_t *data = reader_take(r, s->data.len);
    if (!data || reader_left(r)) {
        raft_configuration_close(&s->conf);
        return ERR_INVALID;
    }
    s->data.base = vault_memory(s->data.len);
    if (s->data.len)
        memcpy(s->data.base, data, s->data.len);
    return 0;
}

static int small_take(struct reader *r, struct raft_message *m)
{
    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        m->append_entries_result.term = word_take(r);
        m->append_entries_result.rejected = word_take(r);
        m->append_entries_result.last_log_index = word_take(r);
        break;
    case RAFT_IO_REQUEST_VOTE:
        m->request_vote.term = word_take(r);
        m->request_vote.candidate_id = word_take(r);
        m->request_vote.last_log_index = word_take(r);
        m->request_vote.last_log_term = word_take(r);
        m->request_vote.disrupt_leader = reader_u8(r);
        m->request_vote.pre_vote = reader_u8(r);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        m->request_vote_result.term = word_take(r);
        m->request_vote_result.vote_granted = reader_u8(r);
        m->request_vote_result.pre_vote = reader_u8(r) % 3;
        break;
    case RAFT_IO_TIMEOUT_NOW:
        m->timeout_now.term = word_take(r);
        m->timeout_now.last_log_index = word_take(r);
        m->timeout_now.last_log_term = word_take(r);
        break;
    default:
        return ERR_INVALID;
    }
    return r->failed || reader_left(r) ? ERR_INVALID : 0;
}

int message_take(struct bytes data, struct raft_message *ret)
{
    struct reader r = reader_init(data.data, data.length);
    struct raft_message m = {0};
    int err = reader_u8(&r) == VERSION ? 0 : ERR_INVALID;
    m.type = reader_u8(&r);
    if (err)
        return err;
    if (m.type == RAFT_IO_APPEND_ENTRIES)
        err = append_take(&r, &m.append_entries);
    else if (m.type == RAFT_IO_INSTALL_SNAPSHOT)
        err = snapshot_take(&r, &m.install_snapshot);
    else
        err = small_take(&r, &m);
    if (!err)
        *ret = m;
    return err;
}

void message_drop(struct raft_message *m)
{
    if (m->type == RAFT_IO_APPEND_ENTRIES)
        entries_free(&m->append_entries);
    if (m->type != RAFT_IO_INSTALL_SNAPSHOT)
        return;
    raft_configuration_close(&m->install_snapshot.conf);
    raft_free(m->install_snapshot.data.base);
}

/* ---- requests ---- */

void request_put(const struct request_frame *f, struct text *out)
{
    uint8_t head[HEAD_MAX];
    struct writer w = writer_init(head, sizeof head);
    writer_u8(&w, VERSION);
    writer_u8(&w, (uint8_t)f->kind);
    word_put(&w, f->number);
    writer_u32(&w, (uint32_t)f->err);
    word_put(&w, f->index);
    put(out, &w);
    text_append_bytes(out, f->data.data, f->data.length);
}

int request_take(struct bytes data, struct request_frame *ret)
{
    struct reader r = reader_init(data.data, data.length);
    uint8_t version = reader_u8(&r);
    struct request_frame f = {.kind = reader_u8(&r), .number = word_take(&r)};
    f.err = (int)reader_u32(&r);
    f.index = word_take(&r);
    f.data.length = reader_left(&r);
    f.data.data = reader_take(&r, f.data.length);
    if (r.failed || version != VERSION || f.kind < REQUEST_ASK || f.kind > REQUEST_ANEW ||
        f.err > 0 ||
        f.data.length > (f.kind == REQUEST_ASK ? MESSAGE_REQUEST_MAX : MESSAGE_SENTENCE_MAX))
        return ERR_INVALID;
    *ret = f;
    return 0;
}

/* ---- entries ---- */

void batch_put(const struct batch_item *items, unsigned count, struct text *out)
{
    uint8_t head[HEAD_MAX] = {BATCH_VERSION};
    text_append_bytes(out, head, 1);
    for (unsigned i = 0; i < count; i++) {
        struct writer w = writer_init(head, sizeof head);
        word_put(&w, (uint64_t)items[i].wall_ms);
        writer_u32(&w, (uint32_t)items[i].data.length);
        put(out, &w);
        text_append_bytes(out, items[i].data.data, items[i].data.length);
    }
}

int batch_take(struct bytes data, size_t *position, struct batch_item *ret)
{
    struct reader r = reader_init(data.data, data.length);
    r.position = *position;
    if (!*position && reader_u8(&r) != BATCH_VERSION)
        return ERR_INVALID;
    if (!r.failed && !reader_left(&r))
        return 0;
    struct batch_item item = {.wall_ms = (int64_t)word_take(&r)};
    item.data.length = reader_u32(&r);
    item.data.data = reader_take(&r, item.data.length);
    if (r.failed)
        return ERR_INVALID;
    *position = r.position;
    *ret = item;
    return 1;
}
