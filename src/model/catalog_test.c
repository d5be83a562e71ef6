#include "base/err.h"
#include "model/catalog.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include "wire/rdata_fixture.h"

static const uint8_t origin[] = "\4catz\7example";

struct line {
    const char *owner;
    uint16_t type;
    const char *data;
};

static int read_lines(const struct line *lines, size_t count, struct catalog *ret,
                      const char **reason)
{
    struct held_list list = {0};
    struct held_content *content;
    for (size_t i = 0; i < count; i++) {
        uint8_t owner[DNAME_MAX], rdata[RDATA_MAX];
        uint16_t length;
        ck_assert_int_gt(dname_parse(lines[i].owner, strlen(lines[i].owner), origin, owner), 0);
        ck_assert_int_eq(rdata_from_text(lines[i].type, lines[i].data, strlen(lines[i].data),
                                         origin, rdata, &length),
                         0);
        ck_assert_int_eq(held_list_add(&list, owner, lines[i].type, 60, rdata, length), 0);
    }
    ck_assert_int_eq(held_content_new(origin, held_list_cursor(&list), &content), 0);
    int err = catalog_read(content, ret, reason);
    held_content_free(content);
    held_list_done(&list);
    return err;
}

#define HEAD                                      \
    {"catz.example.", DNS_SOA, "ns h 1 2 3 4 5"}, \
    {                                             \
        "catz.example.", DNS_NS, "invalid."       \
    }
#define VERSION                 \
    {                           \
        "version", DNS_TXT, "2" \
    }
#define READ(lines) read_lines(lines, array_length(lines), &c, &reason)

START_TEST(test_members)
{
    static const struct line lines[] = {HEAD,
                                        VERSION,
                                        {"a1.zones", DNS_PTR, "Example.ORG."},
                                        {"b2.zones", DNS_PTR, "example.com."},
                                        {"group.b2.zones", DNS_TXT, "EU"},
                                        {"group.b2.zones", DNS_TXT, "a.b c"},
                                        {"group.b2.zones", DNS_TXT, "two strings"},
                                        {"coo.b2.zones", DNS_PTR, "other.example."},
                                        {"deep.a1.zones", DNS_PTR, "no.member."},
                                        {"zones", DNS_PTR, "no.member."},
                                        {"c3.other", DNS_PTR, "no.member."}};
    struct catalog c;
    const char *reason;
    ck_assert_int_eq(READ(lines), 0);
    ck_assert_uint_eq(c.count, 2);
    ck_assert_str_eq(c.members[0].name, "example.com");
    ck_assert_str_eq(c.members[0].label, "b2");
    ck_assert_str_eq(c.members[0].coo, "other.example");
    ck_assert_uint_eq(c.members[0].group_count, 1);
    ck_assert_str_eq(c.members[0].groups[0], "eu");
    ck_assert_uint_eq(c.members[1].group_count, 0);
    ck_assert_str_eq(c.members[1].name, "example.org");
    ck_assert_ptr_null(c.members[1].coo);
    ck_assert_ptr_eq(catalog_find(&c, "example.org"), &c.members[1]);
    ck_assert_ptr_null(catalog_find(&c, "no.member"));
    catalog_done(&c);
}
END_TEST

START_TEST(test_broken)
{
    static const struct line none[] = {HEAD, {"a1.zones", DNS_PTR, "example.org."}};
    static const struct line other[] = {HEAD, {"version", DNS_TXT, "1"}};
    static const struct line two[] = {HEAD, VERSION, {"version", DNS_TXT, "3"}};
    static const struct line several[] = {HEAD,
                                          VERSION,
                                          {"a1.zones", DNS_PTR, "example.org."},
                                          {"a1.zones", DNS_PTR, "example.com."}};
    static const struct line twice[] = {HEAD,
                                        VERSION,
                                        {"a1.zones", DNS_PTR, "example.org."},
                                        {"a2.zones", DNS_PTR, "example.org."}};
    struct catalog c;
    const char *reason;
    ck_assert_int_eq(READ(none), ERR_INVALID);
    ck_assert_int_eq(READ(other), ERR_INVALID);
    ck_assert_int_eq(READ(two), ERR_INVALID);
    ck_assert_int_eq(READ(several), ERR_INVALID);
    ck_assert_str_eq(reason, "a member has more than one PTR record");
    ck_assert_int_eq(READ(twice), ERR_INVALID);
    ck_assert_str_eq(reason, "a zone is listed twice");
}
END_TEST

START_TEST(test_text)
{
    static const struct catalog_member list[] = {{"a", "x", NULL, {NULL}, 0},
                                                 {"b", "y", NULL, {"eu", "g\\.2"}, 2}};
    struct text out = text_init(1000);
    struct catalog c;
    catalog_format(list + 1, 1, &out);
    ck_assert_str_eq(text_string(&out), "b y eu g\\.2\n");
    ck_assert_int_eq(catalog_parse(text_string(&out), out.length, &c), 0);
    ck_assert_uint_eq(c.members[0].group_count, 2);
    ck_assert_str_eq(c.members[0].groups[1], "g\\.2");
    catalog_done(&c);
    ck_assert_int_eq(catalog_parse("z.example l\\0321\na.example l2\n", 30, &c), 0);
    ck_assert_uint_eq(c.count, 2);
    ck_assert_str_eq(c.members[0].name, "a.example");
    ck_assert_str_eq(c.members[1].label, "l\\0321");
    catalog_done(&c);
    ck_assert_int_eq(catalog_parse("", 0, &c), 0);
    catalog_done(&c);
    ck_assert_int_eq(catalog_parse("a", 1, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a b", 3, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a b ", 4, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a b c", 5, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a b 1 2 3 4 5\n", 14, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a\n", 2, &c), ERR_SYNTAX);
    ck_assert_int_eq(catalog_parse("a b\na c\n", 8, &c), ERR_SYNTAX);
    text_done(&out);
}
END_TEST

CHECK_MAIN("catalog", test_members, test_broken, test_text)
