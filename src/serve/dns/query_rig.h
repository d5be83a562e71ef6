/* For tests: two zones from text, a plan by hand, and questions whose responses come back as text.
 */
#pragma once

#include "base/err.h"
#include "base/memory.h"
#include "model/netmap.h"
#include "model/snapshot_maker.h"
#include "serve/dns/message_text.h"
#include "serve/dns/query.h"
#include "wire/zonefile.h"

static const char rig_example[] =
    "$ORIGIN example.com.\n"
    "$TTL 3600\n"
    "@ SOA ns1 host 2024010101 7200 3600 1209600 300\n"
    "@ NS ns1\n"
    "@ NS ns2.example.net.\n"
    "@ MX 10 mail\n"
    "ns1 A 192.0.2.1\n"
    "www 300 A 192.0.2.80\n"
    "www 300 A 192.0.2.81\n"
    "www AAAA 2001:db8::80\n"
    "mail A 192.0.2.25\n"
    "txt TXT \"hello\"\n"
    "_sip._tcp SRV 1 2 5060 www\n"
    "alias CNAME www\n"
    "alias2 60 CNAME alias\n"
    "tosteered CNAME api\n"
    "outside CNAME www.example.org.\n"
    "tonet CNAME host.example.net.\n"
    "nowhere CNAME missing\n"
    "nodata CNAME txt\n"
    "tocut CNAME deep.sub\n"
    "tosub CNAME sub\n"
    "beside CNAME www\n"
    "beside NSEC . CNAME RRSIG NSEC\n"
    "tobeside CNAME beside\n"
    "moved DNAME wild\n"
    "away DNAME example.net.\n"
    "loop1 CNAME loop2\n"
    "loop2 CNAME loop1\n"
    "self CNAME self\n"
    "sub NS ns.sub\n"
    "sub NS ns1\n"
    "sub DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
    "ns.sub A 192.0.2.53\n"
    "ns.sub AAAA 2001:db8::53\n"
    "unsigned NS ns.example.org.\n"
    "*.wild 600 A 192.0.2.99\n"
    "*.wild MX 5 mail\n"
    "*.wildalias CNAME www\n"
    "*.wildmix TXT \"w\"\n"
    "host.wildmix A 192.0.2.42\n"
    "a.b.c.deep A 192.0.2.7\n"
    "sub2.*.star A 192.0.2.8\n";

static const char rig_net[] = "$ORIGIN example.net.\n"
                              "$TTL 900\n"
                              "@ SOA ns1.example.com. host.example.com. 7 7200 3600 1209600 60\n"
                              "@ NS ns1.example.com.\n"
                              "ns2 A 192.0.2.2\n"
                              "host A 192.0.2.77\n"
                              "back CNAME back.example.com.\n";

static const char *const rig_steered[] = {"api",      "split",  "near", "multi",
                                          "fallback", "v6only", "*.any"};
enum { RIG_API, RIG_SPLIT, RIG_NEAR, RIG_MULTI, RIG_FALLBACK, RIG_V6ONLY, RIG_ANY, RIG_STEERED };

enum { RIG_FILES_MAX = 512 };
struct rig_file {
    uint8_t *data;
    size_t size;
};

struct rig {
    struct maker maker;
    struct rig_file files[RIG_FILES_MAX];
    struct served_source source;
    struct served *served;
    struct query_context ctx;
    struct stats_thread *stats;
    struct text text;
    uint8_t response[DNS_MESSAGE_MAX];
    size_t length;
    uint64_t gets, releases; /* of files */
    char where[SERVED_WHERE_MAX];
};

static inline const char *rig_record(void *context, const uint8_t *owner, uint16_t type,
                                     uint16_t class, uint32_t ttl, const uint8_t *rdata,
                                     uint16_t length, uint32_t line)
{
    (void)class;
    return zone_builder_add(context, owner, type, ttl, rdata, length, line) ? "not taken" : NULL;
}

