/* A connection is a small state machine:
 *
 *   CONNECTING --connected--> SHAKING --TLS done, key known--> GREETING --HELLO--> UP
 *        \__________ refused, late, silent, expelled: ENDING (last words) --> CLOSED
 *
 * One that another connection to the same node replaces is RETIRING for a moment: the other side
 * may not know yet, and what it still says there is taken.
 *
 * An accepted one begins with SHAKING. A guest goes from SHAKING to GUEST. One that ENDS waits a
 * moment for the other side to close it: closed by us, what it has not read yet would be lost.
 *
 * Invariants:
 *  1. A connection is UP only while the key that its peer showed stands in the membership.
 *  2. A peer has at most one connection that is UP; `peer->conn` is that one.
 *  3. At most MESH_PENDING_MAX connections are neither UP nor CLOSED, and none of them for long. */
#include "replica/mesh_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "replica/dial.h"
#include "seam/clock.h"
#include "seam/net.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 128, READ_SIZE = 64 << 10, STALE_BEATS = 2 };

enum conn_state {
    CONN_CONNECTING,
    CONN_SHAKING,
    CONN_GREETING,
    CONN_GUEST,
    CONN_UP,
    CONN_RETIRING,
    CONN_ENDING,
    CONN_CLOSED,
};

struct conn {
    struct mesh *mesh; /* NULL once it is gone */
    struct conn *next, **before;
    uv_tcp_t tcp;
    uv_connect_t connect;
    enum conn_state state;
    bool dialed;
    bool asked;       /* a guest: it has said what it wants */
    uint64_t id;      /* the peer's: known when dialed, else after the handshake; 0 = not yet */
    mesh_guest guest; /* its number */
    uint8_t key[SECURE_HASH_SIZE];
    struct ip from;
    usec_t begun, deadline;
    struct secure *secure;
    const struct secure_context *shown; /* what `secure` was made with, which keeps it */
    struct link *link;
};

struct peer {
    struct mesh_member member;
    struct conn *conn;  /* UP; NULL: none */
    struct conn *tried; /* dialed and not UP yet; NULL: none */
    struct dial dial;
    usec_t since;
    char reason[MESH_REASON_MAX];
};

struct mesh {
    uv_loop_t *loop;
    struct link_self self;
    struct mesh_calls calls;
    struct secure_context *secure;
    uv_tcp_t *listeners;
    unsigned listener_count, handles;
    uv_timer_t beat;
    struct random random;
    struct dial_budget budget;
    double strangers; /* how many more may shake hands now */
    usec_t strangers_filled;
    struct link_state state;
    struct conn *conns;
    struct peer peers[MESH_PEERS_MAX];
    unsigned peer_count;
    mesh_guest guests;
    struct mesh_counts counts;
    char read_buffer[READ_SIZE];
};

struct out {
    uv_write_t write;
    struct conn *conn;
    char data[];
};

static struct peer *peer_find(struct mesh *m, uint64_t id)
{
    for (unsigned i = 0; i < m->peer_count; i++)
        if (m->peers[i].member.id == id)
            return &m->peers[i];
    return NULL;
}

static struct peer *peer_by_key(struct mesh *m, const uint8_t key[static SECURE_HASH_SIZE])
{
    for (unsigned i = 0; i < m->peer_count; i++)
        for (unsigned k = 0; k < m->peers[i].member.key_count; k++)
            if (!memcmp(m->peers[i].member.keys[k], key, SECURE_HASH_SIZE))
                return &m->peers[i];
    return NULL;
}

/* ---- the end of a connection ---- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    secure_free(c->secure);
    link_free(c->link);
    free(c);
}

static void counts_take(struct mesh *m, const struct conn *c)
{
    const struct link_view *v = c->link ? link_view(c->link) : NULL;
    if (!v)
        return;
    m->counts.bytes_in += v->bytes_in;
    m->counts.bytes_out += v->bytes_out;
    m->counts.dropped += v->dropped;
}

static void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    if (c->mesh) {
        counts_take(c->mesh, c);
        *c->before = c->next;
        if (c->next)
            c->next->before = c->before;
        c->mesh = NULL;
    }
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void conn_flush(struct conn *c);

/* No link any more: of the peer's, if it was one. */
static void conn_leave(struct conn *c, const char *reason)
{
    struct mesh *m = c->mesh;
    struct peer *p = m && c->id ? peer_find(m, c->id) : NULL;
    usec_t now = clock_now();
    if (!p || (p->conn != c && p->tried != c))
        return;
    snprintf(p->reason, sizeof p->reason, "%s", reason);
    if (p->tried == c) {
        p->tried = NULL;
        dial_failed(&p->dial, now, &m->random);
        return;
    }
    p->conn = NULL;
    p->since = now;
    m->counts.up--;
    dial_begin(&p->dial, m->self.id < c->id, now, &m->random);
    log_event(LOG_WARN, "link.down", {"node", LOG_S(p->member.name)}, {"reason", LOG_S(reason)});
    m->calls.linked(m->calls.context, c->id, false);
}

