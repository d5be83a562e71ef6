#include "command/command.h"

#include "base/err.h"
#include "model/user.h"
#include "test/check_main.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char file[] = "node: {name: n, site: s, network: AS64500}\n"
                           "zones: [{name: example.com, file: f}]\n"
                           "services:\n"
                           "  - {name: api.example.com, endpoints: [{name: use1, address: "
                           "192.0.2.1}, {name: euw1, address: 192.0.2.2}]}\n"
                           "  - {name: www.example.com, endpoints: [{name: use1, address: "
                           "192.0.2.1}, {name: only, address: 192.0.2.2}]}\n";

static struct config *config;
static struct intent intent;
static struct command_result result;
static struct intent next; /* where `changed` */
static bool changed;

/* As the owner of the intent does: a proposal is carried out, its outcome is the reply. */
static void apply(void)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    int err = command_apply(&intent, result.proposal, strlen(result.proposal),
                            INT64_C(1767225600000), &next, &sentence);
    changed = !err && next.version != intent.version;
    if (!err && !changed)
        intent_done(&next);
    result.reply = command_reply_make(err, text_string(&sentence));
    text_done(&sentence);
}

static void run_bytes(const char *line, size_t length)
{
    if (!config) {
        struct text problems = text_init(10000);
        ck_assert_int_eq(config_parse("x", file, sizeof file - 1, NULL, &problems, &config), 0);
        intent.config = config;
    }
    command_result_done(&result);
    if (changed)
        intent_done(&next);
    changed = false;
    command_run(&(struct command_input){.line = line,
                                        .length = length,
                                        .author = "uid 1000 (ana)",
                                        .intent = &intent,
                                        .wall_ms = INT64_C(1767225600000)},
                &result);
    if (result.effect == COMMAND_INTENT)
        apply();
}

static void run(const char *line)
{
    run_bytes(line, strlen(line));
}

/* Takes the new intent into use, as the owner does. */
static void take(void)
{
    ck_assert(changed);
    intent_done(&intent);
    intent = next;
    changed = false;
}

static void replies(const char *expected)
{
    ck_assert_ptr_nonnull(result.reply);
    ck_assert_str_eq(result.reply, expected);
    json_t *json = json_loads(result.reply, 0, NULL);
    ck_assert(json_is_object(json) && !strchr(result.reply, '\n'));
    json_decref(json);
}

START_TEST(test_order)
{
    run("{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"drained\",\"reason\":\"kernel\"}");
    replies("{\"ok\":true,\"message\":\"api.example.com/euw1 is drained; it was auto\"}");
    take();
    ck_assert_uint_eq(intent.object_count, 1);
    ck_assert_str_eq(intent.objects[0]->author, "uid 1000 (ana)");
    ck_assert_str_eq(intent.objects[0]->reason, "kernel");
    ck_assert_int_eq(intent.objects[0]->wall_ms, INT64_C(1767225600000));
    ck_assert_ptr_eq(intent.config, config);
    run("{\"op\":\"order\",\"endpoint\":\"www.example.com/use1\",\"state\":\"forced-up\"}");
    replies("{\"ok\":true,\"message\":\"www.example.com/use1 is forced-up; it was auto\"}");
    take();
    run("{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"auto\"}");
    replies("{\"ok\":true,\"message\":\"api.example.com/euw1 is auto; it was drained\"}");
    take();
    ck_assert_uint_eq(intent.object_count, 1);
    run("{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"auto\"}");
    replies("{\"ok\":true,\"message\":\"api.example.com/euw1 is auto; nothing had been ordered "
            "about it\"}");
    ck_assert(!changed);
}
END_TEST

