#include "prog/zone_served.h"
#include "base/err.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "model/zone.h"
#include "model/zone_compile_io.h"
#include "model/zone_dump.h"
#include "prog/load.h"
#include "prog/order.h"
#include <stdio.h>
#include <string.h>

enum { RELOAD_WAIT_S = 120, DUMP_MAX = 1 << 30 };

/* As the configuration writes names: lower case, no trailing dot. */
static bool name_normal(const char *name, char ret[static DNAME_TEXT_MAX])
{
    uint8_t wire[DNAME_MAX];
    if (dname_parse(name, strlen(name), NULL, wire) < 0) {
        fprintf(stderr, "holdfast: \"%s\" is no name of a zone\n", name);
        return false;
    }
    dname_format(wire, ret);
    return true;
}

static int file_map(const char *data, const struct plan *plan, const char *name, struct mapped *ret)
{
    for (uint32_t i = 0; i < plan->file_count; i++)
        if (plan->files[i].kind == PLAN_FILE_ZONE &&
            !strcmp(plan_text(plan, plan->files[i].name), name))
            return store_map(data, PLAN_FILE_ZONE, plan->files[i].hash, ret);
    return ERR_MISSING;
}

/* The zone of the newest plan; mapped_close(). */
static bool served_open(const char *data, const char *name, struct mapped *ret_file,
                        struct zone *ret)
{
    struct mapped plan_file;
    struct plan plan;
    int err = snapshot_load(data, 0, &plan_file, &plan, NULL, NULL);
    if (err) {
        fprintf(stderr, "holdfast: %s has no plan: %s\n", data, err_text(err));
        return false;
    }
    err = file_map(data, &plan, name, ret_file);
    mapped_close(&plan_file);
    if (!err) {
        err = zone_open(ret_file->data, ret_file->size, ret);
        if (err)
            mapped_close(ret_file);
    }
    if (err)
        fprintf(stderr, "holdfast: zone %s is not served from %s: %s\n", name, data, err_text(err));
    return !err;
}

int zone_served_show(const char *data, const char *name)
{
    char normal[DNAME_TEXT_MAX];
    struct mapped file;
    struct zone zone;
    if (!name_normal(name, normal) || !served_open(data, normal, &file, &zone))
        return 1;
    struct text out = text_init(DUMP_MAX);
    zone_dump(&zone, &out);
    fputs(text_string(&out), stdout);
    text_done(&out);
    mapped_close(&file);
    return 0;
}

/* ---- diff ---- */

/* Compiles the file with the same names left to the plan as in the zone that is served. */
static int next_compile(const char *path, const char *name, const struct zone *served,
                        uint8_t **ret_data, size_t *ret_size)
{
    const uint64_t *steered = (const uint64_t *)(served->base + served->header->steered);
    uint32_t count = served->header->steered_count;
    const uint8_t **names = mem_new(count + 1u, sizeof *names);
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    for (uint32_t i = 0; i < count; i++)
        names[i] = zone_node_name(zone_node_at(served, steered[i]));
    int err = zone_compile_file(name, path, names, count, &problems, ret_data, ret_size);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    free(names);
    return err;
}

/* Cuts a text into its lines, each a key of the set. */
static struct map lines_of(char *text)
{
    struct map set = map_init();
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (*line)
            map_put(&set, line, strlen(line), line);
    return set;
}

/* Lines of `text` (cut by lines_of) that are not in the other set; how many. */
static unsigned lines_print(const char *text, size_t length, const struct map *other, char sign)
{
    unsigned printed = 0;
    for (const char *line = text; line < text + length; line += strlen(line) + 1) {
        if (!*line || map_get(other, line, strlen(line)))
            continue;
        printf("%c %s\n", sign, line);
        printed++;
    }
    return printed;
}

static unsigned zones_diff(const struct zone *old, const struct zone *next)
{
    struct text a = text_init(DUMP_MAX), b = text_init(DUMP_MAX);
    zone_dump(old, &a);
    zone_dump(next, &b);
    struct map in_a = lines_of(a.data), in_b = lines_of(b.data);
    unsigned changes = lines_print(a.data, a.length, &in_b, '-');
    changes += lines_print(b.data, b.length, &in_a, '+');
    map_done(&in_a);
    map_done(&in_b);
    text_done(&a);
    text_done(&b);
    return changes;
}

int zone_served_diff(const char *data, const char *path, const char *name)
{
    enum { SAME, DIFFERENT, TROUBLE };
    char normal[DNAME_TEXT_MAX];
    struct mapped file;
    struct zone old, next;
    uint8_t *bytes = NULL;
    size_t size;
    if (!name_normal(name, normal) || !served_open(data, normal, &file, &old))
        return TROUBLE;
    int err = next_compile(path, normal, &old, &bytes, &size);
    if (!err)
        err = zone_open(bytes, size, &next);
    int status = err ? TROUBLE : zones_diff(&old, &next) ? DIFFERENT : SAME;
    free(bytes);
    mapped_close(&file);
    return status;
}

int zone_served_reload(const char *data, const char *name)
{
    json_t *request = json_pack("{s:s,s:[s]}", "op", "reload", "zones", name);
    if (!request) {
        fprintf(stderr, "holdfast: \"%s\" is no name of a zone\n", name);
        return 1;
    }
    return order_send(data, request, RELOAD_WAIT_S);
}
