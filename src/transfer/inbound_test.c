#include "base/err.h"
#include "base/text.h"
#include "test/check_main.h"
#include "transfer/inbound_fixture.h"
#include "wire/dnsmsg.h"

static struct inbound_request request(bool incremental)
{
    return (struct inbound_request){.zone = fixture_zone,
                                    .incremental = incremental,
                                    .serial = 7,
                                    .id = FIXTURE_ID,
                                    .records_max = 10,
                                    .bytes_max = 4096};
}

static struct inbound *asked(bool incremental)
{
    struct inbound_request r = request(incremental);
    uint8_t wire[INBOUND_REQUEST_MAX];
    struct inbound *in = inbound_new(&r);
    ck_assert_int_gt(inbound_ask(in, FIXTURE_NOW, wire), 0);
    return in;
}

/* What came, as words: "-" before a removed one. */
static const char *told(const struct inbound *in)
{
    static char out[1024];
    struct text t = text_init(sizeof out - 1);
    struct inbound_record r;
    size_t position = 0;
    while (inbound_next(in, &position, &r)) {
        char name[DNAME_TEXT_MAX];
        dname_format(r.owner, name);
        text_appendf(&t, "%s%s", t.length ? " " : "", r.removed ? "-" : "");
        if (r.type == DNS_SOA)
            text_appendf(&t, "S%u", r.rdata[r.rdata_length - 17u]);
        else
            text_append_bytes(&t, r.type == DNS_A ? name : "NS",
                              r.type == DNS_A ? strcspn(name, ".") : 2);
    }
    snprintf(out, sizeof out, "%s", text_string(&t));
    text_done(&t);
    return out;
}

/* One message after the other; what the last one gave. */
static int feed(struct inbound *in, bool incremental, const char *const *messages)
{
    int result = 0;
    for (unsigned i = 0; messages[i] && !result; i++) {
        uint16_t question = i ? 0 : incremental ? DNS_IXFR : DNS_AXFR;
        struct fixture_message m = fixture_message(question, messages[i]);
        result = inbound_message(in, m.wire, m.length, FIXTURE_NOW);
    }
    return result;
}

static const struct story {
    bool incremental;
    const char *messages[5];
    int result;
    enum inbound_kind kind;
    const char *records; /* or the reason */
} stories[] = {
    {false, {"S9 NS ns www S9"}, 1, INBOUND_WHOLE, "S9 NS ns www"},
    {false, {"S9", "NS ns", "www", "S9"}, 1, INBOUND_WHOLE, "S9 NS ns www"},
    {false, {"S9 S9"}, 1, INBOUND_WHOLE, "S9"},
    {false, {"S9 NS ns"}, 0, INBOUND_WHOLE, NULL},
    {false, {"NS S9 S9"}, ERR_INVALID, 0, "it does not begin with the zone's SOA"},
    {false, {"S9 NS S8"}, ERR_INVALID, 0, "its first and last SOA differ"},
    {false, {"S9 NS S9 www"}, ERR_INVALID, 0, "it goes on behind its last SOA"},
    {false, {"S9", ""}, ERR_INVALID, 0, "a message has no records"},
    {false,
     {"S9 a b c d e f g h i", "j"},
     ERR_LIMIT,
     0,
     "it has more records than max_records allows"},
    {true, {"S7"}, 1, INBOUND_CURRENT, ""},
    {true, {"S6"}, 1, INBOUND_CURRENT, ""},
    {true, {"S9 S7 old S9 new S9"}, 1, INBOUND_STEPS, "-S7 -old S9 new"},
    {true,
     {"S9", "S7 old", "S8 new", "S8 new", "S9 last S9"},
     1,
     INBOUND_STEPS,
     "-S7 -old S8 new -S8 -new S9 last"},
    {true, {"S9 S7 S9 S9"}, 1, INBOUND_STEPS, "-S7 S9"},
    {true, {"S9 NS ns S9"}, 1, INBOUND_WHOLE, "S9 NS ns"},
    {true, {"S9 S9"}, 1, INBOUND_WHOLE, "S9"},
    {true, {"S9"}, 0, 0, NULL},
    {true, {"S9 S6 S9 S9"}, ERR_INVALID, 0, "its first and last SOA differ"},
    {true,
     {"S9 S7 S6 S6 S9 S9"},
     ERR_INVALID,
     0,
     "the serials of its differences do not lead to the newest"},
    {true,
     {"S9 S7 S10 S9"},
     ERR_INVALID,
     0,
     "the serials of its differences do not lead to the newest"},
    {true,
     {"S9 S7 S8 S7 S9 S9"},
     ERR_INVALID,
     0,
     "the serials of its differences do not follow one another"},
    {true, {"S9 S7 S9 S9 www"}, ERR_INVALID, 0, "it goes on behind its last SOA"},
};

