#include "base/err.h"
#include "model/config.h"
#include "model/target.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PROBLEMS_MAX = 1 << 20 };

#define NODE  "node: {name: n, site: s, network: AS64500}\n"
#define ZONES "zones: [{name: example.com, file: example.com.zone}]\n"

static struct config *parse(const char *path, const char *text, size_t length)
{
    struct text problems = text_init(PROBLEMS_MAX);
    struct config *config = NULL;
    int err = config_parse(path, text, length, NULL, &problems, &config);
    ck_assert_msg(err == 0, "%s", text_string(&problems));
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert_ptr_nonnull(config);
    text_done(&problems);
    return config;
}

static struct config *parse_text(const char *text)
{
    return parse("/etc/holdfast/holdfast.yaml", text, strlen(text));
}

/* Refused, with exactly these problems. */
static void refuse(const char *text, size_t length, const char *expected)
{
    struct text problems = text_init(PROBLEMS_MAX);
    struct config *config = (void *)1;
    int err = config_parse("x.yaml", text, length, NULL, &problems, &config);
    ck_assert_int_lt(err, 0);
    ck_assert_ptr_eq(config, (void *)1);
    if (expected)
        ck_assert_str_eq(text_string(&problems), expected);
    else
        ck_assert_str_ne(text_string(&problems), "");
    text_done(&problems);
}

static char *file_read(const char *path, size_t *ret_length)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *data = mem_new(1 << 22, 1);
    *ret_length = fread(data, 1, (1 << 22) - 1, f);
    fclose(f);
    return data;
}

static const char *source(const char *name)
{
    static char path[PATH_MAX];
    const char *root = getenv("HOLDFAST_SOURCE");
    snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
    return path;
}

/* Compares with a file of the tree; HOLDFAST_UPDATE=1 writes it instead, to be read before it is
 * committed. */
static void equals_file(const char *path, const char *text)
{
    size_t length;
    if (getenv("HOLDFAST_UPDATE")) {
        FILE *f = fopen(path, "wb");
        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        fclose(f);
        return;
    }
    char *expected = file_read(path, &length);
    ck_assert_msg(expected != NULL, "%s is missing", path);
    ck_assert_msg(strcmp(expected, text) == 0, "%s differs; now it would be:\n%s", path, text);
    free(expected);
}

static bool ends_with(const char *name, const char *end)
{
    size_t a = strlen(name), b = strlen(end);
    return a > b && strcmp(name + a - b, end) == 0;
}

/* Every file of test/config is refused with the problems that lie beside it. */
START_TEST(test_bad_files)
{
    char folder[PATH_MAX], path[PATH_MAX + 300];
    unsigned count = 0;
    snprintf(folder, sizeof folder, "%s", source("test/config"));
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (!ends_with(e->d_name, ".yaml"))
            continue;
        struct text problems = text_init(PROBLEMS_MAX);
        struct config *config;
        size_t length;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        char *data = file_read(path, &length);
        ck_assert_ptr_nonnull(data);
        ck_assert_msg(config_parse(e->d_name, data, length, NULL, &problems, &config) < 0,
                      "%s is taken", path);
        snprintf(path, sizeof path, "%s/%.*s.problems", folder, (int)strlen(e->d_name) - 5,
                 e->d_name);
        equals_file(path, text_string(&problems));
        text_done(&problems);
        free(data);
        count++;
    }
    closedir(dir);
    ck_assert_uint_ge(count, 40);
}
END_TEST

START_TEST(test_examples)
{
    char path[PATH_MAX + 300];
    unsigned count = 0;
    DIR *dir = opendir(source("examples"));
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t length;
        if (!ends_with(e->d_name, ".yaml"))
            continue;
        snprintf(path, sizeof path, "%s/%s", source("examples"), e->d_name);
        char *data = file_read(path, &length);
        config_free(parse(path, data, length));
        free(data);
        count++;
    }
    closedir(dir);
    ck_assert_uint_ge(count, 5);
}
END_TEST

START_TEST(test_schema_is_committed)
{
    struct text schema = text_init(PROBLEMS_MAX);
    config_schema(&schema);
    ck_assert(!schema.failed);
    equals_file(source("doc/holdfast.schema.json"), text_string(&schema));
    text_done(&schema);
}
END_TEST

