/* Which key has to be made next: the first ones of a zone, the successor that a rollover needs, all
 * of them where algorithm or layout change. */
#include "base/err.h"
#include "model/dnssec_state_parts.h"

/* What a zone's keys are to be. */
struct aim {
    bool split;
    uint8_t algorithm;
    bool moves; /* all keys follow it; else each stays with its own algorithm */
};

static bool use_present(const struct key_state *s, enum key_use use)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].use == use)
            return true;
    return false;
}

static bool all_active(const struct key_state *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].stage != KEY_ACTIVE)
            return false;
    return true;
}

static const struct key_record *key_made(const struct key_state *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].stage == KEY_MADE)
            return &s->keys[i];
    return NULL;
}

/* Algorithm and layout change for all uses at once, and while no other change is under way. One
 * that was begun, by a key that was made, goes on as it began whatever the policy says by now. */
static struct aim aim_of(const struct key_state *s, const struct key_policy *p)
{
    const struct key_record *made = key_made(s);
    if (made)
        return (struct aim){made->use != KEY_CSK, made->algorithm, true};
    if (!s->count || (all_active(s) && !s->unsign))
        return (struct aim){p->split, p->algorithm, true};
    return (struct aim){.split = !key_at(s, KEY_CSK, KEY_ACTIVE)};
}

static bool roll_due(const struct key_state *s, const struct key_policy *p, const struct aim *aim,
                     enum key_use use, int64_t now)
{
    const struct key_record *active = key_at(s, use, KEY_ACTIVE);
    if (!active || key_at(s, use, KEY_MADE) || key_at(s, use, KEY_PUBLISHED))
        return false;
    if ((aim->moves && active->algorithm != aim->algorithm) || s->roll & 1u << use)
        return true;
    /* Not while the one before is still on its way out: two at a time are enough. */
    return use == KEY_ZSK && p->zsk_lifetime && !key_at(s, use, KEY_RETIRED) &&
           now >= zsk_roll_time(s, active, p);
}

bool key_state_needs(const struct key_state *s, const struct key_policy *p, int64_t now,
                     struct key_need *ret)
{
    struct aim aim = aim_of(s, p);
    enum key_use uses[2] = {aim.split ? KEY_KSK : KEY_CSK, KEY_ZSK};
    if (layout_changes(s))
        return false;
    for (unsigned i = 0; i < (aim.split ? 2u : 1u); i++)
        if (!use_present(s, uses[i]) || roll_due(s, p, &aim, uses[i], now)) {
            const struct key_record *active = key_at(s, uses[i], KEY_ACTIVE);
            *ret = (struct key_need){uses[i],
                                     aim.moves || !active ? aim.algorithm : active->algorithm};
            return true;
        }
    return false;
}

int key_state_add(struct key_state *s, struct key_need need, uint16_t tag, int64_t now)
{
    if (s->count == KEY_RECORDS_MAX)
        return ERR_LIMIT;
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].tag == tag)
            return ERR_CONFLICT;
    /* Orders to roll are of the layout that is. */
    s->roll = use_present(s, need.use) ? s->roll & (uint8_t) ~(1u << need.use) : 0;
    s->keys[s->count++] = (struct key_record){.tag = tag,
                                              .algorithm = need.algorithm,
                                              .use = (uint8_t)need.use,
                                              .stage = KEY_MADE,
                                              .made = now};
    return 0;
}
