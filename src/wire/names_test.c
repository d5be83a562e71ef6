#include "test/check_main.h"
#include "wire/dns.h"
#include "wire/dnsmsg.h"
#include "wire/names.h"
#include <stdio.h>

enum { SLOTS = 16 };

struct sheet {
    uint8_t data[20000];
    uint16_t slots[SLOTS];
    struct writer w;
    struct names n;
};

static void sheet_start(struct sheet *s)
{
    s->w = writer_init(s->data, sizeof s->data);
    s->n = names_init(s->slots, SLOTS);
    memset(s->data, 0, sizeof s->data);
    s->w.position = 12;
}

static uint16_t write_name(struct sheet *s, const char *text)
{
    uint8_t name[DNAME_MAX];
    int length = dname_parse(text, strlen(text), NULL, name);
    ck_assert_int_gt(length, 0);
    return names_write(&s->n, &s->w, name, (size_t)length);
}

static void read_back(const struct sheet *s, size_t at, const char *text)
{
    uint8_t name[DNAME_MAX];
    char got[DNAME_TEXT_MAX];
    struct reader r = reader_init(s->data, s->w.position);
    r.position = at;
    ck_assert_int_gt(dnsmsg_name(&r, name), 0);
    ck_assert_str_eq(dname_format(name, got), text);
}

START_TEST(test_ends_are_shared)
{
    struct sheet s;
    sheet_start(&s);
    ck_assert_uint_eq(write_name(&s, "www.example.com"), 0xc00c);
    size_t second = s.w.position;
    ck_assert_uint_eq(write_name(&s, "mail.example.com"), 0xc000 | second);
    ck_assert_uint_eq(s.w.position, second + 7);
    ck_assert_uint_eq(write_name(&s, "www.example.com"), 0xc00c);
    ck_assert_uint_eq(s.w.position, second + 9);
    ck_assert_uint_eq(write_name(&s, "."), 0);
    ck_assert_uint_eq(s.w.position, second + 10);
    read_back(&s, second, "mail.example.com");
    read_back(&s, second + 7, "www.example.com");
    ck_assert_uint_eq(names_find(&s.n, &s.w, (const uint8_t *)"\3com", 5), 0xc000 | (12 + 12));
    ck_assert_uint_eq(names_find(&s.n, &s.w, (const uint8_t *)"\3org", 5), 0);
}
END_TEST

START_TEST(test_letters_of_the_question)
{
    struct sheet s;
    sheet_start(&s);
    writer_bytes(&s.w, "\3WwW\7eXample\3CoM", 17);
    names_note(&s.n, &s.w, 12, (const uint8_t *)"\3www\7example\3com", 17);
    ck_assert_uint_eq(write_name(&s, "a.example.com"), 0xc000 | 29);
    read_back(&s, 29, "a.eXample.CoM");
    ck_assert(names_equal_at(&s.w, 29, (const uint8_t *)"\1a\7example\3com"));
    ck_assert(!names_equal_at(&s.w, 29, (const uint8_t *)"\1b\7example\3com"));
    /* [ and { differ by the bit that letters differ by */
    writer_bytes(&s.w, "\1[", 3);
    ck_assert(!names_equal_at(&s.w, 33, (const uint8_t *)"\1{"));
}
END_TEST

START_TEST(test_taken_back)
{
    struct sheet s;
    sheet_start(&s);
    write_name(&s, "example.com");
    struct writer before = s.w;
    write_name(&s, "gone.example.com");
    s.w = before;
    /* what the table says of the bytes behind the end is not believed */
    ck_assert_uint_eq(names_find(&s.n, &s.w, (const uint8_t *)"\4gone\7example\3com", 18), 0);
    size_t at = s.w.position;
    ck_assert_uint_eq(write_name(&s, "here.example.com"), 0xc000 | at);
    ck_assert_uint_eq(write_name(&s, "gone.example.com"), 0xc000 | (at + 7));
    read_back(&s, at, "here.example.com");
    read_back(&s, at + 7, "gone.example.com");
}
END_TEST

START_TEST(test_full_table_and_far_names)
{
    struct sheet s;
    char text[40];
    size_t at[200];
    sheet_start(&s);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "a%d.b%d.c%d", i, i % 7, i % 3);
        at[i] = s.w.position;
        write_name(&s, text);
    }
    ck_assert_uint_le(s.n.count, SLOTS / 4 * 3 + 1);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "a%d.b%d.c%d", i, i % 7, i % 3);
        read_back(&s, at[i], text);
    }
    /* pointers have 14 bits */
    sheet_start(&s);
    s.w.position = 0x3ffe;
    ck_assert_uint_eq(write_name(&s, "a.far"), 0xfffe);
    size_t second = s.w.position;
    ck_assert_uint_eq(write_name(&s, "b.far"), 0);
    ck_assert_uint_eq(s.w.position, second + 7);
    ck_assert_uint_eq(write_name(&s, "a.far"), 0xfffe);
}
END_TEST

START_TEST(test_data)
{
    struct sheet s;
    sheet_start(&s);
    write_name(&s, "example.com");
    size_t at = s.w.position;
    names_write_rdata(&s.n, &s.w, DNS_MX, (const uint8_t *)"\0\5\1m\7example\3com", 17);
    ck_assert_mem_eq(s.data + at, "\0\6\0\5\1m\xc0\x0c", 8);
    ck_assert_uint_eq(s.w.position, at + 8);
    /* RFC 6672 2.5, RFC 2782: never compressed */
    at = s.w.position;
    names_write_rdata(&s.n, &s.w, DNS_DNAME, (const uint8_t *)"\7example\3com", 13);
    ck_assert_mem_eq(s.data + at, "\0\15\7example\3com", 15);
    /* no room: the writer says so */
    struct writer w = writer_init(s.data, s.w.position + 4);
    w.position = s.w.position;
    names_write_rdata(&s.n, &w, DNS_MX, (const uint8_t *)"\0\5\1m\7example\3com", 17);
    ck_assert(w.failed);
}
END_TEST

CHECK_MAIN("names", test_ends_are_shared, test_letters_of_the_question, test_taken_back,
           test_full_table_and_far_names, test_data)
