#include "model/zone_held_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "model/zone_folder.h"
#include "model/zone_held_file.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    JOURNAL_MAX = 1 << 30,
};

struct zone_held {
    char *data, *zone; /* owned */
    struct held_content *content;
    struct held_base base;       /* its records are not kept */
    size_t base_size;            /* bytes of the file */
    struct held_journal journal; /* length 0: there is no file yet */
    struct held_entries waiting;
    bool failed;
};

typedef char path_text[PATH_MAX];

static int file_path(const char *data, const char *zone, const char *file, path_text ret)
{
    int err = zone_folder(data, "zones", zone, ret);
    size_t length = err ? 0 : strlen(ret);
    if (err)
        return err;
    if (length + 1 + strlen(file) >= PATH_MAX)
        return -ENAMETOOLONG;
    snprintf(ret + length, PATH_MAX - length, "/%s", file);
    return 0;
}

static int problem(struct text *problems, const char *path, const char *what, int err)
{
    text_appendf(problems, "%s: %s: %s\n", path, what, err_text(err));
    return err;
}

bool zone_held_exists(const char *data, const char *zone)
{
    path_text path;
    return !file_path(data, zone, "base", path) && disk_may_exist(path);
}

/* ---- reading ---- */

struct files {
    path_text base_path, journal_path;
    uint8_t origin[DNAME_MAX];
    const uint8_t *base; /* mapped */
    size_t base_size;
    char *journal; /* NULL = none */
    size_t journal_size;
};

static void files_close(struct files *f)
{
    if (f->base)
        disk_unmap(f->base, f->base_size);
    free(f->journal);
    f->base = NULL;
    f->journal = NULL;
}

static int files_paths(const char *data, const char *zone, struct files *ret)
{
    *ret = (struct files){0};
    int err = dname_parse(zone, strlen(zone), NULL, ret->origin);
    err = err < 0 ? err : file_path(data, zone, "base", ret->base_path);
    return err ? err : file_path(data, zone, "journal", ret->journal_path);
}

/* The journal first. Whoever writes a new base does so before anything happens to the journal, so
 * what a reader has read of it belongs to the base that it reads then, or is in it already. */
static int files_open(struct files *f, struct text *problems)
{
    int err = disk_read(f->journal_path, JOURNAL_MAX, &f->journal, &f->journal_size);
    if (err && err != -ENOENT)
        return problem(problems, f->journal_path, "cannot be read", err);
    err = disk_map(f->base_path, &f->base, &f->base_size);
    if (err) {
        f->base = NULL;
        bool orphan = err == -ENOENT && f->journal;
        files_close(f);
        if (orphan)
            return problem(problems, f->base_path,
                           "is gone, but there is a journal; restore it from a backup, or import "
                           "the zone",
                           ERR_MISSING);
        return err == -ENOENT ? err : problem(problems, f->base_path, "cannot be read", err);
    }
    return 0;
}

#define REMEDY                                                                                     \
    "restore the folder from a backup, or remove it: then the zone begins again from its file or " \
    "primaries"

static int base_read(const struct files *f, struct text *problems, struct held_base *ret_base,
                     struct held_content **ret)
{
    struct held_base base;
    struct held_content *c = NULL;
    int err = held_base_decode(f->base, f->base_size, &base);
    if (!err &&
        !dname_equal(base.origin, dname_length(base.origin), f->origin, dname_length(f->origin)))
        err = ERR_INVALID; /* another zone's files */
    if (!err)
        err = held_content_new(base.origin,
                               held_cursor_init(base.records.data, base.records.length), &c);
    if (!err && (c->serial != base.serial || c->record_count != base.record_count)) {
        held_content_free(c);
        err = ERR_BOUNDS;
    }
    if (err)
        return problem(problems, f->base_path, "is not loaded; " REMEDY, err);
    *ret_base = base;
    ret_base->records = (struct bytes){0};
    *ret = c;
    return 0;
}

static int journal_replay(const struct files *f, struct held_journal *j, struct held_content *c,
                          struct text *problems)
{
    int more;
    while ((more = held_journal_next(j, f->journal, f->journal_size, c)) > 0)
        ;
    if (more < 0)
        return problem(problems, f->journal_path, "is damaged in its middle; " REMEDY, more);
    return 0;
}

/* *ret->length: 0 where no journal belongs to the base. */
static int journal_read(const struct files *f, const struct held_base *base, struct held_content *c,
                        struct text *problems, struct held_journal *ret)
{
    struct held_journal j = {0};
    if (f->journal) {
        int err = held_journal_decode(f->journal, f->journal_size, &j);
        if (err)
            return problem(problems, f->journal_path, "is not loaded; " REMEDY, err);
        if (j.generation > base->generation)
            return problem(problems, f->base_path, "is older than its journal; " REMEDY, ERR_OLDER);
        if (j.generation < base->generation)
            j = (struct held_journal){0};
        else
            err = journal_replay(f, &j, c, problems);
        if (err)
            return err;
    }
    *ret = j;
    return 0;
}

