/* What DO costs on the query path alone, and signing: a zone of many names signed with ECDSA P-256,
 * once with NSEC and once with NSEC3.
 *
 *   secure_bench [NAMES] */
#include "model/zone_compile.h"
#include "model/zone_sign.h"
#include "serve/dns/query_ask.h"
#include <stdio.h>
#include <time.h>

enum { BATCH = 32, QUERIES = 1 << 17, WIRE = 80, ROUNDS = 5, DAY = 86400 };

struct bench {
    struct rig *r;
    unsigned names;
    uint8_t (*wires)[WIRE];
    size_t *lengths;
    struct query *jobs;
    uint8_t *responses;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Compiles the zone, with what `previous` lends; prints how long it took. */
static struct rig_file zone_make(const struct text *text, struct dnssec_key *key, bool nsec3,
                                 const struct zone *previous)
{
    struct dnssec_zone_keys keys = {.published = &key,
                                    .published_count = 1,
                                    .key_signers = &key,
                                    .key_signer_count = 1,
                                    .zone_signers = &key,
                                    .zone_signer_count = 1,
                                    .nsec3 = nsec3,
                                    .dnskey_ttl = 3600,
                                    .now = 1700000000,
                                    .lifetime = 14 * DAY,
                                    .refresh = 7 * DAY};
    struct zone_sign sign = {.keys = &keys, .previous = previous};
    struct zone_seal seal = zone_sign_seal(&sign);
    struct text problems = text_init(1 << 16);
    struct rig_file f;
    double start = now_ns();
    if (zone_compile_sealed("example.com", "z", text->data, text->length, NULL, 0, NULL, NULL,
                            &seal, NULL, &problems, &f.data, &f.size))
        abort();
    printf("compiled in %.2f s: %u signatures made, %u kept, %.1f MiB\n", (now_ns() - start) / 1e9,
           sign.made, sign.reused, (double)f.size / (1 << 20));
    text_done(&problems);
    return f;
}

static void zone_take(struct bench *b, bool nsec3)
{
    struct text text = text_init(1u << 30);
    struct dnssec_key *key;
    struct zone z;
    text_append(&text, "$TTL 3600\n@ SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\n"
                       "ns1 A 192.0.2.1\n");
    for (unsigned i = 0; i < b->names; i++)
        text_appendf(&text, "host-%06u A 192.0.2.%u\n", i, i % 254 + 1);
    if (dnssec_key_generate(DNSSEC_ECDSAP256SHA256, 257, &key))
        abort();
    struct rig_file first = zone_make(&text, key, nsec3, NULL);
    if (zone_open(first.data, first.size, &z))
        abort();
    served_free(b->r->served);
    free(b->r->files[0].data);
    b->r->files[0] = zone_make(&text, key, nsec3, &z);
    b->r->maker.files[0].hash = rig_hash(&b->r->files[0]);
    b->r->maker.plan.service_count = 0;
    if (rig_build(b->r, NULL, &b->r->served))
        abort();
    free(first.data);
    dnssec_key_free(key);
    text_done(&text);
}

static void queries_make(struct bench *b, const char *prefix, uint16_t type, bool dnssec_ok)
{
    struct random dice = random_init(9);
    for (unsigned i = 0; i < QUERIES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%06u.example.com", prefix, random_below(&dice, b->names));
        struct ask a = {name, type, .size = 1232, .dnssec_ok = dnssec_ok};
        b->lengths[i] = ask_write(&a, b->wires[i], WIRE);
    }
}

static double batches_ns(struct bench *b)
{
    static const uint8_t address[4] = {192, 0, 2, 200};
    const struct query_client client = {address, IP_V4, false};
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (unsigned i = 0; i < QUERIES; i += BATCH) {
            for (unsigned k = 0; k < BATCH; k++)
                query_prepare(&b->jobs[k], &b->r->ctx, b->r->served, b->wires[i + k],
                              b->lengths[i + k], &client);
            for (unsigned k = 0; k < BATCH; k++)
                query_locate(&b->jobs[k]);
            for (unsigned k = 0; k < BATCH; k++)
                query_reach(&b->jobs[k]);
            for (unsigned k = 0; k < BATCH; k++)
                query_finish(&b->jobs[k], &b->r->ctx, b->responses + k * (size_t)1344, 1232);
        }
        double ns = (now_ns() - start) / QUERIES;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    struct bench b = {.r = rig_new(),
                      .names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000};
    static const struct {
        const char *what, *prefix;
        uint16_t type;
        bool dnssec_ok;
    } cases[] = {{"existing, no DO", "host", DNS_A, false},
                 {"existing, DO", "host", DNS_A, true},
                 {"NODATA, DO", "host", DNS_TXT, true},
                 {"NXDOMAIN, no DO", "xost", DNS_A, false},
                 {"NXDOMAIN, DO", "hosu", DNS_A, true}};
    b.wires = mem_new(QUERIES, WIRE);
    b.lengths = mem_new(QUERIES, sizeof(size_t));
    b.jobs = mem_new(BATCH, sizeof(struct query));
    b.responses = mem_new(BATCH, 1344);
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        printf("%s, %u names; ns a query (best of %d) in batches of %d\n", nsec3 ? "NSEC3" : "NSEC",
               b.names, ROUNDS, BATCH);
        zone_take(&b, nsec3);
        for (size_t i = 0; i < array_length(cases); i++) {
            queries_make(&b, cases[i].prefix, cases[i].type, cases[i].dnssec_ok);
            printf("  %-20s %6.0f\n", cases[i].what, batches_ns(&b));
        }
    }
    free(b.wires);
    free(b.lengths);
    free(b.jobs);
    free(b.responses);
    rig_free(b.r);
    return 0;
}
