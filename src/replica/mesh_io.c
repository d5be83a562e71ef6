/* Who belongs to the mesh, its beat, and what its owner calls; a connection is in mesh_conn_io.c.
 */
#include "replica/mesh_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "seam/clock.h"
#include <stdlib.h>
#include <string.h>

struct peer *mesh_peer_find(struct mesh *m, uint64_t id)
{
    for (unsigned i = 0; i < m->peer_count; i++)
        if (m->peers[i].member.id == id)
            return &m->peers[i];
    return NULL;
}

struct peer *mesh_peer_by_key(struct mesh *m, const uint8_t key[static SECURE_HASH_SIZE])
{
    for (unsigned i = 0; i < m->peer_count; i++)
        for (unsigned k = 0; k < m->peers[i].member.key_count; k++)
            if (!memcmp(m->peers[i].member.keys[k], key, SECURE_HASH_SIZE))
                return &m->peers[i];
    return NULL;
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
        mesh_peer_dial(m, p);
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
        err = mesh_listener_open(m, &listen[i]);
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

/* Invariant 1 (mesh_conn_io.c): connections whose key does not count any more end here and now. */
static void keys_check(struct mesh *m)
{
    for (struct conn *c = m->conns, *next; c; c = next) {
        next = c->next;
        if (c->state != CONN_UP && c->state != CONN_GREETING && c->state != CONN_RETIRING)
            continue;
        struct peer *p = mesh_peer_by_key(m, c->key);
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
        struct peer *p = mesh_peer_find(m, members[i].id);
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
            mesh_peer_dial(m, p);
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
    struct peer *p = mesh_peer_find(m, id);
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
