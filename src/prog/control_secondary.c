#include "prog/control_secondary.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/access.h"
#include "model/zone_held_io.h"
#include "prog/control.h"
#include "prog/control_fetched.h"
#include "prog/control_transfer.h"
#include "prog/problems.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "transfer/fetch_io.h"
#include "transfer/notify.h"
#include "wire/dns.h"
#include <stdlib.h>
#include <string.h>

enum { NOTE_EVERY_S = 60 };

/* One a process, like struct control itself. */
static struct {
    struct secondary *machine; /* zones have the configuration's numbers; NULL: there are none */
    struct fetcher *fetcher;
    usec_t *noted; /* by zone: `confirmed` as it is on the disk */
    uint32_t zone_count;
} us;

/* A question to a primary, from its beginning until what came is on the disk. */
struct question {
    uv_work_t work;
    struct control *control;
    uint32_t epoch; /* of the configuration that `order.zone` is a number of */
    struct secondary_order order;
    char *zone;
    char primary[IP_PORT_TEXT_MAX];
    usec_t began;
    struct inbound *in;
    struct fetched fetched;
};

static void question_free(struct question *q)
{
    inbound_free(q->in);
    text_done(&q->fetched.problems);
    free(q->zone);
    free(q);
}

static const struct config_zone *zone_of(const struct question *q)
{
    return &q->control->loaded->config->zones[q->order.zone];
}

/* The zone's number in the configuration that is in use; false: it has none any more. */
static bool question_renumber(struct question *q)
{
    const struct config *config = q->control->loaded->config;
    if (q->epoch == q->control->epoch)
        return true;
    for (uint32_t i = 0; i < config->zone_count; i++)
        if (config->zones[i].primary_count && !strcmp(config->zones[i].name, q->zone)) {
            q->order.zone = i;
            return true;
        }
    return false;
}

/* ---- what came ---- */

static void outcome_log(const struct question *q, const struct fetched *f)
{
    const char *event = f->how == SECONDARY_TAKEN    ? "zone.transferred"
                        : f->how == SECONDARY_SHRUNK ? "zone.shrinks"
                                                     : "zone.unfit";
    enum log_level level = f->how == SECONDARY_TAKEN    ? LOG_INFO
                           : f->how == SECONDARY_SHRUNK ? LOG_ERROR
                                                        : LOG_WARN;
    bool steps = inbound_kind(q->in) == INBOUND_STEPS;
    log_event(level, event, {"zone", LOG_S(q->zone)}, {"primary", LOG_S(q->primary)},
              {"serial", LOG_U(f->serial)}, {"how", LOG_S(steps ? "IXFR" : "AXFR")},
              {"records", LOG_U(inbound_count(q->in))}, {"took", LOG_D(clock_now() - q->began)});
    if (f->how == SECONDARY_SHRUNK)
        log_event(LOG_ERROR, "zone.shrinks.kept", {"zone", LOG_S(q->zone)},
                  {"lost", LOG_U(f->lost)}, {"of", LOG_U(f->total)},
                  {"consequence", LOG_S("it goes on as it was; if that is meant: holdfast reload "
                                        "--accept-shrink")});
}

static void take_work(uv_work_t *work)
{
    struct question *q = work->data;
    fetched_take(&q->fetched);
}

/* A catalog changed, so do the zones of the configuration. What an operator accepted of it holds
 * for its members, too. */
static void members_reload(struct control *c, const struct question *q)
{
    struct reload_order order = {0};
    if (q->order.accepting) {
        order.accept_shrink = mem_new(1, sizeof *order.accept_shrink);
        order.accept_shrink[order.accept_shrink_count++] = mem_string(q->zone);
    }
    control_reload(c, order, NULL);
}