START_TEST(test_defaults)
{
    struct config *c = parse_text(
        NODE ZONES "checks:\n"
                   "  t: {tcp: 80}\n"
                   "  quick: {tls: 443, interval: 300ms}\n"
                   "  w: {http: 'http://{address}/'}\n"
                   "  d: {dns: {query: example.com}}\n"
                   "services:\n"
                   "  - {name: A.Example.COM., endpoints: [{name: x, address: 192.0.2.1}]}\n");
    ck_assert_str_eq(c->data, "/var/lib/holdfast");
    ck_assert_ptr_null(c->user);
    ck_assert_uint_eq(c->dns_listen_count, 2);
    ck_assert_uint_eq(c->dns_listen[0].port, 53);
    ck_assert_uint_eq(c->dns_listen[1].ip.family, IP_V6);
    ck_assert_uint_eq(c->dns_listen[1].place.line, 0);
    ck_assert_uint_eq(c->tell_listen_count, 1);
    ck_assert_uint_eq(c->tell_listen[0].port, 8080);
    ck_assert_uint_eq(c->dns_threads, 0);
    ck_assert_uint_eq(c->dns_udp_size, 1232);
    ck_assert(c->dns_client_subnet);
    ck_assert_uint_eq(c->dns_tcp.clients, 1000);
    ck_assert_int_eq(c->dns_tcp.idle, 10 * USEC_PER_SEC);
    ck_assert_ptr_null(c->geo_database);
    ck_assert_int_eq(c->log_format, CONFIG_LOG_LOGFMT);
    ck_assert_int_eq(c->log_level, 2);
    ck_assert_str_eq(c->zones[0].file, "/etc/holdfast/example.com.zone");
    const struct config_check *t = &c->checks[0];
    ck_assert_int_eq(t->kind, CHECK_TCP);
    ck_assert_uint_eq(t->port, 80);
    ck_assert_int_eq(t->interval, USEC_PER_SEC);
    ck_assert_int_eq(t->timeout, USEC_PER_SEC);
    ck_assert_uint_eq(t->rise, 2);
    ck_assert_uint_eq(t->fall, 3);
    ck_assert_int_eq(t->hold_down, 5 * USEC_PER_SEC);
    ck_assert_int_eq(t->expiry_warn, 14 * USEC_PER_DAY);
    ck_assert(t->verify);
    ck_assert_int_eq(c->checks[1].timeout, 300 * USEC_PER_MSEC);
    ck_assert_int_eq(c->checks[2].kind, CHECK_HTTP);
    ck_assert_uint_eq(c->checks[2].status_count, 1);
    ck_assert_uint_eq(c->checks[2].status[0].low, 200);
    ck_assert_uint_eq(c->checks[2].status[0].high, 399);
    ck_assert_uint_eq(c->checks[3].port, 53);
    ck_assert_uint_eq(c->checks[3].query_type, DNS_A);
    ck_assert_ptr_null(c->checks[3].expect);
    const struct config_service *s = &c->services[0];
    ck_assert_str_eq(s->name, "a.example.com");
    ck_assert_int_eq(s->policy, POLICY_SIMPLE);
    ck_assert_uint_eq(s->ttl_max, 30);
    ck_assert_uint_eq(s->ttl_min, 15);
    ck_assert_int_eq(s->when_all_down, ALL_DOWN_PREFERRED);
    ck_assert_uint_eq(s->velocity_percent, 50);
    ck_assert_int_eq(s->velocity_window, USEC_PER_MIN);
    ck_assert(!s->unready_serves);
    ck_assert_int_eq(s->zone, 0);
    ck_assert_int_eq(s->endpoints[0].check, CONFIG_NONE);
    ck_assert_int_eq(s->endpoints[0].service, CONFIG_NONE);
    ck_assert_uint_eq(s->endpoints[0].weight, 1);
    ck_assert_uint_eq(s->endpoints[0].capacity, 0);
    ck_assert_uint_eq(c->services[0].place.line, 9);
    ck_assert_uint_eq(c->services[0].place.column, 5);
    config_free(c);
}
END_TEST