/* Ends it; with last words where the other side would understand them. */
static void conn_end(struct conn *c, const char *reason, bool say)
{
    char kept[MESH_REASON_MAX];
    if (c->state >= CONN_ENDING)
        return;
    snprintf(kept, sizeof kept, "%s", reason);
    bool can = say && c->link && c->state != CONN_GUEST;
    conn_leave(c, kept);
    if (c->state >= CONN_ENDING)
        return;
    if (!can) {
        conn_close(c);
        return;
    }
    c->state = CONN_ENDING;
    c->deadline = clock_now() + USEC_PER_SEC;
    link_bye(c->link, kept);
    conn_flush(c);
}

/* Somebody who is no node of ours, or not in a way that we understand. */
static void conn_refuse(struct conn *c, const char *reason, bool say)
{
    char from[IP_TEXT_MAX];
    c->mesh->counts.refused++;
    log_event(LOG_WARN, "link.refused", {"address", LOG_S(ip_format(&c->from, from))},
              {"reason", LOG_S(reason)});
    conn_end(c, reason, say);
}

/* ---- sending ---- */

static void on_written(uv_write_t *write, int status)
{
    struct out *out = (struct out *)write;
    struct conn *c = out->conn;
    free(out);
    if (c->state == CONN_CLOSED)
        return;
    if (status)
        conn_end(c, "what was sent did not arrive", false);
    else
        conn_flush(c);
}

/* What is encrypted goes to the kernel, as far as it takes it; the rest waits with libuv. */
static bool bytes_write(struct conn *c, char *data, size_t size)
{
    uv_buf_t buffer = uv_buf_init(data, (unsigned)size);
    int n = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp)
                ? UV_EAGAIN
                : uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0)
        return false;
    if ((size_t)n == size)
        return true;
    struct out *out = mem_new(1, sizeof *out + size - (size_t)n);
    memcpy(out->data, data + n, size - (size_t)n);
    out->conn = c;
    buffer = uv_buf_init(out->data, (unsigned)(size - (size_t)n));
    if (!uv_write(&out->write, (uv_stream_t *)&c->tcp, &buffer, 1, on_written))
        return true;
    free(out);
    return false;
}

static bool encrypted_write(struct conn *c)
{
    static char buffer[READ_SIZE];
    for (size_t n; (n = secure_give(c->secure, buffer, sizeof buffer));)
        if (!bytes_write(c, buffer, n))
            return false;
    return true;
}

static bool plain_write(struct conn *c)
{
    static uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    for (size_t n; uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) < MESH_OUT_MAX &&
                   (n = link_give(c->link, chunk));)
        if (secure_write(c->secure, chunk, n) || !encrypted_write(c))
            return false;
    return true;
}

static void conn_flush(struct conn *c)
{
    if (c->state == CONN_CLOSED || c->state == CONN_CONNECTING)
        return;
    if (!encrypted_write(c) || (c->link && !plain_write(c)))
        conn_end(c, "the connection is broken", false);
}

/* ---- receiving ---- */

/* Of two connections to one node both sides keep the same: a later one of the same side replaces
 * one that is no good to it any more; else the one that the lower number made, unless it is mute.
 */
static bool conn_wins(const struct mesh *m, const struct conn *c, const struct conn *old,
                      usec_t now)
{
    bool low = (m->self.id < c->id) == c->dialed;
    return c->dialed == old->dialed || low ||
           now - link_view(old->link)->heard > STALE_BEATS * LINK_BEAT;
}