static int files_load(const struct files *f, struct text *problems, struct zone_held *h)
{
    struct held_content *c;
    int err = base_read(f, problems, &h->base, &c);
    if (err)
        return err;
    err = journal_read(f, &h->base, c, problems, &h->journal);
    if (err) {
        held_content_free(c);
        return err;
    }
    h->content = c;
    h->base_size = f->base_size;
    return 0;
}

int zone_held_read(const char *data, const char *zone, struct text *problems,
                   struct held_content **ret, uint64_t *ret_source)
{
    struct files f;
    struct zone_held h = {0};
    int err = files_paths(data, zone, &f);
    err = err ? err : files_open(&f, problems);
    if (err)
        return err;
    err = files_load(&f, problems, &h);
    files_close(&f);
    if (err)
        return err;
    *ret = h.content;
    if (ret_source)
        *ret_source = h.base.source;
    return 0;
}

/* ---- opening for changes ---- */

/* The bytes stay for whoever wants to know what was lost; the newest such tail only. */
static int tail_cut(const struct files *f, const struct zone_held *h)
{
    path_text torn;
    size_t lost = f->journal_size - h->journal.length;
    int err = file_path(h->data, h->zone, "journal.torn", torn);
    if (!err)
        err = disk_write_atomic(torn, f->journal + h->journal.length, lost, FILE_MODE);
    if (!err)
        err = disk_append(f->journal_path, h->journal.length, NULL, 0);
    if (!err)
        log_event(LOG_WARN, "held.torn", {"zone", LOG_S(h->zone)}, {"bytes", LOG_U(lost)},
                  {"kept", LOG_S(torn)}, {"serial", LOG_U(h->content->serial)},
                  {"consequence", LOG_S("a change that was never confirmed is dropped")});
    return err;
}

static int journal_repair(const struct files *f, const struct zone_held *h, struct text *problems)
{
    int err = 0;
    if (f->journal && !h->journal.length)
        err = disk_remove(f->journal_path); /* of a base before this one */
    else if (f->journal && h->journal.length < f->journal_size)
        err = tail_cut(f, h);
    return err ? problem(problems, f->journal_path, "cannot be repaired", err) : 0;
}

int zone_held_open(const char *data, const char *zone, struct text *problems,
                   struct zone_held **ret)
{
    struct files f;
    int err = files_paths(data, zone, &f);
    err = err ? err : files_open(&f, problems);
    if (err)
        return err;
    struct zone_held *h = mem_new(1, sizeof *h);
    h->data = mem_string(data);
    h->zone = mem_string(zone);
    err = files_load(&f, problems, h);
    if (!err)
        err = journal_repair(&f, h, problems);
    if (!h->journal.length)
        h->journal.salt = entropy_u64();
    files_close(&f);
    if (err) {
        zone_held_close(h);
        return err;
    }
    *ret = h;
    return 0;
}

void zone_held_close(struct zone_held *h)
{
    if (!h)
        return;
    held_content_free(h->content);
    held_entries_done(&h->waiting);
    free(h->data);
    free(h->zone);
    free(h);
}

const struct held_content *zone_held_content(const struct zone_held *h)
{
    return h->content;
}

/* ---- changing ---- */

int zone_held_append(struct zone_held *h, const struct held_change *change)
{
    invariant(!h->failed);
    size_t length = h->waiting.length;
    int err = held_entries_add(&h->waiting, &h->journal, change);
    if (err)
        return err;
    err = held_change_apply(h->content, change);
    if (err) {
        h->waiting.length = length;
        h->waiting.number--;
    }
    return err;
}

/* The first change since the base was written: a journal with nothing but its head. */
static int journal_begin(struct zone_held *h, const char *path)
{
    uint8_t head[HELD_JOURNAL_HEAD];
    struct held_journal j = {
        .generation = h->base.generation, .salt = h->journal.salt, .length = HELD_JOURNAL_HEAD};
    held_journal_head(&j, head);
    return disk_write_atomic(path, head, sizeof head, FILE_MODE);
}

int zone_held_commit(struct zone_held *h)
{
    path_text path;
    invariant(!h->failed);
    if (!h->waiting.number)
        return 0;
    h->failed = true;
    int err = file_path(h->data, h->zone, "journal", path);
    if (!err && h->journal.length + h->waiting.length > JOURNAL_MAX)
        err = ERR_LIMIT;
    if (!err && !h->journal.length)
        err = journal_begin(h, path);
    if (err)
        return err;
    if (!h->journal.length)
        h->journal.length = HELD_JOURNAL_HEAD;
    err = disk_append(path, h->journal.length, h->waiting.data, h->waiting.length);
    if (err)
        return err;
    h->journal.length += h->waiting.length;
    h->journal.number += h->waiting.number;
    h->waiting.length = h->waiting.number = 0;
    h->failed = false;
    return 0;
}

