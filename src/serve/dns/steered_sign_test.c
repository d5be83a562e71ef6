/* Steered names of a signed zone: every answer that comes out has a signature that holds, and a
 * plan without one is not taken (L3). */
#include "model/plan_sign.h"
#include "model/zone_compile.h"
#include "model/zone_sign.h"
#include "serve/dns/query_ask.h"
#include "test/check_main.h"

enum { NOW = 1700000000, DAY = 86400, RECORDS_MAX = 70, ROUNDS = 60 };

static struct dnssec_key *pairs[2];
static struct dnssec_zone_keys keys;
static struct plan_signer *signer;

/* Two: the algorithm changes. */
static void keys_make(unsigned count)
{
    ck_assert_int_eq(dnssec_key_generate(DNSSEC_ECDSAP256SHA256, 257, &pairs[0]), 0);
    ck_assert_int_eq(dnssec_key_generate(DNSSEC_ED25519, 257, &pairs[1]), 0);
    keys = (struct dnssec_zone_keys){.published = pairs,
                                     .published_count = count,
                                     .key_signers = pairs,
                                     .key_signer_count = count,
                                     .zone_signers = pairs,
                                     .zone_signer_count = count,
                                     .dnskey_ttl = 3600,
                                     .now = NOW,
                                     .lifetime = 14 * DAY,
                                     .refresh = 7 * DAY};
}

static const char example[] = "$ORIGIN example.com.\n"
                              "svc HTTPS 1 api alpn=h2\n"
                              "api HTTPS 1 . alpn=h2\n"
                              "*.any SVCB 1 .\n"
                              "tosvc CNAME svc\n";

static struct rig_file zone_signed(void)
{
    struct text text = text_init(1 << 16);
    struct rig_file f = {NULL, 0};
    struct text problems = text_init(1 << 16);
    uint8_t origin[DNAME_MAX], names[RIG_STEERED][DNAME_MAX];
    const uint8_t *steered[RIG_STEERED];
    struct zone_sign sign = {.keys = &keys};
    struct zone_seal seal = zone_sign_seal(&sign);
    ck_assert_int_gt(dname_parse("example.com", 11, NULL, origin), 0);
    for (unsigned i = 0; i < RIG_STEERED; i++) {
        ck_assert_int_gt(dname_parse(rig_steered[i], strlen(rig_steered[i]), origin, names[i]), 0);
        steered[i] = names[i];
    }
    text_append(&text, rig_example);
    text_append(&text, example);
    int err =
        zone_compile_sealed("example.com", "z", text_string(&text), text.length, steered,
                            RIG_STEERED, NULL, NULL, &seal, NULL, &problems, &f.data, &f.size);
    ck_assert_msg(err == 0, "%s", text_string(&problems));
    text_done(&problems);
    text_done(&text);
    return f;
}

static struct plan plan_signed_of(struct rig *r)
{
    const struct dnssec_zone_keys *by_file[3] = {&keys, NULL, NULL};
    struct plan plan;
    struct plan_signed out;
    ck_assert_int_eq(plan_sign(signer, &r->maker.plan, by_file, NOW, &plan, &out), 0);
    return plan;
}

static struct rig *rig_signed(unsigned key_count)
{
    struct rig *r = rig_new();
    keys_make(key_count);
    signer = plan_signer_new();
    free(r->files[0].data);
    served_free(r->served);
    r->served = NULL;
    r->files[0] = zone_signed();
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    return r;
}

static int build(struct rig *r, const struct plan *plan, struct served **ret)
{
    return served_build(plan, &r->source, NULL, ret, r->where);
}

static void end(struct rig *r)
{
    rig_free(r);
    plan_signer_free(signer);
    dnssec_key_free(pairs[0]);
    dnssec_key_free(pairs[1]);
}

/* ---- what came out ---- */

struct out {
    uint8_t owner[DNAME_MAX], records[RECORDS_MAX * (DNAME_MAX + 2)];
    uint8_t rrsig[2][DNSSEC_RRSIG_MAX];
    size_t length;
    uint16_t count, type, rrsig_length[2];
    unsigned rrsig_count;
    uint32_t ttl, rrsig_ttl;
};

static size_t name_read(const uint8_t *m, size_t at, uint8_t *ret)
{
    size_t n = 0, next = 0;
    for (; m[at];) {
        if (m[at] >= 0xc0) {
            next = next ? next : at + 2;
            at = (size_t)((m[at] & 0x3f) << 8 | m[at + 1]);
            continue;
        }
        memcpy(ret + n, m + at, m[at] + 1u);
        n += m[at] + 1u;
        at += m[at] + 1u;
    }
    ret[n] = 0;
    return next ? next : at + 1;
}