static const char values[] =
    "node: {name: n, site: s, network: AS64500, data: state, user: dns}\n"
    "dns: {listen: 127.0.0.1:5353, threads: 4, udp_size: 512, client_subnet: false, tcp: "
    "{clients: 7, idle: 500ms}}\n"
    "tell: {listen: []}\n"
    "log: {format: json, level: debug}\n"
    "geo: {database: /usr/share/geo.mmdb}\n"
    "zones:\n"
    "  - {name: example.com, file: a}\n"
    "  - {name: sub.example.com, file: /b}\n"
    "checks:\n"
    "  web: {http: 'https://{address}:8443/x?y=1', host: h, sni: S.example, headers: {X-A: "
    "'1', X-B: two},\n"
    "        status: [200, 301-302], body: '{\"ok\"', verify: false, ca: ca.pem, interval: "
    "100ms, timeout: 20ms,\n"
    "        rise: 1, fall: 100, hold_down: 0s, expiry_warn: 0s}\n"
    "  ping: {icmp: true}\n"
    "  names: {dns: {query: Example.com., type: AAAA, expect: '2001:DB8::1', port: 5353}}\n"
    "services:\n"
    "  - name: x.sub.example.com\n"
    "    policy: weighted\n"
    "    ttl: {min: 0s, max: 7s}\n"
    "    when_all_down: {fallback: Other.example.net.}\n"
    "    velocity: off\n"
    "    unready: include\n"
    "    endpoints:\n"
    "      - {name: a, address: ['2001:db8::1', 192.0.2.1], weight: 255, capacity: 40000/s, "
    "check: ping, region: r, provider: p}\n"
    "      - {name: b, service: POOL., weight: 0}\n"
    "  - {name: pool, endpoints: [{name: a, address: 192.0.2.1, check: names}]}\n";

START_TEST(test_values)
{
    struct config *c = parse_text(values);
    ck_assert_str_eq(c->data, "/etc/holdfast/state");
    ck_assert_str_eq(c->user, "dns");
    ck_assert_uint_eq(c->dns_listen_count, 1);
    ck_assert_uint_eq(c->dns_listen[0].port, 5353);
    ck_assert_uint_eq(c->dns_listen[0].place.line, 2);
    ck_assert_uint_eq(c->dns_listen[0].place.column, 15);
    ck_assert_uint_eq(c->dns_threads, 4);
    ck_assert_uint_eq(c->dns_udp_size, 512);
    ck_assert(!c->dns_client_subnet);
    ck_assert_uint_eq(c->dns_tcp.clients, 7);
    ck_assert_int_eq(c->dns_tcp.idle, 500 * USEC_PER_MSEC);
    ck_assert_uint_eq(c->tell_listen_count, 0);
    ck_assert_int_eq(c->log_format, CONFIG_LOG_JSON);
    ck_assert_int_eq(c->log_level, 3);
    ck_assert_str_eq(c->geo_database, "/usr/share/geo.mmdb");
    ck_assert_str_eq(c->zones[1].file, "/b");
    config_free(c);
}
END_TEST

START_TEST(test_check_values)
{
    struct config *c = parse_text(values);
    const struct config_check *w = &c->checks[0];
    ck_assert_int_eq(w->kind, CHECK_HTTPS);
    ck_assert_str_eq(w->url, "https://{address}:8443/x?y=1");
    ck_assert_str_eq(w->host, "h");
    ck_assert_str_eq(w->sni, "s.example");
    ck_assert_uint_eq(w->header_count, 2);
    ck_assert_str_eq(w->headers[1].name, "X-B");
    ck_assert_str_eq(w->headers[1].value, "two");
    ck_assert_uint_eq(w->status_count, 2);
    ck_assert_uint_eq(w->status[0].high, 200);
    ck_assert_uint_eq(w->status[1].low, 301);
    ck_assert_str_eq(w->body, "{\"ok\"");
    ck_assert(!w->verify);
    ck_assert_str_eq(w->ca, "/etc/holdfast/ca.pem");
    ck_assert_int_eq(w->timeout, 20 * USEC_PER_MSEC);
    ck_assert_int_eq(w->hold_down, 0);
    ck_assert_int_eq(c->checks[1].kind, CHECK_ICMP);
    ck_assert_str_eq(c->checks[2].query, "example.com");
    ck_assert_uint_eq(c->checks[2].query_type, DNS_AAAA);
    ck_assert_str_eq(c->checks[2].expect, "2001:db8::1");
    ck_assert_uint_eq(c->checks[2].port, 5353);
    config_free(c);
}
END_TEST

