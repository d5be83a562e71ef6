/* The query path alone, without the kernel: nanoseconds a query over a zone of 100,000 names in
 * random order, in batches as the UDP worker makes them, and one by one.
 *
 *   query_bench [NAMES [ENTRIES]]: ENTRIES of a rate limit */
#include "serve/dns/query_ask.h"
#include <stdio.h>
#include <time.h>

enum { BATCH = 32, QUERIES = 1 << 17, WIRE = 64, ROUNDS = 8 };

struct bench {
    struct rig *r;
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

static void zone_make(struct rig *r, unsigned names)
{
    struct text zone = text_init(64 << 20);
    text_append(&zone, rig_example);
    for (unsigned i = 0; i < names; i++)
        text_appendf(&zone, "host-%06u A 192.0.2.%u\n", i, i % 254 + 1);
    served_free(r->served);
    free(r->files[0].data);
    r->files[0] = rig_zone("example.com", text_string(&zone), rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    if (rig_build(r, NULL, &r->served))
        abort();
    text_done(&zone);
}

/* prefix: of a random host's name; the whole name where it has a dot. */
static void queries_make(struct bench *b, const char *prefix, unsigned names, uint16_t size)
{
    struct random dice = random_init(9);
    for (unsigned i = 0; i < QUERIES; i++) {
        char name[64];
        if (strchr(prefix, '.'))
            snprintf(name, sizeof name, "%s", prefix);
        else
            snprintf(name, sizeof name, "%s-%06u.example.com", prefix, random_below(&dice, names));
        struct ask a = {name, DNS_A, .size = size};
        b->lengths[i] = ask_write(&a, b->wires[i], WIRE);
    }
}

static double batches_ns(struct bench *b, unsigned batch)
{
    static const uint8_t address[4] = {192, 0, 2, 200};
    const struct query_client client = {address, IP_V4, false};
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (unsigned i = 0; i < QUERIES; i += batch) {
            for (unsigned k = 0; k < batch; k++)
                query_prepare(&b->jobs[k], &b->r->ctx, b->r->served, b->wires[i + k],
                              b->lengths[i + k], &client);
            for (unsigned k = 0; k < batch; k++)
                query_locate(&b->jobs[k]);
            for (unsigned k = 0; k < batch; k++)
                query_reach(&b->jobs[k]);
            for (unsigned k = 0; k < batch; k++)
                query_finish(&b->jobs[k], &b->r->ctx, b->responses + k * (size_t)1344, 1232);
        }
        double ns = (now_ns() - start) / QUERIES;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    struct bench b = {.r = rig_new()};
    static const struct {
        const char *what, *prefix;
        uint16_t size;
    } cases[] = {{"existing, no EDNS", "host", 0},
                 {"existing, EDNS", "host", 1232},
                 {"NXDOMAIN", "xost", 0},
                 {"steered, weighted", "split.example.com", 0},
                 {"alias to steered", "tosteered.example.com", 0}};
    b.wires = mem_new(QUERIES, WIRE);
    b.lengths = mem_new(QUERIES, sizeof(size_t));
    b.jobs = mem_new(BATCH, sizeof(struct query));
    b.responses = mem_new(BATCH, 1344);
    zone_make(b.r, names);
    if (argc > 2) { /* entries of a rate limit that holds nothing back */
        b.r->ctx.limit = limit_new(1000000, 2, (uint32_t)strtoul(argv[2], NULL, 10));
        b.r->ctx.now = USEC_PER_HOUR;
    }
    printf("%u names; ns a query (best of %d): batches of %d, batches of 4, one by one\n", names,
           ROUNDS, BATCH);
    for (size_t i = 0; i < array_length(cases); i++) {
        queries_make(&b, cases[i].prefix, names, cases[i].size);
        printf("%-20s %6.0f %6.0f %6.0f\n", cases[i].what, batches_ns(&b, BATCH), batches_ns(&b, 4),
               batches_ns(&b, 1));
    }
    limit_free(b.r->ctx.limit);
    free(b.wires);
    free(b.lengths);
    free(b.jobs);
    free(b.responses);
    rig_free(b.r);
    return 0;
}
