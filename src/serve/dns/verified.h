/* Which compiled zones this host's name server has looked through, byte by byte, and found right
 * (L2). A process that starts again within one boot, and finds the very file that the process
 * before it checked, is no worse off than if that one had gone on: both rely on the file not having
 * changed since. So it may answer from the file at once, and look through it again meanwhile.
 *
 * "The very file": device, inode, size and both times are the same, and it was not so young when
 * the check began that it might have changed within a tick of the clock. What another program
 * verified, or the same one before the last boot, counts for nothing.
 *
 * The list lives in DATA/run/dns.verified, which the name server alone writes; control reads in it
 * which files are wrong, and makes them again. It is no source of
 * truth: whatever is wrong with it, it is empty, and a start costs what it costs without one. */
#pragma once

#include "base/attr.h"
#include "base/map.h"
#include "seam/disk.h"
#include <stdbool.h>

#define VERIFIED_NAME "dns.verified" /* in DATA/run */

enum verdict { VERDICT_NONE, VERDICT_RIGHT, VERDICT_WRONG };
enum {
    VERIFIED_VERSION = 1,
    VERIFIED_MAX = 1 << 16, /* files; more are looked through before they serve */
    /* A file that was changed less than this before its check began may have been changed once more
     * without its times telling: they move in ticks. */
    VERIFIED_SETTLED_MS = 3000,
};

/* As it stands in the file, behind the header. */
struct verified_entry {
    uint64_t hash; /* its name in the store */
    struct disk_identity identity;
    uint32_t verdict;
    uint32_t used; /* verified_use() was called; zero in the file */
};

struct verified {
    struct map entries; /* hash -> struct verified_entry */
    bool changed;       /* since it was read or written */
};

struct verified verified_init(void);
void verified_done(struct verified *v);

/* What was found when this very file was looked through. */
pure_function enum verdict verified_find(const struct verified *v, uint64_t hash,
                                         const struct disk_identity *identity);
/* Notes what was found; replaces what is known of another file under this hash. Nothing is noted of
 * a file that was too young when the check began (wall clock, nanoseconds), or beyond VERIFIED_MAX:
 * false. */
bool verified_put(struct verified *v, uint64_t hash, const struct disk_identity *identity,
                  int64_t began_ns, enum verdict verdict);
pure_function bool verified_settled(const struct disk_identity *identity, int64_t now_ns);
/* Walks what was found wrong: start with *position = 0; NULL at the end. */
const struct verified_entry *verified_wrong_next(const struct verified *v, size_t *position);
/* Keeps what is known of it in the next verified_encode(). */
void verified_use(struct verified *v, uint64_t hash);

/* The file's bytes, free(): what was used since the last time, and what is wrong. `origin`: hash of
 * the program and the boot. */
must_check void *verified_encode(struct verified *v, uint64_t origin, size_t *ret_size)
    __attribute__((returns_nonnull));
/* ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM, ERR_OLDER (another program or boot),
 * ERR_BOUNDS. `origin` 0: whoever wrote it (for those who only want to know). */
must_check int verified_decode(const void *data, size_t size, uint64_t origin,
                               struct verified *ret);
