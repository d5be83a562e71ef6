/* Zones whose content changed by itself are made anew alone (or with another form only): in a
 * worker, from the configuration that is in use. What was made takes the old one's place in one
 * step of the loop and goes out with the next plan.
 *
 *  1. A reload and this never run at once: both move keys and the ledger. Each waits for the other.
 *  2. What was made takes its place when no update is being looked at: that may compare with zones
 *     as they are (ALIAS, imports).
 *  3. The next round begins when the versions of the one before were published. So every version
 *     that secondaries can ask for was in service, and a zone that changes faster than plans can be
 *     published is made as often as it can be published. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/zone_form.h"
#include "prog/control.h"
#include "prog/control_keys.h"
#include "prog/control_relay.h"
#include "prog/load_form.h"
#include "prog/load_ledger.h"
#include "prog/load_zone.h"
#include "prog/problems.h"
#include "seam/clock.h"
#include "seam/thread.h"
#include <stdlib.h>
#include <string.h>

enum {
    LEDGER_EVERY_S = 60,
    REMAKE_RETRY_S = 300,
    AGAIN_MIN_S = 2, /* zones that are behind: each pause is twice the one before */
    AGAIN_MAX_S = 300,
    FORM_RETRY_S = 10,
    FORM_SHARE = 20, /* a worker makes forms of one zone for at most a twentieth of the time */
};
#define FORM_EVERY USEC_PER_SEC

static void zone_make(const struct control *c, const struct load_request *request, struct remade *z,
                      struct text *problems)
{
    const struct loaded_zone *was = &c->loaded->zones[z->zone];
    struct zone_order order = {.load = request,
                               .config = c->loaded->config,
                               .zones = c->loaded->zones,
                               .zone = z->zone,
                               .was = &was->file,
                               .was_form = was->form.hash ? &was->form : NULL,
                               .was_signed = was->keys.signatures_end};
    usec_t began = clock_now();
    order.answers = z->answers ? z->answers : was->answers;
    order.answer_count = z->answers ? z->answer_count : was->answer_count;
    z->err = z->form ? load_form(&order, &z->keys, problems, &z->made)
                     : load_zone(&order, problems, &z->made);
    z->took = clock_now() - began;
}

int control_zones_make(struct control *c, const struct load_request *request, struct remade *zones,
                       unsigned count, struct text *problems)
{
    int result = 0;
    bool whole = false;
    for (unsigned i = 0; i < count; i++) {
        zone_make(c, request, &zones[i], problems);
        whole |= !zones[i].form;
        if (!result)
            result = zones[i].err;
    }
    /* One that is behind costs a start some time. It is not worth a sync of the whole disk for each
     * update. */
    if (whole && clock_now() >= c->ledger_due) {
        load_ledger_write(c->options->data, &c->ledger);
        c->ledger_due = clock_now() + LEDGER_EVERY_S * USEC_PER_SEC;
    }
    return result;
}

void control_zone_drop(struct remade *z)
{
    zone_made_done(&z->made);
    free(z->answers);
    z->answers = NULL;
}

static void remake_task(void *context, unsigned i)
{
    struct remake *r = context;
    (void)i;
    struct control *c = (struct control *)((char *)r - offsetof(struct control, remake));
    struct load_request request = {
        .path = c->options->config,
        .data = c->options->data,
        .shared = c->loaded->shared,
        .ledger = &c->ledger,
        .fresh = true,
        .keep_old = true,
    };
    (void)control_zones_make(c, &request, r->zones, r->count, &r->problems);
}

/* Behind answers, and behind what has to be decided and published (L7). */
static void remake_work(uv_work_t *work)
{
    threads_aside(remake_task, work->data, 1);
}

/* It goes on as it was, and is tried again later. */
static void zone_refused(struct control *c, struct remade *z)
{
    struct loaded_keys *keys = &c->loaded->zones[z->zone].keys;
    log_event(LOG_ERROR, "zone.refused", {"zone", LOG_S(c->loaded->config->zones[z->zone].name)},
              {"reason", LOG_S(err_text(z->err))},
              {"consequence", LOG_S("it goes on as it was served before")});
    control_zone_drop(z);
    c->loaded->zones[z->zone].behind |= !z->form && load_zone_behind(z->err);
    if (z->form) {
        c->loaded->zones[z->zone].form_due = clock_now() + FORM_RETRY_S * USEC_PER_SEC;
    } else if (keys->ring || keys->signatures_end) {
        keys->renew_at = clock_wall() / USEC_PER_SEC + REMAKE_RETRY_S;
        keys->kept = true;
    }
}

/* A form that took long to make is made less often. */
static void form_made(struct loaded_zone *l, const struct remade *z)
{
    usec_t pause = z->took * FORM_SHARE;
    l->form_due = clock_now() + (pause > FORM_EVERY ? pause : FORM_EVERY);
    l->form_stale = false;
}

static bool zone_remade(struct control *c, struct remade *z)
{
    bool other = z->made.file.hash != c->loaded->zones[z->zone].file.hash;
    c->remake.unpublished |= other;
    if (z->form) { /* what names it binds did not change */
        z->made.aliases = c->loaded->zones[z->zone].aliases;
        c->loaded->zones[z->zone].aliases = (struct loaded_aliases){0};
        z->made.text_serial = c->loaded->zones[z->zone].text_serial;
    }
    load_zone_take(c->loaded, z->zone, &z->made);
    form_made(&c->loaded->zones[z->zone], z);
    free(z->answers);
    if (other)
        log_event(LOG_INFO, "zone.made", {"zone", LOG_S(c->loaded->config->zones[z->zone].name)},
                  {"serial", LOG_U(z->made.file.serial)});
    return other;
}

