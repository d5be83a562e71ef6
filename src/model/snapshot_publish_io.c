/* The publisher's half of the folder behind door one.
 *
 *  1. A plan is checked as its readers will check it, its files are in the store and its generation
 * is above all others in the folder, before the file gets its name. Both folder and process are
 *     locked meanwhile: whatever comes between a check and its use cannot be another publication.
 *     (October 2025: each enactor checked once, at its start, and applied much later.)
 *  2. A file of the store is removed only when no kept plan reaches it and it was not put there for
 * a plan that is still to come. No clock is read and no age compared.
 *  3. What the clean-up cannot understand it keeps.
 *
 * Of ten thousand zones, a listing of the store is most of what a publication costs. It is made at
 * the first publications of a process, until no plan of another is kept, and where something went
 * wrong. After that a plan is compared with the one before: only files that are new in it are
 * looked for, and those that it reaches no more are all that a kept plan may have been the last to
 * reach. A file that somebody takes away meanwhile is missed by control's look at the store, once a
 * second. */
#include "model/snapshot_io.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/snapshot_folder.h"
#include "seam/disk.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDER_MODE = 0755, FILE_MODE = 0644, SECRET_MODE = 0600 };

/* ---- sets of files of the store ---- */

static void set_add(struct map *set, uint64_t key)
{
    if (map_get(set, &key, sizeof key))
        return;
    uint64_t *kept = mem_new(1, sizeof key);
    *kept = key;
    map_put(set, kept, sizeof *kept, kept);
}

static void set_remove(struct map *set, uint64_t key)
{
    free(map_remove(set, &key, sizeof key));
}

/* ---- one publisher at a time ---- */

/* Files put into the store by this process that no published plan of it reaches yet. */
static pthread_mutex_t publisher_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map pins;
/* Of store_put() at work. Bulk work may take its time over a large file, and who publishes is not
 * to wait for it, so files are written without the lock. */
static unsigned store_writers;

/* Of these, those that may not be on the disk yet. Above a handful one sync of the whole file
 * system is cheaper than one for each file. */
enum { UNSYNCED_MAX = 8 };
static char *unsynced[UNSYNCED_MAX];
static size_t unsynced_count;

static uint64_t pin_key(const char *data, enum plan_file_kind kind, uint64_t hash)
{
    return hash64_seeded(data, strlen(data), snapshot_file_key(kind, hash));
}

/* Takes this process's lock and the folder's; undo with publisher_leave(). */
static int publisher_enter(const char *data, int *ret_lock)
{
    path_buffer folder;
    int r = snapshot_path(folder, "%s/plan", data);
    if (r < 0)
        return r;
    pthread_mutex_lock(&publisher_lock);
    r = disk_folder_lock(folder, ret_lock);
    if (r < 0)
        pthread_mutex_unlock(&publisher_lock);
    return r == -EWOULDBLOCK ? ERR_CONFLICT : r;
}

static void publisher_leave(int lock)
{
    disk_folder_unlock(lock);
    pthread_mutex_unlock(&publisher_lock);
}

/* The plan that this process published last. */
static struct last {
    char *data; /* the folder; NULL: none yet */
    uint8_t *bytes;
    struct plan plan; /* in the bytes */
} last;

/* Files that the last plan does not reach, and one that it published before did: the last kept one
 * of those takes them with it. What does not fit is found by a listing. */
enum { LEAVING_MAX = 64 };
static struct store_name leaving[LEAVING_MAX];
static size_t leaving_count;
/* Publications that have to list the store. */
static unsigned listings_due;

/* Where somebody else published since, nothing is known. */
static bool last_is(const char *data, uint64_t highest)
{
    return last.data && !strcmp(last.data, data) && last.plan.generation == highest;
}

static void leaving_add(const struct plan_file *f)
{
    if (leaving_count == LEAVING_MAX)
        listings_due = SNAPSHOT_KEEP;
    else
        leaving[leaving_count++] =
            (struct store_name){snapshot_file_key(f->kind, f->hash), f->hash, f->kind};
}

