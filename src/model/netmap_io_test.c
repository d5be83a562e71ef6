#include "model/netmap_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* test/data/small.mmdb, made by test/mmdb_writer.py. */
static const char *data_path(const char *name)
{
    static char path[1024];
    const char *source = getenv("HOLDFAST_SOURCE");
    snprintf(path, sizeof path, "%s/test/data/%s.mmdb", source ? source : ".", name);
    return path;
}

static const char *small_path(void)
{
    return data_path("small");
}

static struct config_location location(const char *text)
{
    struct config_location l = {0};
    static const char continents[] = "AF AN AS EU NA OC SA";
    if (strlen(text) == 2 && strstr(continents, text))
        memcpy(l.continent, text, 2);
    else {
        memcpy(l.country, text, 2);
        if (text[2])
            snprintf(l.subdivision, sizeof l.subdivision, "%s", text + 3);
    }
    return l;
}

/* The geo map of a configuration with one endpoint that names these locations. */
static int build(const char *path, const char *const *wanted, struct netmap_bytes *ret,
                 struct text *problems)
{
    struct config_location locations[16];
    uint32_t count = 0;
    for (; wanted[count]; count++)
        locations[count] = location(wanted[count]);
    struct config_endpoint endpoint = {.locations = locations, .location_count = count};
    struct config_service service = {.endpoints = &endpoint, .endpoint_count = 1};
    struct config config = {.geo_database = path, .services = &service, .service_count = 1};
    struct netmap_bytes maps[NETMAP_KINDS];
    int r = netmap_of_config(&config, maps, problems);
    if (!r)
        *ret = maps[NETMAP_GEO];
    return r;
}

/* "US-CA US NA /26" */
static const char *look(const struct netmap *m, const char *address)
{
    static char out[100];
    struct ip ip;
    unsigned scope;
    uint32_t count = 0;
    ck_assert_int_eq(ip_parse(address, &ip), 0);
    uint32_t row = netmap_find(m, &ip, &scope);
    const uint32_t *keys = row == NETMAP_NO_ROW ? NULL : netmap_keys(m, row, &count);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        char text[LOCATION_TEXT_MAX];
        at += (size_t)snprintf(out + at, sizeof out - at, "%s ", location_format(keys[i], text));
    }
    snprintf(out + at, sizeof out - at, "%s/%u", count ? "" : "- ", scope);
    return out;
}

START_TEST(networks_are_read_with_their_places)
{
    struct netmap_bytes map;
    struct text problems = text_init(1000);
    const char *wanted[] = {"US-CA", "US", "NA", "EU", "FR", "JP-13", "AS", "GB-ENG", NULL};
    ck_assert_msg(build(small_path(), wanted, &map, &problems) == 0, "%s", text_string(&problems));
    ck_assert_str_eq(look(&map.map, "198.51.100.1"), "US-CA US NA /26");
    ck_assert_str_eq(look(&map.map, "198.51.100.65"), "US NA /26"); /* Oregon is not wanted */
    ck_assert_str_eq(look(&map.map, "198.51.100.200"), "US NA /25");
    ck_assert_str_eq(look(&map.map, "203.0.113.1"), "EU /25");
    ck_assert_str_eq(look(&map.map, "203.0.113.200"), "FR EU /25");
    ck_assert_str_eq(look(&map.map, "192.0.2.130"), "EU /26"); /* a continent, no country */
    ck_assert_str_eq(look(&map.map, "2001:db8::1"), "AS /48");
    ck_assert_str_eq(look(&map.map, "2001:db8:1::1"), "JP-13 AS /48");
    ck_assert_str_eq(look(&map.map, "2001:db8:2::1"), "GB-ENG EU /48");
    ck_assert_str_eq(look(&map.map, "2001:db9::1"), "- /32");
    ck_assert_int_eq(strncmp(look(&map.map, "192.0.2.1"), "- /", 3), 0); /* Namibia is no America */
    ck_assert_int_eq(strncmp(look(&map.map, "192.0.2.200"), "- /", 3), 0);
    ck_assert_int_eq(strncmp(look(&map.map, "2002:c633:6401::"), "- /", 3), 0); /* an alias */
    ck_assert_uint_eq(problems.length, 0);
    free(map.data);
    text_done(&problems);
}
END_TEST

