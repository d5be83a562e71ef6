#include "model/stats.h"
#include "base/invariant.h"
#include <string.h>

/* The groups of the list give each entry its owner. */
#define ENTRY(id, name, labels, kind, help, owner) [id] = {name, labels, help, STAT_##kind, owner},
#define READER(id, n, l, k, h)                     ENTRY(id, n, l, k, h, STAT_EVERY_READER)
#define SUPERVISOR(id, n, l, k, h)                 ENTRY(id, n, l, k, h, STATS_ROLE_SUPERVISOR)
#define CONTROL(id, n, l, k, h)                    ENTRY(id, n, l, k, h, STATS_ROLE_CONTROL)
#define DNS(id, n, l, k, h)                        ENTRY(id, n, l, k, h, STATS_ROLE_DNS)
#define TELL(id, n, l, k, h)                       ENTRY(id, n, l, k, h, STATS_ROLE_TELL)

const struct stat_info stat_infos[STATS] = {STATS_DNS(DNS) STATS_READER(READER) STATS_CONTROL(
    CONTROL) STATS_TELL(TELL) STATS_SUPERVISOR(SUPERVISOR)};

const char *stats_role_name(enum stats_role role)
{
    static const char *const names[STATS_ROLES] = {"supervisor", "control", "dns", "tell"};
    invariant((unsigned)role < STATS_ROLES);
    return names[role];
}

uint64_t stats_value(const struct stats_file *f, enum stat_id id)
{
    invariant((unsigned)id < STATS);
    uint64_t sum = 0, least = 0;
    for (uint32_t i = 0; i < f->thread_count; i++) {
        uint64_t v = atomic_load_explicit(&f->threads[i].values[id], memory_order_relaxed);
        sum += v;
        if (v && (!least || v < least))
            least = v;
    }
    return id == PLAN_GENERATION ? least : sum;
}

void stats_note_set(const struct stats_file *f, const char *note)
{
    size_t length = strnlen(note, STATS_NOTE_MAX - 1);
    memset(f->note, 0, STATS_NOTE_MAX);
    memcpy(f->note, note, length);
}

void stats_note_get(const struct stats_file *f, char ret[static STATS_NOTE_MAX])
{
    memcpy(ret, f->note, STATS_NOTE_MAX);
    ret[STATS_NOTE_MAX - 1] = '\0';
}