static void take_done(uv_work_t *work, int status)
{
    struct question *q = work->data;
    struct control *c = q->control;
    const struct fetched *f = &q->fetched;
    usec_t now = clock_now();
    bool current = q->epoch == c->epoch, taken = f->how == SECONDARY_TAKEN;
    invariant(status == 0);
    problems_log("zone.problem", &q->fetched.problems);
    outcome_log(q, f);
    stats_add(c->stats.threads, taken ? CONTROL_FETCHED : CONTROL_FETCH_FAILED, 1);
    if (current)
        secondary_fetched(us.machine, q->order.zone, f->how, f->serial, &f->timers, now);
    if (taken && question_renumber(q)) {
        if (!current)
            secondary_resume(us.machine, q->order.zone, f->serial, f->timers, 0, now);
        us.noted[q->order.zone] = now;
        control_zone_changed(c, q->order.zone);
        if (zone_of(q)->catalog_consume)
            members_reload(c, q);
    }
    question_free(q);
}

static void fetched_failed(struct question *q, const struct fetch_result *result)
{
    unsigned rcode = inbound_rcode(q->in);
    /* What is wrong with differences need not be wrong with the whole; a primary that is not there
     * has neither. */
    bool answered = rcode || inbound_reason(q->in);
    log_event(LOG_WARN, "zone.fetch", {"zone", LOG_S(q->zone)}, {"primary", LOG_S(q->primary)},
              {"reason", LOG_S(result->reason ? result->reason : err_text(result->err))},
              {"rcode", LOG_U(rcode)}, {"ixfr", LOG_B(q->order.incremental)});
    stats_add(q->control->stats.threads, CONTROL_FETCH_FAILED, 1);
    if (q->epoch == q->control->epoch)
        secondary_fetched(us.machine, q->order.zone,
                          answered && q->order.incremental ? SECONDARY_UNFIT : SECONDARY_FAILED, 0,
                          NULL, clock_now());
    question_free(q);
}

static void zone_fetched(void *context, const struct fetch_result *result, struct inbound *in)
{
    struct question *q = context;
    struct control *c = q->control;
    usec_t now = clock_now();
    q->in = in;
    if (result->err) {
        fetched_failed(q, result);
        return;
    }
    if (q->epoch != c->epoch || inbound_kind(in) == INBOUND_CURRENT) {
        if (q->epoch == c->epoch)
            secondary_fetched(us.machine, q->order.zone, SECONDARY_SAME, inbound_serial(in), NULL,
                              now);
        question_free(q);
        return;
    }
    q->fetched = (struct fetched){
        .data = c->options->data,
        .zone = q->zone,
        .in = in,
        .served = c->loaded->zones[q->order.zone].file.hash,
        .accept_shrink = q->order.accepting || zone_of(q)->accept_shrink,
        .zonemd = zone_of(q)->zonemd,
        .note = {.confirmed = now, .boot_id = c->boot_id, .wall = clock_wall()},
        .problems = text_init(LOAD_PROBLEMS_MAX),
    };
    q->work.data = q;
    int err = uv_queue_work(&c->loop, &q->work, take_work, take_done);
    invariant(err == 0);
}

static void serial_came(void *context, const struct fetch_result *result, uint32_t serial)
{
    struct question *q = context;
    if (q->epoch == q->control->epoch)
        secondary_asked(us.machine, q->order.zone, !result->err, serial, clock_now());
    question_free(q);
}

/* ---- asking ---- */

static struct channel_peer channel_of(const struct config_primary *p)
{
    static const enum channel_trust trusts[] = {[PRIMARY_TLS_NAME] = CHANNEL_NAME,
                                                [PRIMARY_TLS_PIN] = CHANNEL_PIN,
                                                [PRIMARY_TLS_ANY] = CHANNEL_ANY};
    struct channel_peer tls = {
        .trust = trusts[p->tls], .name = p->tls_name, .ca = p->tls_ca, .cert = p->tls_cert};
    memcpy(tls.pin, p->tls_pin, sizeof tls.pin);
    return tls;
}

