/* What many vantages decide together: the table of localisation, self-doubt, and how soon. */
#include "sim/crowd_fixture.h"

#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define MS  USEC_PER_MSEC
#define ALL UINT32_MAX

/* Two regions at two providers, two services in each; the first vantage is inside us-east-1. */
static const char regions[] =
    "zones: [{name: example.com, file: z}]\n"
    "checks: {web: {tcp: 443, interval: 1s, timeout: 1s}}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: failover\n"
    "    endpoints:\n"
    "      - {name: use1, address: 198.51.100.10, role: primary, region: us-east-1, provider: aws,"
    " check: web}\n"
    "      - {name: euw1, address: 203.0.113.10, role: secondary, region: eu-west-1, provider: gcp,"
    " check: web}\n"
    "  - name: www.example.com\n"
    "    policy: weighted\n"
    "    endpoints:\n"
    "      - {name: use1, address: 198.51.100.20, region: us-east-1, provider: aws, check: web}\n"
    "      - {name: euw1, address: 203.0.113.20, region: eu-west-1, provider: gcp, check: web}\n";

/* The first of them alone, probed more often; of five networks one may be moved. */
static const char fast_regions[] =
    "zones: [{name: example.com, file: z}]\n"
    "checks: {web: {tcp: 443, interval: 250ms, timeout: 250ms, hold_down: 5s}}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: failover\n"
    "    velocity: {remove: 20%, window: 60s}\n"
    "    endpoints:\n"
    "      - {name: use1, address: 198.51.100.10, role: primary, region: us-east-1, check: web}\n"
    "      - {name: euw1, address: 203.0.113.10, role: secondary, region: eu-west-1, check: web}\n";

enum { API_US, API_EU, WWW_US, WWW_EU };

static void begin(struct crowd *c, uint32_t nodes)
{
    crowd_init(c, five, nodes, regions, 1);
    crowd_run(c, 10 * SEC);
    for (uint32_t t = 0; t < c->target_count; t++)
        for (uint32_t i = 0; i < nodes; i++)
            ck_assert_uint_eq(c->nodes[i].plan.targets[t].state, VERDICT_UP);
}

static uint8_t state_of(const struct crowd *c, uint32_t node, uint32_t target)
{
    return c->nodes[node].plan.targets[target].state;
}

START_TEST(test_down)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, ALL, API_US, REASON_CONNECT_REFUSED, 1000);
    ck_assert_int_ge(crowd_until(&c, API_US, VERDICT_DOWN, 10 * SEC), 0);
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_DOWN, 5 * SEC), 0);
    ck_assert(told(&c, "api.example.com/use1 198.51.100.10 is unreachable from inside and from "));
    crowd_ways(&c, ALL, API_US, REASON_OK, 0);
    ck_assert_int_ge(crowd_until(&c, API_US, VERDICT_UP, 20 * SEC), 0);
    crowd_done(&c);
}
END_TEST

/* A failed path is no failed endpoint (L8): a minority moves nothing. */
START_TEST(test_transit)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, 1, API_US, REASON_CONNECT_TIMEOUT, 1000);
    crowd_ways(&c, 3, API_US, REASON_CONNECT_TIMEOUT, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_TRANSIT, 15 * SEC), 0);
    crowd_run(&c, 20 * SEC);
    ck_assert_uint_eq(state_of(&c, 0, API_US), VERDICT_UP);
    ck_assert(told(&c, "answers from inside and from AS64501 and AS64503; unreachable from AS64500 "
                       "and AS64502 since 00:00:1"));
    ck_assert(told(&c, ": connect timeout; transit, not the endpoint"));
    crowd_done(&c);
}
END_TEST

START_TEST(test_cut_off)
{
    struct crowd c;
    begin(&c, 5);
    for (uint32_t i = 1; i < 5; i++) {
        crowd_ways(&c, i, API_US, REASON_CONNECT_TIMEOUT, 1000);
        crowd_ways(&c, i, WWW_US, REASON_CONNECT_TIMEOUT, 1000);
    }
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_CUT_OFF, 10 * SEC), 0);
    crowd_run(&c, 5 * SEC);
    ck_assert_uint_eq(state_of(&c, 0, API_US), VERDICT_DOWN);
    ck_assert(told(&c, "us-east-1 answers from inside; unreachable from AS64500, AS64501, AS64502 "
                       "and AS64503 since "));
    ck_assert(told(&c, "the region is cut off, not down (2 of the 2 targets in us-east-1 fail"));
    crowd_done(&c);
}
END_TEST

