#include "tell/tell_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/server.h"
#include "seam/clock.h"
#include "tell/pages.h"
#include "tell/view.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 8 };

/* What an epoll event is about. */
enum event_kind { EVENT_STOP, EVENT_SERVER, EVENT_WATCH };

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
    struct made_page pages[PAGES];
    struct http_server *server;
    usec_t now;
    uint64_t refused_seen;
    int err_seen; /* of the newest look at the plans: each is logged once */
};

static int epoll_add(const struct tell *t, int fd, enum event_kind kind)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = kind};
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
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
    usec_t now = t->now;
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

static struct http_answer request_answer(struct tell *t, const struct http1_request *r)
{
    stats_add(t->stats, TELL_REQUESTS, 1);
    if (r->method == HTTP1_OTHER)
        return (struct http_answer){.status = 501};
    int page = page_find(r->path);
    if (page == PAGE_NONE && r->method != HTTP1_CONNECT && r->path.data[0] == '/') {
        static const char sentence[] = "There is /, /metrics and /healthz.\n";
        return (struct http_answer){
            .status = 404,
            .content_type = "text/plain; charset=utf-8",
            .body = shared_bytes_new(mem_string(sentence), sizeof sentence - 1),
        };
    }
    if (r->method != HTTP1_GET && r->method != HTTP1_HEAD)
        return (struct http_answer){.status = 405, .extra = "Allow: GET, HEAD\r\n"};
    invariant(page != PAGE_NONE);
    const struct made_page *made = page_get(t, (enum page)page);
    return (struct http_answer){
        .status = made->status,
        .content_type = page_content_type((enum page)page),
        .extra = page_headers((enum page)page),
        .body = shared_bytes_ref(made->bytes),
    };
}

static bool request_take(void *context, const struct http1_request *r, struct bytes body,
                         struct http_ticket ticket, struct http_answer *ret)
{
    (void)body;
    (void)ticket;
    *ret = request_answer(context, r);
    return true;
}

/* ---- the loop ---- */

static void turn(struct tell *t)
{
    http_server_turn(t->server, t->now, clock_wall() / USEC_PER_SEC);
    stats_set(t->stats, TELL_CLIENTS, http_server_clients(t->server));
}

static int loop_run(struct tell *t)
{
    usec_t ticked = t->now;
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(t->epoll_fd, events, EVENTS_MAX, HTTP_TICK_MS);
        if (count < 0 && errno != EINTR)
            return -errno;
        t->now = clock_now();
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 == EVENT_STOP)
                return 0;
            if (events[i].data.u32 == EVENT_WATCH) {
                snapshot_watch_drain(t->watch_fd);
                view_look(t);
            }
        }
        turn(t);
        /* Every second whether anybody asks or not (L6). */
        if (t->now - ticked >= HTTP_TICK_MS * USEC_PER_MSEC) {
            ticked = t->now;
            view_look(t);
        }
    }
}

static int loop_prepare(struct tell *t)
{
    const struct tell_options *o = t->options;
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0)
        return -errno;
    int err = epoll_add(t, o->stop_fd, EVENT_STOP);
    err = err ? err
              : http_server_new(&(struct http_server_options){.listen_fds = o->listen_fds,
                                                              .listen_count = o->listen_count,
                                                              .answer = request_take,
                                                              .context = t},
                                &t->server);
    err = err ? err : epoll_add(t, http_server_fd(t->server), EVENT_SERVER);
    /* Without the watch a new plan is seen at the next tick. */
    if (!err && snapshot_watch_open(o->data, &t->watch_fd) == 0)
        err = epoll_add(t, t->watch_fd, EVENT_WATCH);
    return err;
}

static void tell_done(struct tell *t)
{
    http_server_free(t->server);
    for (unsigned i = 0; i < PAGES; i++)
        shared_bytes_unref(t->pages[i].bytes);
    view_done(&t->view);
    if (t->watch_fd >= 0)
        close(t->watch_fd);
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
}

int tell_run(const struct tell_options *o)
{
    struct tell t = {
        .options = o,
        .stats = o->stats->threads,
        .epoll_fd = -1,
        .watch_fd = -1,
        .now = clock_now(),
    };
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
