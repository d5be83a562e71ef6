/* The folder behind door one on a disk of ours: what seam/disk.h offers, in the place of the real
 * one, so that the real publisher and the real reader work on it.
 *
 * What a writer does happens to its own view at once, and to the disk step by step afterwards; in
 * between the process or the machine may stop. A file that is replaced is written aside, synced,
 * renamed, and its folder is synced, as seam/disk.c does it. */
#include "sim/cluster_plan.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

static struct plan_folder *in_use;
static bool writing;

/* ---- files ---- */

static struct plan_entry *entry_find(struct plan_files *f, const char *name)
{
    for (unsigned i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].name, name))
            return &f->list[i];
    return NULL;
}

static void entry_drop(struct plan_files *f, const char *name)
{
    struct plan_entry *e = entry_find(f, name);
    if (!e)
        return;
    free(e->data);
    *e = f->list[--f->count];
}

static struct plan_entry *entry_put(struct plan_files *f, const char *name, const void *data,
                                    size_t size)
{
    entry_drop(f, name);
    invariant(f->count < PLAN_FILES_MAX);
    struct plan_entry *e = &f->list[f->count++];
    *e = (struct plan_entry){.data = mem_new(size + 1, 1), .size = size};
    snprintf(e->name, sizeof e->name, "%s", name);
    if (size)
        memcpy(e->data, data, size);
    return e;
}

static void files_drop(struct plan_files *f)
{
    while (f->count)
        free(f->list[--f->count].data);
}

static void files_copy(const struct plan_files *from, struct plan_files *to)
{
    files_drop(to);
    for (unsigned i = 0; i < from->count; i++)
        entry_put(to, from->list[i].name, from->list[i].data, from->list[i].size)->synced =
            from->list[i].synced;
}

/* ---- what happens to the disk ---- */

static void undo_drop(struct plan_folder *f, unsigned i)
{
    free(f->undo[i].before.data);
    memmove(&f->undo[i], &f->undo[i + 1], (--f->undo_count - i) * sizeof *f->undo);
}

static void undo_note(struct plan_folder *f, const char *name)
{
    const struct plan_entry *e = entry_find(&f->files, name);
    if (f->undo_count == PLAN_STEPS_MAX)
        undo_drop(f, 0);
    struct plan_undo *u = &f->undo[f->undo_count++];
    *u = (struct plan_undo){0};
    snprintf(u->name, sizeof u->name, "%s", name);
    if (!e)
        return;
    u->before = *e;
    u->before.data = mem_new(e->size + 1, 1);
    memcpy(u->before.data, e->data, e->size);
}

static void undo_apply(struct plan_folder *f)
{
    const struct plan_undo *u = &f->undo[f->undo_count - 1];
    if (u->before.data)
        entry_put(&f->files, u->name, u->before.data, u->before.size)->synced = u->before.synced;
    else
        entry_drop(&f->files, u->name);
    undo_drop(f, f->undo_count - 1);
}

static bool lies_in(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    return !strncmp(name, folder, length) && name[length] == '/';
}

static void write_happen(struct plan_folder *f, struct plan_write *w, struct plan_files *to)
{
    bool real = to == &f->files;
    struct plan_entry *e = entry_find(to, w->name);
    if (w->kind == WRITE_SYNC && e && !f->lies)
        e->synced = true;
    for (unsigned i = 0; real && w->kind == WRITE_NAMES && i < f->undo_count;)
        if (lies_in(f->undo[i].name, w->name))
            undo_drop(f, i);
        else
            i++;
    if (w->kind == WRITE_SYNC || w->kind == WRITE_NAMES)
        return;
    if (real)
        undo_note(f, w->name);
    if (real && w->kind == WRITE_RENAME)
        undo_note(f, w->to);
    if (w->kind == WRITE_ASIDE)
        entry_put(to, w->name, w->data, w->size);
    else if (w->kind == WRITE_REMOVE)
        entry_drop(to, w->name);
    else if (e) {
        struct plan_entry moved = *e;
        *e = to->list[--to->count];
        entry_put(to, w->to, moved.data, moved.size)->synced = moved.synced;
        free(moved.data);
    }
}

