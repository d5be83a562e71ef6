#include "replica/replica_disk_io.h"

#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { FILE_MODE = 0600, FOLDER_MODE = 0700 };

struct path {
    char text[PATH_MAX];
};

static int path_make(const char *folder, const char *name, struct path *ret)
{
    int n = snprintf(ret->text, sizeof ret->text, "%s/%s", folder, name);
    return n < 0 || (size_t)n >= sizeof ret->text ? -ENAMETOOLONG : 0;
}

static int file_read(void *context, const char *name, size_t max, char **ret_data, size_t *ret_size)
{
    struct path p;
    int err = path_make(context, name, &p);
    return err ? err : disk_read(p.text, max, ret_data, ret_size);
}

static int file_append(void *context, const char *name, size_t offset, const void *data,
                       size_t size)
{
    struct path p;
    int err = path_make(context, name, &p);
    return err ? err : disk_append(p.text, offset, data, size);
}

static int file_replace(void *context, const char *name, const void *data, size_t size)
{
    struct path p;
    int err = path_make(context, name, &p);
    return err ? err : disk_write_atomic(p.text, data, size, FILE_MODE);
}

static int file_remove(void *context, const char *name)
{
    struct path p;
    int err = path_make(context, name, &p);
    return err ? err : disk_remove(p.text);
}

static int folder_list(void *context, int (*each)(void *context, const char *name),
                       void *each_context)
{
    return disk_list(context, each, each_context);
}

int replica_disk_open(const char *folder, struct replica_disk *ret)
{
    int err = disk_folder_create(folder, FOLDER_MODE);
    if (!err)
        *ret = (struct replica_disk){(void *)folder, file_read,   file_append,
                                     file_replace,   file_remove, folder_list};
    return err;
}
