/* Names beside addresses, seen by many: who fails by the name and reaches the address knows that it
 * is DNS, and no answer moves for it. */
#include "sim/crowd_fixture.h"

#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define ALL UINT32_MAX

static const char named[] =
    "zones: [{name: example.com, file: z}]\n"
    "checks: {web: {tcp: 443, interval: 1s, timeout: 1s}}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: failover\n"
    "    endpoints:\n"
    "      - {name: use1, address: 198.51.100.10, hostname: api.vendor.test, role: primary,"
    " region: us-east-1, provider: aws, check: web}\n"
    "      - {name: euw1, address: 203.0.113.10, hostname: eu.vendor.test, role: secondary,"
    " region: eu-west-1, provider: gcp, check: web}\n";

enum { US, US_NAME, EU, EU_NAME };

static void begin(struct crowd *c, uint32_t nodes)
{
    crowd_init(c, five, nodes, named, 1);
    ck_assert_uint_eq(c->target_count, 4);
    crowd_run(c, 12 * SEC);
    for (uint32_t i = 0; i < nodes; i++)
        for (uint32_t t = 0; t < c->target_count; t++)
            ck_assert_uint_eq(c->nodes[i].plan.targets[t].state, VERDICT_UP);
}

/* L3: on no node does anything move, nor does anybody lose its vote. */
static void nothing_moved(const struct crowd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct plan *p = &c->nodes[i].plan;
        ck_assert_uint_eq(p->targets[US].state, VERDICT_UP);
        ck_assert(p->targets[US].flags & TARGET_SERVED);
        ck_assert(!(p->targets[US_NAME].flags & TARGET_SERVED));
        ck_assert_uint_eq(p->services[0].faces[IP_V4].mode, FACE_NORMAL);
        ck_assert_uint_eq(p->address_count, 1);
        ck_assert_uint_eq(p->addresses[0].target, US);
        ck_assert_uint_eq(p->cause_count, 0);
        ck_assert_uint_eq(p->detour_count, 0);
        for (uint32_t k = 0; k < p->vantage_count; k++)
            ck_assert_uint_eq(p->vantages[k].state, VANTAGE_VOTES);
    }
}

static uint8_t finding_of(const struct crowd *c, uint32_t target)
{
    return c->nodes[0].plan.views[target].finding;
}

START_TEST(test_some_fail_by_name)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, 1, US_NAME, REASON_RESOLVE_NXDOMAIN, 1000);
    crowd_ways(&c, 3, US_NAME, REASON_RESOLVE_NXDOMAIN, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, US_NAME, FINDING_NAME, 15 * SEC), 0);
    crowd_run(&c, 10 * SEC);
    nothing_moved(&c);
    ck_assert_uint_eq(finding_of(&c, US), FINDING_NONE);
    ck_assert(told(&c, "api.example.com/use1 api.vendor.test: the name does not resolve at AS64500 "
                       "and AS64502 since 00:00:"));
    ck_assert(told(&c, " (NXDOMAIN); its address 198.51.100.10 answers: DNS, not the server"));
    crowd_ways(&c, ALL, US_NAME, REASON_OK, 0);
    ck_assert_int_ge(crowd_until_finding(&c, US_NAME, FINDING_NONE, 15 * SEC), 0);
    crowd_done(&c);
}
END_TEST