void control_secondary_pass(const struct config_primary *p, const uint8_t *message, size_t length,
                            fetch_passed *done, void *context)
{
    struct channel_peer tls = channel_of(p);
    struct fetch_peer peer = {.ip = p->ip, .port = p->port, .tls = p->tls ? &tls : NULL};
    fetch_pass(us.fetcher, message, length, &peer, done, context);
}

uint32_t control_secondary_primary(uint32_t zone)
{
    return secondary_zone(us.machine, zone)->primary;
}

static void question_begin(struct control *c, const struct secondary_order *order,
                           const struct access *keys)
{
    const struct config *config = c->loaded->config;
    const struct config_zone *z = &config->zones[order->zone];
    const struct config_primary *p = &z->primaries[order->primary];
    struct channel_peer tls = channel_of(p);
    struct fetch_peer peer = {.ip = p->ip, .port = p->port, .tls = p->tls ? &tls : NULL};
    struct inbound_request request = {.incremental = order->incremental,
                                      .serial = order->serial,
                                      .records_max = z->records_max,
                                      .bytes_max = z->bytes_max};
    uint8_t name[DNAME_MAX];
    struct question *q = mem_new(1, sizeof *q);
    int length = dname_parse(z->name, strlen(z->name), NULL, name);
    invariant(length > 0);
    if (p->key != CONFIG_NONE)
        peer.key = control_transfer_key(config, p->key, keys);
    q->control = c;
    q->epoch = c->epoch;
    q->order = *order;
    q->zone = mem_string(z->name);
    q->began = clock_now();
    ip_port_format(&p->ip, p->port, q->primary);
    request.zone = name;
    if (order->what == SECONDARY_ASK)
        fetch_serial(us.fetcher, name, &peer, serial_came, q);
    else
        fetch_zone(us.fetcher, request, &peer, zone_fetched, q);
}

/* What a primary confirmed is noted now and then, so that a restart knows the zone's age. */
struct noting {
    uv_work_t work;
    char *data, *zone;
    uint8_t bytes[NOTE_SIZE];
    int err;
};

static void noting_work(uv_work_t *work)
{
    struct noting *n = work->data;
    n->err = zone_held_note_write(n->data, n->zone, n->bytes, sizeof n->bytes);
}

static void noting_done(uv_work_t *work, int status)
{
    struct noting *n = work->data;
    (void)status;
    if (n->err)
        log_event(LOG_WARN, "zone.note", {"zone", LOG_S(n->zone)},
                  {"reason", LOG_S(err_text(n->err))});
    free(n->data);
    free(n->zone);
    free(n);
}

static void zone_note(struct control *c, uint32_t zone, const struct secondary_zone *z, usec_t now)
{
    usec_t tenth = (usec_t)z->timers.expire * USEC_PER_SEC / 10;
    usec_t often = NOTE_EVERY_S * USEC_PER_SEC < tenth ? NOTE_EVERY_S * USEC_PER_SEC : tenth;
    struct secondary_note note = {.serial = z->serial,
                                  .timers = z->timers,
                                  .confirmed = z->confirmed,
                                  .boot_id = c->boot_id,
                                  .wall = clock_wall() - (now - z->confirmed)};
    bool busy = z->state == SECONDARY_FETCHING; /* it writes one itself */
    if (!z->has_content || busy || z->confirmed - us.noted[zone] < often)
        return;
    us.noted[zone] = z->confirmed;
    struct noting *n = mem_new(1, sizeof *n);
    n->data = mem_string(c->options->data);
    n->zone = mem_string(c->loaded->config->zones[zone].name);
    note_encode(&note, n->bytes);
    n->work.data = n;
    int err = uv_queue_work(&c->loop, &n->work, noting_work, noting_done);
    invariant(err == 0);
}

/* ---- past their time ---- */