START_TEST(test_order_refused)
{
    run("{\"op\":\"order\",\"endpoint\":\"use1\",\"state\":\"drained\"}");
    replies("{\"ok\":false,\"error\":\"ERR_AMBIGUOUS\",\"message\":\"2 services have an endpoint "
            "\\\"use1\\\"; name "
            "one of api.example.com/use1, www.example.com/use1\"}");
    run("{\"op\":\"order\",\"endpoint\":\"euw2\",\"state\":\"drained\"}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"there is no endpoint "
            "\\\"euw2\\\"; did you mean "
            "api.example.com/euw1?\"}");
    run("{\"op\":\"order\",\"endpoint\":\"zzz\",\"state\":\"drained\"}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"there is no endpoint "
            "\\\"zzz\\\"; name one as "
            "SERVICE/ENDPOINT, `holdfast status` lists them\"}");
    run("{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"down\"}");
    replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"\\\"down\\\" is no state; it is "
            "auto, drained, "
            "disabled or forced-up\"}");
    static const char *const bad[] = {
        "{\"op\":\"order\"}",
        "{\"op\":\"order\",\"endpoint\":\"euw1\"}",
        "{\"op\":\"order\",\"endpoint\":1,\"state\":\"auto\"}",
        "{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"auto\",\"reason\":7}",
        "{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"auto\",\"force\":\"yes\"}",
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        run(bad[i]);
        replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"an order wants texts "
                "\\\"endpoint\\\" and "
                "\\\"state\\\", and may have a text \\\"reason\\\" of at most 500 bytes and "
                "\\\"force\\\": true\"}");
        ck_assert(!changed);
    }
}
END_TEST

START_TEST(test_order_retried)
{
    static const char order[] =
        "{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"drained\",\"token\":\"t\"}";
    ck_assert(command_is_change(order, sizeof order - 1));
    ck_assert(!command_is_change("{\"op\":\"intent\"}", 15) && !command_is_change("[", 1));
    for (unsigned i = 0; i < 2; i++) {
        run(order);
        replies("{\"ok\":true,\"message\":\"api.example.com/euw1 is drained; it was auto\"}");
        if (i == 0)
            take();
    }
    ck_assert(!changed && intent.version == 1);
}
END_TEST

/* Whoever wants to see no less than what was decided waits for it first. */
START_TEST(test_agreed)
{
    static const char look[] = "{\"op\":\"look\"}";
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    run("{\"op\":\"intent\",\"agreed\":true}");
    ck_assert(result.effect == COMMAND_AGREE && !result.reply);
    ck_assert_int_eq(command_apply(&intent, look, sizeof look - 1, 1, &next, &sentence), 0);
    ck_assert_uint_eq(next.version, intent.version);
    intent_done(&next);
    text_done(&sentence);
    run("{\"op\":\"intent\"}");
    ck_assert(result.effect == COMMAND_NOTHING && result.reply);
}
END_TEST

/* What was told of a token stays so: refused, or nothing to be changed, although it could be done
 * by now; also after a restart. */
START_TEST(test_told)
{
    static const char on[] =
        "{\"op\":\"change\",\"author\":\"a\",\"token\":\"t1\",\"edits\":[{"
        "\"kind\":\"control\",\"name\":\"p/a\",\"value\":{\"state\":\"On\"}}]}";
    static const char panel[] = "{\"op\":\"change\",\"author\":\"a\",\"edits\":[{\"kind\":"
                                "\"panel\",\"name\":\"p\",\"value\":{}}]}";
    struct text first = text_init(COMMAND_SENTENCE_MAX), again = text_init(COMMAND_SENTENCE_MAX);
    struct intent own = {0}, read;
    const char *why;
    int err = command_apply(&own, on, sizeof on - 1, 1, &next, &first);
    ck_assert_int_eq(err, ERR_MISSING); /* there is no panel */
    command_tell(&own, own.version, on, sizeof on - 1, 1, err, text_string(&first));
    ck_assert_int_eq(command_apply(&own, panel, sizeof panel - 1, 1, &next, &again), 0);
    intent_done(&own);
    char *bytes = intent_encode(&next);
    ck_assert_int_eq(intent_decode(bytes, strlen(bytes), &read, &why), 0);
    free(bytes);
    text_reset(&again);
    ck_assert_int_eq(command_apply(&read, on, sizeof on - 1, 1, &own, &again), ERR_MISSING);
    ck_assert_str_eq(text_string(&again), text_string(&first));
    intent_done(&read);
    intent_done(&next);
    text_done(&first);
    text_done(&again);
}
END_TEST

