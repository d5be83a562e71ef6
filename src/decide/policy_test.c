#include "decide/decide_fixture.h"
#include "test/check_main.h"

/* ---- without the client's network ---- */

static struct world *plain_new(enum policy policy, uint32_t n)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", policy, n);
    s->velocity_window = 0;
    for (uint32_t i = 0; i < n; i++) {
        char name[3] = {(char)('a' + i), 0}, address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i + 1);
        fixture_endpoint(c, s, name, address, check);
    }
    return world_new(c);
}

START_TEST(test_simple)
{
    struct world *w = plain_new(POLICY_SIMPLE, 3);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a b c");
    const struct plan_choice *c = &w->plan.choices[world_face(w, 0, IP_V4)->choice];
    ck_assert_uint_eq(c->pick, 3);
    ck_assert_str_eq(world_answer_family(w, 0, IP_V6), "absent");
    ck_assert_int_eq(world_face(w, 0, IP_V6)->mode, FACE_ABSENT);
    w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a c");
    world_free(w);
}
END_TEST

START_TEST(test_multivalue_picks_eight)
{
    struct world *w = plain_new(POLICY_MULTIVALUE, 12);
    world_rounds(w, 3);
    const struct plan_choice *c = &w->plan.choices[world_face(w, 0, IP_V4)->choice];
    ck_assert_uint_eq(c->count, 12);
    ck_assert_uint_eq(c->pick, 8);
    world_free(w);
}
END_TEST

START_TEST(test_failover_takes_all_secondaries)
{
    struct world *w = plain_new(POLICY_FAILOVER, 3);
    struct config_endpoint *e = w->config->services[0].endpoints;
    e[0].role = ROLE_SECONDARY;
    e[1].role = ROLE_PRIMARY;
    e[2].role = ROLE_SECONDARY;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b");
    w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a c");
    w->failing[0] = true;
    w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b"); /* as if all were healthy */
    world_free(w);
}
END_TEST

START_TEST(test_weighted_zero)
{
    struct world *w = plain_new(POLICY_WEIGHTED, 3);
    struct config_endpoint *e = w->config->services[0].endpoints;
    e[0].weight = 5;
    e[1].weight = 0;
    e[2].weight = 10;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "5(a) 10(c)");
    ck_assert_int_eq(w->plan.targets[1].flags & TARGET_SERVED, 0);
    ck_assert_uint_eq(w->plan.choices[world_face(w, 0, IP_V4)->choice].total, 15);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "c"); /* the only one: no split */
    w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b"); /* weight 0, but all that is left are */
    world_free(w);

    w = plain_new(POLICY_WEIGHTED, 2);
    w->config->services[0].endpoints[0].weight = 0;
    w->config->services[0].endpoints[1].weight = 0;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "1(a) 1(b)");
    world_free(w);
}
END_TEST

START_TEST(test_faces_are_decided_apart)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", POLICY_FAILOVER, 2);
    struct config_endpoint *e = fixture_endpoint(c, s, "a", "10.0.0.1", check);
    e->role = ROLE_PRIMARY;
    int err = ip_parse("2001:db8::1", &e->address[IP_V6]);
    e->has_address[IP_V6] = true;
    e = fixture_endpoint(c, s, "b", "10.0.0.2", check);
    e->role = ROLE_SECONDARY;
    err |= ip_parse("2001:db8::2", &e->address[IP_V6]);
    e->has_address[IP_V6] = true;
    ck_assert_int_eq(err, 0);
    struct world *w = world_new(c);
    world_rounds(w, 3);
    w->failing[1] = true; /* a's v6 path */
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer_family(w, 0, IP_V4), "a");
    ck_assert_str_eq(world_answer_family(w, 0, IP_V6), "b");
    world_free(w);
}
END_TEST

/* ---- by the client's network ---- */

struct maps {
    struct plan_file files[4];
    uint8_t *data;
    struct netmap map;
};

