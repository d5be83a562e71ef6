/* Listeners, zones, collections and the latency table. */
#include "model/config_link.h"
#include <string.h>

struct config_listen *link_listens(struct linking *l, const struct list *list, uint32_t *ret_count)
{
    const struct draft_listen *drafts = list->items;
    struct config_listen *out = arena_new(l->reading->keep, list->count + (size_t)1, sizeof *out);
    for (uint32_t i = 0; i < list->count; i++)
        out[i] = drafts[i].listen;
    *ret_count = list->count;
    return out;
}

static const struct config_listen *listen_number(const struct config *c, uint32_t i)
{
    if (i < c->dns_listen_count)
        return &c->dns_listen[i];
    i -= c->dns_listen_count;
    if (i < c->dns_tls.listen_count)
        return &c->dns_tls.listen[i];
    i -= c->dns_tls.listen_count;
    if (i < c->dns_proxy.listen_count)
        return &c->dns_proxy.listen[i];
    i -= c->dns_proxy.listen_count;
    if (i < c->dns_proxy.tls_count)
        return &c->dns_proxy.tls[i];
    i -= c->dns_proxy.tls_count;
    if (i < c->mesh.listen_count)
        return &c->mesh.listen[i];
    i -= c->mesh.listen_count;
    return i < c->tell_listen_count ? &c->tell_listen[i] : &c->api_listen[i - c->tell_listen_count];
}

/* Two listeners on one port: of one list, or of two, which all take TCP. */
static void listens_check(struct linking *l)
{
    struct config *c = l->config;
    uint32_t total = c->dns_listen_count + c->dns_tls.listen_count + c->dns_proxy.listen_count +
                     c->dns_proxy.tls_count + c->mesh.listen_count + c->tell_listen_count +
                     c->api_listen_count;
    char text[IP_PORT_TEXT_MAX];
    for (uint32_t i = 1; i < total; i++) {
        const struct config_listen *a = listen_number(c, i);
        for (uint32_t k = 0; k < i; k++) {
            const struct config_listen *b = listen_number(c, k);
            if (a->port != b->port || !ip_equal(&a->ip, &b->ip) || !a->port)
                continue;
            /* one of them may be a default, which stands nowhere */
            struct config_place place = a->place.line ? a->place : b->place;
            problem_add(
                l->reading->problems, place,
                "%s is listened on twice; give each listener an address or a port of its own",
                ip_port_format(&a->ip, a->port, text));
            break;
        }
    }
}

static void zones_fill(struct linking *l)
{
    struct config *c = l->config;
    const struct draft_zone *drafts = l->root->zones.items;
    struct map seen = map_init();
    c->zone_count = l->root->zones.count;
    c->zones = arena_new(l->reading->keep, c->zone_count + (size_t)1, sizeof *c->zones);
    for (uint32_t i = 0; i < c->zone_count; i++) {
        c->zones[i] = (struct config_zone){.name = drafts[i].name,
                                           .file = drafts[i].file,
                                           .catalog = (enum config_catalog)drafts[i].catalog,
                                           .catalog_zone = CONFIG_NONE,
                                           .catalog_next = CONFIG_NONE,
                                           .catalog_before = CONFIG_NONE,
                                           .serial = (enum serial_policy)drafts[i].serial,
                                           .zonemd = (enum zonemd_use)drafts[i].zonemd,
                                           .dnssec = drafts[i].dnssec.dnssec,
                                           .place = drafts[i].head.node->place};
        link_transfer(l, &drafts[i].transfer, &c->zones[i].transfer);
        link_primaries(l, &drafts[i], &c->zones[i]);
        link_update(l, &drafts[i].update, drafts[i].name, &c->zones[i].update);
        link_groups(l, &drafts[i], &c->zones[i]);
        if (!drafts[i].name)
            continue;
        const struct draft_zone *first =
            map_put(&seen, drafts[i].name, strlen(drafts[i].name), (void *)&drafts[i]);
        if (first)
            problem_add(l->reading->problems, place_under(&drafts[i].head, "name"),
                        "the zone %s was named before, in %s; keep one of them", drafts[i].name,
                        place_words(l->reading->problems, place_under(&first->head, "name")).text);
    }
    map_done(&seen);
}