/* The records of one type at one owner, and their signatures. */
static void answer_read(const struct rig *r, uint16_t type, const char *owner, struct out *ret)
{
    const uint8_t *m = r->response;
    uint8_t name[DNAME_MAX], wanted[DNAME_MAX];
    size_t at = name_read(m, 12, name) + 4;
    memset(ret, 0, sizeof *ret);
    ret->type = type;
    ck_assert_int_gt(dname_parse(owner, strlen(owner), NULL, wanted), 0);
    unsigned records = 0;
    for (unsigned i = 6; i < 12; i += 2)
        records += (unsigned)(m[i] << 8 | m[i + 1]);
    for (; records; records--) {
        at = name_read(m, at, name);
        uint16_t rtype = (uint16_t)(m[at] << 8 | m[at + 1]);
        uint32_t ttl = (uint32_t)m[at + 4] << 24 | (uint32_t)m[at + 5] << 16 |
                       (uint32_t)m[at + 6] << 8 | m[at + 7];
        uint16_t size = (uint16_t)(m[at + 8] << 8 | m[at + 9]);
        at += 10;
        bool mine = dname_equal(name, dname_length(name), wanted, dname_length(wanted));
        if (mine && rtype == type) {
            uint8_t target[DNAME_MAX];
            const uint8_t *data = m + at;
            uint16_t whole = size; /* as it is signed: without compression */
            if (type == DNS_CNAME) {
                name_read(m, at, target);
                data = target;
                whole = (uint16_t)dname_length(target);
            }
            memcpy(ret->records + ret->length, &whole, 2);
            memcpy(ret->records + ret->length + 2, data, whole);
            ret->length += 2u + whole;
            ret->count++;
            ret->ttl = ttl;
        } else if (mine && rtype == DNS_RRSIG && (m[at] << 8 | m[at + 1]) == type) {
            ck_assert_uint_lt(ret->rrsig_count, 2);
            memcpy(ret->rrsig[ret->rrsig_count], m + at, size);
            ret->rrsig_length[ret->rrsig_count++] = size;
            ret->rrsig_ttl = ttl;
        }
        at += size;
    }
    memcpy(ret->owner, wanted, dname_length(wanted));
}

/* Asks with DO; what comes has a signature by each key that holds, of a set with this owner. */
static void holds(struct rig *r, const char *name, uint16_t type, uint16_t answered,
                  const char *owner, const char *signed_owner, unsigned count)
{
    struct out out;
    uint8_t wire[DNAME_MAX];
    const char *text = rig_ask(
        r, (struct ask){.name = name, .type = type, .size = 4096, .dnssec_ok = true, .tcp = true});
    answer_read(r, answered, owner, &out);
    ck_assert_msg(out.count == count, "%s", text);
    ck_assert_msg(out.rrsig_count == keys.zone_signer_count, "%s", text);
    ck_assert_uint_eq(out.ttl, out.rrsig_ttl); /* RFC 4034 3 */
    ck_assert_int_gt(dname_parse(signed_owner, strlen(signed_owner), NULL, wire), 0);
    struct dnssec_set set = {.owner = wire,
                             .type = answered,
                             .ttl = 60, /* the services' ttl_max */
                             .records = out.records,
                             .length = out.length,
                             .count = out.count};
    for (unsigned i = 0; i < out.rrsig_count; i++)
        ck_assert_msg(dnssec_verify(pairs[i], &set, out.rrsig[i], out.rrsig_length[i]), "%s", text);
}

static void every_answer_is_signed(unsigned key_count)
{
    struct rig *r = rig_signed(key_count);
    struct plan plan = plan_signed_of(r);
    ck_assert_msg(build(r, &plan, &r->served) == 0, "%s", r->where);
    for (unsigned i = 0; i < ROUNDS; i++) {
        holds(r, "api.example.com", DNS_A, DNS_A, "api.example.com", "api.example.com", 1);
        holds(r, "api.example.com", DNS_AAAA, DNS_AAAA, "api.example.com", "api.example.com", 2);
        holds(r, "split.example.com", DNS_A, DNS_A, "split.example.com", "split.example.com", 1);
        holds(r, "multi.example.com", DNS_A, DNS_A, "multi.example.com", "multi.example.com", 8);
        holds(r, "multi.example.com", DNS_AAAA, DNS_AAAA, "multi.example.com", "multi.example.com",
              60);
        holds(r, "fallback.example.com", DNS_A, DNS_CNAME, "fallback.example.com",
              "fallback.example.com", 1);
        holds(r, "tosteered.example.com", DNS_A, DNS_A, "api.example.com", "api.example.com", 1);
        holds(r, "host.any.example.com", DNS_A, DNS_A, "host.any.example.com", "*.any.example.com",
              1);
    }
    end(r);
}

