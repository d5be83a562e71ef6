/* Types of values that know what they are about: addresses, locations, urls, header fields. */
#include "base/err.h"
#include "model/config_table.h"
#include <stdio.h>
#include <string.h>

static bool ip_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    const char *text = reading_scalar(r, node, key, type_ip.wanted);
    if (!text)
        return false;
    return ip_parse(text, slot) == 0 || reading_refuse(r, node, key, type_ip.wanted);
}

static void ip_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$");
}

const struct type type_ip = {"an IP address such as 192.0.2.1 or 2001:db8::1", ip_read, ip_schema};

/* `address` of an endpoint: one address, or one of each family. */
static bool addresses_read(struct reading *r, const struct tree *node, const struct key *key,
                           void *slot)
{
    struct draft_addresses found = {0};
    bool alone = node->kind != TREE_LIST;
    uint32_t count = alone ? 1 : node->count;
    if (!count)
        return reading_refuse(r, node, key, "an address, or one v4 and one v6 address");
    for (uint32_t i = 0; i < count; i++) {
        const struct tree *item = alone ? node : node->items[i];
        struct ip ip = {0};
        if (!ip_read(r, item, key, &ip))
            return false;
        if (found.has[ip.family]) {
            problem_add(
                r->problems, item->place,
                "a second IPv%d address; an endpoint has at most one of each family, so make "
                "it an endpoint of its own",
                ip.family == IP_V4 ? 4 : 6);
            return false;
        }
        found.has[ip.family] = true;
        found.address[ip.family] = ip;
    }
    *(struct draft_addresses *)slot = found;
    return true;
}

static void addresses_schema(const struct key *key, struct text *out)
{
    text_append(out, "\"anyOf\":[{");
    ip_schema(key, out);
    text_append(out, "},{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{");
    ip_schema(key, out);
    text_append(out, "}}]");
}

const struct type type_addresses = {"an IP address, or a list of one v4 and one v6 address",
                                    addresses_read, addresses_schema};

/* The prefix that was meant by one with bits set below its length. */
static bool host_bits_report(struct reading *r, const struct tree *node, const struct key *key,
                             const char *text)
{
    char address[IP_TEXT_MAX] = "", fixed[IP_PREFIX_TEXT_MAX];
    const char *slash = strchr(text, '/');
    struct ip ip;
    int64_t length;
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    if (ip_parse(address, &ip) < 0 || integer_parse(slash + 1, 0, ip_bits(&ip), &length) < 0)
        return false;
    struct ip_prefix prefix = {ip_mask(&ip, (unsigned)length), (uint8_t)length};
    problem_add(r->problems, node->place,
                "%s cannot be %s, which has bits set below its length; did you mean %s?", key->name,
                quote(text).text, ip_prefix_format(&prefix, fixed));
    return true;
}

static bool prefix_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    const char *text = reading_scalar(r, node, key, type_prefix.wanted);
    if (!text)
        return false;
    int err = ip_prefix_parse(text, slot);
    if (!err || (err == ERR_INVALID && host_bits_report(r, node, key, text)))
        return !err;
    return reading_refuse(r, node, key, type_prefix.wanted);
}

static void prefix_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)/[0-9]+$");
}

const struct type type_prefix = {"a network such as 192.0.2.0/24 or 2001:db8::/32", prefix_read,
                                 prefix_schema};

static bool listen_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    struct config_listen *listen = slot;
    const char *text = reading_scalar(r, node, key, type_listen.wanted);
    if (!text)
        return false;
    if (ip_port_parse(text, &listen->ip, &listen->port) < 0 || !listen->port)
        return reading_refuse(r, node, key, type_listen.wanted);
    listen->place = node->place;
    return true;
}

static void listen_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^([0-9.]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]+$");
}

const struct type type_listen = {"an address and a port such as \"0.0.0.0:53\" or \"[::]:53\"",
                                 listen_read, listen_schema};

static bool server_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    enum { PORT = 53 };
    struct config_listen *server = slot;
    const char *text = reading_scalar(r, node, key, type_server.wanted);
    if (!text)
        return false;
    server->port = PORT;
    if ((ip_parse(text, &server->ip) && ip_port_parse(text, &server->ip, &server->port)) ||
        !server->port)
        return reading_refuse(r, node, key, type_server.wanted);
    server->place = node->place;
    return true;
}

static void server_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^([0-9.]+(:[0-9]+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|"
                        "\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+)$");
}

const struct type type_server = {"an address such as 192.0.2.53 or \"[2001:db8::53]:5353\"",
                                 server_read, server_schema};

/* 200 or 200-399 */
static bool status_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    int64_t low, high;
    char first[8] = "";
    const char *text = reading_scalar(r, node, key, type_status.wanted);
    if (!text)
        return false;
    const char *dash = strchr(text, '-');
    const char *last = dash ? dash + 1 : text;
    size_t length = dash ? (size_t)(dash - text) : node->count;
    if (length < sizeof first)
        memcpy(first, text, length);
    if (integer_parse(first, 100, 599, &low) < 0 || integer_parse(last, low, 599, &high) < 0)
        return reading_refuse(r, node, key, type_status.wanted);
    *(struct config_range *)slot = (struct config_range){(uint16_t)low, (uint16_t)high};
    return true;
}

