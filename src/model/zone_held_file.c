#include "model/zone_held_file.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include <stdlib.h>

enum { MAGIC_SIZE = 8, CHECKSUM_SIZE = 8, BODY_HEAD = 12 };
static const char base_magic[MAGIC_SIZE] = {'H', 'F', 'H', 'E', 'L', 'D', '\r', '\n'};
static const char journal_magic[MAGIC_SIZE] = {'H', 'F', 'J', 'O', 'U', 'R', 'N', '\n'};

/* ---- the base ---- */

static uint64_t base_checksum(const uint8_t *data, size_t size)
{
    uint64_t head = hash64(data, HELD_BASE_HEAD - CHECKSUM_SIZE);
    return hash64_seeded(data + HELD_BASE_HEAD, size - HELD_BASE_HEAD, head);
}

uint8_t *held_base_encode(const struct held_content *c, const struct held_list *records,
                          const struct held_base *head, size_t *ret_size)
{
    size_t body = c->origin_length + records->length, size = HELD_BASE_HEAD + body;
    uint8_t *data = mem_new(size, 1);
    struct writer w = writer_init(data, size);
    writer_bytes(&w, base_magic, MAGIC_SIZE);
    writer_u32(&w, HELD_VERSION);
    writer_u32(&w, c->serial);
    writer_u64(&w, head->generation);
    writer_u64(&w, head->source);
    writer_u32(&w, records->count);
    writer_u32(&w, c->origin_length);
    writer_u64(&w, body);
    size_t checksum = w.position;
    writer_u64(&w, 0);
    invariant(w.position == HELD_BASE_HEAD);
    writer_bytes(&w, c->origin, c->origin_length);
    writer_bytes(&w, records->data, records->length);
    invariant(!w.failed && w.position == size);
    struct writer at = writer_init(data + checksum, CHECKSUM_SIZE);
    writer_u64(&at, base_checksum(data, size));
    *ret_size = size;
    return data;
}

int held_base_decode(const void *data, size_t size, struct held_base *ret)
{
    struct reader r = reader_init(data, size);
    struct held_base b = {0};
    const uint8_t *magic = reader_take(&r, MAGIC_SIZE);
    uint32_t version = reader_u32(&r);
    b.serial = reader_u32(&r);
    b.generation = reader_u64(&r);
    b.source = reader_u64(&r);
    b.record_count = reader_u32(&r);
    uint32_t origin_length = reader_u32(&r);
    uint64_t body = reader_u64(&r), checksum = reader_u64(&r);
    if (r.failed)
        return ERR_TRUNCATED;
    if (memcmp(magic, base_magic, MAGIC_SIZE) != 0)
        return ERR_MAGIC;
    if (version != HELD_VERSION)
        return ERR_VERSION;
    if (body != reader_left(&r))
        return ERR_TRUNCATED;
    if (checksum != base_checksum(data, size))
        return ERR_CHECKSUM;
    const uint8_t *origin = origin_length <= DNAME_MAX ? reader_take(&r, origin_length) : NULL;
    if (!origin || !origin_length || dname_check(origin, origin_length) != (int)origin_length)
        return ERR_BOUNDS;
    memcpy(b.origin, origin, origin_length);
    b.records = (struct bytes){r.data + r.position, reader_left(&r)};
    *ret = b;
    return 0;
}

/* ---- the journal ---- */

void held_journal_head(const struct held_journal *j, uint8_t ret_head[static HELD_JOURNAL_HEAD])
{
    struct writer w = writer_init(ret_head, HELD_JOURNAL_HEAD);
    writer_bytes(&w, journal_magic, MAGIC_SIZE);
    writer_u32(&w, HELD_VERSION);
    writer_u32(&w, 0);
    writer_u64(&w, j->generation);
    writer_u64(&w, j->salt);
    writer_u64(&w, hash64(ret_head, HELD_JOURNAL_HEAD - CHECKSUM_SIZE));
    invariant(!w.failed && w.position == HELD_JOURNAL_HEAD);
}

int held_journal_decode(const void *data, size_t size, struct held_journal *ret)
{
    struct reader r = reader_init(data, size);
    struct held_journal j = {.length = HELD_JOURNAL_HEAD};
    const uint8_t *magic = reader_take(&r, MAGIC_SIZE);
    uint32_t version = reader_u32(&r), reserved = reader_u32(&r);
    j.generation = reader_u64(&r);
    j.salt = reader_u64(&r);
    uint64_t checksum = reader_u64(&r);
    if (r.failed)
        return ERR_TRUNCATED;
    if (memcmp(magic, journal_magic, MAGIC_SIZE) != 0)
        return ERR_MAGIC;
    if (version != HELD_VERSION || reserved)
        return ERR_VERSION;
    if (checksum != hash64(data, HELD_JOURNAL_HEAD - CHECKSUM_SIZE))
        return ERR_CHECKSUM;
    *ret = j;
    return 0;
}