START_TEST(test_path)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, 2, WWW_US, REASON_TLS_TIMEOUT, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, WWW_US, FINDING_PATH, 15 * SEC), 0);
    ck_assert_uint_eq(state_of(&c, 0, WWW_US), VERDICT_UP);
    ck_assert(told(&c, "small packets pass and large ones do not"));
    crowd_done(&c);
}
END_TEST

START_TEST(test_name)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, ALL, WWW_US, REASON_RESOLVE_NXDOMAIN, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, WWW_US, FINDING_NAME, 10 * SEC), 0);
    crowd_done(&c);
}
END_TEST

/* L8: who sees everything fail votes for nothing, and moves nothing. */
START_TEST(test_sick)
{
    struct crowd c;
    begin(&c, 3);
    crowd_ways(&c, 1, ALL, REASON_CONNECT_UNREACHABLE, 1000);
    crowd_run(&c, 20 * SEC);
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t t = 0; t < c.target_count; t++)
            ck_assert_uint_eq(state_of(&c, i, t), VERDICT_UP);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[1].state, VANTAGE_SICK);
    ck_assert_uint_eq(c.nodes[1].plan.vantages[0].state, VANTAGE_SICK);
    ck_assert(told(&c, "vantage tokyo in AS64500 votes for nothing since 00:00:1"));
    /* and what the other two then see is decided by them */
    crowd_ways(&c, 0, API_US, REASON_CLOSED, 1000);
    crowd_ways(&c, 2, API_US, REASON_CLOSED, 1000);
    ck_assert_int_ge(crowd_until(&c, API_US, VERDICT_DOWN, 15 * SEC), 0);
    crowd_done(&c);
}
END_TEST

/* With references a node that fails all of ours still votes, as long as it reaches them (L8). */
START_TEST(test_references)
{
    struct crowd c;
    struct text yaml = text_init(10000);
    text_append(&yaml, regions);
    text_append(&yaml, "  - name: references.internal\n"
                       "    endpoints:\n"
                       "      - {name: one, address: 192.0.2.1, provider: x, check: web}\n"
                       "      - {name: two, address: 192.0.2.2, provider: y, check: web}\n"
                       "verdict: {references: references.internal}\n");
    crowd_init(&c, five, 3, text_string(&yaml), 1);
    text_done(&yaml);
    crowd_run(&c, 10 * SEC);
    for (uint32_t t = API_US; t <= WWW_EU; t++)
        crowd_ways(&c, ALL, t, REASON_CONNECT_TIMEOUT, 1000);
    for (uint32_t t = API_US; t <= WWW_EU; t++)
        ck_assert_int_ge(crowd_until(&c, t, VERDICT_DOWN, 10 * SEC), 0);
    crowd_run(&c, 5 * SEC);
    ck_assert_uint_eq(state_of(&c, 0, WWW_EU), VERDICT_DOWN);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[0].state, VANTAGE_VOTES);
    crowd_ways(&c, 1, ALL, REASON_CONNECT_TIMEOUT, 1000);
    crowd_run(&c, 10 * SEC);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[1].state, VANTAGE_SICK);
    ck_assert(told(&c, "vantage tokyo in AS64500 votes for nothing since 00:00:"));
    ck_assert(told(&c, "it does not reach its references either"));
    crowd_done(&c);
}
END_TEST

