#include "model/dnssec_state.h"

#include "base/err.h"
#include "base/invariant.h"
#include <string.h>

const char *key_use_name(enum key_use use)
{
    static const char *const names[KEY_USES] = {"csk", "ksk", "zsk"};
    invariant((unsigned)use < KEY_USES);
    return names[use];
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

bool key_delegated(const struct key_record *k)
{
    return key_signs_keys(k) && (k->ds == DS_WANTED || k->ds == DS_SEEN);
}

static const struct key_record *key_at(const struct key_state *s, enum key_use use,
                                       enum key_stage stage)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].use == use && s->keys[i].stage == stage)
            return &s->keys[i];
    return NULL;
}

/* ---- how long caches remember ---- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* RFC 7583 3.2.1: a DNSKEY set without the newcomer may be held for so long. */
static int64_t keys_known_after(const struct key_policy *p)
{
    return p->dnskey_ttl + p->propagation;
}

/* A signature, or its absence, may be held for so long. */
static int64_t signatures_gone_after(const struct key_state *s, const struct key_policy *p)
{
    return larger(s->ttl_max, p->dnskey_ttl) + p->propagation;
}

static int64_t ds_known_after(const struct key_policy *p)
{
    return p->ds_ttl + p->propagation;
}

/* ---- what is due when ---- */

/* KEY_NEVER: it waits for the operator. */
static int64_t ds_time(const struct key_state *s, const struct key_record *k,
                       const struct key_policy *p)
{
    return k->published + signatures_gone_after(s, p);
}

/* Of a DS that is hidden still: when it may be asked for. */
static int64_t takeover_time(const struct key_state *s, const struct key_record *k,
                             const struct key_policy *p)
{
    int64_t at = k->published + keys_known_after(p);
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
static int64_t zsk_roll_time(const struct key_record *k, const struct key_policy *p)
{
    int64_t lead = keys_known_after(p);
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
        return p->zsk_lifetime && !key_at(s, KEY_ZSK, KEY_PUBLISHED) ? zsk_roll_time(k, p)
                                                                     : KEY_NEVER;
    case KEY_RETIRED:
        return removal_time(s, k, p);
    }
    return KEY_NEVER;
}

/* ---- needs ---- */

static bool use_present(const struct key_state *s, enum key_use use)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].use == use)
            return true;
    return false;
}

/* The algorithm changes for all uses at once, and while no other change is under way. */
static bool algorithm_due(const struct key_state *s, const struct key_policy *p)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct key_record *k = &s->keys[i];
        if (k->stage != KEY_ACTIVE && (k->stage != KEY_MADE || k->algorithm != p->algorithm))
            return false;
    }
    return !s->unsign;
}

static bool roll_due(const struct key_state *s, const struct key_policy *p, enum key_use use,
                     int64_t now)
{
    const struct key_record *active = key_at(s, use, KEY_ACTIVE);
    if (!active || key_at(s, use, KEY_MADE) || key_at(s, use, KEY_PUBLISHED))
        return false;
    if (active->algorithm != p->algorithm)
        return algorithm_due(s, p);
    if (s->roll & 1u << use)
        return true;
    /* Not while the one before is still on its way out: two at a time are enough. */
    return use == KEY_ZSK && p->zsk_lifetime && !key_at(s, use, KEY_RETIRED) &&
           now >= zsk_roll_time(active, p);
}

bool key_state_needs(const struct key_state *s, const struct key_policy *p, int64_t now,
                     enum key_use *ret_use)
{
    /* The layout of keys that are there stays: the configuration's holds for a zone's first. */
    bool split = s->count ? !use_present(s, KEY_CSK) : p->split;
    enum key_use uses[2] = {split ? KEY_KSK : KEY_CSK, KEY_ZSK};
    for (unsigned i = 0; i < (split ? 2u : 1u); i++)
        if (!use_present(s, uses[i]) || roll_due(s, p, uses[i], now)) {
            *ret_use = uses[i];
            return true;
        }
    return false;
}

int key_state_add(struct key_state *s, enum key_use use, uint8_t algorithm, uint16_t tag,
                  int64_t now)
{
    if (s->count == KEY_RECORDS_MAX)
        return ERR_LIMIT;
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].tag == tag)
            return ERR_CONFLICT;
    s->keys[s->count++] = (struct key_record){
        .tag = tag, .algorithm = algorithm, .use = (uint8_t)use, .stage = KEY_MADE, .made = now};
    s->roll &= (uint8_t) ~(1u << use);
    return 0;
}

/* ---- moves ---- */

static void key_ds_set(struct key_record *k, enum ds_stage ds, int64_t now)
{
    k->ds = (uint8_t)ds;
    k->ds_since = now;
}

static void key_serve(struct key_state *s, struct key_record *k, int64_t now)
{
    const struct key_record *active = key_at(s, (enum key_use)k->use, KEY_ACTIVE);
    bool first = !active;
    k->published = now;
    k->stage = first ? KEY_ACTIVE : KEY_PUBLISHED;
    k->activated = first ? now : 0;
    if (!first && key_is_sep(k) && active->algorithm == k->algorithm)
        key_ds_set(k, DS_WANTED, now);
}

