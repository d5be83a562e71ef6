#include "base/err.h"
#include "model/dnssec_state.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

enum { START = 1767225600, TTL = 3600, DNSKEY_TTL = 600, DS_TTL = 86400, SPREAD = 60 };

static const struct key_policy csk = {
    .algorithm = 13, .dnskey_ttl = DNSKEY_TTL, .ds_ttl = DS_TTL, .propagation = SPREAD};
static const struct key_policy split = {.split = true,
                                        .algorithm = 13,
                                        .dnskey_ttl = DNSKEY_TTL,
                                        .ds_ttl = DS_TTL,
                                        .propagation = SPREAD,
                                        .zsk_lifetime = 30 * 86400};

static uint16_t next_tag = 100;

/* What the shell does at one moment; the time of the next event. */
static int64_t run(struct key_state *s, const struct key_policy *p, int64_t now)
{
    struct key_record removed[KEY_RECORDS_MAX];
    unsigned count;
    struct key_need need;
    int64_t next;
    do {
        while (key_state_needs(s, p, now, &need))
            ck_assert_int_eq(key_state_add(s, need, next_tag++, now), 0);
        next = key_state_step(s, p, now, removed, &count);
    } while (key_state_needs(s, p, now, &need));
    ck_assert_int_gt(next, now);
    return next;
}

static struct key_state begin(const struct key_policy *p)
{
    struct key_state s = {0};
    next_tag = 100;
    run(&s, p, START);
    key_state_served(&s, p, TTL, START);
    return s;
}

static const struct key_record *key(const struct key_state *s, uint16_t tag)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->keys[i].tag == tag)
            return &s->keys[i];
    return NULL;
}

static void seen(struct key_state *s, const struct key_policy *p, int64_t now)
{
    struct text out = text_init(1 << 12);
    ck_assert_msg(key_state_ds_seen(s, p, now, &out) == 0, "%s", text_string(&out));
    text_done(&out);
}

static void gone(struct key_state *s, const struct key_policy *p, int64_t now)
{
    struct text out = text_init(1 << 12);
    ck_assert_msg(key_state_ds_gone(s, p, now, &out) == 0, "%s", text_string(&out));
    text_done(&out);
}

static int roll(struct key_state *s, const struct key_policy *p, enum key_use use)
{
    struct text out = text_init(1 << 12);
    int err = key_state_roll(s, p, use, &out);
    ck_assert_str_ne(text_string(&out), "");
    text_done(&out);
    return err;
}

START_TEST(test_first_csk)
{
    struct key_state s = begin(&csk);
    ck_assert_uint_eq(s.count, 1);
    ck_assert(key_signs_zone(&s.keys[0]) && key_signs_keys(&s.keys[0]));
    ck_assert(!key_delegated(&s.keys[0]));
    struct text out = text_init(1 << 12);
    ck_assert_int_eq(key_state_ds_seen(&s, &csk, START + TTL + SPREAD - 1, &out), ERR_REFUSED);
    text_done(&out);
    /* to the second: unsigned answers may be held for the zone's longest TTL */
    ck_assert_int_eq(run(&s, &csk, START + TTL + SPREAD - 1), START + TTL + SPREAD);
    ck_assert(!key_delegated(&s.keys[0]));
    ck_assert_int_eq(run(&s, &csk, START + TTL + SPREAD), KEY_NEVER);
    ck_assert(key_delegated(&s.keys[0]));
    seen(&s, &csk, START + TTL + SPREAD + 5);
    ck_assert(key_delegated(&s.keys[0]));
    ck_assert_int_eq(run(&s, &csk, START + 100 * DS_TTL), KEY_NEVER);
    ck_assert_uint_eq(s.count, 1);
}
END_TEST

