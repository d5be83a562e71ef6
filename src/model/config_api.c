/* The API that operators' tools call. */
#include "model/config_link.h"
#include <stdio.h>
#include <string.h>

#define AT(type, field) offsetof(struct type, field)

static const struct key endpoint_keys[] = {
    {"url", &type_api_url, AT(draft_api_endpoint, endpoint.url), .required = true,
     .help = "where clients reach the API of a node, such as https://arc1.example.com"},
    {"region", &type_label, AT(draft_api_endpoint, endpoint.region), .required = true,
     .help = "what clients are told to sign for there; any region is taken"},
};

const struct shape shape_api_endpoint = {"api_endpoint", "endpoint", endpoint_keys,
                                         array_length(endpoint_keys),
                                         .help = "An endpoint of the cluster."};

static const struct list_of endpoints = {
    .element = {.name = "endpoint", .type = &type_mapping, .detail = &shape_api_endpoint},
    .size = sizeof(struct draft_api_endpoint),
    .headed = true};

static const struct key tls_keys[] = {
    {"certificate", &type_path, AT(draft_root, api.certificate), .required = true,
     .help = "file with the certificate and those that lead to it, in PEM; read again when it "
             "changes"},
    {"key", &type_path, AT(draft_root, api.key), .required = true,
     .help = "file with its private key, in PEM; the roles' user has to be able to read it"},
};

const struct shape shape_api_tls = {"api_tls", "tls", tls_keys, array_length(tls_keys),
                                    .help = "The API over HTTPS."};

static const struct key api_keys[] = {
    {"listen", &type_list, AT(draft_root, api.listen), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[]",
     .help = "where it is served over HTTP, such as 127.0.0.1:8090; nowhere without"},
    {"tls", &type_mapping, 0, .detail = &shape_api_tls,
     .help = "serve it over HTTPS alone; plain HTTP without"},
    {"url", &type_api_url, AT(draft_root, api.url),
     .help = "where clients reach the API of this node, such as https://arc1.example.com; without, "
             "where it listens. The other nodes tell it as an endpoint of the cluster"},
    {"endpoints", &type_list, AT(draft_root, api.endpoints), .max = CONFIG_API_ENDPOINTS_MAX,
     .detail = &endpoints, .standard = "[]",
     .help = "what clients are told are the endpoints of the cluster, the same on every node; "
             "without, what the nodes say of themselves"},
};

const struct shape shape_api = {
    "api", "api", api_keys, array_length(api_keys),
    .help = "The APIs of Route 53 ARC, for users with access keys (holdfast user)."};

void link_api(struct linking *l)
{
    const struct draft_root *root = l->root;
    struct config *c = l->config;
    const struct draft_api_endpoint *drafts = root->api.endpoints.items;
    c->api_listen = link_listens(l, &root->api.listen, &c->api_listen_count);
    c->api_certificate = root->api.certificate;
    c->api_key = root->api.key;
    c->api_url = root->api.url;
    c->api_endpoint_count = root->api.endpoints.count;
    c->api_endpoints =
        arena_new(l->reading->keep, c->api_endpoint_count + (size_t)1, sizeof *c->api_endpoints);
    for (uint32_t i = 0; i < c->api_endpoint_count; i++)
        c->api_endpoints[i] = drafts[i].endpoint;
}

static bool ip_is_any(const struct ip *ip)
{
    static const uint8_t none[sizeof ip->bytes];
    return !memcmp(ip->bytes, none, sizeof none);
}

static bool ip_is_loopback(const struct ip *ip)
{
    static const uint8_t one[sizeof ip->bytes] = {[15] = 1};
    return ip->family == IP_V6 ? !memcmp(ip->bytes, one, sizeof one) : ip->bytes[0] == 127;
}

const char *config_api_address(const struct config *c, char buffer[static CONFIG_API_URL_MAX + 1])
{
    char text[IP_PORT_TEXT_MAX];
    const struct ip *own = c->mesh.listen_count ? &c->mesh.address.ip : NULL;
    if (c->api_url)
        return c->api_url;
    for (uint32_t i = 0; i < c->api_listen_count; i++) {
        const struct config_listen *l = &c->api_listen[i];
        const struct ip *ip = ip_is_any(&l->ip) ? own : &l->ip;
        if (!ip || (own && ip_is_loopback(ip) && !ip_is_loopback(own)))
            continue;
        snprintf(buffer, CONFIG_API_URL_MAX + 1, "%s://%s", c->api_certificate ? "https" : "http",
                 ip_port_format(ip, l->port, text));
        return buffer;
    }
    return NULL;
}