static void conn_up(struct conn *c, struct peer *p)
{
    struct mesh *m = c->mesh;
    struct conn *old = p->conn;
    usec_t now = clock_now();
    if (old && !conn_wins(m, c, old, now)) {
        if (p->tried == c)
            p->tried = NULL;
        conn_end(c, "there is another connection", true);
        return;
    }
    c->state = CONN_UP;
    c->deadline = USEC_NEVER;
    p->conn = c;
    if (p->tried == c)
        p->tried = NULL;
    if (old) { /* nobody is told: the link was up and is */
        old->state = CONN_RETIRING;
        old->deadline = now + USEC_PER_SEC;
        return;
    }
    p->since = now;
    m->counts.up++;
    m->counts.connected++;
    log_event(LOG_INFO, "link.up", {"node", LOG_S(p->member.name)}, {"dialed", LOG_B(c->dialed)},
              {"version", LOG_S(link_view(c->link)->self.software)});
    m->calls.linked(m->calls.context, c->id, true);
}

static void message_take(void *context, enum mesh_channel channel, const uint8_t *data, size_t size)
{
    struct conn *c = context;
    uint8_t binding[SECURE_HASH_SIZE];
    struct mesh *m = c->mesh;
    if (c->state == CONN_UP || c->state == CONN_RETIRING) {
        m->calls.take(m->calls.context, c->id, channel, data, size);
    } else if (c->state == CONN_GUEST && !c->asked) {
        c->asked = true; /* once */
        secure_binding(c->secure, binding);
        m->calls.guest(m->calls.context, c->guest, binding, &c->from, data, size);
    }
}

/* The handshake is done: is it somebody of ours, and who we want? */
static void conn_shaken(struct conn *c)
{
    struct mesh *m = c->mesh;
    if (secure_peer_kind(c->secure) == SECURE_GUEST) {
        if (!m->calls.guest) {
            conn_refuse(c, "nobody is invited here", false);
            return;
        }
        c->state = CONN_GUEST;
        c->guest = ++m->guests;
        c->deadline = clock_now() + MESH_GUEST_MS * USEC_PER_MSEC;
        c->link = link_new(&m->self, LINK_REQUEST_MAX, clock_now());
        return;
    }
    struct peer *p = secure_peer_key(c->secure, c->key) ? peer_by_key(m, c->key) : NULL;
    c->link = link_new(&m->self, 0, clock_now());
    if (!p) {
        conn_refuse(c, "its key does not stand in the membership", true);
    } else if (c->dialed && c->id != p->member.id) {
        conn_refuse(c, "another node than expected is at this address", true);
    } else {
        c->id = p->member.id;
        c->state = CONN_GREETING;
    }
}

static void conn_greeted(struct conn *c)
{
    struct peer *p = peer_find(c->mesh, c->id);
    if (!p || link_view(c->link)->self.id != c->id)
        conn_refuse(c, "it says that it is another node than its key is of", true);
    else
        conn_up(c, p);
}

static void conn_plain(struct conn *c)
{
    static uint8_t plain[READ_SIZE];
    int n = 0;
    while (c->state < CONN_ENDING && (n = secure_read(c->secure, plain, sizeof plain)) > 0) {
        int err =
            link_receive(c->link, plain, (size_t)n, clock_now(), clock_wall(), message_take, c);
        if (err && c->state < CONN_ENDING) {
            if (c->state == CONN_UP || c->state == CONN_RETIRING)
                conn_end(c, link_reason(c->link), err != ERR_TRUNCATED);
            else
                conn_refuse(c, link_reason(c->link), err != ERR_TRUNCATED);
            return;
        }
        if (c->state == CONN_GREETING && link_is_up(c->link))
            conn_greeted(c);
    }
    if (n < 0 && c->state < CONN_ENDING)
        conn_end(c, secure_reason(c->secure), false);
}