START_TEST(test_csk_roll)
{
    struct key_state s = begin(&csk);
    int64_t t = START + 2 * TTL;
    run(&s, &csk, t);
    seen(&s, &csk, t);
    t += 10 * DS_TTL;
    ck_assert_int_eq(roll(&s, &csk, KEY_CSK), 0);
    ck_assert_int_eq(roll(&s, &csk, KEY_CSK), ERR_CONFLICT);
    ck_assert_int_eq(run(&s, &csk, t), KEY_NEVER);
    ck_assert_int_eq(roll(&s, &csk, KEY_CSK), ERR_CONFLICT);
    /* both published, both sign the keys, both asked for; the old signs the zone */
    ck_assert(key_delegated(key(&s, 100)) && key_delegated(key(&s, 101)));
    ck_assert(key_signs_keys(key(&s, 100)) && key_signs_keys(key(&s, 101)));
    ck_assert(key_signs_zone(key(&s, 100)) && !key_signs_zone(key(&s, 101)));
    /* without the parent nothing happens, however long it takes */
    ck_assert_int_eq(run(&s, &csk, t + 1000 * DS_TTL), KEY_NEVER);
    ck_assert(!key_signs_zone(key(&s, 101)));
    int64_t ds = t + 1000 * DS_TTL + 7;
    seen(&s, &csk, ds);
    ck_assert_int_eq(run(&s, &csk, ds + DS_TTL + SPREAD - 1), ds + DS_TTL + SPREAD);
    ck_assert(key_signs_zone(key(&s, 100)));
    int64_t over = ds + DS_TTL + SPREAD;
    ck_assert_int_eq(run(&s, &csk, over), KEY_NEVER);
    ck_assert(!key_signs_zone(key(&s, 100)) && key_signs_zone(key(&s, 101)));
    ck_assert(key_signs_keys(key(&s, 100)) && !key_delegated(key(&s, 100)));
    ck_assert(key_delegated(key(&s, 101)));
    gone(&s, &csk, over + 3);
    int64_t away = over + 3 + DS_TTL + SPREAD;
    ck_assert_int_eq(run(&s, &csk, away - 1), away);
    ck_assert_ptr_nonnull(key(&s, 100));
    ck_assert_int_eq(run(&s, &csk, away), KEY_NEVER);
    ck_assert_ptr_null(key(&s, 100));
    ck_assert_uint_eq(s.count, 1);
    ck_assert_int_eq(key(&s, 101)->ds, DS_SEEN);
}
END_TEST

START_TEST(test_published_before_it_signs)
{
    /* a DS that is seen at once does not shorten the wait for the DNSKEY set */
    struct key_policy p = csk;
    p.ds_ttl = 0;
    p.dnskey_ttl = 5000;
    struct key_state s = begin(&p);
    run(&s, &p, START + DS_TTL);
    seen(&s, &p, START + DS_TTL);
    ck_assert_int_eq(roll(&s, &p, KEY_CSK), 0);
    run(&s, &p, START + 2 * DS_TTL);
    seen(&s, &p, START + 2 * DS_TTL);
    ck_assert_int_eq(run(&s, &p, START + 2 * DS_TTL + 1), START + 2 * DS_TTL + 5000 + SPREAD);
    ck_assert(key_signs_zone(key(&s, 100)));
}
END_TEST

START_TEST(test_zsk_rolls_by_itself)
{
    struct key_state s = begin(&split);
    ck_assert_uint_eq(s.count, 2);
    ck_assert_int_eq(key(&s, 100)->use, KEY_KSK);
    ck_assert_int_eq(key(&s, 101)->use, KEY_ZSK);
    ck_assert(!key_signs_zone(key(&s, 100)) && key_signs_zone(key(&s, 101)));
    run(&s, &split, START + TTL + SPREAD);
    seen(&s, &split, START + TTL + SPREAD);
    int64_t begin_at = START + 30 * 86400 - DNSKEY_TTL - SPREAD;
    ck_assert_int_eq(run(&s, &split, begin_at - 1), begin_at);
    ck_assert_uint_eq(s.count, 2);
    int64_t over = begin_at + DNSKEY_TTL + SPREAD;
    ck_assert_int_eq(run(&s, &split, begin_at), over);
    ck_assert(key_signs_zone(key(&s, 101)) && !key_signs_zone(key(&s, 102)));
    ck_assert(!key_signs_keys(key(&s, 102)) && !key_delegated(key(&s, 102)));
    ck_assert_int_eq(run(&s, &split, over - 1), over);
    int64_t away = over + TTL + SPREAD;
    ck_assert_int_eq(run(&s, &split, over), away);
    ck_assert(!key_signs_zone(key(&s, 101)) && key_signs_zone(key(&s, 102)));
    ck_assert_int_eq(run(&s, &split, away - 1), away);
    ck_assert_ptr_nonnull(key(&s, 101));
    run(&s, &split, away);
    ck_assert_ptr_null(key(&s, 101));
    ck_assert_int_eq(roll(&s, &split, KEY_CSK), ERR_MISSING);
}
END_TEST