/* Whatever other nodes send as a proposal is borne. */
START_TEST(test_proposal_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"op\":\"order\"}",
        "{\"op\":\"undo\",\"author\":\"a\"}",
        "{\"op\":\"order\",\"author\":\"a\",\"endpoint\":\"short\",\"state\":\"auto\"}",
        "{\"op\":\"order\",\"author\":\"a\",\"endpoint\":\"a/b\",\"state\":\"up\"}",
        "{\"op\":\"order\",\"endpoint\":\"a/b\",\"state\":\"drained\"}",
        "{\"op\":\"change\",\"author\":\"a\",\"edits\":{}}",
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        struct text sentence = text_init(COMMAND_SENTENCE_MAX);
        ck_assert_int_lt(command_apply(&intent, bad[i], strlen(bad[i]), 1, &next, &sentence), 0);
        ck_assert_str_ne(text_string(&sentence), "");
        text_done(&sentence);
    }
}
END_TEST

/* L3: the last endpoint goes only by force. */
START_TEST(test_last_endpoint)
{
    run("{\"op\":\"order\",\"endpoint\":\"euw1\",\"state\":\"disabled\"}");
    take();
    const char *refusal =
        "{\"ok\":false,\"error\":\"ERR_REFUSED\",\"message\":\"api.example.com/use1 is the last "
        "endpoint of its service that is not disabled: without it there is nothing to answer; "
        "drain it instead, or say --force\"}";
    run("{\"op\":\"order\",\"endpoint\":\"api.example.com/use1\",\"state\":\"disabled\"}");
    replies(refusal);
    ck_assert(!changed);
    run("{\"op\":\"order\",\"endpoint\":\"api.example.com/"
        "use1\",\"state\":\"disabled\",\"force\":false}");
    replies(refusal);
    run("{\"op\":\"order\",\"endpoint\":\"api.example.com/use1\",\"state\":\"drained\"}");
    replies("{\"ok\":true,\"message\":\"api.example.com/use1 is drained; it was auto\"}");
    run("{\"op\":\"order\",\"endpoint\":\"api.example.com/"
        "use1\",\"state\":\"disabled\",\"force\":true}");
    replies("{\"ok\":true,\"message\":\"api.example.com/use1 is disabled; it was auto\"}");
    ck_assert(changed);
    /* another service's endpoint of that name is not concerned */
    run("{\"op\":\"order\",\"endpoint\":\"www.example.com/use1\",\"state\":\"disabled\"}");
    ck_assert(changed);
}
END_TEST

START_TEST(test_reload)
{
    run("{\"op\":\"reload\"}");
    ck_assert_int_eq(result.effect, COMMAND_RELOAD);
    ck_assert_ptr_null(result.reply);
    ck_assert_uint_eq(result.accept_shrink_count, 0);
    run("{\"op\":\"reload\",\"accept_shrink\":[\"Example.com.\",\"b.example\"]}");
    ck_assert_int_eq(result.effect, COMMAND_RELOAD);
    ck_assert_uint_eq(result.accept_shrink_count, 2);
    ck_assert_str_eq(result.accept_shrink[0], "example.com");
    ck_assert_str_eq(result.accept_shrink[1], "b.example");
    ck_assert_uint_eq(result.zone_count, 0);
    ck_assert(!result.fresh);
    run("{\"op\":\"reload\",\"zones\":[\"B.example.\"],\"fresh\":true}");
    ck_assert_int_eq(result.effect, COMMAND_RELOAD);
    ck_assert_uint_eq(result.zone_count, 1);
    ck_assert_str_eq(result.zones[0], "b.example");
    ck_assert(result.fresh);
    run("{\"op\":\"reload\",\"zones\":[\"a..b\"]}");
    ck_assert(!changed);
    run("{\"op\":\"reload\",\"accept_shrink\":[\"a.example\",\"a..b\"]}");
    ck_assert(!changed);
    replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"\\\"accept_shrink\\\" holds "
            "\\\"a..b\\\", which is "
            "not the name of a zone\"}");
    run("{\"op\":\"reload\",\"accept_shrink\":[7]}");
    ck_assert(!changed);
    run("{\"op\":\"reload\",\"accept_shrink\":\"example.com\"}");
    ck_assert(!changed);
}
END_TEST

START_TEST(test_import)
{
    run("{\"op\":\"import\",\"zone\":\"Example.COM.\",\"format\":1,\"dry_run\":true}");
    ck_assert_int_eq(result.effect, COMMAND_IMPORT);
    ck_assert_str_eq(result.zone, "example.com");
    ck_assert(result.dry_run && !result.may_shrink);
    run("{\"op\":\"import\",\"zone\":\"other.example\",\"format\":1}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"the configuration has no zone "
            "other.example\"}");
    run("{\"op\":\"import\",\"zone\":\"example.com\",\"format\":2}");
    ck_assert_int_eq(result.effect, COMMAND_NOTHING);
    ck_assert_ptr_nonnull(strstr(result.reply, "of another version"));
}
END_TEST