static void conn_work(struct conn *c)
{
    if (c->state == CONN_SHAKING) {
        int done = secure_shake(c->secure);
        if (done < 0) {
            (void)encrypted_write(c); /* the alert */
            conn_refuse(c, secure_reason(c->secure), false);
            return;
        }
        if (done)
            conn_shaken(c);
    }
    if (c->link && c->state != CONN_SHAKING)
        conn_plain(c);
    conn_flush(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct conn *c = handle->data;
    (void)suggested;
    *ret = c->mesh ? uv_buf_init(c->mesh->read_buffer, READ_SIZE) : uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct conn *c = stream->data;
    if (c->state == CONN_CLOSED || !count || (count > 0 && c->state == CONN_ENDING))
        return;
    if (count < 0) {
        if (c->state == CONN_ENDING)
            conn_close(c);
        else
            conn_end(c,
                     count == UV_EOF ? "the other side closed the connection"
                                     : uv_strerror((int)count),
                     false);
        return;
    }
    secure_take(c->secure, buffer->base, (size_t)count);
    conn_work(c);
}

/* ---- the beginning of a connection ---- */

/* Invariant 3: who came first has had most of its time. */
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

static int conn_begin(struct conn *c)
{
    uv_tcp_nodelay(&c->tcp, 1);
    return uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);
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

static void peer_dial(struct mesh *m, struct peer *p)
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

/* ---- the beat ---- */

static void conn_beat(struct mesh *m, struct conn *c, usec_t now, int64_t wall)
{
    if (c->state == CONN_CLOSED)
        return;
    if (now >= c->deadline) {
        if (c->state == CONN_ENDING || c->state == CONN_RETIRING)
            conn_close(c);
        else if (c->state == CONN_CONNECTING)
            conn_end(c, "nobody answers there", false);
        else
            conn_refuse(c, "it takes too long", false);
        return;
    }
    if (c->state != CONN_UP)
        return;
    if (link_beat(c->link, &m->state, now, wall)) {
        conn_end(c, link_reason(c->link), false);
        return;
    }
    conn_flush(c);
}

static void peer_beat(struct mesh *m, struct peer *p, usec_t now)
{
    bool renew = p->conn && link_renew_asked(p->conn->link);
    if (p->tried || (p->conn && !renew))
        return;
    if (renew || dial_take(&p->dial, &m->budget, now))
        peer_dial(m, p);
}

static void on_beat(uv_timer_t *timer)
{
    struct mesh *m = timer->data;
    usec_t now = clock_now();
    int64_t wall = clock_wall();
    m->state.seen_count = 0;
    for (unsigned i = 0; i < m->peer_count; i++)
        if (m->peers[i].conn)
            m->state.seen[m->state.seen_count++] = m->peers[i].member.id;
    for (struct conn *c = m->conns, *next; c; c = next) {
        next = c->next;
        conn_beat(m, c, now, wall);
    }
    for (unsigned i = 0; i < m->peer_count; i++)
        peer_beat(m, &m->peers[i], now);
}

/* ---- the whole ---- */

static void mesh_release(uv_handle_t *handle)
{
    struct mesh *m = handle->data;
    if (--m->handles)
        return;
    secure_context_unref(m->secure);
    free(m->listeners);
    free(m);
}

void mesh_free(struct mesh *m)
{
    if (!m)
        return;
    while (m->conns)
        conn_close(m->conns);
    for (unsigned i = 0; i < m->listener_count; i++)
        uv_close((uv_handle_t *)&m->listeners[i], mesh_release);
    uv_close((uv_handle_t *)&m->beat, mesh_release);
}

static int listener_open(struct mesh *m, const struct mesh_listen *at)
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

int mesh_new(uv_loop_t *loop, const struct link_self *self, const struct mesh_listen *listen,
             unsigned listen_count, struct secure_context *secure, const struct mesh_calls *calls,
             uint64_t seed, struct mesh **ret)
{
    struct mesh *m = mem_new(1, sizeof *m);
    m->loop = loop;
    m->self = *self;
    m->calls = *calls;
    m->random = random_init(seed);
    m->strangers = MESH_STRANGERS;
    m->strangers_filled = clock_now();
    m->listeners = mem_new(listen_count + 1, sizeof *m->listeners);
    int err = uv_timer_init(loop, &m->beat);
    invariant(!err);
    m->beat.data = m;
    m->handles = 1;
    mesh_secure(m, secure);
    for (unsigned i = 0; i < listen_count && !err; i++)
        err = listener_open(m, &listen[i]);
    err = err ? err : uv_timer_start(&m->beat, on_beat, MESH_BEAT_MS, MESH_BEAT_MS);
    if (err) {
        mesh_free(m);
        return err;
    }
    *ret = m;
    return 0;
}

static void peer_remove(struct mesh *m, struct peer *p)
{
    struct conn *conn = p->conn, *tried = p->tried;
    if (conn)
        conn_end(conn, "this node was taken out of the membership", true);
    if (tried)
        conn_end(tried, "this node was taken out of the membership", true);
    invariant(p->conn == NULL && p->tried == NULL);
    *p = m->peers[--m->peer_count];
}

static const struct mesh_member *member_find(const struct mesh_member *members, unsigned count,
                                             uint64_t id)
{
    for (unsigned i = 0; i < count; i++)
        if (members[i].id == id)
            return &members[i];
    return NULL;
}

/* Invariant 1: connections whose key does not count any more end here and now. */
static void keys_check(struct mesh *m)
{
    for (struct conn *c = m->conns, *next; c; c = next) {
        next = c->next;
        if (c->state != CONN_UP && c->state != CONN_GREETING && c->state != CONN_RETIRING)
            continue;
        struct peer *p = peer_by_key(m, c->key);
        if (!p || p->member.id != c->id)
            conn_end(c, "its key does not stand in the membership any more", true);
    }
}

void mesh_members(struct mesh *m, const struct mesh_member *members, unsigned count)
{
    usec_t now = clock_now();
    for (unsigned i = m->peer_count; i-- > 0;)
        if (!member_find(members, count, m->peers[i].member.id))
            peer_remove(m, &m->peers[i]);
    for (unsigned i = 0; i < count && m->peer_count < MESH_PEERS_MAX; i++) {
        struct peer *p = peer_find(m, members[i].id);
        invariant(members[i].id != m->self.id);
        if (!p) {
            p = &m->peers[m->peer_count++];
            *p = (struct peer){.since = now};
            dial_begin(&p->dial, m->self.id < members[i].id, now, &m->random);
        }
        p->member = members[i];
    }
    keys_check(m);
}

void mesh_secure(struct mesh *m, struct secure_context *secure)
{
    struct secure_context *old = m->secure;
    m->secure = secure;
    secure_context_ref(secure);
    secure_context_unref(old);
    for (unsigned i = 0; i < m->peer_count; i++) {
        struct peer *p = &m->peers[i];
        if (p->conn && p->conn->dialed && !p->tried)
            peer_dial(m, p);
        else if (p->conn)
            link_renew(p->conn->link);
    }
}

void mesh_state(struct mesh *m, uint64_t applied, int64_t certificate_end)
{
    m->state.applied = applied;
    m->state.certificate_end = certificate_end;
}

int mesh_send(struct mesh *m, uint64_t id, enum mesh_channel channel, const void *data, size_t size)
{
    struct peer *p = peer_find(m, id);
    invariant(channel != MESH_LINK && channel != MESH_JOIN);
    if (!p || !p->conn)
        return ERR_MISSING;
    int err = link_send(p->conn->link, channel, data, size);
    if (!err)
        conn_flush(p->conn);
    return err;
}

void mesh_guest_reply(struct mesh *m, mesh_guest guest, const void *data, size_t size)
{
    for (struct conn *c = m->conns; c; c = c->next) {
        if (c->state != CONN_GUEST || c->guest != guest)
            continue;
        int err = link_send(c->link, MESH_JOIN, data, size);
        c->state = CONN_ENDING;
        c->deadline = clock_now() + MESH_GUEST_MS * USEC_PER_MSEC;
        if (err)
            conn_close(c);
        else
            conn_flush(c);
        return;
    }
}

unsigned mesh_count(const struct mesh *m)
{
    return m->peer_count;
}

struct mesh_peer_view mesh_peer(const struct mesh *m, unsigned number)
{
    invariant(number < m->peer_count);
    const struct peer *p = &m->peers[number];
    return (struct mesh_peer_view){.member = &p->member,
                                   .link = p->conn ? link_view(p->conn->link) : NULL,
                                   .since = p->since,
                                   .reason = p->reason};
}

struct mesh_counts mesh_counts(const struct mesh *m)
{
    struct mesh_counts counts = m->counts;
    for (const struct conn *c = m->conns; c; c = c->next) {
        const struct link_view *v = c->link ? link_view(c->link) : NULL;
        counts.bytes_in += v ? v->bytes_in : 0;
        counts.bytes_out += v ? v->bytes_out : 0;
        counts.dropped += v ? v->dropped : 0;
        counts.stale += c->state == CONN_UP && c->shown != m->secure;
    }
    return counts;
}