static void maps_add(struct maps *m, struct netmap_builder *b, const char *prefix, uint32_t key)
{
    struct ip_prefix p;
    ck_assert_int_eq(ip_prefix_parse(prefix, &p), 0);
    (void)m;
    netmap_builder_add(b, &p, key);
}

static void maps_finish(struct maps *m, struct netmap_builder *b, struct world *w, int *file,
                        const struct netmap **map)
{
    static const char *const names[] = {"example.com", "map"};
    size_t size;
    m->data = netmap_builder_finish(b, &size);
    ck_assert_int_eq(netmap_open(m->data, size, &m->map), 0);
    m->files[0] = w->files.files[0];
    m->files[1] = (struct plan_file){.kind = PLAN_FILE_NETMAP, .name = 1, .hash = m->map.hash};
    w->files.files = m->files;
    w->files.file_count = 2;
    w->files.names = names;
    *file = 1;
    *map = &m->map;
    netmap_builder_free(b);
}

/* What a client gets. */
static const char *ask(const struct world *w, const struct netmap *map, const char *client)
{
    static char buffer[1024];
    struct ip ip;
    unsigned scope;
    ck_assert_int_eq(ip_parse(client, &ip), 0);
    const struct plan_choice *c = &w->plan.choices[world_face(w, 0, IP_V4)->choice];
    ck_assert_int_eq(c->kind, CHOICE_NETWORK);
    ck_assert_uint_eq(c->count, map->row_count);
    uint32_t row = netmap_find(map, &ip, &scope);
    struct text out = text_init(sizeof buffer - 1);
    answer_append(&w->plan,
                  row == NETMAP_NO_ROW ? c->otherwise : w->plan.branches[c->first + row].choice,
                  &out);
    snprintf(buffer, sizeof buffer, "%s", text_string(&out));
    text_done(&out);
    return buffer;
}

static const struct config_location asia = {.continent = "AS"}, japan = {.country = "JP"},
                                    usa = {.country = "US"},
                                    california = {.country = "US", .subdivision = "CA"},
                                    anywhere = {{0}};

static void locate(struct config *c, struct config_endpoint *e, const struct config_location *l)
{
    struct config_location *grown =
        arena_new(&c->arena, e->location_count + 1u, sizeof *e->locations);
    if (e->location_count)
        memcpy(grown, e->locations, e->location_count * sizeof *grown);
    grown[e->location_count++] = *l;
    e->locations = grown;
}

/* Rows: 1/8 is California, 2/8 elsewhere in the US, 3/8 Japan, 4/8 Asia, 5/8 Europe. */
static struct netmap_builder *geo_builder(struct maps *m)
{
    static const struct config_location north_america = {.continent = "NA"},
                                        europe = {.continent = "EU"};
    struct netmap_builder *b = netmap_builder_new();
    maps_add(m, b, "1.0.0.0/8", location_key(&california));
    maps_add(m, b, "1.0.0.0/8", location_key(&usa));
    maps_add(m, b, "1.0.0.0/8", location_key(&north_america));
    maps_add(m, b, "2.0.0.0/8", location_key(&usa));
    maps_add(m, b, "2.0.0.0/8", location_key(&north_america));
    maps_add(m, b, "3.0.0.0/8", location_key(&japan));
    maps_add(m, b, "3.0.0.0/8", location_key(&asia));
    maps_add(m, b, "4.0.0.0/8", location_key(&asia));
    maps_add(m, b, "5.0.0.0/8", location_key(&europe));
    return b;
}

