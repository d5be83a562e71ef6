/* Keys that nodes share, as proposals: what is due goes by the time of the change, and nobody else
 * writes them. */
#include "base/err.h"
#include "command/command.h"
#include "command/command_parts.h"
#include "model/shared_keys.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

#define POLICY                                                                             \
    "\"policy\": {\"on\": true, \"split\": false, \"algorithm\": 13, \"dnskey_ttl\": 60, " \
    "\"ds_ttl\": 60, \"propagation\": 10, \"zsk_lifetime\": 1000}"
#define PAIR(tag)                                          \
    "{\"use\": \"csk\", \"algorithm\": 13, \"tag\": " #tag \
    ", \"dnskey\": \"0101030d\", \"sealed\": \"5ea1ed" #tag "\"}"
#define KEYS(what, more)                                          \
    "{\"op\": \"keys\", \"author\": \"node n1\", \"do\": \"" what \
    "\", \"zone\": \"example.com\", " POLICY more "}"

static struct intent intent; /* of the one test of this process */
static char said[4096];

static int apply(const char *proposal, int64_t seconds)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    int err = command_apply(&intent, proposal, strlen(proposal), seconds * 1000, &next, &sentence);
    snprintf(said, sizeof said, "%s", text_string(&sentence));
    text_done(&sentence);
    if (err)
        return err;
    intent_done(&intent);
    intent = next;
    return 0;
}

static struct shared_keys now(void)
{
    struct shared_keys k = {0};
    const char *why;
    const struct intent_object *o = intent_find(&intent, INTENT_KEYS, "example.com");
    ck_assert_ptr_nonnull(o);
    ck_assert_int_eq(shared_keys_decode(o->value, &k, &why), 0);
    return k;
}

static void begin(void)
{
    ck_assert_int_eq(
        apply("{\"op\": \"change\", \"author\": \"ana\", \"edits\": [{\"kind\": \"zone\", "
              "\"name\": \"example.com\", \"value\": {}}]}",
              1000),
        0);
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0, \"pairs\": [" PAIR(4711) "]"), 2000), 0);
}

START_TEST(test_step)
{
    begin();
    struct shared_keys k = now();
    ck_assert_int_eq(k.epoch, 2000);
    ck_assert_int_eq(k.state.keys[0].activated, 2000); /* by the change's time */
    shared_keys_done(&k);
    uint64_t version = intent.version;
    /* the serial of the zone follows */
    ck_assert_uint_eq(intent_change_newest(&intent, INTENT_ZONE, "example.com"), version);
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0"), 2001), 0); /* nothing is due */
    ck_assert_uint_eq(intent.version, version);
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0, \"resign\": true"), 2002), 0);
    k = now();
    ck_assert_int_eq(k.epoch, 2002);
    shared_keys_done(&k);
    /* one key too many, and one that is missing: somebody else's step came first */
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0, \"pairs\": [" PAIR(12) "]"), 2003),
                     ERR_CONFLICT);
    ck_assert_int_eq(apply(KEYS("roll", ", \"key\": \"csk\""), 2004), 0);
    ck_assert_ptr_nonnull(strstr(said, "the csk is being rolled; change "));
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0"), 2005), ERR_CONFLICT);
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 300, \"pairs\": [" PAIR(12) "]"), 2006), 0);
    k = now();
    ck_assert_uint_eq(k.state.count, 2);
    ck_assert_uint_eq(k.pairs[1].tag, 12);
    ck_assert_int_eq(k.state.ttl.longest, 300);
    shared_keys_done(&k);
    intent_done(&intent);
}
END_TEST

/* A clock that went back is not seen: what was noted at a time stays before it. */
START_TEST(test_time)
{
    begin();
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0, \"resign\": true"), 100), 0);
    struct shared_keys k = now();
    ck_assert_int_eq(k.epoch, 2000);
    shared_keys_done(&k);
    intent_done(&intent);
}
END_TEST

START_TEST(test_refusals)
{
    static const char *const wrong[] = {
        KEYS("dance", ""),
        KEYS("roll", ""),
        KEYS("step", ""),
        KEYS("step", ", \"ttl\": -1"),
        "{\"op\": \"keys\", \"author\": \"x\"}",
        "{\"op\": \"keys\", \"author\": \"x\", \"do\": \"step\", \"zone\": \"example.com\", "
        "\"ttl\": 0}",
        "{\"op\": \"keys\", \"author\": \"x\", \"do\": \"seal\", \"value\": {\"members\": []}}",
        "{\"op\": \"keys\", \"author\": \"x\", \"do\": \"seal\", \"value\": {}, \"change\": 0}",
        "{\"op\": \"change\", \"author\": \"x\", \"edits\": [{\"kind\": \"keys\", \"name\": "
        "\"example.com\", \"value\": null}]}",
        "{\"op\": \"change\", \"author\": \"x\", \"edits\": [{\"kind\": \"seal\", \"name\": "
        "\"seal\", "
        "\"value\": {\"members\": []}}]}"};
    begin();
    uint64_t version = intent.version;
    for (size_t i = 0; i < array_length(wrong); i++)
        ck_assert_msg(apply(wrong[i], 3000) == ERR_INVALID, "%s: %s", wrong[i], said);
    ck_assert_int_eq(apply("{\"op\": \"undo\", \"author\": \"x\", \"change\": 2}", 3000),
                     ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(said, "nodes' own"));
    ck_assert_uint_eq(intent.version, version);
    /* nobody is sent to undo a later change of them first */
    ck_assert_int_eq(apply(KEYS("step", ", \"ttl\": 0, \"resign\": true"), 3000), 0);
    ck_assert_int_eq(apply("{\"op\": \"undo\", \"author\": \"x\", \"change\": 2}", 3001),
                     ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(said, "nodes' own"));
    /* from the zone's own that is not shared */
    ck_assert_int_eq(apply("{\"op\": \"keys\", \"author\": \"x\", \"do\": \"step\", \"zone\": "
                           "\"example.net\", \"ttl\": 0, " POLICY "}",
                           3000),
                     ERR_MISSING);
    intent_done(&intent);
}
END_TEST

START_TEST(test_seal)
{
    static const char first[] = "{\"op\": \"keys\", \"author\": \"x\", \"do\": \"seal\", "
                                "\"value\": {\"members\": []}, \"change\": 0}";
    begin();
    ck_assert_int_eq(apply(first, 3000), 0);
    ck_assert_int_eq(apply(first, 3001), ERR_CONFLICT); /* two began: the second looks again */
    intent_done(&intent);
}
END_TEST

/* No request of a client becomes such a proposal, and who looks sees nothing that is sealed. */
START_TEST(test_clients)
{
    static const char *const lines[] = {KEYS("step", ", \"ttl\": 0, \"resign\": true"),
                                        "{\"op\": \"intent\"}"};
    struct config config = {.zone_count = 0};
    begin();
    intent.config = &config;
    for (size_t i = 0; i < array_length(lines); i++) {
        struct command_result r;
        const struct command_input input = {.line = lines[i],
                                            .length = strlen(lines[i]),
                                            .author = "uid 0",
                                            .intent = &intent,
                                            .wall_ms = 5000000};
        command_run(&input, &r);
        ck_assert_int_eq(r.effect, COMMAND_NOTHING);
        ck_assert_ptr_nonnull(strstr(r.reply, i ? "(sealed)" : "\"ok\":false"));
        ck_assert_ptr_null(strstr(r.reply, "5ea1ed"));
        command_result_done(&r);
    }
    intent_done(&intent);
}
END_TEST

CHECK_MAIN("command_keys", test_step, test_time, test_refusals, test_seal, test_clients)
