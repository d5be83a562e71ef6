/* The state of a zone's keys in sentences: what is, what is to be done, what comes next. */
#include "base/date.h"
#include "base/invariant.h"
#include "model/dnssec_state.h"
#include <stdio.h>

char *key_time_format(int64_t when, char buffer[static KEY_TIME_MAX])
{
    struct date d = date_of(when);
    invariant(when >= 0);
    snprintf(buffer, KEY_TIME_MAX, "%04d-%02u-%02u %02u:%02u UTC", d.year, d.month, d.day, d.hour,
             d.minute);
    return buffer;
}

struct telling {
    const struct key_state *s;
    const struct key_policy *p;
    const char *zone;
    key_ds_text *ds_of;
    void *context;
    struct text *out;
};

static void key_tell(const struct telling *t, const struct key_record *k)
{
    char when[KEY_TIME_MAX];
    int64_t since = k->stage == KEY_RETIRED  ? k->retired
                    : k->stage == KEY_ACTIVE ? k->activated
                    : k->published           ? k->published
                                             : k->made;
    static const char *const ds[DS_STAGES] = {
        [DS_HIDDEN] = "not for the parent yet",
        [DS_WANTED] = "to be given to the parent",
        [DS_SEEN] = "at the parent",
        [DS_UNWANTED] = "to be removed from the parent",
        [DS_GONE] = "not at the parent any more",
    };
    text_appendf(t->out, "  %s %5u  algorithm %u  %s since %s", key_use_name((enum key_use)k->use),
                 k->tag, k->algorithm, key_stage_name((enum key_stage)k->stage),
                 key_time_format(since, when));
    if (key_is_sep(k))
        text_appendf(t->out, "; its DS is %s", ds[k->ds]);
    text_append(t->out, "\n");
}

static void ds_line(const struct telling *t, const struct key_record *k)
{
    const char *ds = t->ds_of ? t->ds_of(t->context, k) : NULL;
    if (ds)
        text_appendf(t->out, "    %s. IN DS %s\n", t->zone, ds);
}

/* What the operator has to do about this key; false where nothing. */
static bool duty_tell(const struct telling *t, const struct key_record *k)
{
    if (!key_is_sep(k) || k->stage == KEY_MADE || (k->ds != DS_WANTED && k->ds != DS_UNWANTED))
        return false;
    if (k->ds == DS_WANTED) {
        text_appendf(t->out, "- Give the parent this DS record%s:\n",
                     k->stage == KEY_PUBLISHED ? ", and leave the one that it has" : "");
        ds_line(t, k);
        text_appendf(t->out,
                     "  A parent that reads CDS or CDNSKEY (RFC 8078) takes it by itself. When "
                     "all of its servers\n  answer with it, say so: holdfast dnssec ds-seen %s\n",
                     t->zone);
        return true;
    }
    text_append(t->out, "- Have the parent remove this DS record:\n");
    ds_line(t, k);
    text_appendf(t->out,
                 "  When none of its servers answers with it any more, say so: holdfast dnssec "
                 "ds-gone %s\n",
                 t->zone);
    return true;
}

static bool next_tell(const struct telling *t, const struct key_record *k)
{
    char when[KEY_TIME_MAX];
    int64_t at = key_event_time(t->s, k, t->p);
    if (k->stage == KEY_PUBLISHED && at == KEY_NEVER) {
        text_appendf(t->out, "- Key %u takes over %s.\n", k->tag,
                     key_is_sep(k) ? "once its DS was seen and caches know it"
                                   : "together with the KSK");
    } else if (k->stage == KEY_RETIRED && at == KEY_NEVER) {
        text_appendf(t->out, "- Key %u stays in the zone until %s.\n", k->tag,
                     key_is_sep(k) ? "its DS is gone" : "the KSK of its algorithm leaves");
    } else if (at == KEY_NEVER || k->stage == KEY_MADE) {
        return false;
    } else {
        static const char *const what[KEY_STAGES] = {
            [KEY_MADE] = "",
            [KEY_PUBLISHED] = "takes over",
            [KEY_ACTIVE] = "",
            [KEY_RETIRED] = "leaves the zone",
        };
        bool hidden = key_is_sep(k) && k->ds == DS_HIDDEN && k->stage != KEY_RETIRED;
        const char *verb = hidden                   ? "may be given to the parent as a DS"
                           : k->stage != KEY_ACTIVE ? what[k->stage]
                                                    : "gets a successor";
        text_appendf(t->out, "- Key %u %s: %s\n", k->tag, verb, key_time_format(at, when));
    }
    return true;
}

static void section(const struct telling *t, const char *title,
                    bool (*tell)(const struct telling *, const struct key_record *),
                    const char *nothing)
{
    bool any = false;
    text_appendf(t->out, "%s\n", title);
    for (unsigned i = 0; i < t->s->count; i++)
        any |= tell(t, &t->s->keys[i]);
    if (!any)
        text_appendf(t->out, "- %s\n", nothing);
}

void key_state_describe(const struct key_state *s, const struct key_policy *p, const char *zone,
                        key_ds_text *ds_of, void *context, struct text *out)
{
    struct telling t = {s, p, zone, ds_of, context, out};
    char when[KEY_TIME_MAX];
    if (!s->count) {
        text_appendf(out, "%s has no keys yet\n", zone);
        return;
    }
    text_appendf(out, "%s is signed. Its keys:\n", zone);
    for (unsigned i = 0; i < s->count; i++)
        key_tell(&t, &s->keys[i]);
    section(&t, "To do now:", duty_tell, "nothing");
    section(&t, "What comes next:", next_tell, "nothing; keys stay as they are");
    int64_t unsign_at = key_state_unsign_time(s, p);
    if (s->unsign && unsign_at == KEY_NEVER)
        text_append(out, "- It goes unsigned once the parent has no DS any more.\n");
    else if (s->unsign)
        text_appendf(out, "- It goes unsigned: %s\n", key_time_format(unsign_at, when));
}
