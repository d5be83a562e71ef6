/* A generated catalog, as RFC 9432 has it. */
#include "model/catalog_list.h"
#include "model/zone_dump.h"
#include "model/zone_fixture.h"
#include "test/check_main.h"

static const char text[] = "node: {name: n1, site: s, network: AS64500}\n"
                           "zones:\n"
                           "  - {name: catalog.example, catalog: generate}\n"
                           "  - {name: example.com, file: a, catalog_zone: catalog.example}\n"
                           "  - {name: example.net, file: b, catalog_zone: catalog.example,\n"
                           "     catalog_group: eu-west}\n"
                           "  - {name: other.example, file: c}\n"
                           "  - {name: next.example, catalog: generate}\n"
                           "  - {name: example.org, file: d, catalog_zone: catalog.example,\n"
                           "     catalog_next: next.example, catalog_group: us}\n"
                           "  - {name: taken.example, file: e, catalog_zone: next.example,\n"
                           "     catalog_before: catalog.example}\n";

static void expect_catalog(uint32_t zone, const char *name, const char *wanted)
{
    struct text problems = text_init(1 << 16), out = text_init(CATALOG_TEXT_MAX);
    struct text dump = text_init(1 << 16);
    struct config *c;
    uint8_t *data;
    size_t size;
    struct zone z;
    int err = config_parse("c", text, strlen(text), NULL, &problems, &c);
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(c->zones[0].serial, SERIAL_UNIXTIME);
    catalog_text(c, zone, &out);
    ck_assert_int_eq(zone_compile(name, "catalog", out.data, out.length, NULL, 0, NULL, NULL,
                                  &problems, &data, &size),
                     0);
    ck_assert_int_eq(zone_open(data, size, &z), 0);
    zone_dump(&z, &dump);
    ck_assert_str_eq(text_string(&dump), wanted);
    free(data);
    config_free(c);
    text_done(&problems);
    text_done(&out);
    text_done(&dump);
}

/* The ids are SHA-1 of the names in wire form, as python3 has them too. */
START_TEST(test_catalog)
{
    expect_catalog(
        0, "catalog.example",
        "catalog.example. 0 IN SOA invalid. invalid. 1 3600 600 2147483646 0\n"
        "catalog.example. 0 IN NS invalid.\n"
        "version.catalog.example. 0 IN TXT \"2\"\n"
        "8cg3jvl9rpinmafdb53q1ia98nl9srus.zones.catalog.example. 0 IN PTR taken.example.\n"
        "coo.8cg3jvl9rpinmafdb53q1ia98nl9srus.zones.catalog.example. 0 IN PTR next.example.\n"
        "8um1kjcjmofvvmq7cb0op7jt39lg8r9j.zones.catalog.example. 0 IN PTR example.org.\n"
        "coo.8um1kjcjmofvvmq7cb0op7jt39lg8r9j.zones.catalog.example. 0 IN PTR next.example.\n"
        "group.8um1kjcjmofvvmq7cb0op7jt39lg8r9j.zones.catalog.example. 0 IN TXT \"us\"\n"
        "93j57bnunnk7b6rcofljbhj4mkp5bpjh.zones.catalog.example. 0 IN PTR example.net.\n"
        "group.93j57bnunnk7b6rcofljbhj4mkp5bpjh.zones.catalog.example. 0 IN TXT \"eu-west\"\n"
        "onib9mgub9h0rml3cdf5bgrj59dkjhvk.zones.catalog.example. 0 IN PTR example.com.\n");
    /* Under the same id: consumers go on with what they hold. */
    expect_catalog(
        4, "next.example",
        "next.example. 0 IN SOA invalid. invalid. 1 3600 600 2147483646 0\n"
        "next.example. 0 IN NS invalid.\n"
        "version.next.example. 0 IN TXT \"2\"\n"
        "8cg3jvl9rpinmafdb53q1ia98nl9srus.zones.next.example. 0 IN PTR taken.example.\n");
}
END_TEST

CHECK_MAIN("catalog_list", test_catalog)
