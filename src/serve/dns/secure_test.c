/* What DO gets: the cases of RFC 4035 B and RFC 5155 B over their example zones, and where they
 * meet the rest of the query path. An answer is written as its sets: "an x.w.example MX+" are the
 * MX records of that name with one signature; NSEC3 owners are shown by the name that they hash. */
#include "model/zone_rfc4035.h"
#include "model/zone_walk.h"
#include "serve/dns/query_ask.h"
#include "serve/dns/query_rig_signed.h"
#include "test/check_main.h"
#include "wire/nsec3.h"
#include "wire/rdata.h"

enum { MANY = 4096 };

/* RFC 5155 A has nearly the same names. */
static const char example[] = RFC4035_ZONE("600") "alias CNAME xx\n"
                                                  "*.alias CNAME alias\n"
                                                  "toother CNAME host.other.\n"
                                                  "toc CNAME x.b\n";
static const char other[] = "$ORIGIN other.\n"
                            "$TTL 3600\n"
                            "@ SOA ns1.example. host.example. 1 3600 300 3600000 600\n"
                            "@ NS ns1.example.\n"
                            "*.w MX 1 host\n"
                            "host A 192.0.2.11\n"
                            "tosub CNAME x.sub\n"
                            "sub NS host\n"
                            "redirected DNAME w\n"
                            "*.turn CNAME x.turn\n"
                            "three MX 1 host\n"
                            "three MX 2 ns.other.\n"
                            "three MX 3 host\n"
                            "ns A 192.0.2.12\n"
                            "tlsa TLSA 3 1 1 00\n";

static struct rig *rig_signed(bool nsec3)
{
    struct rig *r = mem_new(1, sizeof *r);
    r->maker = maker_init(256, 1 << 14);
    r->maker.plan.generation = 1;
    r->source = (struct served_source){rig_get, rig_release, r, NULL};
    struct rig_signer signer;
    rig_signer_init(&signer, nsec3);
    r->files[0] = rig_zone_signed(&signer, "example", example, NULL, 0);
    r->files[1] = rig_zone_signed(&signer, "other", other, NULL, 0);
    rig_signer_done(&signer);
    maker_file(&r->maker, PLAN_FILE_ZONE, "example", rig_hash(&r->files[0]));
    maker_file(&r->maker, PLAN_FILE_ZONE, "other", rig_hash(&r->files[1]));
    r->stats = NULL;
    if (posix_memalign((void **)&r->stats, 64, sizeof *r->stats))
        abort();
    memset(r->stats, 0, sizeof *r->stats);
    r->ctx = (struct query_context){
        .random = random_init(5), .stats = r->stats, .udp_size = QUERY_UDP_SIZE};
    r->text = text_init(1 << 20);
    ck_assert_int_eq(rig_build(r, NULL, &r->served), 0);
    return r;
}

/* The name that an NSEC3 owner hashes. */
static const char *unhashed(const struct rig *r, const char *owner)
{
    static char text[DNAME_TEXT_MAX];
    for (uint32_t i = 0; i < r->served->zone_count; i++) {
        const struct zone *z = &r->served->zones[i].zone;
        const struct zone_node *n = zone_node_at(z, z->header->apex);
        for (; n; n = zone_node_next(z, n)) {
            uint8_t hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];
            nsec3_hash(zone_node_name(n), n->name_length, hash);
            nsec3_label(hash, label);
            if (memcmp(label + 1, owner, sizeof label - 1) == 0)
                return dname_format(zone_node_name(n), text);
        }
    }
    return "?";
}

struct seen {
    char section[3], owner[256], type[16];
};

/* One record's line; a signature becomes a "+" behind its set. */
static void line_shorten(const struct rig *r, const char *line, struct seen *last, char *out)
{
    struct seen now = {"", "", ""};
    char rest[5] = "", type[DNS_TYPE_TEXT_MAX];
    unsigned number;
    if (sscanf(line, "%2s %255s %*u %15s %4s", now.section, now.owner, now.type, rest) < 4)
        return;
    if (sscanf(now.type, "TYPE%u", &number) == 1)
        snprintf(now.type, sizeof now.type, "%s", dns_type_format((uint16_t)number, type));
    bool rrsig = strcmp(now.type, "RRSIG") == 0;
    if (rrsig) {
        ck_assert_int_eq(sscanf(rest, "%4x", &number), 1);
        ck_assert_str_eq(dns_type_format((uint16_t)number, type), last->type);
        ck_assert_str_eq(now.owner, last->owner);
        ck_assert_str_eq(now.section, last->section);
        strncat(out, "+", MANY - strlen(out) - 1);
        return;
    }
    if (memcmp(&now, last, sizeof now) == 0)
        return;
    *last = now;
    size_t used = strlen(out);
    snprintf(out + used, MANY - used, "; %s %s %s", now.section,
             strcmp(now.type, "NSEC3") == 0 ? unhashed(r, now.owner) : now.owner, now.type);
}