START_TEST(test_others)
{
    run("{\"op\":\"ping\"}");
    replies("{\"ok\":true,\"message\":\"holdfast " HOLDFAST_VERSION
            " is here\",\"version\":\"" HOLDFAST_VERSION "\",\"node\":\"n\"}");
    run("{\"op\":\"intent\"}");
    replies("{\"ok\":true,\"message\":\"what operators want\",\"intent\":{\"format\":2,"
            "\"version\":0,\"objects\":[],\"history\":[]}}");
    run("{\"op\":\"dance\"}");
    replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"there is no operation "
            "\\\"dance\\\"; it is ping, "
            "version, order, change, undo, intent, reload, zones, import, node or dnssec\"}");
    run("{}");
    replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"the request has no \\\"op\\\"; "
            "it is ping, "
            "version, order, change, undo, intent, reload, zones, import, node or dnssec\"}");
}
END_TEST

START_TEST(test_node)
{
    run("{\"op\":\"node\",\"do\":\"list\"}");
    ck_assert_int_eq(result.effect, COMMAND_NODE);
    ck_assert_int_eq(result.node.what, COMMAND_NODE_LIST);
    run("{\"op\":\"node\",\"do\":\"invite\",\"role\":\"learner\",\"for_ms\":5000}");
    ck_assert(result.effect == COMMAND_NODE && result.node.learner && result.node.for_ms == 5000);
    run("{\"op\":\"node\",\"do\":\"expel\",\"name\":\"b\",\"force\":true}");
    ck_assert(result.effect == COMMAND_NODE && result.node.force && result.node.name[0] == 'b');
    static const char *const bad[] = {
        "{\"op\":\"node\"}",
        "{\"op\":\"node\",\"do\":\"dance\"}",
        "{\"op\":\"node\",\"do\":\"expel\"}",
        "{\"op\":\"node\",\"do\":\"invite\",\"role\":\"king\"}",
        "{\"op\":\"node\",\"do\":\"invite\",\"for_ms\":0}",
        "{\"op\":\"node\",\"do\":\"invite\",\"for_ms\":999999999999}",
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        run(bad[i]);
        ck_assert(result.effect == COMMAND_NOTHING && result.err == ERR_INVALID);
    }
}
END_TEST

START_TEST(test_dnssec)
{
    run("{\"op\":\"zones\"}");
    ck_assert(result.effect == COMMAND_ZONES && !result.zone && !result.reply);
    run("{\"op\":\"zones\",\"zone\":\"Example.COM.\"}");
    ck_assert_int_eq(result.effect, COMMAND_ZONES);
    ck_assert_str_eq(result.zone, "example.com");
    run("{\"op\":\"zones\",\"zone\":\"example.org\"}");
    ck_assert(result.effect == COMMAND_NOTHING && result.reply);
    run("{\"op\":\"dnssec\",\"zone\":\"Example.COM.\",\"do\":\"roll\",\"key\":\"zsk\"}");
    ck_assert_int_eq(result.effect, COMMAND_DNSSEC);
    ck_assert_str_eq(result.zone, "example.com");
    ck_assert_int_eq(result.dnssec, DNSSEC_ROLL);
    ck_assert_int_eq(result.key, KEY_ZSK);
    ck_assert_ptr_null(result.reply);
    run("{\"op\":\"dnssec\",\"zone\":\"example.com\",\"do\":\"ds-seen\"}");
    ck_assert_int_eq(result.dnssec, DNSSEC_DS_SEEN);
    run("{\"op\":\"dnssec\",\"zone\":\"example.org\",\"do\":\"status\"}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"the configuration has no zone "
            "example.org\"}");
    run("{\"op\":\"dnssec\",\"zone\":\"example.com\",\"do\":\"melt\"}");
    ck_assert(!changed);
    run("{\"op\":\"dnssec\",\"do\":\"status\"}");
    replies(
        "{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"\\\"zone\\\" wants the name of a "
        "zone\"}");
}
END_TEST