START_TEST(test_years_of_rolls)
{
    struct key_state s = begin(&split);
    int64_t now = START;
    unsigned rolls = 0;
    for (unsigned i = 0; i < 1000; i++) {
        int64_t next = run(&s, &split, now);
        unsigned signers = 0;
        for (unsigned k = 0; k < s.count; k++)
            signers += key_signs_zone(&s.keys[k]);
        ck_assert_uint_eq(signers, 1);
        ck_assert_uint_le(s.count, 4);
        ck_assert_int_ne(next, KEY_NEVER);
        now = next;
        rolls = next_tag;
    }
    ck_assert_uint_gt(rolls, 300);
}
END_TEST

START_TEST(test_sleep_over_everything)
{
    /* a node that was off for a year: one step a time, never from published to removed at once */
    struct key_state s = begin(&split);
    run(&s, &split, START + 366 * 86400);
    ck_assert_uint_eq(s.count, 3);
    ck_assert(key_signs_zone(key(&s, 101)));
    ck_assert_int_eq(key(&s, 102)->published, START + 366 * 86400);
}
END_TEST

START_TEST(test_ttl_is_remembered)
{
    struct key_state s = begin(&csk);
    key_state_served(&s, &csk, 60, START + 10);
    ck_assert_int_eq(s.ttl.longest, TTL);
    key_state_served(&s, &csk, 60, START + 10 + TTL + SPREAD);
    ck_assert_int_eq(s.ttl.longest, TTL);
    key_state_served(&s, &csk, 60, START + 10 + TTL + SPREAD + 1);
    ck_assert_int_eq(s.ttl.longest, 60);
    int64_t t = START + 2 * TTL;
    key_state_served(&s, &csk, 7200, t);
    ck_assert_int_eq(s.ttl.longest, 7200);
    /* shorter, a little longer, shorter: what came between is remembered too */
    key_state_served(&s, &csk, 60, t + 1);
    key_state_served(&s, &csk, 3600, t + 7000);
    key_state_served(&s, &csk, 60, t + 7100);
    key_state_served(&s, &csk, 60, t + 7200 + SPREAD + 2);
    ck_assert_int_eq(s.ttl.longest, 3600);
    key_state_served(&s, &csk, 60, t + 7200 + 3600 + 2 * SPREAD + 3);
    ck_assert_int_eq(s.ttl.longest, 60);
}
END_TEST

/* A DNSKEY set that was served with a long TTL is in caches for as long, whatever the policy says
 * now. */
START_TEST(test_dnskey_ttl_is_remembered)
{
    struct key_policy p = split;
    p.dnskey_ttl = 86400;
    struct key_state s = begin(&p);
    int64_t t = START + 10 * 86400;
    run(&s, &p, t);
    ck_assert_int_eq(roll(&s, &p, KEY_ZSK), 0);
    p.dnskey_ttl = 300;
    ck_assert_int_eq(run(&s, &p, t), t + 86400 + SPREAD);
}
END_TEST

/* A CSK gives way to KSK and ZSK, and they to a CSK. */
START_TEST(test_layout)
{
    struct key_policy p = split;
    p.zsk_lifetime = 0;
    struct key_state s = begin(&csk);
    int64_t t = START + 2 * TTL;
    run(&s, &csk, t);
    seen(&s, &csk, t);
    t += DS_TTL;
    ck_assert_int_eq(run(&s, &p, t), KEY_NEVER);
    ck_assert_uint_eq(s.count, 3);
    ck_assert_int_eq(key(&s, 101)->use, KEY_KSK);
    ck_assert_int_eq(key(&s, 102)->use, KEY_ZSK);
    ck_assert(key_delegated(key(&s, 100)) && key_delegated(key(&s, 101)));
    ck_assert(key_signs_zone(key(&s, 100)) && !key_signs_zone(key(&s, 102)));
    ck_assert_int_eq(roll(&s, &p, KEY_CSK), ERR_CONFLICT);
    ck_assert_int_eq(run(&s, &csk, t + 1), KEY_NEVER); /* a changed mind comes after this */
    ck_assert_uint_eq(s.count, 3);
    seen(&s, &p, t + 5);
    int64_t over = t + 5 + DS_TTL + SPREAD;
    ck_assert_int_eq(run(&s, &p, over - 1), over);
    ck_assert_int_eq(run(&s, &p, over), KEY_NEVER);
    ck_assert_int_eq(key(&s, 100)->stage, KEY_RETIRED);
    ck_assert(key_signs_zone(key(&s, 102)) && key_signs_keys(key(&s, 101)));
    gone(&s, &p, over);
    int64_t away = over + DS_TTL + SPREAD;
    ck_assert_int_eq(run(&s, &p, away - 1), away);
    run(&s, &p, away);
    ck_assert_uint_eq(s.count, 2);
    /* and back, at once with another algorithm */
    struct key_policy back = csk;
    back.algorithm = 15;
    ck_assert_int_eq(run(&s, &back, away), away + TTL + SPREAD);
    ck_assert_uint_eq(s.count, 3);
    ck_assert_int_eq(key(&s, 103)->use, KEY_CSK);
    ck_assert(key_state_signs_zone(&s, key(&s, 103)) && key_state_signs_zone(&s, key(&s, 102)));
    run(&s, &back, away + TTL + SPREAD);
    seen(&s, &back, away + TTL + SPREAD);
    t = away + TTL + SPREAD + DS_TTL + SPREAD;
    run(&s, &back, t);
    ck_assert_int_eq(key(&s, 101)->stage, KEY_RETIRED);
    ck_assert_int_eq(key(&s, 102)->stage, KEY_RETIRED);
    ck_assert_int_eq(key(&s, 103)->stage, KEY_ACTIVE);
    ck_assert(key_state_signs_zone(&s, key(&s, 102))); /* its algorithm's DS is in caches */
    run(&s, &back, t + 100 * DS_TTL);
    ck_assert_uint_eq(s.count, 3);
    gone(&s, &back, t + 100 * DS_TTL);
    run(&s, &back, t + 102 * DS_TTL);
    ck_assert_uint_eq(s.count, 1);
}
END_TEST

