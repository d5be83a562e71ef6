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

/* The parser has one context for both. */
struct file_parse {
    struct file_reader *reader;
    zonefile_record *record;
    void *context;
};

static const char *parse_record(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                                uint32_t ttl, const uint8_t *rdata, uint16_t rdata_length,
                                uint32_t line)
{
    struct file_parse *p = context;
    return p->record(p->context, owner, type, class, ttl, rdata, rdata_length, line);
}

static int parse_include(void *context, const char *path, const char **ret_data, size_t *ret_length)
{
    struct file_parse *p = context;
    return file_include(p->reader, path, ret_data, ret_length);
}

static void texts_free(struct file_reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->texts[i]);
    free(r->texts);
}

int zone_file_parse(const char *origin_text, const char *path, zonefile_record *record,
                    void *context, const struct zone_watch *watch, struct text *problems)
{
    struct file_reader r = {.path = path, .watch = watch};
    uint8_t origin[DNAME_MAX];
    char *data;
    size_t length;
    if (dname_parse(origin_text, strlen(origin_text), NULL, origin) < 0)
        return ERR_INVALID;
    int err = file_read(&r, path, &data, &length);
    if (err < 0) {
        text_appendf(problems, "%s:1:1: cannot be read: %s\n", path, err_text(err));
        return err;
    }
    struct file_parse parse = {&r, record, context};
    struct zonefile z = {.path = path,
                         .origin = origin,
                         .record = parse_record,
                         .include = parse_include,
                         .context = &parse};
    err = zonefile_parse(&z, data, length, problems);
    texts_free(&r);
    free(data);
    return err;
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
    texts_free(&r);
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
