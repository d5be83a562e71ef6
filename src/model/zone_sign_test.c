/* Signed zones: what is signed, the chains of the RFCs' example zones, and what a reload keeps. */
#include "base/memory.h"
#include "base/random.h"
#include "model/zone_dump.h"
#include "model/zone_sign_rig.h"
#include "model/zone_walk.h"
#include "model/zone_walk_check.h"
#include "test/check_main.h"
#include "wire/nsec3.h"

/* Every NSEC of the appendix, with DNSKEY at the apex. */
START_TEST(test_rfc4035_chain)
{
    static const char *const wanted[] = {
        "example. 3600 IN NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY",
        "a.example. 3600 IN NSEC ai.example. NS DS RRSIG NSEC",
        "ai.example. 3600 IN NSEC b.example. A HINFO AAAA RRSIG NSEC",
        "b.example. 3600 IN NSEC ns1.example. NS RRSIG NSEC",
        "ns1.example. 3600 IN NSEC ns2.example. A RRSIG NSEC",
        "ns2.example. 3600 IN NSEC *.w.example. A RRSIG NSEC",
        "*.w.example. 3600 IN NSEC x.w.example. MX RRSIG NSEC",
        "x.w.example. 3600 IN NSEC x.y.w.example. MX RRSIG NSEC",
        "x.y.w.example. 3600 IN NSEC xx.example. MX RRSIG NSEC",
        "xx.example. 3600 IN NSEC example. A HINFO AAAA RRSIG NSEC",
    };
    struct text dump = text_init(1 << 20);
    struct rig r;
    rig_open(&r, "example", rfc4035, false);
    zone_dump(&r.f.zone, &dump);
    unsigned found = 0;
    for (unsigned i = 0; i < array_length(wanted); i++) {
        char line[256];
        snprintf(line, sizeof line, "%s\n", wanted[i]);
        ck_assert_msg(strstr(text_string(&dump), line) != NULL, "no %s in %s", line,
                      text_string(&dump));
    }
    for (const char *at = text_string(&dump); (at = strstr(at, " IN NSEC ")); at++)
        found++;
    ck_assert_uint_eq(found, array_length(wanted));
    ck_assert_uint_eq(r.f.zone.header->chain_count, array_length(wanted));
    text_done(&dump);
    rig_done(&r);
}
END_TEST

/* Signed is what is ours: not delegations, not glue; each signature holds. */
START_TEST(test_signed_sets)
{
    struct rig r;
    unsigned made = 0;
    rig_open(&r, "example", rfc4035, false);
    const struct zone *z = &r.f.zone;
    for (const struct zone_node *n = zone_node_at(z, z->header->apex); n; n = zone_node_next(z, n))
        for (unsigned i = 0; i < n->set_count; i++) {
            const struct zone_set *s = &n->sets[i];
            const struct zone_records *records = (const void *)(z->base + (uint64_t)s->records * 8);
            struct zone_record rrsig;
            bool cut = n->flags & NODE_CUT;
            bool ours = !(n->flags & NODE_BELOW_CUT) && (!cut || s->type != DNS_NS);
            ck_assert_int_eq(zone_signature_first(z, s, &rrsig), ours);
            if (!ours)
                continue;
            made++;
            size_t length = (size_t)(rrsig.rdata - 2 - (const uint8_t *)(records + 1));
            struct dnssec_set set = {.owner = zone_node_name(n),
                                     .type = s->type,
                                     .ttl = s->ttl,
                                     .records = (const uint8_t *)(records + 1),
                                     .length = length,
                                     .count = s->record_count};
            ck_assert(dnssec_verify(r.key, &set, rrsig.rdata, rrsig.length));
        }
    ck_assert_uint_eq(made, r.sign.made);
    ck_assert_uint_gt(r.sign.expires, NOW + 12 * DAY);
    rig_done(&r);
}
END_TEST

/* The last name of the chain up to this one, by looking at all of it. */
static const struct zone_node *named_slowly(const struct zone *z, const uint8_t *name)
{
    const uint32_t *chain = (const uint32_t *)(z->base + z->header->chain);
    uint32_t i = z->header->chain_count;
    while (dname_compare(zone_node_name(zone_node_at(z, (uint64_t)chain[i - 1] * 8)), name) > 0)
        i--;
    return zone_node_at(z, (uint64_t)chain[i - 1] * 8);
}

