#include "base/memory.h"

#include "base/invariant.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_new(size_t count, size_t size)
{
    /* calloc(0) may give NULL, which callers would have to tell from failure. */
    void *p = calloc(count ? count : 1, size ? size : 1);
    invariant(p != NULL);
    return p;
}

void *mem_try_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void *mem_resize(void *old, size_t count, size_t size)
{
    void *p = mem_try_resize(old, count, size);
    invariant(p != NULL);
    return p;
}

char *mem_string(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(mem_new(size, 1), string, size);
}

void *mem_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    enum { CAPACITY_FIRST = 8 };
    invariant(count <= *capacity);
    if (array && count < *capacity)
        return array;
    size_t larger = *capacity > CAPACITY_FIRST / 2 ? *capacity * 2 : CAPACITY_FIRST;
    invariant(larger > count);
    array = mem_resize(array, larger, size);
    *capacity = larger;
    return array;
}

/* Blocks double from the first to the largest size, so that a small arena costs a page and a large
 * one few blocks; what does not fit gets a block of its own. */
enum { BLOCK_FIRST = 4096, BLOCK_LARGEST = 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size; /* of data */
    _Alignas(max_align_t) uint8_t data[];
};

struct arena arena_init(void)
{
    return (struct arena){0};
}

void arena_done(struct arena *a)
{
    for (struct arena_block *b = a->blocks; b;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    *a = arena_init();
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *b = mem_new(1, sizeof *b + size);
    b->size = size;
    return b;
}

/* Room for `bytes` (rounded up already) in the front block, or in a new one. */
static void *block_take(struct arena *a, size_t bytes)
{
    struct arena_block *front = a->blocks;
    if (!front || front->size - front->used < bytes) {
        size_t usual = front ? front->size * 2 : BLOCK_FIRST;
        if (usual > BLOCK_LARGEST)
            usual = BLOCK_LARGEST;
        struct arena_block *b = block_new(bytes > usual ? bytes : usual);
        if (front && bytes > usual) {
            /* A large one goes behind the front, whose room is still good for small ones. */
            b->next = front->next;
            front->next = b;
        } else {
            b->next = front;
            a->blocks = b;
        }
        b->used = bytes;
        return b->data;
    }
    void *at = front->data + front->used;
    front->used += bytes;
    return at;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size_t bytes;
    bool overflow = __builtin_mul_overflow(count, size, &bytes);
    invariant(!overflow && bytes < SIZE_MAX / 2);
    bytes = (bytes + align - 1) / align * align;
    if (bytes == 0)
        bytes = align;
    a->used += bytes;
    return block_take(a, bytes);
}

char *arena_string(struct arena *a, const char *string, size_t length)
{
    char *copy = arena_new(a, length + 1, 1);
    if (length)
        memcpy(copy, string, length);
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    invariant(length >= 0);
    char *s = arena_new(a, (size_t)length + 1, 1);
    vsnprintf(s, (size_t)length + 1, format, again);
    va_end(again);
    return s;
}