START_TEST(what_nobody_wants_is_left_out)
{
    struct netmap_bytes map;
    struct text problems = text_init(1000);
    ck_assert_int_eq(build(small_path(), (const char *[]){"US", NULL}, &map, &problems), 0);
    ck_assert_str_eq(look(&map.map, "198.51.100.1"), "US /24"); /* one network again */
    ck_assert_uint_eq(map.map.v4_count, 3);
    ck_assert_uint_eq(map.map.v6_count, 0);
    free(map.data);
    text_done(&problems);
}
END_TEST

START_TEST(a_file_without_any_wanted_place_is_refused)
{
    struct netmap_bytes map;
    struct text problems = text_init(1000);
    ck_assert_int_eq(build(small_path(), (const char *[]){"NZ", NULL}, &map, &problems),
                     ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "no network in it lies in any location"));
    text_done(&problems);
}
END_TEST

START_TEST(a_missing_file_is_a_problem)
{
    struct netmap_bytes map;
    struct text problems = text_init(1000);
    ck_assert_int_eq(build("/nowhere/x.mmdb", (const char *[]){"NZ", NULL}, &map, &problems),
                     ERR_MISSING);
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "/nowhere/x.mmdb: "));
    text_done(&problems);
}
END_TEST

static size_t small_bytes(uint8_t ret[static 8192])
{
    FILE *f = fopen(small_path(), "rb");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(ret, 1, 8192, f);
    fclose(f);
    ck_assert(size > 1000 && size < 8192);
    return size;
}

static void bytes_write(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* Any result will do that is not a crash; an error comes with a sentence. */
static void try_bytes(const char *path, const uint8_t *bytes, size_t size)
{
    const char *wanted[] = {"US-CA", "US", "EU", "FR", "JP-13", NULL};
    struct text problems = text_init(1000);
    struct netmap_bytes map;
    bytes_write(path, bytes, size);
    int r = build(path, wanted, &map, &problems);
    if (r < 0)
        ck_assert_uint_gt(problems.length, 0);
    else
        free(map.data);
    text_done(&problems);
}

START_TEST(damaged_files_are_problems_and_no_crashes)
{
    uint8_t bytes[8192];
    size_t size = small_bytes(bytes);
    char path[] = "/tmp/netmap_io_test.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    for (size_t i = 0; i < size; i++) {
        uint8_t before = bytes[i];
        bytes[i] = (uint8_t[]){(uint8_t)~before, before ^ 1, 0}[i % 3];
        try_bytes(path, bytes, size);
        bytes[i] = before;
    }
    for (size_t i = 0; i < size; i += 13)
        try_bytes(path, bytes, i);
    unlink(path);
}
END_TEST

START_TEST(a_tree_that_leads_back_to_its_root_ends)
{
    uint8_t bytes[8192];
    size_t size = small_bytes(bytes);
    char path[] = "/tmp/netmap_io_test.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    memset(bytes + 6 * 20, 0, 6); /* both records of node 20: the root; 2^76 ways down */
    bytes_write(path, bytes, size);
    struct text problems = text_init(1000);
    struct netmap_bytes map;
    ck_assert_int_lt(build(path, (const char *[]){"US", NULL}, &map, &problems), 0);
    text_done(&problems);
    unlink(path);
}
END_TEST

/* ---- configurations ---- */

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    ck_assert_int_eq(ip_prefix_parse(text, &p), 0);
    return p;
}

START_TEST(a_configuration_gets_the_maps_it_needs)
{
    struct config_location locations[] = {location("US"), {{0}, {0}, {0}}};
    struct config_endpoint endpoint = {.locations = locations, .location_count = 2};
    struct config_service service = {.endpoints = &endpoint, .endpoint_count = 1};
    struct ip_prefix office[] = {prefix("192.0.2.0/24"), prefix("2001:db8::/32")};
    struct ip_prefix lab = prefix("192.0.2.0/28");
    struct config_collection collections[] = {{.prefixes = office, .prefix_count = 2},
                                              {.prefixes = &lab, .prefix_count = 1}};
    struct config_latency latencies[] = {{.network = prefix("10.0.0.0/8"), .region = "a"},
                                         {.network = prefix("10.0.0.0/8"), .region = "b"},
                                         {.network = prefix("10.1.0.0/16"), .region = "a"}};
    struct config config = {.geo_database = small_path(),
                            .services = &service,
                            .service_count = 1,
                            .collections = collections,
                            .collection_count = 2,
                            .latencies = latencies,
                            .latency_count = 3};
    struct netmap_bytes maps[NETMAP_KINDS];
    struct text problems = text_init(1000);
    ck_assert_int_eq(netmap_of_config(&config, maps, &problems), 0);
    ck_assert_str_eq(look(&maps[NETMAP_GEO].map, "198.51.100.1"), "US /24");
    struct ip ip;
    unsigned scope;
    uint32_t count;
    ck_assert_int_eq(ip_parse("192.0.2.1", &ip), 0);
    const struct netmap *m = &maps[NETMAP_COLLECTIONS].map;
    const uint32_t *keys = netmap_keys(m, netmap_find(m, &ip, &scope), &count);
    ck_assert(count == 2 && keys[0] == 1 && keys[1] == 0 && scope == 28);
    ck_assert_int_eq(ip_parse("10.1.2.3", &ip), 0);
    m = &maps[NETMAP_LATENCY].map;
    keys = netmap_keys(m, netmap_find(m, &ip, &scope), &count);
    ck_assert(count == 2 && keys[0] == 2 && keys[1] == 0 && scope == 16);
    ck_assert_uint_ne(maps[0].map.hash, maps[1].map.hash);
    netmap_bytes_done(maps);
    text_done(&problems);
}
END_TEST

