#include "base/err.h"
#include "test/check_main.h"
#include "wire/dname.h"
#include "wire/rdata.h"
#include "wire/zonefile.h"
#include <stdio.h>

static const uint8_t origin[] = "\7example\3com";

/* Files that $INCLUDE may name. */
static const struct {
    const char *path, *text;
} files[] = {
    {"a b.zone", "in A 192.0.2.8\n$ORIGIN deeper\nin A 192.0.2.9\n"},
    {"broken.zone", "x A 1.2.3\n"},
    {"self.zone", "y A 192.0.2.1\n$INCLUDE self.zone\n"},
    {"no-newline.zone", " A 192.0.2.10"},
};

static int include(void *context, const char *path, const char **ret_data, size_t *ret_length)
{
    (void)context;
    for (size_t i = 0; i < array_length(files); i++)
        if (strcmp(files[i].path, path) == 0) {
            *ret_data = files[i].text;
            *ret_length = strlen(files[i].text);
            return 0;
        }
    return ERR_MISSING;
}

/* "owner ttl TYPE data\n" for each record; TXT "refuse" is refused. */
static const char *record(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                          uint32_t ttl, const uint8_t *rdata, uint16_t length, uint32_t line)
{
    char name[DNAME_TEXT_MAX], type_text[DNS_TYPE_TEXT_MAX];
    struct text *out = context;

    ck_assert_uint_eq(class, DNS_IN);
    if (type == DNS_TXT && length == 7 && memcmp(rdata, "\6refuse", 7) == 0)
        return "refused by the test";
    text_appendf(out, "%u %s %u %s ", line, dname_format(owner, name), ttl,
                 dns_type_format(type, type_text));
    rdata_format(type, rdata, length, out);
    text_append(out, "\n");
    return NULL;
}

static void parse(const char *data, size_t length, const char *records, const char *problems)
{
    struct text out = text_init(1 << 20), found = text_init(1 << 20);
    /* A copy of just this size, so that a sanitizer sees every byte read behind the end. */
    char *copy = malloc(length ? length : 1);
    memcpy(copy, data, length);
    struct zonefile z = {"z", origin, record, include, NULL, &out};

    int err = zonefile_parse(&z, copy, length, &found);
    ck_assert_str_eq(text_string(&found), problems);
    ck_assert_str_eq(text_string(&out), records);
    ck_assert_int_eq(err, *problems ? ERR_SYNTAX : 0);
    free(copy);
    text_done(&out);
    text_done(&found);
}

static void good(const char *data, const char *records)
{
    parse(data, strlen(data), records, "");
}

static void bad(const char *data, const char *records, const char *problems)
{
    parse(data, strlen(data), records, problems);
}

START_TEST(test_owners)
{
    good("", "");
    good("\n\n ; only a comment\n\t\n", "");
    good("$TTL 1\nwww A 192.0.2.1\n", "2 www.example.com 1 A 192.0.2.1\n");
    good("$TTL 1\n@ A 192.0.2.1\n", "2 example.com 1 A 192.0.2.1\n");
    good("$TTL 1\nWWW.Example.NET. A 192.0.2.1\n", "2 www.example.net 1 A 192.0.2.1\n");
    good("$TTL 1\na A 192.0.2.1\n A 192.0.2.2\n\tA 192.0.2.3\n",
         "2 a.example.com 1 A 192.0.2.1\n3 a.example.com 1 A 192.0.2.2\n"
         "4 a.example.com 1 A 192.0.2.3\n");
    good("$TTL 1\na\\.b.c A 192.0.2.1\n\\@ A 192.0.2.2\n\\$TTL A 192.0.2.3\n",
         "2 a\\.b.c.example.com 1 A 192.0.2.1\n3 \\@.example.com 1 A 192.0.2.2\n"
         "4 \\$ttl.example.com 1 A 192.0.2.3\n");
    good("$TTL 1\nin A 192.0.2.1\n300 A 192.0.2.2\na A 192.0.2.3\n",
         "2 in.example.com 1 A 192.0.2.1\n3 300.example.com 1 A 192.0.2.2\n"
         "4 a.example.com 1 A 192.0.2.3\n");
    good("$TTL 1\n. A 192.0.2.1\n", "2 . 1 A 192.0.2.1\n");
}
END_TEST