START_TEST(test_geolocation)
{
    struct world *w = plain_new(POLICY_GEOLOCATION, 5);
    struct config_endpoint *e = w->config->services[0].endpoints;
    locate(w->config, &e[0], &california);
    locate(w->config, &e[1], &usa);
    locate(w->config, &e[2], &asia);
    locate(w->config, &e[3], &asia);
    locate(w->config, &e[4], &anywhere);
    struct maps m;
    maps_finish(&m, geo_builder(&m), w, &w->files.geo, &w->files.geo_map);
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "a");
    ck_assert_str_eq(ask(w, &m.map, "2.1.1.1"), "b");
    ck_assert_str_eq(ask(w, &m.map, "3.1.1.1"), "c d"); /* the same location: together */
    ck_assert_str_eq(ask(w, &m.map, "4.1.1.1"), "c d");
    ck_assert_str_eq(ask(w, &m.map, "5.1.1.1"), "e");
    ck_assert_str_eq(ask(w, &m.map, "9.9.9.9"), "e");
    w->failing[0] = true; /* California is served by the US, Asia by one */
    w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "b");
    ck_assert_str_eq(ask(w, &m.map, "3.1.1.1"), "d");
    w->failing[1] = true;
    w->failing[3] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "e");
    ck_assert_str_eq(ask(w, &m.map, "4.1.1.1"), "e");
    free(m.data);
    world_free(w);
}
END_TEST

START_TEST(test_geolocation_without_default)
{
    struct world *w = plain_new(POLICY_GEOLOCATION, 3);
    struct config_endpoint *e = w->config->services[0].endpoints;
    locate(w->config, &e[0], &usa);
    locate(w->config, &e[1], &japan);
    locate(w->config, &e[2], &asia);
    struct maps m;
    maps_finish(&m, geo_builder(&m), w, &w->files.geo, &w->files.geo_map);
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "5.1.1.1"), "nodata"); /* by configuration */
    ck_assert_str_eq(ask(w, &m.map, "9.9.9.9"), "nodata");
    w->failing[0] = true; /* nobody else may serve the US: its row fails open (L3) */
    world_rounds(w, 3);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "a");
    ck_assert_str_eq(ask(w, &m.map, "3.1.1.1"), "b");
    w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "3.1.1.1"), "c");
    w->failing[0] = w->failing[1] = false;
    world_rounds(w, 9);
    world_order(w, "api.example.com", "a", ADMIN_DRAINED); /* drained, but nobody else may */
    world_round(w);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "a");
    world_order(w, "api.example.com", "a", ADMIN_DISABLED);
    world_round(w);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "nodata");
    free(m.data);
    world_free(w);
}
END_TEST

START_TEST(test_geolocation_with_a_useless_map)
{
    struct world *w = plain_new(POLICY_GEOLOCATION, 2);
    struct config_endpoint *e = w->config->services[0].endpoints;
    static const struct config_location peru = {.country = "PE"};
    locate(w->config, &e[0], &peru);
    locate(w->config, &e[1], &peru);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a b"); /* no map at all */
    struct maps m;
    maps_finish(&m, geo_builder(&m), w, &w->files.geo, &w->files.geo_map);
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "9.9.9.9"), "a b"); /* nobody is in it: never empty (L3) */
    free(m.data);
    world_free(w);
}
END_TEST

START_TEST(test_ip_based)
{
    struct world *w = plain_new(POLICY_IP_BASED, 3);
    struct config_endpoint *e = w->config->services[0].endpoints;
    static int office = 0, partner = 1;
    e[0].collections = &office;
    e[0].collection_count = 1;
    e[1].collections = &partner;
    e[1].collection_count = 1;
    e[2].any_network = true;
    struct maps m;
    struct netmap_builder *b = netmap_builder_new();
    maps_add(&m, b, "10.0.0.0/8", 0);
    maps_add(&m, b, "10.1.0.0/16", 1);
    maps_finish(&m, b, w, &w->files.collections, &w->files.collections_map);
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "10.2.0.1"), "a");
    ck_assert_str_eq(ask(w, &m.map, "10.1.0.1"), "b"); /* the longest prefix */
    ck_assert_str_eq(ask(w, &m.map, "192.0.2.1"), "c");
    w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "10.1.0.1"), "a");
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "10.1.0.1"), "c");
    w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_str_eq(ask(w, &m.map, "10.1.0.1"), "b");
    free(m.data);
    world_free(w);
}
END_TEST

