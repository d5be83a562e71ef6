#include "model/zone_held_fixture.h"
#include "test/check_main.h"

static struct held_content *content(const char *lines)
{
    struct held_list l = {0};
    struct held_content *c;
    held_list_lines(&l, lines);
    ck_assert_int_eq(held_content_new(held_origin, held_list_cursor(&l), &c), 0);
    held_list_done(&l);
    return c;
}

#define NEXT                                    \
    "mail 300 MX 10 www\n"                      \
    "@ 3600 SOA ns. hostmaster. 9 20 3 4 300\n" \
    "@ 3600 NS ns.example.net.\n"               \
    "a.www 60 AAAA 2001:db8::1\n"               \
    "www 300 A 192.0.2.2\n"                     \
    "www 60 TXT \"hello\"\n"

START_TEST(test_a_difference_leads_there)
{
    struct held_content *old = content(HELD_ZONE), *next = content(NEXT);
    struct held_change c;
    struct text out = text_init(10000);
    ck_assert_int_eq(held_differ(old, next, 7, &c), 0);
    held_change_text(&c, 100, &out);
    ck_assert_str_eq(text_string(&out), "- example.com. 3600 IN SOA ns. hostmaster. 1 2 3 4 300\n"
                                        "+ example.com. 3600 IN SOA ns. hostmaster. 7 20 3 4 300\n"
                                        "- www.example.com. 300 IN A 192.0.2.1\n"
                                        "- www.example.com. 300 IN TXT \"hello\"\n"
                                        "+ www.example.com. 60 IN TXT \"hello\"\n"
                                        "+ a.www.example.com. 60 IN AAAA 2001:db8::1\n");
    text_reset(&out);
    held_change_text(&c, 2, &out);
    ck_assert_str_eq(strchr(text_string(&out), '+') + strcspn(strchr(text_string(&out), '+'), "\n"),
                     "\n... and 4 more\n");
    ck_assert(!held_same(old, next));
    ck_assert_int_eq(held_change_apply(old, &c), 0);
    ck_assert_uint_eq(old->serial, 7);
    ck_assert(held_same(old, next) && held_same(next, old));
    held_change_done(&c);
    text_done(&out);
    held_content_free(old);
    held_content_free(next);
}
END_TEST

/* Of any two contents the difference leads from one to the other, whatever is in them. */
START_TEST(test_any_two)
{
    static const char *const records[] = {
        "www 300 A 192.0.2.1\n", "www 60 A 192.0.2.1\n",  "www 300 A 192.0.2.2\n",
        "b 300 TXT \"x\"\n",     "b 300 TXT \"\"\n",      "@ 3600 MX 1 mail\n",
        "c.b 5 AAAA ::1\n",      "@ 60 NS ns.example.\n", "*.b 5 TXT \"w\"\n"};
    enum { KINDS = sizeof records / sizeof *records };
    uint32_t random = 12345;
    for (unsigned round = 0; round < 300; round++) {
        struct text lines[2] = {text_init(4000), text_init(4000)};
        struct held_content *c[2];
        for (unsigned k = 0; k < 2; k++) {
            text_appendf(&lines[k], "@ 3600 SOA ns. h. %u 2 3 4 5\n", 1 + (random >> 8) % 3);
            random = random * 1664525 + 1013904223;
            for (unsigned i = 0; i < KINDS; i++)
                if (random >> (8 + i) & 1)
                    text_append(&lines[k], records[i]);
            c[k] = content(text_string(&lines[k]));
        }
        struct held_change change;
        ck_assert_int_eq(held_differ(c[0], c[1], 9, &change), 0);
        bool same = held_same(c[0], c[1]);
        ck_assert_int_eq(same, change.removed.count == 1 && change.added.count == 1);
        ck_assert_int_eq(held_change_apply(c[0], &change), 0);
        ck_assert(held_same(c[0], c[1]));
        held_change_done(&change);
        for (unsigned k = 0; k < 2; k++) {
            held_content_free(c[k]);
            text_done(&lines[k]);
        }
    }
}
END_TEST

CHECK_MAIN("zone_held_differ", test_a_difference_leads_there, test_any_two)
