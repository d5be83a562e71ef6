#include "serve/dns/verified.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static const char magic[8] = {'H', 'F', 'V', 'E', 'R', 'I', '\r', '\n'};

static const struct hash128 no_content;
static const struct disk_identity no_identity;

struct head {
    char magic[8];
    uint32_t version;
    uint32_t count;
    uint64_t program, boot;
    uint64_t checksum; /* of the entries, seeded with what precedes */
};

_Static_assert(sizeof(struct verified_entry) == 72, "no padding in what is written");

struct verified verified_init(void)
{
    return (struct verified){.entries = map_init()};
}

void verified_done(struct verified *v)
{
    size_t position = 0, length;
    const void *key;
    void *entry;
    while (map_next(&v->entries, &position, &key, &length, &entry))
        free(entry);
    map_done(&v->entries);
    *v = verified_init();
}

enum verdict verified_find(const struct verified *v, uint64_t hash,
                           const struct disk_identity *identity)
{
    const struct verified_entry *e = map_get(&v->entries, &hash, sizeof hash);
    return e && !memcmp(&e->identity, identity, sizeof *identity) ? (enum verdict)e->verdict
                                                                  : VERDICT_NONE;
}

const struct hash128 *verified_content(const struct verified *v, uint64_t hash)
{
    const struct verified_entry *e = map_get(&v->entries, &hash, sizeof hash);
    bool known = e && e->verdict == VERDICT_RIGHT && !hash128_equal(e->content, no_content);
    return known ? &e->content : NULL;
}

bool verified_settled(const struct disk_identity *identity, int64_t now_ns)
{
    int64_t newest =
        identity->changed_ns > identity->modified_ns ? identity->changed_ns : identity->modified_ns;
    return now_ns - newest > (int64_t)VERIFIED_SETTLED_MS * 1000000;
}

static struct verified_entry *entry_get(struct verified *v, uint64_t hash)
{
    struct verified_entry *e = map_get(&v->entries, &hash, sizeof hash);
    if (e || v->entries.count >= VERIFIED_MAX)
        return e;
    e = mem_new(1, sizeof *e);
    e->hash = hash;
    map_put(&v->entries, &e->hash, sizeof e->hash, e);
    return e;
}

static bool entry_same(const struct verified_entry *a, const struct verified_entry *b)
{
    return a->verdict == b->verdict && !memcmp(&a->identity, &b->identity, sizeof a->identity) &&
           hash128_equal(a->content, b->content);
}

bool verified_put(struct verified *v, uint64_t hash, const struct disk_identity *identity,
                  int64_t began_ns, enum verdict verdict, const struct hash128 *content)
{
    bool settled = verified_settled(identity, began_ns);
    invariant(verdict != VERDICT_NONE);
    if (!settled && (verdict == VERDICT_WRONG || !content))
        return false;
    struct verified_entry *e = entry_get(v, hash);
    if (!e)
        return false;
    struct verified_entry now = {.hash = hash, .verdict = verdict, .used = e->used};
    if (settled)
        now.identity = *identity;
    if (verdict == VERDICT_RIGHT)
        now.content = content ? *content : e->content;
    if (!entry_same(e, &now)) {
        *e = now;
        v->changed = true;
    }
    return settled;
}

const struct verified_entry *verified_wrong_next(const struct verified *v, size_t *position)
{
    size_t length;
    const void *key;
    void *entry;
    while (map_next(&v->entries, position, &key, &length, &entry))
        if (((struct verified_entry *)entry)->verdict == VERDICT_WRONG)
            return entry;
    return NULL;
}

void verified_use(struct verified *v, uint64_t hash)
{
    struct verified_entry *e = map_get(&v->entries, &hash, sizeof hash);
    if (e)
        e->used = 1;
}

/* ---- the file ---- */

static uint64_t checksum(const struct head *h, const void *entries)
{
    uint64_t seed = hash64(h, offsetof(struct head, checksum));
    return hash64_seeded(entries, h->count * sizeof(struct verified_entry), seed);
}

static void entry_drop(struct verified *v, struct verified_entry *e)
{
    map_remove(&v->entries, &e->hash, sizeof e->hash);
    free(e);
}

void *verified_encode(struct verified *v, uint64_t program, uint64_t boot, size_t *ret_size)
{
    size_t room = sizeof(struct head) + v->entries.count * sizeof(struct verified_entry);
    struct head *h = mem_new(room, 1);
    struct verified_entry *to = (struct verified_entry *)(h + 1);
    struct verified_entry **unused =
        mem_new(v->entries.count + 1, sizeof *unused); /* a walk wants the table as it is */
    size_t position = 0, length, unused_count = 0;
    const void *key;
    void *value;
    memcpy(h->magic, magic, sizeof magic);
    h->version = VERIFIED_VERSION;
    h->program = program;
    h->boot = boot;
    while (map_next(&v->entries, &position, &key, &length, &value)) {
        struct verified_entry *e = value;
        bool wanted = e->used || e->verdict == VERDICT_WRONG;
        e->used = 0;
        if (wanted)
            to[h->count++] = *e;
        else
            unused[unused_count++] = e;
    }
    while (unused_count)
        entry_drop(v, unused[--unused_count]);
    free(unused);
    v->changed = false;
    h->checksum = checksum(h, to);
    *ret_size = sizeof *h + h->count * sizeof *to;
    return h;
}

/* What the file says of one more; false: it cannot be so. After another boot the names of devices
 * and the disks may have changed hands: then what files were is forgotten, and what their content
 * was is not. */
static bool entry_take(struct verified *v, const struct verified_entry *from, bool same_boot)
{
    if (from->verdict <= VERDICT_NONE || from->verdict > VERDICT_WRONG || from->used)
        return false;
    if (!same_boot && from->verdict == VERDICT_WRONG)
        return true;
    struct verified_entry *e = entry_get(v, from->hash);
    if (!e || e->verdict)
        return false;
    *e = *from;
    if (!same_boot)
        e->identity = no_identity;
    return true;
}

int verified_decode(const void *data, size_t size, uint64_t program, uint64_t boot,
                    struct verified *ret)
{
    struct head h;
    const struct verified_entry *from =
        (const struct verified_entry *)((const uint8_t *)data + sizeof h);
    if (size < sizeof h)
        return ERR_TRUNCATED;
    memcpy(&h, data, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0)
        return ERR_MAGIC;
    if (h.version != VERIFIED_VERSION)
        return ERR_VERSION;
    if (h.count > VERIFIED_MAX || (size - sizeof h) / sizeof *from < h.count)
        return ERR_TRUNCATED;
    if (checksum(&h, from) != h.checksum)
        return ERR_CHECKSUM;
    if (program && h.program != program)
        return ERR_OLDER;
    struct verified v = verified_init();
    bool same_boot = !program || (boot && h.boot == boot);
    for (uint32_t i = 0; i < h.count; i++)
        if (!entry_take(&v, &from[i], same_boot)) {
            verified_done(&v);
            return ERR_BOUNDS;
        }
    *ret = v;
    return 0;
}