START_TEST(test_bytes)
{
    static const char *const bad[] = {
        "", "[]", "null", "{", "\xff", "{\"op\":\"ping\"} x", "{\"op\":\"ping\",\"op\":\"ping\"}"};
    for (size_t i = 0; i < array_length(bad); i++) {
        run(bad[i]);
        ck_assert_ptr_nonnull(strstr(result.reply, "\"ERR_SYNTAX\""));
    }
    run_bytes("{\"op\":\"ping\"\0}", 14);
    ck_assert_ptr_nonnull(strstr(result.reply, "\"ERR_SYNTAX\""));
    char *deep = mem_new(COMMAND_REQUEST_MAX + 1, 1);
    memset(deep, '[', COMMAND_REQUEST_MAX + 1);
    run_bytes(deep, COMMAND_REQUEST_MAX);
    ck_assert_ptr_nonnull(strstr(result.reply, "\"ERR_SYNTAX\""));
    run_bytes(deep, COMMAND_REQUEST_MAX + 1);
    ck_assert_ptr_nonnull(strstr(result.reply, "\"ERR_LIMIT\""));
    free(deep);
}
END_TEST

START_TEST(test_reply)
{
    char *reply = command_reply_make(ERR_REFUSED, "two\nlines \"here\"");
    ck_assert_str_eq(
        reply, "{\"ok\":false,\"error\":\"ERR_REFUSED\",\"message\":\"two\\nlines \\\"here\\\"\"}");
    free(reply);
    char *huge = mem_new(COMMAND_REPLY_MAX + 2, 1);
    memset(huge, 'x', COMMAND_REPLY_MAX + 1);
    reply = command_reply_make(0, huge);
    ck_assert_str_eq(reply, "{\"ok\":true,\"message\":\"the reply is too long to be sent\"}");
    free(reply);
    free(huge);
}
END_TEST

static const char pair_of_controls[] =
    "{\"op\":\"change\",\"token\":\"t1\",\"edits\":["
    "{\"kind\":\"panel\",\"name\":\"p\",\"value\":{}},"
    "{\"kind\":\"control\",\"name\":\"p/a\",\"value\":{\"state\":\"On\",\"gates\":["
    "\"endpoint:api.example.com/use1\"]}},"
    "{\"kind\":\"control\",\"name\":\"p/b\",\"value\":{\"state\":\"On\",\"gates\":["
    "\"endpoint:api.example.com/euw1\"]}},"
    "{\"kind\":\"rule\",\"name\":\"p/one\",\"value\":{\"type\":\"assertion\",\"controls\":[\"a\","
    "\"b\"],\"rule\":\"ATLEAST\",\"threshold\":1,\"wait_ms\":0}}]}";
#define SWITCH(control, state, gate, more)                                              \
    "{\"op\":\"change\",\"edits\":[{\"kind\":\"control\",\"name\":\"p/" control         \
    "\",\"value\":{\"state\":\"" state "\",\"gates\":[\"endpoint:api.example.com/" gate \
    "\"]}}]" more "}"

START_TEST(test_change)
{
    run(pair_of_controls);
    replies("{\"ok\":true,\"message\":\"change 1: panel p was made, control p/a is On, control p/b "
            "is On, rule p/one was made\"}");
    take();
    run(pair_of_controls); /* the client did not hear the reply */
    replies("{\"ok\":true,\"message\":\"change 1: panel p was made, control p/a is On, control p/b "
            "is On, rule p/one was made\"}");
    ck_assert(!changed);
    run(SWITCH("a", "Off", "use1", ",\"reason\":\"drill\""));
    replies("{\"ok\":true,\"message\":\"change 2: control p/a is Off; it was On\"}");
    take();
    run(SWITCH("b", "Off", "euw1", ""));
    replies("{\"ok\":false,\"error\":\"ERR_CONFLICT\",\"message\":\"the assertion rule p/one would "
            "be broken: 0 of its 2 controls are On, and it wants at least 1\"}");
    /* L3: what the rules allow may still leave nothing to answer */
    run(SWITCH("b", "Off", "euw1", ",\"overrides\":[\"p/one\"]"));
    replies("{\"ok\":false,\"error\":\"ERR_REFUSED\",\"message\":\"api.example.com would have no "
            "endpoint left that is neither drained nor disabled; leave one, or say --force\"}");
    run(SWITCH("b", "Off", "euw1", ",\"overrides\":[\"p/one\"],\"force\":true"));
    replies("{\"ok\":true,\"message\":\"change 3: control p/b is Off; it was On; overridden: "
            "p/one\"}");
    take();
    run("{\"op\":\"undo\",\"change\":1}");
    ck_assert(!changed);
    run("{\"op\":\"undo\",\"change\":3}");
    replies("{\"ok\":true,\"message\":\"change 4: control p/b is On; it was Off\"}");
    take();
    run("{\"op\":\"undo\",\"change\":99}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"there is no change 99 among the "
            "newest 1000\"}");
}
END_TEST