/* October 2025: the vendor's name has no address any more, for anybody. */
START_TEST(test_all_fail_by_name)
{
    static const struct {
        enum reason reason;
        const char *words;
    } rows[] = {
        {REASON_RESOLVE_NODATA, "the name does not resolve at AS16509, AS64500, AS64501, AS64502 "
                                "and 1 more since "},
        {REASON_RESOLVE_NODATA, " (an empty answer); its address 198.51.100.10 answers"},
        {REASON_RESOLVE_SERVFAIL, " (SERVFAIL); its address"},
        {REASON_RESOLVE_TIMEOUT, " (no answer in time); its address"},
        {REASON_RESOLVE_WRONG, "the name leads to an address that fails at AS16509, "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct crowd c;
        begin(&c, 5);
        crowd_ways(&c, ALL, US_NAME, rows[i].reason, 1000);
        crowd_ways(&c, ALL, EU_NAME, rows[i].reason, 1000);
        ck_assert_int_ge(crowd_until(&c, US_NAME, VERDICT_DOWN, 10 * SEC), 0);
        ck_assert_int_ge(crowd_until_finding(&c, US_NAME, FINDING_NAME, 5 * SEC), 0);
        crowd_run(&c, 10 * SEC);
        nothing_moved(&c);
        ck_assert(told(&c, "api.example.com/use1 api.vendor.test fails by name: "));
        ck_assert(told(&c, rows[i].words));
        crowd_ways(&c, ALL, ALL, REASON_OK, 0);
        ck_assert_int_ge(crowd_until(&c, US_NAME, VERDICT_UP, 20 * SEC), 0);
        ck_assert(told(&c, "answers by name again after "));
        crowd_done(&c);
    }
}
END_TEST

/* What fails by the address as well is no matter of names. */
START_TEST(test_both_fail)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, ALL, US, REASON_CONNECT_REFUSED, 1000);
    crowd_ways(&c, ALL, US_NAME, REASON_RESOLVE_WRONG, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, US, FINDING_DOWN, 10 * SEC), 0);
    crowd_run(&c, 15 * SEC);
    ck_assert_uint_eq(finding_of(&c, US_NAME), FINDING_NONE);
    ck_assert_uint_eq(c.nodes[0].plan.targets[US_NAME].state, VERDICT_DOWN);
    crowd_done(&c);
    begin(&c, 5);
    crowd_ways(&c, 1, US, REASON_CONNECT_TIMEOUT, 1000);
    crowd_ways(&c, 1, US_NAME, REASON_RESOLVE_WRONG, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, US, FINDING_TRANSIT, 15 * SEC), 0);
    crowd_run(&c, 15 * SEC);
    ck_assert_uint_eq(finding_of(&c, US_NAME), FINDING_NONE);
    crowd_done(&c);
}
END_TEST

/* The address fails, and the name does not: it leads elsewhere by now. */
START_TEST(test_address_fails)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, ALL, US, REASON_CONNECT_REFUSED, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, US, FINDING_DOWN, 10 * SEC), 0);
    crowd_run(&c, 10 * SEC);
    ck_assert_uint_eq(finding_of(&c, US_NAME), FINDING_NONE);
    ck_assert_uint_eq(c.nodes[0].plan.targets[US_NAME].state, VERDICT_UP);
    ck_assert_uint_eq(c.nodes[0].plan.addresses[0].target, EU);
    crowd_done(&c);
}
END_TEST

/* L8: a node whose resolver is broken goes on voting about addresses. */
START_TEST(test_no_verdict_by_name)
{
    struct crowd c;
    begin(&c, 3);
    c.nodes[1].dumb = true;
    crowd_ways(&c, ALL, US_NAME, REASON_RESOLVE_SERVFAIL, 1000);
    crowd_run(&c, 30 * SEC);
    nothing_moved(&c);
    ck_assert_uint_eq(finding_of(&c, US_NAME), FINDING_NAME);
    ck_assert(told(&c, "the name does not resolve at AS16509 and AS64501 since "));
    crowd_done(&c);
}
END_TEST

START_TEST(test_alone)
{
    struct crowd c;
    begin(&c, 1);
    crowd_ways(&c, 0, US_NAME, REASON_RESOLVE_NODATA, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, US_NAME, FINDING_NAME, 15 * SEC), 0);
    nothing_moved(&c);
    ck_assert(told(&c, "api.example.com/use1 api.vendor.test: the name does not resolve since "));
    crowd_done(&c);
}
END_TEST

/* A name that never worked is told as well: it moves nothing. */
START_TEST(test_never_worked)
{
    for (uint32_t nodes = 1; nodes <= 3; nodes += 2) {
        struct crowd c;
        crowd_init(&c, five, nodes, named, 1);
        crowd_ways(&c, ALL, US_NAME, REASON_RESOLVE_NXDOMAIN, 1000);
        ck_assert_int_ge(crowd_until_finding(&c, US_NAME, FINDING_NAME, 30 * SEC), 0);
        ck_assert_uint_eq(c.nodes[0].plan.targets[US_NAME].state, VERDICT_UNREADY);
        nothing_moved(&c);
        crowd_done(&c);
    }
}
END_TEST

CHECK_MAIN("crowd_name", test_some_fail_by_name, test_all_fail_by_name, test_both_fail,
           test_address_fails, test_no_verdict_by_name, test_alone, test_never_worked)