START_TEST(test_service_values)
{
    struct config *c = parse_text(values);
    const struct config_service *s = &c->services[0];
    ck_assert_int_eq(s->zone, 1);
    ck_assert_uint_eq(s->ttl_min, 0);
    ck_assert_uint_eq(s->ttl_max, 7);
    ck_assert_int_eq(s->when_all_down, ALL_DOWN_FALLBACK);
    ck_assert_str_eq(s->fallback, "other.example.net");
    ck_assert_int_eq(s->velocity_window, 0);
    ck_assert(s->unready_serves);
    const struct config_endpoint *a = &s->endpoints[0], *b = &s->endpoints[1];
    ck_assert(a->has_address[IP_V4] && a->has_address[IP_V6]);
    ck_assert_uint_eq(a->weight, 255);
    ck_assert_uint_eq(a->capacity, 40000);
    ck_assert_int_eq(a->check, 1);
    ck_assert_str_eq(a->region, "r");
    ck_assert_str_eq(a->provider, "p");
    ck_assert_int_eq(b->service, 1);
    ck_assert_uint_eq(b->weight, 0);
    ck_assert(!b->has_address[IP_V4]);
    ck_assert_int_eq(c->services[1].zone, CONFIG_NONE);
    ck_assert_uint_eq(c->services[1].ttl_min, 15);
    config_free(c);
}
END_TEST

START_TEST(test_networks)
{
    struct config *c = parse_text(
        NODE ZONES "geo: {database: g}\n"
                   "collections: {office: [192.0.2.0/24, '2001:db8::/32'], home: 10.0.0.0/8}\n"
                   "latency:\n"
                   "  192.0.2.0/24: {us: 12ms, eu: 80.5ms}\n"
                   "  2001:db8::/32: {us: 1ms}\n"
                   "services:\n"
                   "  - name: a.example.com\n"
                   "    policy: ip_based\n"
                   "    endpoints:\n"
                   "      - {name: x, address: 192.0.2.1, collections: [home, office]}\n"
                   "      - {name: y, address: 192.0.2.2, collections: '*'}\n"
                   "  - name: b.example.com\n"
                   "    policy: geolocation\n"
                   "    endpoints:\n"
                   "      - {name: x, address: 192.0.2.1, locations: [EU, NO, US-CA, {continent: "
                   "NA}, {country: SA, subdivision: '01'}]}\n"
                   "      - {name: y, address: 192.0.2.2, locations: '*'}\n");
    ck_assert_uint_eq(c->collection_count, 2);
    ck_assert_str_eq(c->collections[0].name, "office");
    ck_assert_uint_eq(c->collections[0].prefix_count, 2);
    ck_assert_uint_eq(c->collections[0].prefixes[1].length, 32);
    ck_assert_uint_eq(c->latency_count, 3);
    ck_assert_str_eq(c->latencies[1].region, "eu");
    ck_assert_int_eq(c->latencies[1].latency, 80500);
    ck_assert_uint_eq(c->latencies[2].network.ip.family, IP_V6);
    const struct config_endpoint *x = &c->services[0].endpoints[0];
    ck_assert_uint_eq(x->collection_count, 2);
    ck_assert_int_eq(x->collections[0], 1);
    ck_assert_int_eq(x->collections[1], 0);
    ck_assert(!x->any_network);
    ck_assert(c->services[0].endpoints[1].any_network);
    ck_assert_uint_eq(c->services[0].endpoints[1].collection_count, 0);
    const struct config_location *l = c->services[1].endpoints[0].locations;
    ck_assert_uint_eq(c->services[1].endpoints[0].location_count, 5);
    ck_assert_str_eq(l[0].continent, "EU");
    ck_assert_str_eq(l[0].country, "");
    ck_assert_str_eq(l[1].country, "NO");
    ck_assert_str_eq(l[2].country, "US");
    ck_assert_str_eq(l[2].subdivision, "CA");
    ck_assert_str_eq(l[3].continent, "NA");
    ck_assert_str_eq(l[4].country, "SA");
    ck_assert_str_eq(l[4].subdivision, "01");
    l = c->services[1].endpoints[1].locations;
    ck_assert_str_eq(l[0].continent, "");
    ck_assert_str_eq(l[0].country, "");
    config_free(c);
}
END_TEST

