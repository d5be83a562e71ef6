/* The configuration file, parsed and checked: one YAML file, and what it means.
 *
 * A `struct config` is immutable once built and holds resolved references (indices), so whoever has
 * one need not check again. Every problem of a file is found in one pass and reported with
 * file:line:column, what is wrong and what would be right; a file with a problem gives no config.
 *
 * Names of fields follow the file. Durations are microseconds. Strings live in the config's arena.
 */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/time.h"
#include "model/geography.h"
#include "model/serial.h"
#include "model/zonemd.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    CONFIG_NONE = -1, /* an index that refers to nothing */
    CONFIG_FILE_MAX = 64 << 20,
    CONFIG_PROBLEMS_MAX = 100, /* reported; the rest is counted */
    CONFIG_NAME_MAX = 255,
    CONFIG_SERVICES_MAX = 100000,
    CONFIG_ENDPOINTS_MAX = 1000, /* of one service */
    CONFIG_ZONES_MAX = 100000,
    CONFIG_CHECKS_MAX = 100000,
    CONFIG_KEYS_MAX = 10000,
    CONFIG_COLLECTIONS_MAX = 10000,
    CONFIG_LISTENS_MAX = 64,
    CONFIG_XDP_MAX = 8,
    CONFIG_RESOLVERS_MAX = 3,
    CONFIG_SITES_MAX = 256,
    CONFIG_API_ENDPOINTS_MAX = 32,
    CONFIG_API_URL_MAX = 128,
    CONFIG_PROXIES_MAX = 64, /* networks of proxies */
    CONFIG_PRIMARIES_MAX = 16,
    CONFIG_PIN_SIZE = 32,
    CONFIG_HEADERS_MAX = 32, /* of one check */
    CONFIG_LABEL_MAX = 63,   /* node, endpoint, region... */
    CONFIG_PATH_MAX = 4096,
    CONFIG_UPDATE_STARS_MAX = 2, /* of one name in a rule */
    CONFIG_BODY_MAX = 5120,      /* text looked for; as far as Route 53 searches */
};
#define CONFIG_CAPACITY_MAX INT64_C(1000000000000) /* requests per second */

/* Where something was said; line 0 = nowhere (a default). Lines and columns count from 1. */
struct config_place {
    uint32_t line, column;
    uint32_t part; /* 0: in the file; else in this part, counted from 1 */
};

struct config_listen {
    struct ip ip;
    uint16_t port;
    struct config_place place;
};

/* Where the API of a node is reached. */
struct config_api_endpoint {
    const char *url, *region;
};

/* Limits of connections (doc/config.md). */
struct config_tcp {
    unsigned clients, clients_each; /* of all; of one client, 0 = no limit */
    unsigned client_v4, client_v6;  /* length of the prefix that is one client */
    usec_t idle, patience;
    unsigned memory_mib;
};

/* DNS over TLS. Where there are listeners there are certificate and key. */
struct config_tls {
    struct config_listen *listen;
    uint32_t listen_count;
    const char *certificate, *key; /* files, PEM */
    unsigned clients, handshakes;  /* most connections; new ones a second */
};

/* Listeners behind proxies, which say who asks (PROXY protocol). Where there are any, somebody is
 * trusted. */
struct config_proxy {
    struct config_listen *listen, *tls;
    uint32_t listen_count, tls_count;
    struct ip_prefix *from;
    uint32_t from_count;
};

/* Links to the other nodes. Where there are listeners there is an address; the three files are all
 * there or none. */
struct config_mesh {
    struct config_listen *listen;
    uint32_t listen_count;
    struct config_listen address;       /* where the others reach this node */
    const char *certificate, *key, *ca; /* files, PEM; NULL: the cluster's own authority */
};

