/* Services: what a policy asks of its endpoints, references, names. */
#include "model/config_link.h"
#include "wire/dname.h"
#include <stdio.h>
#include <string.h>

/* Endpoints in sentences: "endpoint use1". */
static const char *endpoint_name(const struct draft_endpoint *e)
{
    return e->endpoint.name ? e->endpoint.name : "?";
}

static bool says(const struct draft *draft, const char *key)
{
    return tree_get(draft->node, key) != NULL;
}

/* A policy that could not be read was reported; nothing more can be said by it. */
static bool policy_is_known(const struct draft_service *s)
{
    const struct tree *said = tree_get(s->head.node, "policy");
    return !said || (said->kind == TREE_SCALAR &&
                     strcmp(said->text, policy_name((enum policy)s->policy)) == 0);
}

/* Keys that one policy alone uses. */
static void role_keys_check(struct linking *l, const struct draft_service *s,
                            const struct draft_endpoint *e)
{
    static const struct {
        const char *key;
        enum policy policy;
        bool needed;
        const char *example;
    } rules[] = {
        {"role", POLICY_FAILOVER, true, "role: primary or role: secondary"},
        {"weight", POLICY_WEIGHTED, false, ""},
        {"locations", POLICY_GEOLOCATION, true, "locations: [EU, US-CA] or locations: \"*\""},
        {"collections", POLICY_IP_BASED, true, "collections: [office] or collections: \"*\""},
    };
    for (size_t i = 0; i < array_length(rules); i++) {
        bool said = says(&e->head, rules[i].key), used = (int)rules[i].policy == s->policy;
        if (said && !used)
            problem_add(l->reading->problems, place_under(&e->head, rules[i].key),
                        "%s means nothing under policy %s; remove it, or make the policy %s",
                        rules[i].key, policy_name((enum policy)s->policy),
                        policy_name(rules[i].policy));
        if (!said && used && rules[i].needed)
            problem_add(l->reading->problems, e->head.node->place,
                        "endpoint %s has no %s, which policy %s goes by; add %s", endpoint_name(e),
                        rules[i].key, policy_name(rules[i].policy), rules[i].example);
    }
    if (s->policy == POLICY_LATENCY && !says(&e->head, "region"))
        problem_add(
            l->reading->problems, e->head.node->place,
            "endpoint %s has no region, which policy latency goes by; add region: us-east-1",
            endpoint_name(e));
}

static void target_check(struct linking *l, const struct draft_endpoint *e)
{
    struct problems *p = l->reading->problems;
    bool address = says(&e->head, "address"), nested = says(&e->head, "service");
    if (!address && !nested)
        problem_add(p, e->head.node->place,
                    "endpoint %s has neither an address nor a service; add address: 192.0.2.1",
                    endpoint_name(e));
    if (address && nested)
        problem_add(p, place_under(&e->head, "service"),
                    "endpoint %s has an address and a service; keep one of them", endpoint_name(e));
    if (nested && says(&e->head, "check"))
        problem_add(p, place_under(&e->head, "check"),
                    "endpoint %s stands for a service, whose own health counts; remove the check",
                    endpoint_name(e));
}

/* A name is told beside the address, by the same check. */
static void hostname_check(struct linking *l, const struct draft_endpoint *e)
{
    struct problems *p = l->reading->problems;
    if (!says(&e->head, "hostname"))
        return;
    if (says(&e->head, "service"))
        problem_add(p, place_under(&e->head, "hostname"),
                    "endpoint %s stands for a service and has no name of its own; remove the "
                    "hostname",
                    endpoint_name(e));
    else if (!says(&e->head, "check"))
        problem_add(p, place_under(&e->head, "hostname"),
                    "the hostname of endpoint %s is probed as its address is, and it has no check; "
                    "add check: NAME",
                    endpoint_name(e));
}

/* What simple and multivalue answer are addresses, side by side; a service that stands alone is an
 * alias. */
static void mixed_check(struct linking *l, const struct draft_service *s,
                        const struct draft_endpoint *e)
{
    bool alone = s->policy == POLICY_SIMPLE && s->endpoints.count == 1;
    if (!says(&e->head, "service") || alone ||
        (s->policy != POLICY_SIMPLE && s->policy != POLICY_MULTIVALUE))
        return;
    problem_add(
        l->reading->problems, place_under(&e->head, "service"),
        "a service cannot be mixed into the addresses that policy %s answers together; make "
        "the policy weighted, or give addresses",
        policy_name((enum policy)s->policy));
}

