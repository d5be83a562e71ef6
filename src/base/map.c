/* Linear probing over a power of two of slots, at most 3/4 full. Removal shifts the rest of the run
 * back instead of leaving tombstones, so that a map with much coming and going never slows down. */
#include "base/map.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 16 };

struct map_slot {
    const void *key;
    size_t length;
    uint64_t hash;
    void *value; /* NULL = the slot is free */
};

struct map map_init(void)
{
    return (struct map){0};
}

void map_done(struct map *m)
{
    free(m->slots);
    *m = map_init();
}

static bool slot_matches(const struct map_slot *s, const void *key, size_t length, uint64_t hash)
{
    return s->hash == hash && s->length == length && (!length || !memcmp(s->key, key, length));
}

/* The slot that holds the key, or the free one where it would go. */
static size_t slot_find(const struct map *m, const void *key, size_t length, uint64_t hash)
{
    size_t i = hash & (m->size - 1);
    while (m->slots[i].value && !slot_matches(&m->slots[i], key, length, hash))
        i = (i + 1) & (m->size - 1);
    return i;
}

static void map_enlarge(struct map *m)
{
    struct map larger = {.count = m->count, .size = m->size ? m->size * 2 : SLOTS_FIRST};
    larger.slots = mem_new(larger.size, sizeof *larger.slots);
    for (size_t i = 0; i < m->size; i++) {
        const struct map_slot *s = &m->slots[i];
        if (s->value)
            larger.slots[slot_find(&larger, s->key, s->length, s->hash)] = *s;
    }
    free(m->slots);
    *m = larger;
}

void *map_put(struct map *m, const void *key, size_t length, void *value)
{
    invariant(value != NULL);
    if (m->count >= m->size / 4 * 3)
        map_enlarge(m);
    uint64_t hash = hash64(key, length);
    struct map_slot *s = &m->slots[slot_find(m, key, length, hash)];
    void *old = s->value;
    *s = (struct map_slot){.key = key, .length = length, .hash = hash, .value = value};
    if (!old)
        m->count++;
    return old;
}

void *map_get(const struct map *m, const void *key, size_t length)
{
    if (!m->count)
        return NULL;
    return m->slots[slot_find(m, key, length, hash64(key, length))].value;
}

void *map_remove(struct map *m, const void *key, size_t length)
{
    if (!m->count)
        return NULL;
    size_t mask = m->size - 1, hole = slot_find(m, key, length, hash64(key, length));
    void *old = m->slots[hole].value;
    if (!old)
        return NULL;
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        /* May move into the hole only if that does not put it before its home. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->count--;
    return old;
}

bool map_next(const struct map *m, size_t *position, const void **ret_key, size_t *ret_length,
              void **ret_value)
{
    for (size_t i = *position; i < m->size; i++) {
        const struct map_slot *s = &m->slots[i];
        if (!s->value)
            continue;
        *position = i + 1;
        *ret_key = s->key;
        *ret_length = s->length;
        *ret_value = s->value;
        return true;
    }
    *position = m->size;
    return false;
}
