/* Names in the folder behind door one. */
#include "model/snapshot_folder.h"

#include "base/hash.h"
#include "base/memory.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAN_DIGITS = 20, HASH_DIGITS = 16 };
/* A higher number in the folder was not made here; honoured, it would end all publication. */
#define GENERATION_MAX (UINT64_MAX / 2)

const char *const snapshot_suffix[PLAN_FILE_KINDS] = {[PLAN_FILE_ZONE] = ".zone",
                                                      [PLAN_FILE_NETMAP] = ".netmap",
                                                      [PLAN_FILE_HISTORY] = ".zone",
                                                      [PLAN_FILE_ACCESS] = ".access"};

int snapshot_path(path_buffer ret, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(ret, PATH_MAX, format, args);
    va_end(args);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int snapshot_plan_path(path_buffer ret, const char *data, uint64_t generation)
{
    return snapshot_path(ret, "%s/plan/%0*llu.plan", data, PLAN_DIGITS,
                         (unsigned long long)generation);
}

int snapshot_store_path(path_buffer ret, const char *data, enum plan_file_kind kind, uint64_t hash)
{
    return snapshot_path(ret, "%s/store/%0*llx%s", data, HASH_DIGITS, (unsigned long long)hash,
                         snapshot_suffix[kind]);
}

/* The generation that a file's name tells; 0 where it is not the name of a plan. */
static uint64_t plan_name_parse(const char *name)
{
    uint64_t generation = 0;
    for (unsigned i = 0; i < PLAN_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9' || generation > GENERATION_MAX / 10)
            return 0;
        generation = generation * 10 + (uint64_t)(name[i] - '0');
    }
    return strcmp(name + PLAN_DIGITS, ".plan") == 0 && generation <= GENERATION_MAX ? generation
                                                                                    : 0;
}

/* Is it the name of a file of the store, and of which? */
static bool store_name_parse(const char *name, enum plan_file_kind *ret_kind, uint64_t *ret_hash)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < HASH_DIGITS; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        hash = hash << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    for (unsigned kind = PLAN_FILE_ZONE; kind < PLAN_FILE_KINDS; kind++) {
        if (strcmp(name + HASH_DIGITS, snapshot_suffix[kind]) == 0) {
            *ret_kind = (enum plan_file_kind)kind;
            *ret_hash = hash;
            return true;
        }
    }
    return false;
}

static int generations_add(void *context, const char *name)
{
    struct generations *g = context;
    uint64_t generation = plan_name_parse(name);
    if (!generation)
        return 0;
    g->items = mem_grow(g->items, g->count, &g->capacity, sizeof *g->items);
    g->items[g->count++] = generation;
    return 0;
}

uint64_t snapshot_file_key(enum plan_file_kind kind, uint64_t hash)
{
    if (kind == PLAN_FILE_HISTORY) /* the same file */
        kind = PLAN_FILE_ZONE;
    return hash_mix(hash + (uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15));
}

static int listing_add(void *context, const char *name)
{
    struct store_listing *l = context;
    enum plan_file_kind kind;
    uint64_t hash;
    l->leftovers |= !strncmp(name, DISK_ASIDE_PREFIX, strlen(DISK_ASIDE_PREFIX));
    if (!store_name_parse(name, &kind, &hash))
        return 0;
    l->items = mem_grow(l->items, l->count, &l->capacity, sizeof *l->items);
    l->items[l->count++] = (struct store_name){snapshot_file_key(kind, hash), hash, kind};
    return 0;
}

static void listing_index(struct store_listing *l)
{
    size_t slots = 16;
    while (slots < 2 * l->count)
        slots *= 2;
    l->slots = mem_new(slots, sizeof *l->slots);
    l->slot_mask = slots - 1;
    for (size_t i = 0; i < l->count; i++) {
        size_t at = l->items[i].key & l->slot_mask;
        while (l->slots[at])
            at = (at + 1) & l->slot_mask;
        l->slots[at] = (uint32_t)(i + 1);
    }
}

int snapshot_store_list(const char *data, struct store_listing *ret)
{
    path_buffer folder;
    struct store_listing l = {0};
    int r = snapshot_path(folder, "%s/store", data);
    if (!r)
        r = disk_list(folder, listing_add, &l);
    if (!r && l.count > UINT32_MAX / 2)
        r = -EFBIG;
    if (r < 0) {
        free(l.items);
        return r;
    }
    listing_index(&l);
    *ret = l;
    return 0;
}

struct store_listing store_listing_of(const struct store_name *items, size_t count)
{
    struct store_listing l = {.items = mem_new(count, sizeof *items), .count = count};
    if (count)
        memcpy(l.items, items, count * sizeof *items);
    listing_index(&l);
    return l;
}

void store_listing_done(struct store_listing *l)
{
    free(l->items);
    free(l->slots);
}

size_t snapshot_store_find(const struct store_listing *l, enum plan_file_kind kind, uint64_t hash)
{
    uint64_t key = snapshot_file_key(kind, hash);
    size_t at = key & l->slot_mask;
    while (l->slots && l->slots[at] && l->items[l->slots[at] - 1].key != key)
        at = (at + 1) & l->slot_mask;
    return l->slots ? l->slots[at] : 0;
}

static int generation_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

int snapshot_generations(const char *data, struct generations *ret)
{
    path_buffer folder;
    struct generations g = {0};
    int r = snapshot_path(folder, "%s/plan", data);
    if (!r)
        r = disk_list(folder, generations_add, &g);
    if (r == -ENOENT)
        r = 0;
    if (r < 0) {
        free(g.items);
        return r;
    }
    if (g.count)
        qsort(g.items, g.count, sizeof *g.items, generation_compare);
    *ret = g;
    return 0;
}
