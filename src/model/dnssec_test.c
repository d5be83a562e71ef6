#include "base/err.h"
#include "model/dnssec.h"
#include "test/check_main.h"

static const unsigned known[] = {DNSSEC_RSASHA256, DNSSEC_ECDSAP256SHA256, DNSSEC_ED25519};

static const uint8_t zone[] = "\7example\3com";
static const uint8_t wildcard[] = "\1*\7example\3com";

/* Two A records, given out of order and one of them twice. */
static struct dnssec_set set_make(uint8_t *buffer, const uint8_t *owner, bool other_order)
{
    static const uint8_t first[] = {192, 0, 2, 1}, second[] = {192, 0, 2, 2};
    const uint8_t *records[3] = {second, first, second};
    uint8_t *at = buffer;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t length = 4;
        memcpy(at, &length, 2);
        memcpy(at + 2, records[other_order ? (i + 1) % 3 : i], 4);
        at += 6;
    }
    return (struct dnssec_set){
        .owner = owner, .type = 1, .ttl = 300, .records = buffer, .length = 18, .count = 3};
}

START_TEST(every_algorithm_signs_what_it_verifies)
{
    for (unsigned i = 0; i < array_length(known); i++) {
        struct dnssec_key *key, *other;
        uint8_t buffer[32], again[32], rrsig[DNSSEC_RRSIG_MAX];
        ck_assert_int_eq(dnssec_key_generate(known[i], DNSSEC_FLAG_ZONE, &key), 0);
        ck_assert_int_eq(dnssec_key_generate(known[i], DNSSEC_FLAG_ZONE, &other), 0);
        struct dnssec_set set = set_make(buffer, zone, false), same = set_make(again, zone, true);
        int length = dnssec_sign(key, &set, zone, 1000, 2000, rrsig, sizeof rrsig);
        ck_assert_int_gt(length, 0);
        ck_assert(dnssec_verify(key, &set, rrsig, (size_t)length));
        ck_assert(dnssec_verify(key, &same, rrsig, (size_t)length)); /* a set has no order */
        ck_assert(!dnssec_verify(other, &set, rrsig, (size_t)length));
        set.ttl++;
        ck_assert(!dnssec_verify(key, &set, rrsig, (size_t)length));
        set.ttl--;
        rrsig[11] ^= 1; /* expiration is signed as well */
        ck_assert(!dnssec_verify(key, &set, rrsig, (size_t)length));
        ck_assert_int_eq(dnssec_sign(key, &set, zone, 1, 2, rrsig, 40), ERR_LIMIT);
        dnssec_key_free(key);
        dnssec_key_free(other);
    }
}
END_TEST

START_TEST(keys_survive_their_text)
{
    for (unsigned i = 0; i < array_length(known); i++) {
        struct dnssec_key *key, *again;
        char pem[DNSSEC_PEM_MAX];
        size_t length, again_length;
        ck_assert_int_eq(dnssec_key_generate(known[i], DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP, &key),
                         0);
        ck_assert_int_eq(dnssec_key_format(key, pem), 0);
        ck_assert_int_eq(dnssec_key_parse(pem, strlen(pem), known[i], 257, &again), 0);
        const uint8_t *rdata = dnssec_key_rdata(key, &length);
        ck_assert_mem_eq(rdata, dnssec_key_rdata(again, &again_length), length);
        ck_assert_uint_eq(length, again_length);
        ck_assert_uint_eq(dnssec_key_tag(key), dnssec_key_tag(again));
        unsigned wrong = known[(i + 1) % array_length(known)];
        ck_assert_int_eq(dnssec_key_parse(pem, strlen(pem), wrong, 257, &again), ERR_INVALID);
        ck_assert_int_eq(dnssec_key_parse(pem, 30, known[i], 257, &again), ERR_SYNTAX);
        dnssec_key_free(key);
        dnssec_key_free(again);
    }
}
END_TEST

/* RFC 8080 6.1: the example's private key, key tag, DS and signature (Ed25519 has one signature for
 * one input). */
