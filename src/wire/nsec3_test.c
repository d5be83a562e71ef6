#include "test/check_main.h"
#include "wire/dname.h"
#include "wire/nsec3.h"
#include <string.h>

/* The letters of a hash. */
static const char *letters_of(const uint8_t *hash)
{
    static uint8_t label[NSEC3_LABEL_SIZE + 1];

    nsec3_label(hash, label);
    ck_assert_uint_eq(label[0], NSEC3_LABEL_SIZE - 1);
    return (const char *)label + 1;
}

/* FIPS 180-4's examples, and the padding's edges: 55 bytes still end in one block, 56 and 64 take
 * another. */
START_TEST(test_plain)
{
    static const uint8_t abc[NSEC3_HASH_SIZE] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const struct {
        unsigned length;
        uint8_t begin[4];
    } edges[] = {{55, {0xc1, 0xc8, 0xbb, 0xdc}},
                 {56, {0xc2, 0xdb, 0x33, 0x0f}},
                 {64, {0x00, 0x98, 0xba, 0x82}},
                 {119, {0xee, 0x97, 0x10, 0x65}}};
    uint8_t hash[NSEC3_HASH_SIZE], data[120];

    nsec3_hash((const uint8_t *)"abc", 3, hash);
    ck_assert_mem_eq(hash, abc, sizeof abc);
    memset(data, 'a', sizeof data);
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        nsec3_hash(data, edges[i].length, hash);
        ck_assert_mem_eq(hash, edges[i].begin, 4);
    }
}
END_TEST

/* RFC 5155 appendix A. */
START_TEST(test_salted)
{
    static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
    static const struct {
        const char *name, *letters;
    } known[] = {{"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
                 {"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
                 {"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
                 {"x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"}};
    uint8_t name[DNAME_MAX], hash[NSEC3_HASH_SIZE];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int length = dname_parse(known[i].name, strlen(known[i].name), NULL, name);
        ck_assert_int_gt(length, 0);
        nsec3_hash_salted(name, (size_t)length, 12, salt, sizeof salt, hash);
        ck_assert_str_eq(letters_of(hash), known[i].letters);
    }
}
END_TEST

START_TEST(test_label)
{
    uint8_t hash[NSEC3_HASH_SIZE], back[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];

    for (unsigned seed = 0; seed < 256; seed++) {
        uint8_t name = (uint8_t)seed;
        nsec3_hash(&name, 1, hash);
        nsec3_label(hash, label);
        ck_assert(nsec3_label_read(label, back));
        ck_assert_mem_eq(hash, back, sizeof hash);
    }
    label[32] = 'w';
    ck_assert(!nsec3_label_read(label, back));
    label[32] = 'V';
    ck_assert(!nsec3_label_read(label, back));
    label[32] = 'v';
    label[0]--;
    ck_assert(!nsec3_label_read(label, back));
}
END_TEST

CHECK_MAIN("nsec3", test_plain, test_salted, test_label)