/* Anchors, aliases and merge keys: what is said beside a merge wins. */
START_TEST(test_merge)
{
    struct config *c = parse_text(NODE ZONES "checks:\n"
                                             "  a: &a {tcp: 1, rise: 5, fall: 7}\n"
                                             "  b: {<<: *a, rise: 6}\n"
                                             "  c: {rise: 8, <<: [{fall: 9}, *a]}\n"
                                             "  d: *a\n");
    ck_assert_uint_eq(c->check_count, 4);
    ck_assert_uint_eq(c->checks[1].rise, 6);
    ck_assert_uint_eq(c->checks[1].fall, 7);
    ck_assert_uint_eq(c->checks[2].rise, 8);
    ck_assert_uint_eq(c->checks[2].fall, 9);
    ck_assert_uint_eq(c->checks[3].rise, 5);
    ck_assert_str_eq(c->checks[3].name, "d");
    config_free(c);
}
END_TEST

START_TEST(test_targets)
{
    struct arena arena = arena_init();
    struct config *c =
        parse_text(NODE ZONES "checks: {p: {icmp: true}}\n"
                              "services:\n"
                              "  - {name: a.example.com, policy: weighted, endpoints: [\n"
                              "      {name: x, address: ['2001:db8::1', 192.0.2.1], check: p},\n"
                              "      {name: n, service: pool}, {name: y, address: 192.0.2.2}]}\n"
                              "  - {name: pool, endpoints: [{name: z, address: '2001:db8::2'}]}\n");
    uint32_t count;
    struct target *t = target_list(c, &arena, &count);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(t[0].family, IP_V4);
    ck_assert_ptr_eq(t[0].check, &c->checks[0]);
    ck_assert_uint_eq(t[1].family, IP_V6);
    ck_assert_uint_eq(t[1].address.bytes[15], 1);
    ck_assert_uint_eq(t[2].endpoint, 2);
    ck_assert_ptr_null(t[2].check);
    ck_assert_uint_eq(t[3].service, 1);
    ck_assert_uint_eq(t[3].endpoint, 0);
    arena_done(&arena);
    config_free(c);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(policy_name(POLICY_FAILOVER), "failover");
    ck_assert_str_eq(policy_name(POLICY_MULTIVALUE), "multivalue");
    ck_assert_str_eq(check_kind_name(CHECK_HTTPS), "https");
    ck_assert_str_eq(when_all_down_name(ALL_DOWN_LAST_GOOD), "last_good");
    ck_assert_str_eq(when_all_down_name(ALL_DOWN_FALLBACK), "fallback");
}
END_TEST

/* Whatever bytes come, there is an answer in words. */
START_TEST(test_bytes)
{
    refuse("", 0, "x.yaml:1:1: the file is empty; start with examples/minimal.yaml\n");
    refuse("# only a comment\n", 17, NULL);
    refuse("a: b\0c", 6,
           "x.yaml:1:5: the file is not text here (control characters are not allowed); a "
           "configuration is UTF-8\n");
    refuse("a: \xff\xfe", 5,
           "x.yaml:1:4: the file is not text here (invalid leading UTF-8 octet); a "
           "configuration is UTF-8\n");
    refuse("\xff\xfe\x00", 3, NULL);
    refuse("\"\\0\": 1", 7, NULL);
    refuse("%YAML 9.9\n---\na", 15, NULL);
    refuse("? [a]\n: b\n", 10, NULL);
    char *deep = mem_new(100001, 1);
    memset(deep, '[', 100000);
    refuse(deep, 100000,
           "x.yaml:1:33: values are nested more than 32 deep; nothing in this file needs more "
           "than 8\n");
    memset(deep, '{', 100000);
    refuse(deep, 100000, NULL);
    memset(deep, '-', 100000);
    refuse(deep, 100000, NULL);
    for (size_t i = 0; i + 1 < 100000; i += 2)
        memcpy(deep + i, "- ", 2);
    refuse(deep, 100000, NULL);
    free(deep);
}
END_TEST

