/* `holdfast explain`: why a client gets the answer it gets, now, from the files of this host. */
#include "base/err.h"
#include "prog/commands.h"
#include "prog/explain.h"
#include "prog/load.h"
#include "prog/options.h"
#include "seam/entropy.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include "wire/rdata.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast explain NAME [--from ADDRESS[/LEN]] [--type TYPE] [--config FILE | --data "
    "DIR]\n\n"
    "Says in sentences why a client gets the answer it gets now: zone, policy, endpoints with "
    "their\n"
    "verdicts and orders, what happens when all look dead, the choice for this client, the TTL. "
    "Reads\n"
    "the files of this host only: it works with every process dead.\n\n"
    "  --from ADDRESS[/LEN]  the client, or its network as a resolver tells it (RFC 7871)\n"
    "  --type TYPE           record type asked for (default: A and AAAA)\n"
    "  --config FILE         take the data folder and the names of networks from this "
    "configuration\n"
    "  --data DIR            the data folder (default " DATA_DEFAULT ")\n\n"
    "Exit status: 0 explained; 1 there is no plan to explain; 2 wrong usage.\n";

struct request {
    uint8_t name[DNAME_MAX];
    const char *name_text;
    char data[PATH_MAX];
    struct config *config;
    struct explain explain;
};

/* "192.0.2.7", or "192.0.2.7/24": what lies below the length counts for nothing. */
static int client_parse(const char *text, struct explain *x)
{
    char address[IP_TEXT_MAX];
    size_t n = strcspn(text, "/");
    if (n >= sizeof address)
        return ERR_SYNTAX;
    memcpy(address, text, n);
    address[n] = '\0';
    int err = ip_parse(address, &x->client.ip);
    if (err)
        return err;
    int64_t length = ip_bits(&x->client.ip);
    if (text[n] && integer_parse(text + n + 1, 0, length, &length))
        return ERR_SYNTAX;
    x->client.length = (uint8_t)length;
    x->client.ip = ip_mask(&x->client.ip, x->client.length);
    x->has_client = true;
    return 0;
}

static int request_parse(int argc, char **argv, struct request *r)
{
    const char *from = NULL, *type = NULL, *config = NULL, *data = NULL;
    struct words words;
    const struct option_spec specs[] = {{"from", 'f', NULL, &from},
                                        {"type", 't', NULL, &type},
                                        {"config", 'c', NULL, &config},
                                        {"data", 'd', NULL, &data}};
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count != 1)
        return options_wrong(usage, words.count ? "one name is wanted" : "a name is wanted");
    r->name_text = words.list[0];
    r->explain.type = DNS_ANY;
    if (dname_parse(r->name_text, strlen(r->name_text), NULL, r->name) < 0)
        return options_wrong(usage, "\"%s\" is not a domain name", r->name_text);
    if (from && client_parse(from, &r->explain))
        return options_wrong(usage, "--from wants an address or a network, not \"%s\"", from);
    if (type && dns_type_parse(type, strlen(type), &r->explain.type))
        return options_wrong(usage, "\"%s\" is not a record type", type);
    if (config && load_config(config, stderr, &r->config))
        return 1;
    status = options_data(data ? data : r->config ? r->config->data : NULL, NULL, r->data);
    return status ? status : -1;
}

static void node_append(struct text *out, const struct view *v)
{
    char age[AGE_TEXT_MAX];
    const struct view_role *dns = &v->roles[STATS_ROLE_DNS];
    text_appendf(out, "Node %s, plan generation %llu, made %s ago",
                 plan_text(&v->plan, v->plan.node), (unsigned long long)v->plan.generation,
                 age_format(view_plan_age(v), age));
    if (dns->has_stats && dns->alive)
        text_appendf(out, "; dns serves generation %llu",
                     (unsigned long long)stats_value(&dns->stats, PLAN_GENERATION));
    text_append(out, ".\n");
    struct text problems = text_init(1 << 16);
    view_problems(v, &problems);
    for (char *line = problems.data, *end; line && (end = strchr(line, '\n')); line = end + 1)
        text_appendf(out, "Mind: %.*s.\n", (int)(end - line), line);
    text_done(&problems);
    text_append(out, "\n");
}

int cmd_explain(int argc, char **argv)
{
    struct request r = {.config = NULL};
    int status = request_parse(argc, argv, &r);
    if (status >= 0)
        return status;
    struct view v;
    struct text out = text_init(EXPLAIN_MAX);
    view_init(&v);
    int err = view_refresh(&v, r.data);
    if (v.has_plan) {
        r.explain.v = &v;
        r.explain.data = r.data;
        r.explain.config =
            r.config && r.config->fingerprint == v.plan.config_fingerprint ? r.config : NULL;
        r.explain.random = random_init(entropy_u64());
        r.explain.out = &out;
        node_append(&out, &v);
        explain_name(&r.explain, r.name);
        fputs(text_string(&out), stdout);
        status = 0;
    } else {
        fprintf(stderr, "holdfast: there is no plan in %s: %s\n", r.data, err_text(err));
        status = 1;
    }
    text_done(&out);
    view_done(&v);
    if (r.config)
        config_free(r.config);
    return status;
}
