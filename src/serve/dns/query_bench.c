/* The query path alone, without the kernel: nanoseconds a query over a zone of 100,000 names in
 * random order, in batches as the UDP worker makes them, and one by one. How many cache misses of a
 * query wait for one another is the difference that a name makes which was not asked lately, one by
 * one, in units of a miss in memory of the zone's size.
 *
 *   query_bench [NAMES [ENTRIES]]: ENTRIES of a rate limit */
#include "serve/dns/query_rounds.h"
#include <stdio.h>

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
        double start = rounds_now_ns();
        for (unsigned i = 0; i < STEPS; i++)
            at = memory[at * LINE];
        double ns = (rounds_now_ns() - start) / STEPS;
        best = ns < best && at < lines ? ns : best; /* `at`: the walk is not in vain */
    }
    free(memory);
    return best;
}

static void misses_tell(struct rounds *b, unsigned names)
{
    const struct ask a = {.type = DNS_A};
    rounds_ask(b, "host", names, a);
    double cold = rounds_ns(b, 1);
    rounds_ask(b, "host-000007.example.com", names, a);
    double warm = rounds_ns(b, 1), miss = miss_ns(b->r->files[0].size);
    printf(
        "one by one: %.0f ns for any name, %.0f for the same again; a miss %.0f ns: %.1f of them "
        "wait for one another\n",
        cold, warm, miss, (cold - warm) / miss);
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    struct rounds b = rounds_init();
    static const struct {
        const char *what, *prefix;
        uint16_t size;
    } cases[] = {{"existing, no EDNS", "host", 0},
                 {"existing, EDNS", "host", 1232},
                 {"NXDOMAIN", "xost", 0},
                 {"steered, weighted", "split.example.com", 0},
                 {"alias to steered", "tosteered.example.com", 0},
                 {"aliases, two", "alias2.example.com", 0}};
    zone_make(b.r, names);
    if (argc > 2) { /* entries of a rate limit that holds nothing back */
        b.r->ctx.limit = limit_new((struct limit_rates){.each = 1000000}, 2,
                                   (uint32_t)strtoul(argv[2], NULL, 10));
        b.r->ctx.now = USEC_PER_HOUR;
    }
    printf("%u names; ns a query (best of %d): batches of %d, batches of 4, one by one\n", names,
           ROUNDS, BATCH);
    for (size_t i = 0; i < array_length(cases); i++) {
        rounds_ask(&b, cases[i].prefix, names, (struct ask){.type = DNS_A, .size = cases[i].size});
        printf("%-20s %6.0f %6.0f %6.0f\n", cases[i].what, rounds_ns(&b, BATCH), rounds_ns(&b, 4),
               rounds_ns(&b, 1));
    }
    misses_tell(&b, names);
    limit_free(b.r->ctx.limit);
    rounds_done(&b);
    return 0;
}
