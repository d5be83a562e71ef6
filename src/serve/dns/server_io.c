/* The main thread of the name server: starts the workers, then watches for plans.
 *
 *   found -> checked and built aside -> pointer swapped -> every worker seen past it -> the old one
 * freed
 *
 * On any failure on the way nothing changes (L1, L2). The one pointer is base/reclaim.h's. */
#include "serve/dns/server_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/thread.h"
#include "serve/dns/plans_io.h"
#include "serve/dns/tls_keep_io.h"
#include "serve/dns/worker_io.h"
#include "serve/dns/xdp_socket_io.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000, /* plans are looked for this often even if the watch says nothing */
    READY_S = 5,    /* the first plan is waited for so long before the server is called ready */
    AWAIT_S = 10,   /* longer than control looks around before its first plan */
    RECLAIM_MS = 1,
    WAKE_MS = 5, /* between the signals that wake workers at the end */
    WAKE_SIGNAL = SIGUSR2,
};

struct server {
    const struct dns_server_options *options;
    struct plans plans;
    struct reclaim reclaim;
    struct served *current; /* what reclaim.current points to */
    struct worker *workers;
    unsigned worker_count, started;
    struct stats_thread *stats; /* this thread's */
    struct census *census;      /* of clients, over TCP and TLS */
    struct tls_tickets tickets;
    struct tls_keep *tls; /* NULL: nobody is served over TLS */
    struct cookie_keep *cookies;
    struct relay *relay;
    int watch_fd;
    uint64_t epoch; /* of what is served: one higher with each swap */
    bool told;      /* that it is ready */
    _Atomic bool stop, stale;
    uint64_t control_steps; /* that control had made */
    usec_t control_at;      /* when that was new */
    usec_t control_look_at;
};

/* ---- plans ---- */

/* Waits until no worker can still be using what came before. A worker is between two batches within
 * microseconds, or asleep and OFFLINE. */
static void workers_pass(struct server *s, uint64_t epoch)
{
    while (reclaim_horizon(&s->reclaim, epoch) < epoch)
        poll(NULL, 0, RECLAIM_MS);
}

/* next: NULL = nothing can be served. */
static void plan_replace(struct server *s, struct served *next)
{
    struct served *old = s->current;
    s->epoch++;
    if (next)
        next->epoch = s->epoch;
    s->current = next;
    atomic_store_explicit(&s->reclaim.current, next, memory_order_seq_cst);
    workers_pass(s, s->epoch);
    stats_set(s->stats, PLAN_GENERATION, next ? next->generation : 0);
    stats_set(s->stats, ZONES_SERVED, next ? next->zone_count : 0);
    stats_set(s->stats, ZONES_LACKING, next ? next->lacking : 0);
    plans_free(old);
}

static void plan_swap(struct server *s, struct served *next)
{
    invariant(!s->current || next->generation > s->current->generation || /* L2 */
              (next->generation == s->current->generation && next->lacking < s->current->lacking));
    plan_replace(s, next);
    stats_add(s->stats, PLAN_LOADED, 1);
    log_event(LOG_INFO, "plan.loaded", {"generation", LOG_U(next->generation)},
              {"zones", LOG_U(next->zone_count)}, {"zones_lacking", LOG_U(next->lacking)},
              {"services", LOG_U(next->plan.service_count)});
}

/* A file of the plan that is served turned out to be damaged: the newest plan that passes every
 * check now takes its place, an older one if need be (L2). */
static void plan_withdraw(struct server *s)
{
    struct served *next = NULL;
    int err = plans_next(&s->plans, NULL, &next);
    plan_replace(s, err ? NULL : next);
    log_event(LOG_ERROR, "plan.withdrawn",
              {"generation", LOG_U(s->current ? s->current->generation : 0)},
              {"zones_lacking", LOG_U(s->current ? s->current->lacking : 0)},
              {"consequence", LOG_S(s->current ? "the newest plan that is whole is served, or what "
                                                 "is whole of one"
                                               : "there is no other: nothing is answered")});
}

static void plans_look(struct server *s)
{
    struct served *next = NULL;
    int err = plans_next(&s->plans, s->current, &next);
    if (!err)
        plan_swap(s, next);
    else if (err != ERR_MISSING)
        log_event(LOG_WARN, "plan.look", {"reason", LOG_S(err_text(err))});
}