START_TEST(test_ttl_and_class)
{
    good("a 5 IN A 192.0.2.1\n", "1 a.example.com 5 A 192.0.2.1\n");
    good("a IN 5 A 192.0.2.1\n", "1 a.example.com 5 A 192.0.2.1\n");
    good("a 1h30m in a 192.0.2.1\n", "1 a.example.com 5400 A 192.0.2.1\n");
    good("a CLASS1 5 TYPE1 192.0.2.1\n", "1 a.example.com 5 A 192.0.2.1\n");
    /* RFC 1035 5.1: the last one stated; RFC 2308 4: $TTL goes before that. */
    good("a 5 A 192.0.2.1\nb A 192.0.2.2\n$TTL 9\nb A 192.0.2.3\n",
         "1 a.example.com 5 A 192.0.2.1\n2 b.example.com 5 A 192.0.2.2\n"
         "4 b.example.com 9 A 192.0.2.3\n");
    good("@ SOA a b 1 2 3 4 77\n A 192.0.2.1\n",
         "1 example.com 77 SOA a.example.com. b.example.com. 1 2 3 4 77\n"
         "2 example.com 77 A 192.0.2.1\n");
    good("a 0 A 192.0.2.1\nb 2147483647 A 192.0.2.1\n",
         "1 a.example.com 0 A 192.0.2.1\n2 b.example.com 2147483647 A 192.0.2.1\n");
    bad("a A 192.0.2.1\n", "", "z:1:1: no TTL is known here: write $TTL 3600 (say) above it\n");
    bad("a 2147483648 A 192.0.2.1\n", "",
        "z:1:3: a TTL is at most 2147483647 seconds (RFC 2181 8)\n");
    bad("a 5 CH A 192.0.2.1\n", "", "z:1:5: only records of class IN are served\n");
    bad("a 5 IN 6 A 192.0.2.1\n", "",
        "z:1:8: expected a record type (A, MX, TYPE1234), found \"6\"\n");
    bad("a 5 IN IN A 192.0.2.1\n", "",
        "z:1:8: expected a record type (A, MX, TYPE1234), found \"IN\"\n");
    bad("a 5x A 192.0.2.1\n", "",
        "z:1:3: expected a TTL (in seconds, or like 1h30m), found \"5x\"\n");
}
END_TEST

START_TEST(test_line_ends)
{
    good("$TTL 1\r\na A 192.0.2.1\r\n\r\n A 192.0.2.2",
         "2 a.example.com 1 A 192.0.2.1\n4 a.example.com 1 A 192.0.2.2\n");
    good("$TTL 1\na A 192.0.2.1;c\nb A 192.0.2.2 ; \"( unbalanced in a comment",
         "2 a.example.com 1 A 192.0.2.1\n3 b.example.com 1 A 192.0.2.2\n");
    good("\xef\xbb\xbf$TTL 1\na A 192.0.2.1\n", "2 a.example.com 1 A 192.0.2.1\n");
}
END_TEST

START_TEST(test_parentheses)
{
    good("a 1 ( A\n 192.0.2.1 )\nb 1 A ( 192.0.2.2 ; one\n\n ) ; two\n",
         "1 a.example.com 1 A 192.0.2.1\n3 b.example.com 1 A 192.0.2.2\n");
    good("a (1) (A) (192.0.2.1)\n", "1 a.example.com 1 A 192.0.2.1\n");
    good("a 1 TXT (\"x\"\n\"y\" ((z) \n) )\n", "1 a.example.com 1 TXT \"x\" \"y\" \"z\"\n");
    good("a 1 TXT \"(;)\"\n", "1 a.example.com 1 TXT \"(;)\"\n");
    bad("a 1 A 192.0.2.1 )\nb 1 A 192.0.2.2\n", "2 b.example.com 1 A 192.0.2.2\n",
        "z:1:17: this parenthesis was never opened\n");
    bad("a 1 TXT ( x\nb 1 A 192.0.2.2\n", "2 b.example.com 1 A 192.0.2.2\n",
        "z:1:9: this parenthesis is never closed\n");
    /* The first problem is found first; the parenthesis is told too and hides nothing. */
    bad("a 1 A ( 192.0.2.1\nb 1 A 192.0.2.2\nc 1 A 192.0.2.3\n", "3 c.example.com 1 A 192.0.2.3\n",
        "z:2:1: the record should have ended before this\n"
        "z:1:7: this parenthesis is never closed\n");
}
END_TEST

