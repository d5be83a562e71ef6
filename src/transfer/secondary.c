#include "transfer/secondary.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/serial.h"

struct secondary {
    struct random random;
    struct secondary_zone *zones;
    uint32_t count;
    uint32_t asking, fetching; /* under way */
    uint32_t next, turn;       /* where the walks go on, so that no zone waits for ever */
};

struct secondary *secondary_new(uint32_t zone_count, uint64_t seed)
{
    struct secondary *s = mem_new(1, sizeof *s);
    s->random = random_init(seed);
    s->zones = mem_new(zone_count + (size_t)1, sizeof *s->zones);
    s->count = zone_count;
    return s;
}

void secondary_free(struct secondary *s)
{
    if (!s)
        return;
    free(s->zones);
    free(s);
}

const struct secondary_zone *secondary_zone(const struct secondary *s, uint32_t zone)
{
    invariant(zone < s->count);
    return &s->zones[zone];
}

static struct secondary_zone *zone_of(struct secondary *s, uint32_t zone)
{
    invariant(zone < s->count && s->zones[zone].primaries);
    return &s->zones[zone];
}

/* ---- times ---- */

/* Seconds within bounds, less up to a tenth by chance. */
static usec_t wait_of(struct secondary *s, uint64_t seconds, uint64_t least, uint64_t most)
{
    uint64_t bounded = seconds < least ? least : seconds > most ? most : seconds;
    usec_t wait = (usec_t)bounded * USEC_PER_SEC;
    uint32_t tenth = (uint32_t)(bounded * 100); /* milliseconds */
    return wait - (usec_t)random_below(&s->random, tenth + 1) * USEC_PER_MSEC;
}

static usec_t refresh_wait(struct secondary *s, const struct secondary_zone *z)
{
    return wait_of(s, z->timers.refresh, SECONDARY_REFRESH_MIN_S, SECONDARY_WAIT_MAX_S);
}

/* RFC 1034 4.3.5 knows one retry time; ours grows from it up to the refresh time. */
static usec_t retry_wait(struct secondary *s, const struct secondary_zone *z)
{
    unsigned doublings = z->failures < 10 ? z->failures : 10;
    if (!z->has_content)
        return wait_of(s, UINT64_C(1) << doublings, 1, SECONDARY_EMPTY_MAX_S);
    uint64_t retry =
        z->timers.retry < SECONDARY_RETRY_MIN_S ? SECONDARY_RETRY_MIN_S : z->timers.retry;
    uint64_t most = z->timers.refresh > retry ? z->timers.refresh : retry;
    most = most < SECONDARY_WAIT_MAX_S ? most : SECONDARY_WAIT_MAX_S;
    return wait_of(s, retry << (doublings ? doublings - 1 : 0), SECONDARY_RETRY_MIN_S, most);
}

/* ---- states ---- */

static void slot_free(struct secondary *s, struct secondary_zone *z)
{
    uint32_t *running = z->state == SECONDARY_ASKING ? &s->asking : &s->fetching;
    invariant(z->state == SECONDARY_ASKING || z->state == SECONDARY_FETCHING);
    invariant(*running);
    --*running;
}

static void round_begin(struct secondary_zone *z)
{
    z->state = SECONDARY_WAITING;
    z->tried = 0;
    z->notified = false;
}

/* A hint brings the next round forward, as far as hints may. */
static void hint_take(struct secondary_zone *z, usec_t now)
{
    usec_t at = z->hint_from > now ? z->hint_from : now;
    invariant(z->state == SECONDARY_RESTING);
    if (!z->hinted)
        return;
    z->hinted = false;
    if (at >= z->due)
        return;
    z->primary = z->hint;
    z->due = at;
    z->hint_from = at + SECONDARY_HINT_S * USEC_PER_SEC;
}

static void rest(struct secondary_zone *z, usec_t now, usec_t wait)
{
    z->state = SECONDARY_RESTING;
    z->due = now + wait;
    z->whole = z->asked = false;
    hint_take(z, now);
    if (z->notified)
        round_begin(z);
}

