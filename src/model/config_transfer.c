/* Zone transfers: TSIG keys, who may have a zone, and who is told of changes. */
#include "base/err.h"
#include "model/config_link.h"
#include "wire/tsig.h"
#include <string.h>

#define AT(type, field) offsetof(struct type, field)

/* ---- keys ---- */

static const struct choice algorithms[] = {{"hmac-sha224", TSIG_SHA224},
                                           {"hmac-sha256", TSIG_SHA256},
                                           {"hmac-sha384", TSIG_SHA384},
                                           {"hmac-sha512", TSIG_SHA512},
                                           {NULL, 0}};

static bool secret_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    struct tsig_key scratch;
    const char *text = node->kind == TREE_SCALAR ? node->text : "";
    if (tsig_secret_parse(text, &scratch) == 0) {
        *(const char **)slot = arena_string(r->keep, text, strlen(text));
        return true;
    }
    /* not repeated: a secret with a slip is still a secret */
    problem_add(r->problems, node->place, "%s is not a key; it wants %s", key->name,
                type_secret.wanted);
    return false;
}

static void secret_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[A-Za-z0-9+/]+={0,2}$");
}

const struct type type_secret = {"1 to 128 bytes in base64", secret_read, secret_schema};

static const struct key tsig_keys[] = {
    {"algorithm", &type_choice, AT(draft_tsig, algorithm), .detail = algorithms,
     .standard = "hmac-sha256", .help = "the hash; the other side says the same"},
    {"secret", &type_secret, AT(draft_tsig, secret),
     .help = "the key in base64; whoever reads this file knows it"},
    {"file", &type_path, AT(draft_tsig, file),
     .help = "instead of secret: a file that holds it, closed to others"},
};

const struct shape shape_tsig = {
    "tsig",
    "tsig key",
    tsig_keys,
    array_length(tsig_keys),
    .rule = "\"oneOf\":[{\"required\":[\"secret\"]},{\"required\":[\"file\"]}]",
    .help = "A key that signs messages between name servers (TSIG, RFC 8945)."};

const struct names_of tsigs = {
    .element = {.name = "tsig key", .type = &type_mapping, .detail = &shape_tsig},
    .size = sizeof(struct draft_tsig),
    .label = {.name = "a key's name", .type = &type_name, .offset = AT(draft_tsig, name)},
    .schema_name = "^[A-Za-z0-9_*.-]+$"};

/* ---- peers ---- */

/* "192.0.2.1", "192.0.2.1:53", "[2001:db8::1]:53", each with " key NAME" behind it. */
static bool peer_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    struct draft_peer *peer = slot;
    char address[IP_PORT_TEXT_MAX] = "";
    const char *text = reading_scalar(r, node, key, type_peer.wanted);
    if (!text)
        return false;
    const char *space = strchr(text, ' ');
    size_t length = space ? (size_t)(space - text) : strlen(text);
    if (length < sizeof address)
        memcpy(address, text, length);
    peer->port = 53;
    if (ip_parse(address, &peer->ip) && ip_port_parse(address, &peer->ip, &peer->port))
        return reading_refuse(r, node, key, type_peer.wanted);
    if (space) {
        if (strncmp(space, " key ", 5) || !space[5] || strchr(space + 5, ' '))
            return reading_refuse(r, node, key, type_peer.wanted);
        peer->key = space + 5;
    }
    return peer->port || reading_refuse(r, node, key, type_peer.wanted);
}

static void peer_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^([0-9.]+(:[0-9]+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|"
                        "\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+)( key [A-Za-z0-9_*.-]+)?$");
}

const struct type type_peer = {
    "an address such as 192.0.2.1 or \"[2001:db8::1]:53\", perhaps followed by key and a key's "
    "name",
    peer_read, peer_schema};

static const struct list_of peers = {
    .element = {.name = "address", .type = &type_peer, .offset = 0},
    .size = sizeof(struct draft_peer),
    .headed = true,
    .alone = true};

static const struct list_of key_names = {
    .element = {.name = "key", .type = &type_name, .offset = AT(draft_reference, name)},
    .size = sizeof(struct draft_reference),
    .headed = true,
    .alone = true};

static const struct list_of networks = {
    .element = {.name = "network", .type = &type_prefix, .offset = AT(draft_prefix, prefix)},
    .size = sizeof(struct draft_prefix),
    .headed = true,
    .alone = true};

static const struct list_of pins = {
    .element = {.name = "pin", .type = &type_pin, .offset = AT(draft_pin, pin)},
    .size = sizeof(struct draft_pin),
    .headed = true,
    .alone = true};

/* ---- transfer ---- */

