/* The reader's half of the folder behind door one; the publisher's is snapshot_publish_io.c. */
#include "model/snapshot_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/snapshot_folder.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { PLAN_FILE_MAX = 1 << 30 };

int snapshot_highest(const char *data, uint64_t *ret_generation)
{
    struct generations g;
    int r = snapshot_generations(data, &g);
    if (r < 0)
        return r;
    *ret_generation = g.count ? g.items[0] : 0;
    free(g.items);
    return 0;
}

/* ---- reading ---- */

void mapped_close(struct mapped *m)
{
    disk_unmap(m->data, m->size);
    *m = (struct mapped){0};
}

int store_map_identified(const char *data, enum plan_file_kind kind, uint64_t hash,
                         struct mapped *ret, struct disk_identity *ret_identity)
{
    path_buffer path;
    int r = snapshot_store_path(path, data, kind, hash);
    return r < 0 ? r : disk_map_identified(path, &ret->data, &ret->size, ret_identity);
}

int store_map(const char *data, enum plan_file_kind kind, uint64_t hash, struct mapped *ret)
{
    struct disk_identity ignored;
    return store_map_identified(data, kind, hash, ret, &ignored);
}

/* ---- are its files there? ---- */

static int file_present(const char *data, const struct plan_file *f, const struct store_listing *l)
{
    path_buffer path;
    if (l)
        return snapshot_store_find(l, f->kind, f->hash) ? 0 : ERR_MISSING;
    int r = snapshot_store_path(path, data, f->kind, f->hash);
    r = r < 0 ? r : disk_readable(path);
    return r == -ENOENT ? ERR_MISSING : r;
}

static uint32_t unknown_count(const struct plan *plan, const struct plan *known)
{
    uint32_t count = 0, at = 0;
    for (uint32_t i = 0; i < plan->file_count; i++)
        count += !known || plan_file_find(known, &at, &plan->files[i]) == PLAN_NONE;
    return count;
}

int snapshot_files_present(const char *data, const struct plan *plan, const struct plan *known,
                           const struct store_listing *listing, const char **ret_where)
{
    /* Above so many files the folder is listed once, instead of asking for each of them. */
    enum { ASKED_FOR_MAX = 64 };
    static _Thread_local char sentence[256];
    struct store_listing own = {0};
    uint32_t at = 0;
    int r = 0;
    snprintf(sentence, sizeof sentence, "the store cannot be read");
    *ret_where = sentence;
    if (!listing && unknown_count(plan, known) > ASKED_FOR_MAX) {
        r = snapshot_store_list(data, &own);
        listing = &own;
    }
    for (uint32_t i = 0; i < plan->file_count && !r; i++) {
        if (known && plan_file_find(known, &at, &plan->files[i]) != PLAN_NONE)
            continue;
        r = file_present(data, &plan->files[i], listing);
        if (r < 0)
            snprintf(sentence, sizeof sentence, "file %u (%s, %016llx%s) is not in the store", i,
                     plan_text(plan, plan->files[i].name), (unsigned long long)plan->files[i].hash,
                     snapshot_suffix[plan->files[i].kind]);
    }
    store_listing_done(&own);
    return r;
}

/* The plan itself, without a look at its files. */
static int plan_read(const char *path, uint64_t generation, struct mapped *ret_file,
                     struct plan *ret_plan, const char **ret_where)
{
    *ret_where = "the file cannot be read";
    int r = disk_copy(path, PLAN_FILE_MAX, &ret_file->data, &ret_file->size);
    if (r < 0)
        return r;
    r = snapshot_decode(ret_file->data, ret_file->size, ret_plan, ret_where);
    if (!r && ret_plan->generation != generation) {
        r = ERR_INVALID;
        *ret_where = "the file is named by another generation than it holds";
    }
    if (r < 0)
        mapped_close(ret_file);
    return r;
}

int snapshot_read(const char *data, uint64_t generation, const struct plan *known,
                  const struct store_listing *listing, path_buffer ret_path,
                  struct mapped *ret_file, struct plan *ret_plan, const char **ret_where)
{
    struct mapped file;
    struct plan plan;
    *ret_where = "its path is too long";
    int r = snapshot_plan_path(ret_path, data, generation);
    if (!r)
        r = plan_read(ret_path, generation, &file, &plan, ret_where);
    if (r < 0)
        return r;
    r = snapshot_files_present(data, &plan, known, listing, ret_where);
    if (r < 0) {
        mapped_close(&file);
        return r;
    }
    *ret_file = file;
    *ret_plan = plan;
    return 0;
}