START_TEST(test_named_chain)
{
    static const char *const labels[] = {"a",     "aa", "ab",     "b",   "\\000", "\\255",
                                         "\\001", "*",  "a\\000", "a-b", "z",     "zzzzzzzz"};
    struct random dice = random_init(8);
    struct text names = text_init(1 << 16);
    struct rig r;
    text_append(&names, "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\n");
    for (unsigned i = 0; i < 200; i++) {
        for (uint64_t depth = random_u64(&dice) % 4; depth; depth--)
            text_appendf(&names, "%s.", labels[random_u64(&dice) % array_length(labels)]);
        text_appendf(&names, "%s A 192.0.2.1\n", labels[random_u64(&dice) % array_length(labels)]);
    }
    rig_open(&r, "example.org", text_string(&names), false);
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t name[DNAME_MAX];
        size_t length = 0;
        for (uint64_t depth = random_u64(&dice) % 5; depth; depth--) {
            uint8_t size = (uint8_t)(1 + random_u64(&dice) % 3);
            name[length++] = size;
            for (; size; size--)
                name[length++] = "ab\0\377\1*-z"[random_u64(&dice) % 8];
        }
        memcpy(name + length, r.f.zone.header->origin, r.f.zone.header->origin_length);
        length += r.f.zone.header->origin_length;
        ck_assert_ptr_eq(zone_named_find(&r.f.zone, name, length), named_slowly(&r.f.zone, name));
    }
    rig_done(&r);
    text_done(&names);
}
END_TEST

/* The names of RFC 5155 A. Its salt and iterations are others than ours (RFC 9276), so only what
 * does not hang on them is compared; the hashes were made with ldns-nsec3-hash. */
static const char rfc5155[] = "$ORIGIN example.\n"
                              "$TTL 3600\n"
                              "@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n"
                              "@ NS ns1\n"
                              "@ NS ns2\n"
                              "@ MX 1 xx\n"
                              "a NS ns1.a\n"
                              "a DS 58470 5 1 3079f1593ebad6dc121e202a8b766a6a4837206c\n"
                              "ns1.a A 192.0.2.5\n"
                              "c NS ns1.c\n"
                              "ns1.c A 192.0.2.7\n"
                              "ns1 A 192.0.2.1\n"
                              "ns2 A 192.0.2.2\n"
                              "*.w MX 1 ai\n"
                              "x.y.w MX 1 xx\n"
                              "xx A 192.0.2.10\n";

static const struct zone_link *link_of(const struct rig *r, const char *name)
{
    uint8_t wire[DNAME_MAX], hash[ZONE_HASH_SIZE];
    int length = dname_parse(name, strlen(name), r->f.zone.header->origin, wire);
    ck_assert_int_gt(length, 0);
    nsec3_hash(wire, (size_t)length, hash);
    const struct zone_link *l = zone_link_find(&r->f.zone, hash);
    return l && memcmp(l->hash, hash, sizeof hash) == 0 ? l : NULL;
}

static void link_expect(const struct rig *r, const char *name, const char *types)
{
    struct text out = text_init(1 << 12);
    const struct zone_link *l = link_of(r, name);
    ck_assert_msg(l != NULL, "%s", name);
    struct zone_record record = zone_records_first(&r->f.zone, l->records), rrsig;
    rdata_format(DNS_NSEC3, record.rdata, record.length, &out);
    ck_assert_int_eq(strncmp(text_string(&out), "1 0 0 - ", 8), 0);
    const char *end = text_string(&out) + 8 + 32;
    ck_assert_str_eq(*end ? end + 1 : end, types);
    ck_assert(zone_records_signature_first(&r->f.zone, l->records, &rrsig));
    /* The next hash is the next link's. */
    const struct zone_link *first =
        (const struct zone_link *)(r->f.zone.base + r->f.zone.header->chain);
    const struct zone_link *next = l + 1 == first + r->f.zone.header->chain_count ? first : l + 1;
    ck_assert_mem_eq(record.rdata + 6, next->hash, ZONE_HASH_SIZE);
    text_done(&out);
}

START_TEST(test_rfc5155_chain)
{
    struct rig r;
    rig_open(&r, "example", rfc5155, true);
    ck_assert_uint_eq(r.f.zone.header->chain_count, 10);
    link_expect(&r, "example.", "NS SOA MX RRSIG DNSKEY NSEC3PARAM");
    link_expect(&r, "a", "NS DS RRSIG");
    link_expect(&r, "c", "NS"); /* insecure: nothing of it is signed */
    link_expect(&r, "ns1", "A RRSIG");
    link_expect(&r, "w", ""); /* empty non-terminals have theirs */
    link_expect(&r, "y.w", "");
    link_expect(&r, "*.w", "MX RRSIG");
    link_expect(&r, "x.y.w", "MX RRSIG");
    ck_assert_ptr_null(link_of(&r, "ns1.a"));
    ck_assert_ptr_null(link_of(&r, "nothing"));
    const struct zone_set *p = zone_node_set(fixture_node(&r.f, "example."), DNS_NSEC3PARAM);
    ck_assert(p && p->ttl == 0);
    rig_done(&r);
}
END_TEST

