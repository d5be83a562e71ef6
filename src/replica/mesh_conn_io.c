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
#include "replica/mesh_parts.h"

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALE_BEATS = 2 };

struct out {
    uv_write_t write;
    struct conn *conn;
    char data[];
};

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

void conn_close(struct conn *c)
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

/* No link any more: of the peer's, if it was one. */
static void conn_leave(struct conn *c, const char *reason)
{
    struct mesh *m = c->mesh;
    struct peer *p = m && c->id ? mesh_peer_find(m, c->id) : NULL;
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

void conn_end(struct conn *c, const char *reason, bool say)
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

void conn_refuse(struct conn *c, const char *reason, bool say)
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
    static char buffer[MESH_READ_SIZE];
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

void conn_flush(struct conn *c)
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
    struct peer *p = secure_peer_key(c->secure, c->key) ? mesh_peer_by_key(m, c->key) : NULL;
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
    struct peer *p = mesh_peer_find(c->mesh, c->id);
    if (!p || link_view(c->link)->self.id != c->id)
        conn_refuse(c, "it says that it is another node than its key is of", true);
    else
        conn_up(c, p);
}

static void conn_plain(struct conn *c)
{
    static uint8_t plain[MESH_READ_SIZE];
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

void conn_work(struct conn *c)
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
    *ret = c->mesh ? uv_buf_init(c->mesh->read_buffer, MESH_READ_SIZE) : uv_buf_init(NULL, 0);
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

int conn_begin(struct conn *c)
{
    uv_tcp_nodelay(&c->tcp, 1);
    return uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);
}
