#include "tell/tell_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "tell/client.h"
#include "tell/pages.h"
#include "tell/view.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, ACCEPTS_MAX = 32, TICK_MS = 1000, LISTEN_MAX = 1024 };

/* What an epoll event is about: the kind, then an index, then (clients) the serial. */
enum event_kind { EVENT_STOP, EVENT_LISTEN, EVENT_WATCH, EVENT_CLIENT };

struct made_page {
    struct shared_bytes *bytes; /* NULL: not made yet */
    unsigned status;
    usec_t made;
};

struct tell {
    const struct tell_options *options;
    struct stats_thread *stats;
    struct view view;
    int epoll_fd, watch_fd;
    bool accepting; /* false for a tick after the process ran out of descriptors */
    struct made_page pages[PAGES];
    struct client *clients; /* TELL_CLIENTS_MAX */
    struct client_rules rules;
    uint64_t refused_seen;
    int err_seen; /* of the newest look at the plans: each is logged once */
};

static uint64_t event_pack(enum event_kind kind, unsigned index, uint32_t serial)
{
    return (uint64_t)serial << 32 | (uint64_t)kind << 28 | index;
}

static int epoll_set(const struct tell *t, int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(t->epoll_fd, operation, fd, &event) ? -errno : 0;
}

/* ---- what is told ---- */

static void view_look(struct tell *t)
{
    uint64_t before = t->view.has_plan ? t->view.plan.generation : 0;
    int err = view_refresh(&t->view, t->options->data);
    if (t->view.refused != t->refused_seen) {
        log_event(LOG_WARN, "plan.refused", {"why", LOG_S(t->view.refused_why)});
        stats_add(t->stats, PLAN_REFUSED, t->view.refused - t->refused_seen);
        t->refused_seen = t->view.refused;
    }
    if (err && err != ERR_MISSING && err != t->err_seen)
        log_event(LOG_WARN, "plan.unread", {"reason", LOG_S(err_text(err))});
    t->err_seen = err;
    uint64_t generation = t->view.has_plan ? t->view.plan.generation : 0;
    if (generation != before)
        stats_add(t->stats, PLAN_LOADED, 1);
    stats_set(t->stats, PLAN_GENERATION, generation);
}

/* A rush of visitors costs a copy each, not a page each. */
static const struct made_page *page_get(struct tell *t, enum page page)
{
    struct made_page *made = &t->pages[page];
    usec_t now = t->rules.now;
    if (made->bytes && now - made->made < TELL_PAGE_AGE_S * USEC_PER_SEC)
        return made;
    if (now - t->view.now >= TELL_PAGE_AGE_S * USEC_PER_SEC)
        view_look(t);
    struct text body = text_init(PAGE_MAX);
    made->status = page_render(&body, page, &t->view);
    if (body.failed)
        log_event(LOG_ERROR, "page.too-large", {"page", LOG_I(page)});
    shared_bytes_unref(made->bytes);
    made->bytes = shared_bytes_new(body.data, body.length);
    made->made = now;
    return made;
}

static void request_answer(void *context, const struct http1_request *r, struct client_answer *ret)
{
    struct tell *t = context;
    stats_add(t->stats, TELL_REQUESTS, 1);
    if (r->method == HTTP1_OTHER) {
        *ret = (struct client_answer){.status = 501};
        return;
    }
    int page = page_find(r->path);
    if (page == PAGE_NONE && r->method != HTTP1_CONNECT && r->path.data[0] == '/') {
        static const char sentence[] = "There is /, /metrics and /healthz.\n";
        *ret = (struct client_answer){
            .status = 404,
            .content_type = "text/plain; charset=utf-8",
            .body = shared_bytes_new(mem_string(sentence), sizeof sentence - 1),
        };
        return;
    }
    if (r->method != HTTP1_GET && r->method != HTTP1_HEAD) {
        *ret = (struct client_answer){.status = 405, .extra = "Allow: GET, HEAD\r\n"};
        return;
    }
    invariant(page != PAGE_NONE);
    const struct made_page *made = page_get(t, (enum page)page);
    *ret = (struct client_answer){
        .status = made->status,
        .content_type = page_content_type((enum page)page),
        .extra = page_headers((enum page)page),
        .body = shared_bytes_ref(made->bytes),
    };
}

/* ---- connections ---- */

static void client_end(struct tell *t, struct client *c)
{
    client_close(c);
    invariant(atomic_load_explicit(&t->stats->values[TELL_CLIENTS], memory_order_relaxed) > 0);
    stats_add(t->stats, TELL_CLIENTS, (uint64_t)-1);
}

static void client_serve(struct tell *t, unsigned index)
{
    struct client *c = &t->clients[index];
    if (!client_step(c, &t->rules)) {
        client_end(t, c);
        return;
    }
    bool turn = client_wants_turn(c);
    if (turn == c->writable_asked)
        return;
    c->writable_asked = turn;
    /* While sending, input stays in the kernel: a client cannot make us buffer. */
    uint32_t events = turn ? EPOLLOUT : EPOLLIN;
    if (epoll_set(t, EPOLL_CTL_MOD, c->fd, events, event_pack(EVENT_CLIENT, index, c->serial)))
        client_end(t, c);
}

/* A free place, or the place of the client that has kept us waiting longest: whoever holds
 * connections open without asking loses them to those who ask. TELL_CLIENTS_MAX: none. */
