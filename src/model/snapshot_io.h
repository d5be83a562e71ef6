/* The folder behind door one:
 *
 *   DATA/plan/<generation, 20 digits>.plan   the newest SNAPSHOT_KEEP
 *   DATA/store/<hash, 16 hex digits>.zone    files that a kept plan reaches
 *   DATA/store/<hash, 16 hex digits>.netmap
 *
 * There is no "current" file: the newest plan that passes the reader's own check is current, so there
 * is nothing that could dangle. Clean-up goes by reachability from the plans kept, never by age. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "model/plan.h"
#include "model/snapshot.h"

/* A read-only mapped file. */
struct mapped {
    const uint8_t *data;
    size_t size;
};

/* Creates the folders. */
must_check int snapshot_folders_create(const char *data);

/* Writes a file of the store if it is not there yet (aside, sync, rename). */
must_check int store_put(const char *data, enum plan_file_kind kind, uint64_t hash,
                         const void *bytes, size_t size);
must_check int store_map(const char *data, enum plan_file_kind kind, uint64_t hash,
                         struct mapped *ret);
void mapped_close(struct mapped *m);

/* Publishes: write aside, sync, rename, sync the folder, then drop plans beyond the newest SNAPSHOT_KEEP and files that no kept
 * plan reaches. On failure (ENOSPC...) what was there before is untouched and the file aside is removed. */
must_check int snapshot_publish(const char *data, const struct plan *plan);

/* The highest generation named in the folder, valid or not; 0 = none. The next publication must be above. */
must_check int snapshot_highest(const char *data, uint64_t *ret_generation);

/* Maps the newest plan above `above` that passes snapshot_decode. `refused` (may be NULL) is called for each newer file that did not
 * pass, with its path, error and sentence. ERR_MISSING when there is none. Close with mapped_close(). */
typedef void snapshot_refused(void *context, const char *path, int err, const char *where);
must_check int snapshot_load(const char *data, uint64_t above, struct mapped *ret_file,
                             struct plan *ret_plan, snapshot_refused *refused, void *context);

/* A descriptor that becomes readable when a plan was renamed into place (inotify, non-blocking): poll it, then
 * call snapshot_watch_drain. Pollers also look once a second, so that a lost event costs a second at most. */
must_check int snapshot_watch_open(const char *data, int *ret_fd);
void snapshot_watch_drain(int fd);
