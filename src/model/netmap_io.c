/* A MaxMind DB file is a binary tree over the bits of an address whose leaves point to records. It
 * comes from outside and may be damaged: each node is walked once at most, so that no loop of nodes
 * holds us up, and what is wrong is counted, not trusted. */
#include "model/netmap_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>

/* A set of keys that a leaf has, most specific first; leaves that have the same share one number.
 */
struct place {
    uint32_t keys[3], count;
};

enum { PLACE_NONE = 0 };       /* no wanted key */
#define PLACE_MIXED UINT32_MAX /* a subtree with several, each already added */

struct geo {
    MMDB_s db;
    const uint32_t *wanted; /* sorted */
    uint32_t wanted_count;
    const struct bearing *sites; /* instead: the keys are the nearest of these */
    uint32_t site_count;
    struct netmap_builder *builder;
    uint8_t *walked;      /* a bit a node */
    struct place *places; /* [0] is PLACE_NONE */
    size_t place_count, place_capacity;
    struct arena arena;
    struct map by_offset; /* of a record -> its place's number + 1 */
    uint32_t v4_start;    /* node below which IPv4 lies, walked before; UINT32_MAX: none */
    uint64_t added;
    const char *damage; /* the first thing found wrong */
};

static void damaged(struct geo *g, const char *what)
{
    if (!g->damage)
        g->damage = what;
}

/* ---- records ---- */

/* A string of `length` capital letters or digits at the path; "" where there is none. */
static void code_read(struct geo *g, MMDB_entry_s *entry, const char *const *path, size_t least,
                      size_t most, char *ret)
{
    MMDB_entry_data_s data;
    ret[0] = 0;
    int r = MMDB_aget_value(entry, &data, path);
    if (r == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (r == MMDB_SUCCESS && !data.has_data))
        return;
    if (r != MMDB_SUCCESS) {
        damaged(g, MMDB_strerror(r));
        return;
    }
    if (data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size < least || data.data_size > most)
        return;
    for (uint32_t i = 0; i < data.data_size; i++) {
        char c = data.utf8_string[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            return;
    }
    memcpy(ret, data.utf8_string, data.data_size);
    ret[data.data_size] = 0;
}

static int key_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void place_add(const struct geo *g, struct place *p, const struct config_location *l)
{
    uint32_t key = location_key(l);
    if (bsearch(&key, g->wanted, g->wanted_count, sizeof key, key_compare))
        p->keys[p->count++] = key;
}

static uint32_t place_number(struct geo *g, const struct place *p)
{
    for (size_t i = 0; i < g->place_count; i++) /* as many as the configuration names, at most */
        if (g->places[i].count == p->count &&
            memcmp(g->places[i].keys, p->keys, p->count * sizeof *p->keys) == 0)
            return (uint32_t)i;
    g->places = mem_grow(g->places, g->place_count, &g->place_capacity, sizeof *g->places);
    g->places[g->place_count] = *p;
    return (uint32_t)g->place_count++;
}

static uint32_t place_read(struct geo *g, MMDB_entry_s *entry)
{
    static const char *const continent_path[] = {"continent", "code", NULL};
    static const char *const country_path[] = {"country", "iso_code", NULL};
    static const char *const subdivision_path[] = {"subdivisions", "0", "iso_code", NULL};
    struct config_location l = {0}, continent = {0};
    code_read(g, entry, continent_path, 2, 2, continent.continent);
    code_read(g, entry, country_path, 2, 2, l.country);
    if (l.country[0])
        code_read(g, entry, subdivision_path, 1, 3, l.subdivision);
    struct place p = {.count = 0};
    if (l.subdivision[0])
        place_add(g, &p, &l);
    l.subdivision[0] = 0;
    if (l.country[0])
        place_add(g, &p, &l);
    if (continent.continent[0])
        place_add(g, &p, &continent);
    return place_number(g, &p);
}

/* Degrees at the path, in thousandths; false: there are none. */
static bool degrees_read(MMDB_entry_s *entry, const char *const *path, int32_t *ret)
{
    MMDB_entry_data_s data;
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_DOUBLE || !(data.double_value >= -180) ||
        !(data.double_value <= 180))
        return false;
    *ret = (int32_t)(data.double_value * DEGREE);
    return true;
}