/* The compiled zone of a text; aborts with the problems where it has some. */
static inline struct rig_file rig_zone(const char *origin, const char *text,
                                       const char *const *steered, unsigned steered_count)
{
    uint8_t wire[DNAME_MAX], name[DNAME_MAX];
    struct text problems = text_init(1 << 16);
    struct rig_file f = {NULL, 0};
    if (dname_parse(origin, strlen(origin), NULL, wire) < 0)
        abort();
    struct zone_builder *b = zone_builder_new(wire);
    struct zonefile file = {.path = origin, .origin = wire, .record = rig_record, .context = b};
    int err = zonefile_parse(&file, text, strlen(text), &problems);
    for (unsigned i = 0; i < steered_count && !err; i++)
        err = dname_parse(steered[i], strlen(steered[i]), wire, name) < 0
                  ? ERR_SYNTAX
                  : zone_builder_steer(b, name);
    if (!err)
        err = zone_builder_finish(b, origin, &problems, &f.data, &f.size);
    if (err) {
        fprintf(stderr, "%s%s\n", text_string(&problems), err_text(err));
        abort();
    }
    zone_builder_free(b);
    text_done(&problems);
    return f;
}

static inline int rig_get(void *context, const struct plan_file *file, struct served_bytes *ret)
{
    struct rig *r = context;
    size_t index = (size_t)(file - r->maker.plan.files);
    if (!r->files[index].data)
        return ERR_MISSING;
    *ret = (struct served_bytes){.data = r->files[index].data, .size = r->files[index].size};
    r->gets++;
    return 0;
}

static inline void rig_release(void *context, const struct served_bytes *bytes)
{
    (void)bytes;
    ((struct rig *)context)->releases++;
}

static inline uint64_t rig_hash(const struct rig_file *f)
{
    return ((const struct zone_header *)(const void *)f->data)->checksum;
}

static inline uint32_t rig_service(struct rig *r, unsigned which)
{
    char name[64];
    snprintf(name, sizeof name, "%s.example.com", rig_steered[which]);
    return maker_service(&r->maker, name, 0);
}

static inline uint32_t rig_addresses(struct rig *r, uint32_t count, bool v6)
{
    uint32_t first = r->maker.plan.endpoint_count;
    for (uint32_t i = 0; i < count; i++)
        maker_endpoint(&r->maker, "e", true);
    return maker_addresses(&r->maker, first, count, v6 ? IP_V6 : IP_V4);
}

static inline void rig_geo(struct rig *r)
{
    struct netmap_builder *b = netmap_builder_new();
    struct ip_prefix europe = {.ip = {.bytes = {10}}, .length = 8};
    struct ip_prefix inside = {.ip = {.bytes = {10, 20}}, .length = 16};
    struct ip_prefix six = {.ip = {.bytes = {0x20, 1, 0xd, 0xb8}, .family = IP_V6}, .length = 32};
    struct netmap map;
    netmap_builder_add(b, &europe, 1);
    netmap_builder_add(b, &inside, 2);
    netmap_builder_add(b, &six, 1);
    r->files[2].data = netmap_builder_finish(b, &r->files[2].size);
    netmap_builder_free(b);
    if (netmap_open(r->files[2].data, r->files[2].size, &map))
        abort();
    maker_file(&r->maker, PLAN_FILE_NETMAP, "geo", map.hash);
}

/* near: the addresses 198.51.x.y differ by row; NODATA elsewhere. */
static inline uint32_t rig_network(struct rig *r)
{
    uint32_t rows[2] = {rig_addresses(r, 1, false), rig_addresses(r, 1, false)};
    uint32_t otherwise = maker_choice(&r->maker, (struct plan_choice){.kind = CHOICE_NODATA});
    uint32_t first = r->maker.plan.branch_count;
    maker_branch(&r->maker, 0, rows[0]);
    maker_branch(&r->maker, 0, rows[1]);
    return maker_choice(
        &r->maker,
        (struct plan_choice){
            .kind = CHOICE_NETWORK, .first = first, .count = 2, .map = 2, .otherwise = otherwise});
}