static void status_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"anyOf\":[{\"type\":\"integer\",\"minimum\":100,\"maximum\":599},{");
    schema_pattern(out, "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$");
    text_append(out, "}]");
}

const struct type type_status = {"a status or a range from 100 to 599, such as 204 or 200-399",
                                 status_read, status_schema};

/* ---- locations ---- */

static const char continents[] = "AF AN AS EU NA OC SA ";
/* Codes that are a continent and a country: which of them is meant has to be said. */
static const char twofold[] = "AF AN AS NA SA ";
/* ISO 3166-1 alpha-2, and XK, which MaxMind's files use for Kosovo. */
static const char countries[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS "
    "BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC "
    "EE "
    "EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK "
    "HM "
    "HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB "
    "LC "
    "LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ "
    "NA "
    "NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU "
    "RW "
    "SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN "
    "TO "
    "TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ";

static bool is_listed(const char *list, const char *code)
{
    if (strlen(code) != 2)
        return false;
    for (; *list; list += 3)
        if (list[0] == code[0] && list[1] == code[1])
            return true;
    return false;
}

static bool is_subdivision(const char *code)
{
    size_t n = strlen(code);
    return n >= 1 && n <= 3 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

static bool location_text_read(struct reading *r, const struct tree *node, const struct key *key,
                               struct config_location *l)
{
    char country[3] = "";
    const char *text = reading_text(r, node, key, type_location.wanted, CONFIG_NAME_MAX);
    if (!text)
        return false;
    if (strcmp(text, "*") == 0)
        return true;
    if (is_listed(twofold, text)) {
        problem_add(r->problems, node->place,
                    "%s is both a continent and a country; write {continent: %s} or {country: %s}",
                    text, text, text);
        return false;
    }
    memcpy(country, text, node->count < 2 ? node->count : 2);
    if (is_listed(continents, text)) {
        memcpy(l->continent, text, 2);
        return true;
    }
    bool deep = text[2 * (node->count > 2)] == '-';
    if (is_listed(countries, country) && (node->count == 2 || (deep && is_subdivision(text + 3)))) {
        memcpy(l->country, country, 2);
        if (deep)
            memcpy(l->subdivision, text + 3, strlen(text + 3));
        return true;
    }
    if (strcmp(country, "UK") == 0) {
        problem_add(r->problems, node->place, "UK is not an ISO 3166 code; did you mean GB?");
        return false;
    }
    return reading_refuse(r, node, key, type_location.wanted);
}

struct draft_location {
    const char *continent, *country, *subdivision;
};

static const struct key location_keys[] = {
    {.name = "continent",
     .type = &type_text,
     .offset = offsetof(struct draft_location, continent),
     .help = "AF, AN, AS, EU, NA, OC or SA"},
    {.name = "country",
     .type = &type_text,
     .offset = offsetof(struct draft_location, country),
     .help = "ISO 3166-1 code of two letters"},
    {.name = "subdivision",
     .type = &type_text,
     .offset = offsetof(struct draft_location, subdivision),
     .help = "ISO 3166-2 code without its country: CA of US-CA"},
};

const struct shape shape_location = {
    .name = "location",
    .what = "location",
    .keys = location_keys,
    .key_count = array_length(location_keys),
    .rule = "\"oneOf\":[{\"required\":[\"continent\"]},{\"required\":[\"country\"]}]",
    .help = "A place, said in full. AF, AN, AS, NA and SA name a continent and a country: they are "
            "only taken "
            "in this form."};

static bool location_mapping_read(struct reading *r, const struct tree *node,
                                  struct config_location *l)
{
    struct draft_location d = {0};
    if (!shape_read(r, node, &shape_location, &d))
        return false;
    if (!d.continent == !d.country || (d.continent && d.subdivision)) {
        problem_add(
            r->problems, node->place,
            "a location is a continent, or a country with or without a subdivision; write one "
            "of them");
        return false;
    }
    if (d.continent && !is_listed(continents, d.continent))
        problem_add(r->problems, tree_get(node, "continent")->place,
                    "%s is not a continent; it wants AF, AN, AS, EU, NA, OC or SA",
                    quote(d.continent).text);
    else if (d.country && !is_listed(countries, d.country))
        problem_add(r->problems, tree_get(node, "country")->place,
                    "%s is not an ISO 3166 country; it wants two letters such as US",
                    quote(d.country).text);
    else if (d.subdivision && !is_subdivision(d.subdivision))
        problem_add(
            r->problems, tree_get(node, "subdivision")->place,
            "%s is not an ISO 3166 subdivision; it wants one to three letters or digits such as "
            "CA",
            quote(d.subdivision).text);
    else {
        snprintf(l->continent, sizeof l->continent, "%.2s", d.continent ? d.continent : "");
        snprintf(l->country, sizeof l->country, "%.2s", d.country ? d.country : "");
        snprintf(l->subdivision, sizeof l->subdivision, "%.3s", d.subdivision ? d.subdivision : "");
        return true;
    }
    return false;
}

static bool location_read(struct reading *r, const struct tree *node, const struct key *key,
                          void *slot)
{
    struct config_location l = {0};
    if (node->kind == TREE_MAPPING ? !location_mapping_read(r, node, &l)
                                   : !location_text_read(r, node, key, &l))
        return false;
    *(struct config_location *)slot = l;
    return true;
}

static void location_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"anyOf\":[{");
    schema_pattern(out, "^(\\\\*|[A-Z]{2}(-[A-Z0-9]{1,3})?)$");
    text_append(out, "},{\"$ref\":\"#/$defs/location\"}]");
}