START_TEST(test_change_refused)
{
    static const char *const bad[] = {
        "{\"op\":\"change\"}",
        "{\"op\":\"change\",\"edits\":[]}",
        "{\"op\":\"change\",\"edits\":[{}]}",
        "{\"op\":\"change\",\"edits\":[{\"kind\":\"panel\",\"name\":\"p\",\"value\":{}},1]}",
        "{\"op\":\"change\",\"edits\":[{\"kind\":\"panel\",\"name\":\"p\"}],\"token\":1}",
        "{\"op\":\"change\",\"edits\":[{\"kind\":\"panel\",\"name\":\"p\"}],\"overrides\":[1]}",
        "{\"op\":\"undo\"}",
        "{\"op\":\"undo\",\"change\":0}",
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        run(bad[i]);
        ck_assert_ptr_nonnull(strstr(result.reply, "ERR_INVALID"));
        ck_assert(!changed);
    }
    run("{\"op\":\"change\",\"edits\":[{\"kind\":\"panel\",\"name\":\"p\",\"value\":7}]}");
    replies("{\"ok\":false,\"error\":\"ERR_INVALID\",\"message\":\"the panel p wants a JSON "
            "object\"}");
}
END_TEST

#define KEY(id) "\"key\":{\"id\":\"" id "\",\"secret\":\"hush-hush-hush-hush\"}"

START_TEST(test_user)
{
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"add\",\"statements\":[{\"Effect\":\"Allow\","
        "\"Action\":\"*\",\"Resource\":[\"p/*\"]}]," KEY("HFAK0000000000000001") "}");
    replies("{\"ok\":true,\"message\":\"change 1: user ana was made\"}");
    take();
    const struct intent_object *ana = intent_find(&intent, INTENT_USER, "ana");
    ck_assert_ptr_nonnull(ana);
    ck_assert(ana->user->key_count == 1 && ana->user->keys[0].active);
    ck_assert_int_eq(ana->user->keys[0].made_ms, INT64_C(1767225600000));
    ck_assert_str_eq(ana->user->keys[0].secret, "hush-hush-hush-hush");
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"add\",\"statements\":[]," KEY(
        "HFAK0000000000000009") "}");
    ck_assert(!changed && strstr(result.reply, "a user ana already"));
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-add\"," KEY("HFAK0000000000000002") "}");
    take();
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-add\"," KEY("HFAK0000000000000003") "}");
    ck_assert(strstr(result.reply, "has 2 access keys; remove one of them first"));
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-disable\",\"id\":"
        "\"HFAK0000000000000001\"}");
    take();
    ana = intent_find(&intent, INTENT_USER, "ana");
    ck_assert(!ana->user->keys[0].active && ana->user->keys[1].active);
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-remove\",\"id\":\"HFAK0000000000000001\"}");
    take();
    ck_assert_int_eq(intent_find(&intent, INTENT_USER, "ana")->user->key_count, 1);
    run("{\"op\":\"user\",\"user\":\"bob\",\"do\":\"add\",\"statements\":[]," KEY(
        "HFAK0000000000000002") "}");
    ck_assert(strstr(result.reply, "the access key HFAK0000000000000002 is one of the user ana"));
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"permit\",\"statements\":[{\"Effect\":\"Allow\","
        "\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{}}]}");
    ck_assert(strstr(result.reply, "ERR_INVALID") && strstr(result.reply, "nothing else of IAM's"));
    run("{\"op\":\"user\",\"user\":\"ana\",\"do\":\"permit\",\"statements\":[]}");
    take();
    /* What operators see of all this has no secret in it, now or before. */
    run("{\"op\":\"intent\"}");
    ck_assert(strstr(result.reply, "HFAK0000000000000001") && !strstr(result.reply, "hush"));
    ck_assert_ptr_null(strstr(result.reply, "secret"));
    ck_assert_int_eq(intent.version, 5);
}
END_TEST