/* A file cut off or damaged at any place gives a config or a problem, never neither. */
START_TEST(test_damage)
{
    size_t length;
    char *data = file_read(source("examples/geo.yaml"), &length);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < length; i++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            struct text problems = text_init(PROBLEMS_MAX);
            struct config *config = NULL;
            char was = data[i];
            if (kind)
                data[i] = kind == 1 ? ':' : (char)(was ^ 0x40);
            int err = config_parse("x", data, kind ? length : i, NULL, &problems, &config);
            ck_assert(!err == (problems.length == 0) && !err == (config != NULL));
            data[i] = was;
            config_free(config);
            text_done(&problems);
        }
    }
    free(data);
}
END_TEST

/* Only the first hundred by place are kept, however many there are. */
START_TEST(test_problem_limit)
{
    struct text file = text_init(1 << 22), problems = text_init(PROBLEMS_MAX);
    struct config *config;
    text_append(&file, NODE ZONES "services:\n");
    for (unsigned i = 0; i < 5000; i++)
        text_appendf(
            &file,
            "  - {name: s%u.example.com, endpoints: [{name: x, address: 192.0.2.1, check: c%u}]}\n",
            i, i);
    ck_assert_int_eq(config_parse("x", file.data, file.length, NULL, &problems, &config),
                     ERR_INVALID);
    unsigned lines = 0;
    for (const char *c = problems.data; *c; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, CONFIG_PROBLEMS_MAX + 1);
    ck_assert_ptr_nonnull(strstr(problems.data, "x:4:77: no check is named \"c0\""));
    ck_assert_ptr_nonnull(strstr(problems.data, "x: 4900 more problems are not shown"));
    text_done(&file);
    text_done(&problems);
}
END_TEST