static bool coordinates_read(struct geo *g, MMDB_entry_s *entry, struct coordinates *ret)
{
    static const char *const latitude_path[] = {"location", "latitude", NULL};
    static const char *const longitude_path[] = {"location", "longitude", NULL};
    static const char *const country_path[] = {"country", "iso_code", NULL};
    char country[3];
    if (degrees_read(entry, latitude_path, &ret->latitude) &&
        degrees_read(entry, longitude_path, &ret->longitude))
        return true;
    code_read(g, entry, country_path, 2, 2, country);
    return country_place(country, ret);
}

static uint32_t site_read(struct geo *g, MMDB_entry_s *entry)
{
    struct coordinates at;
    struct place p = {.count = 0};
    double nearest = nearness_at(NETMAP_NEAR_KM);
    bool known = coordinates_read(g, entry, &at);
    struct bearing here = known ? bearing_of(&at) : (struct bearing){0};
    for (uint32_t i = 0; i < g->site_count && known; i++) {
        double nearness = bearing_nearness(here, g->sites[i]);
        if (nearness <= nearest)
            continue;
        nearest = nearness;
        p.keys[0] = i;
        p.count = 1;
    }
    return place_number(g, &p);
}

static uint32_t place_of(struct geo *g, MMDB_entry_s *entry)
{
    void *known = map_get(&g->by_offset, &entry->offset, sizeof entry->offset);
    if (known)
        return (uint32_t)((uintptr_t)known - 1);
    uint32_t place = g->site_count ? site_read(g, entry) : place_read(g, entry),
             *key = arena_new(&g->arena, 1, sizeof *key);
    *key = entry->offset;
    map_put(&g->by_offset, key, sizeof *key, (void *)((uintptr_t)place + 1));
    return place;
}

/* ---- the tree ---- */

static uint32_t node_walk(struct geo *g, uint32_t node, struct ip_prefix *at);

static uint32_t record_walk(struct geo *g, uint8_t type, uint64_t value, MMDB_entry_s *entry,
                            struct ip_prefix *at)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        return node_walk(g, (uint32_t)value, at);
    case MMDB_RECORD_TYPE_DATA:
        return place_of(g, entry);
    case MMDB_RECORD_TYPE_EMPTY:
        return PLACE_NONE;
    default:
        damaged(g, "a record of the search tree points nowhere");
        return PLACE_NONE;
    }
}

static void prefix_put(struct geo *g, const struct ip_prefix *p, uint32_t place)
{
    if (place == PLACE_NONE || place == PLACE_MIXED)
        return;
    const struct place *keys = &g->places[place];
    for (uint32_t i = 0; i < keys->count; i++)
        netmap_builder_add(g->builder, p, keys->keys[i]);
    g->added++;
}

/* The place of all addresses below the node, or PLACE_MIXED after adding each part of it. `at` is
 * the node's prefix, unchanged when it returns. */
static uint32_t node_walk(struct geo *g, uint32_t node, struct ip_prefix *at)
{
    if (node >= g->db.metadata.node_count || at->length >= ip_bits(&at->ip)) {
        damaged(g, "the search tree is deeper than an address is long");
        return PLACE_NONE;
    }
    uint8_t bit = (uint8_t)(1 << node % 8);
    if (g->walked[node / 8] & bit) {
        if (node != g->v4_start) /* which IPv6 prefixes that carry IPv4 addresses lead to again */
            damaged(g, "two records of the search tree lead to the same node");
        return PLACE_NONE;
    }
    g->walked[node / 8] |= bit;
    MMDB_search_node_s records;
    if (MMDB_read_node(&g->db, node, &records) != MMDB_SUCCESS) {
        damaged(g, "a node of the search tree cannot be read");
        return PLACE_NONE;
    }
    unsigned depth = at->length;
    uint8_t *byte = &at->ip.bytes[depth / 8], mask = (uint8_t)(0x80 >> depth % 8);
    at->length++;
    uint32_t left = record_walk(g, records.left_record_type, records.left_record,
                                &records.left_record_entry, at);
    *byte |= mask;
    uint32_t right = record_walk(g, records.right_record_type, records.right_record,
                                 &records.right_record_entry, at);
    uint32_t place = left;
    if (left != right) {
        prefix_put(g, at, right);
        *byte &= (uint8_t)~mask;
        prefix_put(g, at, left);
        place = PLACE_MIXED;
    }
    *byte &= (uint8_t)~mask;
    at->length--;
    return place;
}

