/* A disk of tests: files in memory, which can be cut, damaged, and full. */
#pragma once

#include "base/invariant.h"
#include "base/memory.h"
#include "replica/port.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RIG_FILES_MAX = 32 };

struct rig_file {
    char name[40]; /* "": none */
    uint8_t *data;
    size_t size;
};

struct rig_disk {
    struct rig_file files[RIG_FILES_MAX];
    bool full;
};

static inline struct rig_file *rig_find(struct rig_disk *d, const char *name)
{
    for (unsigned i = 0; i < RIG_FILES_MAX; i++)
        if (!strcmp(d->files[i].name, name))
            return &d->files[i];
    return NULL;
}

static inline int rig_read(void *context, const char *name, size_t max, char **ret_data,
                           size_t *ret_size)
{
    const struct rig_file *f = rig_find(context, name);
    if (!f)
        return -ENOENT;
    if (f->size > max)
        return -EFBIG;
    *ret_data = mem_new(f->size + 1, 1);
    if (f->size)
        memcpy(*ret_data, f->data, f->size);
    *ret_size = f->size;
    return 0;
}

static inline int rig_append(void *context, const char *name, size_t offset, const void *data,
                             size_t size)
{
    struct rig_disk *d = context;
    struct rig_file *f = rig_find(d, name);
    if (!f)
        return -ENOENT;
    if (d->full && size)
        return -ENOSPC;
    invariant(offset <= f->size);
    f->data = mem_resize(f->data, offset + size + 1, 1);
    if (size)
        memcpy(f->data + offset, data, size);
    f->size = offset + size;
    return 0;
}

static inline int rig_replace(void *context, const char *name, const void *data, size_t size)
{
    struct rig_disk *d = context;
    struct rig_file *f = rig_find(d, name);
    if (d->full)
        return -ENOSPC;
    f = f ? f : rig_find(d, "");
    invariant(f);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->data = mem_resize(f->data, size + 1, 1);
    if (size)
        memcpy(f->data, data, size);
    f->size = size;
    return 0;
}

static inline int rig_remove(void *context, const char *name)
{
    struct rig_file *f = rig_find(context, name);
    if (!f)
        return -ENOENT;
    free(f->data);
    *f = (struct rig_file){0};
    return 0;
}

static inline int rig_list(void *context, int (*each)(void *, const char *), void *each_context)
{
    struct rig_disk *d = context;
    int err = 0;
    for (unsigned i = 0; i < RIG_FILES_MAX && !err; i++)
        if (*d->files[i].name)
            err = each(each_context, d->files[i].name);
    return err;
}

static inline struct replica_disk rig_port(struct rig_disk *d)
{
    return (struct replica_disk){d, rig_read, rig_append, rig_replace, rig_remove, rig_list};
}

static inline void rig_wipe(struct rig_disk *d)
{
    for (unsigned i = 0; i < RIG_FILES_MAX; i++)
        free(d->files[i].data);
    *d = (struct rig_disk){0};
}

/* The other disk becomes one like this. */
static inline void rig_copy(const struct rig_disk *d, struct rig_disk *to)
{
    rig_wipe(to);
    for (unsigned i = 0; i < RIG_FILES_MAX; i++)
        if (*d->files[i].name)
            (void)rig_replace(to, d->files[i].name, d->files[i].data, d->files[i].size);
}
