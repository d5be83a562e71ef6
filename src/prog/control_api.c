#include "prog/control_api.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "command/arc.h"
#include "http/server.h"
#include "prog/control_intent.h"
#include "prog/identity.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <limits.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { API_SHARE_PERCENT = 25, API_CREDIT_US = 20000 };

/* One a process, as control is. */
static struct api {
    struct control *control;
    struct http_server *server;
    uv_poll_t poll;
    uv_timer_t timer, again;
    usec_t credit, metered; /* of the loop's time; see turn() */
    struct arc_meter meters[ARC_SERVICES];
    char extra[ARC_EXTRA_MAX]; /* of the answer that is being made */
    char *certificate, *key;   /* files; NULL: plain HTTP */
    struct disk_identity taken[2], seen[2];
} api;

/* A change that a client waits for. */
struct waiting {
    struct http_ticket ticket;
    struct arc_result result;
    bool inside, answered; /* inside: the request is still being looked at */
};

/* Who may not is told to the operator; those that nobody knows could fill a disk with lines. */
static void outcome_count(const struct arc_result *r)
{
    static const enum stat_id stats[ARC_OUTCOMES] = {
        [ARC_DONE] = CONTROL_API_DONE,           [ARC_REFUSED] = CONTROL_API_REFUSED,
        [ARC_UNSIGNED] = CONTROL_API_UNSIGNED,   [ARC_DENIED] = CONTROL_API_DENIED,
        [ARC_THROTTLED] = CONTROL_API_THROTTLED, [ARC_FAILED] = CONTROL_API_FAILED};
    stats_add(api.control->stats.threads, stats[r->outcome], 1);
    if (r->outcome == ARC_DENIED || r->outcome == ARC_FAILED)
        log_event(LOG_WARN, "api.refused", {"request", LOG_S(r->request_id)},
                  {"reply", LOG_S(r->body)});
}

static void answer_make(const struct arc_result *r, struct http_answer *ret)
{
    outcome_count(r);
    memcpy(api.extra, r->extra, sizeof api.extra);
    *ret = (struct http_answer){
        .status = r->status,
        .content_type = r->content_type,
        .extra = api.extra,
        .body = shared_bytes_new(mem_string(r->body), strlen(r->body)),
    };
}

static void waiting_free(struct waiting *w)
{
    arc_result_done(&w->result);
    free(w);
}

static void change_answer(void *context, int err, const char *message)
{
    struct waiting *w = context;
    struct http_answer answer;
    arc_finish(&w->result, &api.control->intent, err, message);
    w->answered = true;
    if (w->inside)
        return;
    answer_make(&w->result, &answer);
    http_server_answer(api.server, w->ticket, &answer);
    waiting_free(w);
}

/* Version 4 of a UUID (RFC 9562 5.4). */
static void request_id_make(char id[static ARC_REQUEST_ID_SIZE + 1])
{
    uint64_t a = entropy_u64(), b = entropy_u64();
    snprintf(id, ARC_REQUEST_ID_SIZE + 1, "%08llx-%04llx-4%03llx-%04llx-%012llx",
             (unsigned long long)(a >> 32), (unsigned long long)(a >> 16 & 0xffff),
             (unsigned long long)(a & 0xfff), (unsigned long long)(0x8000 | (b >> 48 & 0x3fff)),
             (unsigned long long)(b & 0xffffffffffff));
}

static bool request_take(void *context, const struct http1_request *request, struct bytes body,
                         struct http_ticket ticket, struct http_answer *ret)
{
    struct control *c = context;
    char id[ARC_REQUEST_ID_SIZE + 1];
    struct waiting *w = mem_new(1, sizeof *w);
    *w = (struct waiting){.ticket = ticket, .inside = true};
    request_id_make(id);
    arc_run(&(struct arc_input){.request = request,
                                .body = body,
                                .intent = &c->intent,
                                .wall_ms = clock_wall() / USEC_PER_MSEC,
                                .now = clock_now(),
                                .request_id = id,
                                .secure = api.certificate != NULL,
                                .meters = api.meters},
            &w->result);
    if (w->result.change)
        control_intent_submit(c, w->result.change, strlen(w->result.change), w->result.author,
                              change_answer, w);
    else
        w->answered = true;
    w->inside = false;
    if (!w->answered)
        return false;
    answer_make(&w->result, ret);
    waiting_free(w);
    return true;
}

