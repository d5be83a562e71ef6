/* Memory: allocation that cannot return NULL, and arenas.
 *
 * Control-plane code allocates through these: running out of memory ends the role, and the
 * supervisor restarts it from its last good state (L1). Data planes allocate only when they start
 * or swap, never on the query path. */
#pragma once

#include "base/attr.h"
#include <stddef.h>
#include <stdlib.h>

/* Zeroed memory for count x size bytes; never NULL (aborts through invariant_failed). Free with
 * free(). */
must_check void *mem_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* realloc that cannot fail; the new part is not zeroed. */
must_check void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
/* realloc where the caller can live without: NULL when there is no memory, `old` is then untouched.
 */
must_check void *mem_try_resize(void *old, size_t count, size_t size);
must_check char *mem_string(const char *string) __attribute__((malloc, returns_nonnull));
/* Makes room for one more element in a growing array: doubles *capacity when count reached it. */
must_check void *mem_grow(void *array, size_t count, size_t *capacity, size_t size)
    __attribute__((returns_nonnull));

/* An arena: many small allocations of one life time, freed together in O(blocks). */
struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out, for metrics */
};

struct arena arena_init(void);
void arena_done(struct arena *a); /* frees all; usable again */
/* Zeroed, aligned for any type; never NULL. */
must_check void *arena_new(struct arena *a, size_t count, size_t size)
    __attribute__((returns_nonnull));
must_check char *arena_string(struct arena *a, const char *string, size_t length)
    __attribute__((returns_nonnull));
must_check char *arena_printf(struct arena *a, const char *format, ...) printf_like(2, 3)
    __attribute__((returns_nonnull));

/* For cleanup(): free(*p). */
static inline void mem_free_ptr(void *p)
{
    free(*(void **)p);
}
#define auto_free cleanup(mem_free_ptr)
