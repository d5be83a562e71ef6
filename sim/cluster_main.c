/* sim_cluster [--seed N [--talk]] [--seeds COUNT] [--sabotage NAME]
 *
 * Runs seeds of the cluster simulation, each twice; the traces have to be equal. With --sabotage
 * the run has to fail on at least one seed. */
#include "sim/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_SEEN_SEEDS = 200 };

static struct cluster c; /* too large for some stacks */

static bool seed_run(uint64_t seed, enum cluster_saboteur saboteur, bool talk)
{
    bool good = cluster_run(&c, seed, saboteur, talk);
    uint64_t trace = c.trace;
    if (!good)
        printf("seed %llu: %s\n  build/plain/sim_cluster --seed %llu --talk%s%s\n",
               (unsigned long long)seed, text_string(&c.why), (unsigned long long)seed,
               saboteur ? " --sabotage " : "", saboteur ? cluster_saboteur_name(saboteur) : "");
    cluster_done(&c);
    if (!good || talk)
        return good;
    good = cluster_run(&c, seed, saboteur, false);
    if (c.trace != trace) {
        printf("seed %llu: run twice, it went another way\n", (unsigned long long)seed);
        good = false;
    }
    cluster_done(&c);
    return good;
}

/* How often everything happened; true: something never did, in a run that was long enough. */
static bool seen_tell(const uint64_t *seen, uint64_t count)
{
    bool missing = false;
    for (unsigned s = 0; s < SEEN_COUNT; s++) {
        printf("%12llu %s\n", (unsigned long long)seen[s], cluster_seen_name(s));
        missing |= !seen[s];
    }
    if (missing && count >= ALL_SEEN_SEEDS)
        printf("something that nodes have to bear was never tried\n");
    return missing && count >= ALL_SEEN_SEEDS;
}

static int seeds_run(uint64_t first, uint64_t count, enum cluster_saboteur saboteur, bool talk)
{
    uint64_t bad = 0, seen[SEEN_COUNT] = {0};
    for (uint64_t i = 0; i < count && (!bad || !saboteur); i++) {
        bad += !seed_run(first + i, saboteur, talk);
        for (unsigned s = 0; s < SEEN_COUNT; s++)
            seen[s] += c.seen[s];
    }
    if (saboteur) {
        printf("%s\n", bad ? "the saboteur was noticed" : "nobody noticed the saboteur");
        return !bad;
    }
    printf("%llu seeds, %llu bad\n", (unsigned long long)count, (unsigned long long)bad);
    return seen_tell(seen, count) || bad;
}

static int saboteur_parse(const char *name, enum cluster_saboteur *ret)
{
    for (unsigned s = 1; s < SABOTEUR_COUNT; s++)
        if (!strcmp(name, cluster_saboteur_name(s))) {
            *ret = s;
            return 0;
        }
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 200;
    enum cluster_saboteur saboteur = SABOTEUR_NONE;
    bool talk = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--talk")) {
            talk = true;
            continue;
        }
        if (!strcmp(argv[i], "--seed"))
            first = strtoull(value, NULL, 10), count = 1;
        else if (!strcmp(argv[i], "--first"))
            first = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--seeds"))
            count = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--sabotage") || saboteur_parse(value, &saboteur))
            return fprintf(stderr, "what is %s %s?\n", argv[i], value), 2;
        i++;
    }
    return seeds_run(first, count, saboteur, talk);
}
