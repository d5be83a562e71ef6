/* The query path alone, without the kernel: nanoseconds a query over a zone of 100,000 names in
 * random order, in batches as the UDP worker makes them, and one by one. How many cache misses of a
 * query wait for one another is the difference that a name makes which was not asked lately, one by
 * one, in units of a miss in memory of the zone's size.
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

/* From a cache line to one that only it tells of, in random order over as much memory. */
static double miss_ns(size_t size)
{
    enum { LINE = 64 / sizeof(uint64_t), STEPS = 1 << 20 };
    size_t lines = size / 64;
    uint64_t *memory = mem_new(lines, 64), at = 0;
    struct random dice = random_init(3);
    double best = 1e9;
    for (size_t i = 0; i < lines; i++)
        memory[i * LINE] = i;
    for (size_t i = lines - 1; i > 0; i--) { /* one cycle through all (Sattolo) */
        size_t j = random_below(&dice, (uint32_t)i);
        uint64_t swap = memory[i * LINE];
        memory[i * LINE] = memory[j * LINE];
        memory[j * LINE] = swap;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (unsigned i = 0; i < STEPS; i++)
            at = memory[at * LINE];
        double ns = (now_ns() - start) / STEPS;
        best = ns < best && at < lines ? ns : best; /* `at`: the walk is not in vain */
    }
    free(memory);
    return best;
}

static void misses_tell(struct bench *b, unsigned names)
{
    queries_make(b, "host", names, 0);
    double cold = batches_ns(b, 1);
    queries_make(b, "host-000007.example.com", names, 0);
    double warm = batches_ns(b, 1), miss = miss_ns(b->r->files[0].size);
    printf(
        "one by one: %.0f ns for any name, %.0f for the same again; a miss %.0f ns: %.1f of them "
        "wait for one another\n",
        cold, warm, miss, (cold - warm) / miss);
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
    misses_tell(&b, names);
    limit_free(b.r->ctx.limit);
    free(b.wires);
    free(b.lengths);
    free(b.jobs);
    free(b.responses);
    rig_free(b.r);
    return 0;
}
