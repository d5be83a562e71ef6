/* What seeing together costs one node: 1,000 endpoints, five nodes, ten steps a second, the tables
 * of four others taken and its own made. Prints the share of a core, beside the same node alone,
 * and the bytes of a table, in calm and with every endpoint flapping everywhere. */
#include "decide/decide_fixture.h"
#include "decide/slow.h"
#include "model/sample_own.h"
#include "model/sample_turns.h"
#include <time.h>

enum { SERVICES = 500, OTHERS = 4, SECONDS = 60, BEATS = 10 };

struct node {
    struct world *world;
    struct vantages vantages;
    struct slow *slow;
    uint64_t *identities;
    struct sample_turns turns;
    struct sample_entry *entries;
    uint8_t *message;
    size_t size; /* of a slice */
    bool flapping;
};

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct config *config_make(void)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    char name[64], address[32];
    c->verdict.rounds = c->verdict.networks = 2;
    for (uint32_t s = 0; s < SERVICES; s++) {
        snprintf(name, sizeof name, "service-%u.example.com", s);
        struct config_service *service = fixture_service(c, name, POLICY_FAILOVER, 2);
        for (uint32_t e = 0; e < 2; e++) {
            snprintf(address, sizeof address, "10.%u.%u.%u", s / 250, s % 250, e + 1);
            struct config_endpoint *to =
                fixture_endpoint(c, service, e ? "euw1" : "use1", address, check);
            to->role = e ? ROLE_SECONDARY : ROLE_PRIMARY;
            to->region = e ? "eu-west-1" : "us-east-1";
            to->provider = e ? "gcp" : "aws";
        }
    }
    return c;
}

static struct node *node_new(uint32_t others, bool flapping)
{
    struct node *n = mem_new(1, sizeof *n);
    struct world *w = n->world = world_new(config_make());
    n->vantages = vantages_init();
    n->slow = slow_new();
    n->flapping = flapping;
    n->identities = mem_new(w->target_count, sizeof *n->identities);
    n->turns = sample_turns_init(w->targets, w->target_count);
    n->entries = mem_new(n->turns.slice, sizeof *n->entries);
    n->message = mem_new(sample_parts(n->turns.slice), SAMPLE_PART_SIZE_MAX);
    for (uint32_t i = 0; i < w->target_count; i++)
        n->identities[i] = target_identity(w->config, &w->targets[i]);
    for (uint32_t i = 0; i < others; i++) {
        char network[SAMPLE_NAME_SIZE];
        snprintf(network, sizeof network, "AS%u", i);
        int err = vantages_member(&n->vantages, i + 2, "other", "there", network);
        invariant(!err);
    }
    vantages_targets(&n->vantages, n->identities, w->target_count);
    slow_targets(n->slow, w->targets, n->identities, w->target_count);
    return n;
}

static void node_free(struct node *n)
{
    world_free(n->world);
    vantages_done(&n->vantages);
    slow_free(n->slow);
    free(n->identities);
    sample_turns_done(&n->turns);
    free(n->entries);
    free(n->message);
    free(n);
}

/* A slice of ours. */
static void slice_fill(struct node *n)
{
    struct world *w = n->world;
    for (uint32_t i = 0; i < n->turns.slice; i++) {
        uint32_t t = sample_turns_take(&n->turns);
        n->entries[i] = sample_own(&w->plan, t, n->identities[t], &slow_facts(n->slow)[t], w->now);
    }
}

/* It as a message of vantage `id`: all see the same. */
static void slice_make(struct node *n, uint64_t id, uint64_t sequence)
{
    struct sample_head head = {.vantage = id,
                               .boot = 1,
                               .sequence = sequence,
                               .made = n->world->now,
                               .node = "other",
                               .site = "there"};
    snprintf(head.network, sizeof head.network, "AS%u", (unsigned)id);
    n->size = sample_slice_encode(&head, n->entries, n->turns.slice, n->message);
}

static void beat(struct node *n, unsigned number)
{
    struct world *w = n->world;
    w->now += SEC / BEATS;
    for (uint32_t t = number % BEATS; t < w->target_count; t += BEATS) {
        bool fails = n->flapping && (w->now / SEC / 4 + t) % 2;
        (void)world_sample(w, t, fails ? REASON_CONNECT_TIMEOUT : REASON_OK);
    }
    for (size_t i = 0; i < w->sample_count; i++) {
        slow_sample(n->slow, &w->samples[i], false);
        sample_turns_note(&n->turns, w->samples[i].target);
    }
    struct decide_input in = {.previous = w->plan.generation ? &w->plan : NULL,
                              .intent = &w->intent,
                              .files = &w->files,
                              .samples = w->samples,
                              .sample_count = (uint32_t)w->sample_count,
                              .epoch = w->epoch,
                              .vantage = 1,
                              .vantages = n->vantages.list,
                              .vantage_count = n->vantages.count,
                              .now = w->now,
                              .wall = w->now + 1700000000 * SEC,
                              .boot_id = w->boot_id};
    in.slow = slow_step(n->slow, "AS1", in.vantages, in.vantage_count, in.now, in.wall);
    plan_step(w->decider, &in, &w->out);
    w->plan = w->out.plan;
    w->sample_count = 0;
}

static double measure(const char *label, uint32_t others, bool flapping)
{
    struct node *n = node_new(others, flapping);
    for (unsigned i = 0; i < 10 * BEATS; i++)
        beat(n, i);
    double begun = cpu_ms();
    for (unsigned s = 0; s < SECONDS * BEATS; s++) {
        beat(n, s);
        slice_fill(n);
        slice_make(n, 1, s + 1); /* our own */
        for (uint32_t i = 0; i < others; i++) {
            double made = cpu_ms();
            slice_make(n, i + 2, s + 1);
            begun += cpu_ms() - made; /* theirs cost us nothing to make */
            int err = vantages_take(&n->vantages, i + 2, n->message, n->size, n->world->now, 0);
            invariant(!err);
        }
    }
    double share = (cpu_ms() - begun) / SECONDS / 10;
    printf("%-28s %.2f %% of a core, %zu bytes a second to each peer\n", label, share,
           others ? n->size * BEATS : 0);
    node_free(n);
    return share;
}

int main(void)
{
    printf("%u endpoints, %d steps a second\n", 2 * SERVICES, BEATS);
    double calm = measure("alone, calm", 0, false), flaps = measure("alone, flapping", 0, true);
    double calm_five = measure("one of five, calm", OTHERS, false);
    double flaps_five = measure("one of five, flapping", OTHERS, true);
    printf("seeing together: %.2f %% in calm, %.2f %% with everything flapping\n", calm_five - calm,
           flaps_five - flaps);
    return 0;
}
