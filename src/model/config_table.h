/* The tables of the configuration file and what they fill in: drafts, whose references are still
 * names. */
#pragma once

#include "model/config_type.h"

struct draft_listen {
    struct draft head;
    struct config_listen listen;
};

struct draft_api_endpoint {
    struct draft head;
    struct config_api_endpoint endpoint;
};

struct draft_dnssec {
    struct config_dnssec dnssec;
    int algorithm, split, nsec3; /* choices */
};

struct draft_tsig {
    struct draft head;
    const char *name, *secret, *file;
    int algorithm;
};

struct draft_peer {
    struct draft head;
    struct ip ip;
    uint16_t port;
    const char *key;
};

struct draft_pin {
    struct draft head;
    uint8_t pin[CONFIG_PIN_SIZE];
};

struct draft_transfer {
    struct list allow;  /* struct draft_prefix */
    struct list keys;   /* struct draft_reference */
    struct list notify; /* struct draft_peer */
    struct list pins;   /* struct draft_pin */
    bool tls_only;
};

struct draft_primary {
    struct draft head;
    struct config_primary primary;
    const char *key;
};

enum { EXPIRE_RFC, EXPIRE_KEEP };
struct draft_pattern {
    struct draft head;
    const char *text;
};

struct draft_rule {
    struct draft head;
    const char *key;
    struct list names; /* struct draft_pattern */
    struct list types; /* uint16_t */
    bool shrink;
};

struct draft_update {
    struct list allow; /* struct draft_prefix */
    struct list rules; /* struct draft_rule */
};

struct draft_zone {
    struct draft head;
    const char *name, *file, *catalog_zone, *catalog_next, *catalog_before, *catalog_group;
    int serial, zonemd; /* choices */
    struct draft_dnssec dnssec;
    struct draft_transfer transfer;
    struct list primaries; /* struct draft_primary */
    int expire, catalog;   /* choices */
    bool accept_shrink;
    unsigned records_max, bytes_max;
    struct draft_update update;
    struct list forward; /* struct draft_prefix */
    struct list groups;  /* struct draft_zone: with what may be said of a group */
};

struct draft_collection {
    struct draft head;
    const char *name;
    struct list prefixes; /* struct draft_prefix */
};

struct draft_prefix {
    struct draft head;
    struct ip_prefix prefix;
};

struct draft_region_latency {
    struct draft head;
    const char *region;
    usec_t latency;
};

struct draft_latency {
    struct draft head;
    struct ip_prefix network;
    struct list regions; /* struct draft_region_latency */
};

struct draft_site {
    struct draft head;
    struct config_site site;
};

struct draft_header {
    struct draft head;
    const char *name, *value;
};

struct draft_dns_query {
    const char *query, *expect;
    unsigned port;
    int type;
};

struct draft_check {
    struct draft head;
    struct config_check check;
    unsigned tcp, tls;
    const char *http, *https;
    bool icmp;
    struct draft_dns_query dns;
    struct list headers; /* struct draft_header */
    struct list status;  /* struct config_range */
    struct ip expect;    /* of dns */
};

struct draft_reference {
    struct draft head;
    const char *name;
};

struct draft_addresses {
    struct ip address[IP_FAMILIES];
    bool has[IP_FAMILIES];
};

struct draft_endpoint {
    struct draft head;
    struct config_endpoint endpoint;
    struct draft_addresses addresses;
    const char *service, *check;
    int role;
    struct list locations;   /* struct config_location */
    struct list collections; /* struct draft_reference */
};

struct draft_ttl {
    uint32_t min, max;
    bool has_min;
};

struct draft_velocity {
    unsigned remove;
    usec_t window;
};

struct draft_all_down {
    int mode;
    const char *fallback;
};

struct draft_service {
    struct draft head;
    struct config_service service;
    int policy, unready;
    struct draft_ttl ttl;
    struct draft_velocity velocity;
    struct draft_all_down all_down;
    struct list endpoints; /* struct draft_endpoint */
};

struct draft_root {
    struct {
        const char *name, *site, *network, *data, *user;
        struct list resolvers; /* struct draft_listen */
    } node;
    struct {
        struct list listen; /* struct draft_listen */
        struct list xdp;    /* const char * */
        unsigned threads, udp_size;
        bool client_subnet;
        struct config_tcp tcp;
        struct {
            struct list listen; /* struct draft_listen */
            const char *certificate, *key;
            unsigned clients, handshakes;
        } tls;
        struct {
            struct list listen; /* struct draft_listen */
            struct list from;   /* struct draft_prefix */
            struct list tls;    /* struct draft_listen */
        } proxy;
        struct config_answers answers;
    } dns;
    struct {
        struct list listen;
    } tell;
    struct {
        struct list listen; /* struct draft_listen */
        struct config_listen address;
        const char *certificate, *key, *ca;
    } mesh;
    struct {
        struct list listen;    /* struct draft_listen */
        struct list endpoints; /* struct draft_api_endpoint */
        const char *certificate, *key, *url;
    } api;
    struct {
        int format, level;
    } log;
    struct {
        unsigned rounds, networks;
        const char *references;
    } verdict;
    struct {
        const char *database;
    } geo;
    struct list zones, collections, latencies, checks, services, tsigs, sites;
};

extern const struct shape shape_root, shape_ttl, shape_velocity, shape_fallback, shape_location,
    shape_dnssec, shape_transfer, shape_update, shape_rule, shape_tsig, shape_chaos, shape_cookies,
    shape_rrl, shape_tcp, shape_tls, shape_proxy, shape_mesh, shape_api, shape_api_endpoint,
    shape_api_tls, shape_site;
extern const struct names_of tsigs, sites;
extern const struct list_of listens, primaries, update_networks;
/* Every shape but the root, for the schema's definitions. */
extern const struct shape *const config_shapes[];
extern const size_t config_shape_count;