/* A network said twice in one table. */
static void prefix_once(struct linking *l, struct map *seen, const struct ip_prefix *prefix,
                        struct config_place place)
{
    struct config_place *kept = arena_new(l->reading->scratch, 1, sizeof *kept);
    const struct config_place *first;
    char text[IP_PREFIX_TEXT_MAX];
    *kept = place;
    first = map_put(seen, prefix, sizeof *prefix, kept);
    if (first)
        problem_add(l->reading->problems, place,
                    "the network %s was named before, in line %u; keep one of them",
                    ip_prefix_format(prefix, text), first->line);
}

static void collections_fill(struct linking *l)
{
    struct config *c = l->config;
    struct draft_collection *drafts = l->root->collections.items;
    c->collection_count = l->root->collections.count;
    c->collections =
        arena_new(l->reading->keep, c->collection_count + (size_t)1, sizeof *c->collections);
    for (uint32_t i = 0; i < c->collection_count; i++) {
        struct draft_collection *d = &drafts[i];
        const struct draft_prefix *prefixes = d->prefixes.items;
        struct config_collection *out = &c->collections[i];
        struct map seen = map_init();
        out->name = d->name;
        out->place = d->head.key->place;
        out->prefix_count = d->prefixes.count;
        out->prefixes =
            arena_new(l->reading->keep, out->prefix_count + (size_t)1, sizeof *out->prefixes);
        for (uint32_t k = 0; k < out->prefix_count; k++) {
            out->prefixes[k] = prefixes[k].prefix;
            if (prefixes[k].head.good)
                prefix_once(l, &seen, &out->prefixes[k], prefixes[k].head.node->place);
        }
        map_done(&seen);
        if (d->name)
            map_put(&l->collections, d->name, strlen(d->name), d);
    }
}

/* In the order of the file, so the entries of one network lie together (model/netmap.h relies on
 * it). */
static void latencies_fill(struct linking *l)
{
    struct config *c = l->config;
    const struct draft_latency *drafts = l->root->latencies.items;
    struct map seen = map_init();
    size_t count = 0, at = 0;
    for (uint32_t i = 0; i < l->root->latencies.count; i++)
        count += drafts[i].regions.count;
    c->latencies = arena_new(l->reading->keep, count + 1, sizeof *c->latencies);
    for (uint32_t i = 0; i < l->root->latencies.count; i++) {
        const struct draft_latency *d = &drafts[i];
        const struct draft_region_latency *regions = d->regions.items;
        if (d->head.good)
            prefix_once(l, &seen, &d->network, d->head.key->place);
        for (uint32_t k = 0; k < d->regions.count; k++)
            c->latencies[at++] = (struct config_latency){
                d->network, regions[k].region, regions[k].latency, regions[k].head.key->place};
        if (d->head.node->kind == TREE_MAPPING && !d->head.node->count)
            problem_add(l->reading->problems, d->head.node->place,
                        "no region is named for this network; write {us-east-1: 12ms, ...}");
    }
    c->latency_count = (uint32_t)at;
    map_done(&seen);
}

void link_networks(struct linking *l)
{
    struct config *c = l->config;
    const struct draft_root *root = l->root;
    c->node_name = root->node.name;
    c->site = root->node.site;
    c->network = root->node.network;
    c->data = root->node.data;
    c->user = root->node.user;
    c->resolvers = link_listens(l, &root->node.resolvers, &c->resolver_count);
    c->dns_listen = link_listens(l, &root->dns.listen, &c->dns_listen_count);
    c->tell_listen = link_listens(l, &root->tell.listen, &c->tell_listen_count);
    link_api(l);
    c->dns_xdp = root->dns.xdp.items;
    c->dns_xdp_count = root->dns.xdp.count;
    c->dns_threads = root->dns.threads;
    c->dns_udp_size = root->dns.udp_size;
    c->dns_client_subnet = root->dns.client_subnet;
    link_streams(l);
    link_mesh(l);
    c->dns_answers = root->dns.answers;
    c->geo_database = root->geo.database;
    c->log_format = root->log.format;
    c->log_level = root->log.level;
    listens_check(l);
    link_keys(l);
    zones_fill(l);
    link_catalogs(l);
    collections_fill(l);
    latencies_fill(l);
    link_sites(l);
}
