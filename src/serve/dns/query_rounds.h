/* For benchmarks of the query path without the kernel: questions made ahead, and rounds of batches
 * over them. */
#pragma once

#include "serve/dns/query_ask.h"
#include <time.h>

enum { BATCH = 32, QUERIES = 1 << 17, ROUNDS = 8, WIRE = 80, RESPONSE = 1344 };

struct rounds {
    struct rig *r;
    uint8_t (*wires)[WIRE];
    size_t *lengths;
    struct query *jobs;
    uint8_t *responses;
};

static inline struct rounds rounds_init(void)
{
    return (struct rounds){.r = rig_new(),
                           .wires = mem_new(QUERIES, WIRE),
                           .lengths = mem_new(QUERIES, sizeof(size_t)),
                           .jobs = mem_new(BATCH, sizeof(struct query)),
                           .responses = mem_new(BATCH, RESPONSE)};
}

static inline void rounds_done(struct rounds *b)
{
    free(b->wires);
    free(b->lengths);
    free(b->jobs);
    free(b->responses);
    rig_free(b->r);
}

static inline double rounds_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The same question each time but for the name: `prefix` and the number of a random host of so
 * many; the whole name where it has a dot. */
static inline void rounds_ask(struct rounds *b, const char *prefix, unsigned names, struct ask a)
{
    struct random dice = random_init(9);
    char name[64];
    a.name = name;
    for (unsigned i = 0; i < QUERIES; i++) {
        if (strchr(prefix, '.'))
            snprintf(name, sizeof name, "%s", prefix);
        else
            snprintf(name, sizeof name, "%s-%06u.example.com", prefix, random_below(&dice, names));
        b->lengths[i] = ask_write(&a, b->wires[i], WIRE);
    }
}

/* Nanoseconds a query in batches of so many, BATCH at most; the best round. */
static inline double rounds_ns(struct rounds *b, unsigned batch)
{
    static const uint8_t address[4] = {192, 0, 2, 200};
    const struct query_client client = {address, IP_V4, false};
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = rounds_now_ns();
        for (unsigned i = 0; i < QUERIES; i += batch) {
            for (unsigned k = 0; k < batch; k++)
                query_prepare(&b->jobs[k], &b->r->ctx, b->r->served, b->wires[i + k],
                              b->lengths[i + k], &client);
            for (unsigned k = 0; k < batch; k++)
                query_locate(&b->jobs[k]);
            for (unsigned k = 0; k < batch; k++)
                query_reach(&b->jobs[k]);
            for (unsigned k = 0; k < batch; k++)
                query_finish(&b->jobs[k], &b->r->ctx, b->responses + k * (size_t)RESPONSE,
                             QUERY_UDP_SIZE);
        }
        double ns = (rounds_now_ns() - start) / QUERIES;
        best = ns < best ? ns : best;
    }
    return best;
}