/* A primary that has nothing for us that we would take: the round ended well. */
static void confirmed(struct secondary *s, struct secondary_zone *z, usec_t now)
{
    z->confirmed = now;
    z->failures = 0;
    rest(z, now, refresh_wait(s, z));
}

/* This primary is of no use: the next one, or rest. */
static void primary_failed(struct secondary *s, struct secondary_zone *z, usec_t now)
{
    z->primary = (z->primary + 1) % z->primaries;
    z->whole = z->asked = false;
    if (++z->tried < z->primaries) {
        z->state = SECONDARY_WAITING;
        return;
    }
    z->failures++;
    rest(z, now, retry_wait(s, z));
}

/* ---- what is configured ---- */

void secondary_add(struct secondary *s, uint32_t zone, uint32_t primaries, uint32_t straight,
                   usec_t now)
{
    invariant(zone < s->count && primaries && primaries <= SECONDARY_PRIMARIES_MAX);
    s->zones[zone] = (struct secondary_zone){
        .primaries = primaries, .straight = straight, .confirmed = now, .due = now};
}

void secondary_resume(struct secondary *s, uint32_t zone, uint32_t serial,
                      struct secondary_timers timers, usec_t age, usec_t now)
{
    struct secondary_zone *z = zone_of(s, zone);
    z->has_content = true;
    z->serial = serial;
    z->timers = timers;
    z->confirmed = now - (age > 0 ? age : 0);
    /* Asked for soon, whatever the time: what was missed was missed. Not all at once (L7). */
    z->due = now + (usec_t)random_below(&s->random, 2000) * USEC_PER_MSEC;
}

void secondary_carry(struct secondary *s, uint32_t zone, const struct secondary_zone *old,
                     usec_t now)
{
    struct secondary_zone *z = zone_of(s, zone);
    uint32_t primaries = z->primaries;
    uint32_t straight = z->straight;
    *z = *old;
    z->primaries = primaries;
    z->straight = straight;
    z->primary = old->primary < primaries ? old->primary : 0;
    z->tried = 0;
    z->whole = z->asked = z->hinted = false;
    if (z->state != SECONDARY_RESTING) {
        z->state = SECONDARY_RESTING;
        z->due = now;
    }
}

/* ---- events ---- */

/* The zone that a primary tells about; NULL where it is no news. */
static struct secondary_zone *zone_told(struct secondary *s, uint32_t zone, uint32_t primary,
                                        bool has_serial, uint32_t serial)
{
    struct secondary_zone *z = zone_of(s, zone);
    invariant(primary < z->primaries);
    bool known = (z->has_content && !serial_newer(serial, z->serial)) ||
                 (z->has_refused && serial == z->refused);
    return has_serial && known ? NULL : z;
}

bool secondary_hint(struct secondary *s, uint32_t zone, uint32_t primary, bool has_serial,
                    uint32_t serial, usec_t now)
{
    struct secondary_zone *z = zone_told(s, zone, primary, has_serial, serial);
    if (!z)
        return false;
    z->hinted = true;
    z->hint = primary;
    if (z->state == SECONDARY_RESTING)
        hint_take(z, now);
    return true;
}

bool secondary_notify(struct secondary *s, uint32_t zone, uint32_t primary, bool has_serial,
                      uint32_t serial, usec_t now)
{
    struct secondary_zone *z = zone_told(s, zone, primary, has_serial, serial);
    if (!z)
        return false;
    if (z->state == SECONDARY_RESTING) {
        z->primary = primary;
        z->due = now;
        round_begin(z);
    } else if (z->state != SECONDARY_WAITING) {
        z->notified = true;
    }
    return true;
}

void secondary_accept(struct secondary *s, uint32_t zone, usec_t now)
{
    struct secondary_zone *z = zone_of(s, zone);
    z->accepting = true;
    z->has_refused = false;
    secondary_notify(s, zone, z->primary, false, 0, now);
}

