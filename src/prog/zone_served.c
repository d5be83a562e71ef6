#include "prog/zone_served.h"
#include "base/err.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "model/zone.h"
#include "model/zone_compile_io.h"
#include "model/zone_dump.h"
#include "model/zone_serial.h"
#include "prog/load.h"
#include "prog/order.h"
#include "wire/serial.h"
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

/* The newest plan; mapped_close(). */
static bool plan_open(const char *data, struct mapped *ret_file, struct plan *ret)
{
    int err = snapshot_load(data, 0, ret_file, ret, NULL, NULL);
    if (err)
        fprintf(stderr, "holdfast: %s has no plan: %s\n", data, err_text(err));
    return !err;
}

/* The zone of the newest plan; mapped_close(). */
static bool served_open(const char *data, const char *name, struct mapped *ret_file,
                        struct zone *ret)
{
    struct mapped plan_file;
    struct plan plan;
    if (!plan_open(data, &plan_file, &plan))
        return false;
    int err = file_map(data, &plan, name, ret_file);
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

/* How the zone in this file of the store is signed; in static storage. */
static const char *signing_of(const char *data, uint64_t hash)
{
    struct mapped file;
    struct zone zone;
    if (store_map(data, PLAN_FILE_ZONE, hash, &file))
        return "lacking";
    int err = zone_open_trusted(file.data, file.size, &zone);
    unsigned flags = err ? 0 : zone.header->flags;
    mapped_close(&file);
    return err                   ? "lacking"
           : flags & ZONE_GIVEN  ? "signed-elsewhere"
           : flags & ZONE_SIGNED ? "signed"
                                 : "unsigned";
}

int zone_served_list(const char *data)
{
    static const char *const states[PLAN_ZONE_STATES] = {
        [PLAN_ZONE_CURRENT] = "current", [PLAN_ZONE_STALE] = "stale", [PLAN_ZONE_DARK] = "dark"};
    struct mapped plan_file;
    struct plan plan;
    if (!plan_open(data, &plan_file, &plan))
        return 1;
    for (uint32_t i = 0; i < plan.file_count; i++) {
        const struct plan_file *f = &plan.files[i];
        if (f->kind == PLAN_FILE_ZONE)
            printf("%s %u %s %s\n", plan_text(&plan, f->name), f->serial, states[f->state],
                   signing_of(data, f->hash));
    }
    mapped_close(&plan_file);
    return 0;
}

/* ---- diff ---- */

enum { SAME, DIFFERENT, TROUBLE };

/* Compiles the file with the same names left to the plan as in the zone it is compared with (which
 * may be NULL). */
static int file_compile(const char *path, const char *name, const struct zone *like,
                        uint8_t **ret_data, size_t *ret_size)
{
    uint32_t steered_count = like ? like->header->steered_count : 0, count = 0;
    const uint64_t *steered = like ? (const uint64_t *)(like->base + like->header->steered) : NULL;
    const uint8_t **names = mem_new(steered_count + 1u, sizeof *names);
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    for (uint32_t i = 0; i < steered_count; i++) {
        const struct zone_node *n = zone_node_at(like, steered[i]);
        if (!zone_node_set(n, DNS_ALIAS)) /* those the file says itself */
            names[count++] = zone_node_name(n);
    }
    int err = zone_compile_file(name, path, names, count, &problems, ret_data, ret_size);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    free(names);
    return err;
}

/* A zone's records as lines, in canonical order but for the SOA, which comes first. */
struct lines {
    struct text text; /* cut: each ends with a zero byte */
    struct map set;   /* of all lines */
};

/* What is not compared, since it is made of all the rest where a zone is served. */
struct apart {
    bool signing; /* what signing makes */
    bool digest;  /* of the whole zone */
};

/* The type in "name TTL IN TYPE ...". */
static const char *line_type(const char *line, size_t *ret_length)
{
    for (unsigned words = 0; words < 3 && line; words++)
        line = (line = strchr(line, ' ')) ? line + 1 : NULL;
    *ret_length = line ? strcspn(line, " ") : 0;
    return line;
}

static bool line_is_apart(const char *line, const char *origin, const struct apart *apart)
{
    static const char *const made[] = {"RRSIG", "NSEC",   "NSEC3",  "NSEC3PARAM",
                                       "CDS",   "DNSKEY", "CDNSKEY"};
    size_t length, name = strlen(origin);
    const char *type = line_type(line, &length);
    for (unsigned i = 0; i < array_length(made) && apart->signing; i++)
        if (length == strlen(made[i]) && !strncmp(type, made[i], length))
            return true;
    return apart->digest && length == strlen("ZONEMD") && !strncmp(type, "ZONEMD", length) &&
           !strncmp(line, origin, name) && (line[name] == '.' || line[name] == ' ');
}

static struct lines lines_of(const struct zone *z, const struct apart *apart)
{
    char origin[DNAME_TEXT_MAX];
    dname_format(z->header->origin, origin);
    struct lines l = {.text = text_init(DUMP_MAX), .set = map_init()};
    zone_dump(z, &l.text);
    char *rest = l.text.data, *end = rest;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        size_t length = strlen(line);
        if (!length || line_is_apart(line, origin, apart))
            continue;
        memmove(end, line, length + 1);
        map_put(&l.set, end, length, end);
        end += length + 1;
    }
    l.text.length = (size_t)(end - l.text.data);
    return l;
}

