/* What operators say about the keys of a zone. Control alone changes them: an order is written to
 * the state on disk and takes effect with the load that follows, as a step in time would. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "prog/control_keys.h"
#include "seam/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNSSEC_LOOK_S = 3600 };

/* Nothing but the zone: what is being edited elsewhere waits for its own reload, and a slip there
 * does not hold keys up. */
static void zone_reload(struct control *c, const char *zone, struct command_reply_to *to)
{
    struct reload_order order = {
        .zones = mem_new(1, sizeof *order.zones), .zone_count = 1, .in_use = true};
    order.zones[0] = mem_string(zone);
    control_reload(c, order, to);
}

void control_dnssec(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to)
{
    const struct config *config = c->loaded->config;
    int index = config_zone_find(config, wish->zone);
    const struct config_zone *zone = index == CONFIG_NONE ? NULL : &config->zones[index];
    struct text out = text_init(COMMAND_REPLY_MAX / 2);
    if (zone && config_zone_is_shared(zone)) {
        control_keys_order(c, zone, wish, author, to);
        return;
    }
    if (!zone || (wish->dnssec != DNSSEC_STATUS && c->reload.running)) {
        control_reply(to, zone ? ERR_CONFLICT : ERR_MISSING,
                      zone ? "a reload is under way; ask again when it has ended"
                           : "the configuration has no such zone");
        return;
    }
    bool served_signed = c->loaded->zones[index].keys.signatures_end;
    struct dnssec_keys_request request = {c->options->data, zone, clock_wall() / USEC_PER_SEC,
                                          served_signed};
    int err = dnssec_keys_order(&request, wish->dnssec, wish->key, &out);
    if (err || wish->dnssec == DNSSEC_STATUS) {
        control_reply(to, err, text_string(&out));
    } else {
        log_event(LOG_WARN, "dnssec.order", {"zone", LOG_S(zone->name)}, {"author", LOG_S(author)},
                  {"reply", LOG_S(text_string(&out))});
        zone_reload(c, zone->name, to);
        c->reload.note = mem_string(text_string(&out));
    }
    text_done(&out);
}

/* ---- what people are told ---- */

/* What the keys of a zone want from somebody, as bits. */
static unsigned needs_of(const struct loaded_keys *k)
{
    unsigned needs = k->kept ? KEYS_STUCK : 0;
    const struct key_state *s = k->ring ? &k->ring->state : NULL;
    for (unsigned i = 0; s && i < s->count; i++) {
        const struct key_record *r = &s->keys[i];
        if (key_is_sep(r) && r->stage != KEY_MADE)
            needs |= r->ds == DS_WANTED ? KEYS_DS_GIVE : r->ds == DS_UNWANTED ? KEYS_DS_REMOVE : 0;
    }
    return needs;
}

/* L3: it goes on as it was for as long as it can; half of `refresh` before it cannot any more is
 * late, since signatures are renewed a whole `refresh` before they end. */
static int64_t alarm_of(const struct config_zone *z, uint32_t end)
{
    return (int64_t)end - z->dnssec.refresh / USEC_PER_SEC / 2;
}

static void end_tell(const struct config_zone *z, uint32_t end, int64_t wall)
{
    char when[KEY_TIME_MAX];
    if (wall < alarm_of(z, end))
        return;
    log_event(LOG_ERROR, "dnssec.expiring", {"zone", LOG_S(z->name)},
              {"end", LOG_S(key_time_format(end, when))},
              {"consequence", LOG_S("from then on validators refuse the zone; what keeps it from "
                                    "being signed stands in the log at each try")});
}

static struct key_board_zone board_zone(const struct config_zone *z, const struct loaded_keys *k)
{
    struct key_board_zone b = {.needs = (uint8_t)needs_of(k),
                               .signatures_end = k->signatures_end,
                               .alarm = alarm_of(z, k->signatures_end)};
    if (k->ring && k->ring->next_event != KEY_NEVER)
        b.next_event = k->ring->next_event;
    snprintf(b.name, sizeof b.name, "%s", z->name);
    return b;
}

/* L1: without the file nothing but people's view is missing. */
static void board_publish(struct control *c, const struct key_board *b)
{
    if (!memcmp(b, &c->key_board, sizeof *b))
        return;
    int err = key_board_write(c->options->data, b);
    if (err)
        log_event(LOG_WARN, "dnssec.board", {"reason", LOG_S(err_text(err))});
    else
        c->key_board = *b;
}

void control_dnssec_look(struct control *c)
{
    int64_t wall = clock_wall() / USEC_PER_SEC, next = KEY_NEVER;
    uint64_t stuck = 0, pending = 0;
    uint32_t first = 0;
    struct key_board *board = mem_new(1, sizeof *board);
    key_board_init(board);
    board->steered_end = c->publication.made.end;
    board->steered_alarm = c->publication.made.alarm;
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++) {
        const struct loaded_keys *k = &c->loaded->zones[i].keys;
        if (!k->signatures_end)
            continue;
        struct key_board_zone z = board_zone(&c->loaded->config->zones[i], k);
        key_board_add(board, &z);
        stuck += k->kept;
        pending += (z.needs & (KEYS_DS_GIVE | KEYS_DS_REMOVE)) != 0;
        first = !first || k->signatures_end < first ? k->signatures_end : first;
        next = z.next_event && z.next_event < next ? z.next_event : next;
        end_tell(&c->loaded->config->zones[i], k->signatures_end, wall);
    }
    stats_set(c->stats.threads, CONTROL_SIGNED, board->total);
    stats_set(c->stats.threads, CONTROL_SIGNED_STUCK, stuck);
    stats_set(c->stats.threads, CONTROL_SIGNATURES_END, (uint64_t)first * USEC_PER_SEC);
    stats_set(c->stats.threads, CONTROL_STEERED_END, (uint64_t)board->steered_end * USEC_PER_SEC);
    stats_set(c->stats.threads, CONTROL_KEYS_NEXT,
              next == KEY_NEVER ? 0 : (uint64_t)next * USEC_PER_SEC);
    stats_set(c->stats.threads, CONTROL_PARENT_PENDING, pending);
    board_publish(c, board);
    free(board);
    c->dnssec_due = clock_now() + DNSSEC_LOOK_S * USEC_PER_SEC;
}

/* Time alone makes signatures late. */
void control_dnssec_beat(struct control *c, usec_t now)
{
    if (now >= c->dnssec_due)
        control_dnssec_look(c);
}
