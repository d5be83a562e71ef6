#include "base/err.h"
#include "replica/disk_rig.h"
#include "replica/replica_parts.h"
#include "test/check_main.h"

enum { OWN = 1, SENT_MAX = 64, FAR = 100 };

/* Node 1, which follows, of three voters, or leads, alone. What it wants to send is kept; libraft
 * is told who leads as a leader's message would. */
static struct rig_disk disk;
static struct replica_port port;
static struct replica_work *waiting;
static struct replica *replica;
static int64_t now_ms;
static bool linked[4];
static unsigned carried_out;

static struct sent {
    uint64_t node;
    struct request_frame frame;
    char data[64];
} sent[SENT_MAX];
static unsigned sent_count;

static struct told {
    unsigned times;
    int err;
    char sentence[REPLICA_WHY_MAX];
} told;

static int64_t on_now(void *context)
{
    (void)context;
    return now_ms;
}

static uint64_t on_random(void *context)
{
    (void)context;
    return 7;
}

static void on_work(void *context, struct replica_work *work)
{
    (void)context;
    ck_assert_ptr_null(waiting);
    waiting = work;
}

static int on_send(void *context, uint64_t node, enum replica_channel channel, const void *data,
                   size_t size)
{
    (void)context;
    if (channel == REPLICA_RAFT)
        return 0;
    if (!linked[node])
        return ERR_MISSING;
    ck_assert_uint_lt(sent_count, SENT_MAX);
    struct sent *s = &sent[sent_count++];
    s->node = node;
    ck_assert_int_eq(request_take((struct bytes){data, size}, &s->frame), 0);
    ck_assert_uint_lt(s->frame.data.length, sizeof s->data);
    memcpy(s->data, s->frame.data.data, s->frame.data.length);
    s->data[s->frame.data.length] = 0;
    return 0;
}

static bool on_linked(void *context, uint64_t node)
{
    (void)context;
    return linked[node];
}

static int machine_apply(void *context, struct bytes request, int64_t wall_ms,
                         struct text *sentence)
{
    (void)context;
    (void)wall_ms;
    carried_out++;
    text_append_bytes(sentence, request.data, request.length);
    return 0;
}

static int machine_decode(void *context, struct bytes data)
{
    (void)context;
    (void)data;
    return 0;
}

static const char *machine_name(void *context, uint64_t id)
{
    (void)context;
    return id == 2 ? "berlin" : "tokyo";
}

static void on_answer(void *context, int err, const char *sentence)
{
    struct told *t = context;
    t->times++;
    t->err = err;
    snprintf(t->sentence, sizeof t->sentence, "%s", sentence);
}

static void work_do(void)
{
    while (waiting) {
        struct replica_work *work = waiting;
        waiting = NULL;
        work->run(work);
        work->done(work);
    }
}

static void disk_fill(unsigned voters)
{
    struct vault vault;
    struct vault_snapshot first = {
        .index = 1, .term = 1, .configuration_index = 1, .data = {(void *)(uintptr_t) "{}", 2}};
    raft_configuration_init(&first.configuration);
    for (unsigned i = 1; i <= voters; i++)
        ck_assert_int_eq(raft_configuration_add(&first.configuration, i,
                                                (char[]){(char)('0' + i), 0}, RAFT_VOTER),
                         0);
    vault_init(&vault, &port.disk, VAULT_SEGMENT_MAX);
    ck_assert_int_eq(vault_vote(&vault, 3, 0), 0);
    ck_assert_int_eq(vault_snapshot_put(&vault, &first, 0), 0);
    vault_done(&vault);
    raft_configuration_close(&first.configuration);
}

static void begin_with(unsigned voters)
{
    port = (struct replica_port){.now_ms = on_now,
                                 .wall_ms = on_now,
                                 .random = on_random,
                                 .work = on_work,
                                 .send = on_send,
                                 .linked = on_linked,
                                 .disk = rig_port(&disk)};
    struct replica_machine machine = {
        .apply = machine_apply, .decode = machine_decode, .name = machine_name};
    disk_fill(voters);
    linked[2] = linked[3] = true;
    now_ms = 1000;
    replica = replica_new(&(struct replica_options){.id = OWN, .port = &port, .machine = &machine});
    work_do();
    ck_assert_int_eq(replica->backend.failed, 0);
}