/* There are plans, and this program cannot read them: of another version, most often. Control makes
 * another in a moment. Until then the server of the version before answers, or what clients send
 * waits in the sockets; a node that was never served has nobody to wait for. */
static void plans_await(struct server *s)
{
    struct pollfd fds[2] = {{.fd = s->options->stop_fd, .events = POLLIN},
                            {.fd = s->watch_fd, .events = POLLIN}};
    usec_t started = clock_now();
    uint64_t highest;
    bool some = !snapshot_highest(s->options->data, &highest) && highest;
    while (some && !s->current && clock_now() - started < AWAIT_S * USEC_PER_SEC) {
        int n = poll(fds, 2, LOOK_MS);
        if (n > 0 && fds[0].revents)
            return;
        if (n > 0 && fds[1].revents)
            snapshot_watch_drain(s->watch_fd);
        plans_look(s);
    }
}

/* Ready is who serves: a node that starts for the first time has no plan for a moment. */
static void ready_tell(struct server *s, usec_t started)
{
    if (s->told || (!s->current && clock_now() - started < READY_S * USEC_PER_SEC))
        return;
    s->told = true;
    if (!s->current)
        log_event(LOG_WARN, "plan.none", {"data", LOG_S(s->options->data)});
    if (s->options->ready)
        s->options->ready(s->options->context);
}

/* Steps of all controls, in a number that a new one changes as well; false: nobody knows. */
static bool control_steps(const char *data, uint64_t *ret)
{
    struct stats_file f;
    if (stats_open(data, stats_role_name(STATS_ROLE_CONTROL), &f))
        return false;
    *ret = stats_value(&f, CONTROL_STEPS) + ((uint64_t)f.header->pid << 40);
    stats_close(&f);
    return true;
}

/* Control makes a plan ten times a second, whatever happens (L6), and counts. Where it has not for
 * long the answers go on (L1) and say what they are. The clock is the monotonic one, and begins
 * when this process does. */
static void control_watch(struct server *s)
{
    const struct query_policy *p = s->options->policy;
    usec_t now = clock_now();
    uint64_t steps = s->control_steps;
    if (!p || !p->stale_after || now < s->control_look_at)
        return;
    s->control_look_at = now + LOOK_MS * USEC_PER_MSEC / 2;
    if ((control_steps(s->options->data, &steps) && steps != s->control_steps) || !s->control_at)
        s->control_at = now;
    s->control_steps = steps;
    bool stale = now - s->control_at >= (usec_t)p->stale_after;
    if (stale != atomic_load(&s->stale))
        log_event(stale ? LOG_WARN : LOG_INFO, stale ? "control.silent" : "control.back",
                  {"silent_for", LOG_D(now - s->control_at)});
    atomic_store(&s->stale, stale);
    stats_set(s->stats, DNS_STALE, stale);
}

static void plans_watch(struct server *s)
{
    struct pollfd fds[3] = {{.fd = s->options->stop_fd, .events = POLLIN},
                            {.fd = s->watch_fd, .events = POLLIN},
                            {.fd = s->plans.trust.done_fd, .events = POLLIN}};
    usec_t started = clock_now();
    for (;;) {
        ready_tell(s, started);
        trust_begin(&s->plans.trust);
        int n = poll(fds, 3, LOOK_MS);
        if (n > 0 && fds[0].revents)
            return;
        if (n > 0 && fds[1].revents)
            snapshot_watch_drain(s->watch_fd);
        if (trust_step(&s->plans.trust))
            plan_withdraw(s);
        else
            plans_look(s);
        control_watch(s);
        if (s->tls)
            tls_keep_look(s->tls);
        if (s->cookies)
            cookie_keep_look(s->cookies);
    }
}

/* ---- workers ---- */

static void wake(int signal)
{
    (void)signal; /* only there to interrupt a system call */
}

static uint64_t wall_seconds(void)
{
    return (uint64_t)(clock_wall() / USEC_PER_SEC);
}