/* The first of two keys was made, then the node died and the policy changed: the second is of the
 * kind that was meant. */
START_TEST(test_half_made)
{
    struct key_state s = begin(&csk);
    struct key_policy p = split;
    struct key_need need;
    int64_t t = START + 2 * TTL;
    run(&s, &csk, t);
    ck_assert(key_state_needs(&s, &p, t, &need) && need.use == KEY_KSK && need.algorithm == 13);
    ck_assert_int_eq(key_state_add(&s, need, next_tag++, t), 0);
    p = csk;
    p.algorithm = 15;
    ck_assert(key_state_needs(&s, &p, t, &need) && need.use == KEY_ZSK && need.algorithm == 13);
}
END_TEST

/* The successor's DS is not for the parent before that of a zone's first key would be. */
START_TEST(test_early_roll)
{
    struct key_state s = begin(&csk);
    ck_assert_int_eq(roll(&s, &csk, KEY_CSK), 0);
    ck_assert_int_eq(run(&s, &csk, START + 1), START + TTL + SPREAD);
    ck_assert(!key_delegated(key(&s, 100)) && !key_delegated(key(&s, 101)));
    run(&s, &csk, START + TTL + SPREAD + 1);
    ck_assert(key_delegated(key(&s, 100)) && key_delegated(key(&s, 101)));
}
END_TEST

START_TEST(test_unsign)
{
    struct key_state s = begin(&csk);
    struct text out = text_init(1 << 12);
    run(&s, &csk, START + 2 * TTL);
    seen(&s, &csk, START + 2 * TTL);
    ck_assert_int_eq(key_state_unsign_time(&s, &csk), KEY_NEVER);
    ck_assert_int_eq(key_state_unsign(&s, START + DS_TTL, &out), 0);
    ck_assert(!key_delegated(&s.keys[0]));
    ck_assert_int_eq(key_state_unsign_time(&s, &csk), KEY_NEVER);
    ck_assert_ptr_nonnull(strstr(text_string(&out), "ds-gone"));
    struct key_state again = s;
    ck_assert_int_eq(key_state_ds_gone(&s, &csk, START + 2 * DS_TTL, &out), 0);
    ck_assert_int_eq(key_state_unsign_time(&s, &csk), START + 3 * DS_TTL + SPREAD);
    struct key_state anew = s;
    key_state_unsign_cancel(&again, true, START + 2 * DS_TTL);
    run(&again, &csk, START + 2 * DS_TTL);
    ck_assert(key_delegated(&again.keys[0]));
    ck_assert_int_eq(again.keys[0].ds, DS_WANTED);
    ck_assert_int_eq(key_state_unsign_time(&again, &csk), KEY_NEVER);
    /* it was unsigned in between: caches may have answers that a DS would make invalid */
    key_state_unsign_cancel(&anew, false, START + 2 * DS_TTL);
    ck_assert(!key_delegated(&anew.keys[0]));
    ck_assert_int_eq(run(&anew, &csk, START + 2 * DS_TTL), START + 2 * DS_TTL + TTL + SPREAD);
    /* and again, before that: what was too early is too early still */
    ck_assert_int_eq(key_state_unsign(&anew, START + 2 * DS_TTL + 1, &out), 0);
    key_state_unsign_cancel(&anew, true, START + 2 * DS_TTL + 2);
    ck_assert_int_eq(run(&anew, &csk, START + 2 * DS_TTL + 3), START + 2 * DS_TTL + TTL + SPREAD);
    ck_assert(!key_delegated(&anew.keys[0]));
    text_done(&out);
}
END_TEST