static void begin(void)
{
    begin_with(3);
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static void end(void)
{
    bool closed = false;
    replica_close(replica, on_closed, &closed);
    work_do();
    ck_assert(closed);
    replica_free(replica);
    rig_wipe(&disk);
}

static void leads(uint64_t node)
{
    replica->backend.raft.follower_state.current_leader.id = node;
    replica_settle(replica);
}

static void passes(int64_t ms)
{
    now_ms += ms;
    replica_settle(replica);
}

static void ask(const char *request, struct told *t)
{
    *t = (struct told){0};
    replica_submit(replica, (struct bytes){(const uint8_t *)request, strlen(request)}, on_answer,
                   t);
}

static void hears(uint64_t node, struct request_frame f)
{
    struct text bytes = text_init(1000);
    request_put(&f, &bytes);
    replica_take(replica, node, REPLICA_REQUESTS,
                 (struct bytes){(const uint8_t *)bytes.data, bytes.length});
    text_done(&bytes);
}

static struct request_frame done(uint64_t number, uint64_t index)
{
    static const char sentence[] = "it is drained";
    return (struct request_frame){.kind = REQUEST_DONE,
                                  .number = number,
                                  .index = index,
                                  .data = {(const uint8_t *)sentence, sizeof sentence - 1}};
}

/* The frame that was sent last; how many there were by then. */
static uint64_t asked(uint64_t node, const char *request, unsigned count)
{
    ck_assert_uint_eq(sent_count, count);
    const struct sent *s = &sent[count - 1];
    ck_assert_int_eq(s->frame.kind, REQUEST_ASK);
    ck_assert_uint_eq(s->node, node);
    ck_assert_str_eq(s->data, request);
    ck_assert_uint_eq(s->frame.index, replica->backend.raft.current_term);
    return s->frame.number;
}

/* Whoever is told that it is done finds it done on this node. */
START_TEST(test_answered_once_applied)
{
    begin();
    leads(2);
    ask("drain", &told);
    uint64_t number = asked(2, "drain", 1);
    hears(2, done(number, FAR));
    ck_assert_uint_eq(told.times, 0);
    replica->backend.raft.last_applied = FAR;
    replica_settle(replica);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, 0);
    ck_assert_str_eq(told.sentence, "it is drained");
    end();
    ck_assert_uint_eq(told.times, 1);
}
END_TEST

/* What is applied here never comes: the answer is still the leader's, and it comes in time. */
START_TEST(test_answered_though_behind)
{
    begin();
    leads(2);
    ask("drain", &told);
    struct request_frame f = done(asked(2, "drain", 1), FAR);
    f.err = ERR_INVALID;
    hears(2, f);
    passes(REPLICA_TIMEOUT_MS - 1);
    ck_assert_uint_eq(told.times, 0);
    passes(1);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, ERR_INVALID);
    end();
}
END_TEST

START_TEST(test_answers_of_others)
{
    begin();
    leads(2);
    ask("drain", &told);
    uint64_t number = asked(2, "drain", 1);
    hears(3, done(number, 0));     /* was not asked */
    hears(2, done(number + 1, 0)); /* of nothing of ours */
    ck_assert_uint_eq(told.times, 0);
    hears(2, done(number, 0));
    ck_assert_uint_eq(told.times, 1);
    hears(2, done(number, 0));
    ck_assert_uint_eq(told.times, 1);
    end();
}
END_TEST

/* The link breaks with the answer on it: the new leader gets the same bytes under another number,
 * and what the one before says meanwhile does not count. */
START_TEST(test_asked_again)
{
    begin();
    leads(2);
    ask("drain", &told);
    uint64_t first = asked(2, "drain", 1);
    linked[2] = false;
    replica_linked(replica, 2, false);
    leads(3);
    uint64_t second = asked(3, "drain", 2);
    ck_assert_uint_ne(second, first);
    hears(2, done(first, 0));
    ck_assert_uint_eq(told.times, 0);
    hears(3, done(second, 0));
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, 0);
    end();
}
END_TEST

START_TEST(test_silence)
{
    begin();
    leads(2);
    ask("drain", &told);
    (void)asked(2, "drain", 1);
    passes(RETRY_MS - 1);
    ck_assert_uint_eq(sent_count, 1);
    passes(1);
    (void)asked(2, "drain", 2);
    passes(REPLICA_TIMEOUT_MS);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, ERR_UNSURE);
    end();
}
END_TEST

/* "Nothing was changed" is said only where that is known: not once a leader had it and its answer
 * did not come, however it came to be asked again. */
START_TEST(test_never_sure_without_an_answer)
{
    begin();
    for (unsigned how = 0; how < 3; how++) {
        linked[2] = linked[3] = true;
        leads(2);
        ask("drain", &told);
        uint64_t number = sent[sent_count - 1].frame.number;
        if (how == 0)
            hears(2, (struct request_frame){.kind = REQUEST_NOT, .number = number});
        else if (how == 1)
            hears(2, (struct request_frame){.kind = REQUEST_MAYBE, .number = number});
        linked[2] = linked[3] = false;
        leads(0);
        ck_assert_uint_eq(told.times, 1);
        ck_assert_int_eq(told.err, how ? ERR_UNSURE : ERR_QUORUM);
        bool sure = strstr(told.sentence, "nothing was changed") != NULL;
        ck_assert_int_eq(sure, how == 0);
    }
    end();
}
END_TEST