/* ---- latency ---- */

static void latencies_set(struct world *w, struct maps *m)
{
    static const struct {
        const char *network, *region;
        usec_t ms;
    } table[] = {
        {"1.0.0.0/8", "us", 20},  {"2.0.0.0/8", "eu", 30},  {"1.0.0.0/8", "eu", 90},
        {"2.0.0.0/8", "us", 100}, {"1.2.0.0/16", "ap", 15}, {"1.2.0.0/16", "eu", 80},
    };
    struct config *c = w->config;
    c->latencies = arena_new(&c->arena, array_length(table), sizeof *c->latencies);
    c->latency_count = array_length(table);
    struct netmap_builder *b = netmap_builder_new();
    for (unsigned i = 0; i < c->latency_count; i++) {
        ck_assert_int_eq(ip_prefix_parse(table[i].network, &c->latencies[i].network), 0);
        c->latencies[i].region = table[i].region;
        c->latencies[i].latency = table[i].ms * MS;
    }
    maps_add(m, b, "1.0.0.0/8", 0);
    maps_add(m, b, "2.0.0.0/8", 1);
    maps_add(m, b, "1.2.0.0/16", 4);
    maps_finish(m, b, w, &w->files.latency, &w->files.latency_map);
}

START_TEST(test_latency_table)
{
    struct world *w = plain_new(POLICY_LATENCY, 4);
    struct config_endpoint *e = w->config->services[0].endpoints;
    e[0].region = "us";
    e[1].region = "eu";
    e[2].region = "eu";
    e[3].region = "ap";
    struct maps m;
    latencies_set(w, &m);
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "a");
    ck_assert_str_eq(ask(w, &m.map, "1.2.1.1"), "d");
    ck_assert_str_eq(ask(w, &m.map, "2.1.1.1"), "b c"); /* all of the nearest region */
    w->failing[0] = true;
    w->failing[3] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(ask(w, &m.map, "1.1.1.1"), "b c");
    ck_assert_str_eq(ask(w, &m.map, "1.2.1.1"), "b c");
    w->failing[1] = w->failing[2] = true;
    w->failing[0] = false;
    world_rounds(w, 8);
    ck_assert_str_eq(ask(w, &m.map, "1.2.1.1"), "a"); /* its own network knows only ap and eu */
    ck_assert_str_eq(ask(w, &m.map, "2.1.1.1"), "a");
    free(m.data);
    world_free(w);
}
END_TEST

static void connect_round(struct world *w, uint32_t a_us, uint32_t b_us)
{
    w->now += SEC;
    world_sample(w, 0, REASON_OK)->phase_us[PHASE_CONNECT] = a_us;
    world_sample(w, 1, REASON_OK)->phase_us[PHASE_CONNECT] = b_us;
    world_step(w);
}

START_TEST(test_latency_of_this_node_is_damped)
{
    struct world *w = plain_new(POLICY_LATENCY, 2);
    world_step(w);
    ck_assert_str_eq(world_answer(w, 0), "a"); /* nothing known: the first configured */
    for (int i = 0; i < 5; i++)
        connect_round(w, 10000, 9000);
    ck_assert_str_eq(world_answer(w, 0), "a"); /* better, but not by a fifth */
    for (int i = 0; i < 60; i++)
        connect_round(w, 10000, 7000);
    ck_assert_str_eq(world_answer(w, 0), "b");
    for (int i = 0; i < 60; i++)
        connect_round(w, 7000, 7500);
    ck_assert_str_eq(world_answer(w, 0), "b");
    unsigned changes = 0;
    for (int i = 0; i < 100; i++) { /* two that keep overtaking one another */
        connect_round(w, i % 2 ? 7000 : 8000, i % 2 ? 8000 : 7000);
        changes += w->out.changes != 0;
    }
    ck_assert_uint_eq(changes, 0);
    world_free(w);
}
END_TEST

