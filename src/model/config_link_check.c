/* Checks: one kind each, and only the keys that mean something for that kind. */
#include "model/config_link.h"
#include "wire/dns.h"
#include <stdio.h>
#include <string.h>

struct config_place place_under(const struct draft *draft, const char *key)
{
    const struct tree *value = tree_get(draft->node, key);
    return value ? value->place : draft->node->place;
}

#define KIND(k) (1u << (k))
#define WEB     (KIND(CHECK_HTTP) | KIND(CHECK_HTTPS))
#define SECURE  (KIND(CHECK_TLS) | KIND(CHECK_HTTPS))

/* Keys that only some kinds use. */
static const struct {
    const char *key;
    unsigned kinds;
    const char *users;
} uses[] = {
    {"host", WEB, "http and https"},   {"headers", WEB, "http and https"},
    {"status", WEB, "http and https"}, {"body", WEB, "http and https"},
    {"sni", SECURE, "tls and https"},  {"verify", SECURE, "tls and https"},
    {"ca", SECURE, "tls and https"},   {"expiry_warn", SECURE, "tls and https"},
};

static bool check_kind_find(struct linking *l, const struct draft_check *d, enum check_kind *ret)
{
    static const char *const kinds[] = {"tcp", "tls", "http", "https", "icmp", "dns"};
    const char *first = NULL;
    for (size_t i = 0; i < array_length(kinds); i++) {
        if (!tree_get(d->head.node, kinds[i]))
            continue;
        if (first) {
            problem_add(l->reading->problems, place_under(&d->head, kinds[i]),
                        "a check is of one kind, and %s is said before; make %s a check of its own",
                        first, kinds[i]);
            return false;
        }
        first = kinds[i];
        *ret = (enum check_kind)i;
    }
    if (!first) {
        problem_add(
            l->reading->problems, d->head.node->place,
            "the check %s does not say what to probe; add one of tcp, tls, http, https, icmp "
            "and dns",
            quote(d->check.name ? d->check.name : "?").text);
        return false;
    }
    if (*ret == CHECK_HTTP && d->http && strncmp(d->http, "https:", 6) == 0)
        *ret = CHECK_HTTPS;
    return true;
}

static void unused_keys_report(struct linking *l, const struct draft_check *d, enum check_kind kind)
{
    for (size_t i = 0; i < array_length(uses); i++) {
        const struct tree *value = tree_get(d->head.node, uses[i].key);
        if (value && !(uses[i].kinds & KIND(kind)))
            problem_add(l->reading->problems, value->place,
                        "%s means nothing in a check of kind %s; it is for %s, so remove it",
                        uses[i].key, check_kind_name(kind), uses[i].users);
    }
}

static void times_check(struct linking *l, struct draft_check *d)
{
    struct config_check *c = &d->check;
    char timeout[DURATION_TEXT_MAX], interval[DURATION_TEXT_MAX];
    if (!c->interval)
        return;
    if (!tree_get(d->head.node, "timeout"))
        c->timeout = c->interval < USEC_PER_SEC ? c->interval : USEC_PER_SEC;
    if (c->timeout <= c->interval)
        return;
    duration_format(c->timeout, timeout);
    duration_format(c->interval, interval);
    problem_add(
        l->reading->problems, place_under(&d->head, "timeout"),
        "the timeout, %s, is longer than the interval, %s, so probes would overlap; make the "
        "timeout at most %s or the interval at least %s",
        timeout, interval, interval, timeout);
}

static void dns_check(struct linking *l, struct draft_check *d)
{
    struct config_check *c = &d->check;
    const struct tree *query = tree_get(d->head.node, "dns");
    const struct tree *expect = tree_get(query, "expect");
    char text[IP_TEXT_MAX];
    c->query = d->dns.query;
    c->query_type = (uint16_t)d->dns.type;
    c->port = (uint16_t)d->dns.port;
    if (!expect || expect->kind != TREE_SCALAR || query->kind != TREE_MAPPING || !c->query_type)
        return;
    uint16_t fits = d->expect.family == IP_V4 ? DNS_A : DNS_AAAA;
    if (c->query_type != fits)
        problem_add(l->reading->problems, expect->place,
                    "expect is an IPv%d address, which no answer of this type holds; ask type: %s",
                    d->expect.family == IP_V4 ? 4 : 6, fits == DNS_A ? "A" : "AAAA");
    ip_format(&d->expect, text);
    c->expect = arena_string(l->reading->keep, text, strlen(text));
}

static void check_fill(struct linking *l, struct draft_check *d)
{
    struct config_check *c = &d->check;
    c->place = d->head.key->place;
    if (d->head.node->kind != TREE_MAPPING)
        return;
    times_check(l, d);
    if (!check_kind_find(l, d, &c->kind))
        return;
    unused_keys_report(l, d, c->kind);
    c->url = d->http ? d->http : d->https;
    c->port = (uint16_t)(d->tcp ? d->tcp : d->tls);
    if (c->kind == CHECK_DNS)
        dns_check(l, d);
    const struct draft_header *headers = d->headers.items;
    c->header_count = d->headers.count;
    c->headers = arena_new(l->reading->keep, c->header_count + (size_t)1, sizeof *c->headers);
    for (uint32_t i = 0; i < c->header_count; i++)
        c->headers[i] = (struct config_header){headers[i].name, headers[i].value};
    if (c->kind != CHECK_HTTP && c->kind != CHECK_HTTPS)
        return;
    c->status = d->status.items;
    c->status_count = d->status.count;
    if (!c->status_count) {
        c->status = arena_new(l->reading->keep, 1, sizeof *c->status);
        c->status[0] = (struct config_range){200, 399};
        c->status_count = 1;
    }
}

void link_checks(struct linking *l)
{
    struct config *config = l->config;
    struct draft_check *drafts = l->root->checks.items;
    config->check_count = l->root->checks.count;
    config->checks =
        arena_new(l->reading->keep, config->check_count + (size_t)1, sizeof *config->checks);
    for (uint32_t i = 0; i < config->check_count; i++) {
        check_fill(l, &drafts[i]);
        config->checks[i] = drafts[i].check;
        if (drafts[i].check.name)
            map_put(&l->checks, drafts[i].check.name, strlen(drafts[i].check.name), &drafts[i]);
    }
}