/* How a zone is signed (doc/dnssec.md). */
struct config_dnssec {
    bool on;             /* all that follows holds only then */
    bool split;          /* a KSK and a ZSK instead of one key for both */
    bool nsec3;          /* RFC 5155 as RFC 9276 wants it; else NSEC */
    uint8_t algorithm;   /* number of the IANA registry: 8, 13 (default) or 15 */
    usec_t lifetime;     /* how long a signature is valid; default 14 d */
    usec_t refresh;      /* made anew when less than this is left; at most half of lifetime; default
                            a quarter of it */
    usec_t dnskey_ttl;   /* default 1 h */
    usec_t ds_ttl;       /* of the DS set at the parent; default 1 d */
    usec_t propagation;  /* until every server of the zone answers with a change; default 5 min */
    usec_t zsk_lifetime; /* split: the ZSK is rolled after this; default 90 d */
};

/* What the name server says of itself, and what it grants (doc/config.md). NULL: not said. */
struct config_answers {
    const char *nsid; /* text, or 0x and hexadecimal digits; up to 128 bytes */
    const char *version, *id;
    bool cookies, cookies_required;
    const char *cookie_secret, *cookie_previous; /* 32 hexadecimal digits */
    const char *cookie_file;                     /* takes their place */
    usec_t cookie_rotate;                        /* where there is none of them */
    unsigned rrl_rate, rrl_all;                  /* both 0: off */
    unsigned rrl_slip, rrl_table;
    usec_t stale_after; /* control silent for so long: steered answers are called stale */
};

/* A key that signs messages between name servers (RFC 8945). */
struct config_key {
    const char *name;   /* lower case, no trailing dot */
    uint8_t algorithm;  /* enum tsig_algorithm */
    const char *secret; /* base64, checked; or NULL, and then: */
    const char *file;   /* who loads reads it here */
    struct config_place place;
};

struct config_peer {
    struct ip ip;
    uint16_t port;
    int key; /* index into keys, or CONFIG_NONE: unsigned */
};

/* Who may have a zone whole, and who is told that it changed. */
struct config_transfer {
    struct ip_prefix *allow; /* none: any address */
    uint32_t allow_count;
    int *keys; /* none: unsigned requests too. Neither allow nor keys: nobody */
    uint32_t key_count;
    bool tls_only;                    /* over TLS alone */
    uint8_t (*pins)[CONFIG_PIN_SIZE]; /* SHA-256 of the keys that may be shown; none: no matter */
    uint32_t pin_count;
    struct config_peer *notify;
    uint32_t notify_count;
};

enum primary_tls {
    PRIMARY_PLAIN,
    PRIMARY_TLS_NAME, /* a certificate of tls_name */
    PRIMARY_TLS_PIN,  /* a certificate with this key */
    PRIMARY_TLS_ANY,  /* any certificate */
};

/* A name server that a zone comes from. */
struct config_primary {
    struct ip ip;
    uint16_t port;
    int key; /* index into keys, or CONFIG_NONE: unsigned */
    enum primary_tls tls;
    const char *tls_name;
    const char *tls_ca;               /* file: who may have signed it; NULL: the system's */
    uint8_t tls_pin[CONFIG_PIN_SIZE]; /* SHA-256 of the public key */
    const char *tls_cert;             /* file: what is shown; NULL: nothing */
};

/* Catalog zones (RFC 9432). */
enum config_catalog {
    CATALOG_NONE,
    CATALOG_CONSUME,
    CATALOG_GENERATE, /* the zone is one, made of the zones that name it */
};

enum update_name_kind {
    UPDATE_NAME_PATTERN,
    UPDATE_NAME_SELF,       /* the key's name */
    UPDATE_NAME_BELOW_SELF, /* below it */
};

struct config_update_name {
    enum update_name_kind kind;
    const uint8_t *pattern; /* labels before the zone's own name, then the root label; "*" is one */
};

/* What updates signed with a key may change. */
struct config_update_rule {
    const char *key_name;
    int key; /* index into keys; CONFIG_NONE: this node has none of that name, and the zone is
                shared */
    struct config_update_name *names; /* none: every name */
    uint32_t name_count;
    uint16_t *types; /* none: all but those that make the zone what it is */
    uint32_t type_count;
    bool shrink; /* also a third of the zone at once (L3) */
};

