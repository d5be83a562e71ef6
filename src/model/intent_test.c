#include "model/intent.h"

#include "base/err.h"
#include "model/intent_io.h"
#include "seam/disk.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char text[] =
    "node: {name: n, site: s, network: AS64500}\n"
    "zones: [{name: example.com, file: f}]\n"
    "services:\n"
    "  - {name: api.example.com, endpoints: [{name: use1, address: 192.0.2.1}, {name: euw1, "
    "address: 192.0.2.2}]}\n"
    "  - {name: www.example.com, endpoints: [{name: use1, address: 192.0.2.1}, {name: only, "
    "address: 192.0.2.2}]}\n"
    "  - {name: 'a/b.example.com', endpoints: [{name: odd, address: 192.0.2.1}]}\n";

static struct config *config_make(void)
{
    struct text problems = text_init(10000);
    struct config *config;
    ck_assert_msg(config_parse("x", text, sizeof text - 1, NULL, &problems, &config) == 0, "%s",
                  text_string(&problems));
    text_done(&problems);
    return config;
}

static const char reason[] = "kernel \"update\" \xc3\xa9";

/* Replaces *intent by what it is after the order. */
static void apply(struct intent *intent, const char *service, const char *endpoint,
                  enum admin_state state)
{
    struct intent_request words = {
        .author = "uid 1000 (ana)", .reason = reason, .wall_ms = INT64_C(1767225600000)};
    struct text why = text_init(1000);
    struct intent next;
    ck_assert_int_eq(intent_order(intent, &words, service, endpoint, state, &next, &why), 0);
    text_done(&why);
    intent_done(intent);
    *intent = next;
}

START_TEST(test_apply)
{
    struct intent i = {.version = 5};
    apply(&i, "b", "x", ADMIN_DRAINED);
    apply(&i, "a", "y", ADMIN_DISABLED);
    apply(&i, "a", "x", ADMIN_FORCED_UP);
    ck_assert_uint_eq(i.object_count, 3);
    ck_assert_uint_eq(i.version, 8);
    ck_assert_str_eq(i.objects[0]->name, "a/x");
    ck_assert_str_eq(i.objects[2]->name, "b/x");
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_FORCED_UP);
    ck_assert_int_eq(intent_admin(&i, "a", "z"), ADMIN_AUTO);
    ck_assert_int_eq(intent_admin(&i, "c", "x"), ADMIN_AUTO);
    apply(&i, "a", "x", ADMIN_DRAINED);
    ck_assert_uint_eq(i.object_count, 3);
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_DRAINED);
    apply(&i, "a", "x", ADMIN_AUTO);
    apply(&i, "a", "nobody", ADMIN_AUTO); /* nothing: no change */
    ck_assert_uint_eq(i.object_count, 2);
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_AUTO);
    ck_assert_uint_eq(i.version, 10);
    ck_assert_uint_eq(i.history_count, 5);
    intent_done(&i);
    ck_assert_uint_eq(i.object_count, 0);
}
END_TEST

/* ---- transactions ---- */

static struct intent now;
static struct text why;
static int64_t clock_ms = 1000000;

static int change(const struct intent_edit *edits, unsigned count, const char *override)
{
    struct intent_request r = {.author = "ana",
                               .wall_ms = clock_ms,
                               .edits = edits,
                               .edit_count = count,
                               .overrides = &override,
                               .override_count = override != NULL};
    struct intent next;
    text_done(&why);
    why = text_init(4096);
    int err = intent_apply(&now, &r, &next, &why);
    if (!err) {
        intent_done(&now);
        now = next;
    }
    ck_assert(err ? why.length > 0 : why.length == 0);
    return err;
}

static int put(enum intent_kind kind, const char *name, const char *value)
{
    struct intent_edit edit = {kind, name, value};
    return change(&edit, 1, NULL);
}

#define ON  "{\"state\":\"On\"}"
#define OFF "{\"state\":\"Off\"}"

static void panel_make(void)
{
    intent_done(&now);
    ck_assert_int_eq(put(INTENT_PANEL, "p", "{}"), 0);
    for (unsigned i = 0; i < 3; i++) {
        char name[] = "p/a";
        name[2] = (char)('a' + i);
        ck_assert_int_eq(put(INTENT_CONTROL, name, i < 2 ? ON : OFF), 0);
    }
    clock_ms += 60000;
}