/* A node that hears nobody decides nothing by itself, and says so. */
START_TEST(test_alone)
{
    struct crowd c;
    begin(&c, 3);
    for (uint32_t i = 0; i < 3; i++)
        c.cut[i][0] = c.cut[0][i] = true;
    crowd_run(&c, 5 * SEC);
    crowd_ways(&c, 0, API_US, REASON_CLOSED, 1000);
    crowd_run(&c, 20 * SEC);
    ck_assert_uint_eq(state_of(&c, 0, API_US), VERDICT_UP);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[1].state, VANTAGE_SILENT);
    ck_assert_uint_eq(c.nodes[0].plan.views[API_US].finding, FINDING_UNDECIDED);
    ck_assert(c.nodes[0].plan.targets[API_US].flags & TARGET_FROZEN);
    ck_assert(told(&c, "only 1 of 3 networks can say anything since"));
    crowd_done(&c);
}
END_TEST

/* A node that begins while a target is down has never seen it up, and says what the others say; one
 * that nobody has seen up is not ready yet on all of them (L4). */
START_TEST(test_late_comer)
{
    struct crowd c;
    crowd_init(&c, five, 5, regions, 1);
    c.nodes[0].stopped = true;
    crowd_ways(&c, UINT32_MAX, API_EU, REASON_CLOSED, 1000);
    crowd_run(&c, 10 * SEC);
    crowd_ways(&c, UINT32_MAX, API_US, REASON_CLOSED, 1000);
    crowd_run(&c, 10 * SEC);
    ck_assert_uint_eq(state_of(&c, 1, API_US), VERDICT_DOWN);
    c.nodes[0].stopped = false;
    crowd_run(&c, SEC);
    ck_assert_int_ge(crowd_until(&c, API_US, VERDICT_DOWN, 10 * SEC), 0);
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_uint_eq(state_of(&c, i, API_EU), VERDICT_UNREADY);
    crowd_done(&c);
}
END_TEST

/* Votes count once a network. */
START_TEST(test_one_network_twice)
{
    static const struct crowd_place places[] = {{"a", "x", "AS1"},
                                                {"b", "y", "AS1"},
                                                {"c", "z", "AS1"},
                                                {"d", "v", "AS2"},
                                                {"e", "w", "AS3"}};
    struct crowd c;
    crowd_init(&c, places, 5, regions, 3);
    crowd_run(&c, 10 * SEC);
    for (uint32_t i = 0; i < 3; i++)
        crowd_ways(&c, i, API_US, REASON_CLOSED, 1000);
    crowd_run(&c, 20 * SEC);
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_uint_eq(state_of(&c, i, API_US), VERDICT_UP);
    crowd_ways(&c, 3, API_US, REASON_CLOSED, 1000);
    ck_assert_int_ge(crowd_until(&c, API_US, VERDICT_DOWN, 10 * SEC), 0);
    crowd_done(&c);
}
END_TEST

/* A late prober's vote is not used, whatever it says (L4). */
START_TEST(test_late)
{
    struct crowd c;
    begin(&c, 3);
    c.nodes[1].late = true;
    crowd_run(&c, 3 * SEC);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[1].state, VANTAGE_BEHIND);
    ck_assert_uint_eq(c.nodes[1].plan.vantages[0].state, VANTAGE_BEHIND);
    c.nodes[1].late = false;
    crowd_run(&c, 6 * SEC);
    ck_assert_uint_eq(c.nodes[0].plan.vantages[1].state, VANTAGE_VOTES);
    crowd_done(&c);
}
END_TEST

/* What several networks lose of one provider is that provider's; what one network loses of all is
 * its own. */
START_TEST(test_causes)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, 4, ALL, REASON_CONNECT_TIMEOUT, 1000);
    crowd_ways(&c, 4, WWW_EU, REASON_OK, 0);
    crowd_run(&c, 15 * SEC);
    ck_assert(told(&c, "from AS64503 3 of 4 targets are unreachable since"));
    crowd_done(&c);
}
END_TEST

/* What a client gets of api.example.com: the name of the endpoint. */
static const char *answer_to(const struct crowd *c, uint32_t node, const char *client)
{
    const struct plan *p = &c->nodes[node].plan;
    uint32_t choice = p->services[0].faces[IP_V4].choice;
    struct ip ip;
    unsigned scope;
    ck_assert_int_eq(ip_parse(client, &ip), 0);
    while (p->choices[choice].kind == CHOICE_NETWORK) {
        uint32_t row = netmap_find(c->views[p->choices[choice].map], &ip, &scope);
        choice = row == NETMAP_NO_ROW ? p->choices[choice].otherwise
                                      : p->branches[p->choices[choice].first + row].choice;
    }
    ck_assert_uint_eq(p->choices[choice].kind, CHOICE_ADDRESSES);
    ck_assert_uint_eq(p->choices[choice].count, 1);
    const struct plan_target *t = &p->targets[p->addresses[p->choices[choice].first].target];
    return plan_text(p, p->endpoints[t->endpoint].name);
}

