#include "replica/vault_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "replica/record.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One write: all that libraft had appended while the one before was under way. */
enum { WRITE_MAX = VAULT_SNAPSHOT_MAX };

void vault_init(struct vault *s, const struct replica_disk *disk, size_t segment_max)
{
    *s = (struct vault){.disk = disk, .segment_max = segment_max, .sealed = true};
}

void vault_done(struct vault *s)
{
    free(s->segments);
    *s = (struct vault){0};
}

void *vault_memory(size_t size)
{
    void *p = raft_malloc(size ? size : 1);
    invariant(p);
    return p;
}

/* ---- names ---- */

const char *vault_segment_name(uint64_t number, char buffer[static VAULT_NAME_MAX])
{
    snprintf(buffer, VAULT_NAME_MAX, "log-%016llx", (unsigned long long)number);
    return buffer;
}

const char *vault_snapshot_name(uint64_t index, char buffer[static VAULT_NAME_MAX])
{
    snprintf(buffer, VAULT_NAME_MAX, "snapshot-%016llx", (unsigned long long)index);
    return buffer;
}

static bool vault_name_parse(const char *name, const char *prefix, uint64_t *ret)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) || strlen(name) != length + 16 ||
        strspn(name + length, "0123456789abcdef") != 16)
        return false;
    *ret = strtoull(name + length, NULL, 16);
    return true;
}

struct names {
    const char *prefix;
    uint64_t *list;
    size_t count, capacity;
};

static int name_take(void *context, const char *name)
{
    struct names *n = context;
    uint64_t number;
    if (!vault_name_parse(name, n->prefix, &number))
        return 0;
    n->list = mem_grow(n->list, n->count, &n->capacity, sizeof *n->list);
    n->list[n->count++] = number;
    return n->count > VAULT_SEGMENTS_MAX ? ERR_LIMIT : 0;
}

static int number_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int vault_names(const struct replica_disk *disk, const char *prefix, uint64_t **ret,
                       size_t *ret_count)
{
    struct names n = {.prefix = prefix};
    int err = disk->list(disk->context, name_take, &n);
    if (err) {
        free(n.list);
        return err;
    }
    if (n.count)
        qsort(n.list, n.count, sizeof *n.list, number_order);
    *ret = n.list;
    *ret_count = n.count;
    return 0;
}

/* ---- writing ---- */

static void segment_add(struct vault *s, uint64_t number)
{
    s->segments =
        mem_grow(s->segments, s->segment_count, &s->segment_capacity, sizeof *s->segments);
    s->segments[s->segment_count++] = (struct vault_segment){.number = number};
}

static uint64_t number_next(const struct vault *s)
{
    return s->segment_count ? s->segments[s->segment_count - 1].number + 1 : 1;
}

int vault_segment_begin(struct vault *s, enum record_type head, uint64_t index, uint64_t term,
                        struct text *bytes)
{
    char name[VAULT_NAME_MAX];
    uint8_t version = RECORD_VERSION;
    struct text whole = text_init(WRITE_MAX);
    struct record r = {.type = head, .index = index, .term = term, .data = &version, .size = 1};
    uint64_t number = number_next(s);
    if (s->segment_count == VAULT_SEGMENTS_MAX)
        return ERR_LIMIT;
    record_put(&r, number, &whole);
    if (bytes->length)
        text_append_bytes(&whole, bytes->data, bytes->length);
    int err = whole.failed || bytes->failed
                  ? ERR_LIMIT
                  : s->disk->replace(s->disk->context, vault_segment_name(number, name), whole.data,
                                     whole.length);
    if (!err) {
        segment_add(s, number);
        s->end = whole.length;
    }
    text_done(&whole);
    return err;
}

/* Where in its segment the next write begins. */
static size_t write_begins(const struct vault *s, bool fresh)
{
    return fresh ? record_length(1) : s->end;
}

static void run_put(const struct vault_run *run, size_t batch, uint64_t segment, struct text *out)
{
    for (unsigned i = 0; i < run->count; i++) {
        const struct raft_entry *e = &run->entries[i];
        struct record r = {.type = RECORD_ENTRY,
                           .kind = (uint8_t)e->type,
                           .batch = (uint32_t)batch,
                           .index = run->first + i,
                           .term = e->term,
                           .data = e->buf.base,
                           .size = e->buf.len};
        record_put(&r, segment, out);
    }
}

