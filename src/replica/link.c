#include "replica/link.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_LAST = 1, REASON_MAX = 200, OWN_MAX = 1024 };

/* The link's own messages begin with one of these. */
enum { WORD_HELLO = 1, WORD_PING, WORD_PONG, WORD_BYE, WORD_RENEW };

struct message {
    struct message *next;
    size_t size, sent;
    uint8_t data[];
};

struct queue {
    struct message *first, **end;
    size_t waiting; /* bytes of all */
    unsigned count;
};

struct partial {
    uint8_t *data;
    size_t size, room;
};

struct offset {
    usec_t round_trip;
    int64_t offset;
};

struct link {
    struct link_self self;
    size_t guest_max; /* 0: a node */
    bool up, ended, renew_asked;
    struct queue queues[MESH_CHANNELS];
    unsigned turn; /* the channel that is asked first for the next chunk */
    struct partial partials[MESH_CHANNELS];
    uint8_t head[LINK_HEAD];
    size_t head_length;
    size_t chunk_left; /* bytes of the chunk that are still to come */
    usec_t beat_due;
    struct link_view view;
    struct offset offsets[LINK_OFFSETS];
    unsigned offset_count;
    char reason[REASON_MAX];
};

size_t link_message_max(enum mesh_channel channel)
{
    static const size_t most[MESH_CHANNELS] = {
        [MESH_LINK] = OWN_MAX,      [MESH_RAFT] = 64 << 20,   [MESH_REQUESTS] = 8 << 20,
        [MESH_IDENTITY] = 64 << 10, [MESH_SAMPLES] = 4 << 20, [MESH_JOIN] = 64 << 20,
    };
    return most[channel];
}

size_t link_queue_max(enum mesh_channel channel)
{
    static const size_t most[MESH_CHANNELS] = {
        [MESH_LINK] = 16 << 10,      [MESH_RAFT] = 16 << 20, [MESH_REQUESTS] = 8 << 20,
        [MESH_IDENTITY] = 256 << 10, [MESH_SAMPLES] = 0,     [MESH_JOIN] = 0,
    };
    return most[channel];
}

static int fail(struct link *l, int err, const char *reason)
{
    snprintf(l->reason, sizeof l->reason, "%s", reason);
    return err;
}

/* ---- sending ---- */

static void queue_init(struct queue *q)
{
    *q = (struct queue){.end = &q->first};
}

static void queue_pop(struct queue *q)
{
    struct message *m = q->first;
    q->first = m->next;
    if (!q->first)
        q->end = &q->first;
    q->waiting -= m->size;
    q->count--;
    free(m);
}

static void queue_push(struct queue *q, const void *data, size_t size)
{
    struct message *m = mem_new(1, sizeof *m + size);
    m->size = size;
    memcpy(m->data, data, size);
    *q->end = m;
    q->end = &m->next;
    q->waiting += size;
    q->count++;
}

/* Slices of tables of samples: what is on its way goes on, and of what has not begun so many wait
 * as a table has; the oldest makes room (L6). */
static void newest_push(struct link *l, struct queue *q, const void *data, size_t size)
{
    struct message *begun = q->first && q->first->sent ? q->first : NULL;
    if (q->count - (begun != NULL) == LINK_SAMPLES) {
        struct message **place = begun ? &begun->next : &q->first, *stale = *place;
        *place = stale->next;
        q->waiting -= stale->size;
        q->count--;
        free(stale);
        l->view.dropped++;
    }
    queue_push(q, data, size);
}

int link_send(struct link *l, enum mesh_channel channel, const void *data, size_t size)
{
    struct queue *q = &l->queues[channel];
    invariant((unsigned)channel < MESH_CHANNELS);
    if (!size || size > link_message_max(channel))
        return ERR_LIMIT;
    if (channel == MESH_SAMPLES) {
        newest_push(l, q, data, size);
        return 0;
    }
    if (q->first && q->waiting + size > link_queue_max(channel))
        return ERR_LIMIT;
    queue_push(q, data, size);
    return 0;
}

