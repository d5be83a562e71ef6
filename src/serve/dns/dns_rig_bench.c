/* A name server with plans made by hand: what `make bench` measures and test/dns_test.py asks.
 *
 *   dns_rig_bench DATA SPEC ADDRESS[,ADDRESS] PORT [THREADS]
 *
 * SPEC has one thing a line:
 *   zone ORIGIN FILE
 *   service NAME ORIGIN TTL simple ADDRESS,ADDRESS...
 *   service NAME ORIGIN TTL multivalue ADDRESS,ADDRESS...        (at most eight are sent)
 *   service NAME ORIGIN TTL weighted ADDRESS=WEIGHT,...
 *   service NAME ORIGIN TTL network PREFIX=ADDRESS,...           (NODATA elsewhere)
 *   service NAME ORIGIN TTL alias TARGET
 * It prints "ready PORT" and obeys lines on standard input: "publish" (reads SPEC again, next
 * generation; prints "published GENERATION" or "failed"), and ends at the end of the input. */
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "model/netmap.h"
#include "model/snapshot_io.h"
#include "model/snapshot_maker.h"
#include "model/zone.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/log_io.h"
#include "seam/net.h"
#include "serve/dns/server_io.h"
#include "wire/zonefile.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum {
    RECORDS_MAX = 1 << 20,
    TEXT_MAX = 64 << 20,
    FILE_MAX = 1 << 30,
    ZONES_MAX = 64,
    ITEMS_MAX = 64,
    FDS_MAX = 64
};

struct rig_zone {
    char *origin;
    uint8_t wire[DNAME_MAX];
    struct zone_builder *builder;
    char *text;
    uint32_t file;
};

struct rig {
    const char *data, *spec;
    uint64_t generation;
    struct maker maker;
    struct rig_zone zones[ZONES_MAX];
    unsigned zone_count, map_count;
    struct text problems;
};

static int fail(struct rig *r, const char *what, const char *detail)
{
    text_appendf(&r->problems, "%s: %s\n", what, detail);
    return ERR_INVALID;
}

static const char *record_add(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                              uint32_t ttl, const uint8_t *rdata, uint16_t length, uint32_t line)
{
    (void)class;
    return zone_builder_add(context, owner, type, ttl, rdata, length, line)
               ? "the zone does not take it"
               : NULL;
}

static int zone_read(struct rig *r, const char *origin, const char *path)
{
    struct rig_zone *z = &r->zones[r->zone_count];
    size_t length;
    if (r->zone_count == ZONES_MAX || dname_parse(origin, strlen(origin), NULL, z->wire) < 0)
        return fail(r, "zone", origin);
    if (disk_read(path, FILE_MAX, &z->text, &length))
        return fail(r, "cannot read", path);
    z->origin = mem_string(origin);
    z->builder = zone_builder_new(z->wire);
    r->zone_count++;
    struct zonefile file = {
        .path = path, .origin = z->wire, .record = record_add, .context = z->builder};
    return zonefile_parse(&file, z->text, length, &r->problems);
}

/* ---- services ---- */

static struct rig_zone *zone_named(struct rig *r, const char *origin)
{
    for (unsigned i = 0; i < r->zone_count; i++)
        if (strcmp(r->zones[i].origin, origin) == 0)
            return &r->zones[i];
    return NULL;
}

static void endpoint_set(struct maker *m, uint32_t endpoint, const struct ip *ip)
{
    uint32_t t = m->endpoints[endpoint].target[IP_V4];
    m->endpoints[endpoint].target[IP_V4] = PLAN_NONE;
    m->endpoints[endpoint].target[ip->family] = t;
    m->targets[t].address = *ip;
}

/* The items of one family as one choice; PLAN_NONE where it has none. */
static uint32_t addresses_choice(struct maker *m, const struct ip *ips, unsigned count,
                                 uint8_t family, uint16_t pick)
{
    uint32_t first = m->plan.address_count;
    for (unsigned i = 0; i < count; i++) {
        if (ips[i].family != family)
            continue;
        uint32_t e = maker_endpoint(m, "e", false);
        endpoint_set(m, e, &ips[i]);
        struct plan_address *a = &m->addresses[m->plan.address_count++];
        a->target = m->endpoints[e].target[family];
        memcpy(a->bytes, ips[i].bytes, sizeof a->bytes);
    }
    uint32_t n = m->plan.address_count - first;
    if (!n)
        return PLAN_NONE;
    return maker_choice(
        m,
        (struct plan_choice){
            .kind = CHOICE_ADDRESSES, .family = family, .pick = pick, .first = first, .count = n});
}

