#include "replica/link.h"

#include "base/err.h"
#include "base/memory.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

/* Two ends, and what each took. */
struct end {
    struct link *link;
    unsigned messages;
    enum mesh_channel channels[64];
    size_t sizes[64];
    uint8_t firsts[64];
};

static usec_t now = 1000;
static int64_t wall = INT64_C(1767225600000000);

static void take(void *context, enum mesh_channel channel, const uint8_t *data, size_t size)
{
    struct end *e = context;
    ck_assert_uint_lt(e->messages, 64);
    ck_assert_int_eq(memcmp(data, data + 1, size - 1), 0);
    e->channels[e->messages] = channel;
    e->sizes[e->messages] = size;
    e->firsts[e->messages++] = data[0];
}

static struct link_self self(uint64_t id)
{
    return (struct link_self){.id = id, .cluster = "cluster", .software = "0.1.0"};
}

static struct end end_new(uint64_t id)
{
    struct link_self s = self(id);
    return (struct end){.link = link_new(&s, 0, now)};
}

/* At most `chunks` chunks from one to the other; the receiver's error. */
static int move_some(struct end *from, struct end *to, unsigned chunks)
{
    uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    int err = 0;
    for (size_t n; chunks-- && !err && (n = link_give(from->link, chunk));)
        err = link_receive(to->link, chunk, n, now, wall, take, to);
    return err;
}

static int move(struct end *from, struct end *to)
{
    return move_some(from, to, 100000);
}

static void greet(struct end *a, struct end *b)
{
    *a = end_new(1);
    *b = end_new(2);
    ck_assert_int_eq(move(a, b), 0);
    ck_assert_int_eq(move(b, a), 0);
    ck_assert(link_is_up(a->link) && link_is_up(b->link));
    ck_assert_uint_eq(link_view(a->link)->self.id, 2);
    ck_assert_str_eq(link_view(b->link)->self.software, "0.1.0");
}

static void done(struct end *a, struct end *b)
{
    link_free(a->link);
    link_free(b->link);
}

static int send_fill(struct end *e, enum mesh_channel channel, size_t size, uint8_t fill)
{
    uint8_t *data = mem_new(size, 1);
    memset(data, fill, size);
    int err = link_send(e->link, channel, data, size);
    free(data);
    return err;
}

START_TEST(test_messages)
{
    static const size_t sizes[] = {
        1, 2, LINK_CHUNK_MAX - 1, LINK_CHUNK_MAX, LINK_CHUNK_MAX + 1, 3 * LINK_CHUNK_MAX, 1 << 20};
    struct end a, b;
    greet(&a, &b);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(send_fill(&a, MESH_RAFT, sizes[i], (uint8_t)i), 0);
        ck_assert_int_eq(move(&a, &b), 0);
        ck_assert_uint_eq(b.messages, i + 1);
        ck_assert_uint_eq(b.sizes[i], sizes[i]);
        ck_assert_uint_eq(b.firsts[i], i);
        ck_assert_int_eq(b.channels[i], MESH_RAFT);
    }
    done(&a, &b);
}
END_TEST

/* A long message delays a short one on another channel by two chunks at most. */
START_TEST(test_turns)
{
    struct end a, b;
    greet(&a, &b);
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 4 << 20, 1), 0);
    ck_assert_int_eq(move_some(&a, &b, 10), 0);
    ck_assert_int_eq(send_fill(&a, MESH_REQUESTS, 100, 2), 0);
    ck_assert_int_eq(move_some(&a, &b, 2), 0);
    ck_assert_uint_eq(b.messages, 1);
    ck_assert_uint_eq(b.firsts[0], 2);
    ck_assert_int_eq(move(&a, &b), 0);
    ck_assert_uint_eq(b.messages, 2);
    done(&a, &b);
}
END_TEST

/* However the bytes are cut. */
START_TEST(test_cut)
{
    struct end a, b;
    uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    greet(&a, &b);
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 20000, 7), 0);
    for (size_t n; (n = link_give(a.link, chunk));)
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(link_receive(b.link, chunk + i, 1, now, wall, take, &b), 0);
    ck_assert_uint_eq(b.messages, 1);
    ck_assert_uint_eq(b.sizes[0], 20000);
    done(&a, &b);
}
END_TEST

START_TEST(test_bounds)
{
    struct end a, b;
    greet(&a, &b);
    ck_assert_int_eq(send_fill(&a, MESH_IDENTITY, link_message_max(MESH_IDENTITY) + 1, 1),
                     ERR_LIMIT);
    ck_assert_int_eq(link_send(a.link, MESH_RAFT, "", 0), ERR_LIMIT);
    unsigned taken = 0;
    while (send_fill(&a, MESH_REQUESTS, 1 << 20, 1) == 0)
        taken++;
    ck_assert_uint_eq(taken, link_queue_max(MESH_REQUESTS) >> 20);
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 40 << 20, 1), 0); /* one always may */
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 1, 1), ERR_LIMIT);
    done(&a, &b);
}
END_TEST