/* Who may change a zone with DNS UPDATE. */
struct config_update {
    struct ip_prefix *allow; /* none: from anywhere */
    uint32_t allow_count;
    struct config_update_rule *rules; /* none: nobody */
    uint32_t rule_count;
};

struct config_zone {
    const char *name; /* lower case, no trailing dot, presentation form; "." for the root */
    const char *file; /* path, made absolute against the configuration file's folder; NULL: the zone
                         is made, not read */
    enum config_catalog catalog;
    int catalog_zone;          /* index of the catalog that lists it, or CONFIG_NONE */
    int catalog_next;          /* of the one that may take it over (coo), or CONFIG_NONE */
    int catalog_before;        /* of the one that it is taken over from, or CONFIG_NONE */
    const char *catalog_group; /* what consumers configure it as; NULL: not said */
    enum serial_policy serial;
    enum zonemd_use zonemd;
    struct config_dnssec dnssec;
    struct config_transfer transfer;
    int first_service; /* index of the first service whose name lies in it; CONFIG_NONE */
    struct config_primary *primaries; /* none: the zone comes from the file */
    uint32_t primary_count;
    bool catalog_consume; /* it lists zones that come from the same primaries (RFC 9432) */
    bool expire_keep;     /* served on past its time (L1); else SERVFAIL, as the RFC has it */
    bool accept_shrink;   /* a transfer may take a third of it away (L3) */
    bool shared;          /* a part (struct config_part) */
    uint64_t records_max; /* of one transfer */
    uint64_t bytes_max;
    struct config_update update;
    struct ip_prefix *forward; /* updates from these go on to the primaries; none: from nowhere */
    uint32_t forward_count;
    struct config_zone *groups; /* of a catalog that is consumed: what members with this group are
                                   (by `name`), all they need but name, file and services */
    uint32_t group_count;
    struct config_place place;
};

/* A named collection of networks (IP-based routing), or one row of the latency table. */
struct config_collection {
    const char *name;
    struct ip_prefix *prefixes;
    uint32_t prefix_count;
    struct config_place place;
};

/* Where nodes stand: clients are near the nearest. */
struct config_site {
    const char *name; /* as nodes have it */
    struct coordinates at;
};

/* Measured latency between a client network and a region. */
struct config_latency {
    struct ip_prefix network;
    const char *region;
    usec_t latency;
    struct config_place place;
};

enum check_kind { CHECK_TCP, CHECK_TLS, CHECK_HTTP, CHECK_HTTPS, CHECK_ICMP, CHECK_DNS };
enum { CHECK_KINDS = 6 };

struct config_range {
    uint16_t low, high;
};

struct config_header {
    const char *name, *value;
};

/* How to probe; the address comes from the endpoint that names the check. */
struct config_check {
    const char *name;
    enum check_kind kind;
    const char
        *url; /* http, https: with {address} where the endpoint's address goes (v6 gets brackets) */
    uint16_t port;    /* tcp, tls, dns (53); for http(s) part of url */
    const char *host; /* http(s): Host header; NULL: from url */
    const char *sni;  /* tls, https: name sent and verified; NULL: host, else none sent and the
                         address verified */
    struct config_header *headers;
    uint32_t header_count;
    struct config_range *status; /* http(s) accepted; default 200-399 */
    uint32_t status_count;
    const char *body;  /* http(s): text to be found in the first 5120 bytes; NULL: not looked at */
    bool verify;       /* tls, https: certificate chain and name; default true */
    const char *ca;    /* tls, https: file with trusted certificates; NULL: the system's */
    const char *query; /* dns: name asked, wire-safe presentation form */
    uint16_t query_type; /* dns: RR type asked; default A (1) */
    const char
        *expect;     /* dns: an address that must be in the answer; NULL: any answer with NOERROR */
    usec_t interval; /* 100 ms .. 1 h; default 1 s */
    usec_t timeout;  /* 10 ms .. interval; default the smaller of interval and 1 s */
    unsigned rise;   /* 1..100, default 2: successes in a row until up */
    unsigned fall;   /* 1..100, default 3: failures in a row until down */
    usec_t hold_down;   /* a target that went down stays down at least this long; default 5 s */
    usec_t expiry_warn; /* tls, https: warn when the certificate ends sooner; default 14 d */
    struct config_place place;
};