static bool is_on(const char *name)
{
    return intent_find(&now, INTENT_CONTROL, name)->on;
}

START_TEST(test_assertion)
{
    panel_make();
    ck_assert_int_eq(put(INTENT_RULE, "p/r",
                         "{\"type\":\"assertion\",\"controls\":[\"a\",\"b\"],\"rule\":\"ATLEAST\","
                         "\"threshold\":1}"),
                     0);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", OFF), 0);
    clock_ms += 4999;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", ON), ERR_CONFLICT); /* the wait period, 5 s */
    ck_assert_ptr_nonnull(strstr(text_string(&why), "4999 ms ago"));
    clock_ms += 1;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/b", OFF), ERR_CONFLICT);
    ck_assert(is_on("p/b") && !is_on("p/a"));
    ck_assert_int_eq(put(INTENT_CONTROL, "p/c", ON), 0); /* not under the rule */
    /* both at once: only what is there after it counts */
    const struct intent_edit swap[] = {{INTENT_CONTROL, "p/b", OFF}, {INTENT_CONTROL, "p/a", ON}};
    ck_assert_int_eq(change(swap, 2, NULL), 0);
    ck_assert(is_on("p/a") && !is_on("p/b"));
    /* override, recorded */
    const struct intent_edit off = {INTENT_CONTROL, "p/a", OFF};
    ck_assert_int_eq(change(&off, 1, "p/x"), ERR_MISSING);
    ck_assert_int_eq(change(&off, 1, "p/r"), 0);
    ck_assert_str_eq(now.history[now.history_count - 1]->overridden.list[0], "p/r");
    /* a rule that is taken away in the same breath still counts */
    clock_ms += 60000;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", ON), 0);
    clock_ms += 60000;
    const struct intent_edit trick[] = {{INTENT_RULE, "p/r", NULL}, {INTENT_CONTROL, "p/a", OFF}};
    ck_assert_int_eq(change(trick, 2, NULL), ERR_CONFLICT);
    ck_assert(is_on("p/a") && intent_find(&now, INTENT_RULE, "p/r"));
}
END_TEST

START_TEST(test_gating)
{
    panel_make();
    ck_assert_int_eq(put(INTENT_RULE, "p/g",
                         "{\"type\":\"gating\",\"controls\":[\"c\"],\"targets\":[\"a\",\"b\"],"
                         "\"rule\":\"OR\",\"wait_ms\":0}"),
                     0);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", OFF), ERR_CONFLICT);
    /* the gate has to be open before, not by the same change */
    const struct intent_edit both[] = {{INTENT_CONTROL, "p/c", ON}, {INTENT_CONTROL, "p/a", OFF}};
    ck_assert_int_eq(change(both, 2, NULL), ERR_CONFLICT);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/c", ON), 0);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", OFF), 0);
    /* inverted: open while it is off */
    ck_assert_int_eq(put(INTENT_RULE, "p/g",
                         "{\"type\":\"gating\",\"controls\":[\"c\"],\"targets\":[\"a\",\"b\"],"
                         "\"rule\":\"OR\",\"wait_ms\":0,\"inverted\":true}"),
                     0);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", ON), ERR_CONFLICT);
}
END_TEST