static unsigned worker_init(struct server *s, const int *fds, unsigned fd_count)
{
    const struct dns_server_options *o = s->options;
    unsigned slot = s->worker_count++;
    s->workers[slot] = (struct worker){
        .options = o,
        .reclaim = &s->reclaim,
        .stop = &s->stop,
        .stale = &s->stale,
        .relay = s->relay,
        .cookies = s->cookies,
        .slot = slot,
        .fds = fds,
        .fd_count = fd_count,
        .ctx = {.random = random_init(entropy_u64()),
                .stats = &o->stats->threads[slot],
                .wall = wall_seconds,
                .udp_size = (uint16_t)(o->udp_size ? o->udp_size : QUERY_UDP_SIZE),
                .client_subnet = o->client_subnet,
                .policy = o->policy},
    };
    reclaim_leave(&s->reclaim, slot);
    return slot;
}

/* Senders' ports are random, so that a flood, and what is not one, comes to all threads alike: each
 * has its part of the rate. */
static void limits_init(struct server *s)
{
    const struct query_policy *p = s->options->policy;
    unsigned threads = s->worker_count;
    if (!p || (!p->limits.each && !p->limits.all))
        return;
    struct limit_rates share = {.each = (p->limits.each + threads - 1) / threads,
                                .all = (p->limits.all + threads - 1) / threads};
    for (unsigned i = 0; i < threads; i++)
        s->workers[i].ctx.limit = limit_new(share, p->limit_slip, p->limit_size);
}

/* A thread's share of what bounds all. */
static struct stream_limits limits_share(const struct stream_limits *all, unsigned threads)
{
    struct stream_limits share = *all;
    share.clients = all->clients > threads ? all->clients / threads : 1;
    share.memory = all->memory / threads;
    share.handshakes = all->handshakes ? (all->handshakes + threads - 1) / threads : 0;
    return share;
}

/* Listeners in equal runs over the threads of a kind; TLS has threads of its own, so that
 * handshakes delay nobody else's queries. */
static void streams_init(struct server *s, unsigned at, unsigned count,
                         const struct stream_limits *limits, struct tls_keep *tls, bool proxied)
{
    unsigned threads = s->options->threads < count ? s->options->threads : count;
    if (count && !threads)
        threads = 1;
    for (unsigned i = 0, first = 0; i < threads; i++) {
        unsigned end = count * (i + 1) / threads;
        const int *fds = s->options->tcp_fds + at + first;
        struct worker *w = &s->workers[worker_init(s, fds, end - first)];
        w->proxied = proxied;
        w->limits = limits_share(limits, threads);
        w->census = s->census;
        w->tls = tls;
        first = end;
    }
}

static void tcp_workers_init(struct server *s)
{
    const struct dns_server_options *o = s->options;
    const struct stream_limits *l = &o->tcp;
    unsigned tls = o->tcp_count - o->tls_count - o->proxy_tls_count;
    unsigned proxied = tls - o->proxy_tcp_count;
    if (l->clients_each)
        s->census = census_new(2 * (l->clients + o->tls.clients), l->clients_each, l->client_v4,
                               l->client_v6, entropy_u64());
    streams_init(s, 0, proxied, l, NULL, false);
    streams_init(s, proxied, o->proxy_tcp_count, l, NULL, true);
    if (tls == o->tcp_count)
        return;
    if (o->ticket_secret)
        memcpy(s->tickets.secret, o->ticket_secret, sizeof s->tickets.secret);
    s->tickets.wall = wall_seconds;
    s->tls = tls_keep_new(o->data, o->ticket_secret ? &s->tickets : NULL, o->tls_ask, s->stats);
    tls_keep_look(s->tls);
    streams_init(s, tls, o->tls_count, &o->tls, s->tls, false);
    streams_init(s, tls + o->tls_count, o->proxy_tls_count, &o->tls, s->tls, true);
}

static void *(*worker_body(const struct server *s, unsigned i))(void *)
{
    const struct dns_server_options *o = s->options;
    return i < o->udp_count                  ? udp_worker_run
           : i < o->udp_count + o->xdp_count ? xdp_worker_run
                                             : tcp_worker_run;
}

static int workers_start(struct server *s)
{
    for (; s->started < s->worker_count; s->started++) {
        struct worker *w = &s->workers[s->started];
        int err = pthread_create(&w->thread, NULL, worker_body(s, s->started), w);
        if (err)
            return -err;
    }
    return 0;
}