/* ---- nesting ---- */

START_TEST(test_nested_choices_are_shared)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *root = fixture_service(c, "www.example.com", POLICY_FAILOVER, 2);
    struct config_service *eu = fixture_service(c, "eu.example.com", POLICY_WEIGHTED, 2);
    struct config_service *alias = fixture_service(c, "alias.example.com", POLICY_SIMPLE, 1);
    root->velocity_window = eu->velocity_window = 0;
    fixture_nested(c, root, "eu", 1)->role = ROLE_PRIMARY;
    fixture_endpoint(c, root, "us", "10.0.1.1", check)->role = ROLE_SECONDARY;
    fixture_endpoint(c, eu, "x", "10.0.0.1", check)->weight = 3;
    fixture_endpoint(c, eu, "y", "10.0.0.2", check);
    fixture_nested(c, alias, "it", 1);
    struct world *w = world_new(c);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "3(x) 1(y)");
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->choice, world_face(w, 1, IP_V4)->choice);
    ck_assert_uint_eq(world_face(w, 2, IP_V4)->choice, world_face(w, 1, IP_V4)->choice);
    w->failing[1] = true; /* targets: us, x, y */
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "y");
    w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 1), "3(x) 1(y)"); /* the child fails open */
    ck_assert_int_eq(world_face(w, 1, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_str_eq(world_answer(w, 0), "us"); /* its parent does not send anybody there */
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    world_free(w);
}
END_TEST

START_TEST(test_nested_beside_addresses)
{
    struct config *c = fixture_config(1);
    struct config_service *root = fixture_service(c, "www.example.com", POLICY_SIMPLE, 3);
    struct config_service *child = fixture_service(c, "c.example.com", POLICY_SIMPLE, 2);
    fixture_endpoint(c, root, "a", "10.0.0.1", CONFIG_NONE);
    fixture_nested(c, root, "n", 1);
    fixture_endpoint(c, root, "b", "10.0.0.2", CONFIG_NONE);
    fixture_endpoint(c, child, "x", "10.0.0.3", CONFIG_NONE);
    fixture_endpoint(c, child, "y", "10.0.0.4", CONFIG_NONE);
    struct world *w = world_new(c);
    world_step(w);
    ck_assert_str_eq(world_answer(w, 0), "1(x y) 2(a b)");
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 60); /* nothing can change it */
    world_free(w);
}
END_TEST

/* A child that wants NODATA when all is down answers so under its own name; the name of its parent
 * is the parent's to decide about. */
START_TEST(test_a_parent_decides_for_its_name)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *root = fixture_service(c, "www.example.com", POLICY_SIMPLE, 1);
    struct config_service *child = fixture_service(c, "c.example.com", POLICY_SIMPLE, 2);
    child->when_all_down = ALL_DOWN_NODATA;
    fixture_nested(c, root, "n", 1);
    fixture_endpoint(c, child, "x", "10.0.0.3", check);
    fixture_endpoint(c, child, "y", "10.0.0.4", check);
    struct world *w = world_new(c);
    world_rounds(w, 3);
    w->failing[0] = w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 1), "nodata");
    ck_assert_str_eq(world_answer(w, 0), "x y");
    ck_assert(w->plan.targets[0].flags & TARGET_SERVED);
    world_free(w);
}
END_TEST

CHECK_MAIN("policy", test_simple, test_multivalue_picks_eight, test_failover_takes_all_secondaries,
           test_weighted_zero, test_faces_are_decided_apart, test_geolocation,
           test_geolocation_without_default, test_geolocation_with_a_useless_map, test_ip_based,
           test_latency_table, test_latency_of_this_node_is_damped, test_nested_choices_are_shared,
           test_nested_beside_addresses, test_a_parent_decides_for_its_name)