START_TEST(test_references)
{
    panel_make();
    ck_assert_int_eq(put(INTENT_CONTROL, "q/a", ON), ERR_MISSING);
    ck_assert_int_eq(
        put(INTENT_RULE, "p/r", "{\"type\":\"assertion\",\"controls\":[\"z\"],\"rule\":\"AND\"}"),
        ERR_MISSING);
    ck_assert_int_eq(
        put(INTENT_RULE, "p/r", "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"AND\"}"),
        0);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", NULL), ERR_MISSING);
    ck_assert_ptr_nonnull(strstr(text_string(&why), "the rule p/r refers to the control p/a"));
    ck_assert_int_eq(put(INTENT_PANEL, "p", NULL), ERR_MISSING);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/z", NULL), ERR_MISSING);
    static const char *const bad[] = {
        "{}",
        "{\"type\":\"assertion\",\"controls\":[],\"rule\":\"AND\"}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"XOR\"}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"targets\":[\"b\"],\"rule\":\"AND\"}",
        "{\"type\":\"gating\",\"controls\":[\"a\"],\"rule\":\"AND\"}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"ATLEAST\"}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"ATLEAST\",\"threshold\":2}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"AND\",\"wait_ms\":-1}",
        "{\"type\":\"assertion\",\"controls\":[\"p/a\"],\"rule\":\"AND\"}",
        "{\"type\":\"assertion\",\"controls\":[\"a\"],\"rule\":\"AND\",\"more\":1}",
    };
    for (unsigned i = 0; i < array_length(bad); i++)
        ck_assert_int_eq(put(INTENT_RULE, "p/x", bad[i]), ERR_INVALID);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/bad name", ON), ERR_INVALID);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/x", "{\"state\":\"on\"}"), ERR_INVALID);
    ck_assert_int_eq(put(INTENT_CONTROL, "p/x", "{\"state\":\"On\",\"gates\":[\"all\"]}"),
                     ERR_INVALID);
}
END_TEST

START_TEST(test_standing)
{
    struct config_service s = {.name = "api.example.com"};
    struct config_endpoint use1 = {.name = "use1", .region = "us-east-1"};
    struct config_endpoint euw1 = {.name = "euw1", .region = "eu-west-1", .provider = "x"};
    struct text out = text_init(1000);
    panel_make();
    ck_assert_int_eq(
        put(INTENT_CONTROL, "p/c", "{\"state\":\"Off\",\"gates\":[\"region:us-east-1\"]}"), 0);
    struct intent_standing at = intent_standing(&now, &s, &use1, clock_ms);
    ck_assert_int_eq(at.state, ADMIN_DRAINED);
    intent_standing_why(at.by, &out);
    ck_assert_str_eq(text_string(&out), "control p/c is Off");
    ck_assert_int_eq(intent_standing(&now, &s, &euw1, clock_ms).state, ADMIN_AUTO);
    /* an order to force it up does not open the gate; one to disable it is the strongest */
    ck_assert_int_eq(put(INTENT_ENDPOINT, "api.example.com/use1", "{\"state\":\"forced-up\"}"), 0);
    ck_assert_int_eq(intent_standing(&now, &s, &use1, clock_ms).state, ADMIN_DRAINED);
    ck_assert_int_eq(put(INTENT_ENDPOINT, "api.example.com/use1", "{\"state\":\"disabled\"}"), 0);
    ck_assert_int_eq(intent_standing(&now, &s, &use1, clock_ms).state, ADMIN_DISABLED);
    /* a shift ends by itself */
    char value[64];
    int64_t end = clock_ms + 5000;
    snprintf(value, sizeof value, "{\"expires_ms\":%lld}", (long long)end);
    ck_assert_int_eq(put(INTENT_SHIFT, "provider:x", value), 0);
    ck_assert_int_eq(intent_holds_until(&now, clock_ms), end);
    ck_assert_int_eq(intent_standing(&now, &s, &euw1, end - 1).state, ADMIN_DRAINED);
    ck_assert_int_eq(intent_standing(&now, &s, &euw1, end).state, ADMIN_AUTO);
    ck_assert_int_eq(intent_holds_until(&now, end), INT64_MAX);
    ck_assert_int_eq(put(INTENT_SHIFT, "endpoint:api.example.com/euw1", value), 0);
    ck_assert_int_eq(intent_standing(&now, &s, &euw1, end - 1).state, ADMIN_DRAINED);
    snprintf(value, sizeof value, "{\"expires_ms\":%lld}",
             (long long)clock_ms + INTENT_SHIFT_MAX_MS + 1);
    ck_assert_int_eq(put(INTENT_SHIFT, "provider:x", value), ERR_INVALID);
    ck_assert_int_eq(put(INTENT_SHIFT, "everything", "{\"expires_ms\":1}"), ERR_INVALID);
    text_done(&out);
}
END_TEST

/* Time may step back; what happened does not become younger by it. */
START_TEST(test_clock_steps_back)
{
    panel_make();
    int64_t later = clock_ms;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", OFF), 0);
    clock_ms -= 3600000;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/b", OFF), 0);
    ck_assert_int_eq(now.history[now.history_count - 1]->wall_ms, later);
    clock_ms = later;
}
END_TEST