static const char *sets_of(struct rig *r, const char *name, uint16_t type, bool dnssec_ok)
{
    static char out[MANY];
    char line[MANY];
    struct seen last = {"", "", ""};
    const char *at = rig_ask(r, (struct ask){name, type, .size = 4096, .dnssec_ok = dnssec_ok});
    memset(&last, 0, sizeof last);
    snprintf(out, sizeof out, "%.*s", (int)strcspn(at, "\n"), at);
    while ((at = strchr(at, '\n')) && *++at) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        if (strncmp(line, "qd ", 3) != 0 && strncmp(line, "opt ", 4) != 0)
            line_shorten(r, line, &last, out);
    }
    return out;
}

#define expect(r, name, type, text) ck_assert_str_eq(sets_of((r), (name), (type), true), (text))
#define NSEC_SOA                    "; ns example SOA+"

/* RFC 4035 B.1 to B.8 */
START_TEST(test_nsec)
{
    struct rig *r = rig_signed(false);
    expect(r, "x.w.example", DNS_MX,
           "NOERROR qr aa; an x.w.example MX+; ad xx.example A+; ad xx.example AAAA+");
    expect(r, "ml.example", DNS_A,
           "NXDOMAIN qr aa" NSEC_SOA "; ns b.example NSEC+; ns example NSEC+");
    expect(r, "ns1.example", DNS_MX, "NOERROR qr aa" NSEC_SOA "; ns ns1.example NSEC+");
    expect(r, "mc.a.example", DNS_MX,
           "NOERROR qr; ns a.example NS; ns a.example DS+; ad ns1.a.example A; ad ns2.a.example A");
    expect(r, "mc.b.example", DNS_A,
           "NOERROR qr; ns b.example NS; ns b.example NSEC+; ad ns1.b.example A; "
           "ad ns2.b.example A");
    expect(r, "a.z.w.example", DNS_MX,
           "NOERROR qr aa; an a.z.w.example MX+; ns x.y.w.example NSEC+; ad ai.example A+; "
           "ad ai.example AAAA+");
    expect(r, "a.z.w.example", DNS_AAAA,
           "NOERROR qr aa" NSEC_SOA "; ns x.y.w.example NSEC+; ns *.w.example NSEC+");
    expect(r, "example", DNS_DS, "NOERROR qr aa" NSEC_SOA "; ns example NSEC+");
    expect(r, "a.example", DNS_DS, "NOERROR qr aa; an a.example DS+");
    expect(r, "b.example", DNS_DS, "NOERROR qr aa" NSEC_SOA "; ns b.example NSEC+");
    /* an empty non-terminal has no record of its own: the gap shows that nothing is there */
    expect(r, "y.w.example", DNS_A, "NOERROR qr aa" NSEC_SOA "; ns x.w.example NSEC+");
    /* at the wildcard itself nothing is expanded */
    expect(r, "*.w.example", DNS_MX,
           "NOERROR qr aa; an *.w.example MX+; ad ai.example A+; ad ai.example AAAA+");
    expect(r, "ai.example", DNS_NSEC, "NOERROR qr aa; an ai.example NSEC+");
    expect(r, "example", DNS_DNSKEY, "NOERROR qr aa; an example DNSKEY+");
    rig_free(r);
}
END_TEST

#define NSEC3_CHAIN(text) "; ns " text " NSEC3+"

/* How many NSEC3 records, and that the closest encloser's is there. */
static void hashed(struct rig *r, const char *name, uint16_t type, const char *head,
                   const char *encloser, unsigned count)
{
    const char *text = sets_of(r, name, type, true);
    char wanted[300];
    unsigned found = 0;
    ck_assert_msg(strncmp(text, head, strlen(head)) == 0, "%s: %s", name, text);
    snprintf(wanted, sizeof wanted, "; ns %s NSEC3+", encloser);
    ck_assert_msg(!*encloser || strstr(text, wanted), "%s: %s", name, text);
    for (const char *at = text; (at = strstr(at, " NSEC3+")); at++)
        found++;
    ck_assert_msg(found > 0 && found <= count, "%s: %s", name, text);
}

