#include "model/zone_held_file.h"
#include "model/zone_held_fixture.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <stdlib.h>

static struct held_content *content(void)
{
    struct held_list l = held_zone_list();
    struct held_content *c;
    ck_assert_int_eq(held_content_new(held_origin, held_list_cursor(&l), &c), 0);
    held_list_done(&l);
    return c;
}

START_TEST(test_content_of_a_list)
{
    struct held_content *c = content();
    ck_assert_uint_eq(c->serial, 1);
    ck_assert_uint_eq(c->record_count, 6);
    ck_assert(held_has(c, "www.example.com", DNS_A, "192.0.2.2"));
    ck_assert(!held_has(c, "www.example.com", DNS_A, "192.0.2.3"));
    ck_assert(!held_has(c, "web.example.com", DNS_A, "192.0.2.1"));
    struct held_list again;
    ck_assert_int_eq(held_content_list(c, &again), 0);
    ck_assert_uint_eq(again.count, 6);
    held_list_done(&again);
    held_content_free(c);
}
END_TEST

static int refused(const char *lines)
{
    struct held_list l = {0};
    struct held_content *c = NULL;
    held_list_lines(&l, lines);
    int err = held_content_new(held_origin, held_list_cursor(&l), &c);
    ck_assert_ptr_null(c);
    held_list_done(&l);
    return err;
}

START_TEST(test_content_that_is_no_zone)
{
    ck_assert_int_eq(refused("@ 1 NS ns.\n"), ERR_MISSING);
    ck_assert_int_eq(refused(HELD_ZONE "@ 1 SOA ns. h. 7 2 3 4 5\n"), ERR_MISSING);
    ck_assert_int_eq(refused(HELD_ZONE "sub 1 SOA ns. h. 7 2 3 4 5\n"), ERR_INVALID);
    ck_assert_int_eq(refused(HELD_ZONE "example.net. 1 A 192.0.2.1\n"), ERR_INVALID);
    struct held_content *c;
    struct held_list l = held_zone_list();
    ck_assert_int_eq(held_list_add(&l, held_origin, DNS_A, 1, (const uint8_t *)"abc", 3), 0);
    ck_assert_int_eq(held_content_new(held_origin, held_list_cursor(&l), &c), ERR_INVALID);
    l.length--;
    ck_assert_int_eq(held_content_new(held_origin, held_list_cursor(&l), &c), ERR_TRUNCATED);
    held_list_done(&l);
}
END_TEST

START_TEST(test_change_and_what_refuses_it)
{
    struct held_content *c = content();
    struct held_change good = held_change_lines(1, 2, "www 300 A 192.0.2.1\n",
                                                "new 60 AAAA 2001:db8::1\nwww 9 A 192.0.2.9\n");
    struct held_change absent =
        held_change_lines(2, 3, "new 60 AAAA 2001:db8::1\nwww 300 A 10.0.0.1\n", "");
    struct held_change there = held_change_lines(2, 3, "www 9 A 192.0.2.9\nmail 300 MX 10 www\n",
                                                 "other 60 A 192.0.2.7\nwww 60 A 192.0.2.2\n");
    struct held_change outside =
        held_change_lines(2, 3, "www 9 A 192.0.2.9\n", "example.net. 1 A 192.0.2.1\n");
    ck_assert_int_eq(held_change_apply(c, &good), 0);
    ck_assert_uint_eq(c->serial, 2);
    ck_assert_uint_eq(c->record_count, 7);
    ck_assert_int_eq(held_change_apply(c, &good), ERR_CONFLICT); /* another serial */
    const struct held_change *bad[] = {&absent, &there, &outside};
    int errors[] = {ERR_CONFLICT, ERR_CONFLICT, ERR_INVALID};
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(held_change_apply(c, bad[i]), errors[i]);
        ck_assert_uint_eq(c->serial, 2);
        ck_assert_uint_eq(c->record_count, 7);
        ck_assert(held_has(c, "new.example.com", DNS_AAAA, "2001:db8::1"));
        ck_assert(held_has(c, "www.example.com", DNS_A, "192.0.2.9"));
        ck_assert(held_has(c, "mail.example.com", DNS_MX, "10 www"));
        ck_assert(!held_has(c, "other.example.com", DNS_A, "192.0.2.7"));
        ck_assert_uint_eq(held_soa_serial(held_soa(c)->rdata, held_soa(c)->length), 2);
    }
    held_change_done(&good);
    held_change_done(&absent);
    held_change_done(&there);
    held_change_done(&outside);
    held_content_free(c);
}
END_TEST

