/* Signing with threads gives the zone that signing without gives, but for the signatures' bytes. */
#include "model/zone_sign_io.h"
#include "model/zone_sign_rig.h"
#include "model/zone_walk.h"
#include "test/check_main.h"
#include <stdatomic.h>

enum { NAMES = 3000 };

static struct fixture many_signed(struct rig *r, const char *text, zone_sign_spread *spread)
{
    struct fixture f;
    struct text problems = text_init(1 << 16);
    r->sign = (struct zone_sign){.keys = &r->keys, .spread = spread};
    struct zone_seal seal = zone_sign_seal(&r->sign);
    ck_assert_int_eq(zone_compile_sealed("example", "z", text, strlen(text), NULL, 0, NULL, NULL,
                                         &seal, NULL, &problems, &f.data, &f.size),
                     0);
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    text_done(&problems);
    return f;
}

START_TEST(test_same_with_threads)
{
    struct text text = text_init(1 << 20);
    text_append(&text, "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\nn A 192.0.2.1\n");
    for (unsigned i = 0; i < NAMES; i++)
        text_appendf(&text, "h%u A 192.0.2.2\n", i * 7919 % 100000);
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        struct rig r = {0};
        /* Ed25519 gives the same bytes each time (RFC 8032). */
        rig_keys(&r, DNSSEC_ED25519, nsec3);
        struct fixture one = many_signed(&r, text_string(&text), NULL);
        unsigned made = r.sign.made, expires = r.sign.expires;
        struct fixture many = many_signed(&r, text_string(&text), zone_sign_threads);
        ck_assert_uint_eq(r.sign.made, made);
        ck_assert_uint_eq(r.sign.expires, expires);
        ck_assert_uint_eq(many.size, one.size);
        ck_assert_mem_eq(many.data, one.data, one.size);
        fixture_done(&one);
        fixture_done(&many);
        dnssec_key_free(r.key);
    }
    text_done(&text);
}
END_TEST

CHECK_MAIN("zone_sign_io", test_same_with_threads)
