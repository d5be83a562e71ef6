/* What operators say about the keys of a zone. */
#include "base/err.h"
#include "model/dnssec_state_parts.h"

int key_state_roll(struct key_state *s, const struct key_policy *p, enum key_use use,
                   struct text *out)
{
    const char *name = key_use_name(use);
    (void)p;
    if (!key_at(s, use, KEY_ACTIVE)) {
        text_appendf(out, "the zone has no active %s; its keys are %s", name,
                     !s->count                        ? "not made yet"
                     : key_at(s, KEY_CSK, KEY_ACTIVE) ? "of layout csk: roll csk"
                                                      : "of layout split: roll ksk or zsk");
        return ERR_MISSING;
    }
    if (s->unsign) {
        text_append(out, "the zone is on its way to be unsigned; its keys are not rolled any more");
        return ERR_CONFLICT;
    }
    unsigned others = 0;
    for (unsigned i = 0; i < s->count; i++)
        others += s->keys[i].use == use && s->keys[i].stage != KEY_ACTIVE;
    if (others || layout_changes(s) || s->roll & 1u << use) {
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

/* A DS that may be at the parent still is to stay; one that is gone may come when it might have
 * come before, so in the next step as a rule. Where the zone was not signed meanwhile, unsigned
 * answers may be in caches, as before the first signature. */
void key_state_unsign_cancel(struct key_state *s, bool served_signed, int64_t now)
{
    if (!s->unsign)
        return;
    s->unsign = false;
    for (unsigned i = 0; i < s->count; i++) {
        struct key_record *k = &s->keys[i];
        if (k->stage != KEY_ACTIVE && k->stage != KEY_PUBLISHED)
            continue;
        if (!served_signed)
            k->published = now;
        if (key_is_sep(k))
            key_ds_set(k, k->ds == DS_UNWANTED ? DS_WANTED : DS_HIDDEN, now);
    }
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
        int64_t known = k->ds_since + ds_known_after(p);
        at = known > at ? known : at;
    }
    return s->unsign ? at : KEY_NEVER;
}