/* A reload signs what changed: its set, and the chain where it changed; a signature that ends soon,
 * or by another key, is made anew. */
START_TEST(test_reuse)
{
    struct text problems = text_init(1 << 16), text = text_init(1 << 16);
    struct rig r;
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        rig_open(&r, "example", rfc4035, nsec3);
        unsigned all = r.sign.made;
        struct fixture same = zone_signed(&r, "example", rfc4035, &r.f.zone, &problems);
        ck_assert_uint_eq(r.sign.made, 0);
        ck_assert_uint_eq(r.sign.reused, all);
        ck_assert_uint_eq(same.size, r.f.size);
        ck_assert_mem_eq(same.data, r.f.data, same.size);
        fixture_done(&same);

        text_reset(&text);
        text_appendf(&text, "%sxx TXT more\n", rfc4035);
        struct fixture more = zone_signed(&r, "example", text_string(&text), &r.f.zone, &problems);
        ck_assert_uint_eq(r.sign.made, 2); /* TXT, and the types that the chain names */
        fixture_done(&more);

        r.keys.now = NOW + 6 * DAY;
        same = zone_signed(&r, "example", rfc4035, &r.f.zone, &problems);
        ck_assert_uint_lt(r.sign.made, all);
        fixture_done(&same);
        r.keys.now = NOW + 8 * DAY;
        same = zone_signed(&r, "example", rfc4035, &r.f.zone, &problems);
        ck_assert_uint_eq(r.sign.made, all);
        fixture_done(&same);

        struct dnssec_key *old = r.key;
        rig_keys(&r, DNSSEC_ED25519, nsec3);
        same = zone_signed(&r, "example", rfc4035, &r.f.zone, &problems);
        ck_assert_uint_eq(r.sign.reused, 0);
        fixture_done(&same);
        dnssec_key_free(old);
        rig_done(&r);
    }
    ck_assert_str_eq(text_string(&problems), "");
    text_done(&problems);
    text_done(&text);
}
END_TEST

/* Signatures in a file that we sign ourselves are old ones; its keys stand beside ours. */
START_TEST(test_signed_before)
{
    struct text dump = text_init(1 << 20), again = text_init(1 << 20);
    struct text problems = text_init(1 << 16);
    struct rig r;
    rig_open(&r, "example", rfc4035, true);
    zone_dump(&r.f.zone, &dump);
    struct fixture f = zone_signed(&r, "example", text_string(&dump), &r.f.zone, &problems);
    ck_assert_str_eq(text_string(&problems), "");
    zone_dump(&f.zone, &again);
    ck_assert_str_eq(text_string(&again), text_string(&dump));
    fixture_done(&f);
    rig_done(&r);
    text_done(&dump);
    text_done(&again);
    text_done(&problems);
}
END_TEST

/* Steered names have the types of the families they have by configuration; for each of those there
 * is a record without it, for when the plan answers nothing. */
