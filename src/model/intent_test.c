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
    ck_assert_msg(config_parse("x", text, sizeof text - 1, &problems, &config) == 0, "%s",
                  text_string(&problems));
    text_done(&problems);
    return config;
}

static struct intent_order order(const char *service, const char *endpoint, enum admin_state state)
{
    return (struct intent_order){.service = (char *)service,
                                 .endpoint = (char *)endpoint,
                                 .state = state,
                                 .wall = 1767225600,
                                 .author = (char *)"uid 1000 (ana)",
                                 .reason = (char *)"kernel \"update\" \xc3\xa9"};
}

/* Replaces *intent by what it is after the order. */
static void apply(struct intent *intent, const char *service, const char *endpoint,
                  enum admin_state state)
{
    struct intent_order o = order(service, endpoint, state);
    struct intent next;
    ck_assert_int_eq(intent_apply(intent, &o, &next), 0);
    intent_done(intent);
    *intent = next;
}

START_TEST(test_apply)
{
    struct intent i = {.version = 5};
    apply(&i, "b", "x", ADMIN_DRAINED);
    apply(&i, "a", "y", ADMIN_DISABLED);
    apply(&i, "a", "x", ADMIN_FORCED_UP);
    ck_assert_uint_eq(i.order_count, 3);
    ck_assert_uint_eq(i.version, 8);
    ck_assert_str_eq(i.orders[0].endpoint, "x");
    ck_assert_str_eq(i.orders[2].service, "b");
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_FORCED_UP);
    ck_assert_int_eq(intent_admin(&i, "a", "z"), ADMIN_AUTO);
    ck_assert_int_eq(intent_admin(&i, "c", "x"), ADMIN_AUTO);
    apply(&i, "a", "x", ADMIN_DRAINED);
    ck_assert_uint_eq(i.order_count, 3);
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_DRAINED);
    apply(&i, "a", "x", ADMIN_AUTO);
    apply(&i, "a", "nobody", ADMIN_AUTO);
    ck_assert_uint_eq(i.order_count, 2);
    ck_assert_int_eq(intent_admin(&i, "a", "x"), ADMIN_AUTO);
    ck_assert_uint_eq(i.version, 11);
    intent_done(&i);
    ck_assert_uint_eq(i.order_count, 0);
}
END_TEST

START_TEST(test_limit)
{
    struct intent i = {.orders = mem_new(INTENT_ORDERS_MAX, sizeof *i.orders)};
    struct intent next;
    for (; i.order_count < INTENT_ORDERS_MAX; i.order_count++) {
        char name[16];
        snprintf(name, sizeof name, "e%05u", i.order_count);
        i.orders[i.order_count] = (struct intent_order){.service = mem_string("s"),
                                                        .endpoint = mem_string(name),
                                                        .state = ADMIN_DRAINED,
                                                        .author = mem_string("")};
    }
    struct intent_order o = order("s", "e", ADMIN_DRAINED);
    ck_assert_int_eq(intent_apply(&i, &o, &next), ERR_LIMIT);
    o = order("s", "e00007", ADMIN_DISABLED); /* one that is there may still change */
    ck_assert_int_eq(intent_apply(&i, &o, &next), 0);
    ck_assert_int_eq(intent_admin(&next, "s", "e00007"), ADMIN_DISABLED);
    intent_done(&next);
    intent_done(&i);
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
    struct intent i = {.version = 41}, back;
    const char *why = NULL;
    apply(&i, "b", "x", ADMIN_DRAINED);
    apply(&i, "a", "y", ADMIN_DISABLED);
    free(i.orders[0].reason);
    i.orders[0].reason = NULL;
    char *json = intent_encode(&i);
    ck_assert_int_eq(intent_decode(json, strlen(json), &back, &why), 0);
    ck_assert_uint_eq(back.version, 43);
    ck_assert_uint_eq(back.order_count, 2);
    ck_assert_str_eq(back.orders[0].service, "a");
    ck_assert_ptr_null(back.orders[0].reason);
    ck_assert_str_eq(back.orders[1].reason, "kernel \"update\" \xc3\xa9");
    ck_assert_str_eq(back.orders[1].author, "uid 1000 (ana)");
    ck_assert_int_eq(back.orders[1].wall, 1767225600);
    for (size_t n = 0; n < strlen(json); n++) { /* torn anywhere: refused */
        struct intent torn;
        ck_assert_int_lt(intent_decode(json, n, &torn, &why), 0);
    }
    free(json);
    intent_done(&back);
    intent_done(&i);
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
        {"{\"format\":2}", ERR_VERSION, "it is of a format that this program does not read"},
        {"{\"format\":1}", ERR_INVALID, "it does not say its version"},
        {"{\"format\":1,\"version\":1}", ERR_INVALID, "it has no list of at most 10000 orders"},
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
         ERR_INVALID, "two orders are about one endpoint"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct intent out = {.version = 77};
        const char *why = NULL;
        ck_assert_int_eq(intent_decode(cases[i].json, strlen(cases[i].json), &out, &why),
                         cases[i].err);
        ck_assert_str_eq(why, cases[i].why);
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
    ck_assert_uint_eq(back.order_count, 0);
    apply(&i, "a", "x", ADMIN_DRAINED);
    ck_assert_int_eq(intent_save(folder, &i), 0);
    ck_assert_int_eq(stat(file(""), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
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

CHECK_MAIN("intent", test_apply, test_limit, test_find, test_states, test_json, test_json_refused,
           test_store, test_store_damaged, test_store_lost, test_store_fails)