START_TEST(test_strings)
{
    good("a 1 TXT \"a;b\" c\\;d \"\\\"\" \\\"\n",
         "1 a.example.com 1 TXT \"a;b\" \"c;d\" \"\\\"\" \"\\\"\"\n");
    good("a 1 TXT \"\"\"\"x\"y\"z\n", "1 a.example.com 1 TXT \"\" \"\" \"x\" \"y\" \"z\"\n");
    good("a 1 TXT caf\xc3\xa9\n", "1 a.example.com 1 TXT \"caf\\195\\169\"\n");
    bad("a 1 TXT \"open\nb 1 A 192.0.2.1\n", "2 b.example.com 1 A 192.0.2.1\n",
        "z:1:9: this quoted string does not end on its line\n");
    bad("a 1 TXT back\\\nb 1 A 192.0.2.1\n", "2 b.example.com 1 A 192.0.2.1\n",
        "z:1:13: a backslash needs a character after it\n");
    bad("a 1 TXT \\999\n", "",
        "z:1:9: an escape is a backslash and a character or three digits up to 255\n");
    parse("a 1 TXT x\0y\nb 1 A 192.0.2.1\n", 28, "2 b.example.com 1 A 192.0.2.1\n",
          "z:1:10: a NUL byte: this is not a text file\n");
}
END_TEST

START_TEST(test_directives)
{
    good("$TTL 1\n$ORIGIN sub\na A 192.0.2.1\n$ORIGIN other.\n@ A 192.0.2.2\n$origin .\nb A "
         "192.0.2.3\n",
         "3 a.sub.example.com 1 A 192.0.2.1\n5 other 1 A 192.0.2.2\n7 b 1 A 192.0.2.3\n");
    bad("$TTL\n", "",
        "z:1:5: the line ends where there should be a TTL (in seconds, or like 1h30m)\n");
    bad("$TTL x\n$TTL 1 2\n", "",
        "z:1:6: expected a TTL (in seconds, or like 1h30m), found \"x\"\n"
        "z:2:8: expected the end of the line, found \"2\"\n");
    bad("$ORIGIN a..b\n", "", "z:1:9: expected a domain name, found \"a..b\"\n");
    bad("$GENERATE 1-5 a$ A 192.0.2.$\n", "",
        "z:1:1: $GENERATE is an extension of BIND that is not supported: write the records out\n");
    bad("$NOSUCH x\n", "", "z:1:1: unknown directive; there are $ORIGIN, $TTL and $INCLUDE\n");
}
END_TEST

START_TEST(test_include)
{
    /* Owner and origin are as before behind the file; in the file they start as they were. */
    good("$TTL 1\na A 192.0.2.1\n$INCLUDE \"a b.zone\" sub\n A 192.0.2.2\nb A 192.0.2.3\n",
         "2 a.example.com 1 A 192.0.2.1\n1 in.sub.example.com 1 A 192.0.2.8\n"
         "3 in.deeper.sub.example.com 1 A 192.0.2.9\n4 a.example.com 1 A 192.0.2.2\n"
         "5 b.example.com 1 A 192.0.2.3\n");
    good("a 1 A 192.0.2.1\n$INCLUDE no-newline.zone\n",
         "1 a.example.com 1 A 192.0.2.1\n1 a.example.com 1 A 192.0.2.10\n");
    bad("$TTL 1\n$INCLUDE broken.zone\n$INCLUDE missing.zone\nb A 192.0.2.3\n",
        "4 b.example.com 1 A 192.0.2.3\n",
        "broken.zone:1:5: expected an IPv4 address, found \"1.2.3\"\n"
        "z:3:10: missing.zone cannot be read: something that is referred to does not exist\n");
    bad("$INCLUDE\n$INCLUDE \"\"\n$INCLUDE broken.zone a..b\n", "",
        "z:1:9: the line ends where there should be a file name\n"
        "z:2:11: expected a file name, found \"\"\n"
        "z:3:22: expected a domain name, found \"a..b\"\n");

    struct text out = text_init(1 << 20), found = text_init(1 << 20);
    struct zonefile z = {"z", origin, record, include, NULL, &out};
    const char loop[] = "$TTL 1\n$INCLUDE self.zone\n";
    ck_assert_int_eq(zonefile_parse(&z, loop, strlen(loop), &found), ERR_SYNTAX);
    ck_assert_str_eq(text_string(&found),
                     "self.zone:2:10: files include one another more than 10 deep\n");
    text_reset(&found);
    z.include = NULL;
    ck_assert_int_eq(zonefile_parse(&z, loop, strlen(loop), &found), ERR_SYNTAX);
    ck_assert_str_eq(text_string(&found), "z:2:10: $INCLUDE is not allowed here\n");
    text_done(&out);
    text_done(&found);
}
END_TEST