START_TEST(test_steered)
{
    static const uint8_t both[] = "\3api\7example", four[] = "\4only\7example";
    static const uint8_t families[] = {3, 1};
    const uint8_t *names[] = {both, four};
    struct text problems = text_init(1 << 16), out = text_init(1 << 16);
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        struct rig r = {0};
        rig_keys(&r, DNSSEC_ECDSAP256SHA256, nsec3);
        r.sign = (struct zone_sign){.keys = &r.keys, .steered_families = families};
        struct zone_seal seal = zone_sign_seal(&r.sign);
        ck_assert_int_eq(zone_compile_sealed("example", "z", rfc4035, strlen(rfc4035), names, 2,
                                             NULL, NULL, &seal, NULL, &problems, &r.f.data,
                                             &r.f.size),
                         0);
        ck_assert_int_eq(zone_open(r.f.data, r.f.size, &r.f.zone), 0);
        static const struct {
            unsigned steered, family;
            const char *nsec, *hashed;
        } cases[] = {{0, 0, "b.example. AAAA RRSIG NSEC", " AAAA RRSIG"},
                     {0, 1, "b.example. A RRSIG NSEC", " A RRSIG"},
                     {1, 0, "*.w.example. RRSIG NSEC", ""},
                     {1, 1, NULL, NULL}};
        for (unsigned i = 0; i < array_length(cases); i++) {
            uint32_t v = zone_variant(&r.f.zone, cases[i].steered, cases[i].family);
            struct zone_record rrsig;
            ck_assert_int_eq(v != 0, cases[i].nsec != NULL);
            if (!v)
                continue;
            struct zone_record record = zone_records_first(&r.f.zone, v);
            ck_assert(zone_records_signature_first(&r.f.zone, v, &rrsig));
            text_reset(&out);
            rdata_format(nsec3 ? DNS_NSEC3 : DNS_NSEC, record.rdata, record.length, &out);
            ck_assert_str_eq(text_string(&out) + (nsec3 ? 8 + 32 : 0),
                             nsec3 ? cases[i].hashed : cases[i].nsec);
        }
        ck_assert_ptr_nonnull(fixture_node(&r.f, "only.example."));
        rig_done(&r);
    }
    ck_assert_str_eq(text_string(&problems), "");
    text_done(&problems);
    text_done(&out);
}
END_TEST

/* L3: a zone without its key is refused, not served unsigned. */
START_TEST(test_no_key)
{
    struct text problems = text_init(1 << 16);
    struct rig r = {0};
    rig_keys(&r, DNSSEC_ECDSAP256SHA256, false);
    r.keys.zone_signer_count = 0;
    struct fixture f = zone_signed(&r, "example", rfc4035, NULL, &problems);
    ck_assert_ptr_null(f.data);
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "keys"));
    dnssec_key_free(r.key);
    text_done(&problems);
}
END_TEST

/* What zone_open must refuse: a set without signatures in a zone that says it is signed, a chain
 * that leads elsewhere. */
START_TEST(test_damage)
{
    struct rig r;
    struct zone z;
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        rig_open(&r, "example", rfc4035, nsec3);
        struct zone_header *h = (struct zone_header *)r.f.data;
        const struct zone_node *apex = zone_node_at(&r.f.zone, h->apex);
        struct zone_records *soa =
            (struct zone_records *)(r.f.data + (uint64_t)zone_node_set(apex, DNS_SOA)->records * 8);
        soa->signatures = 0;
        h->checksum = zone_checksum(r.f.data, r.f.size);
        ck_assert_int_eq(zone_open(r.f.data, r.f.size, &z), ERR_BOUNDS);
        soa->signatures = 1;
        uint8_t *chain = r.f.data + h->chain + (nsec3 ? sizeof(struct zone_link) : 4);
        chain[0] ^= 255;
        chain[1] ^= 255;
        h->checksum = zone_checksum(r.f.data, r.f.size);
        ck_assert_int_eq(zone_open(r.f.data, r.f.size, &z), ERR_BOUNDS);
        chain[0] ^= 255;
        chain[1] ^= 255;
        h->flags &= (uint8_t)~ZONE_SIGNED;
        h->checksum = zone_checksum(r.f.data, r.f.size);
        ck_assert_int_eq(zone_open(r.f.data, r.f.size, &z), ERR_BOUNDS);
        rig_done(&r);
    }
}
END_TEST

/* A byte of a signed zone that is another, with a checksum that fits: seen or not seen, but the
 * same however the check is cut. */
START_TEST(test_damage_is_seen_alike)
{
    struct rig r;
    struct zone z;
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        unsigned refused = 0;
        rig_open(&r, "example", rfc4035, nsec3);
        struct zone_header *h = (struct zone_header *)r.f.data;
        for (size_t i = sizeof *h; i < r.f.size; i++) {
            uint8_t was = r.f.data[i];
            r.f.data[i] ^= (uint8_t)(1 << i % 8);
            h->checksum = zone_checksum(r.f.data, r.f.size);
            int err = zone_open(r.f.data, r.f.size, &z);
            for (uint32_t nodes = 1; nodes < 6; nodes += 2)
                ck_assert_int_eq(walk_cut(r.f.data, r.f.size, nodes), err);
            refused += err != 0;
            r.f.data[i] = was;
        }
        ck_assert_uint_gt(refused, r.f.size / 8);
        rig_done(&r);
    }
}
END_TEST

CHECK_MAIN("zone_sign", test_rfc4035_chain, test_signed_sets, test_named_chain, test_rfc5155_chain,
           test_reuse, test_signed_before, test_steered, test_no_key, test_damage,
           test_damage_is_seen_alike)
