/* DNS UPDATE into shared zones: a message becomes one request that puts whole sets. */
#include "command/command.h"
#include "command/update_fixture.h"
#include "command/update_shared.h"
#include "test/check_main.h"
#include <jansson.h>
#include <stdlib.h>

#define SOA_VALUE "ns1.example.net. hostmaster.example.net. 40 3600 600 86400 60"

static struct intent intent; /* of the one test of this process */
static struct update_result result;
static char *line;

static void put(const struct intent_edit *edits, unsigned count)
{
    struct text why = text_init(4096);
    struct intent next;
    struct intent_request r = {
        .author = "uid 0", .wall_ms = 1000, .edits = edits, .edit_count = count};
    ck_assert_msg(!intent_apply(&intent, &r, &next, &why), "%s", text_string(&why));
    text_done(&why);
    intent_done(&intent);
    intent = next;
}

static void begin(void)
{
    static const struct intent_edit edits[] = {
        {INTENT_ZONE, "example.com", "{}"},
        {INTENT_RECORDS, "example.com example.com SOA",
         "{\"ttl\": 300, \"values\": [\"" SOA_VALUE "\"]}"},
        {INTENT_RECORDS, "example.com example.com NS",
         "{\"ttl\": 300, \"values\": [\"ns1.example.net.\"]}"},
        {INTENT_RECORDS, "example.com www.example.com A",
         "{\"ttl\": 300, \"values\": [\"192.0.2.1\", \"192.0.2.2\"]}"},
        {INTENT_RECORDS, "example.com www.example.com TXT",
         "{\"ttl\": 60, \"values\": [\"\\\"a b\\\"\"]}"},
    };
    put(edits, array_length(edits));
    put(&(struct intent_edit){INTENT_PANEL, "p", "{}"}, 1); /* change 2 is of no zone */
}

static enum dns_rcode run(const char *prerequisites, const char *updates)
{
    static struct update_message m;
    static uint16_t types[] = {DNS_A, DNS_TXT, DNS_SOA, DNS_CNAME};
    struct config_update_rule rule = {.types = types, .type_count = array_length(types)};
    struct config_zone zone = {.name = "example.com", .update = {.rules = &rule, .rule_count = 1}};
    m.length = 0;
    update_message(&m, prerequisites, updates);
    struct update_request r = {
        .wire = m.bytes, .length = m.length, .zone = &zone, .key_name = held_origin};
    held_change_done(&result.change);
    free(line);
    update_shared_run(&intent, &r, "token-1", &result, &line);
    ck_assert_int_eq(line != NULL, result.changed);
    return result.rcode;
}

/* What the node does with the request: the outcome of command_apply(). */
static int carry_out(void)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    json_t *proposal = json_loads(line, 0, NULL);
    json_object_del(proposal, "force");
    json_object_set_new(proposal, "author", json_string("tsig:certbot"));
    char *text = json_dumps(proposal, 0);
    int err = command_apply(&intent, text, strlen(text), 2000, &next, &sentence);
    if (!err) {
        intent_done(&intent);
        intent = next;
    }
    free(text);
    json_decref(proposal);
    text_done(&sentence);
    return err;
}

static const char *value_of(const char *name)
{
    const struct intent_object *o = intent_find(&intent, INTENT_RECORDS, name);
    return o ? o->value : "none";
}

static void finish(void)
{
    held_change_done(&result.change);
    free(line);
    intent_done(&intent);
}

/* Only what was touched, and that whole. */
START_TEST(test_sets)
{
    begin();
    ck_assert_uint_eq(run("www IN 0 A 192.0.2.2\nwww IN 0 A 192.0.2.1\n",
                          "www NONE 0 A 192.0.2.1\nnew IN 60 TXT \"x;y\"\nnew IN 60 TXT z\n"
                          "www ANY 0 TXT\n"),
                      DNS_NOERROR);
    ck_assert_int_eq(carry_out(), 0);
    ck_assert_str_eq(value_of("example.com www.example.com A"),
                     "{\"ttl\":300,\"values\":[\"192.0.2.2\"]}");
    ck_assert_str_eq(value_of("example.com www.example.com TXT"), "none");
    ck_assert_ptr_nonnull(strstr(value_of("example.com new.example.com TXT"), "\\\"x;y\\\""));
    const struct intent_change *c = intent.history[intent.history_count - 1];
    ck_assert_uint_eq(c->edit_count, 3); /* no SOA record: its serial moves by itself */
    ck_assert_str_eq(c->reason, "DNS UPDATE");
    ck_assert_str_eq(c->author, "tsig:certbot");
    ck_assert_str_eq(c->token, "token-1");
    ck_assert_uint_eq(intent_zone_serial(&intent, "example.com"), 43);
    finish();
}
END_TEST