START_TEST(test_problems)
{
    bad(" A 192.0.2.1\n", "",
        "z:1:2: there is no owner name to repeat: the line starts with a blank\n");
    bad("$TTL 1\na A\nb\nc NOSUCH x\nd A 192.0.2.1 192.0.2.2\ne MX 10\n\"f\" A 192.0.2.1\n"
        "g AXFR x\nh TXT refuse\ni A 192.0.2.9\n",
        "10 i.example.com 1 A 192.0.2.9\n",
        "z:2:4: the line ends where there should be an IPv4 address\n"
        "z:3:2: the line ends where there should be a record type (A, MX, TYPE1234)\n"
        "z:4:3: expected a record type (A, MX, TYPE1234), found \"NOSUCH\"\n"
        "z:5:15: the record should have ended before this\n"
        "z:6:8: the line ends where there should be a domain name\n"
        "z:7:2: expected a domain name, found \"f\"\n"
        "z:8:3: this type is for queries and messages; a zone cannot hold it\n"
        "z:9:1: refused by the test\n");
    /* What repeats a broken owner is read, but must not join the owner before. */
    bad("$TTL 1\na A 192.0.2.1\nb..c A 192.0.2.2\n A 192.0.2.3\n A 1.2.3\nd A 192.0.2.4\n",
        "2 a.example.com 1 A 192.0.2.1\n6 d.example.com 1 A 192.0.2.4\n",
        "z:3:1: expected a domain name, found \"b..c\"\n"
        "z:5:4: expected an IPv4 address, found \"1.2.3\"\n");
    bad("$TTL 1\na A (\n\n 1.2.3.4.5 )\n", "",
        "z:4:2: expected an IPv4 address, found \"1.2.3.4.5\"\n");
    bad("$TTL 1\na A \x1b[31m-----------------------------------------\n", "",
        "z:2:5: expected an IPv4 address, found \"?[31m-----------------------------------...\"\n");
    bad("a 1 A", "", "z:1:6: the line ends where there should be an IPv4 address\n");
    bad("0123456789012345678901234567890123456789012345678901234567890123 1 A 192.0.2.1\n", "",
        "z:1:1: a domain name has labels of at most 63 bytes and is at most 255 long\n");
}
END_TEST

START_TEST(test_problems_are_capped)
{
    struct text data = text_init(1 << 20), out = text_init(1 << 20), found = text_init(1 << 20);
    struct zonefile z = {"z", origin, record, include, NULL, &out};
    unsigned lines = 0;

    for (int i = 0; i < 1000; i++)
        text_append(&data, "a 1 A ( x\n"); /* each looks to the end of the file */
    text_append(&data, "b 1 A 192.0.2.1\n");
    ck_assert_int_eq(zonefile_parse(&z, data.data, data.length, &found), ERR_SYNTAX);
    for (const char *c = text_string(&found); *c; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, ZONEFILE_PROBLEMS_MAX + 1);
    ck_assert_ptr_nonnull(strstr(text_string(&found), "the rest of the file was not read"));
    text_done(&data);
    text_done(&out);
    text_done(&found);
}
END_TEST

START_TEST(test_huge_line)
{
    struct text data = text_init(1 << 24), out = text_init(1 << 24), found = text_init(1 << 20);
    struct zonefile z = {"z", origin, record, include, NULL, &out};

    text_append(&data, "a 1 TXT (");
    for (int i = 0; i < 20000; i++)
        text_append(&data, " ; comment\n    \"x\"");
    text_append(&data, ")\n");
    ck_assert_int_eq(zonefile_parse(&z, data.data, data.length, &found), 0);
    ck_assert_uint_eq(out.length, strlen("1 a.example.com 1 TXT \n") + 20000 * 4 - 1);
    text_done(&data);
    text_done(&out);
    text_done(&found);
}
END_TEST

CHECK_MAIN("zonefile", test_owners, test_ttl_and_class, test_line_ends, test_parentheses,
           test_strings, test_directives, test_include, test_problems, test_problems_are_capped,
           test_huge_line)