/* A broken path moves only the clients behind it, and on every node. */
START_TEST(test_locality)
{
    struct crowd c;
    struct text yaml = text_init(10000);
    text_append(&yaml, regions);
    text_append(&yaml, "collections: {AS64500: [192.0.2.0/25], paris: [192.0.2.128/25]}\n");
    crowd_init(&c, five, 5, text_string(&yaml), 1);
    text_done(&yaml);
    crowd_run(&c, 10 * SEC);
    crowd_ways(&c, 1, API_US, REASON_CONNECT_TIMEOUT, 1000);
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_TRANSIT, 15 * SEC), 0);
    crowd_run(&c, 2 * SEC);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.1"), "euw1");
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.129"), "use1");
        ck_assert_str_eq(answer_to(&c, i, "198.51.100.1"), "use1");
    }
    crowd_ways(&c, 1, API_EU, REASON_CONNECT_TIMEOUT, 1000); /* and now it reaches neither */
    crowd_ways(&c, 1, WWW_EU, REASON_OK, 0);
    crowd_run(&c, 10 * SEC);
    ck_assert_str_eq(answer_to(&c, 0, "192.0.2.1"), "use1");
    crowd_ways(&c, 1, ALL, REASON_OK, 0);
    crowd_run(&c, 10 * SEC);
    ck_assert_uint_eq(c.nodes[0].plan.views[API_US].finding, FINDING_NONE);
    ck_assert_str_eq(answer_to(&c, 0, "192.0.2.1"), "use1");
    crowd_done(&c);
}
END_TEST

static void sees_begin(struct crowd *c, const struct crowd_place *places, uint32_t count,
                       const char *more)
{
    struct text yaml = text_init(10000);
    text_append(&yaml, more);
    text_append(&yaml, fast_regions);
    crowd_init(c, places, count, text_string(&yaml), 1);
    text_done(&yaml);
    crowd_run(c, 10 * SEC);
}

/* Without collections: clients are near those who look from the region of least latency to them.
 * A collection that holds them knows better. */
START_TEST(test_near_by_latency)
{
    struct crowd c;
    sees_begin(&c, five, 5,
               "latency:\n"
               "  192.0.2.0/26: {us-east-1: 140ms, eu-west-1: 220ms, tokyo: 4ms, paris: 230ms}\n"
               "  192.0.2.64/26: {us-east-1: 80ms, eu-west-1: 20ms, tokyo: 230ms, paris: 6ms}\n"
               "  192.0.2.128/26: {us-east-1: 180ms, eu-west-1: 60ms, tokyo: 121ms}\n"
               "  198.51.100.0/25: {tokyo: 9ms}\n"
               "collections: {paris: [198.51.100.64/26], nobody: [192.0.2.0/28]}\n");
    crowd_ways(&c, 1, API_US, REASON_CONNECT_REFUSED, 1000); /* tokyo */
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_TRANSIT, 15 * SEC), 0);
    crowd_run(&c, 2 * SEC);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.1"), "euw1"); /* of a collection of nobody's */
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.33"), "euw1");
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.65"), "use1");
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.129"), "use1"); /* twice as far as the nearest */
        ck_assert_str_eq(answer_to(&c, i, "198.51.100.1"), "euw1");
        ck_assert_str_eq(answer_to(&c, i, "198.51.100.65"), "use1"); /* said to be near paris */
        ck_assert_str_eq(answer_to(&c, i, "203.0.113.1"), "use1");
    }
    crowd_ways(&c, 1, API_US, REASON_OK, 0);
    crowd_run(&c, 12 * SEC);
    ck_assert_str_eq(answer_to(&c, 0, "192.0.2.33"), "use1");
    ck_assert_uint_eq(c.nodes[0].plan.choice_count, 1); /* calm costs nothing */
    crowd_done(&c);
}
END_TEST

