#include "prog/control_forward.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "prog/control_relay.h"
#include "prog/control_secondary.h"
#include <stdlib.h>

enum { UDP_ANSWER_MAX = 1232, RCODE_AT = 3, RCODE_MASK = 15 };

struct forward {
    struct control *control;
    struct relayed *r;
    char *zone;       /* the configuration may be another one by now */
    uint32_t tried;   /* primaries */
    uint32_t primary; /* the one that is asked */
    char address[IP_PORT_TEXT_MAX];
};

/* One a process, like struct control itself. */
static unsigned under_way;

bool control_forward_wanted(const struct control *c, const struct relayed *r)
{
    return relayed_opcode(r) == DNS_UPDATE && !r->rcode && r->zone != RELAYED_NO_ZONE &&
           c->loaded->config->zones[r->zone].forward_count;
}

static void told(struct control *c, const struct forward *f, unsigned rcode, const char *reason)
{
    char client[IP_TEXT_MAX];
    ip_format(&f->r->client, client);
    log_event(reason ? LOG_WARN : LOG_INFO, reason ? "update.unforwarded" : "update.forwarded",
              {"zone", LOG_S(f->zone)}, {"client", LOG_S(client)},
              {"primary", LOG_S(*f->address ? f->address : NULL)}, {"rcode", LOG_U(rcode)},
              {"reason", LOG_S(reason)});
    stats_add(c->stats.threads,
              !reason                 ? CONTROL_UPDATES_FORWARDED
              : rcode == DNS_SERVFAIL ? CONTROL_UPDATES_FAILED
                                      : CONTROL_UPDATES_REFUSED,
              1);
}

static void forward_done(struct forward *f)
{
    relayed_free(f->r);
    free(f->zone);
    free(f);
}

/* Answered here. */
static void forward_refuse(struct control *c, struct forward *f, enum dns_rcode rcode,
                           const char *reason)
{
    f->r->rcode = rcode;
    if (rcode == DNS_REFUSED) {
        f->r->ede = UPDATE_EDE_PROHIBITED;
        snprintf(f->r->reason, sizeof f->r->reason, "%s", reason);
    }
    told(c, f, rcode, reason);
    control_relay_answer(f->r);
    forward_done(f);
}

static const struct config_zone *zone_of(const struct control *c, const struct forward *f,
                                         uint32_t *ret_index)
{
    int zone = config_zone_find(c->loaded->config, f->zone);
    if (zone == CONFIG_NONE || !c->loaded->config->zones[zone].forward_count)
        return NULL;
    *ret_index = (uint32_t)zone;
    return &c->loaded->config->zones[zone];
}

static void forward_next(struct control *c, struct forward *f);

/* What a primary may have read is not given to another one as well. */
static void passed(void *context, const struct fetch_result *result, const uint8_t *answer,
                   size_t length)
{
    struct forward *f = context;
    struct control *c = f->control;
    uint32_t zone;
    under_way--;
    if (result->err && !result->heard) {
        forward_next(c, f);
        return;
    }
    if (result->err || (!f->r->stream && length > UDP_ANSWER_MAX)) {
        forward_refuse(c, f, DNS_SERVFAIL,
                       result->reason ? result->reason
                       : result->err  ? err_text(result->err)
                                      : "the answer does not fit a datagram");
        return;
    }
    unsigned rcode = answer[RCODE_AT] & RCODE_MASK;
    const char *name = f->zone;
    if (!rcode && zone_of(c, f, &zone)) /* so that who changed it sees it here soon */
        control_secondary_ask(c, &name, 1);
    told(c, f, rcode, NULL);
    control_relay_send(f->r, answer, length);
    forward_done(f);
}

static void forward_next(struct control *c, struct forward *f)
{
    uint32_t index;
    const struct config_zone *z = zone_of(c, f, &index);
    if (!z || f->tried >= z->primary_count) {
        forward_refuse(c, f, DNS_SERVFAIL, "no primary could be reached");
        return;
    }
    uint32_t first = control_secondary_primary(index);
    const struct config_primary *p = &z->primaries[(first + f->tried++) % z->primary_count];
    ip_port_format(&p->ip, p->port, f->address);
    under_way++;
    control_secondary_pass(p, f->r->wire, f->r->length, passed, f);
}

static bool is_near(const struct config_zone *z, const struct ip *client)
{
    for (uint32_t i = 0; i < z->forward_count; i++)
        if (ip_prefix_contains(&z->forward[i], client))
            return true;
    return false;
}

void control_forward(struct control *c, struct relayed *r)
{
    const struct config_zone *z = &c->loaded->config->zones[r->zone];
    struct forward *f = mem_new(1, sizeof *f);
    struct tsig tsig;
    *f = (struct forward){.control = c, .r = r, .zone = mem_string(z->name)};
    int err = tsig_find(r->wire, r->length, &tsig);
    if (err && err != ERR_MISSING)
        forward_refuse(c, f, DNS_FORMERR, "its TSIG record is malformed");
    else if (!is_near(z, &r->client))
        forward_refuse(c, f, DNS_REFUSED, "updates are not passed on from this address");
    else if (err) /* a primary that goes by addresses would take it for ours */
        forward_refuse(c, f, DNS_REFUSED, "updates have to be signed with TSIG");
    else if (under_way >= FORWARDS_MAX)
        forward_refuse(c, f, DNS_SERVFAIL, "too many are being passed on");
    else
        forward_next(c, f);
}
