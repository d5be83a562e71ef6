#include "base/err.h"
#include "base/memory.h"
#include "model/zone_ledger.h"
#include "test/check_main.h"
#include <string.h>

static const struct disk_identity identity = {1, 2, 3, 4000000000, 5000000000};

static struct ledger_record record(const char *name, uint64_t compiled, const char *path)
{
    struct ledger_record r = {.name = mem_string(name),
                              .inputs = 7,
                              .compiled = compiled,
                              .serial = 9,
                              .source_count = 1,
                              .stored = identity,
                              .sources = mem_new(1, sizeof *r.sources)};
    r.sources[0] = (struct ledger_source){mem_string(path), 11, identity, 9000000000};
    return r;
}

static struct zone_ledger two(void)
{
    struct zone_ledger l = ledger_init();
    ledger_put(&l, record("a.example", 1, "/a.zone"));
    ledger_put(&l, record("b.example", 2, "/b.zone"));
    return l;
}

START_TEST(test_what_was_put_is_found_and_replaced)
{
    struct zone_ledger l = two();
    ck_assert(l.changed);
    ck_assert_uint_eq(ledger_find(&l, "a.example")->compiled, 1);
    ledger_put(&l, record("a.example", 3, "/c.zone"));
    ck_assert_uint_eq(ledger_find(&l, "a.example")->compiled, 3);
    ck_assert_uint_eq(l.records.count, 2);
    ck_assert_ptr_null(ledger_find(&l, "c.example"));
    ledger_done(&l);
}
END_TEST

START_TEST(test_sweep_leaves_what_was_seen)
{
    struct zone_ledger l = two();
    l.changed = false;
    ledger_find(&l, "a.example")->seen = ledger_find(&l, "b.example")->seen = true;
    ledger_sweep(&l);
    ck_assert(!l.changed);
    ck_assert_uint_eq(l.records.count, 2);
    ledger_find(&l, "b.example")->seen = true;
    ledger_sweep(&l);
    ck_assert(l.changed);
    ck_assert_ptr_null(ledger_find(&l, "a.example"));
    ck_assert_uint_eq(ledger_find(&l, "b.example")->compiled, 2);
    ledger_done(&l);
}
END_TEST

START_TEST(test_a_file_is_settled_only_when_its_times_are_old_and_the_same)
{
    struct ledger_source s = {.identity = identity, .read_ns = 9000000000};
    struct disk_identity now = identity;
    ck_assert(ledger_source_settled(&s, &now));
    s.read_ns = 8000000000; /* 3 s after it was changed: within the tick of some file systems */
    ck_assert(!ledger_source_settled(&s, &now));
    s.read_ns = 9000000000;
    for (unsigned i = 0; i < 5; i++) {
        now = identity;
        *(i == 0   ? &now.device
          : i == 1 ? &now.inode
          : i == 2 ? &now.size
          : i == 3 ? (uint64_t *)&now.modified_ns
                   : (uint64_t *)&now.changed_ns) += 1;
        ck_assert_msg(!ledger_source_settled(&s, &now), "%u", i);
    }
    s.identity = (struct disk_identity){0};
    now = s.identity;
    ck_assert(!ledger_source_settled(&s, &now));
}
END_TEST

START_TEST(test_the_file_gives_back_what_was_in_it)
{
    struct zone_ledger l = two(), back;
    size_t size;
    auto_free char *bytes = ledger_encode(&l, &size);
    ck_assert_int_eq(ledger_decode(bytes, size, &back), 0);
    ck_assert(!back.changed);
    ck_assert_uint_eq(back.records.count, 2);
    const struct ledger_record *r = ledger_find(&back, "b.example");
    ck_assert_uint_eq(r->inputs, 7);
    ck_assert_uint_eq(r->compiled, 2);
    ck_assert_uint_eq(r->serial, 9);
    ck_assert_uint_eq(r->source_count, 1);
    ck_assert_str_eq(r->sources[0].path, "/b.zone");
    ck_assert_uint_eq(r->sources[0].hash, 11);
    ck_assert_int_eq(r->sources[0].read_ns, 9000000000);
    ck_assert_mem_eq(&r->stored, &identity, sizeof identity);
    ck_assert_mem_eq(&r->sources[0].identity, &identity, sizeof identity);
    ledger_done(&l);
    ledger_done(&back);
}
END_TEST

START_TEST(test_a_damaged_file_is_none)
{
    struct zone_ledger l = two(), back;
    size_t size;
    auto_free char *bytes = ledger_encode(&l, &size);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_lt(ledger_decode(bytes, i, &back), 0);
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            ck_assert_int_lt(ledger_decode(bytes, size, &back), 0);
            bytes[i] ^= (char)(1 << bit);
        }
    }
    bytes[8]++;
    ck_assert_int_eq(ledger_decode(bytes, size, &back), ERR_VERSION);
    ledger_done(&l);
}
END_TEST

CHECK_MAIN("zone_ledger", test_what_was_put_is_found_and_replaced, test_sweep_leaves_what_was_seen,
           test_a_file_is_settled_only_when_its_times_are_old_and_the_same,
           test_the_file_gives_back_what_was_in_it, test_a_damaged_file_is_none)