static void write_add(enum plan_write_kind kind, const char *name, const char *to, const void *data,
                      size_t size)
{
    struct plan_folder *f = in_use;
    invariant(writing && f->write_count < PLAN_STEPS_MAX);
    struct plan_write *w = &f->writes[f->write_count++];
    *w = (struct plan_write){.kind = kind, .size = size};
    snprintf(w->name, sizeof w->name, "%s", name);
    snprintf(w->to, sizeof w->to, "%s", to);
    if (data) {
        w->data = mem_new(size + 1, 1);
        memcpy(w->data, data, size);
    }
    write_happen(f, w, &f->ahead);
}

static void write_done(struct plan_folder *f)
{
    free(f->writes[0].data);
    memmove(f->writes, f->writes + 1, --f->write_count * sizeof *f->writes);
}

void plan_folder_use(struct plan_folder *f, bool writes)
{
    in_use = f;
    writing = writes;
    if (writes) {
        invariant(!f->write_count);
        files_copy(&f->files, &f->ahead);
    }
}

bool plan_folder_go(struct plan_folder *f)
{
    struct plan_write *w = &f->writes[0];
    bool named = w->kind == WRITE_RENAME && strstr(w->to, ".plan");
    write_happen(f, w, &f->files);
    write_done(f);
    return named;
}

static void entry_tear(struct plan_folder *f, struct plan_entry *e)
{
    e->size = random_below(f->random, (uint32_t)e->size + 1);
    for (size_t at = 0; at < e->size; at += SECTOR)
        if (random_below(f->random, 4) == 0)
            memset(e->data + at, 0, e->size - at < SECTOR ? e->size - at : SECTOR);
}

void plan_folder_kill(struct plan_folder *f)
{
    if (f->write_count && f->writes[0].kind == WRITE_ASIDE && random_below(f->random, 2)) {
        f->writes[0].size = random_below(f->random, (uint32_t)f->writes[0].size + 1);
        write_happen(f, &f->writes[0], &f->files);
    }
    while (f->write_count)
        write_done(f);
    files_drop(&f->ahead);
}

void plan_folder_stop(struct plan_folder *f, unsigned *taken_back, unsigned *torn)
{
    plan_folder_kill(f);
    for (unsigned i = 0; i < f->files.count; i++) {
        struct plan_entry *e = &f->files.list[i];
        if (e->synced)
            continue;
        entry_tear(f, e);
        e->synced = true;
        ++*torn;
    }
    for (unsigned keep = random_below(f->random, f->undo_count + 1); f->undo_count > keep;) {
        undo_apply(f);
        ++*taken_back;
    }
    while (f->undo_count)
        undo_drop(f, 0);
}

void plan_folder_wipe(struct plan_folder *f)
{
    plan_folder_kill(f);
    files_drop(&f->files);
    while (f->undo_count)
        undo_drop(f, 0);
}

static bool is_plan(const struct plan_entry *e)
{
    return strstr(e->name, ".plan") && !strstr(e->name, DISK_ASIDE_PREFIX);
}

struct plan_entry *plan_files_newest(struct plan_files *f)
{
    struct plan_entry *newest = NULL;
    for (unsigned i = 0; i < f->count; i++)
        if (is_plan(&f->list[i]) && (!newest || strcmp(f->list[i].name, newest->name) > 0))
            newest = &f->list[i];
    return newest;
}

bool plan_folder_rot(struct plan_folder *f)
{
    struct plan_entry *e = NULL;
    unsigned plans = 0;
    for (unsigned i = 0; i < f->files.count; i++)
        if (is_plan(&f->files.list[i]) && random_below(f->random, ++plans) == 0)
            e = &f->files.list[i];
    if (plans < 2 || !e->size)
        return false;
    e->data[random_below(f->random, (uint32_t)e->size)] ^= 1;
    return true;
}

/* ---- seam/disk.h ---- */

static struct plan_files *seen(void)
{
    return writing ? &in_use->ahead : &in_use->files;
}

static int entry_copy(const char *path, const uint8_t **ret_data, size_t *ret_size)
{
    const struct plan_entry *e = entry_find(seen(), path);
    if (!e)
        return -ENOENT;
    uint8_t *copy = mem_new(e->size + 1, 1);
    memcpy(copy, e->data, e->size);
    *ret_data = copy;
    *ret_size = e->size;
    return 0;
}

int disk_map(const char *path, const uint8_t **ret_data, size_t *ret_size)
{
    return entry_copy(path, ret_data, ret_size);
}