enum policy {
    POLICY_SIMPLE,
    POLICY_FAILOVER,
    POLICY_WEIGHTED,
    POLICY_LATENCY,
    POLICY_GEOLOCATION,
    POLICY_IP_BASED,
    POLICY_MULTIVALUE,
};
enum { POLICIES = 7 };

enum role { ROLE_NONE, ROLE_PRIMARY, ROLE_SECONDARY };

/* A location as in Route 53: continent "EU", country "US", subdivision "US-CA", or "*". */
struct config_location {
    char continent[3], country[3], subdivision[4]; /* empty where not said; all empty = "*" */
};

struct config_endpoint {
    const char *name; /* unique in its service */
    struct ip address[IP_FAMILIES];
    bool has_address[IP_FAMILIES];
    const char *hostname; /* under which others find it: probed beside the addresses; NULL: none.
                             Where there is one there are an address and a check */
    int service;          /* nested: index of the service it stands for, else CONFIG_NONE */
    const char *region, *provider;     /* NULL where not said */
    enum role role;                    /* failover */
    unsigned weight;                   /* weighted: 0..255; default 1 */
    uint64_t capacity;                 /* requests per second; 0 = not said (then equal shares) */
    int check;                         /* index into checks, or CONFIG_NONE: counts as healthy */
    struct config_location *locations; /* geolocation */
    uint32_t location_count;
    int *collections; /* ip-based: indices into collections */
    uint32_t collection_count;
    bool any_network; /* ip-based: "*" was said */
    struct config_place place;
};

/* L3: what a service answers when every endpoint looks dead. */
enum when_all_down { ALL_DOWN_PREFERRED, ALL_DOWN_LAST_GOOD, ALL_DOWN_NODATA, ALL_DOWN_FALLBACK };

struct config_service {
    const char *name; /* lower case, no trailing dot */
    enum policy policy;
    uint32_t ttl_max, ttl_min; /* seconds; ttl_min defaults to half of ttl_max rounded up */
    struct config_endpoint *endpoints;
    uint32_t endpoint_count;
    enum when_all_down when_all_down;
    const char *fallback;      /* ALL_DOWN_FALLBACK: the name answered as CNAME */
    unsigned velocity_percent; /* L4: most of the capacity that checks may remove per window;
                                  default 50 */
    usec_t velocity_window;    /* default 60 s; 0 = no limit */
    bool unready_serves; /* L4: may a never-seen-healthy endpoint be answered beside healthy ones;
                            default false */
    int zone;            /* index of the zone it lies in; CONFIG_NONE: internal, only referred to */
    int next_in_zone;    /* index of the next service in that zone; CONFIG_NONE = the last */
    struct config_place place;
};

/* How several nodes come to one verdict (doc/verdicts.md). */
struct config_verdict {
    unsigned rounds;   /* failures in a row of one vantage until it votes down; default 2 */
    unsigned networks; /* that have to agree at least, where there are so many; default 2 */
    const struct config_service *references; /* whose endpoints every node must be able to reach;
                                                NULL: not said */
};