/* RFC 5155 B.1 to B.6; which gap a hash falls into is not known by heart, so gaps are counted: two
 * may be the same. Validators judge them in test/dnssec_test.py. */
START_TEST(test_nsec3)
{
    struct rig *r = rig_signed(true);
    hashed(r, "a.c.x.w.example", DNS_A, "NXDOMAIN qr aa" NSEC_SOA, "x.w.example", 3);
    expect(r, "ns1.example", DNS_MX, "NOERROR qr aa" NSEC_SOA NSEC3_CHAIN("ns1.example"));
    expect(r, "y.w.example", DNS_A, "NOERROR qr aa" NSEC_SOA NSEC3_CHAIN("y.w.example"));
    expect(r, "mc.b.example", DNS_MX,
           "NOERROR qr; ns b.example NS" NSEC3_CHAIN("b.example") "; ad ns1.b.example A; ad "
                                                                  "ns2.b.example A");
    expect(r, "mc.a.example", DNS_MX,
           "NOERROR qr; ns a.example NS; ns a.example DS+; ad ns1.a.example A; ad ns2.a.example A");
    hashed(r, "a.z.w.example", DNS_MX, "NOERROR qr aa; an a.z.w.example MX+; ns ", "", 1);
    hashed(r, "a.z.w.example", DNS_AAAA, "NOERROR qr aa" NSEC_SOA, "*.w.example", 3);
    expect(r, "example", DNS_DS, "NOERROR qr aa" NSEC_SOA NSEC3_CHAIN("example"));
    expect(r, "b.example", DNS_DS, "NOERROR qr aa" NSEC_SOA NSEC3_CHAIN("b.example"));
    /* RFC 5155 7.2.8: hashes are no names */
    hashed(r, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example", DNS_NSEC3, "NXDOMAIN qr aa" NSEC_SOA,
           "example", 3);
    rig_free(r);
}
END_TEST

/* Each alias with its signature, proofs of the wildcards on the way behind all answers. */
START_TEST(test_aliases)
{
    struct rig *r = rig_signed(false);
    expect(r, "alias.example", DNS_A, "NOERROR qr aa; an alias.example CNAME+; an xx.example A+");
    expect(r, "q.alias.example", DNS_A,
           "NOERROR qr aa; an q.alias.example CNAME+; an alias.example CNAME+; an xx.example A+; "
           "ns *.alias.example NSEC+");
    expect(r, "alias.example", DNS_MX,
           "NOERROR qr aa; an alias.example CNAME+" NSEC_SOA "; ns xx.example NSEC+");
    expect(r, "toother.example", DNS_A,
           "NOERROR qr aa; an toother.example CNAME+; an host.other A+");
    expect(r, "toother.example", DNS_TXT,
           "NOERROR qr aa; an toother.example CNAME+; ns other SOA+; ns host.other NSEC+");
    expect(r, "toc.example", DNS_A,
           "NOERROR qr aa; an toc.example CNAME+; ns b.example NS; ns b.example NSEC+; "
           "ad ns1.b.example A; ad ns2.b.example A");
    rig_free(r);
}
END_TEST

/* RFC 4035 3.1.1: what goes along and is no glue has its signature. */
START_TEST(test_referral_to_a_host)
{
    struct rig *r = rig_signed(false);
    expect(r, "x.sub.other", DNS_A,
           "NOERROR qr; ns sub.other NS; ns sub.other NSEC+; ad host.other A+");
    expect(r, "tosub.other", DNS_A,
           "NOERROR qr aa; an tosub.other CNAME+; ns sub.other NS; ns sub.other NSEC+; "
           "ad host.other A+");
    rig_free(r);
}
END_TEST

/* Neither a proof nor an address is sent twice. */
START_TEST(test_each_record_once)
{
    struct rig *r = rig_signed(false);
    expect(r, "q.turn.other", DNS_A,
           "NOERROR qr aa; an q.turn.other CNAME+; an x.turn.other CNAME+; "
           "ns *.turn.other NSEC+");
    expect(r, "three.other", DNS_MX,
           "NOERROR qr aa; an three.other MX+; ad host.other A+; ad ns.other A+");
    rig_free(r);
}
END_TEST

/* ANY is one set, and not the proof that stands at every name. */
START_TEST(test_any_is_no_proof)
{
    struct rig *r = rig_signed(false);
    expect(r, "tlsa.other", DNS_ANY, "NOERROR qr aa; an tlsa.other TLSA+");
    expect(r, "host.other", DNS_ANY, "NOERROR qr aa; an host.other A+");
    rig_free(r);
}
END_TEST