static const struct key transfer_keys[] = {
    {"allow", &type_list, AT(draft_transfer, allow), .min = 1, .max = 1000, .detail = &networks,
     .help = "networks that may have the zone; with keys, both have to fit"},
    {"keys", &type_list, AT(draft_transfer, keys), .min = 1, .max = 100, .detail = &key_names,
     .help = "names under tsig: a request signed with one of them may have the zone"},
    {"tls_only", &type_bool, AT(draft_transfer, tls_only), .standard = "false",
     .help = "give it over TLS 1.3 alone (RFC 9103); see dns.tls"},
    {"pins", &type_list, AT(draft_transfer, pins), .min = 1, .max = 100, .detail = &pins,
     .help = "give it to those alone who show a certificate with one of these keys, over TLS 1.3 "
             "(RFC 9103, mutual TLS); with allow and keys, all have to fit"},
    {"notify", &type_list, AT(draft_transfer, notify), .min = 1, .max = 100, .detail = &peers,
     .help = "who is told when the zone changes (RFC 1996): an address, and key NAME to sign it"},
};

const struct shape shape_transfer = {
    "transfer", "transfer", transfer_keys, array_length(transfer_keys),
    .help = "Who may have the zone whole (AXFR, IXFR); nobody, where none of allow, keys and pins "
            "is said."};

/* ---- linking ---- */

int key_find(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->key_count; i++)
        if (!strcmp(c->keys[i].name, name))
            return (int)i;
    return CONFIG_NONE;
}

int key_refer(struct linking *l, const char *name, struct config_place place)
{
    int key = key_find(l->config, name);
    if (key == CONFIG_NONE)
        problem_add(l->reading->problems, place,
                    "there is no key %s; add it under tsig, or correct the name", name);
    return key;
}

void link_keys(struct linking *l)
{
    struct config *c = l->config;
    const struct draft_tsig *drafts = l->root->tsigs.items;
    c->key_count = l->root->tsigs.count;
    c->keys = arena_new(l->reading->keep, c->key_count + (size_t)1, sizeof *c->keys);
    for (uint32_t i = 0; i < c->key_count; i++) {
        const struct draft_tsig *d = &drafts[i];
        c->keys[i] = (struct config_key){.name = d->name ? d->name : "",
                                         .algorithm = (uint8_t)d->algorithm,
                                         .secret = d->secret,
                                         .file = d->file,
                                         .place = d->head.key->place};
        if (d->head.good && !d->secret == !d->file)
            problem_add(l->reading->problems, d->head.key->place,
                        "the key %s has %s; give it one: a secret, or a file that holds it",
                        c->keys[i].name, d->secret ? "a secret and a file" : "no secret");
        if (d->name && key_find(c, d->name) != (int)i)
            problem_add(l->reading->problems, d->head.key->place,
                        "the key %s was named before; keep one of them", d->name);
    }
}

static struct config_peer *peers_fill(struct linking *l, const struct list *list,
                                      uint32_t *ret_count)
{
    const struct draft_peer *drafts = list->items;
    struct config_peer *out = arena_new(l->reading->keep, list->count + (size_t)1, sizeof *out);
    for (uint32_t i = 0; i < list->count; i++) {
        out[i] = (struct config_peer){drafts[i].ip, drafts[i].port, CONFIG_NONE};
        if (drafts[i].key)
            out[i].key = key_refer(l, drafts[i].key, drafts[i].head.node->place);
    }
    *ret_count = list->count;
    return out;
}

void link_transfer(struct linking *l, const struct draft_transfer *draft,
                   struct config_transfer *ret)
{
    struct arena *keep = l->reading->keep;
    const struct draft_prefix *networks_said = draft->allow.items;
    const struct draft_reference *keys = draft->keys.items;
    ret->allow = arena_new(keep, draft->allow.count + (size_t)1, sizeof *ret->allow);
    for (; ret->allow_count < draft->allow.count; ret->allow_count++)
        ret->allow[ret->allow_count] = networks_said[ret->allow_count].prefix;
    ret->keys = arena_new(keep, draft->keys.count + (size_t)1, sizeof *ret->keys);
    for (; ret->key_count < draft->keys.count; ret->key_count++) {
        const struct draft_reference *k = &keys[ret->key_count];
        ret->keys[ret->key_count] = k->name ? key_refer(l, k->name, k->head.node->place) : 0;
    }
    ret->tls_only = draft->tls_only;
    const struct draft_pin *said = draft->pins.items;
    ret->pins = arena_new(keep, draft->pins.count + (size_t)1, sizeof *ret->pins);
    for (; ret->pin_count < draft->pins.count; ret->pin_count++)
        memcpy(ret->pins[ret->pin_count], said[ret->pin_count].pin, CONFIG_PIN_SIZE);
    ret->notify = peers_fill(l, &draft->notify, &ret->notify_count);
}