static void key_take_over(struct key_state *s, struct key_record *k, int64_t now)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *old = &s->keys[i];
        if (old->use != k->use || old->stage != KEY_ACTIVE)
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

void key_state_ttl(struct key_state *s, int64_t ttl_max, int64_t now)
{
    if (ttl_max >= s->ttl_max) {
        s->ttl_max = ttl_max;
        s->ttl_lower = 0;
    } else if (!s->ttl_lower) {
        s->ttl_lower = now; /* caches hold what was served with the longer one until now */
    } else if (now > s->ttl_lower + s->ttl_max) {
        s->ttl_max = ttl_max;
        s->ttl_lower = 0;
    }
}

/* ---- orders ---- */

int key_state_roll(struct key_state *s, const struct key_policy *p, enum key_use use,
                   struct text *out)
{
    const char *name = key_use_name(use);
    (void)p;
    if (!key_at(s, use, KEY_ACTIVE)) {
        text_appendf(out, "the zone has no active %s; its keys are %s", name,
                     !s->count                 ? "not made yet"
                     : use_present(s, KEY_CSK) ? "of layout csk: roll csk"
                                               : "of layout split: roll ksk or zsk");
        return ERR_MISSING;
    }
    unsigned others = 0;
    for (unsigned i = 0; i < s->count; i++)
        others += s->keys[i].use == use && s->keys[i].stage != KEY_ACTIVE;
    if (others || s->roll & 1u << use) {
        text_appendf(out, "a roll of the %s is under way; see holdfast dnssec status", name);
        return ERR_CONFLICT;
    }
    s->roll |= (uint8_t)(1u << use);
    text_appendf(out, "the %s is being rolled", name);
    return 0;
}

int key_state_ds_seen(struct key_state *s, const struct key_policy *p, int64_t now,
                      struct text *out)
{
    char when[KEY_TIME_MAX];
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *k = &s->keys[i];
        if (!key_is_sep(k) || k->stage == KEY_MADE || (k->ds != DS_WANTED && k->ds != DS_HIDDEN))
            continue;
        if (k->ds == DS_HIDDEN && now < ds_time(s, k, p)) {
            text_appendf(out,
                         "it is too early for the DS of key %u: caches may hold answers without "
                         "its signatures until %s",
                         k->tag, key_time_format(ds_time(s, k, p), when));
            return ERR_REFUSED;
        }
        key_ds_set(k, DS_SEEN, now);
        text_appendf(out, "noted: the parent answers with the DS of key %u", k->tag);
        return 0;
    }
    text_append(out, "no DS is awaited from the parent");
    return ERR_MISSING;
}

int key_state_ds_gone(struct key_state *s, const struct key_policy *p, int64_t now,
                      struct text *out)
{
    unsigned changed = 0;
    (void)p;
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *k = &s->keys[i];
        if (!key_is_sep(k) || k->ds != DS_UNWANTED)
            continue;
        key_ds_set(k, DS_GONE, now);
        text_appendf(out, "%snoted: the parent no longer answers with the DS of key %u",
                     changed++ ? "\n" : "", k->tag);
    }
    if (!changed)
        text_append(out, "no DS is to be removed from the parent; to take a zone out of DNSSEC use "
                         "holdfast dnssec unsign");
    return changed ? 0 : ERR_MISSING;
}

int key_state_unsign(struct key_state *s, int64_t now, struct text *out)
{
    unsigned awaited = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *k = &s->keys[i];
        if (!key_is_sep(k))
            continue;
        if (k->ds == DS_HIDDEN)
            key_ds_set(k, DS_GONE, now);
        else if (k->ds == DS_WANTED || k->ds == DS_SEEN)
            key_ds_set(k, DS_UNWANTED, now);
        awaited += k->ds == DS_UNWANTED;
    }
    s->unsign = true;
    s->roll = 0;
    text_append(out, awaited
                         ? "the parent is asked to remove every DS (CDS and CDNSKEY say delete); "
                           "when none of its servers answers with one any more, say so: holdfast "
                           "dnssec ds-gone"
                         : "noted: the parent has no DS for this zone");
    return 0;
}

void key_state_unsign_cancel(struct key_state *s, int64_t now)
{
    if (!s->unsign)
        return;
    s->unsign = false;
    for (unsigned i = 0; i < s->count; i++)
        if (key_is_sep(&s->keys[i]) && s->keys[i].stage == KEY_ACTIVE)
            key_ds_set(&s->keys[i], DS_WANTED, now);
}

int64_t key_state_unsign_time(const struct key_state *s, const struct key_policy *p)
{
    int64_t at = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct key_record *k = &s->keys[i];
        if (!key_is_sep(k))
            continue;
        if (k->ds != DS_GONE)
            return KEY_NEVER;
        at = larger(at, k->ds_since + ds_known_after(p));
    }
    return s->unsign ? at : KEY_NEVER;
}
