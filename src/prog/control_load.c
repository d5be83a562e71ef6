/* Taking configurations into use. A reload is loaded whole in a worker thread, while probing and
 * steering go on; then it replaces what was there in one step of the loop, or changes nothing. */
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/access.h"
#include "model/intent.h"
#include "prog/control.h"
#include "prog/control_relay.h"
#include "prog/control_secondary.h"
#include "prog/control_vantage.h"
#include "prog/load_ledger.h"
#include "prog/load_shared.h"
#include "prog/problems.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/thread.h"
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_TEXT_MAX = 16384 };

void control_targets(struct control *c)
{
    struct loaded *l = c->loaded;
    for (uint32_t i = 0; i < l->target_count; i++) {
        const struct config_service *s = &l->config->services[l->targets[i].service];
        const char *endpoint = s->endpoints[l->targets[i].endpoint].name;
        c->paused[i] = intent_admin(&c->intent, s->name, endpoint) == ADMIN_DISABLED;
    }
    observer_resolvers(c->observer, l->config->resolvers, l->config->resolver_count);
    observer_targets(c->observer, l->targets, l->target_count, c->paused, c->epoch);
}

static int board_replace(struct control *c, usec_t now)
{
    if (c->has_board)
        board_close(&c->board);
    c->board_due = now + BOARD_RETRY_MS * USEC_PER_MSEC;
    int err = board_create(c->options->data, c->loaded->target_count, c->boot_id,
                           c->loaded->config->fingerprint, &c->board);
    c->has_board = !err;
    return err;
}

static void board_begin(struct control *c)
{
    int err = board_replace(c, clock_now());
    if (err)
        log_event(LOG_ERROR, "board.create", {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("until it can be, status shows verdicts as of the newest "
                                        "plan only")});
}

/* There was no space for it, say, and there may be some by now. */
void control_board_beat(struct control *c, usec_t now)
{
    if (!c->has_board && now >= c->board_due && !board_replace(c, now))
        log_event(LOG_INFO, "board.created");
    if (c->has_board)
        board_write(&c->board, &c->plan, now);
}

static void listens_append(struct text *out, const char *key, const struct config_listen *l,
                           uint32_t count)
{
    char address[IP_PORT_TEXT_MAX];
    text_append(out, key);
    for (uint32_t i = 0; i < count; i++)
        text_appendf(out, " %s", ip_port_format(&l[i].ip, l[i].port, address));
    text_append(out, "\n");
}

static const char *word(const char *text)
{
    return text ? text : "-";
}

/* What the roles were started with and no reload can change: a line for each key. */
static void settings_append(struct text *out, const struct config *c)
{
    listens_append(out, "dns.listen", c->dns_listen, c->dns_listen_count);
    listens_append(out, "tell.listen", c->tell_listen, c->tell_listen_count);
    listens_append(out, "api.listen", c->api_listen, c->api_listen_count);
    text_appendf(out, "api.tls %s %s\n", word(c->api_certificate), word(c->api_key));
    text_appendf(out, "dns.threads %u\ndns.udp_size %u\ndns.client_subnet %d\n", c->dns_threads,
                 c->dns_udp_size, c->dns_client_subnet);
    const struct config_tcp *tcp = &c->dns_tcp;
    text_appendf(out, "dns.tcp %u %u %u %u %lld %lld %u\n", tcp->clients, tcp->clients_each,
                 tcp->client_v4, tcp->client_v6, (long long)tcp->idle, (long long)tcp->patience,
                 tcp->memory_mib);
    listens_append(out, "dns.tls.listen", c->dns_tls.listen, c->dns_tls.listen_count);
    listens_append(out, "dns.proxy.listen", c->dns_proxy.listen, c->dns_proxy.listen_count);
    listens_append(out, "dns.proxy.tls", c->dns_proxy.tls, c->dns_proxy.tls_count);
    listens_append(out, "mesh.listen", c->mesh.listen, c->mesh.listen_count);
    text_append(out, "dns.proxy.from");
    for (uint32_t i = 0; i < c->dns_proxy.from_count; i++) {
        char prefix[IP_PREFIX_TEXT_MAX];
        text_appendf(out, " %s", ip_prefix_format(&c->dns_proxy.from[i], prefix));
    }
    text_append(out, "\n");
    text_appendf(out, "mesh %s %s %s\n", word(c->mesh.certificate), word(c->mesh.key),
                 word(c->mesh.ca));
    text_appendf(out, "dns.tls %s %s %u %u %d\n", word(c->dns_tls.certificate),
                 word(c->dns_tls.key), c->dns_tls.clients, c->dns_tls.handshakes, access_pins(c));
    text_append(out, "dns.xdp");
    for (uint32_t i = 0; i < c->dns_xdp_count; i++)
        text_appendf(out, " %s", c->dns_xdp[i]);
    text_append(out, "\n");
    const struct config_answers *a = &c->dns_answers;
    text_appendf(out, "dns.stale_after %lld\n", (long long)a->stale_after);
    text_appendf(out, "dns.nsid %s\ndns.chaos %s %s\n", word(a->nsid), word(a->version),
                 word(a->id));
    text_appendf(out, "dns.cookies %d %d %s %s %s %lld\n", a->cookies, a->cookies_required,
                 word(a->cookie_secret), word(a->cookie_previous), word(a->cookie_file),
                 (long long)a->cookie_rotate);
    text_appendf(out, "dns.rrl %u %u %u %u\n", a->rrl_rate, a->rrl_all, a->rrl_slip, a->rrl_table);
    text_appendf(out, "log.level %d\nlog.format %d\n", c->log_level, (int)c->log_format);
    text_appendf(out, "node.user %s\nnode.data %s\n", c->user ? c->user : "-", c->data);
}