START_TEST(ed25519_of_rfc_8080)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIDgyMjYwMzg0NjI4MDgwMTIyNjQ1MTkwMjA0MTQyMjYy\n"
                              "-----END PRIVATE KEY-----\n";
    static const uint8_t ds[DNSSEC_DS_SIZE] = {
        0x0e, 0x1d, 15,   2,    0x3a, 0xa5, 0xab, 0x37, 0xef, 0xce, 0x57, 0xf7,
        0x37, 0xfc, 0x16, 0x27, 0x01, 0x3f, 0xee, 0x07, 0xbd, 0xf2, 0x41, 0xbd,
        0x10, 0xf3, 0xb1, 0x96, 0x4a, 0xb5, 0x5c, 0x78, 0xe7, 0x9a, 0x30, 0x4b};
    static const uint8_t mx[] = "\0\12\4mail\7example\3com";
    struct dnssec_key *key;
    uint8_t got[DNSSEC_DS_SIZE], record[64], rrsig[DNSSEC_RRSIG_MAX];
    uint16_t length = sizeof mx;
    ck_assert_int_eq(dnssec_key_parse(pem, strlen(pem), DNSSEC_ED25519, 257, &key), 0);
    ck_assert_uint_eq(dnssec_key_tag(key), 3613);
    dnssec_key_ds(key, zone, got);
    ck_assert_mem_eq(got, ds, sizeof ds);
    memcpy(record, &length, 2);
    memcpy(record + 2, mx, sizeof mx);
    struct dnssec_set set = {zone, 15, 3600, record, 2u + length, 1};
    int size = dnssec_sign(key, &set, zone, 1438207200, 1440021600, rrsig, sizeof rrsig);
    ck_assert_int_eq(size, 18 + (int)sizeof zone + 64);
    static const uint8_t begins[] = {0xa0, 0xbf, 0x64, 0xac, 0x9b, 0xa7, 0xef, 0x17};
    ck_assert_mem_eq(rrsig + 18 + sizeof zone, begins, sizeof begins);
    dnssec_key_free(key);
}
END_TEST

START_TEST(a_wildcard_is_signed_without_its_star)
{
    struct dnssec_key *key;
    uint8_t buffer[32], rrsig[DNSSEC_RRSIG_MAX];
    ck_assert_int_eq(dnssec_key_generate(DNSSEC_ED25519, DNSSEC_FLAG_ZONE, &key), 0);
    struct dnssec_set set = set_make(buffer, wildcard, false);
    ck_assert_int_gt(dnssec_sign(key, &set, zone, 1, 2, rrsig, sizeof rrsig), 0);
    ck_assert_uint_eq(rrsig[3], 2); /* labels: example, com */
    dnssec_key_free(key);
}
END_TEST

START_TEST(damaged_sets_are_refused)
{
    struct dnssec_key *key;
    uint8_t buffer[32], rrsig[DNSSEC_RRSIG_MAX];
    ck_assert_int_eq(dnssec_key_generate(DNSSEC_ED25519, DNSSEC_FLAG_ZONE, &key), 0);
    struct dnssec_set set = set_make(buffer, zone, false);
    set.length--;
    ck_assert_int_eq(dnssec_sign(key, &set, zone, 1, 2, rrsig, sizeof rrsig), ERR_INVALID);
    set.length++;
    set.count--;
    ck_assert_int_eq(dnssec_sign(key, &set, zone, 1, 2, rrsig, sizeof rrsig), ERR_INVALID);
    ck_assert_int_eq(dnssec_key_generate(7, 256, &key), ERR_INVALID);
    dnssec_key_free(key);
}
END_TEST

START_TEST(signatures_do_not_expire_together)
{
    struct dnssec_zone_keys keys = {.now = 1000000, .lifetime = 14 * 86400, .jitter = 86400};
    uint32_t inception, first, second;
    dnssec_times(&keys, zone, 1, &inception, &first);
    dnssec_times(&keys, zone, 28, &inception, &second);
    ck_assert_uint_eq(inception, 1000000 - 3600);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_le(first, 1000000 + 14 * 86400);
    ck_assert_uint_gt(first, 1000000 + 13 * 86400);
}
END_TEST

CHECK_MAIN("dnssec", every_algorithm_signs_what_it_verifies, keys_survive_their_text,
           ed25519_of_rfc_8080, a_wildcard_is_signed_without_its_star, damaged_sets_are_refused,
           signatures_do_not_expire_together)
