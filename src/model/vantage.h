/* The vantages whose tables we hold: what each sees of each of our targets, on our clock.
 *
 *  1. Who is a member is said from outside (vantages_member); a table of anybody else is refused.
 *  2. A message is used by itself (model/sample_table.h): lost ones leave what was there, which
 *     then grows old.
 *  3. Clocks are never compared. `made` of a message and the moment it came differ by the offset of
 *     the two clocks and by how long it was under way. The least difference of a sender stands for
 *     the offset, and creeps up a little, for clocks that run apart. So a message that waited in a
 *     queue counts as old as it is, and no step of a wall clock matters.
 *  4. A sender that started anew has another boot number: nothing of the one before is compared
 *     with it.
 *
 * Memory is taken when members or targets change, never when a message comes. */
#pragma once

#include "base/map.h"
#include "model/sample_table.h"

enum {
    VANTAGES_MAX = 64,       /* ourselves included: they are bits of a word */
    VANTAGE_STALE_MS = 3500, /* a table older than this says nothing (three were lost) */
};

/* What a vantage sees of one of our targets. */
struct sight {
    uint8_t state; /* enum verdict_state; VERDICT_UNREADY also where it never said anything */
    uint8_t reason, down_reason; /* enum reason */
    uint8_t flags;               /* enum sample_entry_flag */
    uint16_t run, status;
    usec_t since;   /* of the state */
    usec_t sampled; /* its newest sample; 0 = none */
    struct loss_count counts[LOSS_KINDS];
    uint32_t p50_us, p99_us, usual_us, connect_us;
};

struct vantage {
    uint64_t id;
    char node[SAMPLE_NAME_SIZE], site[SAMPLE_NAME_SIZE], network[SAMPLE_NAME_SIZE];
    uint8_t health; /* enum vantage_health, as it said last */
    usec_t heard;   /* when the newest message was made; 0 = none yet */
    uint64_t boot, sequence, config;
    int64_t wall_offset;  /* its wall clock less ours when that came, microseconds; shown */
    struct sight *sights; /* of each of our targets */
    usec_t offset;        /* our clock less its clock */
    usec_t came;          /* when the newest message came */
};

/* By rising id. */
struct vantages {
    struct vantage list[VANTAGES_MAX - 1];
    uint32_t count;
    uint64_t *identities; /* of our targets */
    uint32_t target_count;
    struct map index; /* identity -> place + 1 */
};

struct vantages vantages_init(void);
void vantages_done(struct vantages *v);
/* Our targets by target_identity(), after each change of the configuration; copied. What is known
 * of those that stay is kept. */
void vantages_targets(struct vantages *v, const uint64_t *identities, uint32_t count);
/* A node of the cluster, not ourselves, by its names as the cluster knows them (each below
 * SAMPLE_NAME_SIZE, else cut); a message of its own may correct them. ERR_LIMIT. */
must_check int vantages_member(struct vantages *v, uint64_t id, const char *node, const char *site,
                               const char *network);
/* Keeps only the members of the list. */
void vantages_keep(struct vantages *v, const uint64_t *ids, uint32_t count);
/* Takes one message that came from `id` at `now`, or several behind one another: those before a
 * bad one count. 0; the errors of sample_part_decode();
 * ERR_REFUSED (no member, or it speaks of another); ERR_OLDER. */
must_check int vantages_take(struct vantages *v, uint64_t id, const uint8_t *data, size_t size,
                             usec_t now, int64_t wall);
/* NULL: no member. */
const struct vantage *vantages_find(const struct vantages *v, uint64_t id);

/* Does it say anything about now? */
static inline bool vantage_fresh(const struct vantage *v, usec_t now)
{
    return v->heard && now - v->heard <= VANTAGE_STALE_MS * USEC_PER_MSEC;
}