void secondary_asked(struct secondary *s, uint32_t zone, bool answered, uint32_t serial, usec_t now)
{
    struct secondary_zone *z = zone_of(s, zone);
    slot_free(s, z);
    invariant(z->state == SECONDARY_ASKING);
    z->state = SECONDARY_WAITING;
    if (answered && (serial == z->serial || (z->has_refused && serial == z->refused)))
        confirmed(s, z, now);
    else if (answered && !serial_newer(serial, z->serial))
        primary_failed(s, z, now); /* it has an older version than we have */
    else
        z->asked = true;
}

void secondary_fetched(struct secondary *s, uint32_t zone, enum secondary_fetched how,
                       uint32_t serial, const struct secondary_timers *timers, usec_t now)
{
    struct secondary_zone *z = zone_of(s, zone);
    slot_free(s, z);
    invariant(z->state == SECONDARY_FETCHING);
    switch (how) {
    case SECONDARY_FAILED:
        primary_failed(s, z, now);
        break;
    case SECONDARY_UNFIT:
        if (z->whole || !z->has_content) {
            primary_failed(s, z, now);
            break;
        }
        z->whole = true;
        z->state = SECONDARY_WAITING;
        break;
    case SECONDARY_SAME:
        if (z->has_content && serial == z->serial)
            confirmed(s, z, now);
        else
            primary_failed(s, z, now);
        break;
    case SECONDARY_SHRUNK:
        z->has_refused = true;
        z->refused = serial;
        confirmed(s, z, now);
        break;
    case SECONDARY_TAKEN:
        z->has_content = true;
        z->has_refused = z->accepting = false;
        z->serial = serial;
        z->timers = *timers;
        confirmed(s, z, now);
        break;
    }
}

/* ---- orders ---- */

static bool zone_ready(struct secondary_zone *z, usec_t now)
{
    if (z->primaries && z->state == SECONDARY_RESTING && z->due <= now)
        round_begin(z);
    return z->primaries && z->state == SECONDARY_WAITING;
}

/* False: there is no room for one more. */
static bool order_make(struct secondary *s, uint32_t zone, struct secondary_order *ret)
{
    struct secondary_zone *z = &s->zones[zone];
    bool straight = z->straight >> z->primary & 1;
    bool ask = z->has_content && !z->asked && !z->whole && !straight;
    if (ask ? s->asking == SECONDARY_ASKS : s->fetching == SECONDARY_SLOTS)
        return false;
    *ret = (struct secondary_order){.zone = zone,
                                    .primary = z->primary,
                                    .what = ask ? SECONDARY_ASK : SECONDARY_FETCH,
                                    .incremental = z->has_content && !z->whole,
                                    .accepting = z->accepting,
                                    .serial = z->serial};
    z->state = ask ? SECONDARY_ASKING : SECONDARY_FETCHING;
    ++*(ask ? &s->asking : &s->fetching);
    return true;
}

bool secondary_next(struct secondary *s, usec_t now, struct secondary_order *ret)
{
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t zone = (s->next + i) % s->count;
        if (!zone_ready(&s->zones[zone], now) || !order_make(s, zone, ret))
            continue;
        s->next = (zone + 1) % s->count;
        return true;
    }
    return false;
}

bool secondary_turned(struct secondary *s, usec_t now, uint32_t *ret_zone, bool *ret_expired)
{
    while (s->turn < s->count) {
        struct secondary_zone *z = &s->zones[s->turn++];
        bool expired = z->primaries && z->has_content &&
                       now - z->confirmed > (usec_t)z->timers.expire * USEC_PER_SEC;
        if (expired == z->expired)
            continue;
        z->expired = expired;
        *ret_zone = s->turn - 1;
        *ret_expired = expired;
        return true;
    }
    s->turn = 0;
    return false;
}