static uint32_t weighted_choice(struct maker *m, const struct ip *ips, const uint32_t *weights,
                                unsigned count, uint8_t family)
{
    uint32_t children[ITEMS_MAX], ends[ITEMS_MAX], n = 0, end = 0;
    for (unsigned i = 0; i < count; i++) {
        if (ips[i].family != family)
            continue;
        children[n] = addresses_choice(m, &ips[i], 1, family, 1);
        ends[n++] = end += weights[i];
    }
    if (!n)
        return PLAN_NONE;
    uint32_t first = m->plan.branch_count;
    for (uint32_t i = 0; i < n; i++)
        maker_branch(m, ends[i], children[i]);
    return maker_choice(
        m,
        (struct plan_choice){
            .kind = CHOICE_WEIGHTED, .family = family, .first = first, .count = n, .total = end});
}

/* One netmap a service and family: row = index of the item. */
static int network_choice(struct rig *r, const struct ip *ips, const struct ip_prefix *networks,
                          unsigned count, uint8_t family, uint32_t *ret)
{
    struct maker *m = &r->maker;
    struct netmap_builder *b = netmap_builder_new();
    uint32_t children[ITEMS_MAX];
    for (unsigned i = 0; i < count; i++)
        if (ips[i].family == family)
            netmap_builder_add(b, &networks[i], i);
    size_t size;
    uint8_t *bytes = netmap_builder_finish(b, &size);
    netmap_builder_free(b);
    struct netmap map;
    int err = netmap_open(bytes, size, &map);
    if (!err)
        err = store_put(r->data, PLAN_FILE_NETMAP, map.hash, bytes, size);
    if (err || !map.row_count) {
        free(bytes);
        *ret = PLAN_NONE;
        return err;
    }
    char name[32];
    snprintf(name, sizeof name, "map%u", r->map_count++);
    uint32_t file = maker_file(m, PLAN_FILE_NETMAP, name, map.hash);
    for (uint32_t row = 0; row < map.row_count; row++) /* the most specific key of the row */
        children[row] = addresses_choice(m, &ips[map.keys[map.row_first[row]]], 1, family, 1);
    uint32_t otherwise =
        maker_choice(m, (struct plan_choice){.kind = CHOICE_NODATA, .family = family});
    uint32_t first = m->plan.branch_count;
    for (uint32_t row = 0; row < map.row_count; row++)
        maker_branch(m, 0, children[row]);
    *ret = maker_choice(m, (struct plan_choice){.kind = CHOICE_NETWORK,
                                                .family = family,
                                                .first = first,
                                                .count = map.row_count,
                                                .map = file,
                                                .otherwise = otherwise});
    free(bytes);
    return 0;
}

struct items {
    struct ip ips[ITEMS_MAX];
    uint32_t weights[ITEMS_MAX];
    struct ip_prefix networks[ITEMS_MAX];
    unsigned count;
};

