/* Zones, checks and services that nodes share, beside those of the file. */
#include "base/err.h"
#include "model/config.h"
#include "test/check_main.h"
#include <string.h>

enum { PROBLEMS_MAX = 1 << 20 };

#define NODE "node: {name: n, site: s, network: AS64500}\n"
#define ZONE "zones: [{name: example.com, file: example.com.zone}]\n"
#define WEB  "{\"tcp\": 443, \"interval\": \"1s\"}"
#define API \
    "{\"endpoints\": [{\"name\": \"use1\", \"address\": \"192.0.2.1\", \"check\": \"web\"}]}"

static struct config *with(const char *file, const struct config_part *list, uint32_t count)
{
    const struct config_parts parts = {list, count};
    struct text problems = text_init(PROBLEMS_MAX);
    struct config *config = NULL;
    int err = config_parse("/etc/x.yaml", file, strlen(file), &parts, &problems, &config);
    ck_assert_msg(!err, "%s", text_string(&problems));
    text_done(&problems);
    return config;
}

static void refused(const char *file, const struct config_part *list, uint32_t count,
                    const char *expected)
{
    const struct config_parts parts = {list, count};
    struct text problems = text_init(PROBLEMS_MAX);
    struct config *config;
    ck_assert_int_lt(config_parse("x.yaml", file, strlen(file), &parts, &problems, &config), 0);
    ck_assert_str_eq(text_string(&problems), expected);
    text_done(&problems);
}

START_TEST(test_all_kinds)
{
    const struct config_part list[] = {
        {PART_CHECK, "web", WEB},
        {PART_SERVICE, "api.example.com", API},
        {PART_SERVICE, "www.example.org", API},
        {PART_ZONE, "example.org", "{\"transfer\": {\"allow\": [\"192.0.2.0/24\"]}}"},
    };
    struct config *c = with(NODE ZONE, list, array_length(list));
    ck_assert_uint_eq(c->zone_count, 2);
    ck_assert_str_eq(c->zones[1].name, "example.org");
    ck_assert(!c->zones[0].shared && c->zones[1].shared && c->zones[1].transfer.allow_count);
    ck_assert_uint_eq(c->check_count, 1);
    ck_assert_uint_eq(c->service_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(c->services[i].zone, (int)i);
        ck_assert_int_eq(c->services[i].endpoints[0].check, 0);
    }
    config_free(c);
}
END_TEST

/* What the file has and what is shared refer to each other. */
START_TEST(test_mixed)
{
    const struct config_part check = {PART_CHECK, "web", WEB};
    struct config *c = with(NODE ZONE "checks: {ping: {icmp: true}}\n"
                                      "services: [{name: api.example.com, endpoints: "
                                      "[{name: a, address: 192.0.2.1, check: web}]}]\n",
                            &check, 1);
    ck_assert_uint_eq(c->check_count, 2);
    ck_assert_str_eq(c->checks[c->services[0].endpoints[0].check].name, "web");
    config_free(c);
}
END_TEST

/* A node may have nothing but what is shared. */
START_TEST(test_only_shared)
{
    const struct config_part zone = {PART_ZONE, "example.org", "{}"};
    struct config *c = with(NODE, &zone, 1);
    ck_assert_uint_eq(c->zone_count, 1);
    config_free(c);
}
END_TEST

START_TEST(test_problems)
{
    const struct config_part wrong[] = {
        {PART_CHECK, "web", "{\"tcp\": 70000}"},
        {PART_SERVICE, "a.example.com", "{\"endpoints\": 7}"},
        {PART_SERVICE, "b.example.com", "[1]"},
        {PART_SERVICE, "c.example.com", "{"},
        {PART_ZONE, "d.example.com", "{\"file\": \"/etc/passwd\"}"},
        {PART_ZONE, "e.example.com", "{\"serial\": \"date\"}"},
    };
    struct text out = text_init(PROBLEMS_MAX);
    const struct config_parts parts = {wrong, array_length(wrong)};
    struct config *config;
    const char *file = NODE ZONE;
    ck_assert_int_lt(config_parse("x.yaml", file, strlen(file), &parts, &out, &config), 0);
    const char *text = text_string(&out);
    ck_assert_ptr_nonnull(strstr(text, "shared check web:1:9: "));
    ck_assert_ptr_nonnull(strstr(text, "shared service a.example.com:1:15: "));
    ck_assert_ptr_nonnull(strstr(text, "shared service b.example.com:1:1: it is no mapping"));
    ck_assert_ptr_nonnull(strstr(text, "shared service c.example.com:"));
    ck_assert_ptr_nonnull(strstr(text, "shared zone d.example.com:1:10: what is shared has"));
    ck_assert_ptr_nonnull(strstr(text, "shared zone e.example.com:1:12: the serial of a zone"));
    text_done(&out);
}
END_TEST

START_TEST(test_twice)
{
    const struct config_part zone = {PART_ZONE, "example.com", "{}"};
    const struct config_part check = {PART_CHECK, "web", WEB};
    refused(NODE ZONE, &zone, 1,
            "shared zone example.com:1:1: the zone example.com was named before, in line 2; keep "
            "one of them\n");
    refused(NODE ZONE "checks: {web: {icmp: true}}\n", &check, 1,
            "x.yaml:3:15: the check web is shared among the nodes, too; keep one of them\n");
    const struct config_part twice[] = {{PART_SERVICE, "api.example.com", API},
                                        {PART_SERVICE, "api.example.com", API},
                                        {PART_CHECK, "web", WEB}};
    refused(NODE ZONE, twice, 3,
            "shared service api.example.com:1:1: the service api.example.com was named before, in "
            "the shared service api.example.com; put its endpoints together\n");
}
END_TEST

/* TSIG keys are each node's own: a shared zone names some that this node may lack. */
START_TEST(test_update_keys)
{
    const struct config_part zone = {
        PART_ZONE, "example.org",
        "{\"update\": {\"rules\": [{\"key\": \"b\"}, {\"key\": \"c\"}]}}"};
    struct config *c =
        with(NODE ZONE "tsig: {a: {secret: c2VjcmV0}, b: {secret: c2VjcmV0}}\n", &zone, 1);
    ck_assert_uint_eq(c->zones[1].update.rule_count, 2);
    ck_assert_int_eq(c->zones[1].update.rules[0].key, 1);
    ck_assert_int_eq(c->zones[1].update.rules[1].key, CONFIG_NONE);
    ck_assert_str_eq(c->zones[1].update.rules[1].key_name, "c");
    config_free(c);
}
END_TEST

START_TEST(test_fingerprint)
{
    const struct config_part a = {PART_ZONE, "example.org", "{}"};
    const struct config_part b = {PART_ZONE, "example.org", "{\"dnssec\":\"on\"}"};
    const struct config_parts none = {NULL, 0}, one = {&a, 1}, other = {&b, 1};
    uint64_t plain = config_fingerprint("x", 1, NULL);
    ck_assert_uint_eq(plain, config_fingerprint("x", 1, &none));
    ck_assert_uint_ne(plain, config_fingerprint("x", 1, &one));
    ck_assert_uint_ne(config_fingerprint("x", 1, &one), config_fingerprint("x", 1, &other));
}
END_TEST

CHECK_MAIN("config_part", test_all_kinds, test_mixed, test_only_shared, test_problems, test_twice,
           test_update_keys, test_fingerprint)
