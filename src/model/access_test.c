#include "base/err.h"
#include "model/access.h"
#include "test/check_main.h"
#include <string.h>

static struct config *config_of(const char *text)
{
    struct text problems = text_init(10000);
    struct config *c = NULL;
    int err = config_parse("/x.yaml", text, strlen(text), NULL, &problems, &c);
    ck_assert_msg(!err, "%s", text_string(&problems));
    return c;
}

static const char example[] =
    "node: {name: n1, site: here, network: AS64500}\n"
    "tsig: {k1: {secret: QUI=}, k2: {secret: QUJD, algorithm: hmac-sha512}}\n"
    "zones:\n"
    "  - {name: z.example, file: z, transfer: {keys: [k2]}}\n"
    "  - {name: plain.example, file: z}\n"
    "  - {name: a.example, file: z, transfer: {allow: [192.0.2.0/24, \"2001:db8::/32\"]}}\n"
    "  - {name: b.example, file: z, transfer: {allow: 192.0.2.0/24, keys: [k1, k2]}}\n";

static uint8_t *encoded(size_t *ret_size, uint64_t *ret_hash)
{
    struct config *c = config_of(example);
    struct tsig_key keys[2] = {{.algorithm = TSIG_SHA256}, {.algorithm = TSIG_SHA512}};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_gt(dname_parse(c->keys[i].name, strlen(c->keys[i].name), NULL, keys[i].name),
                         0);
        ck_assert_int_eq(tsig_secret_parse(c->keys[i].secret, &keys[i]), 0);
    }
    uint8_t *data = access_encode(c, keys, ret_size, ret_hash);
    config_free(c);
    return data;
}

static bool may(const struct access *a, const char *zone, const char *from, int64_t key)
{
    uint8_t origin[DNAME_MAX];
    struct ip ip;
    int length = dname_parse(zone, strlen(zone), NULL, origin);
    ck_assert_int_eq(ip_parse(from, &ip), 0);
    const struct access_zone *z = access_zone_find(a, origin, (size_t)length);
    return z && access_transfer(z, &ip, key, false, NULL);
}

START_TEST(test_rules)
{
    size_t size;
    uint64_t hash;
    uint8_t *data = encoded(&size, &hash);
    struct access *a;
    uint32_t index;
    ck_assert_int_eq(access_decode(data, size, &a), 0);
    ck_assert_uint_eq(a->hash, hash);
    ck_assert_uint_eq(a->zone_count, 3);
    ck_assert(!may(a, "plain.example", "192.0.2.1", 0));
    ck_assert(!may(a, "other.example", "192.0.2.1", 0));
    ck_assert(may(a, "z.example", "198.51.100.1", 1));
    ck_assert(!may(a, "z.example", "198.51.100.1", 0));
    ck_assert(!may(a, "z.example", "198.51.100.1", -1));
    ck_assert(may(a, "a.example", "192.0.2.77", -1));
    ck_assert(may(a, "a.example", "192.0.2.77", 0));
    ck_assert(may(a, "a.example", "2001:db8::1", -1));
    ck_assert(!may(a, "a.example", "192.0.3.1", -1));
    ck_assert(may(a, "b.example", "192.0.2.1", 0)); /* both have to fit */
    ck_assert(!may(a, "b.example", "192.0.2.1", -1));
    ck_assert(!may(a, "b.example", "192.0.3.1", 0));
    ck_assert_ptr_eq(access_key_find(a, (const uint8_t *)"\2k2", &index), &a->keys[1]);
    ck_assert_uint_eq(index, 1);
    ck_assert_uint_eq(a->keys[1].secret_length, 3);
    ck_assert_ptr_null(access_key_find(a, (const uint8_t *)"\2k3", &index));
    ck_assert_ptr_null(access_zone_find(NULL, (const uint8_t *)"", 1));
    access_free(a);
    free(data);
}
END_TEST

/* No damage is taken for rules (L2). */
START_TEST(test_damage)
{
    size_t size;
    uint64_t hash;
    uint8_t *data = encoded(&size, &hash);
    struct access *a;
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_lt(access_decode(data, i, &a), 0);
        data[i] ^= 1;
        ck_assert_int_lt(access_decode(data, size, &a), 0);
        data[i] ^= 1;
    }
    ck_assert_int_eq(access_decode(data, size, &a), 0);
    access_free(a);
    free(data);
}
END_TEST

START_TEST(test_pins)
{
    const uint8_t right[CONFIG_PIN_SIZE] = {1, 2, 3}, wrong[CONFIG_PIN_SIZE] = {1, 2, 4};
    uint8_t pins[2][CONFIG_PIN_SIZE] = {{9}, {1, 2, 3}};
    struct config_zone zone = {.name = "example.com", .transfer = {.pins = pins, .pin_count = 2}};
    struct config config = {.zones = &zone, .zone_count = 1};
    struct ip client = {.family = IP_V4, .bytes = {192, 0, 2, 1}};
    struct access *a;
    uint8_t origin[DNAME_MAX];
    size_t size;
    uint64_t hash;
    uint8_t *file = access_encode(&config, NULL, &size, &hash);
    ck_assert_int_eq(access_decode(file, size, &a), 0);
    int length = dname_parse("example.com", 11, NULL, origin);
    const struct access_zone *z = access_zone_find(a, origin, (size_t)length);
    ck_assert_ptr_nonnull(z);
    ck_assert(access_transfer(z, &client, -1, true, right));
    ck_assert(!access_transfer(z, &client, -1, true, wrong));
    ck_assert(!access_transfer(z, &client, -1, true, NULL));
    ck_assert(!access_transfer(z, &client, -1, false, right)); /* not over TLS 1.3 */
    ck_assert(access_pins(&config));
    zone.transfer.pin_count = 0;
    ck_assert(!access_pins(&config));
    struct ip_prefix near = {.ip = client, .length = 32};
    zone.transfer =
        (struct config_transfer){.pins = pins, .pin_count = 2, .allow = &near, .allow_count = 1};
    struct access *b;
    free(file);
    file = access_encode(&config, NULL, &size, &hash);
    ck_assert_int_eq(access_decode(file, size, &b), 0);
    z = access_zone_find(b, origin, (size_t)length);
    ck_assert(access_transfer(z, &client, -1, true, right));
    client.bytes[3] = 2;
    ck_assert(!access_transfer(z, &client, -1, true, right)); /* both have to fit */
    free(file);
    access_free(a);
    access_free(b);
}
END_TEST

CHECK_MAIN("access", test_pins, test_rules, test_damage)
