/* Which compiled zones this host's name server has looked through, byte by byte, and found right
 * (L2). What it may rely on when it starts again:
 *
 *   the very file     device, inode, size and both times are the same, in the same boot, and it was
 *                     not so young when the check began that it might have changed within a tick of
 *                     the clock. Who finds it is no worse off than if the process before had gone
 *                     on: both rely on the file not having changed since. It answers at once.
 *   the same content  of any file, after any boot: every byte of it has the fingerprint of bytes
 * that the same program walked through. What that walk finds depends on the bytes and the program
 * and on nothing else. It answers once the fingerprint is taken.
 *
 * Either way the process looks through the file again while it serves. What another program
 * verified counts for nothing.
 *
 * The list lives in DATA/zones.verified, which the name server alone writes; control reads in it
 * which files are wrong, and makes them again. It is no source of truth: whatever is wrong with it,
 * it is empty, and a start costs what it costs without one. */
#pragma once

#include "base/attr.h"
#include "base/hash.h"
#include "base/map.h"
#include "seam/disk.h"
#include <stdbool.h>

#define VERIFIED_NAME "zones.verified" /* in DATA */

enum verdict { VERDICT_NONE, VERDICT_RIGHT, VERDICT_WRONG };
enum {
    VERIFIED_VERSION = 2,
    VERIFIED_MAX = 1 << 16, /* files; more are looked through before they serve */
    /* A file that was changed less than this before its check began may have been changed once more
     * without its times telling: they move in ticks. */
    VERIFIED_SETTLED_MS = 3000,
};

/* As it stands in the file, behind the header. */
struct verified_entry {
    uint64_t hash;                 /* its name in the store */
    struct disk_identity identity; /* all zero: not known in this boot */
    struct hash128 content;        /* fingerprint_take() of what was right; zero: not known */
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
/* The fingerprint of the content that was right under this name; NULL: not known. */
pure_function const struct hash128 *verified_content(const struct verified *v, uint64_t hash);
/* Notes what was found; replaces what is known of another file under this hash. content: of what
 * was found right; NULL: as it was known before, or not at all. False: nothing is noted of the file
 * itself, since it was too young when the check began (wall clock, nanoseconds), or beyond
 * VERIFIED_MAX. */
bool verified_put(struct verified *v, uint64_t hash, const struct disk_identity *identity,
                  int64_t began_ns, enum verdict verdict, const struct hash128 *content);
pure_function bool verified_settled(const struct disk_identity *identity, int64_t now_ns);
/* Walks what was found wrong: start with *position = 0; NULL at the end. */
const struct verified_entry *verified_wrong_next(const struct verified *v, size_t *position);
/* Keeps what is known of it at the next verified_encode(). */
void verified_use(struct verified *v, uint64_t hash);

/* The file's bytes, free(): what was used since the last time, and what is wrong; all else is
 * forgotten, so that zones which change for years do not fill the list. `program`: hash
 * of its content; `boot`: of what the kernel calls this boot. */
must_check void *verified_encode(struct verified *v, uint64_t program, uint64_t boot,
                                 size_t *ret_size) __attribute__((returns_nonnull));
/* ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM, ERR_OLDER (another program), ERR_BOUNDS.
 * Written in another boot (`boot` 0: it is not known which this is): which files were wrong, and
 * which were the very ones, is forgotten. `program` 0: whoever wrote it, and whenever (for those
 * who only want to know). */
must_check int verified_decode(const void *data, size_t size, uint64_t program, uint64_t boot,
                               struct verified *ret);