static unsigned place_find(struct tell *t)
{
    unsigned oldest = TELL_CLIENTS_MAX;
    for (unsigned i = 0; i < TELL_CLIENTS_MAX; i++) {
        struct client *c = &t->clients[i];
        if (c->state == CLIENT_FREE)
            return i;
        if (c->state != CLIENT_SEND &&
            (oldest == TELL_CLIENTS_MAX || c->since < t->clients[oldest].since))
            oldest = i;
    }
    if (oldest != TELL_CLIENTS_MAX)
        client_end(t, &t->clients[oldest]);
    return oldest;
}

static void accepting_set(struct tell *t, bool on)
{
    const struct tell_options *o = t->options;
    for (unsigned i = 0; i < o->listen_count; i++)
        (void)epoll_set(t, EPOLL_CTL_MOD, o->listen_fds[i], on ? EPOLLIN : 0,
                        event_pack(EVENT_LISTEN, i, 0));
    t->accepting = on;
}

static void client_accept(struct tell *t, unsigned listener)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int fd =
            accept4(t->options->listen_fds[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_event(LOG_WARN, "http.accept", {"reason", LOG_S(err_text(-errno))});
                accepting_set(t, false);
            }
            return;
        }
        unsigned place = place_find(t);
        if (place == TELL_CLIENTS_MAX) {
            close(fd);
            continue;
        }
        struct client *c = &t->clients[place];
        client_open(c, fd, t->rules.now);
        stats_add(t->stats, TELL_CLIENTS, 1);
        if (epoll_set(t, EPOLL_CTL_ADD, fd, EPOLLIN, event_pack(EVENT_CLIENT, place, c->serial)))
            client_end(t, c);
    }
}

static void clients_expire(struct tell *t)
{
    for (unsigned i = 0; i < TELL_CLIENTS_MAX; i++)
        if (t->clients[i].state != CLIENT_FREE && t->clients[i].deadline <= t->rules.now)
            client_end(t, &t->clients[i]);
}

/* ---- the loop ---- */

/* Every second whether anybody asks or not (L6). */
static void tick(struct tell *t)
{
    view_look(t);
    clients_expire(t);
    if (!t->accepting)
        accepting_set(t, true);
}

/* False: time to stop. */
static bool event_take(struct tell *t, const struct epoll_event *event)
{
    unsigned index = (unsigned)(event->data.u64 & 0x0fffffff);
    uint32_t serial = (uint32_t)(event->data.u64 >> 32);
    switch ((enum event_kind)(event->data.u64 >> 28 & 0xf)) {
    case EVENT_STOP:
        return false;
    case EVENT_LISTEN:
        client_accept(t, index);
        return true;
    case EVENT_WATCH:
        snapshot_watch_drain(t->watch_fd);
        view_look(t);
        return true;
    case EVENT_CLIENT:
        invariant(index < TELL_CLIENTS_MAX);
        /* The place may have changed hands since the kernel wrote the event. */
        if (t->clients[index].state != CLIENT_FREE && t->clients[index].serial == serial)
            client_serve(t, index);
        return true;
    }
    return true;
}

static int loop_run(struct tell *t)
{
    usec_t ticked = t->rules.now;
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(t->epoll_fd, events, EVENTS_MAX, TICK_MS);
        if (count < 0 && errno != EINTR)
            return -errno;
        t->rules.now = clock_now();
        t->rules.wall_s = clock_wall() / USEC_PER_SEC;
        for (int i = 0; i < count; i++)
            if (!event_take(t, &events[i]))
                return 0;
        if (t->rules.now - ticked >= TICK_MS * USEC_PER_MSEC) {
            ticked = t->rules.now;
            tick(t);
        }
    }
}

static int loop_prepare(struct tell *t)
{
    const struct tell_options *o = t->options;
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0)
        return -errno;
    int err = epoll_set(t, EPOLL_CTL_ADD, o->stop_fd, EPOLLIN, event_pack(EVENT_STOP, 0, 0));
    for (unsigned i = 0; !err && i < o->listen_count; i++) {
        err = net_nonblocking(o->listen_fds[i], true);
        if (!err)
            err = epoll_set(t, EPOLL_CTL_ADD, o->listen_fds[i], EPOLLIN,
                            event_pack(EVENT_LISTEN, i, 0));
    }
    /* Without the watch a new plan is seen at the next tick. */
    if (!err && snapshot_watch_open(o->data, &t->watch_fd) == 0)
        err = epoll_set(t, EPOLL_CTL_ADD, t->watch_fd, EPOLLIN, event_pack(EVENT_WATCH, 0, 0));
    t->accepting = true;
    return err;
}

static void tell_done(struct tell *t)
{
    for (unsigned i = 0; i < TELL_CLIENTS_MAX; i++)
        if (t->clients[i].state != CLIENT_FREE)
            client_end(t, &t->clients[i]);
    for (unsigned i = 0; i < PAGES; i++)
        shared_bytes_unref(t->pages[i].bytes);
    view_done(&t->view);
    free(t->clients);
    if (t->watch_fd >= 0)
        close(t->watch_fd);
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
}

int tell_run(const struct tell_options *o)
{
    invariant(o->listen_count <= LISTEN_MAX);
    struct tell t = {
        .options = o,
        .stats = o->stats->threads,
        .epoll_fd = -1,
        .watch_fd = -1,
        .clients = mem_new(TELL_CLIENTS_MAX, sizeof(struct client)),
    };
    t.rules = (struct client_rules){.answer = request_answer,
                                    .context = &t,
                                    .now = clock_now(),
                                    .wall_s = clock_wall() / USEC_PER_SEC};
    view_init(&t.view);
    int err = loop_prepare(&t);
    if (!err) {
        view_look(&t);
        if (o->ready)
            o->ready(o->context);
        err = loop_run(&t);
    }
    tell_done(&t);
    return err;
}
