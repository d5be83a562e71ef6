/* Keys that nodes share: the object's text, and steps that come out alike wherever they are made.
 */
#include "base/err.h"
#include "base/memory.h"
#include "model/shared_keys.h"
#include "test/check_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned made;
static unsigned tags = 100;

static int pair_make(void *context, const struct key_need *need, struct shared_pair *ret)
{
    char sealed[16];
    (void)context;
    made++;
    snprintf(sealed, sizeof sealed, "%08x", tags);
    *ret = (struct shared_pair){.use = (uint8_t)need->use,
                                .algorithm = need->algorithm,
                                .tag = (uint16_t)tags++,
                                .dnskey = mem_string("0101030d"),
                                .sealed = mem_string(sealed)};
    return 0;
}

static struct shared_step step_of(bool split)
{
    return (struct shared_step){.policy = {.split = split,
                                           .algorithm = 13,
                                           .dnskey_ttl = 60,
                                           .ds_ttl = 60,
                                           .propagation = 10,
                                           .zsk_lifetime = 1000},
                                .on = true,
                                .make = pair_make};
}

static void go(struct shared_keys *k, const struct shared_step *s, int64_t now)
{
    bool gone;
    ck_assert_int_eq(shared_keys_step(k, s, now, &gone), 0);
    ck_assert(!gone);
}

START_TEST(test_life)
{
    struct shared_keys k = {0}, again;
    struct shared_step s = step_of(true);
    const char *why;
    go(&k, &s, 5000);
    ck_assert_uint_eq(k.state.count, 2);
    ck_assert_int_eq(k.epoch, 5000);
    s.ttl_max = 300;
    go(&k, &s, 5001);
    ck_assert_int_eq(k.state.ttl.longest, 300);
    char *text = shared_keys_encode(&k);
    ck_assert_int_eq(shared_keys_decode(text, &again, &why), 0);
    ck_assert(shared_keys_same(&k, &again));
    unsigned before = made; /* nothing is due: nothing is made, nothing changes */
    go(&again, &s, 5100);
    ck_assert(shared_keys_same(&k, &again) && made == before);
    ck_assert_int_eq(k.epoch, 5000);
    s.resign = true;
    go(&again, &s, 5100);
    ck_assert(!shared_keys_same(&k, &again) && again.epoch == 5100);
    s.resign = false;
    for (int64_t now = 5200; now < 8000; now += 10) { /* the ZSK is rolled; its pair goes with it */
        go(&k, &s, now);
        for (unsigned i = 0; i < k.state.count; i++)
            ck_assert_uint_eq(k.pairs[i].tag, k.state.keys[i].tag);
    }
    ck_assert_uint_gt(made, before);
    ck_assert_uint_gt(made, k.state.count); /* some have left */
    free(text);
    shared_keys_done(&again);
    shared_keys_done(&k);
}
END_TEST

/* Unsigned when no cache wants signatures any more, and not before. */
START_TEST(test_unsign)
{
    struct shared_keys k = {0};
    struct shared_step s = step_of(false);
    struct text out = text_init(1 << 12);
    bool gone;
    go(&k, &s, 5000);
    s.on = false;
    go(&k, &s, 6000);
    ck_assert_int_eq(key_state_unsign(&k.state, 6000, &out), 0);
    ck_assert_int_eq(key_state_ds_gone(&k.state, &s.policy, 6000, &out), 0);
    ck_assert_int_eq(shared_keys_step(&k, &s, 6010, &gone), 0);
    ck_assert(!gone);
    ck_assert_int_eq(shared_keys_step(&k, &s, 6100, &gone), 0);
    ck_assert(gone);
    text_done(&out);
    shared_keys_done(&k);
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const rows[] = {"", "{}", "[]",
                                       "{\"epoch\": 1, \"state\": {}, \"pairs\": []}",
                                       "{\"epoch\": -1, \"state\": {}, \"pairs\": []}"};
    struct shared_keys k = {0}, bad;
    struct shared_step s = step_of(false);
    const char *why = NULL;
    for (size_t i = 0; i < array_length(rows); i++)
        ck_assert_int_eq(shared_keys_decode(rows[i], &bad, &why), ERR_INVALID);
    go(&k, &s, 5000);
    k.pairs[0].tag++; /* a pair that is none of its state's keys */
    char *text = shared_keys_encode(&k);
    ck_assert_int_eq(shared_keys_decode(text, &bad, &why), ERR_INVALID);
    free(text);
    shared_keys_done(&k);
}
END_TEST

START_TEST(test_seal)
{
    struct seal s = {.count = 2}, back;
    const char *why = NULL;
    memcpy(s.members[0].node, "tokyo-1", 8);
    memcpy(s.members[1].node, "osaka-1", 8);
    s.members[1].key[0] = 7;
    s.members[1].has_wrap = true;
    s.members[1].wrap[SEAL_WRAP_SIZE - 1] = 0xab;
    char *text = seal_encode(&s);
    ck_assert_int_eq(seal_decode(text, &back, &why), 0);
    ck_assert_mem_eq(back.members[1].wrap, s.members[1].wrap, SEAL_WRAP_SIZE);
    ck_assert(!back.members[0].has_wrap && back.count == 2);
    ck_assert_ptr_eq(seal_find(&back, s.members[1].key), &back.members[1]);
    free(text);
    s.members[1].key[0] = 0; /* a key is one node's */
    text = seal_encode(&s);
    ck_assert_int_eq(seal_decode(text, &back, &why), ERR_INVALID);
    free(text);
    ck_assert_int_eq(seal_decode("{\"members\": [{}]}", &back, &why), ERR_INVALID);
}
END_TEST

CHECK_MAIN("shared_keys", test_life, test_unsign, test_wrong, test_seal)
