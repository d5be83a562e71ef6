#include "model/config_table.h"

#include "base/log.h"
#include "wire/dns.h"

#define AT(type, field) offsetof(struct type, field)
#define LENGTH          array_length
#define NAME_PATTERN    "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

const struct list_of listens = {
    .element = {.name = "listen", .type = &type_listen, .offset = AT(draft_listen, listen)},
    .size = sizeof(struct draft_listen),
    .headed = true,
    .alone = true};

static const struct list_of interfaces = {
    .element = {.name = "interface", .type = &type_label}, .size = sizeof(char *), .alone = true};

static const struct list_of resolvers = {
    .element = {.name = "resolver", .type = &type_server, .offset = AT(draft_listen, listen)},
    .size = sizeof(struct draft_listen),
    .headed = true,
    .alone = true};

/* ---- this node ---- */

static const struct key node_keys[] = {
    {"name", &type_label, AT(draft_root, node.name), .required = true, .help = "this node's name"},
    {"site", &type_label, AT(draft_root, node.site), .required = true,
     .help = "where it stands: nodes of one site fail together"},
    {"network", &type_label, AT(draft_root, node.network), .required = true,
     .help = "whose network it is in, such as AS64500: votes count once per network"},
    {"data", &type_path, AT(draft_root, node.data), .standard = "/var/lib/holdfast",
     .help = "folder of its plans, zones, orders and sockets"},
    {"user", &type_text, AT(draft_root, node.user),
     .help = "account that it runs as after start; default holdfast if there is one, else nobody"},
    {"resolvers", &type_list, AT(draft_root, node.resolvers), .min = 1, .max = CONFIG_RESOLVERS_MAX,
     .detail = &resolvers,
     .help = "name servers that resolve the hostnames of endpoints for this node, asked in turn; "
             "default those of /etc/resolv.conf"},
};

static const struct shape shape_node = {"node", "node", node_keys, LENGTH(node_keys),
                                        .help = "The host that this file is for."};

