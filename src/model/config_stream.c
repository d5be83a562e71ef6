/* Connections: limits of DNS over TCP and TLS, and what TLS wants. */
#include "model/config_link.h"

#define AT(type, field) offsetof(struct type, field)

static const struct key tcp_keys[] = {
    {"clients", &type_integer, AT(draft_root, dns.tcp.clients), .min = 1, .max = 1000000,
     .standard = "1000",
     .help = "most connections at once; for one more the one that is idle for longest makes room"},
    {"clients_each", &type_integer, AT(draft_root, dns.tcp.clients_each), .min = 0, .max = 1000000,
     .standard = "100",
     .help = "most connections of one client; more are closed as they come; 0 is no limit"},
    {"client_v4", &type_integer, AT(draft_root, dns.tcp.client_v4), .min = 8, .max = 32,
     .standard = "32", .help = "length of the prefix that is one client, of IPv4 addresses"},
    {"client_v6", &type_integer, AT(draft_root, dns.tcp.client_v6), .min = 16, .max = 64,
     .standard = "56", .help = "the same, of IPv6 addresses"},
    {"idle", &type_duration, AT(draft_root, dns.tcp.idle), .min = 100 * USEC_PER_MSEC,
     .max = USEC_PER_HOUR, .standard = "10s",
     .help = "a connection without a whole query is closed after this; told to clients that ask "
             "(RFC 7828)"},
    {"patience", &type_duration, AT(draft_root, dns.tcp.patience), .min = 100 * USEC_PER_MSEC,
     .max = USEC_PER_HOUR, .standard = "30s",
     .help = "a client that takes no response that is sent to it for so long is closed"},
    {"memory_mib", &type_integer, AT(draft_root, dns.tcp.memory_mib), .min = 1, .max = 65536,
     .standard = "64",
     .help = "most MiB of queries that are not whole and responses that are not taken, of all "
             "connections and, apart from these, of all over TLS; those that have held theirs for "
             "longest are closed"},
};

const struct shape shape_tcp = {"dns_tcp", "tcp", tcp_keys, array_length(tcp_keys),
                                .help = "Limits of DNS over TCP, which hold over TLS as well."};

static const struct key tls_keys[] = {
    {"listen", &type_list, AT(draft_root, dns.tls.listen), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[]",
     .help = "where queries are taken over TLS, such as 0.0.0.0:853"},
    {"certificate", &type_path, AT(draft_root, dns.tls.certificate),
     .help = "file with the certificate and those that lead to it, in PEM; read again when it "
             "changes"},
    {"key", &type_path, AT(draft_root, dns.tls.key),
     .help =
         "file with its private key, in PEM; who starts the node has to be able to read it, the "
         "roles need not"},
    {"clients", &type_integer, AT(draft_root, dns.tls.clients), .min = 1, .max = 1000000,
     .standard = "1000", .help = "most connections over TLS at once"},
    {"handshakes", &type_integer, AT(draft_root, dns.tls.handshakes), .min = 1, .max = 1000000,
     .standard = "500", .help = "connections taken a second; more wait until it is their turn"},
};

const struct shape shape_tls = {"dns_tls", "tls", tls_keys, array_length(tls_keys),
                                .help = "DNS over TLS (RFC 7858), and zone transfers over it (RFC "
                                        "9103)."};

static const struct list_of networks = {
    .element = {.name = "network", .type = &type_prefix, .offset = AT(draft_prefix, prefix)},
    .size = sizeof(struct draft_prefix),
    .headed = true,
    .alone = true};

static const struct key proxy_keys[] = {
    {"listen", &type_list, AT(draft_root, dns.proxy.listen), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[]",
     .help = "where proxies pass queries on, over UDP and TCP, each behind a header that says who "
             "asks; nothing else is taken there"},
    {"tls", &type_list, AT(draft_root, dns.proxy.tls), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[]",
     .help = "where they pass on connections over TLS that end here: the header comes before the "
             "handshake; certificate and limits are those of dns.tls"},
    {"from", &type_list, AT(draft_root, dns.proxy.from), .max = CONFIG_PROXIES_MAX,
     .detail = &networks, .standard = "[]", .help = "the networks of proxies that are believed"},
};

const struct shape shape_proxy = {
    "dns_proxy", "proxy", proxy_keys, array_length(proxy_keys),
    .help = "Queries behind the PROXY protocol, version 2, as dnsdist and others send it."};

/* Nobody is believed by mistake, and nobody listens for nobody. */
static void proxy_fill(struct linking *l)
{
    const struct list *from = &l->root->dns.proxy.from;
    struct config_proxy *p = &l->config->dns_proxy;
    const struct draft_prefix *drafts = from->items;
    const struct list *said =
        l->root->dns.proxy.listen.count ? &l->root->dns.proxy.listen : &l->root->dns.proxy.tls;
    p->listen = link_listens(l, &l->root->dns.proxy.listen, &p->listen_count);
    p->tls = link_listens(l, &l->root->dns.proxy.tls, &p->tls_count);
    p->from_count = from->count;
    p->from = arena_new(l->reading->keep, from->count + (size_t)1, sizeof *p->from);
    for (uint32_t i = 0; i < from->count; i++)
        p->from[i] = drafts[i].prefix;
    if (said->count && !p->from_count) {
        const struct draft_listen *first = said->items;
        problem_add(l->reading->problems, first->head.node->place,
                    "no proxy is believed here; name their networks: from: [192.0.2.0/24]");
    }
}

/* A certificate where there is somebody to show it to, and its key. */
static void tls_check(struct linking *l)
{
    const struct draft_root *root = l->root;
    const struct list *said =
        root->dns.tls.listen.count ? &root->dns.tls.listen : &root->dns.proxy.tls;
    if (said->count && (!root->dns.tls.certificate || !root->dns.tls.key)) {
        const struct draft_listen *first = said->items;
        problem_add(l->reading->problems, first->head.node->place,
                    "TLS needs a certificate and its key; name both files: certificate, key");
    }
}

void link_streams(struct linking *l)
{
    const struct draft_root *root = l->root;
    struct config *c = l->config;
    c->dns_tcp = (struct config_tcp){.clients = root->dns.tcp.clients,
                                     .clients_each = root->dns.tcp.clients_each,
                                     .client_v4 = root->dns.tcp.client_v4,
                                     .client_v6 = root->dns.tcp.client_v6,
                                     .idle = root->dns.tcp.idle,
                                     .patience = root->dns.tcp.patience,
                                     .memory_mib = root->dns.tcp.memory_mib};
    c->dns_tls.certificate = root->dns.tls.certificate;
    c->dns_tls.key = root->dns.tls.key;
    c->dns_tls.clients = root->dns.tls.clients;
    c->dns_tls.handshakes = root->dns.tls.handshakes;
    c->dns_tls.listen = link_listens(l, &root->dns.tls.listen, &c->dns_tls.listen_count);
    tls_check(l);
    proxy_fill(l);
}
