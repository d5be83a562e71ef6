#include "model/sample_table.h"

#include "base/err.h"
#include "base/hash.h"
#include "model/plan.h"
#include "model/sample.h"
#include "test/check_main.h"
#include <string.h>

static struct sample_entry entries[1000];

static struct sample_head head_of(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct sample_entry){.identity = 1000 + i,
                                           .state = i % 2 ? VERDICT_DOWN : VERDICT_UP,
                                           .reason = i % 2 ? REASON_CONNECT_TIMEOUT : REASON_OK,
                                           .down_reason = i % 2 ? REASON_CONNECT_TIMEOUT : 0,
                                           .run = (uint16_t)i,
                                           .status = 200,
                                           .since_ms = 5 * i,
                                           .sampled_ms = i % 3 ? i : SAMPLE_AGE_NONE,
                                           .counts = {{UINT32_MAX - i, i}, {6 * i, 5 * i}},
                                           .p50_us = i,
                                           .p99_us = 2 * i,
                                           .usual_us = 3 * i,
                                           .connect_us = 4 * i};
    return (struct sample_head){.vantage = 7,
                                .boot = UINT64_MAX,
                                .sequence = 99,
                                .config = 3,
                                .made = 123456789,
                                .wall = INT64_C(1700000000000000),
                                .health = VANTAGE_BLIND,
                                .node = "tokyo-1",
                                .site = "tokyo",
                                .network = "AS64500"};
}

static void seal(uint8_t *data, size_t size)
{
    uint64_t hash = hash64(data, size - 8);
    for (unsigned i = 0; i < 8; i++)
        data[size - 8 + i] = (uint8_t)(hash >> (56 - 8 * i));
}

START_TEST(test_whole)
{
    static const uint32_t sizes[] = {0, 1, 128, 129, 1000};
    static uint8_t data[8 * SAMPLE_PART_SIZE_MAX];
    for (unsigned n = 0; n < array_length(sizes); n++) {
        struct sample_head head = head_of(sizes[n]);
        uint32_t seen = 0, parts = 0;
        size_t size = sample_slice_encode(&head, entries, sizes[n], data);
        for (size_t at = 0; at < size; parts++) {
            struct sample_part p;
            size_t one = sample_part_size(data + at, size - at);
            ck_assert_int_eq(sample_part_decode(data + at, one, &p), 0);
            ck_assert_mem_eq(&p.head, &head, offsetof(struct sample_head, network));
            ck_assert_str_eq(p.head.network, head.network);
            for (uint32_t i = 0; i < p.count; i++, seen++)
                ck_assert_mem_eq(&p.entries[i], &entries[seen], sizeof *entries);
            at += one;
        }
        ck_assert_uint_eq(seen, sizes[n]);
        ck_assert_uint_eq(parts, sample_parts(sizes[n]));
    }
}
END_TEST

/* L6: the bytes on the wire depend on the number of entries alone. */
START_TEST(test_constant_size)
{
    uint8_t data[SAMPLE_PART_SIZE_MAX];
    struct sample_head head = head_of(72);
    size_t before = sample_slice_encode(&head, entries, 72, data);
    for (uint32_t i = 0; i < 72; i++)
        entries[i] = (struct sample_entry){0};
    head.health = 0;
    ck_assert_uint_eq(sample_slice_encode(&head, entries, 72, data), before);
    ck_assert_uint_eq(before, SAMPLE_HEAD_SIZE + 72 * SAMPLE_ENTRY_SIZE + 8);
}
END_TEST

static int decode_changed(size_t at, uint8_t value, bool sealed)
{
    uint8_t data[SAMPLE_PART_SIZE_MAX];
    struct sample_part p;
    struct sample_head head = head_of(2);
    size_t size = sample_slice_encode(&head, entries, 2, data);
    data[at] = value;
    if (sealed)
        seal(data, size);
    return sample_part_decode(data, size, &p);
}

START_TEST(test_strict)
{
    enum { ENTRY = SAMPLE_HEAD_SIZE };
    ck_assert_int_eq(decode_changed(0, 'X', true), ERR_MAGIC);
    ck_assert_int_eq(decode_changed(4, 1, true), ERR_VERSION);
    ck_assert_int_eq(decode_changed(5, 8, true), ERR_INVALID); /* health */
    ck_assert_int_eq(decode_changed(7, 1, true), ERR_BOUNDS);  /* entries */
    ck_assert_int_eq(decode_changed(7, 3, true), ERR_TRUNCATED);
    ck_assert_int_eq(decode_changed(7, 129, true), ERR_BOUNDS);
    ck_assert_int_eq(decode_changed(15, 0, true), ERR_INVALID); /* vantage 0 */
    ck_assert_int_eq(decode_changed(40, 0x80, true), ERR_INVALID);
    ck_assert_int_eq(decode_changed(56, '\n', true), ERR_INVALID);     /* node */
    ck_assert_int_eq(decode_changed(56 + 63, 'x', true), ERR_INVALID); /* no zero at its end */
    ck_assert_int_eq(decode_changed(ENTRY + 8, VERDICT_STATES, true), ERR_INVALID);
    ck_assert_int_eq(decode_changed(ENTRY + 9, REASONS, true), ERR_INVALID);
    ck_assert_int_eq(decode_changed(ENTRY + 10, REASON_STATUS, true), ERR_INVALID); /* up */
    ck_assert_int_eq(decode_changed(ENTRY + 11, 2, true), ERR_INVALID);
    ck_assert_int_eq(decode_changed(ENTRY + 40, 1, true), ERR_INVALID); /* p50 above p99 */
    ck_assert_int_eq(decode_changed(ENTRY + 12, 1, true), 0);
    ck_assert_int_eq(decode_changed(ENTRY + 12, 1, false), ERR_CHECKSUM);
}
END_TEST

START_TEST(test_any_length)
{
    uint8_t data[SAMPLE_PART_SIZE_MAX + 1] = {0};
    struct sample_part p;
    struct sample_head head = head_of(2);
    size_t size = sample_slice_encode(&head, entries, 2, data);
    for (size_t i = 0; i < size; i++)
        ck_assert_int_eq(sample_part_decode(data, i, &p), ERR_TRUNCATED);
    ck_assert_int_eq(sample_part_decode(data, size + 1, &p), ERR_BOUNDS);
}
END_TEST

static struct config_endpoint endpoint = {.name = "use1"};
static struct config_service service = {.name = "api.example.com", .endpoints = &endpoint};

/* Each of the things that name a target makes another identity. */
START_TEST(test_identity)
{
    struct config_check web = {.name = "web"}, other = {.name = "other"};
    struct config config = {.services = &service};
    struct target t = {.family = IP_V4, .check = &web};
    uint64_t seen[6];
    seen[0] = target_identity(&config, &t);
    ck_assert_uint_eq(target_identity(&config, &t), seen[0]);
    t.check = &other;
    seen[1] = target_identity(&config, &t);
    t.check = NULL;
    seen[2] = target_identity(&config, &t);
    t.address.bytes[3] = 1;
    seen[3] = target_identity(&config, &t);
    t.family = IP_V6;
    seen[4] = target_identity(&config, &t);
    endpoint.name = "use2";
    seen[5] = target_identity(&config, &t);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < i; k++)
            ck_assert_uint_ne(seen[i], seen[k]);
}
END_TEST

CHECK_MAIN("sample_table", test_whole, test_constant_size, test_strict, test_any_length,
           test_identity)