/* Nobody who sends us records knows it, so looking for entries is quick. */
static uint32_t entry_mark(uint64_t salt)
{
    return (uint32_t)(salt >> 32);
}

struct entry {
    uint64_t number;
    struct bytes body;
    size_t size; /* with its head */
};

static uint64_t entry_checksum(uint64_t salt, const uint8_t *head, struct bytes body)
{
    uint64_t seed = hash64_seeded(head, HELD_ENTRY_HEAD - CHECKSUM_SIZE, salt);
    return hash64_seeded(body.data, body.length, seed);
}

/* Is there a whole entry here? */
static bool entry_read(const uint8_t *data, size_t size, uint64_t salt, struct entry *ret)
{
    struct reader r = reader_init(data, size);
    uint32_t mark = reader_u32(&r), length = reader_u32(&r);
    uint64_t number = reader_u64(&r), checksum = reader_u64(&r);
    const uint8_t *body = mark == entry_mark(salt) ? reader_take(&r, length) : NULL;
    if (!body || entry_checksum(salt, data, (struct bytes){body, length}) != checksum)
        return false;
    *ret = (struct entry){number, {body, length}, r.position};
    return true;
}

/* Does any entry begin in these bytes? */
static bool entry_follows(const uint8_t *data, size_t size, uint64_t salt)
{
    struct entry e;
    for (size_t at = 0; at + HELD_ENTRY_HEAD <= size; at++) {
        const uint8_t *mark = memchr(data + at, (int)(entry_mark(salt) >> 24), size - at);
        if (!mark)
            return false;
        at = (size_t)(mark - data);
        if (entry_read(mark, size - at, salt, &e))
            return true;
    }
    return false;
}

/* A list that is a view of the body's bytes, with its records counted. */
static int list_view(const uint8_t *data, size_t length, struct held_list *ret)
{
    struct held_list l = {.data = (uint8_t *)(uintptr_t)data, .length = length};
    struct held_cursor cursor = held_list_cursor(&l);
    struct held_item i;
    int more;
    while ((more = held_cursor_next(&cursor, &i)) > 0)
        l.count++;
    if (!more)
        *ret = l;
    return more;
}

static int entry_apply(struct held_content *c, struct bytes body)
{
    struct reader r = reader_init(body.data, body.length);
    struct held_change change = {.from = reader_u32(&r), .to = reader_u32(&r)};
    uint32_t removed_length = reader_u32(&r);
    const uint8_t *removed = reader_take(&r, removed_length);
    if (!removed)
        return ERR_BOUNDS;
    int err = list_view(removed, removed_length, &change.removed);
    if (!err)
        err = list_view(r.data + r.position, reader_left(&r), &change.added);
    return err ? err : held_change_apply(c, &change);
}

int held_journal_next(struct held_journal *j, const void *data, size_t size, struct held_content *c)
{
    const uint8_t *at = (const uint8_t *)data + j->length;
    struct entry e;
    invariant(j->length <= size);
    if (j->length == size)
        return 0;
    if (!entry_read(at, size - j->length, j->salt, &e))
        return entry_follows(at + 1, size - j->length - 1, j->salt) ? ERR_CHECKSUM : 0;
    if (e.number != j->number + 1)
        return ERR_CONFLICT;
    int err = entry_apply(c, e.body);
    if (err)
        return err;
    j->number = e.number;
    j->length += e.size;
    return 1;
}

int held_entries_add(struct held_entries *entries, const struct held_journal *j,
                     const struct held_change *change)
{
    size_t body = BODY_HEAD + change->removed.length + change->added.length;
    size_t whole = HELD_ENTRY_HEAD + body;
    if (whole > HELD_ENTRIES_MAX || entries->length > HELD_ENTRIES_MAX - whole)
        return ERR_LIMIT;
    if (entries->length + whole > entries->size) {
        entries->size = (entries->length + whole) * 2;
        entries->data = mem_resize(entries->data, entries->size, 1);
    }
    uint8_t *at = entries->data + entries->length;
    struct writer w = writer_init(at, whole);
    writer_u32(&w, entry_mark(j->salt));
    writer_u32(&w, (uint32_t)body);
    writer_u64(&w, j->number + entries->number + 1);
    writer_u64(&w, 0);
    writer_u32(&w, change->from);
    writer_u32(&w, change->to);
    writer_u32(&w, (uint32_t)change->removed.length);
    writer_bytes(&w, change->removed.data, change->removed.length);
    writer_bytes(&w, change->added.data, change->added.length);
    invariant(!w.failed && w.position == whole);
    struct writer checksum = writer_init(at + HELD_ENTRY_HEAD - CHECKSUM_SIZE, CHECKSUM_SIZE);
    writer_u64(&checksum, entry_checksum(j->salt, at, (struct bytes){at + HELD_ENTRY_HEAD, body}));
    entries->length += whole;
    entries->number++;
    return 0;
}

void held_entries_done(struct held_entries *entries)
{
    free(entries->data);
    *entries = (struct held_entries){0};
}