/* Of slices of tables only the newest few wait; what is on its way is ended (L6). */
START_TEST(test_newest)
{
    struct end a, b;
    greet(&a, &b);
    for (uint8_t i = 1; i <= LINK_SAMPLES + 2; i++)
        ck_assert_int_eq(send_fill(&a, MESH_SAMPLES, 3 * LINK_CHUNK_MAX, i), 0);
    ck_assert_uint_eq(link_view(a.link)->dropped, 2);
    ck_assert_int_eq(move_some(&a, &b, 1), 0); /* 3 is on its way */
    for (uint8_t i = LINK_SAMPLES + 3; i <= LINK_SAMPLES + 9; i++)
        ck_assert_int_eq(send_fill(&a, MESH_SAMPLES, 3 * LINK_CHUNK_MAX, i), 0);
    ck_assert_int_eq(move(&a, &b), 0);
    ck_assert_uint_eq(b.messages, LINK_SAMPLES + 1);
    ck_assert_uint_eq(b.firsts[0], 3);
    for (unsigned i = 1; i <= LINK_SAMPLES; i++)
        ck_assert_uint_eq(b.firsts[i], 9 + i);
    ck_assert_uint_eq(link_view(a.link)->dropped, 8);
    ck_assert_int_eq(send_fill(&a, MESH_SAMPLES, 1, 1), 0);
    ck_assert_int_eq(move(&a, &b), 0);
    ck_assert_uint_eq(b.messages, LINK_SAMPLES + 2);
    done(&a, &b);
}
END_TEST

static int receive(const uint8_t *data, size_t size, bool greeted)
{
    struct end a, b;
    greet(&a, &b);
    if (!greeted) {
        struct link_self s = self(2);
        link_free(b.link);
        b.link = link_new(&s, 0, now);
    }
    int err = link_receive(b.link, data, size, now, wall, take, &b);
    if (err)
        ck_assert_str_ne(link_reason(b.link), "");
    done(&a, &b);
    return err;
}

START_TEST(test_noise)
{
    static const uint8_t channel[] = {MESH_CHANNELS, 1, 0, 1}, flags[] = {MESH_RAFT, 2, 0, 1},
                         empty[] = {MESH_RAFT, 1, 0, 0}, long_one[] = {MESH_RAFT, 1, 0x40, 1},
                         early[] = {MESH_RAFT, 1, 0, 1}, guest[] = {MESH_JOIN, 1, 0, 1},
                         hello[] = {MESH_LINK, 1, 0, 2, 1, 0}, ping[] = {MESH_LINK, 1, 0, 2, 2, 0},
                         strange[] = {MESH_LINK, 1, 0, 2, 99, 0};
    ck_assert_int_eq(receive(channel, sizeof channel, true), ERR_INVALID);
    ck_assert_int_eq(receive(flags, sizeof flags, true), ERR_INVALID);
    ck_assert_int_eq(receive(empty, sizeof empty, true), ERR_INVALID);
    ck_assert_int_eq(receive(long_one, sizeof long_one, true), ERR_INVALID);
    ck_assert_int_eq(receive(early, sizeof early, true), 0);
    ck_assert_int_eq(receive(early, sizeof early, false), ERR_INVALID);
    ck_assert_int_eq(receive(guest, sizeof guest, true), ERR_INVALID);
    ck_assert_int_eq(receive(hello, sizeof hello, false), ERR_INVALID);
    ck_assert_int_eq(receive(ping, sizeof ping, true), ERR_INVALID);
    ck_assert_int_eq(receive(ping, sizeof ping, false), ERR_INVALID);
    ck_assert_int_eq(receive(strange, sizeof strange, true), 0); /* of a newer version */
}
END_TEST

START_TEST(test_cluster)
{
    struct end a = end_new(1);
    struct link_self s = {.id = 2, .cluster = "another", .software = "0.1.0"};
    struct end b = {.link = link_new(&s, 0, now)};
    ck_assert_int_eq(move(&a, &b), ERR_INVALID);
    ck_assert_str_eq(link_reason(b.link), "it belongs to another cluster");
    ck_assert(!link_is_up(b.link));
    done(&a, &b);
}
END_TEST