int disk_map_identified(const char *path, const uint8_t **ret_data, size_t *ret_size,
                        struct disk_identity *ret_identity)
{
    *ret_identity = (struct disk_identity){0};
    return entry_copy(path, ret_data, ret_size);
}

int disk_copy(const char *path, size_t max, const uint8_t **ret_data, size_t *ret_size)
{
    const struct plan_entry *e = entry_find(seen(), path);
    if (e && (!e->size || e->size > max))
        return e->size ? -EFBIG : ERR_TRUNCATED;
    return entry_copy(path, ret_data, ret_size);
}

void disk_unmap(const uint8_t *data, size_t size)
{
    (void)size;
    free((void *)(uintptr_t)data);
}

int disk_readable(const char *path)
{
    return entry_find(seen(), path) ? 0 : -ENOENT;
}

int disk_identify(const char *path, struct disk_identity *ret)
{
    *ret = (struct disk_identity){0};
    return disk_readable(path);
}

/* "n1/plan/000.plan" -> "n1/plan/.tmp-000.plan" and "n1/plan" */
static void names_of(const char *path, char aside[static PLAN_NAME_SIZE],
                     char folder[static PLAN_NAME_SIZE])
{
    int length = (int)(strrchr(path, '/') - path);
    snprintf(aside, PLAN_NAME_SIZE, "%.*s/%s%s", length, path, DISK_ASIDE_PREFIX,
             path + length + 1);
    snprintf(folder, PLAN_NAME_SIZE, "%.*s", length, path);
}

static int put(const char *path, const void *data, size_t length, bool syncs)
{
    char aside[PLAN_NAME_SIZE], folder[PLAN_NAME_SIZE];
    if (in_use->full)
        return -ENOSPC;
    names_of(path, aside, folder);
    write_add(WRITE_ASIDE, aside, "", data, length);
    if (syncs)
        write_add(WRITE_SYNC, aside, "", NULL, 0);
    write_add(WRITE_RENAME, aside, path, NULL, 0);
    if (syncs)
        write_add(WRITE_NAMES, folder, "", NULL, 0);
    return 0;
}

int disk_write_atomic(const char *path, const void *data, size_t length, mode_t mode)
{
    (void)mode;
    return put(path, data, length, true);
}

int disk_write_unsynced(const char *path, const void *data, size_t length, mode_t mode)
{
    (void)mode;
    return put(path, data, length, false);
}

int disk_sync_file(const char *path)
{
    char aside[PLAN_NAME_SIZE], folder[PLAN_NAME_SIZE];
    if (disk_readable(path))
        return -ENOENT;
    names_of(path, aside, folder);
    write_add(WRITE_SYNC, path, "", NULL, 0);
    write_add(WRITE_NAMES, folder, "", NULL, 0);
    return 0;
}

int disk_sync(const char *folder)
{
    for (unsigned i = 0; i < in_use->ahead.count; i++)
        if (lies_in(in_use->ahead.list[i].name, folder))
            write_add(WRITE_SYNC, in_use->ahead.list[i].name, "", NULL, 0);
    write_add(WRITE_NAMES, folder, "", NULL, 0);
    return 0;
}

int disk_folder_create(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

static char locked[PLAN_NAME_SIZE];

int disk_folder_lock(const char *path, int *ret_lock)
{
    snprintf(locked, sizeof locked, "%s", path);
    *ret_lock = 0;
    return 0;
}

void disk_folder_unlock(int lock)
{
    (void)lock;
}

int disk_folder_sync(int lock)
{
    (void)lock;
    write_add(WRITE_NAMES, locked, "", NULL, 0);
    return 0;
}

int disk_list(const char *path, int (*each)(void *context, const char *name), void *context)
{
    const struct plan_files *f = seen();
    char names[PLAN_FILES_MAX][PLAN_NAME_SIZE];
    unsigned count = f->count;
    int result = 0;
    for (unsigned i = 0; i < count; i++) /* a name may be removed meanwhile */
        memcpy(names[i], f->list[i].name, PLAN_NAME_SIZE);
    for (unsigned i = 0; i < count && !result; i++)
        if (lies_in(names[i], path))
            result = each(context, strrchr(names[i], '/') + 1);
    return result;
}

int disk_remove(const char *path)
{
    if (disk_readable(path))
        return -ENOENT;
    write_add(WRITE_REMOVE, path, "", NULL, 0);
    return 0;
}