START_TEST(test_refused_waits)
{
    begin();
    leads(2);
    ask("drain", &told);
    uint64_t number = asked(2, "drain", 1);
    hears(2, (struct request_frame){.kind = REQUEST_NOT, .number = number});
    passes(AGAIN_MS - 1);
    ck_assert_uint_eq(sent_count, 1); /* not as fast as it refuses */
    passes(1);
    (void)asked(2, "drain", 2);
    end();
}
END_TEST

START_TEST(test_cut_off)
{
    begin();
    linked[2] = linked[3] = false;
    ask("drain", &told);
    ck_assert_uint_eq(told.times, 1); /* at once */
    ck_assert_int_eq(told.err, ERR_QUORUM);
    ck_assert_str_eq(told.sentence, "nothing was changed: 2 of 3 voters are needed to decide, "
                                    "berlin and tokyo cannot be reached from here");
    linked[2] = true;
    ask("drain", &told);
    ck_assert_uint_eq(told.times, 0); /* a leader may come yet */
    passes(REPLICA_LEADERLESS_MS);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_str_eq(told.sentence, "nothing was changed: 2 of 3 voters are needed to decide, "
                                    "tokyo cannot be reached from here");
    linked[3] = true;
    ask("drain", &told);
    ck_assert_str_eq(told.sentence, "nothing was changed: 2 of 3 voters are needed to decide, "
                                    "all are linked, and they have no leader yet");
    ck_assert_uint_eq(sent_count, 0);
    end();
}
END_TEST

/* Everybody is told, also when the node stops: once, and what is true. */
START_TEST(test_stops)
{
    struct told gone, waits, late;
    begin();
    leads(2);
    ask("one", &gone);
    leads(0);
    linked[2] = false; /* but 3 is there: a leader may come */
    ask("two", &waits);
    ask("three", &late);
    ck_assert_uint_eq(gone.times + waits.times + late.times, 0);
    end();
    ck_assert(gone.times == 1 && waits.times == 1 && late.times == 1);
    ck_assert_int_eq(gone.err, ERR_UNSURE);
    ck_assert_int_eq(waits.err, ERR_QUORUM);
    ck_assert_int_eq(late.err, ERR_QUORUM);
}
END_TEST

START_TEST(test_bounds)
{
    static struct told many[REPLICA_PENDING_MAX];
    static uint8_t big[MESSAGE_REQUEST_MAX + 1];
    begin();
    replica_submit(replica, (struct bytes){big, sizeof big}, on_answer, &told);
    ck_assert_int_eq(told.err, ERR_LIMIT);
    for (unsigned i = 0; i < REPLICA_PENDING_MAX; i++)
        ask("many", &many[i]);
    ask("one more", &told);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, ERR_LIMIT);
    ck_assert_uint_eq(many[0].times, 0);
    passes(REPLICA_LEADERLESS_MS);
    for (unsigned i = 0; i < REPLICA_PENDING_MAX; i++)
        ck_assert_uint_eq(many[i].times, 1);
    leads(2);
    ask("and again", &told);
    (void)asked(2, "and again", 1);
    end();
}
END_TEST

/* Whoever takes this node for a leader hears that it is none. */
START_TEST(test_asked_wrongly)
{
    begin();
    leads(2);
    hears(3, (struct request_frame){
                 .kind = REQUEST_ASK, .number = 5, .index = replica->backend.raft.current_term});
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_uint_eq(sent[0].node, 3);
    ck_assert_int_eq(sent[0].frame.kind, REQUEST_NOT);
    ck_assert_uint_eq(sent[0].frame.number, 5);
    end();
}
END_TEST

/* A leader refuses what was meant for the leader of another term; the asker may have given it up
 * meanwhile. */
START_TEST(test_another_term)
{
    begin_with(1);
    work_do();
    uint64_t term = replica->backend.raft.current_term;
    ck_assert_uint_eq(replica_leader(replica), OWN);
    struct request_frame f = {
        .kind = REQUEST_ASK, .number = 5, .index = term - 1, .data = {(const uint8_t *)"go", 2}};
    hears(3, f);
    work_do();
    ck_assert_uint_eq(carried_out, 0);
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_int_eq(sent[0].frame.kind, REQUEST_NOT);
    f.index = term;
    f.number = 6;
    hears(3, f);
    ck_assert_uint_eq(sent_count, 1); /* not before it is on the disk */
    work_do();
    ck_assert_uint_eq(carried_out, 1);
    ck_assert_uint_eq(sent_count, 2);
    ck_assert_int_eq(sent[1].frame.kind, REQUEST_DONE);
    ck_assert_uint_eq(sent[1].frame.number, 6);
    ck_assert_str_eq(sent[1].data, "go");
    end();
}
END_TEST

CHECK_MAIN("replica_ask", test_answered_once_applied, test_answered_though_behind,
           test_answers_of_others, test_asked_again, test_silence,
           test_never_sure_without_an_answer, test_refused_waits, test_cut_off, test_stops,
           test_bounds, test_asked_wrongly, test_another_term)