START_TEST(test_a_name_without_records_is_not_there)
{
    struct held_content *c = content();
    struct held_change gone = held_change_lines(1, 2, "mail 300 MX 10 www\n", "");
    uint8_t name[DNAME_MAX];
    int length = dname_parse("mail", 4, held_origin, name);
    ck_assert_ptr_nonnull(held_name_find(c, name, (size_t)length));
    ck_assert_int_eq(held_change_apply(c, &gone), 0);
    ck_assert_ptr_null(held_name_find(c, name, (size_t)length));
    held_change_done(&gone);
    held_content_free(c);
}
END_TEST

START_TEST(test_every_bit_of_a_base_matters)
{
    struct held_content *c = content(), *again;
    struct held_list l;
    struct held_base head = {.generation = 7, .source = 9}, back;
    size_t size;
    ck_assert_int_eq(held_content_list(c, &l), 0);
    uint8_t *bytes = held_base_encode(c, &l, &head, &size);
    ck_assert_int_eq(held_base_decode(bytes, size, &back), 0);
    ck_assert_uint_eq(back.generation, 7);
    ck_assert_uint_eq(back.source, 9);
    ck_assert_uint_eq(back.serial, 1);
    ck_assert_int_eq(held_content_new(back.origin,
                                      held_cursor_init(back.records.data, back.records.length),
                                      &again),
                     0);
    ck_assert_uint_eq(again->record_count, c->record_count);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_lt(held_base_decode(bytes, size, &back), 0);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_lt(held_base_decode(bytes, cut, &back), 0);
    free(bytes);
    held_list_done(&l);
    held_content_free(c);
    held_content_free(again);
}
END_TEST

/* A journal of two entries; *ret_second is where the second begins. */
static uint8_t *journal(size_t *ret_size, size_t *ret_second)
{
    struct held_journal j = {.generation = 1, .salt = 0x486a666542};
    struct held_entries e = {0};
    struct held_change one = held_change_lines(1, 2, "", "a 60 A 192.0.2.7\n");
    struct held_change two = held_change_lines(2, 3, "a 60 A 192.0.2.7\n", "b 60 TXT \"x\"\n");
    ck_assert_int_eq(held_entries_add(&e, &j, &one), 0);
    *ret_second = HELD_JOURNAL_HEAD + e.length;
    ck_assert_int_eq(held_entries_add(&e, &j, &two), 0);
    *ret_size = HELD_JOURNAL_HEAD + e.length;
    uint8_t *bytes = malloc(*ret_size);
    held_journal_head(&j, bytes);
    memcpy(bytes + HELD_JOURNAL_HEAD, e.data, e.length);
    held_entries_done(&e);
    held_change_done(&one);
    held_change_done(&two);
    return bytes;
}

/* Replays a journal over the zone: the serial reached, or the error. */
static int replay(const uint8_t *bytes, size_t size, size_t *ret_good)
{
    struct held_content *c = content();
    struct held_journal j;
    int more = held_journal_decode(bytes, size, &j);
    if (!more)
        while ((more = held_journal_next(&j, bytes, size, c)) > 0)
            ;
    int result = more < 0 ? more : (int)c->serial;
    *ret_good = more < 0 ? 0 : j.length;
    held_content_free(c);
    return result;
}

START_TEST(test_a_journal_cut_anywhere)
{
    size_t size, second, good;
    uint8_t *bytes = journal(&size, &second);
    ck_assert_int_eq(replay(bytes, size, &good), 3);
    for (size_t cut = HELD_JOURNAL_HEAD; cut < size; cut++) {
        ck_assert_int_eq(replay(bytes, cut, &good), cut < second ? 1 : 2);
        ck_assert_uint_eq(good, cut < second ? HELD_JOURNAL_HEAD : second);
    }
    free(bytes);
}
END_TEST

/* Whatever bit of the first entry is wrong, the second one still says that this is no torn tail. */
START_TEST(test_a_journal_damaged_anywhere)
{
    size_t size, second, good;
    uint8_t *bytes = journal(&size, &second);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int result = replay(bytes, size, &good);
        if (bit / 8 < second)
            ck_assert_int_lt(result, 0);
        else
            ck_assert_int_eq(result, 2);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(bytes);
}
END_TEST

CHECK_MAIN("zone_held", test_content_of_a_list, test_content_that_is_no_zone,
           test_change_and_what_refuses_it, test_a_name_without_records_is_not_there,
           test_every_bit_of_a_base_matters, test_a_journal_cut_anywhere,
           test_a_journal_damaged_anywhere)