START_TEST(test_refusals)
{
    begin();
    ck_assert_uint_eq(run("www NONE 0 ANY\n", "new IN 60 TXT z\n"), DNS_YXDOMAIN);
    ck_assert_uint_eq(run("", "new IN 60 MX 10 www\n"), DNS_REFUSED);
    ck_assert_uint_eq(run("", "www ANY 0 MX\n"), DNS_REFUSED);
    ck_assert_uint_eq(run("", "nobody ANY 0 A\n"), DNS_NOERROR); /* nothing had to change */
    ck_assert_ptr_null(line);
    put(&(struct intent_edit){INTENT_RECORDS, "example.com example.com SOA", NULL}, 1);
    ck_assert_uint_eq(run("", "new IN 60 TXT z\n"), DNS_SERVFAIL); /* it is no zone (yet) */
    finish();
}
END_TEST

/* Worked out from what is no more: refused whole, and right when it is looked at again. */
START_TEST(test_meanwhile)
{
    begin();
    ck_assert_uint_eq(run("", "www IN 300 A 192.0.2.3\n"), DNS_NOERROR);
    put(&(struct intent_edit){INTENT_PANEL, "q", "{}"},
        1); /* another zone's, or none's: no matter */
    ck_assert_int_eq(carry_out(), 0);
    ck_assert_uint_eq(run("", "www IN 300 A 192.0.2.4\n"), DNS_NOERROR);
    put(&(struct intent_edit){INTENT_RECORDS, "example.com www.example.com A",
                              "{\"ttl\": 300, \"values\": [\"192.0.2.9\"]}"},
        1);
    json_t *again = json_loads(line, 0, NULL); /* another token: the first one is known */
    json_object_set_new(again, "token", json_string("token-2"));
    free(line);
    line = json_dumps(again, 0);
    json_decref(again);
    ck_assert_int_eq(carry_out(), ERR_CONFLICT);
    ck_assert_str_eq(value_of("example.com www.example.com A"),
                     "{\"ttl\":300,\"values\":[\"192.0.2.9\"]}");
    ck_assert_uint_eq(run("", "www IN 300 A 192.0.2.4\n"), DNS_NOERROR);
    ck_assert_ptr_nonnull(strstr(line, "192.0.2.9"));
    finish();
}
END_TEST

/* A SOA record of the message: its fields are taken, and the serial gets no less than it says. */
START_TEST(test_soa)
{
    begin();
    ck_assert_uint_eq(intent_zone_serial(&intent, "example.com"), 41);
    ck_assert_uint_eq(run("", "@ IN 300 SOA ns2 hostmaster 1000 3600 600 86400 30\n"), 0);
    ck_assert_int_eq(carry_out(), 0);
    ck_assert_uint_eq(intent_zone_serial(&intent, "example.com"), 1000);
    ck_assert_ptr_nonnull(strstr(value_of("example.com example.com SOA"), "ns2.example.com."));
    /* an old one is passed over (RFC 2136 3.4.2.2) */
    ck_assert_uint_eq(run("", "@ IN 300 SOA ns3 hostmaster 999 3600 600 86400 30\n"), 0);
    ck_assert_ptr_null(line);
    /* nothing but the next serial */
    ck_assert_uint_eq(
        run("", "@ IN 300 SOA ns2.example.com. hostmaster.example.com. 1001 3600 600 86400 30\n"),
        0);
    json_t *again = json_loads(line, 0, NULL);
    json_object_set_new(again, "token", json_string("token-2"));
    free(line);
    line = json_dumps(again, 0);
    json_decref(again);
    ck_assert_int_eq(carry_out(), 0);
    ck_assert_uint_ge(intent_zone_serial(&intent, "example.com"), 1001);
    finish();
}
END_TEST

CHECK_MAIN("update_shared", test_sets, test_refusals, test_meanwhile, test_soa)
