/* Plans for tests: built by hand, small enough to know every byte, or as large as asked. */
#pragma once

#include "base/memory.h"
#include "model/plan.h"
#include "wire/dname.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Owns the arrays that `plan` views; change them in place and encode again. */
struct maker {
    struct plan plan;
    struct plan_service *services;
    struct plan_endpoint *endpoints;
    struct plan_target *targets;
    struct plan_choice *choices;
    struct plan_branch *branches;
    struct plan_address *addresses;
    uint32_t *goods;
    struct plan_file *files;
    char *text;
};

static inline struct maker maker_init(uint32_t records, uint32_t text_size)
{
    struct maker m = {
        .services = mem_new(records, sizeof(struct plan_service)),
        .endpoints = mem_new(records, sizeof(struct plan_endpoint)),
        .targets = mem_new(records, sizeof(struct plan_target)),
        .choices = mem_new(records, sizeof(struct plan_choice)),
        .branches = mem_new(records, sizeof(struct plan_branch)),
        .addresses = mem_new(records, sizeof(struct plan_address)),
        .goods = mem_new(records, sizeof(uint32_t)),
        .files = mem_new(records, sizeof(struct plan_file)),
        .text = mem_new(text_size, 1),
    };
    m.plan = (struct plan){
        .services = m.services,
        .endpoints = m.endpoints,
        .targets = m.targets,
        .choices = m.choices,
        .branches = m.branches,
        .addresses = m.addresses,
        .goods = m.goods,
        .files = m.files,
        .text = m.text,
        .text_size = 1,
        .config_fingerprint = 42,
    };
    return m;
}

static inline void maker_done(struct maker *m)
{
    free(m->services);
    free(m->endpoints);
    free(m->targets);
    free(m->choices);
    free(m->branches);
    free(m->addresses);
    free(m->goods);
    free(m->files);
    free(m->text);
}

static inline uint32_t maker_text(struct maker *m, const void *bytes, size_t length)
{
    uint32_t at = m->plan.text_size;
    memcpy(m->text + at, bytes, length);
    m->text[at + length] = 0;
    m->plan.text_size += (uint32_t)length + 1;
    return at;
}

static inline uint32_t maker_wire(struct maker *m, const char *name)
{
    uint8_t wire[DNAME_MAX];
    int length = dname_parse(name, strlen(name), NULL, wire);
    return maker_text(m, wire, length > 0 ? (size_t)length : 0);
}

static inline uint32_t maker_file(struct maker *m, uint8_t kind, const char *name, uint64_t hash)
{
    m->files[m->plan.file_count] = (struct plan_file){
        .kind = kind, .name = maker_text(m, name, strlen(name)), .serial = 1, .hash = hash};
    return m->plan.file_count++;
}

/* A service with both faces absent. */
static inline uint32_t maker_service(struct maker *m, const char *name, uint32_t zone)
{
    struct plan_service *s = &m->services[m->plan.service_count];
    *s = (struct plan_service){
        .name = maker_text(m, name, strlen(name)),
        .wire_name = maker_wire(m, name),
        .zone = zone,
        .endpoint_first = m->plan.endpoint_count,
        .policy = POLICY_FAILOVER,
        .when_all_down = ALL_DOWN_PREFERRED,
        .ttl_max = 60,
    };
    for (unsigned family = 0; family < IP_FAMILIES; family++)
        s->faces[family] = (struct plan_face){.choice = PLAN_NONE, .ttl = 5, .mode = FACE_ABSENT};
    return m->plan.service_count++;
}

/* An endpoint of the newest service, with a v4 address 198.51.x.y and, if asked, a v6 one. */
static inline uint32_t maker_endpoint(struct maker *m, const char *name, bool v6)
{
    uint32_t index = m->plan.endpoint_count++, service = m->plan.service_count - 1;
    struct plan_endpoint *e = &m->endpoints[index];
    *e = (struct plan_endpoint){
        .name = maker_text(m, name, strlen(name)),
        .region = PLAN_NONE,
        .provider = PLAN_NONE,
        .service = service,
        .nested = PLAN_NONE,
        .target = {PLAN_NONE, PLAN_NONE},
        .weight = 1,
        .author = PLAN_NONE,
        .why = PLAN_NONE,
    };
    for (uint8_t family = 0; family <= (v6 ? IP_V6 : IP_V4); family++) {
        uint32_t t = m->plan.target_count++;
        m->targets[t] = (struct plan_target){
            .service = service, .endpoint = index, .state = VERDICT_UP, .flags = TARGET_SERVED};
        struct ip *ip = &m->targets[t].address;
        ip->family = family;
        static const uint8_t v4_start[2] = {198, 51}, v6_start[4] = {0x20, 0x01, 0x0d, 0xb8};
        memcpy(ip->bytes, family ? v6_start : v4_start, family ? 4 : 2);
        ip->bytes[ip_size(ip) - 2] = (uint8_t)(t >> 8);
        ip->bytes[ip_size(ip) - 1] = (uint8_t)t;
        e->target[family] = t;
    }
    m->services[service].endpoint_count++;
    return index;
}

static inline uint32_t maker_choice(struct maker *m, struct plan_choice choice)
{
    m->choices[m->plan.choice_count] = choice;
    return m->plan.choice_count++;
}

