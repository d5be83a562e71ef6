#include "model/dnssec_state.h"

#include "base/invariant.h"
#include "model/dnssec_state_parts.h"
#include <string.h>

const char *key_use_name(enum key_use use)
{
    static const char *const names[KEY_USES] = {"csk", "ksk", "zsk"};
    invariant((unsigned)use < KEY_USES);
    return names[use];
}

bool key_use_parse(const char *name, enum key_use *ret)
{
    for (unsigned i = 0; name && i < KEY_USES; i++)
        if (!strcmp(name, key_use_name((enum key_use)i))) {
            *ret = (enum key_use)i;
            return true;
        }
    return false;
}

const char *key_stage_name(enum key_stage stage)
{
    static const char *const names[KEY_STAGES] = {"made", "published", "active", "retired"};
    invariant((unsigned)stage < KEY_STAGES);
    return names[stage];
}

const char *ds_stage_name(enum ds_stage stage)
{
    static const char *const names[DS_STAGES] = {"hidden", "wanted", "seen", "unwanted", "gone"};
    invariant((unsigned)stage < DS_STAGES);
    return names[stage];
}

struct key_policy key_policy_of(const struct config_dnssec *d)
{
    return (struct key_policy){
        .split = d->split,
        .algorithm = d->algorithm,
        .dnskey_ttl = d->dnskey_ttl / USEC_PER_SEC,
        .ds_ttl = d->ds_ttl / USEC_PER_SEC,
        .propagation = (d->propagation + USEC_PER_SEC - 1) / USEC_PER_SEC,
        .zsk_lifetime = d->split ? d->zsk_lifetime / USEC_PER_SEC : 0,
    };
}

bool key_is_sep(const struct key_record *k)
{
    return k->use != KEY_ZSK;
}

bool key_signs_keys(const struct key_record *k)
{
    return key_is_sep(k) && k->stage != KEY_MADE;
}

bool key_signs_zone(const struct key_record *k)
{
    return k->use != KEY_KSK && k->stage == KEY_ACTIVE;
}

/* RFC 4035 2.2: each algorithm of the keys has its signatures. */
bool key_state_signs_zone(const struct key_state *s, const struct key_record *k)
{
    if (k->use == KEY_KSK || k->stage == KEY_MADE || k->stage == KEY_ACTIVE)
        return key_signs_zone(k);
    for (unsigned i = 0; i < s->count; i++)
        if (key_signs_zone(&s->keys[i]) && s->keys[i].algorithm == k->algorithm)
            return false;
    return true;
}

const struct key_record *key_at(const struct key_state *s, enum key_use use, enum key_stage stage)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].use == use && s->keys[i].stage == stage)
            return &s->keys[i];
    return NULL;
}

bool layout_changes(const struct key_state *s)
{
    const struct key_record *csk = key_at(s, KEY_CSK, KEY_ACTIVE);
    return csk ? key_at(s, KEY_KSK, KEY_PUBLISHED) || key_at(s, KEY_ZSK, KEY_PUBLISHED)
               : key_at(s, KEY_CSK, KEY_PUBLISHED) != NULL;
}

bool key_delegated(const struct key_record *k)
{
    return key_signs_keys(k) && (k->ds == DS_WANTED || k->ds == DS_SEEN);
}

/* ---- how long caches remember ---- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t keys_ttl(const struct key_state *s, const struct key_policy *p)
{
    return larger(p->dnskey_ttl, s->keys_ttl.longest);
}

/* RFC 7583 3.2.1: a DNSKEY set without the newcomer may be held for so long. */
static int64_t keys_known_after(const struct key_state *s, const struct key_policy *p)
{
    return keys_ttl(s, p) + p->propagation;
}

/* A signature, or its absence, may be held for so long. */
static int64_t signatures_gone_after(const struct key_state *s, const struct key_policy *p)
{
    return larger(s->ttl.longest, keys_ttl(s, p)) + p->propagation;
}

int64_t ds_known_after(const struct key_policy *p)
{
    return p->ds_ttl + p->propagation;
}

/* A longer one counts at once. A shorter one does when no cache has what was served with the longer
 * one any more; until then the longest of those that came after it is kept. */