/* The settings of the configuration that this process began with. */
static struct text settings_begun;

/* The keys whose values wait for a new start, with commas between. */
static void settings_waiting(const struct config *c, struct text *ret_keys)
{
    struct text now = text_init(SETTINGS_TEXT_MAX);
    settings_append(&now, c);
    const char *a = text_string(&settings_begun), *b = text_string(&now);
    while (*a && *b) {
        size_t a_length = strcspn(a, "\n"), b_length = strcspn(b, "\n");
        if (a_length != b_length || memcmp(a, b, a_length))
            text_appendf(ret_keys, "%s%.*s", *text_string(ret_keys) ? ", " : "",
                         (int)strcspn(b, " \n"), b);
        a += a_length + 1;
        b += b_length + 1;
    }
    text_done(&now);
}

void control_take(struct control *c, struct loaded *next)
{
    struct loaded *old = c->loaded;
    if (!old) {
        settings_begun = text_init(SETTINGS_TEXT_MAX);
        settings_append(&settings_begun, next->config);
    }
    c->loaded = next;
    c->epoch++;
    c->sample_count = 0; /* their targets are numbered by the old list */
    c->intent.config = next->config;
    free(c->paused);
    c->paused = mem_new(next->target_count + 1, sizeof *c->paused);
    control_targets(c);
    control_vantage_targets(c);
    board_begin(c);
    control_zones_take(c, old ? old->config : NULL);
    control_secondary_take(c, old ? old->config : NULL);
    load_commit(next);
    control_dnssec_look(c);
    load_free(old); /* after the observer let go of its checks */
}

/* Are all zones named ones of the configuration in use, and is that still what the file says, or
 * does that not matter? Then nothing but these zones is touched (L6: what one zone costs is not
 * what ten thousand cost). */
static bool reload_is_partial(const struct control *c, const struct load_request *request,
                              bool in_use, struct remade *zones)
{
    const struct config *config = c->loaded->config;
    char *bytes;
    size_t length;
    for (unsigned i = 0; i < request->only_count; i++) {
        int zone = config_zone_find(config, request->only[i]);
        if (zone == CONFIG_NONE)
            return false;
        zones[i].zone = (uint32_t)zone;
    }
    if (in_use)
        return true;
    if (disk_read(request->path, CONFIG_FILE_MAX, &bytes, &length))
        return false;
    bool same = config_fingerprint(bytes, length, load_shared_parts(request->shared)) ==
                config->fingerprint;
    free(bytes);
    return same;
}

static bool reload_partially(struct control *c, struct reload *r, struct load_request *request)
{
    if (!request->only_count)
        return false;
    r->zones = mem_new(request->only_count, sizeof *r->zones);
    if (!reload_is_partial(c, request, r->order.in_use, r->zones)) {
        free(r->zones);
        r->zones = NULL;
        return false;
    }
    r->err = control_zones_make(c, request, r->zones, request->only_count, &r->problems);
    load_shared_free(request->shared);
    return true;
}

static void reload_task(void *context, unsigned i)
{
    struct reload *r = context;
    (void)i;
    struct control *c = (struct control *)((char *)r - offsetof(struct control, reload));
    struct load_request request = {
        .path = c->options->config,
        .data = c->options->data,
        .shared = r->shared,
        .current = c->loaded,
        .accept_shrink = (const char *const *)r->order.accept_shrink,
        .accept_shrink_count = r->order.accept_shrink_count,
        .ledger = &c->ledger,
        .only = (const char *const *)r->order.zones,
        .only_count = r->order.zone_count,
        .fresh = r->order.fresh,
    };
    if (reload_partially(c, r, &request))
        return;
    r->err = load_new(&request, &r->problems, &r->next);
    load_ledger_write(c->options->data, &c->ledger);
}

/* Behind answers, and behind what has to be decided and published (L7). */
static void reload_work(uv_work_t *work)
{
    threads_aside(reload_task, work->data, 1);
}

static void waiting_append(const struct config *c, struct text *message)
{
    struct text waiting = text_init(SETTINGS_TEXT_MAX);
    settings_waiting(c, &waiting);
    if (*text_string(&waiting)) {
        text_appendf(
            message,
            "\nnot in effect yet: %s; a reload cannot change what the roles were started "
            "with: holdfast upgrade, or start the node anew (node.data and node.user: only "
            "that)",
            text_string(&waiting));
        log_event(LOG_WARN, "reload.waiting", {"keys", LOG_S(text_string(&waiting))},
                  {"consequence", LOG_S("in effect after holdfast upgrade or a new start")});
    }
    text_done(&waiting);
}