/* Follows the 96 zeros that IPv4 lies under in an IPv6 tree. */
static void v4_walk(struct geo *g)
{
    uint32_t node = 0, place = PLACE_NONE;
    uint8_t type = MMDB_RECORD_TYPE_SEARCH_NODE;
    struct ip_prefix all = {.ip = {.family = IP_V4}};
    for (unsigned i = 0; i < 96 && type == MMDB_RECORD_TYPE_SEARCH_NODE; i++) {
        MMDB_search_node_s records;
        if (MMDB_read_node(&g->db, node, &records) != MMDB_SUCCESS) {
            damaged(g, "a node of the search tree cannot be read");
            return;
        }
        type = records.left_record_type;
        node = (uint32_t)records.left_record;
        if (type == MMDB_RECORD_TYPE_DATA)
            place = place_of(g, &records.left_record_entry);
    }
    if (type == MMDB_RECORD_TYPE_SEARCH_NODE) {
        place = node_walk(g, node, &all);
        g->v4_start = node;
    }
    prefix_put(g, &all, place);
}

static void tree_walk(struct geo *g)
{
    bool v6 = g->db.metadata.ip_version == 6;
    struct ip_prefix all = {.ip = {.family = v6 ? IP_V6 : IP_V4}};
    if (v6)
        v4_walk(g);
    prefix_put(g, &all, node_walk(g, 0, &all));
}

static int geo_walk(struct geo *g, const char *path, struct text *problems)
{
    if (g->db.metadata.node_count == 0 ||
        (g->db.metadata.ip_version != 4 && g->db.metadata.ip_version != 6)) {
        text_appendf(problems, "%s: not a file about IPv4 or IPv6 addresses\n", path);
        return ERR_INVALID;
    }
    tree_walk(g);
    if (g->damage) {
        text_appendf(problems, "%s: %s: the file is damaged; fetch it again\n", path, g->damage);
        return ERR_BOUNDS;
    }
    if (!g->added) {
        text_appendf(problems, "%s: %s\n", path,
                     g->site_count ? "no network in it lies near any of the sites; use a file with "
                                     "cities, or with countries"
                                   : "no network in it lies in any location that the configuration "
                                     "names; use a file with countries, and with cities where "
                                     "subdivisions are named");
        return ERR_REFUSED;
    }
    return 0;
}

/* g: builder, and what is wanted. */
static int geo_build(const char *mmdb_path, struct geo *g, struct text *problems)
{
    int status = MMDB_open(mmdb_path, MMDB_MODE_MMAP, &g->db);
    if (status != MMDB_SUCCESS) {
        text_appendf(problems, "%s: %s\n", mmdb_path, MMDB_strerror(status));
        return status == MMDB_FILE_OPEN_ERROR ? ERR_MISSING : ERR_INVALID;
    }
    g->v4_start = UINT32_MAX;
    g->walked = mem_new(g->db.metadata.node_count / 8 + 1, 1);
    g->arena = arena_init();
    g->by_offset = map_init();
    uint32_t none = place_number(g, &(struct place){.count = 0});
    invariant(none == PLACE_NONE);
    int r = geo_walk(g, mmdb_path, problems);
    MMDB_close(&g->db);
    arena_done(&g->arena);
    map_done(&g->by_offset);
    free(g->walked);
    free(g->places);
    return r;
}

/* ---- the maps of a configuration ---- */

const char *netmap_kind_name(enum netmap_kind kind)
{
    static const char *const names[NETMAP_KINDS] = {"geo", "collections", "latency", "sites"};
    return names[kind];
}

