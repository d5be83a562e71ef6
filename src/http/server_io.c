#include "http/server.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/admission.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, ACCEPTS_MAX = 32, LISTEN_MAX = 1024 };

/* What an epoll event is about: the kind, then an index, then (connections) the serial. */
enum event_kind { EVENT_LISTEN, EVENT_CLIENT };

struct http_server {
    struct http_server_options options;
    struct connection_rules rules;
    struct connection *clients; /* HTTP_CLIENTS_MAX */
    unsigned client_count;
    int epoll_fd;
    bool accepting; /* false for a tick after the process ran out of descriptors */
    usec_t ticked;
    SSL_CTX *tls;                /* NULL: none yet, or none wanted */
    struct admission *admission; /* with TLS */
    uint64_t refused;
};

static uint64_t event_pack(enum event_kind kind, unsigned index, uint32_t serial)
{
    return (uint64_t)serial << 32 | (uint64_t)kind << 28 | index;
}

static int epoll_set(const struct http_server *s, int operation, int fd, uint32_t events,
                     uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(s->epoll_fd, operation, fd, &event) ? -errno : 0;
}

/* ---- connections ---- */

static void client_end(struct http_server *s, struct connection *c)
{
    invariant(s->client_count > 0);
    connection_close(c);
    s->client_count--;
}

static void client_serve(struct http_server *s, unsigned index)
{
    struct connection *c = &s->clients[index];
    if (!connection_step(c, index, &s->rules)) {
        client_end(s, c);
        return;
    }
    uint32_t events = connection_events(c);
    if (events == c->events)
        return;
    c->events = events;
    if (epoll_set(s, EPOLL_CTL_MOD, c->transport.fd, events,
                  event_pack(EVENT_CLIENT, index, c->serial)))
        client_end(s, c);
}

/* A free place, or the place of the client that has kept us waiting longest: whoever holds
 * connections open without asking loses them to those who ask. HTTP_CLIENTS_MAX: none. */
static unsigned place_find(struct http_server *s)
{
    unsigned oldest = HTTP_CLIENTS_MAX;
    for (unsigned i = 0; i < HTTP_CLIENTS_MAX; i++) {
        struct connection *c = &s->clients[i];
        if (c->state == CONNECTION_FREE)
            return i;
        if (c->state != CONNECTION_SEND && c->state != CONNECTION_ASKED &&
            (oldest == HTTP_CLIENTS_MAX || c->since < s->clients[oldest].since))
            oldest = i;
    }
    if (oldest != HTTP_CLIENTS_MAX)
        client_end(s, &s->clients[oldest]);
    return oldest;
}

static void accepting_set(struct http_server *s, bool on)
{
    for (unsigned i = 0; i < s->options.listen_count; i++)
        (void)epoll_set(s, EPOLL_CTL_MOD, s->options.listen_fds[i], on ? EPOLLIN : 0,
                        event_pack(EVENT_LISTEN, i, 0));
    s->accepting = on;
}

static void client_take(struct http_server *s, int fd)
{
    SSL *tls = s->tls ? SSL_new(s->tls) : NULL;
    bool bad = s->options.tls && (!tls || SSL_set_fd(tls, fd) != 1);
    unsigned place = bad ? HTTP_CLIENTS_MAX : place_find(s);
    if (place == HTTP_CLIENTS_MAX) {
        SSL_free(tls);
        close(fd);
        return;
    }
    if (tls)
        SSL_set_accept_state(tls);
    struct connection *c = &s->clients[place];
    connection_open(c, fd, tls, s->rules.now);
    s->client_count++;
    if (epoll_set(s, EPOLL_CTL_ADD, fd, EPOLLIN, event_pack(EVENT_CLIENT, place, c->serial)))
        client_end(s, c);
}

/* One whose address is unknown counts as 0.0.0.0. */
static bool may_shake(struct http_server *s, const struct sockaddr *from)
{
    struct ip ip = {0};
    uint16_t port;
    if (!s->admission)
        return true;
    if (net_ip_of(from, &ip, &port))
        ip = (struct ip){0};
    return admission_take(s->admission, &ip, s->rules.now);
}

