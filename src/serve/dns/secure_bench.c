/* What DO costs on the query path alone, and signing: a zone of many names signed with ECDSA P-256,
 * once with NSEC and once with NSEC3.
 *
 *   secure_bench [NAMES] */
#include "serve/dns/query_rig_signed.h"
#include "serve/dns/query_rounds.h"
#include <stdio.h>

enum { CUT_EACH = 10 }; /* so many names, one unsigned delegation */

/* Compiles the zone, with what `previous` lends; prints how long it took. */
static struct rig_file zone_make(const struct text *text, const struct rig_signer *signer,
                                 const struct zone *previous)
{
    struct zone_sign sign = {.keys = &signer->keys, .previous = previous};
    struct zone_seal seal = zone_sign_seal(&sign);
    struct text problems = text_init(1 << 16);
    struct rig_file f;
    double start = rounds_now_ns();
    if (zone_compile_sealed("example.com", "z", text->data, text->length, NULL, 0, NULL, NULL,
                            &seal, NULL, &problems, &f.data, &f.size))
        abort();
    printf("compiled in %.2f s: %u signatures made, %u kept, %.1f MiB\n",
           (rounds_now_ns() - start) / 1e9, sign.made, sign.reused, (double)f.size / (1 << 20));
    text_done(&problems);
    return f;
}

static void zone_take(struct rounds *b, unsigned names, bool nsec3)
{
    struct text text = text_init(1u << 30);
    struct rig_signer signer;
    struct zone z;
    text_append(&text, "$TTL 3600\n@ SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\n"
                       "ns1 A 192.0.2.1\n");
    for (unsigned i = 0; i < names; i++)
        text_appendf(&text, "host-%06u A 192.0.2.%u\n", i, i % 254 + 1);
    for (unsigned i = 0; i < names / CUT_EACH; i++)
        text_appendf(&text, "cut-%06u NS ns.example.net.\n", i);
    text_append(&text, "*.wild A 192.0.2.1\n");
    rig_signer_init(&signer, nsec3);
    struct rig_file first = zone_make(&text, &signer, NULL);
    if (zone_open(first.data, first.size, &z))
        abort();
    served_free(b->r->served);
    free(b->r->files[0].data);
    b->r->files[0] = zone_make(&text, &signer, &z);
    b->r->maker.files[0].hash = rig_hash(&b->r->files[0]);
    b->r->maker.plan.service_count = 0;
    if (rig_build(b->r, NULL, &b->r->served))
        abort();
    free(first.data);
    rig_signer_done(&signer);
    text_done(&text);
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    struct rounds b = rounds_init();
    static const struct {
        const char *what, *prefix;
        uint16_t type;
        bool dnssec_ok;
    } cases[] = {{"existing, no DO", "host", DNS_A, false},
                 {"existing, DO", "host", DNS_A, true},
                 {"NODATA, DO", "host", DNS_TXT, true},
                 {"NXDOMAIN, no DO", "xost", DNS_A, false},
                 {"NXDOMAIN, DO", "hosu", DNS_A, true},
                 {"wildcard, DO", "any.wild.example.com", DNS_A, true},
                 {"referral, no DO", "cut", DNS_A, false},
                 {"referral, DO", "cut", DNS_A, true}};
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        printf("%s, %u names; ns a query (best of %d) in batches of %d\n", nsec3 ? "NSEC3" : "NSEC",
               names, ROUNDS, BATCH);
        zone_take(&b, names, nsec3);
        for (size_t i = 0; i < array_length(cases); i++) {
            bool cut = cases[i].prefix[0] == 'c';
            rounds_ask(&b, cases[i].prefix, cut ? names / CUT_EACH : names,
                       (struct ask){.type = cases[i].type,
                                    .size = QUERY_UDP_SIZE,
                                    .dnssec_ok = cases[i].dnssec_ok});
            printf("  %-20s %6.0f\n", cases[i].what, rounds_ns(&b, BATCH));
        }
    }
    rounds_done(&b);
    return 0;
}