static void ttl_note(struct ttl_memory *m, int64_t ttl, int64_t propagation, int64_t now)
{
    if (ttl >= m->longest) {
        *m = (struct ttl_memory){.longest = ttl};
        return;
    }
    if (!m->lower)
        *m = (struct ttl_memory){m->longest, now, ttl};
    m->since = larger(m->since, ttl);
    if (now > m->lower + m->longest + propagation)
        *m = (struct ttl_memory){m->since, ttl < m->since ? now : 0, ttl < m->since ? ttl : 0};
}

void key_state_served(struct key_state *s, const struct key_policy *p, int64_t ttl_max, int64_t now)
{
    ttl_note(&s->ttl, ttl_max, p->propagation, now);
    ttl_note(&s->keys_ttl, p->dnskey_ttl, p->propagation, now);
}

/* ---- what is due when ---- */

int64_t ds_time(const struct key_state *s, const struct key_record *k, const struct key_policy *p)
{
    return k->published + signatures_gone_after(s, p);
}

/* KEY_NEVER: it waits for the operator, or for another key. Of a DS that is hidden still: when it
 * may be asked for. */
static int64_t takeover_time(const struct key_state *s, const struct key_record *k,
                             const struct key_policy *p)
{
    int64_t at = k->published + keys_known_after(s, p);
    if (key_at(s, KEY_CSK, KEY_ACTIVE) && k->use != KEY_CSK) {
        const struct key_record *zsk = key_at(s, KEY_ZSK, KEY_PUBLISHED);
        if (k->use == KEY_ZSK || !zsk)
            return KEY_NEVER; /* it goes with its KSK */
        at = larger(at, zsk->published + keys_known_after(s, p));
    }
    if (!key_is_sep(k))
        return at;
    if (k->ds == DS_HIDDEN)
        return ds_time(s, k, p);
    return k->ds == DS_SEEN ? larger(at, k->ds_since + ds_known_after(p)) : KEY_NEVER;
}

/* The ZSK of an algorithm that is given up is of use until its KSK is gone. */
static bool ksk_is_there(const struct key_state *s, uint8_t algorithm)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].use == KEY_KSK && s->keys[i].algorithm == algorithm)
            return true;
    return false;
}

static int64_t removal_time(const struct key_state *s, const struct key_record *k,
                            const struct key_policy *p)
{
    int64_t at = k->retired + signatures_gone_after(s, p);
    if (!key_is_sep(k))
        return key_state_signs_zone(s, k) && ksk_is_there(s, k->algorithm) ? KEY_NEVER : at;
    return k->ds == DS_GONE ? larger(at, k->ds_since + ds_known_after(p)) : KEY_NEVER;
}

/* The successor of a ZSK is made early enough to take over when its time is up. */
int64_t zsk_roll_time(const struct key_state *s, const struct key_record *k,
                      const struct key_policy *p)
{
    int64_t lead = keys_known_after(s, p);
    return k->activated + (p->zsk_lifetime > lead ? p->zsk_lifetime - lead : 0);
}

int64_t key_event_time(const struct key_state *s, const struct key_record *k,
                       const struct key_policy *p)
{
    switch ((enum key_stage)k->stage) {
    case KEY_MADE:
        return 0;
    case KEY_PUBLISHED:
        return takeover_time(s, k, p);
    case KEY_ACTIVE:
        if (key_is_sep(k))
            return k->ds == DS_HIDDEN ? ds_time(s, k, p) : KEY_NEVER;
        return p->zsk_lifetime && !key_at(s, KEY_ZSK, KEY_PUBLISHED) && !layout_changes(s)
                   ? zsk_roll_time(s, k, p)
                   : KEY_NEVER;
    case KEY_RETIRED:
        return removal_time(s, k, p);
    }
    return KEY_NEVER;
}

/* ---- moves ---- */

void key_ds_set(struct key_record *k, enum ds_stage ds, int64_t now)
{
    k->ds = (uint8_t)ds;
    k->ds_since = now;
}

/* Does `a` do something that `b` does? A CSK does what a KSK and a ZSK do. */
static bool uses_meet(const struct key_record *a, const struct key_record *b)
{
    return a->use == b->use || a->use == KEY_CSK || b->use == KEY_CSK;
}