static void lines_done(struct lines *l)
{
    map_done(&l->set);
    text_done(&l->text);
}

/* Prints the lines from *at on up to the first that the other has too, and moves there. */
static unsigned lines_print(const struct lines *l, const struct lines *other, size_t *at, char sign)
{
    unsigned printed = 0;
    while (*at < l->text.length) {
        const char *line = l->text.data + *at;
        size_t length = strlen(line);
        if (map_get(&other->set, line, length))
            break;
        printf("%c %s\n", sign, line);
        printed++;
        *at += length + 1;
    }
    return printed;
}

static bool zone_has(const struct zone *z, uint16_t type)
{
    return zone_node_set(zone_node_at(z, z->header->apex), type);
}

/* Both are in the same order, so what they share comes in the same order too. What was signed here,
 * or has a digest, is compared with a text that has none as the text that it was. */
static int zones_diff(const struct zone *old, const struct zone *next)
{
    unsigned signed_as = old->header->flags & (ZONE_SIGNED | ZONE_GIVEN);
    struct apart apart = {.signing =
                              signed_as == ZONE_SIGNED && !(next->header->flags & ZONE_SIGNED),
                          .digest = zone_has(old, DNS_ZONEMD) && !zone_has(next, DNS_ZONEMD)};
    struct lines a = lines_of(old, &apart), b = lines_of(next, &apart);
    size_t at_a = 0, at_b = 0;
    unsigned changes = 0;
    while (at_a < a.text.length || at_b < b.text.length) {
        changes += lines_print(&a, &b, &at_a, '-');
        changes += lines_print(&b, &a, &at_b, '+');
        if (at_a < a.text.length)
            at_a += strlen(a.text.data + at_a) + 1;
        if (at_b < b.text.length)
            at_b += strlen(b.text.data + at_b) + 1;
    }
    lines_done(&a);
    lines_done(&b);
    return changes ? DIFFERENT : SAME;
}

/* The serial that the zone would have is not the text's where the one in service is newer: what
 * differs by that alone is no difference. */
static int serial_take(uint8_t *bytes, size_t size, const struct zone *served, struct zone *ret)
{
    uint32_t serial = served->header->serial;
    int err = zone_open(bytes, size, ret);
    if (!err && !(ret->header->flags & ZONE_SIGNED) && serial != ret->header->serial &&
        !serial_newer(ret->header->serial, serial))
        err = zone_serial_set(bytes, serial, NULL);
    return err;
}

static int file_diff(const char *path, const char *name, const struct zone *old)
{
    struct zone next;
    uint8_t *bytes = NULL;
    size_t size;
    int err = file_compile(path, name, old, &bytes, &size);
    if (!err)
        err = serial_take(bytes, size, old, &next);
    int status = err ? TROUBLE : zones_diff(old, &next);
    free(bytes);
    return status;
}

int zone_served_diff(const char *data, const char *path, const char *name)
{
    char normal[DNAME_TEXT_MAX];
    struct mapped file;
    struct zone old;
    if (!name_normal(name, normal) || !served_open(data, normal, &file, &old))
        return TROUBLE;
    int status = file_diff(path, normal, &old);
    mapped_close(&file);
    return status;
}

int zone_files_diff(const char *old_path, const char *path, const char *name)
{
    char normal[DNAME_TEXT_MAX];
    struct zone old;
    uint8_t *bytes = NULL;
    size_t size;
    if (!name_normal(name, normal) || file_compile(old_path, normal, NULL, &bytes, &size))
        return TROUBLE;
    int status = zone_open(bytes, size, &old) ? TROUBLE : file_diff(path, normal, &old);
    free(bytes);
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

int zone_served_status(const char *data, const char *name)
{
    enum { STATUS_WAIT_S = 10 };
    json_t *request = name ? json_pack("{s:s,s:s}", "op", "zones", "zone", name)
                           : json_pack("{s:s}", "op", "zones");
    if (!request) {
        fprintf(stderr, "holdfast: \"%s\" is no name of a zone\n", name);
        return 1;
    }
    return order_send(data, request, STATUS_WAIT_S);
}