static void turned_log(struct control *c, uint32_t zone, bool expired)
{
    const struct config_zone *z = &c->loaded->config->zones[zone];
    const struct secondary_zone *s = secondary_zone(us.machine, zone);
    log_event(expired ? LOG_ERROR : LOG_INFO, expired ? "zone.expired" : "zone.revived",
              {"zone", LOG_S(z->name)}, {"serial", LOG_U(s->serial)},
              {"consequence", LOG_S(!expired         ? "it is answered again as any other"
                                    : z->expire_keep ? "it is answered on, as stale"
                                                     : "it is not answered: SERVFAIL")});
}

/* The state of each zone's file is what it should be, whatever happened before: so a zone that was
 * made anew meanwhile needs no care. */
static void states_set(struct control *c)
{
    const struct config *config = c->loaded->config;
    unsigned expired = 0;
    bool changed = false;
    for (uint32_t i = 0; i < us.zone_count; i++) {
        const struct secondary_zone *z = secondary_zone(us.machine, i);
        struct plan_file *file = &c->loaded->zones[i].file;
        uint32_t made_of = c->loaded->zones[i].text_serial;
        if (!z->primaries || !z->has_content || (made_of && made_of != z->serial))
            continue; /* nothing yet, or on its way */
        uint8_t state = !z->expired                    ? PLAN_ZONE_CURRENT
                        : config->zones[i].expire_keep ? PLAN_ZONE_STALE
                                                       : PLAN_ZONE_DARK;
        expired += z->expired;
        changed |= file->state != state;
        file->state = state;
    }
    stats_set(c->stats.threads, CONTROL_ZONES_EXPIRED, expired);
    if (changed)
        load_list(c->loaded);
}

static void states_look(struct control *c, usec_t now)
{
    uint32_t zone;
    bool expired;
    while (secondary_turned(us.machine, now, &zone, &expired))
        turned_log(c, zone, expired);
    states_set(c);
}

void control_secondary_beat(struct control *c, usec_t now)
{
    struct secondary_order order;
    struct access *keys = NULL;
    bool read = false;
    if (!us.machine)
        return;
    states_look(c, now);
    for (uint32_t i = 0; i < us.zone_count; i++)
        zone_note(c, i, secondary_zone(us.machine, i), now);
    while (secondary_next(us.machine, now, &order)) {
        if (!read)
            keys = control_transfer_keys(c);
        read = true;
        question_begin(c, &order, keys);
    }
    access_free(keys);
}

/* ---- notifies ---- */

enum believed { STRANGER, PERHAPS, PRIMARY };

/* The primary that it comes from: by its address, or by its key, wherever it is sent from. Without
 * the key of a primary that has one it is a hint: BIND signs none unless it is told to. */
static enum believed primary_find(const struct config_zone *z, const struct ip *from, int key,
                                  uint32_t *ret)
{
    enum believed best = STRANGER;
    for (uint32_t i = 0; i < z->primary_count && best != PRIMARY; i++) {
        const struct config_primary *p = &z->primaries[i];
        bool there = ip_equal(&p->ip, from), knows = p->key != CONFIG_NONE && p->key == key;
        enum believed this = knows || (there && p->key == CONFIG_NONE) ? PRIMARY
                             : there && key == CONFIG_NONE             ? PERHAPS
                                                                       : STRANGER;
        if (this <= best)
            continue;
        *ret = i;
        best = this;
    }
    return best;
}