START_TEST(test_history)
{
    intent_done(&now);
    ck_assert_int_eq(put(INTENT_PANEL, "p", "{}"), 0);
    for (unsigned i = 0; i < INTENT_HISTORY_MAX + 10; i++) {
        ck_assert_int_eq(put(INTENT_CONTROL, "p/a", i % 2 ? OFF : ON), 0);
        ck_assert_uint_eq(now.version, i + 2);
    }
    ck_assert_uint_eq(now.history_count, INTENT_HISTORY_MAX);
    ck_assert_uint_eq(now.history[0]->version, now.version - INTENT_HISTORY_MAX + 1);
}
END_TEST

START_TEST(test_undo)
{
    struct intent_edit *edits;
    unsigned count;
    panel_make();
    uint64_t made = now.version;
    const struct intent_edit two[] = {{INTENT_CONTROL, "p/a", OFF}, {INTENT_CONTROL, "p/new", ON}};
    ck_assert_int_eq(change(two, 2, NULL), 0);
    ck_assert_int_eq(intent_undo(&now, made + 1, &edits, &count, &why), 0);
    ck_assert_int_eq(change(edits, count, NULL), 0);
    intent_edits_free(edits, count);
    ck_assert(is_on("p/a") && !intent_find(&now, INTENT_CONTROL, "p/new"));
    ck_assert_int_eq(intent_undo(&now, made + 1, &edits, &count, &why), ERR_CONFLICT);
    ck_assert_int_eq(intent_undo(&now, 12345, &edits, &count, &why), ERR_MISSING);
}
END_TEST

/* A retry of a request that was carried out changes nothing, whatever came between. */
START_TEST(test_token)
{
    struct intent_edit off = {INTENT_CONTROL, "p/a", OFF};
    struct intent_request r = {
        .author = "ana", .token = "once", .wall_ms = clock_ms, .edits = &off, .edit_count = 1};
    struct intent next;
    panel_make();
    ck_assert_int_eq(intent_apply(&now, &r, &next, &why), 0);
    intent_done(&now);
    now = next;
    ck_assert_int_eq(put(INTENT_CONTROL, "p/a", ON), 0);
    uint64_t version = now.version;
    ck_assert_int_eq(intent_apply(&now, &r, &next, &why), 0);
    intent_done(&now);
    now = next;
    ck_assert(is_on("p/a"));
    ck_assert_uint_eq(now.version, version);
}
END_TEST

/* More changes than the history holds came between, and a restart: it is known all the same. */
START_TEST(test_late_token)
{
    struct intent_edit off = {INTENT_CONTROL, "p/a", OFF};
    struct intent_request r = {
        .author = "ana", .token = "once", .wall_ms = clock_ms, .edits = &off, .edit_count = 1};
    struct intent next;
    const char *wrong;
    panel_make();
    ck_assert_int_eq(intent_apply(&now, &r, &next, &why), 0);
    intent_done(&now);
    now = next;
    uint64_t made = now.version;
    for (unsigned i = 0; i < INTENT_HISTORY_MAX + 10; i++)
        ck_assert_int_eq(put(INTENT_CONTROL, "p/a", i % 2 ? OFF : ON), 0);
    uint64_t version = now.version;
    ck_assert_uint_gt(now.history[0]->version, made);
    char *bytes = intent_encode(&now);
    ck_assert_int_eq(intent_decode(bytes, strlen(bytes), &next, &wrong), 0);
    char *again = intent_encode(&next);
    ck_assert_str_eq(bytes, again);
    ck_assert_uint_eq(next.object_bytes, now.object_bytes);
    ck_assert_uint_eq(next.history_bytes, now.history_bytes);
    free(bytes);
    free(again);
    intent_done(&now);
    now = next;
    r.wall_ms = clock_ms + TOLD_FOR_MS;
    ck_assert_int_eq(intent_apply(&now, &r, &next, &why), 0);
    ck_assert_uint_eq(next.version, version);
    ck_assert_uint_eq(told_find(&next.told, "once")->version, made);
    intent_done(&next);
}
END_TEST