/* Takes the bytes over. follows: it was made knowing the last plan. */
static void last_set(const char *data, uint8_t *bytes, const struct plan *plan, bool follows)
{
    if (!follows) {
        leaving_count = 0;
        listings_due = SNAPSHOT_KEEP;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; follows && i < last.plan.file_count; i++)
        if (plan_file_find(plan, &at, &last.plan.files[i]) == PLAN_NONE)
            leaving_add(&last.plan.files[i]); /* or moved far: then the new plan reaches it */
    free(last.data);
    free(last.bytes);
    last = (struct last){mem_string(data), bytes, *plan};
}

/* ---- folders ---- */

int snapshot_folders_create(const char *data)
{
    static const char *const names[] = {"plan", "store"};
    path_buffer folder;
    for (unsigned i = 0; i < array_length(names); i++) {
        int r = snapshot_path(folder, "%s/%s", data, names[i]);
        if (!r)
            r = disk_folder_create(folder, FOLDER_MODE);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- store ---- */

static bool store_holds(const char *path, const void *bytes, size_t size)
{
    const uint8_t *there;
    size_t there_size;
    if (disk_map(path, &there, &there_size) < 0)
        return false;
    bool same = there_size == size && (size == 0 || memcmp(there, bytes, size) == 0);
    disk_unmap(there, there_size);
    return same;
}

/* Under the lock. */
static void unsynced_add(const char *path)
{
    if (unsynced_count < UNSYNCED_MAX)
        unsynced[unsynced_count] = mem_string(path);
    unsynced_count++;
}

/* Under the lock. Before a plan that reaches them gets its name, files are on the disk. */
static int store_sync_locked(const char *data)
{
    path_buffer folder;
    int r = 0;
    if (unsynced_count > UNSYNCED_MAX) {
        r = snapshot_path(folder, "%s/store", data);
        if (!r)
            r = disk_sync(folder);
    }
    for (size_t i = 0; i < unsynced_count && unsynced_count <= UNSYNCED_MAX && !r; i++) {
        r = disk_sync_file(unsynced[i]);
        if (r == -ENOENT) /* nobody wanted it */
            r = 0;
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < unsynced_count && i < UNSYNCED_MAX; i++) {
        free(unsynced[i]);
        unsynced[i] = NULL;
    }
    unsynced_count = 0;
    return 0;
}

int store_sync(const char *data)
{
    pthread_mutex_lock(&publisher_lock);
    int r = store_sync_locked(data);
    pthread_mutex_unlock(&publisher_lock);
    return r;
}

int store_keep(const char *data, enum plan_file_kind kind, uint64_t hash, struct disk_identity *ret)
{
    path_buffer path;
    int r = snapshot_store_path(path, data, kind, hash);
    if (r < 0)
        return r;
    pthread_mutex_lock(&publisher_lock);
    r = disk_identify(path, ret);
    if (!r)
        set_add(&pins, pin_key(data, kind, hash));
    pthread_mutex_unlock(&publisher_lock);
    return r;
}

int store_put(const char *data, enum plan_file_kind kind, uint64_t hash, const void *bytes,
              size_t size)
{
    path_buffer path;
    int r = snapshot_store_path(path, data, kind, hash);
    if (r < 0)
        return r;
    /* Pinned first, and under the lock: from here on no clean-up takes it away, nor what is written
     * aside. */
    pthread_mutex_lock(&publisher_lock);
    set_add(&pins, pin_key(data, kind, hash));
    store_writers++;
    pthread_mutex_unlock(&publisher_lock);
    if (!store_holds(path, bytes, size))
        r = disk_write_unsynced(path, bytes, size,
                                kind == PLAN_FILE_ACCESS ? SECRET_MODE : FILE_MODE);
    pthread_mutex_lock(&publisher_lock);
    store_writers--;
    if (!r) /* one that is there may be of a process that died before its sync */
        unsynced_add(path);
    pthread_mutex_unlock(&publisher_lock);
    return r;
}

/* ---- clean-up ---- */

enum reach { REACH_NOBODY, REACH_KEPT, REACH_LAST }; /* by an older plan that is kept; the last */

struct cleanup {
    const char *data;
    const struct store_listing *listing; /* of the store; NULL: only what leaves is looked at */
    const struct store_listing *files;   /* that may go: the same, or those that leave */
    uint8_t *reach;                      /* by file: enum reach */
    bool keep_all;                       /* a plan that stays could not be read */
};

static void cleanup_keep_all(struct cleanup *c, const char *path, int err, const char *where)
{
    c->keep_all = true;
    log_event(LOG_WARN, "plan.cleanup_keeps_all", {"file", LOG_S(path)},
              {"reason", LOG_S(err_text(err))}, {"where", LOG_S(where)});
}

/* Notes what the plan reaches; false where it cannot be known. */
static bool cleanup_reach(struct cleanup *c, uint64_t generation)
{
    path_buffer path;
    struct mapped file;
    struct plan plan;
    const char *where;
    const struct plan *known = c->listing ? NULL : &last.plan;
    int r = snapshot_read(c->data, generation, known, c->listing, path, &file, &plan, &where);
    if (r < 0) {
        cleanup_keep_all(c, path, r, where);
        return false;
    }
    uint8_t reach = generation == last.plan.generation ? REACH_LAST : REACH_KEPT;
    for (uint32_t i = 0; c->files->count && i < plan.file_count; i++) {
        size_t item = snapshot_store_find(c->files, plan.files[i].kind, plan.files[i].hash);
        if (item && c->reach[item - 1] < reach)
            c->reach[item - 1] = reach;
    }
    mapped_close(&file);
    return true;
}

/* Keeps the newest plans up to the SNAPSHOT_KEEP-th that a reader could use, removes the rest. */
static int cleanup_plans(struct cleanup *c)
{
    struct generations g;
    int r = snapshot_generations(c->data, &g);
    if (r < 0)
        return r;
    unsigned usable = 0;
    for (size_t i = 0; i < g.count; i++) {
        path_buffer path;
        if (usable < SNAPSHOT_KEEP) {
            usable += cleanup_reach(c, g.items[i]);
            continue;
        }
        int err = snapshot_plan_path(path, c->data, g.items[i]);
        if (!err)
            err = disk_remove(path);
        if (err < 0)
            cleanup_keep_all(c, path, err, "an old plan cannot be removed");
    }
    free(g.items);
    return 0;
}

/* Half-written files are a dead writer's where nobody in this process is writing. */
static int leftover_remove(void *context, const char *name)
{
    const char *folder = context;
    path_buffer path;
    if (strncmp(name, DISK_ASIDE_PREFIX, strlen(DISK_ASIDE_PREFIX)) != 0)
        return 0;
    int r = snapshot_path(path, "%s/%s", folder, name);
    return r < 0 ? r : disk_remove(path);
}

static int cleanup_file(const struct cleanup *c, size_t item)
{
    path_buffer path;
    const struct store_name *name = &c->files->items[item];
    if (c->reach[item] != REACH_NOBODY)
        return 0;
    uint64_t pin = pin_key(c->data, name->kind, name->hash);
    if (map_get(&pins, &pin, sizeof pin))
        return 0;
    int r = snapshot_store_path(path, c->data, name->kind, name->hash);
    r = r < 0 ? r : disk_remove(path);
    return r == -ENOENT ? 0 : r;
}

/* lock: of the plans. They are gone from the disk before a file that they reach is. */
static int cleanup_store(struct cleanup *c, int lock)
{
    path_buffer folder;
    int r = snapshot_path(folder, "%s/store", c->data);
    if (!r && c->listing && c->listing->leftovers && !store_writers)
        r = disk_list(folder, leftover_remove, folder);
    if (r < 0 || c->keep_all)
        return r;
    if (c->files->count)
        r = disk_folder_sync(lock);
    for (size_t i = 0; i < c->files->count && !r; i++)
        r = cleanup_file(c, i);
    return r;
}

/* After a clean-up that did all: what is gone does not leave any more, nor what came back. */
static void leaving_prune(const struct cleanup *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < leaving_count; i++) {
        size_t item = snapshot_store_find(c->files, leaving[i].kind, leaving[i].hash);
        uint64_t pin = pin_key(c->data, leaving[i].kind, leaving[i].hash);
        if (item && (c->reach[item - 1] == REACH_KEPT || map_get(&pins, &pin, sizeof pin)))
            leaving[kept++] = leaving[i];
    }
    leaving_count = kept;
}

/* listing: nobody but who holds the publisher's lock takes files out of the store, and what comes
 * in meanwhile is pinned. */
static void cleanup_run(const char *data, const struct store_listing *listing, int lock)
{
    struct store_listing own = store_listing_of(leaving, leaving_count);
    struct cleanup c = {.data = data, .listing = listing, .files = listing ? listing : &own};
    c.reach = mem_new(c.files->count, sizeof *c.reach);
    path_buffer folder;
    int r = snapshot_path(folder, "%s/plan", data);
    if (!r)
        r = disk_list(folder, leftover_remove, folder);
    if (!r)
        r = cleanup_plans(&c);
    if (!r)
        r = cleanup_store(&c, lock);
    if (r < 0 || c.keep_all)
        listings_due = SNAPSHOT_KEEP;
    else
        leaving_prune(&c);
    if (r < 0)
        log_event(LOG_WARN, "plan.cleanup_failed", {"folder", LOG_S(data)},
                  {"reason", LOG_S(err_text(r))});
    free(c.reach);
    store_listing_done(&own);
}

/* ---- publish ---- */

/* As its readers will, at the moment it gets its name. listing: of the store; NULL: what the last
 * plan reached is there. */
static int publish_check(const char *data, uint64_t highest, const struct plan *plan,
                         const struct store_listing *listing, const void *bytes, size_t size,
                         struct plan *ret_decoded)
{
    const char *where;
    if (plan->generation <= highest)
        return ERR_OLDER;
    int r = snapshot_decode(bytes, size, ret_decoded, NULL);
    const struct plan *known = listing ? NULL : &last.plan;
    return r < 0 ? r : snapshot_files_present(data, plan, known, listing, &where);
}

static int publish_write(const char *data, uint64_t generation, const void *bytes, size_t size)
{
    path_buffer path;
    struct disk_identity there;
    int r = snapshot_plan_path(path, data, generation);
    if (r < 0)
        return r;
    r = disk_write_atomic(path, bytes, size, FILE_MODE);
    if (r < 0 && !disk_identify(path, &there)) {
        /* Only the last sync failed. Readers may have it by now: to take it back would be to serve
         * one thing under two numbers. The plans before it are still there should it not last. */
        log_event(LOG_WARN, "plan.unsynced", {"file", LOG_S(path)}, {"reason", LOG_S(err_text(r))});
        return 0;
    }
    return r;
}

/* It has its name: what it reaches needs no pin any more, and what only those before it reached can
 * go. Takes the bytes over. */
static void published(const char *data, uint8_t *bytes, const struct plan *decoded, bool follows,
                      const struct store_listing *listing, int lock)
{
    for (uint32_t i = 0; i < decoded->file_count && pins.count; i++)
        set_remove(&pins, pin_key(data, decoded->files[i].kind, decoded->files[i].hash));
    if (listing && listings_due)
        listings_due--;
    last_set(data, bytes, decoded, follows);
    cleanup_run(data, listing, lock);
}

int snapshot_publish(const char *data, const struct plan *plan)
{
    size_t size;
    uint8_t *bytes = snapshot_encode(plan, &size);
    int lock, r = publisher_enter(data, &lock);
    if (r < 0) {
        free(bytes);
        return r;
    }
    uint64_t highest;
    struct store_listing listing = {0};
    struct plan decoded;
    r = snapshot_highest(data, &highest);
    bool follows = !r && last_is(data, highest), listed = listings_due || !follows;
    if (!r && listed)
        r = snapshot_store_list(data, &listing);
    if (!r)
        r = publish_check(data, highest, plan, listed ? &listing : NULL, bytes, size, &decoded);
    if (!r)
        r = store_sync_locked(data);
    if (!r)
        r = publish_write(data, plan->generation, bytes, size);
    if (!r)
        published(data, bytes, &decoded, follows, listed ? &listing : NULL, lock);
    else
        free(bytes);
    store_listing_done(&listing);
    publisher_leave(lock);
    return r;
}
