/* `dnssec` of a zone: on, off, or how. */
#include "model/config_table.h"
#include <string.h>

#define AT(field) offsetof(struct draft_dnssec, field)

enum { RSASHA256 = 8, ECDSAP256SHA256 = 13, ED25519 = 15 };

static const struct choice algorithms[] = {{"ecdsap256sha256", ECDSAP256SHA256},
                                           {"ed25519", ED25519},
                                           {"rsasha256", RSASHA256},
                                           {NULL, 0}};
static const struct choice layouts[] = {{"csk", false}, {"split", true}, {NULL, 0}};
static const struct choice denials[] = {{"nsec", false}, {"nsec3", true}, {NULL, 0}};

static const struct key dnssec_keys[] = {
    {"algorithm", &type_choice, AT(algorithm), .detail = algorithms, .standard = "ecdsap256sha256",
     .help = "of the keys that are made"},
    {"keys", &type_choice, AT(split), .detail = layouts, .standard = "csk",
     .help = "csk: one key for all; split: a KSK that the parent knows and a ZSK that is rolled "
             "without it"},
    {"denial", &type_choice, AT(nsec3), .detail = denials, .standard = "nsec",
     .help = "how it is proved that a name does not exist; nsec3 hides names a little (RFC 9276: "
             "no salt, no iterations)"},
    {"lifetime", &type_duration, AT(dnssec.lifetime), .min = USEC_PER_HOUR,
     .max = 365 * USEC_PER_DAY, .standard = "14d", .help = "how long a signature is valid"},
    {"refresh", &type_duration, AT(dnssec.refresh), .min = USEC_PER_MIN, .max = 180 * USEC_PER_DAY,
     .help = "a signature with less left is made anew; at most half of lifetime; default a quarter "
             "of it"},
    {"dnskey_ttl", &type_duration, AT(dnssec.dnskey_ttl), .min = USEC_PER_SEC,
     .max = 7 * USEC_PER_DAY, .standard = "1h", .help = "TTL of the DNSKEY set"},
    {"ds_ttl", &type_duration, AT(dnssec.ds_ttl), .min = USEC_PER_SEC, .max = 30 * USEC_PER_DAY,
     .standard = "1d", .help = "TTL that the parent gives the DS set: how long rollovers wait"},
    {"propagation", &type_duration, AT(dnssec.propagation), .min = 0, .max = 7 * USEC_PER_DAY,
     .standard = "5m", .help = "time until every server of the zone answers with a change"},
    {"zsk_lifetime", &type_duration, AT(dnssec.zsk_lifetime), .min = USEC_PER_HOUR,
     .max = 3650 * USEC_PER_DAY, .standard = "90d",
     .help = "keys: split: the ZSK is rolled after this"},
};

const struct shape shape_dnssec = {.name = "dnssec",
                                   .what = "dnssec",
                                   .keys = dnssec_keys,
                                   .key_count = array_length(dnssec_keys),
                                   .help = "How a zone is signed; on means all defaults."};

/* on and off are also what some editors write as true and false. */
static bool is_word(const struct tree *node, const char *word, const char *boolean)
{
    return node->kind == TREE_SCALAR &&
           (strcmp(node->text, word) == 0 || (!node->quoted && strcmp(node->text, boolean) == 0));
}

static bool bounds_check(struct reading *r, const struct tree *node, struct config_dnssec *d)
{
    const struct tree *refresh = tree_get(node, "refresh");
    if (!refresh)
        d->refresh = d->lifetime / 4;
    if (d->refresh <= d->lifetime / 2)
        return true;
    problem_add(r->problems, refresh->place,
                "refresh is more than half of lifetime; signatures would be made anew all the "
                "time: make it at most half");
    return false;
}

static bool dnssec_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    static const struct tree nothing = {.kind = TREE_MAPPING};
    struct draft_dnssec d = {0};
    bool off = is_word(node, "off", "false"), word = off || is_word(node, "on", "true");
    if (node->kind != TREE_MAPPING && !word)
        return reading_refuse(r, node, key, type_dnssec.wanted);
    /* Defaults also where it is off: a zone that was signed goes on being so for a while. */
    const struct tree *said = word ? &nothing : node;
    if (!shape_read(r, said, &shape_dnssec, &d) || !bounds_check(r, said, &d.dnssec))
        return false;
    d.dnssec.on = !off;
    d.dnssec.algorithm = (uint8_t)d.algorithm;
    d.dnssec.split = d.split;
    d.dnssec.nsec3 = d.nsec3;
    *(struct draft_dnssec *)slot = d;
    return true;
}

static void dnssec_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out,
                "\"anyOf\":[{\"enum\":[\"on\",\"off\",true,false]},{\"$ref\":\"#/$defs/dnssec\"}]");
}

const struct type type_dnssec = {"on, off, or {algorithm: ..., keys: ..., ...}", dnssec_read,
                                 dnssec_schema};
