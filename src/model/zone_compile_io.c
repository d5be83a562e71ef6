#include "model/zone_compile_io.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/zone_compile.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include <stdlib.h>

/* The text of included files is kept until the zone is done. */
struct file_reader {
    const char *path; /* of the zone's file */
    const struct zone_watch *watch;
    char **texts;
    size_t count, size;
};

/* A path as written in an $INCLUDE -> one to open; free() it. */
static char *path_resolve(const char *base, const char *path)
{
    const char *slash = strrchr(base, '/');

    if (path[0] == '/' || !slash)
        return mem_string(path);
    size_t folder = (size_t)(slash - base) + 1, length = strlen(path) + 1;
    char *whole = mem_new(folder + length, 1);
    memcpy(whole, base, folder);
    memcpy(whole + folder, path, length);
    return whole;
}

static int file_read(struct file_reader *r, const char *path, char **ret_data, size_t *ret_length)
{
    struct disk_identity identity;
    int64_t now = clock_wall() * 1000;
    int err = disk_identify(path, &identity);
    if (!err)
        err = disk_read(path, ZONE_FILE_MAX, ret_data, ret_length);
    if (!err && r->watch)
        r->watch->read(r->watch->context, path, &identity, now, *ret_data, *ret_length);
    return err;
}

static int file_include(void *context, const char *path, const char **ret_data, size_t *ret_length)
{
    struct file_reader *r = context;
    char *whole = path_resolve(r->path, path), *data;

    int err = file_read(r, whole, &data, ret_length);
    free(whole);
    if (err < 0)
        return err;
    r->texts = mem_grow(r->texts, r->count, &r->size, sizeof *r->texts);
    r->texts[r->count++] = data;
    *ret_data = data;
    return 0;
}

int zone_compile_file_watched(const char *origin_text, const char *path,
                              const uint8_t *const *steered_names, unsigned steered_count,
                              const struct zone_seal *seal, struct zone_alias_source *aliases,
                              const struct zone_watch *watch, struct text *problems,
                              uint8_t **ret_data, size_t *ret_size)
{
    struct file_reader r = {.path = path, .watch = watch};
    char *data;
    size_t length;

    int err = file_read(&r, path, &data, &length);
    if (err < 0) {
        text_appendf(problems, "%s:1:1: cannot be read: %s\n", path, err_text(err));
        return err;
    }
    err = zone_compile_sealed(origin_text, path, data, length, steered_names, steered_count,
                              file_include, &r, seal, aliases, problems, ret_data, ret_size);
    for (size_t i = 0; i < r.count; i++)
        free(r.texts[i]);
    free(r.texts);
    free(data);
    return err;
}

int zone_compile_file(const char *origin_text, const char *path,
                      const uint8_t *const *steered_names, unsigned steered_count,
                      struct text *problems, uint8_t **ret_data, size_t *ret_size)
{
    return zone_compile_file_watched(origin_text, path, steered_names, steered_count, NULL, NULL,
                                     NULL, problems, ret_data, ret_size);
}
