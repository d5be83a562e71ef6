#include "prog/control_update.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "command/update_shared.h"
#include "prog/control_intent.h"
#include "prog/control_relay.h"
#include "prog/load_held.h"
#include "seam/clock.h"
#include "wire/dname.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way. The configuration may be another at each step, so names are kept. */
struct waiting_update {
    struct waiting_update *next;
    struct relayed *message;
    char zone[DNAME_TEXT_MAX], key[DNAME_TEXT_MAX];
    usec_t since;
    unsigned tries;
    bool agreed; /* this node wants all that was decided before it came */
};

/* One a process, like struct control itself. */
static struct {
    struct control *c;
    struct waiting_update *first, **tail;
    unsigned count;
    bool busy; /* something is under way for the first */

    uv_work_t work;
    bool working;
    const struct config *config;
    struct intent intent; /* what the worker looks at */
    struct update_result result;
    char *line;
} updates;

static void updates_go(void);

bool control_update_works(void)
{
    return updates.working;
}

/* ---- answers ---- */

/* Where zone and key stand in the configuration in use; false: one of them is gone. */
static bool update_place(const struct waiting_update *u)
{
    const struct config *config = updates.c->loaded->config;
    struct relayed *r = u->message;
    int zone = config_zone_find(config, u->zone);
    r->zone = zone == CONFIG_NONE ? RELAYED_NO_ZONE : (uint32_t)zone;
    r->key = CONFIG_NONE;
    for (uint32_t i = 0; i < config->key_count; i++)
        if (!strcmp(config->keys[i].name, u->key))
            r->key = (int)i;
    return zone != CONFIG_NONE && r->key != CONFIG_NONE &&
           config_zone_is_shared(&config->zones[zone]);
}

static void update_free(struct waiting_update *u)
{
    relayed_free(u->message);
    free(u);
}

/* Answers the first of them and goes on. */
static void update_end(enum dns_rcode rcode, const char *reason)
{
    struct waiting_update *u = updates.first;
    updates.first = u->next;
    if (!u->next)
        updates.tail = &updates.first;
    updates.count--;
    updates.busy = false;
    (void)update_place(u);
    if (rcode)
        relayed_refuse(u->message, rcode, reason);
    control_relay_end(updates.c, u->message);
    update_free(u);
}

/* "refused, nothing was changed:\nshared records of example.com: ..." on one line. */
static void sentence_shorten(const char *message, char ret[static RELAYED_REASON_MAX])
{
    const char *line = strchr(message, '\n');
    line = line && line[1] ? line + 1 : message;
    snprintf(ret, RELAYED_REASON_MAX, "%.*s", (int)strcspn(line, "\n"), line);
}

/* ---- the request ---- */

/* The same for the same message, wherever it arrives. */
static const char *token_make(const struct waiting_update *u, unsigned try,
                              char token[static INTENT_TOKEN_MAX + 1])
{
    const struct relayed *r = u->message;
    uint64_t seed = hash64(u->key, strlen(u->key)) ^ r->tsig.original_id;
    snprintf(token, INTENT_TOKEN_MAX + 1, "update-%016" PRIx64 "%016" PRIx64 "-%u",
             hash64_seeded(r->tsig.mac.data, r->tsig.mac.length, seed),
             hash64_seeded(r->wire, r->tsig.offset, ~seed), try);
    return token;
}

/* Was it done before? */
static bool update_known(const struct waiting_update *u)
{
    char token[INTENT_TOKEN_MAX + 1];
    for (unsigned i = 0; i < UPDATE_TRIES_MAX; i++) {
        const struct told_one *told = told_find(&updates.c->intent.told, token_make(u, i, token));
        if (told && told->version)
            return true;
    }
    return false;
}

/* What it says may be wrong for the zone (REFUSED), or this node cannot ask the others now. */
static bool error_is_ours(int err)
{
    return err > ERR_BASE || err == ERR_QUORUM || err == ERR_UNSURE || err == ERR_LIMIT ||
           err == ERR_REFUSED || err == ERR_CONFLICT;
}

static void on_changed(void *context, int err, const char *message)
{
    struct waiting_update *u = updates.first;
    char reason[RELAYED_REASON_MAX];
    (void)context;
    sentence_shorten(message, reason);
    if (err == ERR_CONFLICT && ++u->tries < UPDATE_TRIES_MAX) {
        updates.busy = false;
    } else if (err) {
        update_end(error_is_ours(err) ? DNS_SERVFAIL : DNS_REFUSED, reason);
    } else {
        u->message->applied = true;
        u->message->to = intent_zone_serial(&updates.c->intent, u->zone);
        update_end(DNS_NOERROR, NULL);
    }
    updates_go();
}