int zone_held_compact(struct zone_held *h)
{
    path_text base_path, journal_path;
    struct held_list records;
    invariant(!h->failed && !h->waiting.number);
    if (h->journal.length < HELD_COMPACT_MIN || h->journal.length < h->base_size)
        return 0;
    int err = file_path(h->data, h->zone, "base", base_path);
    err = err ? err : file_path(h->data, h->zone, "journal", journal_path);
    err = err ? err : held_content_list(h->content, &records);
    if (err)
        return err;
    struct held_base head = h->base;
    head.generation++;
    size_t size;
    auto_free uint8_t *bytes = held_base_encode(h->content, &records, &head, &size);
    held_list_done(&records);
    err = disk_write_atomic(base_path, bytes, size, FILE_MODE);
    if (err) { /* which base lies there now is only known by looking */
        h->failed = true;
        return err;
    }
    h->base.generation++;
    h->base_size = size;
    h->journal = (struct held_journal){.salt = entropy_u64()};
    err = disk_remove(journal_path);
    return err == -ENOENT ? 0 : err;
}

/* ---- all at once ---- */

/* A generation above those of the files that can be read. */
static uint64_t generation_next(const struct files *f, bool *ret_journal_good)
{
    struct held_base base;
    struct held_journal journal;
    uint64_t highest = 0;
    if (f->base && !held_base_decode(f->base, f->base_size, &base))
        highest = base.generation;
    *ret_journal_good = !f->journal;
    if (f->journal && !held_journal_decode(f->journal, f->journal_size, &journal)) {
        *ret_journal_good = true;
        highest = journal.generation > highest ? journal.generation : highest;
    }
    return highest + 1;
}

static int base_write(struct files *f, const struct held_content *c, uint64_t source)
{
    bool journal_good;
    struct held_base head = {.source = source};
    struct held_list records;
    if (disk_map(f->base_path, &f->base, &f->base_size))
        f->base = NULL;
    int err = disk_read(f->journal_path, JOURNAL_MAX, &f->journal, &f->journal_size);
    head.generation = generation_next(f, &journal_good);
    journal_good = journal_good && (!err || err == -ENOENT);
    err = held_content_list(c, &records);
    if (err)
        return err;
    size_t size;
    auto_free uint8_t *bytes = held_base_encode(c, &records, &head, &size);
    held_list_done(&records);
    err = disk_write_atomic(f->base_path, bytes, size, FILE_MODE);
    if (err)
        return err;
    err = disk_remove(f->journal_path);
    return journal_good || err == -ENOENT ? 0 : err;
}

int zone_held_replace(const char *data, const char *zone, const struct held_list *records,
                      uint64_t source, struct text *problems)
{
    struct held_content *c;
    struct files f;
    path_text folder;
    int err = zone_folder(data, "zones", zone, folder);
    err = err ? err : files_paths(data, zone, &f);
    if (err)
        return problem(problems, data, "the zone's name cannot be that of a folder", err);
    err = held_content_new(f.origin, held_list_cursor(records), &c);
    if (err)
        return problem(problems, folder, "the new content is no zone", err);
    err = disk_folder_create(folder, FOLDER_MODE);
    err = err ? err : base_write(&f, c, source);
    files_close(&f);
    held_content_free(c);
    return err ? problem(problems, f.base_path, "cannot be written", err) : 0;
}

static int file_remove(const char *data, const char *zone, const char *name)
{
    path_text path;
    int err = file_path(data, zone, name, path);
    err = err ? err : disk_remove(path);
    return err == -ENOENT ? 0 : err;
}

/* The base goes last: without it a journal is an error. */
int zone_held_remove(const char *data, const char *zone)
{
    static const char *const names[] = {"note", "journal.torn", "journal", "base"};
    int err = 0;
    for (size_t i = 0; i < array_length(names) && !err; i++)
        err = file_remove(data, zone, names[i]);
    return err;
}

/* ---- the note ---- */

int zone_held_note_write(const char *data, const char *zone, const void *note, size_t length)
{
    path_text path, folder;
    if (length > HELD_NOTE_MAX)
        return ERR_LIMIT;
    int err = zone_folder(data, "zones", zone, folder);
    err = err ? err : file_path(data, zone, "note", path);
    err = err ? err : disk_folder_create(folder, FOLDER_MODE);
    return err ? err : disk_write_atomic(path, note, length, FILE_MODE);
}

int zone_held_note_read(const char *data, const char *zone, void *ret_note, size_t size)
{
    path_text path;
    char *text;
    size_t length;
    int err = file_path(data, zone, "note", path);
    err = err ? err : disk_read(path, HELD_NOTE_MAX, &text, &length);
    if (err)
        return err == -EFBIG ? ERR_LIMIT : err;
    bool fits = length <= size;
    if (fits)
        memcpy(ret_note, text, length);
    free(text);
    return fits ? (int)length : ERR_LIMIT;
}