/* RFC 8467 4.1: whatever the zone, the key and the question, one of few lengths. */
START_TEST(test_questions_are_padded)
{
    struct tsig_key keys[TSIG_ALGORITHMS];
    for (unsigned i = 0; i < TSIG_ALGORITHMS; i++) {
        keys[i] = (struct tsig_key){.name = "\1k", .algorithm = (enum tsig_algorithm)i};
        ck_assert_int_eq(tsig_secret_parse("QUJD", &keys[i]), 0);
    }
    for (unsigned i = 0; i < 2 * (TSIG_ALGORITHMS + 1); i++) {
        uint8_t wire[INBOUND_REQUEST_MAX];
        struct inbound_request r = {.zone = fixture_zone,
                                    .incremental = i % 2,
                                    .id = FIXTURE_ID,
                                    .key = i < 2 ? NULL : &keys[i / 2 - 1],
                                    .padded = true};
        struct inbound *in = inbound_new(&r);
        int length = inbound_ask(in, FIXTURE_NOW, wire);
        ck_assert_int_eq(length % INBOUND_PAD, 0);
        ck_assert_int_le(length, 2 * INBOUND_PAD);
        struct dnsmsg m;
        struct dnsmsg_entry e;
        unsigned options = 0;
        ck_assert_int_eq(dnsmsg_open(wire, (size_t)length, &m), 0);
        while (dnsmsg_next(&m, &e) == 1)
            options += e.type == DNS_OPT && e.rdata.data[1] == DNS_OPTION_PADDING;
        ck_assert_uint_eq(options, 1);
        inbound_free(in);
    }
}
END_TEST

START_TEST(test_stories)
{
    for (size_t i = 0; i < array_length(stories); i++) {
        const struct story *s = &stories[i];
        struct inbound *in = asked(s->incremental);
        int result = feed(in, s->incremental, s->messages);
        ck_assert_msg(result == s->result, "story %zu: %d", i, result);
        if (result < 0)
            ck_assert_str_eq(inbound_reason(in), s->records);
        if (result == 1) {
            ck_assert_ptr_null(inbound_reason(in));
            ck_assert_int_eq(inbound_kind(in), s->kind);
            ck_assert_str_eq(told(in), s->records);
        }
        inbound_free(in);
    }
}
END_TEST

/* One message with one thing wrong each. */
static int fed(void (*damage)(struct fixture_message *m))
{
    struct inbound *in = asked(false);
    struct fixture_message m = fixture_message(DNS_AXFR, "S9 NS ns www S9");
    damage(&m);
    int result = inbound_message(in, m.wire, m.length, FIXTURE_NOW);
    inbound_free(in);
    return result;
}

static void damage_none(struct fixture_message *m)
{
    (void)m;
}
static void damage_id(struct fixture_message *m)
{
    m->wire[1] ^= 1;
}
static void damage_query(struct fixture_message *m)
{
    m->wire[2] &= 0x7f;
}
static void damage_opcode(struct fixture_message *m)
{
    m->wire[2] |= 0x20;
}
static void damage_truncated(struct fixture_message *m)
{
    m->wire[2] |= 2;
}
static void damage_rcode(struct fixture_message *m)
{
    m->wire[3] = DNS_REFUSED;
}
static void damage_question_name(struct fixture_message *m)
{
    m->wire[13] ^= 1;
}
static void damage_question_type(struct fixture_message *m)
{
    m->wire[26] ^= 1;
}
static void damage_question_class(struct fixture_message *m)
{
    m->wire[28] = DNS_CH;
}
static void damage_class(struct fixture_message *m)
{
    m->wire[29 + 13 + 3] = DNS_CH;
}
static void damage_tail(struct fixture_message *m)
{
    m->length++;
}
static void damage_cut(struct fixture_message *m)
{
    m->length--;
}
static void damage_owner(struct fixture_message *m)
{
    m->wire[29 + 9] = 'x'; /* example.xom */
}
static void damage_type(struct fixture_message *m)
{
    *m = fixture_message(DNS_AXFR, "S9 NS");
    m->wire[m->length - 14 - 9] = DNS_OPT;
}
static void damage_letters(struct fixture_message *m)
{
    m->wire[13] ^= 0x20;
    m->wire[30] ^= 0x20;
}

START_TEST(test_damage)
{
    ck_assert_int_eq(fed(damage_none), 1);
    ck_assert_int_eq(fed(damage_letters), 1);
    ck_assert_int_eq(fed(damage_id), ERR_INVALID);
    ck_assert_int_eq(fed(damage_query), ERR_INVALID);
    ck_assert_int_eq(fed(damage_opcode), ERR_INVALID);
    ck_assert_int_eq(fed(damage_truncated), ERR_TRUNCATED);
    ck_assert_int_eq(fed(damage_rcode), ERR_REFUSED);
    ck_assert_int_eq(fed(damage_question_name), ERR_INVALID);
    ck_assert_int_eq(fed(damage_question_type), ERR_INVALID);
    ck_assert_int_eq(fed(damage_question_class), ERR_INVALID);
    ck_assert_int_eq(fed(damage_class), ERR_INVALID);
    ck_assert_int_eq(fed(damage_tail), ERR_SYNTAX);
    ck_assert_int_eq(fed(damage_cut), ERR_TRUNCATED);
    ck_assert_int_eq(fed(damage_owner), ERR_INVALID);
    ck_assert_int_lt(fed(damage_type), 0);
}
END_TEST