const struct type type_location = {
    "\"*\", a continent (EU), a country (US) or a subdivision (US-CA) by its ISO 3166 code",
    location_read, location_schema};

/* ---- http ---- */

static const char url_address[] = "{address}";
enum { URL_ADDRESS_LENGTH = sizeof url_address - 1 };

/* The rest of a url after its host: an optional port, then a path or a query. NULL, or what is
 * wrong. */
static const char *url_rest_fault(const char *rest)
{
    char digits[8] = "";
    int64_t port;
    if (*rest == ':') {
        size_t n = strspn(++rest, "0123456789");
        memcpy(digits, rest, n < sizeof digits ? n : 0);
        if (integer_parse(digits, 1, 65535, &port) < 0)
            return "has no port from 1 to 65535 after the \":\"";
        rest += n;
    }
    if (*rest && *rest != '/' && *rest != '?')
        return "goes on after {address} with something that is neither a port nor a path";
    for (; *rest; rest++)
        if ((unsigned char)*rest <= ' ' || (unsigned char)*rest >= 0x7f ||
            strchr("{}\"<>\\^`|#", *rest))
            return "has a character in its path that has to be percent-encoded";
    return NULL;
}

static bool url_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    const char *text = reading_text(r, node, key, type_url.wanted, CONFIG_PATH_MAX);
    if (!text)
        return false;
    bool https = strncmp(text, "https://", 8) == 0, http = strncmp(text, "http://", 7) == 0;
    if (!https && (!http || strcmp(key->name, "https") == 0)) {
        problem_add(r->problems, node->place,
                    "%s cannot be %s; the url wants to start with %shttps://", key->name,
                    quote(text).text, strcmp(key->name, "https") ? "http:// or " : "");
        return false;
    }
    const char *host = text + (https ? 8 : 7), *fault = NULL;
    if (strncmp(host, url_address, URL_ADDRESS_LENGTH)) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(host, ":/?#@"), host);
        problem_add(r->problems, node->place,
                    "the url asks %s, but a check asks the address of its endpoint; write "
                    "\"%s://{address}/...\" and put the name under host",
                    *name ? quote(name).text : "nobody", https ? "https" : "http");
        return false;
    }
    fault = url_rest_fault(host + URL_ADDRESS_LENGTH);
    if (fault) {
        problem_add(r->problems, node->place, "the url %s; it wants %s", fault, type_url.wanted);
        return false;
    }
    *(const char **)slot = arena_string(r->keep, text, node->count);
    return true;
}

static void url_schema(const struct key *key, struct text *out)
{
    schema_pattern(out, strcmp(key->name, "https") ? "^https?://[{]address[}]"
                                                   : "^https://[{]address[}]");
}

const struct type type_url = {"a url such as \"https://{address}/healthz\"", url_read, url_schema};

/* A header's name: a token (RFC 9110 5.6.2), and none that the probe writes itself. */
static bool token_read(struct reading *r, const struct tree *node, const struct key *key,
                       void *slot)
{
    static const char alphabet[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const own[] = {"host", "connection", "content-length", "transfer-encoding"};
    const char *text = reading_text(r, node, key, type_token.wanted, CONFIG_NAME_MAX);
    if (!text)
        return false;
    if (strspn(text, alphabet) != node->count)
        return reading_refuse(r, node, key, type_token.wanted);
    for (size_t i = 0; i < array_length(own); i++) {
        if (strcasecmp(text, own[i]))
            continue;
        problem_add(r->problems, node->place, "the header %s is written by the probe itself; %s",
                    text, i ? "leave it out" : "use the key host of the check");
        return false;
    }
    *(const char **)slot = arena_string(r->keep, text, node->count);
    return true;
}

const struct type type_token = {"a header name such as X-Probe", token_read, NULL};

/* A header's value: reading_text refuses CR and LF, so nothing can be injected. */
static bool field_value_read(struct reading *r, const struct tree *node, const struct key *key,
                             void *slot)
{
    const char *text = reading_text(r, node, key, type_field_value.wanted, CONFIG_PATH_MAX);
    if (!text)
        return false;
    if (text[0] == ' ' || text[node->count - 1] == ' ')
        return reading_refuse(r, node, key, type_field_value.wanted);
    *(const char **)slot = arena_string(r->keep, text, node->count);
    return true;
}

static void field_value_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"type\":\"string\",\"minLength\":1");
}

const struct type type_field_value = {"the text of one header line, no space around it",
                                      field_value_read, field_value_schema};