static bool workers_done(struct server *s)
{
    bool all = true;
    for (unsigned i = 0; i < s->started; i++)
        if (!atomic_load(&s->workers[i].done)) {
            pthread_kill(s->workers[i].thread, WAKE_SIGNAL);
            all = false;
        }
    return all;
}

/* A signal that comes just before a worker sleeps is lost on it, so it is sent until the worker has
 * gone; those of streams let their clients go first. */
static void workers_stop(struct server *s)
{
    atomic_store(&s->stop, true);
    while (!workers_done(s))
        poll(NULL, 0, WAKE_MS);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->workers[i].thread, NULL);
}

/* ---- the server ---- */

static int server_open(struct server *s)
{
    const struct dns_server_options *o = s->options;
    unsigned most = o->udp_count + o->xdp_count + o->tcp_count;
    struct sigaction action = {.sa_handler = wake}; /* no SA_RESTART: it shall interrupt */
    if (o->stats->header->thread_count < most + 1 || (o->udp_size && o->udp_size < DNS_UDP_MIN) ||
        o->tls_count + o->proxy_tcp_count + o->proxy_tls_count > o->tcp_count ||
        o->proxy_udp_count > o->udp_count ||
        /* else anybody were believed */
        (!o->policy && o->proxy_udp_count + o->proxy_tcp_count + o->proxy_tls_count))
        return ERR_INVALID;
    if (sigaction(WAKE_SIGNAL, &action, NULL) < 0)
        return -errno;
    s->stats = &o->stats->threads[most];
    stats_set(s->stats, DNS_XDP_QUEUES, o->xdp_count);
    if (posix_memalign((void **)&s->workers, _Alignof(struct worker),
                       (most + 1) * sizeof *s->workers) ||
        posix_memalign((void **)&s->reclaim.slots, _Alignof(struct reclaim_slot),
                       (most + 1) * sizeof *s->reclaim.slots))
        return -ENOMEM;
    int err = relay_new(o->data, &s->relay);
    if (err)
        return err;
    if (o->policy && o->policy->cookies) {
        s->cookies = cookie_keep_new(o->data);
        cookie_keep_look(s->cookies);
    }
    for (unsigned i = 0; i < o->udp_count; i++)
        s->workers[worker_init(s, &o->udp_fds[i], 1)].proxied =
            i >= o->udp_count - o->proxy_udp_count;
    for (unsigned i = 0; i < o->xdp_count; i++) {
        s->workers[worker_init(s, NULL, 0)].xdp = o->xdp[i];
    }
    limits_init(s);
    tcp_workers_init(s);
    s->reclaim.slot_count = s->worker_count;
    err = plans_open(&s->plans, o->data, s->stats);
    return err ? err : snapshot_watch_open(o->data, &s->watch_fd);
}

static void server_close(struct server *s)
{
    for (unsigned i = s->started; i < s->worker_count; i++) /* those that ran closed theirs */
        xdp_socket_close(s->workers[i].xdp);
    relay_free(s->relay); /* descriptors of sockets and tickets of streams outlive their workers */
    if (s->watch_fd >= 0)
        close(s->watch_fd);
    trust_stop(&s->plans.trust);
    plans_free(s->current);
    plans_close(&s->plans);
    for (unsigned i = 0; i < s->worker_count; i++)
        limit_free(s->workers[i].ctx.limit);
    census_free(s->census);
    tls_keep_free(s->tls);
    cookie_keep_free(s->cookies);
    free(s->workers);
    free(s->reclaim.slots);
}

int dns_server_run(const struct dns_server_options *options)
{
    struct server s = {.options = options, .watch_fd = -1, .plans.trust.done_fd = -1};
    int err = server_open(&s);
    if (!err) {
        /* Before the workers: what clients sent during a restart waits in the sockets, and is to be
         * answered from the plan on disk, not with SERVFAIL (L1). */
        plans_look(&s);
        plans_await(&s);
        err = workers_start(&s);
        thread_follows();
    }
    if (!err)
        plans_watch(&s);
    workers_stop(&s);
    server_close(&s);
    return err;
}