static void client_accept(struct http_server *s, unsigned listener)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(s->options.listen_fds[listener], (struct sockaddr *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_event(LOG_WARN, "http.accept", {"reason", LOG_S(err_text(-errno))});
                accepting_set(s, false);
            }
            return;
        }
        if (may_shake(s, (const struct sockaddr *)&from)) {
            client_take(s, fd);
        } else {
            s->refused++;
            close(fd);
        }
    }
}

/* ---- turns ---- */

static void tick(struct http_server *s)
{
    for (unsigned i = 0; i < HTTP_CLIENTS_MAX; i++)
        if (s->clients[i].state != CONNECTION_FREE && s->clients[i].deadline <= s->rules.now)
            client_end(s, &s->clients[i]);
    if (!s->accepting)
        accepting_set(s, true);
}

static void event_take(struct http_server *s, const struct epoll_event *event)
{
    unsigned index = (unsigned)(event->data.u64 & 0x0fffffff);
    uint32_t serial = (uint32_t)(event->data.u64 >> 32);
    if ((enum event_kind)(event->data.u64 >> 28 & 0xf) == EVENT_LISTEN) {
        client_accept(s, index);
        return;
    }
    invariant(index < HTTP_CLIENTS_MAX);
    struct connection *c = &s->clients[index];
    /* The place may have changed hands since the kernel wrote the event. */
    if (c->state == CONNECTION_FREE || c->serial != serial)
        return;
    /* Whoever is gone while we still work on the answer (EPOLLHUP, asked for or not) would wake us
     * again and again. */
    if (c->state == CONNECTION_ASKED)
        client_end(s, c);
    else
        client_serve(s, index);
}

void http_server_turn(struct http_server *s, usec_t now, int64_t wall_s)
{
    struct epoll_event events[EVENTS_MAX];
    s->rules.now = now;
    s->rules.wall_s = wall_s;
    int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
    /* What is left is still there at the next turn, after all that others wait for. */
    for (int i = 0; i < count && (!i || clock_now() - now < HTTP_TURN_US); i++)
        event_take(s, &events[i]);
    if (now - s->ticked >= HTTP_TICK_MS * USEC_PER_MSEC) {
        s->ticked = now;
        tick(s);
    }
}

void http_server_answer(struct http_server *s, struct http_ticket to, const struct http_answer *a)
{
    invariant(to.place < HTTP_CLIENTS_MAX);
    struct connection *c = &s->clients[to.place];
    if (c->state != CONNECTION_ASKED || c->serial != to.serial) {
        shared_bytes_unref(a->body);
        return;
    }
    connection_answer(c, &s->rules, a);
    client_serve(s, to.place);
}

/* ---- the server ---- */

int http_server_new(const struct http_server_options *o, struct http_server **ret)
{
    invariant(o->listen_count <= LISTEN_MAX);
    struct http_server *s = mem_new(1, sizeof *s);
    *s = (struct http_server){
        .options = *o,
        .rules = {.answer = o->answer, .context = o->context, .body_max = o->body_max},
        .clients = mem_new(HTTP_CLIENTS_MAX, sizeof *s->clients),
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .accepting = true,
    };
    int err = s->epoll_fd < 0 ? -errno : 0;
    for (unsigned i = 0; !err && i < o->listen_count; i++) {
        err = net_nonblocking(o->listen_fds[i], true);
        err = err ? err
                  : epoll_set(s, EPOLL_CTL_ADD, o->listen_fds[i], EPOLLIN,
                              event_pack(EVENT_LISTEN, i, 0));
    }
    if (o->tls) {
        s->admission = mem_new(1, sizeof *s->admission);
        s->admission->seed = entropy_u64();
    }
    if (err)
        http_server_free(s);
    else
        *ret = s;
    return err;
}

int http_server_fd(const struct http_server *s)
{
    return s->epoll_fd;
}

void http_server_tls(struct http_server *s, SSL_CTX *context)
{
    invariant(s->options.tls);
    SSL_CTX_up_ref(context);
    SSL_CTX_free(s->tls);
    s->tls = context;
}

unsigned http_server_clients(const struct http_server *s)
{
    return s->client_count;
}

uint64_t http_server_refused(const struct http_server *s)
{
    return s->refused;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < HTTP_CLIENTS_MAX; i++)
        if (s->clients[i].state != CONNECTION_FREE)
            client_end(s, &s->clients[i]);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    SSL_CTX_free(s->tls);
    free(s->admission);
    free(s->clients);
    free(s);
}