unsigned control_secondary_notified(struct control *c, uint32_t zone, const struct ip *from,
                                    int key, const uint8_t *wire, size_t length)
{
    const struct config_zone *z = &c->loaded->config->zones[zone];
    char address[IP_TEXT_MAX];
    uint8_t name[DNAME_MAX];
    uint32_t primary, serial = 0;
    if (!z->primary_count || dname_parse(z->name, strlen(z->name), NULL, name) < 0)
        return DNS_NOTAUTH;
    ip_format(from, address);
    enum believed believed = primary_find(z, from, key, &primary);
    if (believed == STRANGER) {
        log_event(LOG_WARN, "zone.notify.refused", {"zone", LOG_S(z->name)},
                  {"from", LOG_S(address)}, {"reason", LOG_S("it is no primary of this zone")});
        return DNS_REFUSED;
    }
    bool says = notify_serial(wire, length, name, &serial);
    bool news = (believed == PRIMARY ? secondary_notify : secondary_hint)(
        us.machine, zone, primary, says, serial, clock_now());
    log_event(LOG_DEBUG, "zone.notify", {"zone", LOG_S(z->name)}, {"from", LOG_S(address)},
              {"serial", LOG_U(serial)}, {"news", LOG_B(news)});
    return DNS_NOERROR;
}

/* ---- configuration ---- */

static void zone_resume(struct control *c, struct secondary *machine, uint32_t zone, usec_t now)
{
    uint8_t bytes[NOTE_SIZE];
    struct secondary_note note;
    const struct plan_file *file = &c->loaded->zones[zone].file;
    uint32_t made_of = c->loaded->zones[zone].text_serial;
    const char *name = c->loaded->config->zones[zone].name;
    int length = zone_held_note_read(c->options->data, name, bytes, sizeof bytes);
    if (file->state == PLAN_ZONE_DARK)
        return; /* nothing is held */
    if (length < 0 || note_decode(bytes, (size_t)length, &note))
        note = (struct secondary_note){.serial = file->serial,
                                       .timers = {.refresh = 0, .retry = 0, .expire = 86400},
                                       .confirmed = now,
                                       .boot_id = c->boot_id,
                                       .wall = clock_wall()};
    secondary_resume(machine, zone, made_of ? made_of : note.serial, note.timers,
                     note_age(&note, now, c->boot_id, clock_wall()), now);
}

static const struct secondary_zone *zone_before(const struct config *old, const char *name,
                                                const struct config_zone **ret_old)
{
    for (uint32_t i = 0; us.machine && i < us.zone_count; i++)
        if (secondary_zone(us.machine, i)->primaries && !strcmp(old->zones[i].name, name)) {
            *ret_old = &old->zones[i];
            return secondary_zone(us.machine, i);
        }
    return NULL;
}

/* Is there a primary that was not there before? Then it is asked at once. */
static bool primaries_new(const struct config_zone *old, const struct config_zone *z)
{
    for (uint32_t i = 0; i < z->primary_count; i++) {
        const struct config_primary *p = &z->primaries[i];
        bool found = false;
        for (uint32_t j = 0; j < old->primary_count && !found; j++)
            found = ip_equal(&old->primaries[j].ip, &p->ip) && old->primaries[j].port == p->port;
        if (!found)
            return true;
    }
    return false;
}

static uint32_t straight_primaries(const struct config_zone *z)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < z->primary_count; i++)
        bits |= (uint32_t)(z->primaries[i].tls != PRIMARY_PLAIN) << i;
    return bits;
}

void control_secondary_take(struct control *c, const struct config *old)
{
    const struct config *config = c->loaded->config;
    usec_t now = clock_now();
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < config->zone_count; i++)
        wanted += config->zones[i].primary_count > 0;
    stats_set(c->stats.threads, CONTROL_ZONES_SECONDARY, wanted);
    stats_set(c->stats.threads, CONTROL_ZONES_EXPIRED, 0);
    struct secondary *machine = wanted ? secondary_new(config->zone_count, entropy_u64()) : NULL;
    for (uint32_t i = 0; i < config->zone_count && wanted; i++) {
        const struct config_zone *z = &config->zones[i];
        if (!z->primary_count)
            continue;
        const struct config_zone *was = NULL;
        const struct secondary_zone *before = zone_before(old, z->name, &was);
        secondary_add(machine, i, z->primary_count, straight_primaries(z), now);
        bool lost = before && before->has_content &&
                    c->loaded->zones[i].file.state == PLAN_ZONE_DARK; /* its catalog began anew */
        if (before && !lost)
            secondary_carry(machine, i, before, now);
        else
            zone_resume(c, machine, i, now);
        if (before && primaries_new(was, z))
            secondary_notify(machine, i, secondary_zone(machine, i)->primary, false, 0, now);
    }
    secondary_free(us.machine);
    free(us.noted);
    us.machine = machine;
    us.zone_count = wanted ? config->zone_count : 0;
    us.noted = mem_new(us.zone_count + (size_t)1, sizeof *us.noted);
    if (machine && !us.fetcher)
        us.fetcher = fetcher_new(&c->loop, entropy_u64());
    else if (machine)
        fetcher_renew(us.fetcher);
    if (machine) /* before the next plan: a zone that ran out is not fresh for one beat */
        states_look(c, now);
}

