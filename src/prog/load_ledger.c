#include "prog/load_ledger.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "seam/clock.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

enum { LEDGER_MODE = 0644, PROGRAM_MAX = 1 << 30 };

/* ---- the file ---- */

static int ledger_path(const char *data, char ret[static PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/zones.ledger", data);
    return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct zone_ledger load_ledger_read(const char *data)
{
    struct zone_ledger l = ledger_init();
    char path[PATH_MAX], *bytes = NULL;
    size_t size = 0;
    int err = ledger_path(data, path);
    if (!err)
        err = disk_read(path, LEDGER_FILE_MAX, &bytes, &size);
    if (!err)
        err = ledger_decode(bytes, size, &l);
    free(bytes);
    if (err && err != -ENOENT)
        log_event(LOG_WARN, "ledger.read", {"file", LOG_S(path)}, {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("every zone is compiled again")});
    return l;
}

void load_ledger_write(const char *data, struct zone_ledger *l)
{
    char path[PATH_MAX];
    size_t size;
    if (!l->changed)
        return;
    auto_free char *bytes = ledger_encode(l, &size);
    int err = store_sync(data); /* or a record might outlast what it speaks of */
    if (!err)
        err = ledger_path(data, path);
    if (!err)
        err = disk_write_atomic(path, bytes, size, LEDGER_MODE);
    if (err)
        log_event(LOG_WARN, "ledger.write", {"data", LOG_S(data)}, {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("the next start compiles every zone again")});
    else
        l->changed = false;
}

/* ---- what is no file ---- */

static uint64_t program_known;

static void program_read(void)
{
    char *bytes;
    size_t size;
    if (disk_read("/proc/self/exe", PROGRAM_MAX, &bytes, &size))
        return;
    program_known = hash64(bytes, size);
    free(bytes);
}

/* Another program may compile otherwise. */
static uint64_t program_hash(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, program_read);
    return program_known;
}

uint64_t load_ledger_inputs(const char *name, const char *path, const uint8_t *const *steered,
                            unsigned steered_count)
{
    uint64_t h = hash64_seeded(name, strlen(name), ZONE_VERSION);
    h = hash64_seeded(path, strlen(path), h);
    for (unsigned i = 0; i < steered_count; i++)
        h = hash64_seeded(steered[i], dname_length(steered[i]), h);
    return hash_mix(h ^ program_hash());
}

/* ---- reuse ---- */

/* Of which records there are. A record itself is used by nobody but who makes its zone. */
static pthread_mutex_t ledger_lock = PTHREAD_MUTEX_INITIALIZER;

static struct ledger_record *record_find(const struct zone_ledger *l, const char *name)
{
    pthread_mutex_lock(&ledger_lock);
    struct ledger_record *r = ledger_find(l, name);
    pthread_mutex_unlock(&ledger_lock);
    return r;
}

uint64_t load_ledger_compiled(const struct zone_ledger *l, const char *name)
{
    const struct ledger_record *r = record_find(l, name);
    return r ? r->compiled : 0;
}

/* Is there still in the file what the zone was made from? */
static bool source_holds(struct zone_ledger *l, struct ledger_source *s)
{
    struct disk_identity now;
    int64_t read_ns = clock_wall() * 1000; /* to be compared with the times of files */
    char *bytes;
    size_t size;
    if (disk_identify(s->path, &now))
        return false;
    if (ledger_source_settled(s, &now))
        return true;
    if (disk_read(s->path, ZONE_FILE_MAX, &bytes, &size))
        return false;
    bool same = hash64(bytes, size) == s->hash;
    free(bytes);
    if (same) {
        s->identity = now;
        s->read_ns = read_ns;
        pthread_mutex_lock(&ledger_lock);
        l->changed = true;
        pthread_mutex_unlock(&ledger_lock);
    }
    return same;
}

static bool stored_holds(const struct ledger_record *r, const char *data)
{
    struct disk_identity now;
    return !store_keep(data, PLAN_FILE_ZONE, r->compiled, &now) &&
           !memcmp(&now, &r->stored, sizeof now);
}

bool load_ledger_reuse(struct zone_ledger *l, const char *data, const char *name, uint64_t inputs,
                       bool unasked, uint64_t *ret_hash, uint32_t *ret_serial)
{
    struct ledger_record *r = record_find(l, name);
    if (!r || r->inputs != inputs)
        return false;
    for (uint32_t i = 0; i < r->source_count && !unasked; i++)
        if (!source_holds(l, &r->sources[i]))
            return false;
    if (!stored_holds(r, data)) /* last: it keeps the file for the plan to come */
        return false;
    r->seen = true;
    *ret_hash = r->compiled;
    *ret_serial = r->serial;
    return true;
}

/* ---- notes ---- */

static void note_read(void *context, const char *path, const struct disk_identity *identity,
                      int64_t read_ns, const char *data, size_t length)
{
    struct load_note *n = context;
    struct ledger_record *r = &n->record;
    r->sources = mem_grow(r->sources, r->source_count, &n->size, sizeof *r->sources);
    r->sources[r->source_count++] = (struct ledger_source){
        .path = mem_string(path),
        .hash = hash64(data, length),
        .identity = *identity,
        .read_ns = read_ns,
    };
}

void load_note_open(struct load_note *n)
{
    *n = (struct load_note){.watch = {note_read, n}};
}

void load_note_keep(struct load_note *n, struct zone_ledger *l, const char *data, const char *name,
                    uint64_t inputs, uint64_t hash, uint32_t serial)
{
    struct ledger_record *r = &n->record;
    if (r->source_count > LEDGER_SOURCES_MAX || store_keep(data, PLAN_FILE_ZONE, hash, &r->stored))
        return;
    r->name = mem_string(name);
    r->inputs = inputs;
    r->compiled = hash;
    r->serial = serial;
    r->seen = true;
    pthread_mutex_lock(&ledger_lock);
    ledger_put(l, *r);
    pthread_mutex_unlock(&ledger_lock);
    n->record = (struct ledger_record){0};
}

void load_note_done(struct load_note *n)
{
    ledger_record_done(&n->record);
}