static const char *nearest(const struct netmap *m, const struct config *c, const char *address)
{
    struct ip ip;
    unsigned scope;
    uint32_t count = 0;
    ck_assert_int_eq(ip_parse(address, &ip), 0);
    uint32_t row = netmap_find(m, &ip, &scope);
    const uint32_t *keys = row == NETMAP_NO_ROW ? NULL : netmap_keys(m, row, &count);
    ck_assert_uint_le(count, 1);
    return count ? c->sites[keys[0]].name : "nobody";
}

START_TEST(networks_are_near_the_nearest_site)
{
    struct config_site sites[] = {{"oregon", {45600, -121200}},
                                  {"ohio", {40000, -83000}},
                                  {"paris", {48900, 2400}},
                                  {"tokyo", {35700, 139700}}};
    struct config config = {.geo_database = data_path("cities"), .sites = sites, .site_count = 4};
    struct netmap_bytes maps[NETMAP_KINDS];
    struct text problems = text_init(1000);
    ck_assert_int_eq(netmap_of_config(&config, maps, &problems), 0);
    const struct netmap *m = &maps[NETMAP_SITES].map;
    ck_assert_ptr_null(maps[NETMAP_GEO].data);
    ck_assert_str_eq(nearest(m, &config, "198.51.100.1"), "oregon");
    ck_assert_str_eq(nearest(m, &config, "198.51.100.65"), "ohio");
    ck_assert_str_eq(nearest(m, &config, "198.51.100.129"), "nobody"); /* far from all */
    ck_assert_str_eq(nearest(m, &config, "203.0.113.1"), "paris");     /* by its country */
    ck_assert_str_eq(nearest(m, &config, "203.0.113.65"), "tokyo");
    ck_assert_str_eq(nearest(m, &config, "203.0.113.129"), "nobody"); /* no such country */
    ck_assert_str_eq(nearest(m, &config, "203.0.113.193"), "nobody"); /* no such place */
    ck_assert_str_eq(nearest(m, &config, "2001:db8::1"), "paris");
    netmap_bytes_done(maps);
    /* a file about places that are far from every site is no file for these (L3) */
    config.site_count = 1;
    sites[0].at = (struct coordinates){-54000, -37000};
    ck_assert_int_eq(netmap_of_config(&config, maps, &problems), ERR_REFUSED);
    ck_assert(strstr(text_string(&problems), "near any of the sites"));
    text_done(&problems);
}
END_TEST

START_TEST(a_configuration_without_steering_by_network_gets_none)
{
    struct config config = {.geo_database = "/nowhere"};
    struct netmap_bytes maps[NETMAP_KINDS];
    struct text problems = text_init(1000);
    ck_assert_int_eq(netmap_of_config(&config, maps, &problems), 0);
    for (unsigned i = 0; i < NETMAP_KINDS; i++)
        ck_assert_ptr_null(maps[i].data);
    netmap_bytes_done(maps);
    text_done(&problems);
}
END_TEST

CHECK_MAIN("netmap_io", networks_are_read_with_their_places, what_nobody_wants_is_left_out,
           a_file_without_any_wanted_place_is_refused, a_missing_file_is_a_problem,
           damaged_files_are_problems_and_no_crashes, a_tree_that_leads_back_to_its_root_ends,
           a_configuration_gets_the_maps_it_needs, networks_are_near_the_nearest_site,
           a_configuration_without_steering_by_network_gets_none)
