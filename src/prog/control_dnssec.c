/* What operators say about the keys of a zone. Control alone changes them: an order is written to
 * the state on disk and takes effect with the load that follows, as a step in time would. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "seam/clock.h"
#include <string.h>

void control_dnssec(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to)
{
    const struct config *config = c->loaded->config;
    int index = config_zone_find(config, wish->zone);
    const struct config_zone *zone = index == CONFIG_NONE ? NULL : &config->zones[index];
    struct text out = text_init(COMMAND_REPLY_MAX / 2);
    if (!zone || (wish->dnssec != DNSSEC_STATUS && c->reload.running)) {
        control_reply(to, zone ? ERR_CONFLICT : ERR_MISSING,
                      zone ? "a reload is under way; ask again when it has ended"
                           : "the configuration has no such zone");
        return;
    }
    struct dnssec_keys_request request = {c->options->data, zone, clock_wall() / USEC_PER_SEC,
                                          true};
    int err = dnssec_keys_order(&request, wish->dnssec, wish->key, &out);
    if (err || wish->dnssec == DNSSEC_STATUS) {
        control_reply(to, err, text_string(&out));
    } else {
        log_event(LOG_WARN, "dnssec.order", {"zone", LOG_S(zone->name)}, {"author", LOG_S(author)},
                  {"reply", LOG_S(text_string(&out))});
        control_reload(c, (struct reload_order){0}, to);
        c->reload.note = mem_string(text_string(&out));
    }
    text_done(&out);
}

/* ---- what metrics tell ---- */

static bool parent_is_awaited(const struct key_state *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (key_is_sep(&s->keys[i]) && s->keys[i].stage != KEY_MADE &&
            (s->keys[i].ds == DS_WANTED || s->keys[i].ds == DS_UNWANTED))
            return true;
    return false;
}

/* L3: it goes on as it was for as long as it can; half of `refresh` before it cannot any more is
 * late, since signatures are renewed a whole `refresh` before they end. */
static void end_tell(const struct config_zone *z, uint32_t end, int64_t wall)
{
    char when[KEY_TIME_MAX];
    if (end - wall > z->dnssec.refresh / USEC_PER_SEC / 2)
        return;
    log_event(LOG_ERROR, "dnssec.expiring", {"zone", LOG_S(z->name)},
              {"end", LOG_S(key_time_format(end, when))},
              {"consequence", LOG_S("from then on validators refuse the zone; what keeps it from "
                                    "being signed stands in the log at each try")});
}

void control_dnssec_look(struct control *c)
{
    int64_t wall = clock_wall() / USEC_PER_SEC, next = KEY_NEVER;
    uint64_t zones = 0, stuck = 0, pending = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++) {
        const struct loaded_keys *k = &c->loaded->zones[i].keys;
        if (!k->signatures_end)
            continue;
        zones++;
        stuck += k->kept;
        first = !first || k->signatures_end < first ? k->signatures_end : first;
        end_tell(&c->loaded->config->zones[i], k->signatures_end, wall);
        if (!k->ring)
            continue;
        pending += parent_is_awaited(&k->ring->state);
        next = k->ring->next_event < next ? k->ring->next_event : next;
    }
    stats_set(c->stats.threads, CONTROL_SIGNED, zones);
    stats_set(c->stats.threads, CONTROL_SIGNED_STUCK, stuck);
    stats_set(c->stats.threads, CONTROL_SIGNATURES_END, (uint64_t)first * USEC_PER_SEC);
    stats_set(c->stats.threads, CONTROL_KEYS_NEXT,
              next == KEY_NEVER ? 0 : (uint64_t)next * USEC_PER_SEC);
    stats_set(c->stats.threads, CONTROL_PARENT_PENDING, pending);
}