int vault_append(struct vault *s, const struct vault_run *runs, unsigned count)
{
    char name[VAULT_NAME_MAX];
    bool fresh = !s->end || s->end >= s->segment_max;
    uint64_t number = fresh ? number_next(s) : number_next(s) - 1;
    struct text bytes = text_init(WRITE_MAX);
    for (unsigned i = 0; i < count; i++) {
        invariant(runs[i].count && runs[i].first <= s->last + 1);
        run_put(&runs[i], write_begins(s, fresh), number, &bytes);
        s->last = runs[i].first + runs[i].count - 1;
    }
    int err = bytes.failed ? ERR_LIMIT : 0;
    if (!err && fresh) {
        err = vault_segment_begin(s, RECORD_HEAD, 0, 0, &bytes);
    } else if (!err) {
        err = s->disk->append(s->disk->context, vault_segment_name(number, name), s->end,
                              bytes.data, bytes.length);
        s->end += err ? 0 : bytes.length;
    }
    for (unsigned i = 0; i < count && !err; i++) {
        struct vault_segment *newest = &s->segments[s->segment_count - 1];
        uint64_t last = runs[i].first + runs[i].count - 1;
        newest->highest = last > newest->highest ? last : newest->highest;
        s->sealed = false;
    }
    text_done(&bytes);
    return err;
}

int vault_seal(struct vault *s)
{
    char name[VAULT_NAME_MAX];
    if (s->sealed || !s->end)
        return 0;
    uint64_t number = number_next(s) - 1;
    struct text bytes = text_init(RECORD_HEADER);
    struct record r = {.type = RECORD_SEAL, .batch = (uint32_t)s->end};
    record_put(&r, number, &bytes);
    int err = s->disk->append(s->disk->context, vault_segment_name(number, name), s->end,
                              bytes.data, bytes.length);
    s->end += err ? 0 : bytes.length;
    s->sealed = !err;
    text_done(&bytes);
    return err;
}

/* ---- reading ---- */

struct loading {
    struct vault *vault;
    raft_index first; /* of the entries */
    struct raft_entry *entries;
    size_t count, capacity;
    bool known; /* where the log begins */
    bool base;  /* a reset says where, and of which term is the entry before */
    uint64_t base_term;
    bool cut;
    struct text *why;
};

static void entries_cut(struct loading *l, size_t count)
{
    while (l->count > count)
        raft_free(l->entries[--l->count].buf.base);
}

static int entry_load(struct loading *l, const struct record *r)
{
    /* The segments before may be gone with what this one replaces. */
    if (!l->known || (r->index < l->first && !l->base)) {
        entries_cut(l, 0);
        l->first = r->index;
        l->known = true;
    }
    if (r->index < l->first || r->index > l->first + l->count)
        return ERR_MISSING;
    entries_cut(l, r->index - l->first);
    l->entries = mem_grow(l->entries, l->count, &l->capacity, sizeof *l->entries);
    struct raft_entry *e = &l->entries[l->count++];
    *e = (struct raft_entry){.term = r->term, .type = r->kind};
    e->buf.base = vault_memory(r->size);
    e->buf.len = r->size;
    if (r->size)
        memcpy(e->buf.base, r->data, r->size);
    struct vault_segment *newest = &l->vault->segments[l->vault->segment_count - 1];
    newest->highest = r->index > newest->highest ? r->index : newest->highest;
    return 0;
}

static int record_load(struct loading *l, const struct record *r, bool head)
{
    if (head != (r->type == RECORD_HEAD || r->type == RECORD_RESET))
        return ERR_CHECKSUM;
    if (head && (r->size != 1 || *r->data != RECORD_VERSION))
        return ERR_VERSION;
    if (r->type == RECORD_RESET) {
        entries_cut(l, 0);
        l->first = r->index + 1;
        l->base = true;
        l->base_term = r->term;
        l->known = true;
    }
    return r->type == RECORD_ENTRY ? entry_load(l, r) : 0;
}

static int records_load(struct loading *l, struct bytes data, uint64_t number, size_t *position)
{
    struct record r;
    for (;;) {
        bool head = *position == 0;
        int got = record_take(data, number, position, &r);
        if (got <= 0)
            return got ? got : head ? ERR_TRUNCATED : 0;
        int err = record_load(l, &r, head);
        if (err)
            return err == ERR_CHECKSUM ? ERR_INVALID : err;
        l->vault->sealed = r.type != RECORD_ENTRY;
    }
}