static void reload_answer(struct control *c, struct reload *r)
{
    const struct loaded *l = c->loaded;
    struct text message = text_init(COMMAND_REPLY_MAX / 2);
    if (r->err && r->note)
        text_appendf(&message, "%s; it takes effect when the zone can be loaded again:\n%s",
                     r->note, text_string(&r->problems));
    else if (r->note)
        text_append(&message, r->note);
    else if (r->err)
        text_appendf(&message, "refused, nothing was changed:\n%s", text_string(&r->problems));
    else
        text_appendf(&message, "reloaded: %u zones (%u made anew), %u services, %u targets",
                     l->config->zone_count, l->made, l->config->service_count, l->target_count);
    if (!r->err && *text_string(&r->problems)) /* what let the load pass, and is to be known */
        text_appendf(&message, "\n%s", text_string(&r->problems));
    if (!r->err && !r->note)
        waiting_append(l->config, &message);
    if (r->reply_to)
        control_reply(r->reply_to, r->err, text_string(&message));
    r->reply_to = NULL;
    free(r->note);
    r->note = NULL;
    text_done(&message);
}

/* In one step of the loop. */
static void reload_take(struct control *c, struct reload *r)
{
    unsigned count = r->order.zone_count;
    if (!r->zones) {
        control_take(c, r->next);
    } else {
        (void)control_zones_made(c, r->zones, count);
        c->loaded->made = count;
    }
    log_event(LOG_INFO, "reload.done", {"file", LOG_S(c->options->config)},
              {"targets", LOG_U(c->loaded->target_count)}, {"made", LOG_U(c->loaded->made)});
    control_beat_soon(c);
}

static void reload_drop(struct reload *r)
{
    for (unsigned i = 0; r->zones && i < r->order.zone_count; i++)
        control_zone_drop(&r->zones[i]);
}

static void order_done(struct reload_order *o)
{
    for (unsigned i = 0; i < o->accept_shrink_count; i++)
        free(o->accept_shrink[i]);
    for (unsigned i = 0; i < o->zone_count; i++)
        free(o->zones[i]);
    free(o->accept_shrink);
    free(o->zones);
    *o = (struct reload_order){0};
}

void control_reload_end(struct control *c)
{
    struct reload *r = &c->reload;
    if (!r->loaded || control_relay_works())
        return;
    r->loaded = r->running = false;
    stats_add(c->stats.threads, r->err ? CONTROL_RELOADS_FAILED : CONTROL_RELOADS, 1);
    problems_log("reload.problem", &r->problems);
    if (r->err) {
        log_event(LOG_ERROR, "reload.refused", {"file", LOG_S(c->options->config)},
                  {"reason", LOG_S(err_text(r->err))},
                  {"consequence", LOG_S("nothing was changed")});
        reload_drop(r);
    } else {
        reload_take(c, r);
    }
    reload_answer(c, r);
    text_done(&r->problems);
    free(r->zones);
    r->zones = NULL;
    order_done(&r->order);
    if (r->again)
        control_reload(c, r->then, NULL); /* which takes it over */
    control_zones_go(c);
}

static void reload_done(uv_work_t *work, int status)
{
    struct reload *r = work->data;
    struct control *c = (struct control *)((char *)r - offsetof(struct control, reload));
    invariant(status == 0);
    r->loaded = true;
    control_reload_end(c);
}

void control_reload_begin(struct control *c)
{
    struct reload *r = &c->reload;
    invariant(r->running && !c->remake.running);
    r->work.data = r;
    r->shared = load_shared_new(&c->intent);
    int err = uv_queue_work(&c->loop, &r->work, reload_work, reload_done);
    invariant(err == 0);
}

/* The file, or a catalog, may have changed again since it was read. What was accepted of a zone
 * that changed meanwhile holds when its turn comes. */
static void reload_defer(struct reload *r, struct reload_order *order)
{
    struct reload_order *then = &r->then;
    for (unsigned i = 0; i < order->accept_shrink_count; i++) {
        unsigned known = 0;
        while (known < then->accept_shrink_count &&
               strcmp(then->accept_shrink[known], order->accept_shrink[i]) != 0)
            known++;
        if (known < then->accept_shrink_count)
            continue;
        then->accept_shrink =
            mem_resize(then->accept_shrink, known + (size_t)1, sizeof *then->accept_shrink);
        then->accept_shrink[then->accept_shrink_count++] = mem_string(order->accept_shrink[i]);
    }
    r->again = true;
    order_done(order);
}

void control_reload(struct control *c, struct reload_order order, struct command_reply_to *reply_to)
{
    struct reload *r = &c->reload;
    if (r->running) {
        invariant(!reply_to && !order.zone_count);
        reload_defer(r, &order);
        return;
    }
    *r = (struct reload){.order = order,
                         .reply_to = reply_to,
                         .problems = text_init(LOAD_PROBLEMS_MAX),
                         .running = true};
    if (!c->remake.running)
        control_reload_begin(c);
}