static void check_reference(struct linking *l, struct draft_endpoint *e)
{
    const struct draft_check *first = l->root->checks.items;
    e->endpoint.check = CONFIG_NONE;
    if (!e->check)
        return;
    const struct draft_check *found = map_get(&l->checks, e->check, strlen(e->check));
    if (found) {
        e->endpoint.check = (int)(found - first);
        return;
    }
    struct suggestion like = suggestion_init(e->check);
    for (uint32_t i = 0; i < l->root->checks.count && problems_few(l->reading->problems); i++)
        if (first[i].check.name)
            suggestion_offer(&like, first[i].check.name);
    problem_add(l->reading->problems, place_under(&e->head, "check"), "no check is named %s; %s",
                quote(e->check).text, suggestion_text(&like, "define it under checks").text);
}

static void service_reference(struct linking *l, struct draft_endpoint *e)
{
    const struct draft_service *first = l->root->services.items;
    e->endpoint.service = CONFIG_NONE;
    if (!e->service)
        return;
    const struct draft_service *found = map_get(&l->services, e->service, strlen(e->service));
    if (found) {
        e->endpoint.service = (int)(found - first);
        return;
    }
    struct suggestion like = suggestion_init(e->service);
    for (uint32_t i = 0; i < l->root->services.count && problems_few(l->reading->problems); i++)
        if (first[i].service.name)
            suggestion_offer(&like, first[i].service.name);
    problem_add(l->reading->problems, place_under(&e->head, "service"),
                "no service is named %s; %s", quote(e->service).text,
                suggestion_text(&like, "define it under services").text);
}

static void collection_references(struct linking *l, struct draft_endpoint *e)
{
    const struct draft_reference *names = e->collections.items;
    const struct draft_collection *first = l->root->collections.items;
    struct config_endpoint *out = &e->endpoint;
    out->collections =
        arena_new(l->reading->keep, e->collections.count + (size_t)1, sizeof *out->collections);
    for (uint32_t i = 0; i < e->collections.count; i++) {
        const char *name = names[i].name;
        if (!name)
            continue;
        if (strcmp(name, "*") == 0) {
            out->any_network = true;
            continue;
        }
        const struct draft_collection *found = map_get(&l->collections, name, strlen(name));
        if (found) {
            out->collections[out->collection_count++] = (int)(found - first);
            continue;
        }
        struct suggestion like = suggestion_init(name);
        for (uint32_t k = 0; k < l->root->collections.count && problems_few(l->reading->problems);
             k++)
            if (first[k].name)
                suggestion_offer(&like, first[k].name);
        problem_add(l->reading->problems, names[i].head.node->place,
                    "no collection is named %s; %s", quote(name).text,
                    suggestion_text(&like, "define it under collections, or write \"*\"").text);
    }
}

static void geo_check(struct linking *l, const struct draft_endpoint *e)
{
    const struct config_location *locations = e->locations.items;
    if (l->root->geo.database || tree_get(l->reading->root, "geo"))
        return;
    for (uint32_t i = 0; i < e->locations.count; i++) {
        if (!locations[i].continent[0] && !locations[i].country[0])
            continue;
        problem_add(l->reading->problems, place_under(&e->head, "locations"),
                    "a location can only be told with a database; add geo: {database: FILE.mmdb}");
        return;
    }
}

/* Names, addresses and nested services are each said once in a service. */
static void endpoints_unique(struct linking *l, const struct draft_service *s)
{
    struct map names = map_init(), places = map_init(), nested = map_init();
    struct draft_endpoint *all = s->endpoints.items;
    for (uint32_t i = 0; i < s->endpoints.count; i++) {
        struct draft_endpoint *e = &all[i];
        const struct draft_endpoint *first;
        char text[IP_TEXT_MAX];
        if (e->endpoint.name) {
            first = map_put(&names, e->endpoint.name, strlen(e->endpoint.name), e);
            if (first)
                problem_add(l->reading->problems, place_under(&e->head, "name"),
                            "the endpoint %s was named before in this service, in line %u; name it "
                            "otherwise",
                            e->endpoint.name, first->head.node->place.line);
        }
        for (unsigned f = 0; f < IP_FAMILIES; f++) {
            if (!e->addresses.has[f])
                continue;
            first = map_put(&places, &e->addresses.address[f], sizeof(struct ip), e);
            if (first)
                problem_add(
                    l->reading->problems, place_under(&e->head, "address"),
                    "the address %s is endpoint %s of this service already; keep one of them",
                    ip_format(&e->addresses.address[f], text), endpoint_name(first));
        }
        first = e->service ? map_put(&nested, e->service, strlen(e->service), e) : NULL;
        if (first)
            problem_add(l->reading->problems, place_under(&e->head, "service"),
                        "the service %s is endpoint %s of this service already; keep one of them",
                        e->service, endpoint_name(first));
    }
    map_done(&names);
    map_done(&places);
    map_done(&nested);
}