struct config {
    struct arena arena;
    const char *path; /* the file as named by the operator */
    const char *node_name, *site, *network, *data,
        *user;                       /* user: NULL = default (holdfast, else nobody) */
    struct config_listen *resolvers; /* that resolve hostnames; none: those of the system */
    uint32_t resolver_count;
    struct config_listen *dns_listen, *tell_listen, *api_listen;
    uint32_t dns_listen_count, tell_listen_count, api_listen_count;
    const char *api_certificate, *api_key; /* files, PEM; NULL: plain HTTP */
    const char *api_url; /* where clients reach this node's API; NULL: see config_api_address() */
    struct config_api_endpoint *api_endpoints;
    uint32_t api_endpoint_count;
    const char *const *dns_xdp; /* interfaces whose queries come as raw packets (AF_XDP) */
    uint32_t dns_xdp_count;
    unsigned dns_threads;   /* 0 = one per core */
    unsigned dns_udp_size;  /* EDNS size offered and most sent over UDP; default 1232 */
    bool dns_client_subnet; /* RFC 7871; default true */
    struct config_tcp dns_tcp;
    struct config_tls dns_tls;
    struct config_proxy dns_proxy;
    struct config_answers dns_answers;
    struct config_verdict verdict;
    struct config_mesh mesh;
    const char *geo_database; /* MaxMind DB file; NULL: none */
    struct config_zone *zones;
    uint32_t zone_count;
    struct config_key *keys;
    uint32_t key_count;
    struct config_check *checks;
    uint32_t check_count;
    struct config_service *services;
    uint32_t service_count;
    struct config_collection *collections;
    uint32_t collection_count;
    struct config_latency *latencies;
    uint32_t latency_count;
    struct config_site *sites; /* where there are any there is a database */
    uint32_t site_count;
    enum { CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON } log_format;
    int log_level;        /* enum log_level */
    uint64_t fingerprint; /* config_fingerprint() */
};

/* One zone, check or service that does not stand in the file: nodes share it (model/intent.h). */
enum config_part_kind { PART_ZONE, PART_CHECK, PART_SERVICE };
enum { PART_KINDS = 3 };
const_function const char *part_kind_name(enum config_part_kind kind); /* "zone" */
struct config_part {
    enum config_part_kind kind;
    const char *name; /* of the zone, the check or the service */
    const char
        *value; /* what the file would say of it but for the name: a mapping in YAML or JSON */
};
struct config_parts {
    const struct config_part *list;
    uint32_t count;
};

/* Parses and checks the text of a file named `path` (for messages and relative paths; the file is
 * not opened), together with what is shared; `parts` may be NULL. Problems of a part are told as
 * "shared service api.example.com:1:20: ...". What is said here of the problems holds for both.
 * Problems go to `problems`, one a line, "path:line:column: what is wrong; what would be right\n",
 * sorted by place. Returns 0 and *ret_config (free with config_free), or ERR_SYNTAX / ERR_INVALID
 * with at least one problem written. */
must_check int config_parse(const char *path, const char *data, size_t length,
                            const struct config_parts *parts, struct text *problems,
                            struct config **ret_config);
/* Tells one configuration from another: of the file's bytes and the parts. */
uint64_t config_fingerprint(const char *data, size_t length, const struct config_parts *parts);
void config_free(struct config *config);

/* Are its records shared, too? */
static inline bool config_zone_is_shared(const struct config_zone *z)
{
    return z->shared && !z->primary_count && z->catalog != CATALOG_GENERATE;
}
/* Where clients that are not on this host reach the node's API: as the file says, or by where it
 * listens (on any address: at the address that other nodes connect to). NULL: nowhere that is
 * known. A loopback address is one where the other nodes are on loopback as well. */
const char *config_api_address(const struct config *config,
                               char buffer[static CONFIG_API_URL_MAX + 1]);

/* Index of the zone of this name (as struct config_zone has it), or CONFIG_NONE. */
pure_function int config_zone_find(const struct config *config, const char *name);

/* The JSON Schema (draft 2020-12) of the file for editors, made from the parser's own tables. */
void config_schema(struct text *out);

const_function const char *policy_name(enum policy policy);          /* "failover" */
const_function const char *check_kind_name(enum check_kind kind);    /* "https" */
const_function const char *when_all_down_name(enum when_all_down w); /* "last_good" */