/* ---- HTTPS ---- */

static void certificate_take(void)
{
    struct text why = text_init(PATH_MAX + 1024);
    SSL_CTX *context;
    int err = identity_context(api.certificate, api.key, &why, &context);
    if (err) {
        log_event(
            LOG_ERROR, "api.certificate", {"reason", LOG_S(text_string(&why))},
            {"consequence", LOG_S("what was shown before is shown; nobody is served without")});
    } else {
        SSL_CTX_set_alpn_select_cb(context, NULL, NULL); /* HTTP/1.1 whatever is offered */
        http_server_tls(api.server, context);
        SSL_CTX_free(context);
        log_event(LOG_INFO, "api.certificate", {"file", LOG_S(api.certificate)});
    }
    text_done(&why);
}

/* A pair is replaced file by file, so a change is taken when nothing has changed since the last
 * look. */
static void certificate_look(bool first)
{
    struct disk_identity found[2] = {{0}, {0}};
    if (!api.certificate)
        return;
    bool there = !disk_identify(api.certificate, &found[0]) && !disk_identify(api.key, &found[1]);
    bool changed = memcmp(found, api.taken, sizeof found) != 0;
    bool settled = memcmp(found, api.seen, sizeof found) == 0;
    memcpy(api.seen, found, sizeof found);
    if (!first && !(there && changed && settled))
        return;
    memcpy(api.taken, found, sizeof found);
    certificate_take();
}

/* ---- turns ---- */

static void turn(usec_t now)
{
    http_server_turn(api.server, now, clock_wall() / USEC_PER_SEC);
    stats_set(api.control->stats.threads, CONTROL_API_TURNED_AWAY, http_server_refused(api.server));
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void on_again(uv_timer_t *timer)
{
    (void)timer;
    int err = uv_poll_start(&api.poll, UV_READABLE, on_ready);
    invariant(!err);
}

/* L9: probes and verdicts are on the same loop. Whoever calls, however often, the API has its share
 * of the time and no more; what it does not get to waits in the kernel. */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    usec_t now = clock_now(), gained = (now - api.metered) / 100 * API_SHARE_PERCENT;
    (void)status;
    (void)events;
    api.credit = gained > API_CREDIT_US - api.credit ? API_CREDIT_US : api.credit + gained;
    api.metered = now;
    turn(now);
    api.credit -= clock_now() - now;
    if (api.credit > 0)
        return;
    int err = uv_poll_stop(poll);
    err = err ? err
              : uv_timer_start(
                    &api.again, on_again,
                    (uint64_t)(-api.credit * 100 / API_SHARE_PERCENT) / USEC_PER_MSEC + 1, 0);
    invariant(!err);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    certificate_look(false);
    turn(clock_now());
}

int control_api_open(struct control *c)
{
    const struct role_options *o = c->options;
    const struct config *config = c->loaded->config;
    struct http_server_options options = {.listen_fds = o->tcp_fds,
                                          .listen_count = o->tcp_count,
                                          .answer = request_take,
                                          .context = c,
                                          .body_max = ARC_BODY_MAX,
                                          .tls = config->api_certificate != NULL};
    api.control = c;
    if (!o->tcp_count)
        return 0;
    if (options.tls) {
        api.certificate = mem_string(config->api_certificate);
        api.key = mem_string(config->api_key);
    }
    int err = http_server_new(&options, &api.server);
    if (!err)
        certificate_look(true);
    err = err ? err : uv_poll_init(&c->loop, &api.poll, http_server_fd(api.server));
    err = err ? err : uv_poll_start(&api.poll, UV_READABLE, on_ready);
    err = err ? err : uv_timer_init(&c->loop, &api.again);
    err = err ? err : uv_timer_init(&c->loop, &api.timer);
    return err ? err : uv_timer_start(&api.timer, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
}
