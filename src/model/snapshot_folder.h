/* Names in the folder behind door one, shared by its reader's and its publisher's half only. */
#pragma once

#include "base/attr.h"
#include "model/snapshot_io.h"
#include <limits.h>

typedef char path_buffer[PATH_MAX];

/* All three: 0, or -ENAMETOOLONG. */
must_check int snapshot_path(path_buffer ret, const char *format, ...) printf_like(2, 3);
must_check int snapshot_plan_path(path_buffer ret, const char *data, uint64_t generation);
must_check int snapshot_store_path(path_buffer ret, const char *data, enum plan_file_kind kind,
                                   uint64_t hash);
extern const char
    *const snapshot_suffix[PLAN_FILE_KINDS]; /* ".zone"; a zone's history are zones too */

/* A file of the store as one word. Where two fall together a clean-up keeps one too many. */
const_function uint64_t snapshot_file_key(enum plan_file_kind kind, uint64_t hash);

/* What is in the store. */
struct store_name {
    uint64_t key; /* snapshot_file_key() */
    uint64_t hash;
    enum plan_file_kind kind;
};
struct store_listing {
    struct store_name *items; /* in no order */
    size_t count, capacity;
    uint32_t *slots; /* 1 + index of an item, from its key on; 0 = free */
    size_t slot_mask;
    bool leftovers; /* there are files that a writer left half written */
};
/* A negated errno; -ENOENT where there is no store. Undo with store_listing_done(). */
must_check int snapshot_store_list(const char *data, struct store_listing *ret);
/* A listing of these alone, as if nothing else were in the store. */
struct store_listing store_listing_of(const struct store_name *items, size_t count);
void store_listing_done(struct store_listing *l);
/* 1 + its index among the items; 0 = it is not there. */
size_t snapshot_store_find(const struct store_listing *l, enum plan_file_kind kind, uint64_t hash);

struct generations {
    uint64_t *items; /* highest first; free() */
    size_t count, capacity;
};

/* The generations that files of the folder are named by; none where there is no folder. */
must_check int snapshot_generations(const char *data, struct generations *ret);

/* Reads and checks one plan of the folder as a reader does. *ret_path is set when the result is not
 * -ENAMETOOLONG, *ret_where (a sentence in per-thread storage) on failure. */
must_check int snapshot_read(const char *data, uint64_t generation, const struct plan *known,
                             const struct store_listing *listing, path_buffer ret_path,
                             struct mapped *ret_file, struct plan *ret_plan,
                             const char **ret_where);

/* Are all files of the plan in the store, but for those that are in `known` as well (may be NULL)?
 * ERR_MISSING with *ret_where set, or a negated errno. `listing`: of the store as it is; NULL: it
 * is looked at. */
must_check int snapshot_files_present(const char *data, const struct plan *plan,
                                      const struct plan *known, const struct store_listing *listing,
                                      const char **ret_where);