/* RRSIG is answered with the signatures of one set, of an alias too, and never denied. */
START_TEST(test_signatures_asked_for)
{
    static const struct {
        const char *name, *answer;
    } questions[] = {{"x.w.example", "an x.w.example 3600 TYPE46 000f"},
                     {"alias.example", "an alias.example 3600 TYPE46 0005"},
                     {"q.w.example", "an q.w.example 3600 TYPE46 000f"},
                     {"q.redirected.other", "an q.w.other 3600 TYPE46 000f"}};
    struct rig *r = rig_signed(false);
    for (unsigned i = 0; i < array_length(questions); i++)
        for (unsigned dnssec_ok = 0; dnssec_ok < 2; dnssec_ok++) {
            struct ask a = {questions[i].name, DNS_RRSIG, .size = 1232, .dnssec_ok = dnssec_ok};
            const char *text = rig_ask(r, a);
            ck_assert_msg(strstr(text, questions[i].answer) && !strstr(text, " SOA "), "%s", text);
            bool wildcard = questions[i].name[0] == 'q';
            ck_assert_int_eq(strstr(text, " TYPE47 ") != NULL, wildcard && dnssec_ok);
        }
    rig_free(r);
}
END_TEST

/* Without DO there is nothing of it. */
START_TEST(test_without_do)
{
    static const struct {
        const char *name;
        uint16_t type;
    } questions[] = {{"x.w.example", DNS_MX},   {"ml.example", DNS_A},    {"mc.b.example", DNS_A},
                     {"a.z.w.example", DNS_MX}, {"alias.example", DNS_A}, {"mc.a.example", DNS_A},
                     {"q.alias.example", DNS_A}};
    struct rig *r = rig_signed(true);
    for (unsigned i = 0; i < array_length(questions); i++) {
        const char *text = sets_of(r, questions[i].name, questions[i].type, false);
        ck_assert_msg(!strchr(text, '+') && !strstr(text, "NSEC") && !strstr(text, " DS"), "%s",
                      text);
    }
    rig_free(r);
}
END_TEST

/* ... nor without EDNS, whatever a query struct held before. */
START_TEST(test_without_edns)
{
    struct rig *r = rig_signed(false);
    const uint8_t address[4] = {192, 0, 2, 200};
    struct query_client client = {address, IP_V4, false};
    struct ask a = {"x.w.example", DNS_MX};
    uint8_t wire[64];
    struct query q;
    memset(&q, 1, sizeof q);
    query_prepare(&q, &r->ctx, r->served, wire, ask_write(&a, wire, sizeof wire), &client);
    ck_assert(q.course == QUERY_GO && !q.edns.dnssec_ok);
    ck_assert_ptr_null(strstr(rig_ask(r, a), "TYPE46"));
    rig_free(r);
}
END_TEST

#define LONG "a-label-nearly-as-long-as-one-may-be-for-a-longer-answer."

/* What must be there or TC, what may go: at every size from 512 on the answer is whole or says so.
 */
START_TEST(test_sizes)
{
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        struct rig *r = rig_signed(nsec3);
        unsigned cut = 0, whole = 0;
        for (unsigned size = 512; size <= QUERY_UDP_SIZE; size += 7) {
            const char *text = rig_ask(r, (struct ask){LONG LONG LONG LONG "a.c.x.example", DNS_A,
                                                       .size = (uint16_t)size, .dnssec_ok = true});
            ck_assert_ptr_null(strstr(text, "malformed"));
            ck_assert_uint_le(r->length, size);
            bool tc = strstr(text, " tc") != NULL;
            ck_assert_int_eq(tc, strstr(text, "ns ") == NULL);
            cut += tc;
            whole += !tc;
            text = rig_ask(
                r, (struct ask){"x.w.example", DNS_MX, .size = (uint16_t)size, .dnssec_ok = true});
            ck_assert_ptr_null(strstr(text, " tc"));
        }
        ck_assert_uint_gt(whole, 0);
        ck_assert_uint_gt(cut, 0);
        rig_free(r);
    }
}
END_TEST

CHECK_MAIN("secure", test_nsec, test_nsec3, test_aliases, test_referral_to_a_host,
           test_each_record_once, test_any_is_no_proof, test_signatures_asked_for, test_without_do,
           test_without_edns, test_sizes)