/* Keys of all locations in the configuration but "*", in no order, with repetitions; free() it. */
static uint32_t *locations_wanted(const struct config *config, uint32_t *ret_count)
{
    uint32_t *keys = NULL;
    size_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        for (uint32_t j = 0; j < s->endpoint_count; j++) {
            for (uint32_t k = 0; k < s->endpoints[j].location_count; k++) {
                uint32_t key = location_key(&s->endpoints[j].locations[k]);
                keys = mem_grow(keys, count, &capacity, sizeof *keys);
                keys[count] = key;
                count += key != 0;
            }
        }
    }
    *ret_count = (uint32_t)count;
    return keys;
}

static void bytes_finish(struct netmap_builder *b, struct netmap_bytes *ret)
{
    ret->data = netmap_builder_finish(b, &ret->size);
    int r = netmap_open(ret->data, ret->size, &ret->map);
    invariant(r == 0);
    netmap_builder_free(b);
}

static int geo_finish(const struct config *config, struct geo *g, struct netmap_bytes *ret,
                      struct text *problems)
{
    g->builder = netmap_builder_new();
    int r = geo_build(config->geo_database, g, problems);
    if (r < 0) {
        netmap_builder_free(g->builder);
        return r;
    }
    bytes_finish(g->builder, ret);
    return 0;
}

static int geo_of_config(const struct config *config, struct netmap_bytes *ret,
                         struct text *problems)
{
    uint32_t count;
    auto_free uint32_t *wanted = locations_wanted(config, &count);
    if (!config->geo_database || !count)
        return 0;
    qsort(wanted, count, sizeof *wanted, key_compare);
    struct geo g = {.wanted = wanted, .wanted_count = count};
    return geo_finish(config, &g, ret, problems);
}

static int sites_of_config(const struct config *config, struct netmap_bytes *ret,
                           struct text *problems)
{
    struct bearing sites[CONFIG_SITES_MAX];
    if (!config->geo_database || !config->site_count)
        return 0;
    invariant(config->site_count <= CONFIG_SITES_MAX);
    for (uint32_t i = 0; i < config->site_count; i++)
        sites[i] = bearing_of(&config->sites[i].at);
    struct geo g = {.sites = sites, .site_count = config->site_count};
    return geo_finish(config, &g, ret, problems);
}

static void collections_of_config(const struct config *config, struct netmap_bytes *ret)
{
    if (!config->collection_count)
        return;
    struct netmap_builder *b = netmap_builder_new();
    for (uint32_t i = 0; i < config->collection_count; i++)
        for (uint32_t j = 0; j < config->collections[i].prefix_count; j++)
            netmap_builder_add(b, &config->collections[i].prefixes[j], i);
    bytes_finish(b, ret);
}

/* One key a network: the first entry that names it. */
static void latencies_of_config(const struct config *config, struct netmap_bytes *ret)
{
    if (!config->latency_count)
        return;
    struct netmap_builder *b = netmap_builder_new();
    struct map first = map_init();
    for (uint32_t i = 0; i < config->latency_count; i++) {
        const struct ip_prefix *p = &config->latencies[i].network;
        if (map_get(&first, p, sizeof *p))
            continue;
        map_put(&first, p, sizeof *p, (void *)(uintptr_t)p);
        netmap_builder_add(b, p, i);
    }
    map_done(&first);
    bytes_finish(b, ret);
}

int netmap_of_config(const struct config *config, struct netmap_bytes ret[static NETMAP_KINDS],
                     struct text *problems)
{
    struct netmap_bytes maps[NETMAP_KINDS] = {{0}};
    int r = geo_of_config(config, &maps[NETMAP_GEO], problems);
    r = r < 0 ? r : sites_of_config(config, &maps[NETMAP_SITES], problems);
    if (r < 0) {
        netmap_bytes_done(maps);
        return r;
    }
    collections_of_config(config, &maps[NETMAP_COLLECTIONS]);
    latencies_of_config(config, &maps[NETMAP_LATENCY]);
    memcpy(ret, maps, sizeof maps);
    return 0;
}

void netmap_bytes_done(struct netmap_bytes maps[static NETMAP_KINDS])
{
    for (unsigned i = 0; i < NETMAP_KINDS; i++) {
        free(maps[i].data);
        maps[i] = (struct netmap_bytes){0};
    }
}