static void update_submit(struct waiting_update *u, const char *line)
{
    char author[sizeof "tsig:" + DNAME_TEXT_MAX];
    snprintf(author, sizeof author, "tsig:%s", u->key);
    control_intent_submit(updates.c, line, strlen(line), author, on_changed, NULL);
}

/* ---- the look ---- */

static void look_work(uv_work_t *work)
{
    const struct waiting_update *u = updates.first;
    struct relayed *r = u->message;
    char token[INTENT_TOKEN_MAX + 1];
    struct arena arena = arena_init();
    struct update_request request = {.wire = r->wire,
                                     .length = r->tsig.offset,
                                     .zone = &updates.config->zones[r->zone],
                                     .key = r->key,
                                     .key_name = r->tsig.name,
                                     .wall = clock_wall() / USEC_PER_SEC};
    (void)work;
    request.steered = load_steered_names(&arena, updates.config, r->zone, &request.steered_count);
    update_shared_run(&updates.intent, &request, token_make(u, u->tries, token), &updates.result,
                      &updates.line);
    r->removed = updates.result.removed;
    r->added = updates.result.added;
    r->from = updates.result.change.from;
    arena_done(&arena);
}

static void look_done(uv_work_t *work, int status)
{
    struct waiting_update *u = updates.first;
    char *line = updates.line;
    enum dns_rcode rcode = updates.result.rcode;
    const char *reason = updates.result.reason;
    (void)work;
    invariant(status == 0);
    held_change_done(&updates.result.change);
    intent_done(&updates.intent);
    updates.working = false;
    control_zones_end(updates.c);
    control_reload_end(updates.c);
    if (line) {
        update_submit(u, line);
    } else {
        update_end(rcode, reason);
        updates_go();
    }
    free(line);
}

static void look_begin(void)
{
    updates.config = updates.c->loaded->config;
    updates.intent = intent_share(&updates.c->intent);
    updates.line = NULL;
    updates.result = (struct update_result){0};
    updates.working = true;
    int err = uv_queue_work(&updates.c->loop, &updates.work, look_work, look_done);
    invariant(err == 0);
}

/* ---- one after the other ---- */

/* All that came until it was asked. */
static void on_agreed(void *context, int err, const char *message)
{
    uintptr_t count = (uintptr_t)context;
    char reason[RELAYED_REASON_MAX];
    sentence_shorten(message, reason);
    updates.busy = false;
    struct waiting_update *u = updates.first;
    for (; !err && count; count--, u = u->next)
        u->agreed = true;
    for (; count; count--)
        update_end(DNS_SERVFAIL, reason);
    updates_go();
}

static void update_begin(struct waiting_update *u)
{
    updates.busy = true;
    if (clock_now() - u->since > UPDATE_PATIENCE_MS * USEC_PER_MSEC)
        update_end(DNS_SERVFAIL, "there are too many updates");
    else if (!u->agreed)
        control_intent_agree(updates.c, on_agreed, (void *)(uintptr_t)updates.count);
    else if (update_known(u))
        update_end(DNS_NOERROR, NULL);
    else if (!update_place(u))
        update_end(DNS_REFUSED, "the zone or the key is gone");
    else
        look_begin();
}

static void updates_go(void)
{
    while (updates.first && !updates.busy)
        update_begin(updates.first);
}

void control_update(struct control *c, struct relayed *r)
{
    struct waiting_update *u = mem_new(1, sizeof *u);
    if (!updates.tail)
        updates.tail = &updates.first;
    updates.c = c;
    *u = (struct waiting_update){.message = r, .since = clock_now()};
    snprintf(u->zone, sizeof u->zone, "%s", c->loaded->config->zones[r->zone].name);
    dname_format(r->tsig.name, u->key);
    relayed_keep(r);
    if (updates.count == UPDATES_WAITING_MAX) {
        relayed_refuse(r, DNS_SERVFAIL, "there are too many updates");
        control_relay_end(c, r);
        update_free(u);
        return;
    }
    *updates.tail = u;
    updates.tail = &u->next;
    updates.count++;
    updates_go();
}
