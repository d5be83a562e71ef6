/* What operators say about the keys of a zone. Control alone changes them: an order is written to
 * the state on disk and takes effect with the load that follows, as a step in time would. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "seam/clock.h"
#include <string.h>

static const struct config_zone *zone_find(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->zone_count; i++)
        if (!strcmp(c->zones[i].name, name))
            return &c->zones[i];
    return NULL;
}

void control_dnssec(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to)
{
    const struct config_zone *zone = zone_find(c->loaded->config, wish->zone);
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