START_TEST(test_first_needs_question)
{
    struct inbound *in = asked(false);
    struct fixture_message m = fixture_message(0, "S9 NS S9");
    ck_assert_int_eq(inbound_message(in, m.wire, m.length, FIXTURE_NOW), ERR_INVALID);
    inbound_free(in);
}
END_TEST

START_TEST(test_bytes)
{
    struct inbound *in = asked(false);
    const char *big[] = {"S9", "TXT=x", "TXT=y", "TXT=z", NULL};
    char text[1500];
    memset(text, 'x', sizeof text);
    memcpy(text, "TXT=", 4);
    for (size_t i = 4 + 250; i < sizeof text; i += 251)
        text[i] = ' ';
    text[sizeof text - 1] = 0;
    ck_assert_int_eq(feed(in, false, big), 0);
    struct fixture_message m = fixture_begin(0);
    for (unsigned i = 0; i < 3; i++)
        fixture_record(&m, "example.com.", DNS_TXT, text + 4);
    ck_assert_int_eq(inbound_message(in, m.wire, m.length, FIXTURE_NOW), ERR_LIMIT);
    ck_assert_str_eq(inbound_reason(in), "it has more bytes than max_bytes allows");
    inbound_free(in);
}
END_TEST

/* ---- signatures ---- */

static struct tsig_key key = {.name = "\1k", .algorithm = TSIG_SHA256};

/* A server's side: signs every message whose letter in `pattern` is 's'. */
static int signed_feed(const char *pattern, const char *const *messages, bool forge)
{
    struct inbound_request r = request(false);
    uint8_t wire[INBOUND_REQUEST_MAX];
    struct tsig_session theirs;
    struct tsig t;
    ck_assert_int_eq(tsig_secret_parse("QUJD", &key), 0);
    r.key = &key;
    struct inbound *in = inbound_new(&r);
    int length = inbound_ask(in, FIXTURE_NOW, wire), result = 0;
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&theirs, &key, wire, &t, FIXTURE_NOW), 0);
    for (unsigned i = 0; messages[i] && !result; i++) {
        struct fixture_message m = fixture_message(i ? 0 : DNS_AXFR, messages[i]);
        if (pattern[i] == 's')
            m.length = (size_t)tsig_sign(&theirs, m.wire, m.length, sizeof m.wire, FIXTURE_NOW);
        if (forge && i == 1)
            m.wire[m.length - 20] ^= 1; /* in its MAC */
        result = inbound_message(in, m.wire, m.length, FIXTURE_NOW);
    }
    inbound_free(in);
    tsig_session_done(&theirs);
    return result;
}

START_TEST(test_signed)
{
    const char *const messages[] = {"S9 NS", "ns", "www S9", NULL};
    ck_assert_int_eq(signed_feed("sss", messages, false), 1);
    ck_assert_int_eq(signed_feed("uss", messages, false), ERR_INVALID);
    ck_assert_int_eq(signed_feed("ssu", messages, false), ERR_INVALID);
    ck_assert_int_eq(signed_feed("sss", messages, true), ERR_INVALID);
}
END_TEST

/* A message put into the middle of a signed stream: it may come unsigned, but the next signature
 * has to cover it. */
START_TEST(test_unsigned_is_not_believed)
{
    const char *const messages[] = {"S9 NS", "ns", "www S9", NULL};
    ck_assert_int_eq(signed_feed("sus", messages, false), ERR_INVALID);
}
END_TEST

START_TEST(test_request)
{
    struct inbound_request r = request(true);
    uint8_t wire[INBOUND_REQUEST_MAX];
    struct inbound *in = inbound_new(&r);
    int length = inbound_ask(in, FIXTURE_NOW, wire);
    static const uint8_t expected[] =
        "\x12\x34\0\0\0\1\0\0\0\1\0\0\7example\3com\0\0\373\0\1"
        "\300\14\0\6\0\1\0\0\0\0\0\26\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    ck_assert_int_eq(length, (int)sizeof expected - 1);
    ck_assert_mem_eq(wire, expected, sizeof expected - 1);
    inbound_free(in);
}
END_TEST

CHECK_MAIN("inbound", test_questions_are_padded, test_stories, test_damage,
           test_first_needs_question, test_bytes, test_signed, test_unsigned_is_not_believed,
           test_request)