START_TEST(test_json)
{
    struct key_state s = begin(&split), back;
    const char *why;
    s.roll = 1u << KEY_KSK;
    s.unsign = true;
    char *text = key_state_encode(&s);
    ck_assert_int_eq(key_state_decode(text, strlen(text), &back, &why), 0);
    ck_assert_mem_eq(&back, &s, sizeof s);
    for (size_t cut = 0; cut < strlen(text); cut++)
        ck_assert_int_lt(key_state_decode(text, cut, &back, &why), 0);
    free(text);
    s.keys[1].stage = KEY_ACTIVE;
    s.keys[1].use = KEY_KSK;
    text = key_state_encode(&s);
    ck_assert_int_eq(key_state_decode(text, strlen(text), &back, &why), ERR_INVALID);
    free(text);
    ck_assert_int_eq(key_state_decode("{\"format\":2}", 12, &back, &why), ERR_VERSION);
}
END_TEST

static const char *ds_stub(void *context, const struct key_record *k)
{
    (void)context;
    return k->tag == 100 ? "100 13 2 AA" : "101 13 2 BB";
}

static void describe(const struct key_state *s, const char *expected)
{
    struct text out = text_init(1 << 14);
    key_state_describe(s, &csk, "example.com", ds_stub, NULL, &out);
    ck_assert_str_eq(text_string(&out), expected);
    text_done(&out);
}

START_TEST(test_sentences)
{
    struct key_state s = begin(&csk);
    describe(&s, "example.com is signed. Its keys:\n"
                 "  csk   100  algorithm 13  active since 2026-01-01 00:00 UTC; its DS is not for "
                 "the parent yet\n"
                 "To do now:\n- nothing\n"
                 "What comes next:\n"
                 "- Key 100 may be given to the parent as a DS: 2026-01-01 01:01 UTC\n");
    run(&s, &csk, START + 2 * TTL);
    seen(&s, &csk, START + 2 * TTL);
    ck_assert_int_eq(roll(&s, &csk, KEY_CSK), 0);
    run(&s, &csk, START + DS_TTL);
    describe(&s, "example.com is signed. Its keys:\n"
                 "  csk   100  algorithm 13  active since 2026-01-01 00:00 UTC; its DS is at the "
                 "parent\n"
                 "  csk   101  algorithm 13  published since 2026-01-02 00:00 UTC; its DS is to be "
                 "given to the parent\n"
                 "To do now:\n"
                 "- Give the parent this DS record, and leave the one that it has:\n"
                 "    example.com. IN DS 101 13 2 BB\n"
                 "  A parent that reads CDS or CDNSKEY (RFC 8078) takes it by itself. When all of "
                 "its servers\n  answer with it, say so: holdfast dnssec ds-seen example.com\n"
                 "What comes next:\n"
                 "- Key 101 takes over once its DS was seen and caches know it.\n");
}
END_TEST

START_TEST(test_time_text)
{
    char when[KEY_TIME_MAX];
    ck_assert_str_eq(key_time_format(0, when), "1970-01-01 00:00 UTC");
    ck_assert_str_eq(key_time_format(951782399, when), "2000-02-28 23:59 UTC");
    ck_assert_str_eq(key_time_format(951782400, when), "2000-02-29 00:00 UTC");
    ck_assert_str_eq(key_time_format(4107542400, when), "2100-03-01 00:00 UTC");
}
END_TEST

CHECK_MAIN("dnssec_state", test_first_csk, test_csk_roll, test_published_before_it_signs,
           test_zsk_rolls_by_itself, test_years_of_rolls, test_sleep_over_everything,
           test_ttl_is_remembered, test_dnskey_ttl_is_remembered, test_layout, test_half_made,
           test_early_roll, test_unsign, test_json, test_sentences, test_time_text)