/* "A,A", "A=W,A=W" or "PREFIX=A,PREFIX=A" */
static int items_read(char *list, struct items *t)
{
    char *save = NULL;
    for (char *item = strtok_r(list, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        int64_t weight = 1;
        if (t->count == ITEMS_MAX)
            return ERR_LIMIT;
        if (equals)
            *equals++ = 0;
        bool network = strchr(item, '/');
        if (network && (ip_prefix_parse(item, &t->networks[t->count]) || !equals ||
                        ip_parse(equals, &t->ips[t->count])))
            return ERR_SYNTAX;
        if (!network && (ip_parse(item, &t->ips[t->count]) ||
                         (equals && integer_parse(equals, 0, 255, &weight))))
            return ERR_SYNTAX;
        t->weights[t->count++] = (uint32_t)weight;
    }
    return t->count ? 0 : ERR_SYNTAX;
}

static int face_make(struct rig *r, const char *kind, const struct items *t, uint8_t family,
                     uint32_t *ret)
{
    struct maker *m = &r->maker;
    if (strcmp(kind, "network") == 0)
        return network_choice(r, t->ips, t->networks, t->count, family, ret);
    if (strcmp(kind, "weighted") == 0)
        *ret = weighted_choice(m, t->ips, t->weights, t->count, family);
    else
        *ret = addresses_choice(m, t->ips, t->count, family,
                                strcmp(kind, "multivalue") == 0 ? PLAN_MULTIVALUE_MAX : UINT16_MAX);
    return 0;
}

static int service_add(struct rig *r, const char *name, struct rig_zone *zone, uint32_t ttl,
                       const char *kind, char *list)
{
    struct maker *m = &r->maker;
    uint8_t wire[DNAME_MAX];
    struct items items = {.count = 0};
    uint32_t s = maker_service(m, name, zone->file);
    if (dname_parse(name, strlen(name), NULL, wire) < 0 || zone_builder_steer(zone->builder, wire))
        return fail(r, "service", name);
    bool alias = strcmp(kind, "alias") == 0;
    m->services[s].when_all_down = alias ? ALL_DOWN_FALLBACK : ALL_DOWN_NODATA;
    if (!alias && items_read(list, &items))
        return fail(r, "service", name);
    for (unsigned f = 0; f < IP_FAMILIES; f++) {
        uint8_t family = (uint8_t)f;
        uint32_t choice = PLAN_NONE;
        if (alias)
            choice = maker_choice(m, (struct plan_choice){.kind = CHOICE_CNAME,
                                                          .family = family,
                                                          .first = maker_wire(m, list)});
        else if (face_make(r, kind, &items, family, &choice))
            return fail(r, "service", name);
        if (choice == PLAN_NONE)
            continue;
        maker_face(m, s, family, alias ? FACE_FALLBACK : FACE_NORMAL, choice);
        m->services[s].faces[family].ttl = ttl;
    }
    return 0;
}

static int spec_line(struct rig *r, char *line)
{
    char *save = NULL, *words[6] = {NULL};
    unsigned n = 0;
    for (char *w = strtok_r(line, " \t\n", &save); w && n < 6; w = strtok_r(NULL, " \t\n", &save))
        words[n++] = w;
    if (!n)
        return 0;
    if (strcmp(words[0], "zone") == 0 && n == 3) {
        int err = zone_read(r, words[1], words[2]);
        if (!err)
            r->zones[r->zone_count - 1].file = maker_file(&r->maker, PLAN_FILE_ZONE, words[1], 0);
        return err;
    }
    struct rig_zone *zone = n == 6 ? zone_named(r, words[2]) : NULL;
    int64_t ttl;
    if (strcmp(words[0], "service") != 0 || !zone || integer_parse(words[3], 0, 86400, &ttl))
        return fail(r, "spec", words[0]);
    return service_add(r, words[1], zone, (uint32_t)ttl, words[4], words[5]);
}

/* ---- publishing ---- */

static int zones_finish(struct rig *r)
{
    for (unsigned i = 0; i < r->zone_count; i++) {
        struct rig_zone *z = &r->zones[i];
        uint8_t *data;
        size_t size;
        int err = zone_builder_finish(z->builder, z->origin, &r->problems, &data, &size);
        if (err)
            return err;
        struct plan_file *file = &r->maker.files[z->file];
        file->hash = ((const struct zone_header *)(const void *)data)->checksum;
        file->serial = ((const struct zone_header *)(const void *)data)->serial;
        err = store_put(r->data, PLAN_FILE_ZONE, file->hash, data, size);
        free(data);
        if (err)
            return err;
    }
    return 0;
}

static int rig_publish(struct rig *r)
{
    char *spec, *save = NULL;
    size_t length;
    int err = disk_read(r->spec, FILE_MAX, &spec, &length);
    if (err)
        return err;
    r->maker = maker_init(RECORDS_MAX, TEXT_MAX);
    r->zone_count = r->map_count = 0;
    for (char *line = strtok_r(spec, "\n", &save); line && !err; line = strtok_r(NULL, "\n", &save))
        err = spec_line(r, line);
    if (!err)
        err = zones_finish(r);
    struct plan *p = &r->maker.plan;
    p->generation = r->generation + 1;
    p->node = p->site = p->network = PLAN_NONE;
    p->config_fingerprint = p->generation; /* each its own configuration: names may come and go */
    p->made_wall = clock_wall();
    if (!err)
        err = snapshot_publish(r->data, p);
    if (!err)
        r->generation++;
    for (unsigned i = 0; i < r->zone_count; i++) {
        zone_builder_free(r->zones[i].builder);
        free(r->zones[i].text);
        free(r->zones[i].origin);
    }
    maker_done(&r->maker);
    free(spec);
    return err;
}

static void publish_tell(struct rig *r)
{
    int err = rig_publish(r);
    if (err) {
        fputs(text_string(&r->problems), stderr);
        fprintf(stderr, "%s\n", err_text(err));
        puts("failed");
    } else {
        printf("published %llu\n", (unsigned long long)r->generation);
    }
    text_reset(&r->problems);
    fflush(stdout);
}

/* ---- the server ---- */

static void tell_ready(void *port)
{
    printf("ready %u\n", *(const unsigned *)port);
    fflush(stdout);
}

static void *server_thread(void *options)
{
    int err = dns_server_run(options);
    if (err)
        fprintf(stderr, "server: %s\n", err_text(err));
    return NULL;
}

static int sockets_open(struct dns_server_options *o, char *addresses, uint16_t port)
{
    static int udp[FDS_MAX], tcp[FDS_MAX];
    char *save = NULL;
    for (char *a = strtok_r(addresses, ",", &save); a; a = strtok_r(NULL, ",", &save)) {
        struct ip ip;
        for (unsigned t = 0; t < o->threads; t++) {
            if (ip_parse(a, &ip) || o->udp_count == FDS_MAX ||
                net_udp_open(&ip, port, true, &udp[o->udp_count]) ||
                net_tcp_listen(&ip, port, true, 1024, &tcp[o->tcp_count]))
                return -1;
            o->udp_count++;
            o->tcp_count++;
        }
    }
    o->udp_fds = udp;
    o->tcp_fds = tcp;
    return 0;
}

static unsigned number(const char *text, int64_t most)
{
    int64_t n = 0;
    if (integer_parse(text, 0, most, &n))
        fprintf(stderr, "not a number: %s\n", text);
    return (unsigned)n;
}

int main(int argc, char **argv)
{
    int stop[2];
    if (argc < 5 || argc > 6 || pipe(stop)) {
        fputs("usage: dns_rig_bench DATA SPEC ADDRESS[,ADDRESS] PORT [THREADS]\n", stderr);
        return 2;
    }
    log_setup_stderr("dns", LOG_WARN, LOG_LOGFMT);
    struct rig r = {.data = argv[1], .spec = argv[2], .problems = text_init(1 << 20)};
    unsigned port = number(argv[4], 65535);
    struct stats_file stats;
    struct dns_server_options o = {.data = argv[1],
                                   .threads = argc > 5 ? number(argv[5], 16) : 1,
                                   .client_subnet = true,
                                   .tcp = {.clients = 50,
                                           .client_v4 = 32,
                                           .client_v6 = 56,
                                           .idle = 2 * USEC_PER_SEC,
                                           .patience = 30 * USEC_PER_SEC,
                                           .memory = 64 << 20},
                                   .stats = &stats,
                                   .stop_fd = stop[0],
                                   .ready = tell_ready,
                                   .context = &port};
    if (snapshot_folders_create(argv[1]) || snapshot_highest(argv[1], &r.generation) ||
        sockets_open(&o, argv[3], (uint16_t)port) ||
        stats_create(argv[1], "dns", o.udp_count + o.tcp_count + 1, &stats)) {
        fputs("cannot start\n", stderr);
        return 1;
    }
    publish_tell(&r);
    pthread_t thread;
    if (pthread_create(&thread, NULL, server_thread, &o))
        return 1;
    char line[64];
    while (fgets(line, sizeof line, stdin))
        if (strcmp(line, "publish\n") == 0)
            publish_tell(&r);
    close(stop[1]); /* readable for ever: end of file */
    pthread_join(thread, NULL);
    stats_close(&stats);
    text_done(&r.problems);
    return 0;
}