static void failover_check(struct linking *l, const struct draft_service *s)
{
    const struct draft_endpoint *all = s->endpoints.items, *primary = NULL;
    bool roles = true;
    for (uint32_t i = 0; i < s->endpoints.count; i++) {
        roles &= all[i].role > ROLE_NONE;
        if (all[i].role != ROLE_PRIMARY)
            continue;
        if (primary)
            problem_add(
                l->reading->problems, place_under(&all[i].head, "role"),
                "endpoint %s is a second primary beside %s; make one of them role: secondary",
                endpoint_name(&all[i]), endpoint_name(primary));
        else
            primary = &all[i];
    }
    if (!primary && roles)
        problem_add(
            l->reading->problems, place_under(&s->head, "endpoints"),
            "no endpoint is the primary, which policy failover answers first; make one of them "
            "role: primary");
}

enum { ROLE_UNREADABLE = -1 };

static void endpoint_fill(struct linking *l, const struct draft_service *s,
                          struct draft_endpoint *e)
{
    struct config_endpoint *out = &e->endpoint;
    out->place = e->head.node->place;
    out->service = out->check = CONFIG_NONE;
    /* a role that could not be read was reported: it is neither missing nor secondary */
    if (e->role == ROLE_NONE && (e->head.node->kind != TREE_MAPPING || says(&e->head, "role")))
        e->role = ROLE_UNREADABLE;
    if (e->head.node->kind != TREE_MAPPING)
        return;
    out->role = e->role == ROLE_UNREADABLE ? ROLE_NONE : (enum role)e->role;
    memcpy(out->address, e->addresses.address, sizeof out->address);
    memcpy(out->has_address, e->addresses.has, sizeof out->has_address);
    out->locations = e->locations.items;
    out->location_count = e->locations.count;
    if (policy_is_known(s)) {
        role_keys_check(l, s, e);
        mixed_check(l, s, e);
    }
    target_check(l, e);
    hostname_check(l, e);
    check_reference(l, e);
    service_reference(l, e);
    collection_references(l, e);
    geo_check(l, e);
}

static void service_fill(struct linking *l, struct draft_service *s)
{
    struct config_service *out = &s->service;
    struct draft_endpoint *endpoints = s->endpoints.items;
    out->place = s->head.node->place;
    out->zone = CONFIG_NONE;
    if (s->head.node->kind != TREE_MAPPING)
        return;
    out->policy = (enum policy)s->policy;
    out->ttl_min = s->ttl.min;
    out->ttl_max = s->ttl.max;
    out->when_all_down = (enum when_all_down)s->all_down.mode;
    out->fallback = s->all_down.fallback;
    out->velocity_percent = s->velocity.remove;
    out->velocity_window = s->velocity.window;
    out->unready_serves = s->unready != 0;
    out->endpoint_count = s->endpoints.count;
    out->endpoints =
        arena_new(l->reading->keep, s->endpoints.count + (size_t)1, sizeof *out->endpoints);
    for (uint32_t i = 0; i < s->endpoints.count; i++)
        endpoint_fill(l, s, &endpoints[i]);
    if (s->endpoints.count) {
        endpoints_unique(l, s);
        if (policy_is_known(s) && s->policy == POLICY_FAILOVER)
            failover_check(l, s);
    }
    for (uint32_t i = 0; i < s->endpoints.count; i++)
        out->endpoints[i] = endpoints[i].endpoint;
}

static void verdict_link(struct linking *l)
{
    const struct draft_root *root = l->root;
    const char *name = root->verdict.references;
    struct config_verdict *v = &l->config->verdict;
    v->rounds = root->verdict.rounds;
    v->networks = root->verdict.networks;
    if (!name)
        return;
    for (uint32_t i = 0; i < l->config->service_count; i++)
        if (l->config->services[i].name && strcmp(l->config->services[i].name, name) == 0)
            v->references = &l->config->services[i];
    if (!v->references)
        problem_add(l->reading->problems,
                    tree_get(tree_get(l->reading->root, "verdict"), "references")->place,
                    "there is no service %s; name one of this file's services", name);
}

void link_services(struct linking *l)
{
    struct draft_service *drafts = l->root->services.items;
    struct config *config = l->config;
    config->service_count = l->root->services.count;
    config->services =
        arena_new(l->reading->keep, config->service_count + (size_t)1, sizeof *config->services);
    for (uint32_t i = 0; i < config->service_count; i++) {
        struct draft_service *s = &drafts[i];
        if (!s->service.name)
            continue;
        const struct draft_service *first =
            map_get(&l->services, s->service.name, strlen(s->service.name));
        if (first)
            problem_add(l->reading->problems, place_under(&s->head, "name"),
                        "the service %s was named before, in %s; put its endpoints together",
                        s->service.name,
                        place_words(l->reading->problems, first->head.node->place).text);
        else
            map_put(&l->services, s->service.name, strlen(s->service.name), s);
    }
    for (uint32_t i = 0; i < config->service_count; i++) {
        service_fill(l, &drafts[i]);
        config->services[i] = drafts[i].service;
    }
    verdict_link(l);
}
