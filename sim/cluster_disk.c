/* Disks: what was written stays, but for what was being written when the machine stopped. */
#include "sim/cluster.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECTOR = 512, LIES = 6 };

static struct sim_file *file_find(struct sim_disk *d, const char *name)
{
    for (unsigned i = 0; i < d->count; i++)
        if (!strcmp(d->files[i].name, name))
            return &d->files[i];
    return NULL;
}

static struct sim_file file_copy(const struct sim_file *f)
{
    struct sim_file copy = *f;
    copy.data = mem_new(f->size + 1, 1);
    memcpy(copy.data, f->data, f->size);
    return copy;
}

static void undo_drop(struct sim_disk *d, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(d->undo[i].before.data);
    d->undo_count -= count;
    memmove(d->undo, d->undo + count, d->undo_count * sizeof *d->undo);
}

static void undo_note(struct sim_disk *d, const char *name, bool append)
{
    struct sim_file *f = file_find(d, name);
    if (!d->recording && !d->lies)
        return;
    if (d->undo_count == CLUSTER_UNDO_MAX)
        undo_drop(d, 1);
    struct sim_undo *u = &d->undo[d->undo_count++];
    *u = (struct sim_undo){.append = append};
    snprintf(u->name, sizeof u->name, "%s", name);
    if (f)
        u->before = file_copy(f);
}

static void file_drop(struct sim_disk *d, const char *name)
{
    struct sim_file *f = file_find(d, name);
    if (!f)
        return;
    free(f->data);
    *f = d->files[--d->count];
}

static void file_put(struct sim_disk *d, const char *name, const void *data, size_t size)
{
    file_drop(d, name);
    invariant(d->count < CLUSTER_FILES_MAX);
    struct sim_file *f = &d->files[d->count++];
    *f = (struct sim_file){.data = mem_new(size + 1, 1), .size = size};
    snprintf(f->name, sizeof f->name, "%s", name);
    if (size)
        memcpy(f->data, data, size);
}

/* ---- the port ---- */

static int disk_read_file(void *context, const char *name, size_t max, char **ret, size_t *ret_size)
{
    const struct sim_file *f = file_find(context, name);
    if (!f)
        return -ENOENT;
    if (f->size > max)
        return -EFBIG;
    struct sim_file copy = file_copy(f);
    *ret = copy.data;
    *ret_size = copy.size;
    return 0;
}

static int disk_append_file(void *context, const char *name, size_t offset, const void *data,
                            size_t size)
{
    struct sim_disk *d = context;
    struct sim_file *f = file_find(d, name);
    if (!f)
        return -ENOENT;
    if (d->full && size)
        return -ENOSPC;
    if (f->size < offset)
        return -EIO;
    undo_note(d, name, true);
    f->data = mem_resize(f->data, offset + size + 1, 1);
    if (size)
        memcpy(f->data + offset, data, size);
    f->size = offset + size;
    f->newest = offset;
    return 0;
}

static int disk_replace_file(void *context, const char *name, const void *data, size_t size)
{
    struct sim_disk *d = context;
    if (d->full)
        return -ENOSPC;
    undo_note(d, name, false);
    file_put(d, name, data, size);
    return 0;
}

static int disk_remove_file(void *context, const char *name)
{
    struct sim_disk *d = context;
    if (!file_find(d, name))
        return -ENOENT;
    undo_note(d, name, false);
    file_drop(d, name);
    return 0;
}

static int disk_list_files(void *context, int (*each)(void *, const char *), void *each_context)
{
    struct sim_disk *d = context;
    int err = 0;
    for (unsigned i = 0; i < d->count && !err; i++)
        err = each(each_context, d->files[i].name);
    return err;
}

void sim_disk_port(struct sim_disk *d, struct replica_disk *ret)
{
    *ret = (struct replica_disk){
        d, disk_read_file, disk_append_file, disk_replace_file, disk_remove_file, disk_list_files};
}

/* ---- stops ---- */

void sim_disk_begin(struct sim_disk *d)
{
    if (!d->lies)
        undo_drop(d, d->undo_count);
    d->recording = true;
}

void sim_disk_written(struct sim_disk *d)
{
    d->recording = false;
}

void sim_disk_end(struct sim_disk *d)
{
    if (!d->lies)
        undo_drop(d, d->undo_count);
}

static void undo_apply(struct sim_disk *d, const struct sim_undo *u)
{
    if (u->before.data) {
        file_put(d, u->name, u->before.data, u->before.size);
        file_find(d, u->name)->newest = u->before.newest;
    } else {
        file_drop(d, u->name);
    }
}

/* Of an append only some sectors came to the disk: the others are zeros, or the file is shorter. */
static void append_tear(struct sim_disk *d, const struct sim_undo *u)
{
    struct sim_file *f = file_find(d, u->name);
    size_t from = u->before.size;
    if (!f || f->size <= from)
        return;
    f->size = from + random_below(d->random, (uint32_t)(f->size - from) + 1);
    for (size_t at = from; at < f->size; at = (at / SECTOR + 1) * SECTOR) {
        size_t end = (at / SECTOR + 1) * SECTOR < f->size ? (at / SECTOR + 1) * SECTOR : f->size;
        if (random_below(d->random, 4) == 0)
            memset(f->data + at, 0, end - at);
    }
}

void sim_disk_stop(struct sim_disk *d)
{
    unsigned keep = d->undo_count ? random_below(d->random, d->undo_count + 1) : 0;
    if (d->lies && d->undo_count > LIES && keep < d->undo_count - LIES)
        keep = d->undo_count - LIES; /* what is older came to the disk at last */
    for (unsigned i = d->undo_count; i-- > keep;) {
        bool tears = i == keep && d->undo[i].append && !d->lies;
        ++*(tears ? d->torn : d->cut);
        if (tears)
            append_tear(d, &d->undo[i]);
        else
            undo_apply(d, &d->undo[i]);
    }
    undo_drop(d, d->undo_count);
    d->recording = false;
}

void sim_disk_wipe(struct sim_disk *d)
{
    while (d->count)
        free(d->files[--d->count].data);
    undo_drop(d, d->undo_count);
    d->full = d->recording = false;
}

bool sim_disk_rot(struct sim_disk *d)
{
    struct sim_file *f = d->count ? &d->files[random_below(d->random, d->count)] : NULL;
    if (!f)
        return false;
    /* the last write to a log is not told from one that was torn (doc/internals/replica.md) */
    size_t size = !strncmp(f->name, "log-", 4) ? f->newest : f->size;
    if (!size)
        return false;
    f->data[random_below(d->random, (uint32_t)size)] ^= (char)(1 + random_below(d->random, 255));
    return true;
}