/* Without either: clients are near the site that is nearest on the globe. */
START_TEST(test_near_by_geography)
{
    struct crowd c;
    struct text more = text_init(10000);
    const char *source = getenv("HOLDFAST_SOURCE");
    text_appendf(&more,
                 "geo: {database: \"%s/test/data/cities.mmdb\"}\n"
                 "sites:\n"
                 "  tokyo: {latitude: 35.7, longitude: 139.7}\n"
                 "  paris: {latitude: 48.9, longitude: 2.4}\n"
                 "  oslo: {latitude: 59.9, longitude: 10.75}\n"
                 "  nobody: {latitude: 37.0, longitude: -120}\n"
                 "latency: {203.0.113.32/27: {lima: 3ms}}\n"
                 "collections: {oslo: [203.0.113.0/28]}\n",
                 source ? source : ".");
    sees_begin(&c, five, 5, text_string(&more));
    text_done(&more);
    crowd_ways(&c, 2, API_US, REASON_CONNECT_REFUSED, 1000); /* paris */
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_TRANSIT, 15 * SEC), 0);
    crowd_run(&c, 2 * SEC);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(answer_to(&c, i, "203.0.113.17"), "euw1"); /* Belgium */
        ck_assert_str_eq(answer_to(&c, i, "203.0.113.1"), "use1");  /* but said to be near oslo */
        ck_assert_str_eq(answer_to(&c, i, "203.0.113.33"), "use1"); /* or measured from lima */
        ck_assert_str_eq(answer_to(&c, i, "203.0.113.65"), "use1"); /* Korea */
        ck_assert_str_eq(answer_to(&c, i, "198.51.100.1"), "use1"); /* a site without nodes */
        ck_assert_str_eq(answer_to(&c, i, "198.51.100.129"), "use1");
        ck_assert_str_eq(answer_to(&c, i, "2001:db8::1"), "euw1"); /* France; its resolver's v6 */
    }
    crowd_done(&c);
}
END_TEST

/* Who is near a site in two networks may be behind either: only what neither reaches is left out,
 * whichever node decides. */
START_TEST(test_site_of_two_networks)
{
    static const struct crowd_place places[] = {{"a", "tokyo", "AS9"},
                                                {"b", "tokyo", "AS1"},
                                                {"c", "paris", "AS5"},
                                                {"d", "lima", "AS6"},
                                                {"e", "oslo", "AS7"}};
    struct crowd c;
    sees_begin(&c, places, 5,
               "collections: {tokyo: [192.0.2.0/25], AS9: [192.0.2.128/25]}\n"
               "verdict: {rounds: 2}\n");
    crowd_ways(&c, 0, API_US, REASON_CONNECT_REFUSED, 1000);
    crowd_run(&c, 10 * SEC);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.1"), "use1");
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.129"), "euw1");
    }
    crowd_done(&c);
}
END_TEST

/* Answers that a client gets on node 0 in so long, as changes. */
static unsigned moves(struct crowd *c, const char *client, usec_t span)
{
    unsigned count = 0;
    const char *before = answer_to(c, 0, client);
    for (usec_t end = c->time + span; c->time < end;) {
        crowd_run(c, 100 * MS);
        const char *now = answer_to(c, 0, client);
        count += strcmp(now, before) != 0;
        before = now;
    }
    return count;
}

/* A path that flaps moves the clients behind it once, and gives them back a hold-down after it was
 * last seen to fail. */