static int segment_load(struct loading *l, uint64_t number, bool newest)
{
    const struct replica_disk *disk = l->vault->disk;
    char name[VAULT_NAME_MAX], *data;
    size_t size, position = 0;
    segment_add(l->vault, number);
    int err = disk->read(disk->context, vault_segment_name(number, name),
                         l->vault->segment_max + WRITE_MAX, &data, &size);
    if (err) {
        text_appendf(l->why, "%s cannot be read", name);
        return err;
    }
    struct bytes all = {(const uint8_t *)data, size};
    err = records_load(l, all, number, &position);
    /* The head came with the file as a whole: it is never torn. */
    if (err == ERR_CHECKSUM && newest && position && record_is_torn(all, number, position)) {
        l->cut = true;
        err = disk->append(disk->context, name, position, NULL, 0);
    }
    free(data);
    l->vault->end = position;
    if (err)
        text_appendf(l->why, "%s is damaged at byte %zu", name, position);
    return err;
}

static int segments_load(struct loading *l)
{
    uint64_t *numbers;
    size_t count;
    int err = vault_names(l->vault->disk, "log-", &numbers, &count);
    for (size_t i = 0; i < count && !err; i++) {
        if (i && numbers[i] != numbers[i - 1] + 1) {
            text_appendf(l->why, "the part of the log before log-%016llx is missing",
                         (unsigned long long)numbers[i]);
            err = ERR_MISSING;
            break;
        }
        err = segment_load(l, numbers[i], i + 1 == count);
    }
    if (!err || count)
        free(numbers);
    return err;
}

/* The newest snapshot that is whole. */
static int snapshot_load(struct vault *s, struct raft_snapshot **ret, struct text *why)
{
    uint64_t *numbers;
    size_t count;
    int err = vault_names(s->disk, "snapshot-", &numbers, &count);
    if (err)
        return err;
    *ret = NULL;
    for (size_t i = count; i-- > 0 && !*ret;) {
        err = vault_snapshot_read(s->disk, numbers[i], ret);
        if (!err)
            s->snapshots[0] = numbers[i];
        if (!err && i)
            s->snapshots[1] = numbers[i - 1];
    }
    free(numbers);
    if (count && !*ret)
        text_append(why, "no snapshot can be read");
    return *ret ? 0 : err;
}

/* The log has to go on from the snapshot. Where it ends before it, or is another one, the snapshot
 * came from a leader and this node stopped before it had put its log aside. */
static int join(struct loading *l, const struct raft_snapshot *snapshot)
{
    struct vault *s = l->vault;
    uint64_t index = snapshot->index, last = l->first + l->count - 1;
    struct text none = text_init(1);
    if (!s->segment_count || !s->vote_sequence) {
        text_appendf(l->why, "there is a snapshot, and no %s", s->vote_sequence ? "log" : "vote");
        return ERR_MISSING;
    }
    bool follows =
        l->known && l->first == index + 1 && (!l->base || l->base_term == snapshot->term);
    bool holds = l->known && l->first <= index && last >= index &&
                 l->entries[index - l->first].term == snapshot->term;
    if (l->known && l->first > index + 1) {
        text_appendf(l->why, "the log begins at %llu, the snapshot ends at %llu",
                     (unsigned long long)l->first, (unsigned long long)index);
        return ERR_MISSING;
    }
    if (follows || holds)
        return 0;
    entries_cut(l, 0);
    l->first = index + 1;
    return vault_segment_begin(s, RECORD_RESET, index, snapshot->term, &none);
}

int vault_load(struct vault *s, struct vault_loaded *ret, struct text *why)
{
    struct loading l = {.vault = s, .first = 1, .why = why};
    struct raft_snapshot *snapshot = NULL;
    int err = vault_vote_load(s, why);
    err = err ? err : snapshot_load(s, &snapshot, why);
    err = err ? err : segments_load(&l);
    if (!err && snapshot)
        err = join(&l, snapshot);
    if (!err && !snapshot && l.count) {
        text_append(why, "there is a log and no snapshot that it goes on from");
        err = ERR_MISSING;
    }
    struct vault_loaded loaded = {.snapshot = snapshot, .first = l.first, .cut = l.cut};
    s->last = l.first + l.count - 1;
    loaded.entry_count = l.count;
    if (l.count) {
        loaded.entries = vault_memory(l.count * sizeof *loaded.entries);
        memcpy(loaded.entries, l.entries, l.count * sizeof *loaded.entries);
    }
    free(l.entries);
    if (err)
        vault_loaded_free(&loaded);
    else
        *ret = loaded;
    return err;
}

void vault_loaded_free(struct vault_loaded *l)
{
    for (size_t i = 0; i < l->entry_count; i++)
        raft_free(l->entries[i].buf.base);
    raft_free(l->entries);
    vault_snapshot_free(l->snapshot);
    *l = (struct vault_loaded){0};
}