/* Large objects: neither they nor what is remembered of them outgrows a file. */
START_TEST(test_bytes)
{
    enum { LARGE = 1 << 20 };
    char *value = mem_new(LARGE + 100, 1), name[32];
    struct intent_edit e = {INTENT_CHECK, name, value};
    int err = 0;
    unsigned made = 0;
    intent_done(&now);
    snprintf(value, 30, "{\"tcp\":443,\"text\":\"");
    memset(value + strlen(value), 'x', LARGE);
    strncat(value, "\"}", 3);
    for (; !err && made < 100; made += !err) {
        snprintf(name, sizeof name, "c%u", made);
        err = change(&e, 1, NULL);
        ck_assert_uint_le(now.history_bytes, INTENT_HISTORY_BYTES_MAX);
    }
    ck_assert_int_eq(err, ERR_LIMIT);
    ck_assert_uint_eq(made, INTENT_BYTES_MAX / (LARGE + 200));
    ck_assert_uint_lt(now.history_count, 9);
    ck_assert_uint_gt(now.history_count, 5);
    /* what makes it smaller is taken */
    e = (struct intent_edit){INTENT_CHECK, "c0", NULL};
    ck_assert_int_eq(change(&e, 1, NULL), 0);
    e = (struct intent_edit){INTENT_CHECK, "new", value};
    ck_assert_int_eq(change(&e, 1, NULL), 0);
    free(value);
}
END_TEST

START_TEST(test_find)
{
    struct config *c = config_make();
    uint32_t service = 9, endpoint = 9;
    ck_assert_int_eq(intent_endpoint_find(c, "use1", &service, &endpoint), ERR_AMBIGUOUS);
    ck_assert_int_eq(intent_endpoint_find(c, "nobody", &service, &endpoint), ERR_MISSING);
    ck_assert_int_eq(intent_endpoint_find(c, "api.example.com/only", &service, &endpoint),
                     ERR_MISSING);
    ck_assert_int_eq(intent_endpoint_find(c, "", &service, &endpoint), ERR_MISSING);
    ck_assert_int_eq(intent_endpoint_find(c, "/use1", &service, &endpoint), ERR_MISSING);
    ck_assert_uint_eq(service, 9);
    ck_assert_int_eq(intent_endpoint_find(c, "only", &service, &endpoint), 0);
    ck_assert_uint_eq(service, 1);
    ck_assert_uint_eq(endpoint, 1);
    ck_assert_int_eq(intent_endpoint_find(c, "API.example.com/use1", &service, &endpoint), 0);
    ck_assert_uint_eq(service, 0);
    ck_assert_uint_eq(endpoint, 0);
    ck_assert_int_eq(intent_endpoint_find(c, "a/b.example.com/odd", &service, &endpoint), 0);
    ck_assert_uint_eq(service, 2);
    config_free(c);
}
END_TEST

START_TEST(test_states)
{
    enum admin_state s = ADMIN_AUTO;
    ck_assert_str_eq(admin_state_name(ADMIN_FORCED_UP), "forced-up");
    ck_assert_int_eq(admin_state_parse("disabled", &s), 0);
    ck_assert_int_eq(s, ADMIN_DISABLED);
    ck_assert_int_eq(admin_state_parse("down", &s), ERR_INVALID);
}
END_TEST

START_TEST(test_json)
{
    struct intent back;
    const char *wrong = NULL;
    panel_make();
    apply(&now, "b", "x", ADMIN_DRAINED);
    ck_assert_int_eq(put(INTENT_RULE, "p/g",
                         "{\"type\":\"gating\",\"controls\":[\"c\"],\"targets\":[\"a\",\"b\"],"
                         "\"rule\":\"OR\",\"wait_ms\":7,\"inverted\":true}"),
                     0);
    const struct intent_edit off = {INTENT_CONTROL, "p/a", OFF};
    ck_assert_int_eq(change(&off, 1, "p/g"), 0);
    char *json = intent_encode(&now);
    ck_assert_int_eq(intent_decode(json, strlen(json), &back, &wrong), 0);
    char *again = intent_encode(&back);
    ck_assert_str_eq(json, again);
    ck_assert_uint_eq(back.version, now.version);
    ck_assert_int_eq(intent_find(&back, INTENT_CONTROL, "p/a")->flipped_ms,
                     INT64_C(1767225600000)); /* time never goes back */
    const struct intent_object *o = intent_find(&back, INTENT_ENDPOINT, "b/x");
    ck_assert_str_eq(o->reason, reason);
    ck_assert_str_eq(o->author, "uid 1000 (ana)");
    ck_assert_ptr_null(intent_find(&back, INTENT_PANEL, "p")->reason);
    for (size_t n = 0; n < strlen(json); n++) { /* torn anywhere: refused */
        struct intent torn;
        ck_assert_int_lt(intent_decode(json, n, &torn, &wrong), 0);
    }
    free(json);
    free(again);
    intent_done(&back);
}
END_TEST