/* What does not fit any more says no more than what waits already. */
static void own_send(struct link *l, const struct writer *w)
{
    invariant(!w->failed);
    int err = link_send(l, MESH_LINK, w->data, w->position);
    (void)err;
}

/* The link's own words first, then channel after channel, a chunk of each. */
static struct queue *queue_next(struct link *l)
{
    if (l->queues[MESH_LINK].first)
        return &l->queues[MESH_LINK];
    if ((!l->up && !l->guest_max) || l->ended)
        return NULL;
    for (unsigned i = 0; i < MESH_CHANNELS; i++) {
        struct queue *q = &l->queues[(l->turn + i) % MESH_CHANNELS];
        if (!q->first)
            continue;
        l->turn = (l->turn + i + 1) % MESH_CHANNELS;
        return q;
    }
    return NULL;
}

size_t link_give(struct link *l, uint8_t buffer[static LINK_HEAD + LINK_CHUNK_MAX])
{
    struct queue *q = queue_next(l);
    if (!q)
        return 0;
    struct message *m = q->first;
    size_t left = m->size - m->sent, length = left < LINK_CHUNK_MAX ? left : LINK_CHUNK_MAX;
    struct writer w = writer_init(buffer, LINK_HEAD + LINK_CHUNK_MAX);
    writer_u8(&w, (uint8_t)(q - l->queues));
    writer_u8(&w, length == left ? FLAG_LAST : 0);
    writer_u16(&w, (uint16_t)length);
    writer_bytes(&w, m->data + m->sent, length);
    invariant(!w.failed);
    m->sent += length;
    if (m->sent == m->size)
        queue_pop(q);
    l->view.bytes_out += w.position;
    return w.position;
}

/* ---- the link's own words ---- */

static void hello_send(struct link *l)
{
    uint8_t buffer[OWN_MAX];
    struct writer w = writer_init(buffer, sizeof buffer);
    writer_u8(&w, WORD_HELLO);
    writer_u16(&w, LINK_VERSION);
    writer_u64(&w, l->self.id);
    writer_bytes(&w, l->self.cluster, sizeof l->self.cluster);
    writer_bytes(&w, l->self.software, sizeof l->self.software);
    own_send(l, &w);
}