/* Zones that have copies of others' addresses (ALIAS). Each is made anew where one changed; what
 * comes out the same ends it. */
static void copies_remake(struct control *c)
{
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++)
        if (c->loaded->zones[i].aliases.other)
            control_zone_changed(c, i);
}

static uint32_t behind_count(const struct control *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++)
        count += c->loaded->zones[i].behind;
    stats_set(c->stats.threads, CONTROL_ZONES_BEHIND, count);
    return count;
}

/* What was confirmed to a client, or came from a primary, is served as soon as it can be. */
void control_zones_again(struct control *c, usec_t now)
{
    struct remake *r = &c->remake;
    if (now < r->again_due || r->running || c->reload.running)
        return;
    bool any = behind_count(c);
    r->again = !any || !r->again ? AGAIN_MIN_S * USEC_PER_SEC : r->again * 2;
    if (r->again > AGAIN_MAX_S * USEC_PER_SEC)
        r->again = AGAIN_MAX_S * USEC_PER_SEC;
    r->again_due = now + r->again;
    for (uint32_t i = 0; any && i < c->loaded->config->zone_count; i++)
        if (c->loaded->zones[i].behind)
            control_zone_wish(c, i, REMAKE_WHOLE);
    control_zones_go(c);
}

unsigned control_zones_made(struct control *c, struct remade *zones, unsigned count)
{
    unsigned others = 0;
    for (unsigned i = 0; i < count; i++)
        if (zones[i].err)
            zone_refused(c, &zones[i]);
        else
            others += zone_remade(c, &zones[i]);
    load_list(c->loaded);
    if (others)
        copies_remake(c);
    control_dnssec_look(c);
    (void)behind_count(c);
    return others;
}

void control_zones_end(struct control *c)
{
    struct remake *r = &c->remake;
    if (!r->made || control_relay_works())
        return;
    r->made = r->running = false;
    problems_log("zone.problem", &r->problems);
    text_done(&r->problems);
    (void)control_zones_made(c, r->zones, r->count);
    if (c->reload.running)
        control_reload_begin(c);
    else
        control_zones_go(c);
}

static void remake_done(uv_work_t *work, int status)
{
    struct remake *r = work->data;
    invariant(status == 0);
    r->made = true;
    control_zones_end((struct control *)((char *)r - offsetof(struct control, remake)));
}

/* False where it has to wait: for a plan that says what the form is to be. */
static bool remade_begin(struct control *c, uint32_t zone, struct remade *ret)
{
    const struct loaded_zone *z = &c->loaded->zones[zone];
    bool form = c->remake.wanted[zone] == REMAKE_FORM;
    uint32_t count = 0;
    struct form_answer *answers = control_form_answers(c, zone, !form, &count);
    if (form && !answers)
        return false;
    *ret = (struct remade){.zone = zone, .form = form, .answers = answers, .answer_count = count};
    if (form) {
        ret->keys = z->keys;
        ret->keys.ring = dnssec_keyring_ref(z->keys.ring);
    }
    return true;
}

void control_zones_go(struct control *c)
{
    struct remake *r = &c->remake;
    if (r->running || r->unpublished || c->reload.running)
        return;
    r->count = 0;
    for (uint32_t i = 0; i < r->wanted_size && r->count < REMAKE_MAX && r->wanted_count; i++) {
        if (!r->wanted[i])
            continue;
        struct remade *z = &r->zones[r->count];
        if (remade_begin(c, i, z)) {
            r->wanted[i] = REMAKE_NOT;
            r->wanted_count--;
            r->count++;
        }
    }
    if (!r->count)
        return;
    r->problems = text_init(LOAD_PROBLEMS_MAX);
    r->running = true;
    r->work.data = r;
    int err = uv_queue_work(&c->loop, &r->work, remake_work, remake_done);
    invariant(err == 0);
}

void control_zone_wish(struct control *c, uint32_t zone, enum remake_wish wish)
{
    struct remake *r = &c->remake;
    invariant(zone < r->wanted_size && wish != REMAKE_NOT);
    r->wanted_count += r->wanted[zone] == REMAKE_NOT;
    if (wish > r->wanted[zone])
        r->wanted[zone] = (uint8_t)wish;
}

void control_zone_changed(struct control *c, uint32_t zone)
{
    control_zone_wish(c, zone, REMAKE_WHOLE);
    control_zones_go(c);
}

void control_zones_published(struct control *c)
{
    c->remake.unpublished = false;
    control_zones_go(c);
}

void control_zones_take(struct control *c, const struct config *old)
{
    struct remake *r = &c->remake;
    const struct config *config = c->loaded->config;
    uint8_t *wanted = mem_new(config->zone_count + (size_t)1, sizeof *wanted);
    uint32_t count = 0;
    invariant(!r->running);
    for (uint32_t i = 0; old && i < r->wanted_size; i++) {
        if (r->wanted[i] != REMAKE_WHOLE) /* forms are compared with the next plan anyway */
            continue;
        int zone = config_zone_find(config, old->zones[i].name);
        if (zone == CONFIG_NONE)
            continue;
        wanted[zone] = REMAKE_WHOLE;
        count++;
    }
    free(r->wanted);
    r->wanted = wanted;
    r->wanted_size = config->zone_count;
    r->wanted_count = count;
    r->unpublished = false;
}

void control_zones_renew(struct control *c)
{
    int64_t wall = clock_wall() / USEC_PER_SEC;
    if (wall < c->loaded->renew_at || c->remake.running || c->reload.running)
        return;
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++)
        if (c->loaded->zones[i].keys.renew_at <= wall && !control_keys_decide(c, i))
            control_zone_changed(c, i);
    log_event(LOG_INFO, "dnssec.renew");
    c->loaded->renew_at = wall + REMAKE_RETRY_S; /* until what is made says better */
}