START_TEST(test_every_answer_is_signed)
{
    every_answer_is_signed(1);
}
END_TEST

START_TEST(test_every_answer_is_signed_twice)
{
    every_answer_is_signed(2);
}
END_TEST

/* RFC 9460 4.1: so are the addresses that go along. */
START_TEST(test_what_goes_along_is_signed)
{
    static const char *const asked[] = {"svc.example.com", "api.example.com", "tosvc.example.com"};
    struct rig *r = rig_signed(1);
    struct plan plan = plan_signed_of(r);
    ck_assert_msg(build(r, &plan, &r->served) == 0, "%s", r->where);
    for (size_t i = 0; i < array_length(asked); i++) {
        holds(r, asked[i], DNS_HTTPS, DNS_A, "api.example.com", "api.example.com", 1);
        holds(r, asked[i], DNS_HTTPS, DNS_AAAA, "api.example.com", "api.example.com", 2);
    }
    holds(r, "h.any.example.com", DNS_SVCB, DNS_A, "h.any.example.com", "*.any.example.com", 1);
    end(r);
}
END_TEST

START_TEST(test_without_do_nothing_changes)
{
    struct rig *r = rig_signed(1);
    struct plan plan = plan_signed_of(r);
    ck_assert_msg(build(r, &plan, &r->served) == 0, "%s", r->where);
    const char *text = rig_ask(r, (struct ask){.name = "api.example.com", .type = DNS_A});
    ck_assert_ptr_null(strstr(text, "RRSIG"));
    end(r);
}
END_TEST

START_TEST(test_too_large_is_truncated)
{
    struct rig *r = rig_signed(1);
    struct plan plan = plan_signed_of(r);
    ck_assert_msg(build(r, &plan, &r->served) == 0, "%s", r->where);
    rig_ask(r, (struct ask){
                   .name = "multi.example.com", .type = DNS_A, .size = 200, .dnssec_ok = true});
    ck_assert(r->length <= 512);
    rig_ask(r, (struct ask){
                   .name = "multi.example.com", .type = DNS_AAAA, .size = 1232, .dnssec_ok = true});
    ck_assert(r->response[2] & 2); /* TC */
    end(r);
}
END_TEST

/* L3: the receiver's own check, for every answer of every name. */
START_TEST(test_a_missing_signature_is_refused)
{
    struct rig *r = rig_signed(1);
    struct plan whole = plan_signed_of(r);
    struct served *s = NULL;
    ck_assert_int_eq(build(r, &r->maker.plan, &s), ERR_MISSING);
    ck_assert_ptr_nonnull(strstr(r->where, "lacks its signature"));
    for (uint32_t i = 0; i < whole.service_count; i++) {
        struct plan_service services[RIG_STEERED];
        struct plan plan = whole;
        ck_assert_uint_eq(whole.service_count, RIG_STEERED);
        memcpy(services, whole.services, sizeof services);
        plan.services = services;
        ck_assert_uint_gt(services[i].signature_count, 0);
        services[i].signature_count--;
        ck_assert_int_eq(build(r, &plan, &s), ERR_MISSING);
        ck_assert_ptr_null(s);
        ck_assert_ptr_nonnull(strstr(r->where, plan_text(&plan, services[i].name)));
    }
    ck_assert_int_eq(build(r, &whole, &r->served), 0);
    end(r);
}
END_TEST

/* RFC 4035 2.2: of two algorithms that sign the zone, neither may be left out of one answer. */
START_TEST(test_a_missing_algorithm_is_refused)
{
    struct rig *r = rig_signed(2);
    struct plan whole = plan_signed_of(r), one;
    struct served *s = NULL;
    for (uint32_t i = 0; i < whole.service_count; i++) {
        struct plan_service services[RIG_STEERED];
        struct plan plan = whole;
        memcpy(services, whole.services, sizeof services);
        plan.services = services;
        services[i].signature_count--; /* one of the last choice's two */
        ck_assert_int_eq(build(r, &plan, &s), ERR_MISSING);
        ck_assert_ptr_nonnull(strstr(r->where, plan_text(&plan, services[i].name)));
    }
    ck_assert_int_eq(build(r, &whole, &r->served), 0);
    keys.zone_signer_count = 1;
    one = plan_signed_of(r);
    ck_assert_int_eq(build(r, &one, &s), ERR_MISSING);
    end(r);
}
END_TEST

CHECK_MAIN("steered_sign", test_every_answer_is_signed, test_every_answer_is_signed_twice,
           test_what_goes_along_is_signed, test_without_do_nothing_changes,
           test_too_large_is_truncated, test_a_missing_signature_is_refused,
           test_a_missing_algorithm_is_refused)