/* Which plans are asked for. */
struct wanted {
    uint64_t above, below;
    const struct plan *known; /* its files are there */
    bool bare;                /* no file is looked for */
};

static int wanted_read(const char *data, uint64_t generation, const struct wanted *w,
                       path_buffer ret_path, struct mapped *ret_file, struct plan *ret_plan,
                       const char **ret_where)
{
    if (!w->bare)
        return snapshot_read(data, generation, w->known, NULL, ret_path, ret_file, ret_plan,
                             ret_where);
    *ret_where = "its path is too long";
    int r = snapshot_plan_path(ret_path, data, generation);
    return r < 0 ? r : plan_read(ret_path, generation, ret_file, ret_plan, ret_where);
}

/* -EAGAIN: what was listed is gone. */
static int load_once(const char *data, const struct wanted *w, struct mapped *ret_file,
                     struct plan *ret_plan, snapshot_refused *refused, void *context)
{
    struct generations g;
    int r = snapshot_generations(data, &g);
    if (r < 0)
        return r;
    bool vanished = false;
    r = ERR_MISSING;
    for (size_t i = 0; i < g.count && g.items[i] > w->above; i++) {
        path_buffer path;
        struct disk_identity there;
        const char *where;
        if (g.items[i] >= w->below)
            continue;
        int err = wanted_read(data, g.items[i], w, path, ret_file, ret_plan, &where);
        if (!err) {
            invariant(ret_plan->generation > w->above && ret_plan->generation < w->below);
            r = 0;
            break;
        }
        if (err == -ENOENT || disk_identify(path, &there))
            vanished = true; /* cleaned up since the listing: newer ones are there */
        else if (refused)
            refused(context, path, err, where);
    }
    free(g.items);
    return r == ERR_MISSING && vanished ? -EAGAIN : r;
}

static int load_tries(const char *data, const struct wanted *w, struct mapped *ret_file,
                      struct plan *ret_plan, snapshot_refused *refused, void *context)
{
    enum { TRIES = 5 }; /* a publisher would have to publish SNAPSHOT_KEEP plans during each */
    int r = -EAGAIN;
    for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++)
        r = load_once(data, w, ret_file, ret_plan, refused, context);
    return r == -EAGAIN ? ERR_MISSING : r;
}

int snapshot_load_between(const char *data, uint64_t above, uint64_t below,
                          const struct plan *known, struct mapped *ret_file, struct plan *ret_plan,
                          snapshot_refused *refused, void *context)
{
    const struct wanted w = {.above = above, .below = below, .known = known};
    return load_tries(data, &w, ret_file, ret_plan, refused, context);
}

int snapshot_load_bare(const char *data, uint64_t above, uint64_t below, struct mapped *ret_file,
                       struct plan *ret_plan, snapshot_refused *refused, void *context)
{
    const struct wanted w = {.above = above, .below = below, .bare = true};
    return load_tries(data, &w, ret_file, ret_plan, refused, context);
}

int snapshot_load(const char *data, uint64_t above, struct mapped *ret_file, struct plan *ret_plan,
                  snapshot_refused *refused, void *context)
{
    return snapshot_load_between(data, above, UINT64_MAX, NULL, ret_file, ret_plan, refused,
                                 context);
}

int snapshot_resume(const char *data, struct mapped *ret_file, struct plan *ret_plan,
                    uint64_t *ret_found)
{
    uint64_t highest = 0;
    if (snapshot_load(data, 0, ret_file, ret_plan, NULL, NULL)) {
        *ret_file = (struct mapped){0};
        *ret_plan = (struct plan){.text = "", .text_size = 1};
    }
    *ret_found = ret_plan->generation;
    int r = snapshot_highest(data, &highest);
    if (highest > ret_plan->generation)
        ret_plan->generation = highest;
    return r;
}

/* ---- watching ---- */

int snapshot_watch_open(const char *data, int *ret_fd)
{
    path_buffer folder;
    int r = snapshot_path(folder, "%s/plan", data);
    if (r < 0)
        return r;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (inotify_add_watch(fd, folder, IN_MOVED_TO | IN_ONLYDIR) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

void snapshot_watch_drain(int fd)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    do
        n = read(fd, events, sizeof events);
    while (n > 0 || (n < 0 && errno == EINTR));
}