static bool zone_named(const struct config_zone *z, const char *const *zones, unsigned count)
{
    for (unsigned i = 0; i < count && z->primary_count; i++)
        if (!strcmp(z->name, zones[i]))
            return true;
    return false;
}

void control_secondary_accept(struct control *c, const char *const *zones, unsigned count)
{
    for (uint32_t i = 0; i < us.zone_count; i++)
        if (zone_named(&c->loaded->config->zones[i], zones, count))
            secondary_accept(us.machine, i, clock_now());
}

void control_secondary_ask(struct control *c, const char *const *zones, unsigned count)
{
    for (uint32_t i = 0; i < us.zone_count; i++)
        if (zone_named(&c->loaded->config->zones[i], zones, count))
            secondary_notify(us.machine, i, secondary_zone(us.machine, i)->primary, false, 0,
                             clock_now());
}

/* ---- telling ---- */

static void zone_tell(const struct control *c, uint32_t i, usec_t now, struct text *out)
{
    static const char *const words[] = {[SECONDARY_RESTING] = "resting",
                                        [SECONDARY_WAITING] = "waiting for its turn",
                                        [SECONDARY_ASKING] = "asking",
                                        [SECONDARY_FETCHING] = "fetching"};
    char primary[IP_PORT_TEXT_MAX], age[DURATION_TEXT_MAX], next[DURATION_TEXT_MAX];
    char left[DURATION_TEXT_MAX];
    const struct config_zone *z = &c->loaded->config->zones[i];
    const struct secondary_zone *s = secondary_zone(us.machine, i);
    const struct config_primary *p = &z->primaries[s->primary];
    usec_t expires = s->confirmed + (usec_t)s->timers.expire * USEC_PER_SEC - now;
    ip_port_format(&p->ip, p->port, primary);
    text_appendf(out, "%s%s: ", out->length ? "\n" : "", z->name);
    if (s->has_content)
        text_appendf(out, "serial %u, confirmed %s ago, %s%s", s->serial,
                     duration_format(now - s->confirmed, age),
                     s->expired ? "EXPIRED" : "expires in ",
                     s->expired ? "" : duration_format(expires, left));
    else
        text_append(out, "no content yet");
    text_appendf(out, "; primary %s, %s", primary, words[s->state]);
    if (s->state == SECONDARY_RESTING)
        text_appendf(out, ", asked again in %s",
                     duration_format(s->due > now ? s->due - now : 0, next));
    if (s->failures)
        text_appendf(out, "; %u rounds failed", s->failures);
    if (s->has_refused)
        text_appendf(out, "; serial %u refused: it would take a third away", s->refused);
}

bool control_secondary_tell(const struct control *c, const char *zone, struct text *out)
{
    usec_t now = clock_now();
    for (uint32_t i = 0; i < us.zone_count; i++) {
        const struct config_zone *z = &c->loaded->config->zones[i];
        if (z->primary_count && (!zone || !strcmp(z->name, zone)))
            zone_tell(c, i, now, out);
    }
    return out->length > 0;
}