START_TEST(test_user_refused)
{
    static const char *const lines[] = {
        "{\"op\":\"user\"}",
        "{\"op\":\"user\",\"user\":\"ana\"}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"add\"}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"add\",\"statements\":[],\"key\":{}}",
        "{\"op\":\"user\",\"user\":\"a na\",\"do\":\"add\",\"statements\":[]," KEY(
            "HFAK0000000000000001") "}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"add\",\"statements\":[]," KEY("HFAK short") "}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-add\",\"id\":\"x\"}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-remove\"}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"permit\",\"statements\":{}}",
        "{\"op\":\"user\",\"user\":\"ana\",\"do\":\"key-disable\",\"id\":\"HFAK0000000000000001\"}",
    };
    for (size_t i = 0; i < array_length(lines); i++) {
        run(lines[i]);
        ck_assert_msg(strstr(result.reply, "\"ok\":false") != NULL, "%s: %s", lines[i],
                      result.reply);
        ck_assert_ptr_null(strstr(result.reply, "hush"));
    }
    ck_assert(strstr(result.reply, "there is no user ana"));
}
END_TEST

#define EDIT(name, value, more) \
    "{\"kind\":\"control\",\"name\":\"" name "\",\"value\":" value more "}"
#define CHANGE(edits) "{\"op\":\"change\",\"edits\":[" edits "]}"

/* States alone are switched; an object keeps its id under another name. */
START_TEST(test_switch)
{
    char id[INTENT_ID_SIZE + 1];
    run(CHANGE("{\"kind\":\"panel\",\"name\":\"p\",\"value\":{}}," EDIT(
        "p/a", "{\"state\":\"On\",\"gates\":[\"region:x\"]}", "")));
    take();
    run("{\"op\":\"switch\",\"states\":{\"p/a\":\"Off\"}}");
    replies("{\"ok\":true,\"message\":\"change 2: control p/a is Off; it was On\"}");
    take();
    const struct intent_object *o = intent_find(&intent, INTENT_CONTROL, "p/a");
    ck_assert(!o->on && o->first.count == 1 && o->flipped_ms);
    memcpy(id, o->id, sizeof id);
    ck_assert_uint_eq(strlen(id), INTENT_ID_SIZE);
    run("{\"op\":\"switch\",\"states\":{\"p/a\":\"On\",\"p/b\":\"On\"}}");
    replies("{\"ok\":false,\"error\":\"ERR_MISSING\",\"message\":\"there is no control p/b\"}");
    run("{\"op\":\"switch\",\"states\":{\"p/a\":\"Maybe\"}}");
    ck_assert_ptr_nonnull(strstr(result.reply, "switch wants"));
    run(CHANGE(EDIT("p/b", "{\"state\":\"Off\"}", ",\"from\":\"p/a\"")));
    take();
    ck_assert_ptr_null(intent_find(&intent, INTENT_CONTROL, "p/a"));
    o = intent_find(&intent, INTENT_CONTROL, "p/b");
    ck_assert_str_eq(o->id, id);
    ck_assert(o->flipped_ms != 0);
    run(CHANGE(EDIT("p/b", "{\"state\":\"On\"}", ",\"create\":true")));
    ck_assert_ptr_nonnull(strstr(result.reply, "there is a control p/b already"));
    run(CHANGE(EDIT("p/c", "{\"state\":\"On\"}", ",\"from\":\"p/a\"")));
    ck_assert_ptr_nonnull(strstr(result.reply, "there is no control p/a"));
    /* what it was called before, taken back */
    run("{\"op\":\"undo\",\"change\":3}");
    take();
    ck_assert_ptr_nonnull(intent_find(&intent, INTENT_CONTROL, "p/a"));
    ck_assert_ptr_null(intent_find(&intent, INTENT_CONTROL, "p/b"));
}
END_TEST

CHECK_MAIN("command", test_order, test_order_refused, test_order_retried, test_told,
           test_proposal_refused, test_agreed, test_change, test_change_refused, test_last_endpoint,
           test_reload, test_import, test_others, test_dnssec, test_node, test_bytes, test_reply,
           test_user, test_user_refused, test_switch)