START_TEST(test_flapping_path)
{
    struct crowd c;
    struct text yaml = text_init(10000);
    text_append(&yaml, "collections: {AS64500: [192.0.2.0/25]}\n");
    text_append(&yaml, fast_regions);
    crowd_init(&c, five, 5, text_string(&yaml), 1);
    text_done(&yaml);
    crowd_run(&c, 10 * SEC);
    unsigned count = 0;
    for (unsigned i = 0; i < 10; i++) {
        crowd_ways(&c, 1, API_US, REASON_CONNECT_REFUSED, 1000);
        count += moves(&c, "192.0.2.1", 3 * SEC);
        crowd_ways(&c, 1, API_US, REASON_OK, 0);
        count += moves(&c, "192.0.2.1", 3 * SEC);
    }
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(answer_to(&c, 0, "192.0.2.1"), "euw1");
    ck_assert_uint_eq(c.nodes[0].plan.views[API_US].finding, FINDING_NONE);
    ck_assert_uint_eq(c.nodes[0].plan.detour_count, 1);
    /* 3 s of the 5 have passed; a vote comes a few probes and a table late */
    ck_assert_uint_eq(moves(&c, "192.0.2.1", 2 * SEC), 0);
    ck_assert_uint_eq(moves(&c, "192.0.2.1", 3 * SEC), 1);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.1"), "use1");
        ck_assert_uint_eq(c.nodes[i].plan.detour_count, 0);
    }
    crowd_done(&c);
}
END_TEST

/* L4: where only one network may be moved, it is the one that was moved first, and stays it. */
START_TEST(test_first_moved_stays)
{
    struct crowd c;
    struct text yaml = text_init(10000);
    text_append(&yaml, "collections: {AS64500: [192.0.2.0/25], AS64501: [192.0.2.128/25]}\n");
    text_append(&yaml, fast_regions);
    crowd_init(&c, five, 5, text_string(&yaml), 1);
    text_done(&yaml);
    crowd_run(&c, 10 * SEC);
    crowd_ways(&c, 2, API_US, REASON_CONNECT_REFUSED, 1000); /* AS64501 */
    crowd_run(&c, 10 * SEC);
    crowd_ways(&c, 1, API_US, REASON_CONNECT_REFUSED, 1000);
    ck_assert_uint_eq(moves(&c, "192.0.2.1", 10 * SEC), 0);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(c.nodes[i].plan.detour_count, 2);
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.1"), "use1");
        ck_assert_str_eq(answer_to(&c, i, "192.0.2.129"), "euw1");
    }
    crowd_done(&c);
}
END_TEST

/* Incident B of 2021: some ways to a region lose packets, and the region is well. */
START_TEST(test_loss_on_the_way)
{
    struct crowd c;
    begin(&c, 5);
    crowd_ways(&c, 1, API_US, REASON_CONNECT_TIMEOUT, 150);
    crowd_ways(&c, 2, API_US, REASON_CONNECT_TIMEOUT, 150);
    ck_assert_int_ge(crowd_until_finding(&c, API_US, FINDING_LOSS, 90 * SEC), 0);
    crowd_run(&c, 60 * SEC);
    ck_assert_uint_eq(state_of(&c, 0, API_US), VERDICT_UP);
    ck_assert_uint_eq(c.nodes[0].plan.views[API_US].lossy, 6);
    ck_assert(told(&c, "% of probes from AS6450"));
    ck_assert(told(&c, "loss on the way, not the endpoint"));
    crowd_done(&c);
}
END_TEST

START_TEST(test_brown_out)
{
    struct crowd c;
    begin(&c, 3);
    crowd_run(&c, 11 * 60 * SEC);
    crowd_slow(&c, ALL, WWW_EU, 300);
    ck_assert_int_ge(crowd_until_finding(&c, WWW_EU, FINDING_BROWN_OUT, 60 * SEC), 0);
    ck_assert_uint_eq(state_of(&c, 0, WWW_EU), VERDICT_UP);
    ck_assert(told(&c, "www.example.com/euw1 203.0.113.20 answers slowly since 00:11:"));
    crowd_slow(&c, ALL, WWW_EU, 100);
    ck_assert_int_ge(crowd_until_finding(&c, WWW_EU, FINDING_NONE, 90 * SEC), 0);
    crowd_done(&c);
}
END_TEST

CHECK_MAIN("crowd", test_down, test_transit, test_cut_off, test_path, test_name, test_sick,
           test_references, test_alone, test_one_network_twice, test_late_comer, test_late,
           test_causes, test_loss_on_the_way, test_brown_out, test_locality, test_flapping_path,
           test_first_moved_stays, test_near_by_latency, test_near_by_geography,
           test_site_of_two_networks)