/* 1,000 services of 10 endpoints in well under a second (also under sanitizers). */
START_TEST(test_speed)
{
    struct text file = text_init(1 << 23);
    struct timespec a, b;
    text_append(&file, NODE ZONES "checks: {web: {tcp: 443}}\nservices:\n");
    for (unsigned s = 0; s < 1000; s++) {
        text_appendf(
            &file, "  - name: s%u.example.com\n    policy: weighted\n    ttl: 5s\n    endpoints:\n",
            s);
        for (unsigned e = 0; e < 10; e++)
            text_appendf(&file,
                         "      - {name: e%u, address: 10.%u.%u.%u, region: us-east-%u, provider: "
                         "aws, weight: 5, "
                         "capacity: 40000/s, check: web}\n",
                         e, s / 250, s % 250, e, e);
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    struct config *c = parse("x", file.data, file.length);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ck_assert_uint_eq(c->service_count, 1000);
    ck_assert_uint_eq(c->services[999].endpoint_count, 10);
    double seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("10,000 endpoints, %zu bytes: %.0f ms\n", file.length, seconds * 1000);
    ck_assert_double_lt(seconds, 5);
    config_free(c);
    text_done(&file);
}
END_TEST

START_TEST(test_dnssec)
{
    struct config *c = parse_text(
        NODE "zones:\n"
             "  - {name: a.example, file: a}\n"
             "  - {name: b.example, file: b, dnssec: on}\n"
             "  - {name: c.example, file: c, dnssec: {algorithm: ed25519, keys: split, denial: "
             "nsec3, lifetime: 4d, refresh: 1d, ds_ttl: 2h}}\n"
             "  - {name: d.example, file: d, dnssec: off}\n");
    const struct config_dnssec *on = &c->zones[1].dnssec, *own = &c->zones[2].dnssec;
    ck_assert(!c->zones[0].dnssec.on && !c->zones[3].dnssec.on);
    ck_assert_int_eq(c->zones[0].dnssec.lifetime,
                     14 * USEC_PER_DAY); /* signed until it may not be */
    ck_assert_int_eq(c->zones[3].dnssec.ds_ttl, USEC_PER_DAY);
    ck_assert(on->on && !on->split && !on->nsec3 && on->algorithm == 13);
    ck_assert_int_eq(on->lifetime, 14 * USEC_PER_DAY);
    ck_assert_int_eq(on->refresh, 14 * USEC_PER_DAY / 4);
    ck_assert_int_eq(on->dnskey_ttl, USEC_PER_HOUR);
    ck_assert_int_eq(on->ds_ttl, USEC_PER_DAY);
    ck_assert(own->on && own->split && own->nsec3 && own->algorithm == 15);
    ck_assert_int_eq(own->refresh, USEC_PER_DAY);
    ck_assert_int_eq(own->ds_ttl, 2 * USEC_PER_HOUR);
    ck_assert_int_eq(own->zsk_lifetime, 90 * USEC_PER_DAY);
    config_free(c);
}
END_TEST

START_TEST(test_transfer)
{
    struct config *c = parse_text(
        NODE "tsig:\n"
             "  k1: {secret: QUI=}\n"
             "  k2.example: {algorithm: hmac-sha512, file: k2}\n"
             "zones:\n"
             "  - {name: a.example, file: a}\n"
             "  - name: b.example\n"
             "    file: b\n"
             "    transfer: {allow: [192.0.2.0/24, \"2001:db8::/32\"], keys: k2.example, notify: "
             "[192.0.2.1, \"192.0.2.2:5353 key k1\", \"[2001:db8::1]:53\"]}\n");
    const struct config_transfer *none = &c->zones[0].transfer, *t = &c->zones[1].transfer;
    ck_assert_uint_eq(none->allow_count + none->key_count + none->notify_count, 0);
    ck_assert_uint_eq(c->key_count, 2);
    ck_assert_str_eq(c->keys[0].secret, "QUI=");
    ck_assert_str_eq(c->keys[1].file, "/etc/holdfast/k2");
    ck_assert_uint_eq(t->allow_count, 2);
    ck_assert_uint_eq(t->key_count, 1);
    ck_assert_int_eq(t->keys[0], 1);
    ck_assert_uint_eq(t->notify_count, 3);
    ck_assert_uint_eq(t->notify[0].port, 53);
    ck_assert_int_eq(t->notify[0].key, CONFIG_NONE);
    ck_assert_uint_eq(t->notify[1].port, 5353);
    ck_assert_int_eq(t->notify[1].key, 0);
    ck_assert_uint_eq(t->notify[2].ip.family, IP_V6);
    config_free(c);
}
END_TEST

static void reached_at(const char *more, const char *expected)
{
    char file[512], buffer[CONFIG_API_URL_MAX + 1];
    snprintf(file, sizeof file, NODE "zones: [{name: a.example, file: a}]\n%s", more);
    struct config *c = parse_text(file);
    const char *url = config_api_address(c, buffer);
    ck_assert_msg(expected && url ? !strcmp(url, expected) : url == expected, "%s: %s", more,
                  url ? url : "nowhere");
    config_free(c);
}

START_TEST(test_api_address)
{
#define MESH "mesh: {listen: \"0.0.0.0:7443\", address: \"192.0.2.1:7443\"}\n"
    reached_at("", NULL);
    reached_at("api: {listen: \"127.0.0.1:8090\"}\n", "http://127.0.0.1:8090");
    reached_at("api: {listen: \"0.0.0.0:8090\"}\n", NULL);
    reached_at(MESH "api: {listen: \"0.0.0.0:8090\"}\n", "http://192.0.2.1:8090");
    reached_at(MESH "api: {listen: \"[::]:8443\", tls: {certificate: c, key: k}}\n",
               "https://192.0.2.1:8443");
    reached_at(MESH "api: {listen: \"127.0.0.1:8090\"}\n", NULL);
    reached_at(MESH "api: {listen: [\"[::1]:8090\", \"[2001:db8::1]:8090\"]}\n",
               "http://[2001:db8::1]:8090");
    reached_at("mesh: {listen: \"127.0.0.2:7443\"}\napi: {listen: \"127.0.0.2:8090\"}\n",
               "http://127.0.0.2:8090");
    reached_at(MESH "api: {listen: \"0.0.0.0:1\", url: \"https://arc.example\"}\n",
               "https://arc.example");
}
END_TEST

START_TEST(test_primaries)
{
    struct config *c = parse_text(
        NODE
        "tsig:\n"
        "  k1: {secret: QUI=}\n"
        "zones:\n"
        "  - {name: a.example, file: a}\n"
        "  - name: b.example\n"
        "    primaries: [192.0.2.1, \"192.0.2.2:5353 key k1\", \"2001:db8::1 tls ns1.example ca "
        "x.pem key k1\", \"192.0.2.3:8853 tls pin "
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\", 192.0.2.4 tls opportunistic]\n"
        "    expire: keep\n"
        "    max_records: 100\n"
        "    forward_updates: [192.0.2.0/24, \"::/0\"]\n");
    const struct config_zone *none = &c->zones[0], *z = &c->zones[1];
    const struct config_primary *p = z->primaries;
    ck_assert(!none->primary_count && !none->expire_keep && !none->accept_shrink);
    ck_assert(!none->forward_count && z->forward_count == 2 && z->forward[0].length == 24);
    ck_assert(z->primary_count == 5 && z->expire_keep && z->records_max == 100);
    ck_assert(p[0].port == 53 && p[0].key == CONFIG_NONE && p[0].tls == PRIMARY_PLAIN);
    ck_assert(p[1].port == 5353 && p[1].key == 0);
    ck_assert(p[2].port == 853 && p[2].tls == PRIMARY_TLS_NAME && p[2].ip.family == IP_V6);
    ck_assert_str_eq(p[2].tls_name, "ns1.example");
    ck_assert_str_eq(p[2].tls_ca, "/etc/holdfast/x.pem");
    ck_assert_int_eq(p[2].key, 0);
    ck_assert(p[3].port == 8853 && p[3].tls == PRIMARY_TLS_PIN && p[3].tls_pin[31] == 31);
    ck_assert(p[4].tls == PRIMARY_TLS_ANY && !p[4].tls_name);
    config_free(c);
}
END_TEST

START_TEST(test_catalog_groups)
{
    struct config *c =
        parse_text(NODE "tsig:\n"
                        "  k1: {secret: QUI=}\n"
                        "zones:\n"
                        "  - name: cat.example\n"
                        "    catalog: consume\n"
                        "    primaries: 192.0.2.1\n"
                        "    expire: keep\n"
                        "    transfer: {keys: k1}\n"
                        "    catalog_groups:\n"
                        "      eu: {dnssec: on, primaries: 192.0.2.2 key k1}\n"
                        "      us: {expire: rfc, transfer: {allow: 192.0.2.0/24}}\n");
    const struct config_zone *z = &c->zones[0], *eu = &z->groups[0], *us = &z->groups[1];
    ck_assert_uint_eq(z->group_count, 2);
    ck_assert_str_eq(eu->name, "eu");
    ck_assert(eu->dnssec.on && !us->dnssec.on && !z->dnssec.on);
    ck_assert(eu->primary_count == 1 && eu->primaries[0].key == 0 && eu->expire_keep);
    ck_assert(us->primary_count == 1 && us->primaries[0].key == CONFIG_NONE && !us->expire_keep);
    ck_assert(eu->transfer.key_count == 1 && !us->transfer.key_count);
    config_free(c);
}
END_TEST

START_TEST(test_fingerprint)
{
    struct config *a = parse_text(NODE ZONES), *b = parse_text(NODE ZONES "# more\n");
    struct config *again = parse_text(NODE ZONES);
    ck_assert_uint_ne(a->fingerprint, b->fingerprint);
    ck_assert_uint_eq(a->fingerprint, again->fingerprint);
    config_free(a);
    config_free(b);
    config_free(again);
    config_free(NULL);
}
END_TEST

CHECK_MAIN("config", test_api_address, test_bad_files, test_examples, test_schema_is_committed,
           test_defaults, test_values, test_check_values, test_service_values, test_networks,
           test_merge, test_targets, test_names, test_bytes, test_damage, test_problem_limit,
           test_speed, test_primaries, test_catalog_groups, test_fingerprint, test_dnssec,
           test_transfer)