/* The beat: the round trip, how the clocks differ, what each side tells; then silence. */
START_TEST(test_beat)
{
    struct end a, b;
    const int64_t ahead = 250000; /* b's clock */
    struct link_state state = {
        .applied = 77, .certificate_end = 1234, .seen = {5, 6}, .seen_count = 2};
    uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    greet(&a, &b);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(link_beat(a.link, &state, now, wall), 0);
        ck_assert_int_eq(link_beat(a.link, &state, now, wall), 0); /* not twice */
        now += 3000;
        wall += 3000;
        for (size_t n; (n = link_give(a.link, chunk));)
            ck_assert_int_eq(link_receive(b.link, chunk, n, now, wall + ahead, take, &b), 0);
        now += 3000 + 2000 * i; /* the way back is longer at times */
        wall += 3000 + 2000 * i;
        ck_assert_int_eq(move(&b, &a), 0);
        now += LINK_BEAT;
        wall += LINK_BEAT;
    }
    ck_assert_int_eq(link_view(a.link)->round_trip, 6000);
    ck_assert_int_eq(link_view(a.link)->clock_offset, ahead);
    ck_assert_uint_eq(link_view(b.link)->state.applied, 77);
    ck_assert_uint_eq(link_view(b.link)->state.seen_count, 2);
    ck_assert_uint_eq(link_view(b.link)->state.seen[1], 6);
    ck_assert_int_eq(link_beat(a.link, &state, now + LINK_SILENT, wall), ERR_TRUNCATED);
    ck_assert_str_eq(link_reason(a.link), "it is silent");
    done(&a, &b);
}
END_TEST

/* The beat is as long in calm as in crisis (L6). */
START_TEST(test_beat_size)
{
    struct end a, b;
    uint8_t chunk[LINK_HEAD + LINK_CHUNK_MAX];
    size_t sizes[2];
    greet(&a, &b);
    for (unsigned i = 0; i < 2; i++) {
        struct link_state state = {.seen_count = i * LINK_SEEN_MAX};
        memset(state.seen, 1, sizeof state.seen);
        ck_assert_int_eq(link_beat(a.link, &state, now, wall), 0);
        sizes[i] = link_give(a.link, chunk);
        now += LINK_BEAT;
    }
    ck_assert_uint_eq(sizes[0], sizes[1]);
    done(&a, &b);
}
END_TEST

/* Last words are the last: what waits is not sent to one who has been put out. */
START_TEST(test_bye)
{
    struct end a, b;
    greet(&a, &b);
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 100, 1), 0);
    link_bye(a.link, "you were expelled");
    ck_assert_int_eq(send_fill(&a, MESH_RAFT, 100, 1), 0);
    ck_assert_int_eq(move(&a, &b), ERR_TRUNCATED);
    ck_assert_str_eq(link_reason(b.link), "you were expelled");
    ck_assert_uint_eq(b.messages, 0);
    done(&a, &b);
}
END_TEST

START_TEST(test_renew)
{
    struct end a, b;
    greet(&a, &b);
    link_renew(a.link);
    ck_assert_int_eq(move(&a, &b), 0);
    ck_assert(link_renew_asked(b.link));
    ck_assert(!link_renew_asked(b.link));
    done(&a, &b);
}
END_TEST

START_TEST(test_guest)
{
    struct link_self s = self(1);
    struct end a = {.link = link_new(&s, 1 << 20, now)},
               b = {.link = link_new(&s, LINK_REQUEST_MAX, now)};
    ck_assert_int_eq(send_fill(&a, MESH_JOIN, 15000, 3), 0);
    ck_assert_int_eq(move(&a, &b), 0);
    ck_assert_int_eq(send_fill(&b, MESH_JOIN, 500000, 4), 0);
    ck_assert_int_eq(move(&b, &a), 0);
    ck_assert_uint_eq(a.sizes[0], 500000);
    ck_assert_uint_eq(b.messages, 1);
    ck_assert_int_eq(b.channels[0], MESH_JOIN);
    static const uint8_t raft[] = {MESH_RAFT, 1, 0, 1, 0};
    ck_assert_int_eq(link_receive(b.link, raft, sizeof raft, now, wall, take, &b), ERR_INVALID);
    done(&a, &b);
    /* a stranger makes nobody keep much for him */
    a.link = link_new(&s, 1 << 20, now);
    b.link = link_new(&s, LINK_REQUEST_MAX, now);
    ck_assert_int_eq(send_fill(&a, MESH_JOIN, LINK_REQUEST_MAX + 1, 3), 0);
    ck_assert_int_eq(move(&a, &b), ERR_LIMIT);
    done(&a, &b);
}
END_TEST

CHECK_MAIN("link", test_messages, test_turns, test_cut, test_bounds, test_newest, test_noise,
           test_cluster, test_beat, test_beat_size, test_bye, test_renew, test_guest)
