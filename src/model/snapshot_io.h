/* The folder behind door one:
 *
 *   DATA/plan/<generation, 20 digits>.plan   the newest SNAPSHOT_KEEP
 *   DATA/store/<hash, 16 hex digits>.zone    files that a kept plan reaches
 *   DATA/store/<hash, 16 hex digits>.netmap
 *
 * There is no "current" file: the newest plan that passes the reader's own check is current, so
 * there is nothing that could dangle. Clean-up goes by reachability from the plans kept, never by
 * age. One process publishes (control); any number read. doc/internals/snapshot.md tells why it is
 * so. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "model/plan.h"
#include "model/snapshot.h"
#include "seam/disk.h"

/* A read-only mapping. */
struct mapped {
    const uint8_t *data;
    size_t size;
};

/* Creates the folders and removes what a writer that died left half written. For the publisher,
 * when it starts. */
must_check int snapshot_folders_create(const char *data);

/* Writes a file of the store if it is not there yet, whole and the same (aside, rename; it is on
 * the disk after store_sync() or snapshot_publish(), before that plan gets its name). This
 * process's clean-up then keeps it until a published plan reaches it: what is made for the next
 * plan is not swept away under it. Safe from several threads. */
must_check int store_put(const char *data, enum plan_file_kind kind, uint64_t hash,
                         const void *bytes, size_t size);
/* Keeps a file that is there already from the clean-up in the same way, and says which it is.
 * -ENOENT where there is none. */
must_check int store_keep(const char *data, enum plan_file_kind kind, uint64_t hash,
                          struct disk_identity *ret);
/* Puts on the disk what store_put() wrote. */
must_check int store_sync(const char *data);
/* Maps the file itself. A negated errno; -ENOENT where there is none. */
must_check int store_map(const char *data, enum plan_file_kind kind, uint64_t hash,
                         struct mapped *ret);
/* The same, and which file it is that was mapped. */
must_check int store_map_identified(const char *data, enum plan_file_kind kind, uint64_t hash,
                                    struct mapped *ret, struct disk_identity *ret_identity);
void mapped_close(struct mapped *m);

/* Publishes: write aside, sync, rename, sync the folder, then drop plans beyond the newest
 * SNAPSHOT_KEEP and files that no kept plan reaches. Plans that no reader could use do not count
 * among the kept; while one of them is kept for being new, every file stays, and a line of the log
 * says so. What a writer that died left half written goes as well. On failure what was there before
 * is untouched and the file aside is removed: ERR_OLDER     a plan of this generation or a later
 * one is there already ERR_MISSING   the plan reaches a file that is not in the store ERR_CONFLICT
 * another process publishes here what snapshot_decode would refuse it for, or a negated errno
 * (-ENOSPC, -EROFS, -EIO...). A clean-up that fails is logged and is no failure. */
must_check int snapshot_publish(const char *data, const struct plan *plan);

/* The highest generation named in the folder, valid or not; 0 = none. The next publication must be
 * above. */
must_check int snapshot_highest(const char *data, uint64_t *ret_generation);

/* The newest plan above `above` that passes snapshot_decode, is named by its own generation and
 * whose files are all in the store. `refused` (may be NULL) is called once for each newer file that
 * did not pass, with its path, error and sentence; whoever looks again and again gets it again and
 * again. ERR_MISSING when there is none. Close with mapped_close().
 *
 * ret_file is a private copy in memory, not a mapping of the file: damage done to the file later,
 * or a disk that fails, cannot reach what is served (L1). */
typedef void snapshot_refused(void *context, const char *path, int err, const char *where);
must_check int snapshot_load(const char *data, uint64_t above, struct mapped *ret_file,
                             struct plan *ret_plan, snapshot_refused *refused, void *context);
/* The same among the generations above `above` and below `below`: for a reader that found out only
 * after snapshot_load() that a plan cannot be served (a damaged zone file) and holds nothing yet.
 * known (may be NULL): the files of this plan, which the reader has or has looked for, are not
 * looked for again; of ten thousand files one is. */
must_check int snapshot_load_between(const char *data, uint64_t above, uint64_t below,
                                     const struct plan *known, struct mapped *ret_file,
                                     struct plan *ret_plan, snapshot_refused *refused,
                                     void *context);

/* The same whether their files are in the store or not: for a reader that can do without some. */
must_check int snapshot_load_bare(const char *data, uint64_t above, uint64_t below,
                                  struct mapped *ret_file, struct plan *ret_plan,
                                  snapshot_refused *refused, void *context);

/* Where whoever publishes goes on: the newest plan that passes (*ret_file is to be closed), or one
 * of nothing. Its generation is the highest that the folder names, so that the next one is above
 * the refused ones too (L2); *ret_found is the one it was published with, 0 where it is of nothing.
 * A negative error: the folder cannot be read; all is set as if it were empty. */
must_check int snapshot_resume(const char *data, struct mapped *ret_file, struct plan *ret_plan,
                               uint64_t *ret_found);

/* A descriptor that becomes readable when a plan was renamed into place (inotify, non-blocking):
 * poll it, then call snapshot_watch_drain. Pollers also look once a second, so that a lost event
 * costs a second at most. */
must_check int snapshot_watch_open(const char *data, int *ret_fd);
void snapshot_watch_drain(int fd);