/* The one whose work a newcomer is to take over. */
static const struct key_record *predecessor(const struct key_state *s, const struct key_record *k)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].stage == KEY_ACTIVE && uses_meet(&s->keys[i], k) &&
            key_is_sep(&s->keys[i]) == key_is_sep(k))
            return &s->keys[i];
    return k->use == KEY_ZSK ? key_at(s, KEY_CSK, KEY_ACTIVE) : NULL;
}

/* The DS waits where caches may have what it would make invalid: nothing signed by its algorithm,
 * or nothing signed at all. */
static bool ds_may_come(const struct key_record *k, const struct key_record *before)
{
    return before->algorithm == k->algorithm && (before->ds == DS_WANTED || before->ds == DS_SEEN);
}

static void key_serve(struct key_state *s, struct key_record *k, int64_t now)
{
    const struct key_record *before = predecessor(s, k);
    k->published = now;
    k->stage = before ? KEY_PUBLISHED : KEY_ACTIVE;
    k->activated = before ? 0 : now;
    if (before && key_is_sep(k) && ds_may_come(k, before))
        key_ds_set(k, DS_WANTED, now);
}

/* A KSK that takes over from a CSK leaves the zone's own data to its ZSK, which is known for as
 * long and follows within the same step: takeover_time(). */
static void key_take_over(struct key_state *s, struct key_record *k, int64_t now)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *old = &s->keys[i];
        if (old->stage != KEY_ACTIVE || !uses_meet(old, k))
            continue;
        old->stage = KEY_RETIRED;
        old->retired = now;
        if (key_is_sep(old))
            key_ds_set(old, old->ds == DS_HIDDEN ? DS_GONE : DS_UNWANTED, now);
    }
    k->stage = KEY_ACTIVE;
    k->activated = now;
}

static void key_remove(struct key_state *s, unsigned index)
{
    memmove(&s->keys[index], &s->keys[index + 1], (s->count - index - 1) * sizeof *s->keys);
    s->count--;
}

static bool active_once(const struct key_state *s)
{
    unsigned zone = 0, sep = 0;
    for (unsigned i = 0; i < s->count; i++) {
        zone += key_signs_zone(&s->keys[i]);
        sep += key_is_sep(&s->keys[i]) && s->keys[i].stage == KEY_ACTIVE;
    }
    return zone <= 1 && sep <= 1;
}

/* One change that is due; false where there is none. */
static bool key_move(struct key_state *s, const struct key_policy *p, int64_t now,
                     struct key_record removed[static KEY_RECORDS_MAX], unsigned *removed_count)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *k = &s->keys[i];
        if (key_event_time(s, k, p) > now)
            continue;
        if (k->stage == KEY_MADE) {
            key_serve(s, k, now);
        } else if (k->stage == KEY_PUBLISHED && key_is_sep(k) && k->ds == DS_HIDDEN) {
            key_ds_set(k, DS_WANTED, now);
        } else if (k->stage == KEY_PUBLISHED) {
            key_take_over(s, k, now);
        } else if (k->stage == KEY_RETIRED) {
            invariant(*removed_count < KEY_RECORDS_MAX);
            removed[(*removed_count)++] = *k;
            key_remove(s, i);
        } else if (key_is_sep(k)) {
            key_ds_set(k, DS_WANTED, now);
        } else {
            continue; /* a roll that is due: key_state_needs() says so */
        }
        return true;
    }
    return false;
}

int64_t key_state_step(struct key_state *s, const struct key_policy *p, int64_t now,
                       struct key_record ret_removed[static KEY_RECORDS_MAX],
                       unsigned *ret_removed_count)
{
    int64_t next = KEY_NEVER;
    unsigned removed = 0;
    while (key_move(s, p, now, ret_removed, &removed))
        ;
    for (unsigned i = 0; i < s->count; i++) {
        int64_t at = key_event_time(s, &s->keys[i], p);
        if (at > now && at < next)
            next = at;
    }
    invariant(active_once(s));
    *ret_removed_count = removed;
    return next;
}