static const struct key dns_keys[] = {
    {"listen", &type_list, AT(draft_root, dns.listen), .min = 1, .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[\"0.0.0.0:53\", \"[::]:53\"]",
     .help = "where queries are taken, over UDP and TCP"},
    {"xdp", &type_list, AT(draft_root, dns.xdp), .max = CONFIG_XDP_MAX, .detail = &interfaces,
     .standard = "[]",
     .help = "interfaces whose UDP queries are read as raw packets (AF_XDP), past the kernel's "
             "network stack and its firewall; where that cannot be, sockets serve"},
    {"threads", &type_integer, AT(draft_root, dns.threads), .min = 0, .max = 256, .standard = "0",
     .help = "worker threads; 0 is one per core"},
    {"udp_size", &type_integer, AT(draft_root, dns.udp_size), .min = 512, .max = 4096,
     .standard = "1232", .help = "EDNS size offered, and the most bytes sent over UDP"},
    {"client_subnet", &type_bool, AT(draft_root, dns.client_subnet), .standard = "true",
     .help = "use the client's network where the resolver tells it (RFC 7871)"},
    {"tcp", &type_mapping, 0, .detail = &shape_tcp, .standard = "{}", .help = "limits over TCP"},
    {"tls", &type_mapping, 0, .detail = &shape_tls, .standard = "{}", .help = "DNS over TLS"},
    {"proxy", &type_mapping, 0, .detail = &shape_proxy, .standard = "{}",
     .help = "queries that proxies pass on"},
    {"nsid", &type_nsid, AT(draft_root, dns.answers.nsid),
     .help = "what this node calls itself to clients that ask with NSID (RFC 5001); nothing "
             "without"},
    {"chaos", &type_mapping, 0, .detail = &shape_chaos, .standard = "{}",
     .help = "what it says of itself in the class CHAOS"},
    {"cookies", &type_mapping, 0, .detail = &shape_cookies, .standard = "{}",
     .help = "DNS cookies"},
    {"stale_after", &type_duration, AT(draft_root, dns.answers.stale_after), .min = USEC_PER_SEC,
     .max = USEC_PER_DAY, .standard = "1m",
     .help = "when health has not been looked at for so long, since control is not running, "
             "steered answers say so to clients with EDNS (RFC 8914, Stale Answer)"},
    {"rrl", &type_mapping, 0, .detail = &shape_rrl, .standard = "{}",
     .help = "response rate limiting"},
};

static const struct shape shape_dns = {"dns", "dns", dns_keys, LENGTH(dns_keys),
                                       .help = "The authoritative name server."};

static const struct key tell_keys[] = {
    {"listen", &type_list, AT(draft_root, tell.listen), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[\"127.0.0.1:8080\"]",
     .help = "where metrics and health are served over HTTP; [] for nowhere"},
};

static const struct shape shape_tell = {"tell", "tell", tell_keys, LENGTH(tell_keys),
                                        .help = "Metrics and status over HTTP."};

static const struct choice log_formats[] = {
    {"logfmt", CONFIG_LOG_LOGFMT}, {"json", CONFIG_LOG_JSON}, {NULL, 0}};
static const struct choice log_levels[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL, 0}};

static const struct key log_keys[] = {
    {"format", &type_choice, AT(draft_root, log.format), .detail = log_formats,
     .standard = "logfmt", .help = "how a line is written"},
    {"level", &type_choice, AT(draft_root, log.level), .detail = log_levels, .standard = "info",
     .help = "the least grave event that is written"},
};

static const struct shape shape_log = {"log", "log", log_keys, LENGTH(log_keys),
                                       .help = "Log lines, on standard error."};

static const struct key geo_keys[] = {
    {"database", &type_path, AT(draft_root, geo.database), .required = true,
     .help = "a MaxMind DB file with countries, such as GeoLite2-City.mmdb"},
};

static const struct shape shape_geo = {"geo", "geo", geo_keys, LENGTH(geo_keys),
                                       .help = "Where addresses are, for policy geolocation."};

static const struct key verdict_keys[] = {
    {"rounds", &type_integer, AT(draft_root, verdict.rounds), .min = 1, .max = 100, .standard = "2",
     .help =
         "failures in a row until one node votes that an endpoint is down; a node that is alone "
         "goes by the check's fall"},
    {"networks", &type_integer, AT(draft_root, verdict.networks), .min = 1, .max = 64,
     .standard = "2",
     .help = "how many networks have to agree at the least, beside being the most of those that "
             "vote; where there are fewer, all of them. 1: a node cut off from the others goes on "
             "deciding"},
    {"references", &type_name, AT(draft_root, verdict.references),
     .help =
         "a service of this file whose endpoints every node must be able to reach, at providers "
         "of their own: a node that fails most of them votes for nothing"},
};

static const struct shape shape_verdict = {
    "verdict", "verdict", verdict_keys, LENGTH(verdict_keys),
    .help = "How several nodes come to one verdict about an endpoint."};

/* ---- zones and networks ---- */

static const struct choice expiries[] = {{"rfc", EXPIRE_RFC}, {"keep", EXPIRE_KEEP}, {NULL, 0}};

static const struct choice catalogs[] = {{"none", CATALOG_NONE},
                                         {"consume", CATALOG_CONSUME},
                                         {"generate", CATALOG_GENERATE},
                                         {NULL, 0}};
static const struct choice serials[] = {{"file", SERIAL_FILE},
                                        {"increment", SERIAL_INCREMENT},
                                        {"unixtime", SERIAL_UNIXTIME},
                                        {"date", SERIAL_DATE},
                                        {NULL, 0}};

static const struct choice zonemds[] = {{"verify", ZONEMD_VERIFY},
                                        {"ignore", ZONEMD_IGNORE},
                                        {"require", ZONEMD_REQUIRE},
                                        {"generate", ZONEMD_GENERATE},
                                        {NULL, 0}};

static const struct key group_keys[] = {
    {"primaries", &type_list, AT(draft_zone, primaries), .min = 1, .max = CONFIG_PRIMARIES_MAX,
     .detail = &primaries, .help = "name servers that the members come from"},
    {"expire", &type_choice, AT(draft_zone, expire), .detail = expiries, .help = "as of a zone"},
    {"accept_shrink", &type_bool, AT(draft_zone, accept_shrink), .help = "as of a zone"},
    {"max_records", &type_integer, AT(draft_zone, records_max), .min = 10, .max = 1 << 26,
     .help = "as of a zone"},
    {"max_bytes", &type_integer, AT(draft_zone, bytes_max), .min = 65536, .max = 1 << 30,
     .help = "as of a zone"},
    {"serial", &type_choice, AT(draft_zone, serial), .detail = serials, .help = "as of a zone"},
    {"dnssec", &type_dnssec, AT(draft_zone, dnssec), .help = "on, or how to sign the members"},
    {"transfer", &type_mapping, AT(draft_zone, transfer), .detail = &shape_transfer,
     .help = "who may have the members, and who is told of changes"},
    {"forward_updates", &type_list, AT(draft_zone, forward), .min = 1, .max = 1000,
     .detail = &update_networks, .help = "as of a zone"},
};

static const struct shape shape_group = {
    "catalog_group", "group", group_keys, LENGTH(group_keys),
    .help = "Settings of a catalog's members that are in a group. What is not said is as the "
            "catalog's own entry has it."};

static const struct names_of groups = {
    .element = {.name = "group", .type = &type_mapping, .detail = &shape_group},
    .size = sizeof(struct draft_zone),
    .label = {.name = "a group's name", .type = &type_label, .offset = AT(draft_zone, name)},
    .schema_name = NAME_PATTERN};

static const struct key zone_keys[] = {
    {"name", &type_name, AT(draft_zone, name), .required = true, .help = "the zone's origin"},
    {"file", &type_path, AT(draft_zone, file),
     .help = "its master file (RFC 1035); a relative path starts at this file's folder"},
    {"primaries", &type_list, AT(draft_zone, primaries), .min = 1, .max = CONFIG_PRIMARIES_MAX,
     .detail = &primaries,
     .help = "instead of file: name servers that the zone comes from, asked in turn"},
    {"expire", &type_choice, AT(draft_zone, expire), .detail = expiries, .standard = "rfc",
     .help = "once no primary was reached for as long as its SOA says: rfc = SERVFAIL, keep = "
             "served on"},
    {"catalog", &type_choice, AT(draft_zone, catalog), .detail = catalogs, .standard = "none",
     .help =
         "consume: it is a list of zones (RFC 9432), which come from the same primaries and "
         "are transferred to the same others; generate: it is made, of the zones that name it as "
         "catalog_zone"},
    {"accept_shrink", &type_bool, AT(draft_zone, accept_shrink), .standard = "false",
     .help = "a transfer may take a third of its names away without being asked about"},
    {"max_records", &type_integer, AT(draft_zone, records_max), .min = 10, .max = 1 << 26,
     .standard = "10000000", .help = "most records of one transfer"},
    {"max_bytes", &type_integer, AT(draft_zone, bytes_max), .min = 65536, .max = 1 << 30,
     .standard = "1073741824", .help = "most bytes of one transfer"},
    {"catalog_groups", &type_names, AT(draft_zone, groups), .max = 100, .detail = &groups,
     .help = "of a catalog that is consumed: settings for members by their group property"},
    {"catalog_zone", &type_name, AT(draft_zone, catalog_zone),
     .help = "the catalog that lists this zone"},
    {"catalog_next", &type_name, AT(draft_zone, catalog_next),
     .help = "the catalog that may take it over: told in the one that lists it (coo, RFC 9432 "
             "4.3.1)"},
    {"catalog_before", &type_name, AT(draft_zone, catalog_before),
     .help = "the catalog that it is taken over from, and that lists it still"},
    {"catalog_group", &type_label, AT(draft_zone, catalog_group),
     .help = "the group property there: which settings a consumer gives it"},
    {"serial", &type_choice, AT(draft_zone, serial), .detail = serials, .standard = "file",
     .help = "which SOA serial a changed zone gets; file: the text's where that is newer, else one "
             "more; date: YYYYMMDDnn; a generated catalog: unixtime where nothing is said"},
    {"zonemd", &type_choice, AT(draft_zone, zonemd), .detail = zonemds, .standard = "verify",
     .help = "the digest of the whole zone (RFC 8976); verify: where it has one of a known kind, "
             "that has to match, or the zone is not taken; require: and there has to be one; "
             "generate: it is made here"},
    {"dnssec", &type_dnssec, AT(draft_zone, dnssec), .standard = "off",
     .help = "on, or how to sign it: keys are made at first use, in node.data/keys"},
    {"transfer", &type_mapping, AT(draft_zone, transfer), .detail = &shape_transfer,
     .standard = "{}", .help = "who may have it whole, and who is told of changes"},
    {"update", &type_mapping, AT(draft_zone, update), .detail = &shape_update,
     .help = "who may change it with DNS UPDATE (RFC 2136); nobody where this is not said"},
    {"forward_updates", &type_list, AT(draft_zone, forward), .min = 1, .max = 1000,
     .detail = &update_networks,
     .help = "networks whose signed DNS UPDATE messages are passed on to its primaries, as they "
             "came (RFC 2136 6); none where this is not said"},
};

static const struct shape shape_zone = {
    "zone",
    "zone",
    zone_keys,
    LENGTH(zone_keys),
    .rule = "\"oneOf\":[{\"required\":[\"file\"]},{\"required\":[\"primaries\"]},"
            "{\"required\":[\"catalog\"],\"properties\":{\"catalog\":{\"const\":\"generate\"}}}]",
    .help = "A zone that is answered with authority."};

static const struct list_of zones = {
    .element = {.name = "zone", .type = &type_mapping, .detail = &shape_zone},
    .size = sizeof(struct draft_zone),
    .headed = true};

static const struct list_of prefixes = {
    .element = {.name = "network", .type = &type_prefix, .offset = AT(draft_prefix, prefix)},
    .size = sizeof(struct draft_prefix),
    .headed = true,
    .alone = true};

static const struct names_of collections = {.element = {.name = "collection",
                                                        .type = &type_list,
                                                        .offset = AT(draft_collection, prefixes),
                                                        .min = 1,
                                                        .detail = &prefixes},
                                            .size = sizeof(struct draft_collection),
                                            .label = {.name = "a collection's name",
                                                      .type = &type_label,
                                                      .offset = AT(draft_collection, name)},
                                            .schema_name = NAME_PATTERN};

static const struct names_of region_latencies = {
    .element = {.name = "latency",
                .type = &type_duration,
                .offset = AT(draft_region_latency, latency),
                .min = 1,
                .max = USEC_PER_MIN},
    .size = sizeof(struct draft_region_latency),
    .label = {.name = "a region's name",
              .type = &type_label,
              .offset = AT(draft_region_latency, region)},
    .schema_name = NAME_PATTERN};

static const struct names_of latencies = {
    .element = {.name = "latency",
                .type = &type_names,
                .offset = AT(draft_latency, regions),
                .detail = &region_latencies},
    .size = sizeof(struct draft_latency),
    .label = {.name = "a network", .type = &type_prefix, .offset = AT(draft_latency, network)},
    .schema_name = "^[0-9A-Fa-f:.]+/[0-9]+$"};

/* ---- checks ---- */

static const struct choice record_types[] = {
    {"A", DNS_A},   {"AAAA", DNS_AAAA}, {"CNAME", DNS_CNAME}, {"NS", DNS_NS},   {"SOA", DNS_SOA},
    {"MX", DNS_MX}, {"TXT", DNS_TXT},   {"SRV", DNS_SRV},     {"PTR", DNS_PTR}, {"CAA", DNS_CAA},
    {NULL, 0}};

static const struct key dns_query_keys[] = {
    {"query", &type_name, AT(draft_check, dns.query), .required = true, .help = "the name asked"},
    {"type", &type_choice, AT(draft_check, dns.type), .detail = record_types, .standard = "A",
     .help = "the record type asked"},
    {"expect", &type_ip, AT(draft_check, expect),
     .help = "an address that has to be in the answer; default any answer with NOERROR"},
    {"port", &type_integer, AT(draft_check, dns.port), .min = 1, .max = 65535, .standard = "53",
     .help = "UDP port asked"},
};

static const struct shape shape_dns_query = {"dns_check", "dns", dns_query_keys,
                                             LENGTH(dns_query_keys),
                                             .help = "What a dns check asks the endpoint."};

static const struct names_of headers = {
    .element = {.name = "a header", .type = &type_field_value, .offset = AT(draft_header, value)},
    .size = sizeof(struct draft_header),
    .label = {.name = "a header's name", .type = &type_token, .offset = AT(draft_header, name)},
    .schema_name = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"};

static const struct list_of statuses = {.element = {.name = "status", .type = &type_status},
                                        .size = sizeof(struct config_range),
                                        .alone = true};

static const struct key check_keys[] = {
    {"tcp", &type_integer, AT(draft_check, tcp), .min = 1, .max = 65535,
     .help = "kind tcp: connect to this port"},
    {"tls", &type_integer, AT(draft_check, tls), .min = 1, .max = 65535,
     .help = "kind tls: connect to this port and shake hands"},
    {"http", &type_url, AT(draft_check, http),
     .help = "kind http or https by the url's scheme: GET it; {address} stands for the endpoint's "
             "address"},
    {"https", &type_url, AT(draft_check, https), .help = "the same, for https:// only"},
    {"icmp", &type_true, AT(draft_check, icmp), .help = "kind icmp: an echo request"},
    {"dns", &type_mapping, 0, .detail = &shape_dns_query,
     .help = "kind dns: ask the endpoint a name"},
    {"host", &type_field_value, AT(draft_check, check.host),
     .help = "http, https: the Host header; default the address"},
    {"sni", &type_name, AT(draft_check, check.sni),
     .help = "tls, https: the name sent and verified; default host, else the address is verified"},
    {"headers", &type_names, AT(draft_check, headers), .max = CONFIG_HEADERS_MAX,
     .detail = &headers, .help = "http, https: more request headers"},
    {"status", &type_list, AT(draft_check, status), .min = 1, .max = 32, .detail = &statuses,
     .help = "http, https: what counts as success; default 200-399"},
    {"body", &type_text, AT(draft_check, check.body), .max = CONFIG_BODY_MAX,
     .help = "http, https: text that has to be in the first 5120 bytes of the body"},
    {"verify", &type_bool, AT(draft_check, check.verify), .standard = "true",
     .help = "tls, https: check the certificate's chain, name and dates"},
    {"ca", &type_path, AT(draft_check, check.ca),
     .help = "tls, https: file with the trusted certificates; default the system's"},
    {"interval", &type_duration, AT(draft_check, check.interval), .min = 100 * USEC_PER_MSEC,
     .max = USEC_PER_HOUR, .standard = "1s", .help = "time from one probe to the next"},
    {"timeout", &type_duration, AT(draft_check, check.timeout), .min = 10 * USEC_PER_MSEC,
     .max = USEC_PER_HOUR,
     .help =
         "a probe without a result by then has failed; at most the interval; default the smaller "
         "of interval and 1s"},
    {"rise", &type_integer, AT(draft_check, check.rise), .min = 1, .max = 100, .standard = "2",
     .help = "successes in a row until the endpoint counts as up"},
    {"fall", &type_integer, AT(draft_check, check.fall), .min = 1, .max = 100, .standard = "3",
     .help = "failures in a row until the endpoint counts as down"},
    {"hold_down", &type_duration, AT(draft_check, check.hold_down), .min = 0, .max = USEC_PER_DAY,
     .standard = "5s", .help = "an endpoint that went down stays down at least this long"},
    {"expiry_warn", &type_duration, AT(draft_check, check.expiry_warn), .min = 0,
     .max = 3650 * USEC_PER_DAY, .standard = "14d",
     .help = "tls, https: warn when the certificate ends sooner than this"},
};

static const struct shape shape_check = {
    "check",
    "check",
    check_keys,
    LENGTH(check_keys),
    .rule =
        "\"oneOf\":[{\"required\":[\"tcp\"]},{\"required\":[\"tls\"]},{\"required\":[\"http\"]},"
        "{\"required\":[\"https\"]},{\"required\":[\"icmp\"]},{\"required\":[\"dns\"]}]",
    .help = "How to probe; the address comes from the endpoint that names the check."};

static const struct names_of checks = {
    .element = {.name = "check", .type = &type_mapping, .detail = &shape_check},
    .size = sizeof(struct draft_check),
    .label = {.name = "a check's name", .type = &type_label, .offset = AT(draft_check, check.name)},
    .schema_name = NAME_PATTERN};

/* ---- services ---- */

static const struct choice roles[] = {
    {"primary", ROLE_PRIMARY}, {"secondary", ROLE_SECONDARY}, {NULL, 0}};

static const struct list_of locations = {.element = {.name = "location", .type = &type_location},
                                         .size = sizeof(struct config_location),
                                         .alone = true};

static const struct list_of references = {
    .element = {.name = "collection", .type = &type_text, .offset = AT(draft_reference, name)},
    .size = sizeof(struct draft_reference),
    .headed = true,
    .alone = true};

static const struct key endpoint_keys[] = {
    {"name", &type_label, AT(draft_endpoint, endpoint.name), .required = true,
     .help = "unique in its service; orders are given by it"},
    {"address", &type_addresses, AT(draft_endpoint, addresses), .help = "where it is"},
    {"hostname", &type_name, AT(draft_endpoint, endpoint.hostname),
     .help = "a name under which others find it: resolved, and what it leads to probed with the "
             "same check; told, and never decides about answers"},
    {"service", &type_name, AT(draft_endpoint, service),
     .help = "instead of an address: another service of this file that it stands for"},
    {"region", &type_label, AT(draft_endpoint, endpoint.region),
     .help = "the cloud region it stands in; policy latency needs it"},
    {"provider", &type_label, AT(draft_endpoint, endpoint.provider), .help = "whose cloud it is"},
    {"role", &type_choice, AT(draft_endpoint, role), .detail = roles,
     .help = "policy failover: which one answers first"},
    {"weight", &type_integer, AT(draft_endpoint, endpoint.weight), .min = 0, .max = 255,
     .standard = "1", .help = "policy weighted: its share; 0 is answered only when all are 0"},
    {"capacity", &type_capacity, AT(draft_endpoint, endpoint.capacity),
     .help = "requests per second it can take; default equal shares"},
    {"check", &type_label, AT(draft_endpoint, check),
     .help = "how it is probed; without one it counts as healthy"},
    {"locations", &type_list, AT(draft_endpoint, locations), .min = 1, .max = 1000,
     .detail = &locations,
     .help = "policy geolocation: whose clients it answers; \"*\" for all others"},
    {"collections", &type_list, AT(draft_endpoint, collections), .min = 1, .max = 1000,
     .detail = &references,
     .help = "policy ip_based: whose clients it answers; \"*\" for all others"},
};

static const struct shape shape_endpoint = {
    "endpoint",
    "endpoint",
    endpoint_keys,
    LENGTH(endpoint_keys),
    .rule = "\"oneOf\":[{\"required\":[\"address\"]},{\"required\":[\"service\"]}]",
    .help = "One place where a service is to be found."};

static const struct list_of endpoints = {
    .element = {.name = "endpoint", .type = &type_mapping, .detail = &shape_endpoint},
    .size = sizeof(struct draft_endpoint),
    .headed = true};

static const struct choice policies[] = {
    {"simple", POLICY_SIMPLE},           {"failover", POLICY_FAILOVER},
    {"weighted", POLICY_WEIGHTED},       {"latency", POLICY_LATENCY},
    {"geolocation", POLICY_GEOLOCATION}, {"ip_based", POLICY_IP_BASED},
    {"multivalue", POLICY_MULTIVALUE},   {NULL, 0}};

static const struct choice unreadies[] = {{"exclude", false}, {"include", true}, {NULL, 0}};

static const struct key service_keys[] = {
    {"name", &type_name, AT(draft_service, service.name), .required = true,
     .help =
         "the domain name that is steered; only others' endpoints refer to one outside every zone"},
    {"policy", &type_choice, AT(draft_service, policy), .detail = policies, .standard = "simple",
     .help = "how one healthy endpoint is chosen among several"},
    {"ttl", &type_ttl, AT(draft_service, ttl), .standard = "30s",
     .help =
         "the most a resolver may keep an answer, or {min, max}: the TTL is lowered towards min "
         "while the answer may change soon"},
    {"endpoints", &type_list, AT(draft_service, endpoints), .required = true, .min = 1,
     .max = CONFIG_ENDPOINTS_MAX, .detail = &endpoints, .help = "where it is to be found"},
    {"when_all_down", &type_all_down, AT(draft_service, all_down), .standard = "preferred",
     .help = "what is answered while every endpoint looks dead: as if all were healthy, the set "
             "that was last "
             "healthy, nothing, or a CNAME"},
    {"velocity", &type_velocity, AT(draft_service, velocity),
     .standard = "{\"remove\": \"50%\", \"window\": \"60s\"}",
     .help = "how much capacity checks may remove in how short a time; off for no limit"},
    {"unready", &type_choice, AT(draft_service, unready), .detail = unreadies,
     .standard = "exclude",
     .help = "may an endpoint that was never seen healthy be answered beside healthy ones"},
};

static const struct shape shape_service = {"service", "service", service_keys, LENGTH(service_keys),
                                           .help = "A name whose answer follows health."};

static const struct list_of services = {
    .element = {.name = "service", .type = &type_mapping, .detail = &shape_service},
    .size = sizeof(struct draft_service),
    .headed = true};

/* ---- the file ---- */

static const struct key root_keys[] = {
    {"node", &type_mapping, 0, .required = true, .detail = &shape_node, .help = "this host"},
    {"dns", &type_mapping, 0, .detail = &shape_dns, .standard = "{}", .help = "the name server"},
    {"tell", &type_mapping, 0, .detail = &shape_tell, .standard = "{}",
     .help = "metrics and status"},
    {"mesh", &type_mapping, 0, .detail = &shape_mesh, .standard = "{}",
     .help = "links to the other nodes of the cluster"},
    {"api", &type_mapping, 0, .detail = &shape_api, .standard = "{}",
     .help = "the API for operators' tools"},
    {"log", &type_mapping, 0, .detail = &shape_log, .standard = "{}", .help = "log lines"},
    {"geo", &type_mapping, 0, .detail = &shape_geo, .help = "where addresses are"},
    {"verdict", &type_mapping, 0, .detail = &shape_verdict, .standard = "{}",
     .help = "how several nodes come to one verdict"},
    {"zones", &type_list, AT(draft_root, zones), .min = 1, .max = CONFIG_ZONES_MAX,
     .detail = &zones, .help = "the zones answered, beside those that nodes share"},
    {"tsig", &type_names, AT(draft_root, tsigs), .max = CONFIG_KEYS_MAX, .detail = &tsigs,
     .help = "named keys that sign messages between name servers"},
    {"collections", &type_names, AT(draft_root, collections), .max = CONFIG_COLLECTIONS_MAX,
     .detail = &collections, .help = "named lists of networks, for policy ip_based"},
    {"latency", &type_names, AT(draft_root, latencies), .detail = &latencies,
     .help = "for policy latency: network of clients -> region -> measured latency; the longest "
             "network "
             "that holds the client counts"},
    {"sites", &type_names, AT(draft_root, sites), .max = CONFIG_SITES_MAX, .detail = &sites,
     .help = "where the sites of nodes stand, the same on every node: clients whom neither a "
             "collection nor the table latency knows are near the nearest, within 3,000 km"},
    {"checks", &type_names, AT(draft_root, checks), .max = CONFIG_CHECKS_MAX, .detail = &checks,
     .help = "named ways to probe"},
    {"services", &type_list, AT(draft_root, services), .max = CONFIG_SERVICES_MAX,
     .detail = &services, .help = "the steered names"},
};

const struct shape shape_root = {"file", "configuration", root_keys, LENGTH(root_keys)};

const struct shape *const config_shapes[] = {
    &shape_node,    &shape_dns,      &shape_tcp,      &shape_tell,         &shape_log,
    &shape_geo,     &shape_zone,     &shape_check,    &shape_dns_query,    &shape_service,
    &shape_ttl,     &shape_velocity, &shape_fallback, &shape_endpoint,     &shape_location,
    &shape_dnssec,  &shape_transfer, &shape_update,   &shape_rule,         &shape_tsig,
    &shape_chaos,   &shape_cookies,  &shape_rrl,      &shape_tls,          &shape_proxy,
    &shape_verdict, &shape_mesh,     &shape_api,      &shape_api_endpoint, &shape_group,
    &shape_api_tls, &shape_site};
const size_t config_shape_count = LENGTH(config_shapes);
