/* What a step costs: 1,000 services of 10 endpoints, a sample of every endpoint in each step, in
 * calm and with every endpoint flapping. Prints min, median and max of 200 steps in milliseconds.
 */
#include "base/random.h"
#include "decide/decide_fixture.h"
#include <time.h>

enum { SERVICES = 1000, ENDPOINTS = 10, STEPS = 200 };

static struct world *bench_world(void)
{
    static const enum policy policies[] = {POLICY_SIMPLE, POLICY_FAILOVER, POLICY_WEIGHTED,
                                           POLICY_MULTIVALUE, POLICY_LATENCY};
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    char name[64], address[32];
    for (uint32_t s = 0; s < SERVICES; s++) {
        snprintf(name, sizeof name, "service-%u.example.com", s);
        struct config_service *service =
            fixture_service(c, name, policies[s % array_length(policies)], ENDPOINTS);
        for (uint32_t e = 0; e < ENDPOINTS; e++) {
            snprintf(name, sizeof name, "endpoint-%u", e);
            snprintf(address, sizeof address, "10.%u.%u.%u", s / 250, s % 250, e + 1);
            struct config_endpoint *endpoint = fixture_endpoint(c, service, name, address, check);
            endpoint->role = e == 0 ? ROLE_PRIMARY : ROLE_SECONDARY;
            endpoint->region = e % 2 ? "us-east-1" : "eu-west-1";
            endpoint->provider = "aws";
            endpoint->capacity = 1000;
        }
    }
    struct world *w = world_new(c);
    for (uint32_t s = 0; s < SERVICES; s++) {
        snprintf(name, sizeof name, "service-%u.example.com", s);
        world_order(w, name, "endpoint-9", ADMIN_DRAINED);
    }
    return w;
}

static double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum kind { CALM, FLAPPING, ORDERS };

static void bench(const char *label, enum kind kind)
{
    static double times[STEPS];
    struct world *w = bench_world();
    struct random r = random_init(1);
    unsigned changed = 0;
    world_rounds(w, 5);
    for (unsigned i = 0; i < STEPS; i++) {
        w->now += SEC;
        for (uint32_t t = 0; t < w->target_count; t++)
            (void)world_sample(
                w, t, kind == FLAPPING && random_below(&r, 2) ? REASON_CONNECT_TIMEOUT : REASON_OK);
        if (kind == ORDERS)
            world_order(w, "service-0.example.com", "endpoint-9", ADMIN_DRAINED);
        double before = milliseconds();
        world_step(w);
        times[i] = milliseconds() - before;
        changed += w->out.changes != 0;
    }
    qsort(times, STEPS, sizeof *times, compare);
    printf("%-9s min %6.3f ms  median %6.3f ms  max %6.3f ms  (%u of %u steps changed the plan)\n",
           label, times[0], times[STEPS / 2], times[STEPS - 1], changed, (unsigned)STEPS);
    world_free(w);
}

int main(void)
{
    printf("plan_step: %u services x %u endpoints\n", (unsigned)SERVICES, (unsigned)ENDPOINTS);
    bench("calm", CALM);
    bench("flapping", FLAPPING);
    bench("orders", ORDERS);
    return 0;
}