static inline void rig_services(struct rig *r)
{
    struct maker *m = &r->maker;
    uint32_t s[RIG_STEERED], c;
    s[RIG_API] = rig_service(r, RIG_API);
    maker_face(m, s[RIG_API], IP_V4, FACE_NORMAL, rig_addresses(r, 1, false)); /* 198.51.0.0 */
    maker_face(m, s[RIG_API], IP_V6, FACE_NORMAL, rig_addresses(r, 2, true));
    s[RIG_SPLIT] = rig_service(r, RIG_SPLIT);
    uint32_t children[2] = {rig_addresses(r, 1, false), rig_addresses(r, 1, false)};
    c = m->plan.branch_count;
    maker_branch(m, 3, children[0]);
    maker_branch(m, 4, children[1]);
    c = maker_choice(
        m, (struct plan_choice){.kind = CHOICE_WEIGHTED, .first = c, .count = 2, .total = 4});
    maker_face(m, s[RIG_SPLIT], IP_V4, FACE_NORMAL, c);
    s[RIG_NEAR] = rig_service(r, RIG_NEAR);
    maker_face(m, s[RIG_NEAR], IP_V4, FACE_NORMAL, rig_network(r));
    m->services[s[RIG_NEAR]].policy = POLICY_GEOLOCATION;
    s[RIG_MULTI] = rig_service(r, RIG_MULTI);
    maker_face(m, s[RIG_MULTI], IP_V4, FACE_NORMAL, rig_addresses(r, 12, false));
    maker_face(m, s[RIG_MULTI], IP_V6, FACE_NORMAL, rig_addresses(r, 60, true));
    m->choices[m->services[s[RIG_MULTI]].faces[IP_V6].choice].pick = UINT16_MAX;
    s[RIG_FALLBACK] = rig_service(r, RIG_FALLBACK);
    c = maker_choice(
        m, (struct plan_choice){.kind = CHOICE_CNAME, .first = maker_wire(m, "www.example.com")});
    maker_face(m, s[RIG_FALLBACK], IP_V4, FACE_FALLBACK, c);
    m->services[s[RIG_FALLBACK]].when_all_down = ALL_DOWN_FALLBACK;
    s[RIG_V6ONLY] = rig_service(r, RIG_V6ONLY);
    maker_face(m, s[RIG_V6ONLY], IP_V6, FACE_NORMAL, rig_addresses(r, 1, true));
    s[RIG_ANY] = rig_service(r, RIG_ANY);
    maker_face(m, s[RIG_ANY], IP_V4, FACE_NORMAL, m->services[s[RIG_API]].faces[IP_V4].choice);
    m->services[s[RIG_ANY]].faces[IP_V4].ttl = 11; /* shares the choice of another TTL */
}

static inline int rig_build(struct rig *r, const struct served *previous, struct served **ret)
{
    return served_build(&r->maker.plan, &r->source, previous, ret, r->where);
}

static inline struct rig *rig_new(void)
{
    struct rig *r = mem_new(1, sizeof *r);
    r->maker = maker_init(256, 1 << 14);
    r->maker.plan.generation = 1;
    r->source = (struct served_source){rig_get, rig_release, r, NULL};
    r->files[0] = rig_zone("example.com", rig_example, rig_steered, RIG_STEERED);
    r->files[1] = rig_zone("example.net", rig_net, NULL, 0);
    maker_file(&r->maker, PLAN_FILE_ZONE, "example.com", rig_hash(&r->files[0]));
    maker_file(&r->maker, PLAN_FILE_ZONE, "example.net", rig_hash(&r->files[1]));
    rig_geo(r);
    rig_services(r);
    if (posix_memalign((void **)&r->stats, 64, sizeof *r->stats))
        abort();
    memset(r->stats, 0, sizeof *r->stats);
    r->ctx = (struct query_context){.random = random_init(5),
                                    .stats = r->stats,
                                    .udp_size = QUERY_UDP_SIZE,
                                    .client_subnet = true};
    r->text = text_init(1 << 20);
    int err = rig_build(r, NULL, &r->served);
    if (err) {
        fprintf(stderr, "%s: %s\n", err_text(err), r->where);
        abort();
    }
    return r;
}

static inline void rig_free(struct rig *r)
{
    served_free(r->served);
    maker_done(&r->maker);
    for (int i = 0; i < RIG_FILES_MAX; i++)
        free(r->files[i].data);
    free(r->stats);
    text_done(&r->text);
    free(r);
}