/* What an earlier version of the program wrote. */
START_TEST(test_json_first_format)
{
    static const char old[] =
        "{\"format\":1,\"version\":7,\"orders\":[{\"service\":\"b\",\"endpoint\":\"x\",\"state\":"
        "\"drained\",\"wall\":12,\"author\":\"ana\",\"reason\":\"r\"},{\"service\":\"a\","
        "\"endpoint\":\"y\",\"state\":\"disabled\",\"wall\":13,\"author\":\"\"}]}";
    struct intent back;
    const char *wrong = NULL;
    ck_assert_int_eq(intent_decode(old, strlen(old), &back, &wrong), 0);
    ck_assert_uint_eq(back.version, 7);
    ck_assert_int_eq(intent_admin(&back, "b", "x"), ADMIN_DRAINED);
    ck_assert_int_eq(intent_admin(&back, "a", "y"), ADMIN_DISABLED);
    ck_assert_int_eq(intent_find(&back, INTENT_ENDPOINT, "b/x")->wall_ms, 12000);
    apply(&back, "b", "x", ADMIN_AUTO);
    ck_assert_uint_eq(back.version, 8);
    intent_done(&back);
}
END_TEST

START_TEST(test_json_refused)
{
    static const struct {
        const char *json;
        int err;
        const char *why;
    } cases[] = {
        {"[]", ERR_SYNTAX, "it is not a JSON object"},
        {"{", ERR_SYNTAX, "it is not a JSON object"},
        {"{\"a\":1,\"a\":2}", ERR_SYNTAX, "it is not a JSON object"},
        {"{}", ERR_INVALID, "it does not say its format"},
        {"{\"format\":3}", ERR_VERSION, "it is of a format that this program does not read"},
        {"{\"format\":1}", ERR_INVALID, "it does not say its version"},
        {"{\"format\":1,\"version\":1}", ERR_INVALID, "it has no list of at most 20000 objects"},
        {"{\"format\":1,\"version\":1,\"orders\":[1]}", ERR_INVALID,
         "an order lacks its service, endpoint, state or author"},
        {"{\"format\":1,\"version\":1,\"orders\":[{\"service\":\"a\",\"endpoint\":\"b\",\"state\":"
         "\"down\","
         "\"author\":\"\",\"wall\":1}]}",
         ERR_INVALID, "an order has a state other than drained, disabled and forced-up"},
        {"{\"format\":1,\"version\":1,\"orders\":[{\"service\":\"a\",\"endpoint\":\"b\",\"state\":"
         "\"drained\","
         "\"author\":\"\"}]}",
         ERR_INVALID, "an order does not say when it was given"},
        {"{\"format\":1,\"version\":1,\"orders\":[{\"service\":\"a\",\"endpoint\":\"b\",\"state\":"
         "\"drained\","
         "\"author\":\"\",\"wall\":1},{\"service\":\"a\",\"endpoint\":\"b\",\"state\":\"disabled\","
         "\"author\":\"\",\"wall\":1}]}",
         ERR_INVALID, "two objects have one name"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct intent out = {.version = 77};
        const char *wrong = NULL;
        ck_assert_int_eq(intent_decode(cases[i].json, strlen(cases[i].json), &out, &wrong),
                         cases[i].err);
        ck_assert_str_eq(wrong, cases[i].why);
        ck_assert_uint_eq(out.version, 77);
    }
}
END_TEST

/* ---- on disk ---- */

static char folder[64], path[128];

static void folder_make(void)
{
    snprintf(folder, sizeof folder, "/tmp/intent-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *file(const char *suffix)
{
    snprintf(path, sizeof path, "%s/intent.json%s", folder, suffix);
    return path;
}

static int remove_one(void *context, const char *name)
{
    (void)context;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return unlink(path);
}

static void folder_remove(void)
{
    ck_assert_int_eq(disk_list(folder, remove_one, NULL), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void damage(const char *bytes)
{
    ck_assert_int_eq(disk_write_atomic(file(""), bytes, strlen(bytes), 0640), 0);
}

START_TEST(test_store)
{
    struct intent i = {0}, back;
    struct stat st;
    folder_make();
    ck_assert_int_eq(intent_load(folder, &back), 0);
    ck_assert_uint_eq(back.object_count, 0);
    apply(&i, "a", "x", ADMIN_DRAINED);
    ck_assert_int_eq(intent_save(folder, &i), 0);
    ck_assert_int_eq(stat(file(""), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(intent_load(folder, &back), 0);
    ck_assert_uint_eq(back.version, 1);
    ck_assert_int_eq(intent_admin(&back, "a", "x"), ADMIN_DRAINED);
    ck_assert_ptr_null(back.config);
    intent_done(&back);
    intent_done(&i);
    folder_remove();
}
END_TEST

/* A damaged file costs the newest order at most, and is kept for people to look at. */
START_TEST(test_store_damaged)
{
    struct intent i = {0}, back;
    char *kept;
    size_t length;
    folder_make();
    apply(&i, "a", "x", ADMIN_DISABLED);
    ck_assert_int_eq(intent_save(folder, &i), 0);
    apply(&i, "a", "y", ADMIN_DRAINED);
    ck_assert_int_eq(intent_save(folder, &i), 0);
    damage("{\"format\":1,");
    ck_assert_int_eq(intent_load(folder, &back), 0);
    ck_assert_int_eq(intent_admin(&back, "a", "x"), ADMIN_DISABLED);
    ck_assert_uint_gt(back.version, i.version);
    ck_assert_int_eq(disk_read(file(".damaged-1"), 1000, &kept, &length), 0);
    ck_assert_str_eq(kept, "{\"format\":1,");
    free(kept);
    /* read again: the same damage is kept once */
    intent_done(&back);
    ck_assert_int_eq(intent_load(folder, &back), 0);
    ck_assert_int_eq(access(file(".damaged-2"), F_OK), -1);
    /* the next order does not push the good one out by the damaged one */
    ck_assert_int_eq(intent_save(folder, &back), 0);
    intent_done(&back);
    damage("again");
    ck_assert_int_eq(intent_load(folder, &back), 0);
    ck_assert_int_eq(intent_admin(&back, "a", "x"), ADMIN_DISABLED);
    ck_assert_int_eq(access(file(".damaged-2"), F_OK), 0);
    intent_done(&back);
    intent_done(&i);
    folder_remove();
}
END_TEST

/* Nothing left to go by: an error at every start, until somebody has looked. */
START_TEST(test_store_lost)
{
    struct intent back = {.version = 3};
    folder_make();
    damage("{}");
    for (unsigned n = 0; n < 3; n++)
        ck_assert_int_eq(intent_load(folder, &back), ERR_INVALID);
    ck_assert_uint_eq(back.version, 3);
    ck_assert_int_eq(access(file(""), F_OK), 0);
    ck_assert_int_eq(access(file(".damaged-1"), F_OK), 0);
    ck_assert_int_eq(access(file(".damaged-2"), F_OK), -1);
    damage("{\"format\":9,\"version\":1,\"orders\":[]}");
    ck_assert_int_eq(intent_load(folder, &back), ERR_VERSION);
    folder_remove();
}
END_TEST

START_TEST(test_store_fails)
{
    struct intent i = {0};
    ck_assert_int_lt(intent_save("/nonexistent/folder", &i), 0);
    ck_assert_int_eq(intent_load("/nonexistent/folder", &i), 0);
}
END_TEST

CHECK_MAIN("intent", test_apply, test_assertion, test_gating, test_references, test_standing,
           test_clock_steps_back, test_history, test_undo, test_token, test_late_token, test_bytes,
           test_json_first_format, test_find, test_states, test_json, test_json_refused, test_store,
           test_store_damaged, test_store_lost, test_store_fails)