/* The addresses of `count` endpoints from `first` on. */
static inline uint32_t maker_addresses(struct maker *m, uint32_t first, uint32_t count,
                                       uint8_t family)
{
    uint32_t start = m->plan.address_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t t = m->endpoints[first + i].target[family];
        struct plan_address *a = &m->addresses[m->plan.address_count++];
        a->target = t;
        memcpy(a->bytes, m->targets[t].address.bytes, sizeof a->bytes);
    }
    return maker_choice(m, (struct plan_choice){.kind = CHOICE_ADDRESSES,
                                                .family = family,
                                                .pick = PLAN_MULTIVALUE_MAX,
                                                .first = start,
                                                .count = count});
}

static inline uint32_t maker_branch(struct maker *m, uint32_t weight_end, uint32_t choice)
{
    m->branches[m->plan.branch_count] = (struct plan_branch){weight_end, choice};
    return m->plan.branch_count++;
}

static inline void maker_face(struct maker *m, uint32_t service, uint8_t family, uint8_t mode,
                              uint32_t choice)
{
    m->services[service].faces[family].mode = mode;
    m->services[service].faces[family].choice = choice;
}

/* Where maker_small() puts things. */
enum {
    SMALL_ZONE,
    SMALL_GEO,     /* files */
    SMALL_API = 0, /* failover, A and AAAA, last good set of one */
    SMALL_SPLIT,   /* weighted 3 to 1, A */
    SMALL_NEAR,   /* geolocation without a default: rows 0 and 1 answered, row 2 and the rest NODATA
                   */
    SMALL_HIDDEN, /* in no zone; stood for by SMALL_SPLIT's second endpoint */
};

static inline struct maker maker_small(uint64_t generation)
{
    struct maker m = maker_init(32, 1024);
    m.plan.generation = generation;
    m.plan.node = maker_text(&m, "node", 4);
    m.plan.site = m.plan.network = PLAN_NONE;
    maker_file(&m, PLAN_FILE_ZONE, "example.com", 0x1111);
    maker_file(&m, PLAN_FILE_NETMAP, "geo", 0x2222);

    uint32_t s = maker_service(&m, "api.example.com", SMALL_ZONE);
    uint32_t e = maker_endpoint(&m, "use1", true);
    maker_endpoint(&m, "euw1", true);
    maker_face(&m, s, IP_V4, FACE_NORMAL, maker_addresses(&m, e, 1, IP_V4));
    maker_face(&m, s, IP_V6, FACE_NORMAL, maker_addresses(&m, e, 2, IP_V6));
    m.goods[m.plan.good_count++] = m.endpoints[e].target[IP_V4];
    m.services[s].faces[IP_V4].good_count = 1;

    s = maker_service(&m, "split.example.com", SMALL_ZONE);
    e = maker_endpoint(&m, "one", false);
    m.endpoints[maker_endpoint(&m, "two", false)].nested = SMALL_HIDDEN;
    uint32_t branches = maker_branch(&m, 3, maker_addresses(&m, e, 1, IP_V4));
    maker_branch(&m, 4, maker_addresses(&m, e + 1, 1, IP_V4));
    maker_face(
        &m, s, IP_V4, FACE_NORMAL,
        maker_choice(&m, (struct plan_choice){
                             .kind = CHOICE_WEIGHTED, .first = branches, .count = 2, .total = 4}));

    s = maker_service(&m, "near.example.com", SMALL_ZONE);
    e = maker_endpoint(&m, "eu", false);
    maker_endpoint(&m, "us", false);
    uint32_t nothing = maker_choice(&m, (struct plan_choice){.kind = CHOICE_NODATA});
    branches = maker_branch(&m, 0, maker_addresses(&m, e, 1, IP_V4));
    maker_branch(&m, 0, maker_addresses(&m, e + 1, 1, IP_V4));
    maker_branch(&m, 0, nothing);
    maker_face(&m, s, IP_V4, FACE_NORMAL,
               maker_choice(&m, (struct plan_choice){.kind = CHOICE_NETWORK,
                                                     .first = branches,
                                                     .count = 3,
                                                     .map = SMALL_GEO,
                                                     .otherwise = nothing}));

    s = maker_service(&m, "hidden", PLAN_NONE);
    e = maker_endpoint(&m, "inner", false);
    maker_face(&m, s, IP_V4, FACE_NORMAL, maker_addresses(&m, e, 1, IP_V4));
    return m;
}

static inline struct maker maker_large(uint64_t generation, uint32_t services, uint32_t endpoints)
{
    uint32_t records = services * (endpoints * 2 + 4) + 16;
    struct maker m = maker_init(records, records * 24 + services * 64 + 64);
    m.plan.generation = generation;
    maker_file(&m, PLAN_FILE_ZONE, "example.com", 0x1111);
    for (uint32_t i = 0; i < services; i++) {
        char name[64];
        snprintf(name, sizeof name, "service-%u.example.com", i);
        uint32_t s = maker_service(&m, name, 0), first = m.plan.endpoint_count;
        for (uint32_t j = 0; j < endpoints; j++) {
            snprintf(name, sizeof name, "endpoint-%u", j);
            maker_endpoint(&m, name, true);
        }
        for (uint8_t family = 0; family < IP_FAMILIES; family++) {
            uint32_t branches = m.plan.branch_count;
            for (uint32_t j = 0; j < endpoints; j++) {
                m.branches[m.plan.branch_count++].weight_end = j + 1;
                m.branches[branches + j].choice = maker_addresses(&m, first + j, 1, family);
            }
            maker_face(&m, s, family, FACE_NORMAL,
                       maker_choice(&m, (struct plan_choice){.kind = CHOICE_WEIGHTED,
                                                             .family = family,
                                                             .first = branches,
                                                             .count = endpoints,
                                                             .total = endpoints}));
        }
    }
    return m;
}
