/* Connections begin: accepted from listeners, or dialed. */
#include "replica/mesh_parts.h"

#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"

enum { BACKLOG = 128 };

/* Invariant 3 (mesh_conn_io.c): who came first has had most of its time. */
static void pending_bound(struct mesh *m)
{
    struct conn *oldest = NULL;
    unsigned pending = 0;
    for (struct conn *c = m->conns; c; c = c->next) {
        if (c->state == CONN_UP || c->state == CONN_RETIRING)
            continue;
        pending++;
        if (!oldest || c->begun < oldest->begun)
            oldest = c;
    }
    if (pending > MESH_PENDING_MAX)
        conn_refuse(oldest, "too many connections wait", false);
}

static struct conn *conn_new(struct mesh *m, bool dialed)
{
    struct conn *c = mem_new(1, sizeof *c);
    int err = uv_tcp_init(m->loop, &c->tcp);
    invariant(!err);
    c->tcp.data = c;
    c->mesh = m;
    c->dialed = dialed;
    c->begun = clock_now();
    c->deadline = c->begun + MESH_HANDSHAKE_MS * USEC_PER_MSEC;
    c->state = dialed ? CONN_CONNECTING : CONN_SHAKING;
    c->shown = m->secure;
    c->secure = dialed ? secure_connect(m->secure, SECURE_NODE) : secure_accept(m->secure);
    c->next = m->conns;
    c->before = &m->conns;
    if (c->next)
        c->next->before = &c->next;
    m->conns = c;
    return c;
}

static bool is_member(const struct mesh *m, const struct ip *from)
{
    for (unsigned i = 0; i < m->peer_count; i++)
        if (ip_equal(&m->peers[i].member.ip, from))
            return true;
    return false;
}

/* A handshake costs what a hundred probes cost, and this loop decides as well: whoever does not
 * come from the address of a node is let in at a bounded rate. */
static bool stranger_takes(struct mesh *m)
{
    usec_t now = clock_now();
    m->strangers += (double)(now - m->strangers_filled) / USEC_PER_SEC * MESH_STRANGERS_PER_S;
    m->strangers_filled = now;
    if (m->strangers > MESH_STRANGERS)
        m->strangers = MESH_STRANGERS;
    if (m->strangers < 1)
        return false;
    m->strangers -= 1;
    return true;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct mesh *m = listener->data;
    struct sockaddr_storage from;
    uint16_t port;
    int size = sizeof from;
    if (status)
        return;
    struct conn *c = conn_new(m, false);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) ||
        uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size) ||
        net_ip_of((struct sockaddr *)&from, &c->from, &port) || conn_begin(c)) {
        conn_close(c);
        return;
    }
    if (!is_member(m, &c->from) && !stranger_takes(m)) {
        m->counts.refused++;
        log_event(LOG_WARN, "link.flood",
                  {"reason", LOG_S("too many connections from elsewhere than nodes' addresses")});
        conn_close(c);
        return;
    }
    pending_bound(m);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct conn *c = connect->data;
    if (c->state != CONN_CONNECTING)
        return;
    c->state = CONN_SHAKING;
    int err = status ? status : conn_begin(c);
    if (err)
        conn_end(c, uv_strerror(err), false);
    else
        conn_work(c);
}

void mesh_peer_dial(struct mesh *m, struct peer *p)
{
    struct sockaddr_storage to;
    struct conn *c = conn_new(m, true);
    net_sockaddr(&p->member.ip, p->member.port, &to);
    c->id = p->member.id;
    c->from = p->member.ip;
    p->tried = c;
    c->connect.data = c;
    int err = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to, on_connected);
    if (err)
        conn_end(c, uv_strerror(err), false);
}

int mesh_listener_open(struct mesh *m, const struct mesh_listen *at)
{
    struct sockaddr_storage address;
    uv_tcp_t *listener = &m->listeners[m->listener_count];
    net_sockaddr(&at->ip, at->port, &address);
    int err = uv_tcp_init(m->loop, listener);
    if (err)
        return err;
    listener->data = m;
    m->listener_count++;
    m->handles++;
    err = uv_tcp_bind(listener, (struct sockaddr *)&address,
                      at->ip.family == IP_V6 ? UV_TCP_IPV6ONLY : 0);
    return err ? err : uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
}