/* What comes after the fields known here is of a newer version: it is passed over. */
static int hello_take(struct link *l, struct reader *r)
{
    struct link_self *peer = &l->view.self;
    uint16_t version = reader_u16(r);
    uint64_t id = reader_u64(r);
    const uint8_t *cluster = reader_take(r, LINK_CLUSTER_SIZE);
    const uint8_t *software = reader_take(r, LINK_SOFTWARE_MAX);
    if (r->failed || !version || !id)
        return fail(l, ERR_INVALID, "its first words make no sense");
    if (memcmp(cluster, l->self.cluster, LINK_CLUSTER_SIZE))
        return fail(l, ERR_INVALID, "it belongs to another cluster");
    if (l->up)
        return fail(l, ERR_INVALID, "it says twice who it is");
    peer->id = id;
    memcpy(peer->cluster, cluster, LINK_CLUSTER_SIZE);
    memcpy(peer->software, software, LINK_SOFTWARE_MAX);
    peer->software[LINK_SOFTWARE_MAX - 1] = 0;
    for (char *c = peer->software; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    l->up = true;
    return 0;
}

static void ping_send(struct link *l, const struct link_state *s, usec_t now, int64_t wall)
{
    uint8_t buffer[OWN_MAX];
    struct writer w = writer_init(buffer, sizeof buffer);
    writer_u8(&w, WORD_PING);
    writer_u64(&w, (uint64_t)now);
    writer_u64(&w, (uint64_t)wall);
    writer_u64(&w, s->applied);
    writer_u64(&w, (uint64_t)s->certificate_end);
    writer_u16(&w, LINK_SEEN_MAX);
    for (uint32_t i = 0; i < LINK_SEEN_MAX; i++) /* as long in calm as in crisis (L6) */
        writer_u64(&w, i < s->seen_count ? s->seen[i] : 0);
    own_send(l, &w);
}

static int ping_take(struct link *l, struct reader *r, int64_t wall)
{
    uint8_t buffer[64];
    struct writer w = writer_init(buffer, sizeof buffer);
    struct link_state s = {0};
    uint64_t now = reader_u64(r), sent_wall = reader_u64(r);
    s.applied = reader_u64(r);
    s.certificate_end = (int64_t)reader_u64(r);
    unsigned count = reader_u16(r);
    for (unsigned i = 0; i < count; i++) {
        uint64_t id = reader_u64(r);
        if (id && s.seen_count < LINK_SEEN_MAX)
            s.seen[s.seen_count++] = id;
    }
    if (r->failed)
        return fail(l, ERR_INVALID, "its beat makes no sense");
    l->view.state = s;
    l->view.has_state = true;
    writer_u8(&w, WORD_PONG);
    writer_u64(&w, now);
    writer_u64(&w, sent_wall);
    writer_u64(&w, (uint64_t)wall);
    own_send(l, &w);
    return 0;
}

/* RFC 5905 8, with the time between t2 and t3 as nothing: the answer leaves at once. The way that
 * was shortest in LINK_OFFSETS beats had the least of queues in it, which differ by direction. */
static int pong_take(struct link *l, struct reader *r, usec_t now, int64_t wall)
{
    usec_t sent = (usec_t)reader_u64(r);
    int64_t sent_wall = (int64_t)reader_u64(r), their_wall = (int64_t)reader_u64(r);
    const int64_t most = INT64_C(1) << 60;
    bool sane = sent_wall >= 0 && sent_wall < most && their_wall >= 0 && their_wall < most;
    if (r->failed || sent > now || sent < 0 || !sane)
        return fail(l, ERR_INVALID, "its answer to a beat makes no sense");
    struct offset o = {now - sent, their_wall - (sent_wall + (wall - sent_wall) / 2)};
    l->offsets[l->offset_count++ % LINK_OFFSETS] = o;
    for (unsigned i = 0; i < LINK_OFFSETS && i < l->offset_count; i++)
        if (l->offsets[i].round_trip < o.round_trip)
            o = l->offsets[i];
    l->view.round_trip = o.round_trip ? o.round_trip : 1;
    l->view.clock_offset = o.offset;
    return 0;
}

static int bye_take(struct link *l, struct reader *r)
{
    char sentence[REASON_MAX];
    size_t length = reader_left(r) < sizeof sentence - 1 ? reader_left(r) : sizeof sentence - 1;
    const uint8_t *text = reader_take(r, length);
    for (size_t i = 0; i < length; i++)
        sentence[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    sentence[length] = 0;
    return fail(l, ERR_TRUNCATED, length ? sentence : "the other side ended the link");
}

static int own_take(struct link *l, const uint8_t *data, size_t size, usec_t now, int64_t wall)
{
    struct reader r = reader_init(data, size);
    unsigned word = reader_u8(&r);
    if (word != WORD_HELLO && word != WORD_BYE && !l->up)
        return fail(l, ERR_INVALID, "it does not say who it is");
    switch (word) {
    case WORD_HELLO:
        return hello_take(l, &r);
    case WORD_PING:
        return ping_take(l, &r, wall);
    case WORD_PONG:
        return pong_take(l, &r, now, wall);
    case WORD_BYE:
        return bye_take(l, &r);
    case WORD_RENEW:
        l->renew_asked = true;
        return 0;
    default:
        return 0; /* a word of a newer version */
    }
}

/* ---- receiving ---- */

static int head_check(struct link *l)
{
    unsigned channel = l->head[0];
    l->chunk_left = (size_t)l->head[2] << 8 | l->head[3];
    if (channel >= MESH_CHANNELS || l->head[1] > FLAG_LAST || !l->chunk_left ||
        l->chunk_left > LINK_CHUNK_MAX)
        return fail(l, ERR_INVALID, "it does not speak this protocol");
    if (l->guest_max ? channel != MESH_JOIN : channel == MESH_JOIN)
        return fail(l, ERR_INVALID, "it says what is not said here");
    if (!l->guest_max && channel != MESH_LINK && !l->up)
        return fail(l, ERR_INVALID, "it does not say who it is");
    size_t most = l->guest_max ? l->guest_max : link_message_max((enum mesh_channel)channel);
    if (l->partials[channel].size + l->chunk_left > most)
        return fail(l, ERR_LIMIT, "a message is too long");
    return 0;
}

static void partial_append(struct partial *p, const uint8_t *data, size_t size)
{
    if (p->size + size > p->room) {
        p->room = p->size + size > 2 * p->room ? p->size + size : 2 * p->room;
        p->data = mem_resize(p->data, p->room, 1);
    }
    memcpy(p->data + p->size, data, size);
    p->size += size;
}

static int chunk_end(struct link *l, usec_t now, int64_t wall, link_take *take, void *context)
{
    enum mesh_channel channel = (enum mesh_channel)l->head[0];
    l->head_length = 0;
    if (!(l->head[1] & FLAG_LAST))
        return 0;
    struct partial p = l->partials[channel];
    l->partials[channel] = (struct partial){0};
    int err = 0;
    if (channel == MESH_LINK)
        err = own_take(l, p.data, p.size, now, wall);
    else
        take(context, channel, p.data, p.size);
    free(p.data);
    return err;
}

int link_receive(struct link *l, const void *data, size_t size, usec_t now, int64_t wall,
                 link_take *take, void *context)
{
    struct reader r = reader_init(data, size);
    l->view.heard = now;
    l->view.bytes_in += size;
    while (reader_left(&r)) {
        if (l->head_length < LINK_HEAD) {
            l->head[l->head_length++] = reader_u8(&r);
            int err = l->head_length == LINK_HEAD ? head_check(l) : 0;
            if (err)
                return err;
            continue;
        }
        size_t part = reader_left(&r) < l->chunk_left ? reader_left(&r) : l->chunk_left;
        partial_append(&l->partials[l->head[0]], reader_take(&r, part), part);
        l->chunk_left -= part;
        int err = l->chunk_left ? 0 : chunk_end(l, now, wall, take, context);
        if (err)
            return err;
    }
    return 0;
}

/* ---- life ---- */

struct link *link_new(const struct link_self *self, size_t guest_max, usec_t now)
{
    struct link *l = mem_new(1, sizeof *l);
    l->self = *self;
    l->guest_max = guest_max;
    l->view.heard = now;
    for (unsigned i = 0; i < MESH_CHANNELS; i++)
        queue_init(&l->queues[i]);
    if (!guest_max)
        hello_send(l);
    return l;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < MESH_CHANNELS; i++) {
        while (l->queues[i].first)
            queue_pop(&l->queues[i]);
        free(l->partials[i].data);
    }
    free(l);
}

int link_beat(struct link *l, const struct link_state *state, usec_t now, int64_t wall)
{
    if (l->guest_max)
        return 0;
    if (now - l->view.heard > LINK_SILENT)
        return fail(l, ERR_TRUNCATED, "it is silent");
    if (!l->up || now < l->beat_due)
        return 0;
    l->beat_due = now + LINK_BEAT;
    ping_send(l, state, now, wall);
    return 0;
}

void link_bye(struct link *l, const char *sentence)
{
    uint8_t buffer[OWN_MAX];
    struct writer w = writer_init(buffer, sizeof buffer);
    size_t length = strlen(sentence);
    while (!l->view.bytes_out && l->queues[MESH_LINK].first)
        queue_pop(&l->queues[MESH_LINK]); /* a stranger is not even told who we are */
    writer_u8(&w, WORD_BYE);
    writer_bytes(&w, sentence, length < REASON_MAX ? length : REASON_MAX - 1);
    own_send(l, &w);
    l->ended = true; /* nothing else is said any more */
}

void link_renew(struct link *l)
{
    uint8_t word = WORD_RENEW;
    struct writer w = {&word, 1, 1, false};
    own_send(l, &w);
}

bool link_is_up(const struct link *l)
{
    return l->up;
}

bool link_renew_asked(struct link *l)
{
    bool asked = l->renew_asked;
    l->renew_asked = false;
    return asked;
}

const struct link_view *link_view(const struct link *l)
{
    return &l->view;
}

const char *link_reason(const struct link *l)
{
    return l->reason;
}
