/* A hash map from byte strings to pointers (open addressing, keys not copied). */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t count;
    size_t size;
};

struct map map_init(void);
void map_done(struct map *m); /* frees the table, not keys or values */
/* Puts value under the key; the key's bytes must outlive the map. Returns the value that was there
 * before (then replaced), or NULL. value must not be NULL. */
void *map_put(struct map *m, const void *key, size_t length, void *value);
pure_function void *map_get(const struct map *m, const void *key, size_t length);
void *map_remove(struct map *m, const void *key, size_t length);
/* Walks all entries in no stable order: start with *position = 0; false at the end. */
bool map_next(const struct map *m, size_t *position, const void **ret_key, size_t *ret_length,
              void **ret_value);
