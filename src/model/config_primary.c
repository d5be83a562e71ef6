/* Zones that come from other name servers: where from, and what happens when they are gone. */
#include "base/err.h"
#include "model/config_link.h"
#include "wire/tsig.h"
#include <string.h>

enum { PORT_DNS = 53, PORT_DOT = 853, WORDS_MAX = 10, PRIMARY_TEXT_MAX = 1024 };

/* The value, cut into words; 0: too many. */
static unsigned words_cut(char *text, const char *ret_words[static WORDS_MAX])
{
    unsigned count = 0;
    for (char *rest = text, *word; (word = strsep(&rest, " "));) {
        if (!*word)
            continue;
        if (count == WORDS_MAX)
            return 0;
        ret_words[count++] = word;
    }
    return count;
}

static bool pin_read(const char *text, uint8_t ret[static CONFIG_PIN_SIZE])
{
    struct tsig_key scratch;
    if (tsig_secret_parse(text, &scratch) || scratch.secret_length != CONFIG_PIN_SIZE)
        return false;
    memcpy(ret, scratch.secret, CONFIG_PIN_SIZE);
    return true;
}

static bool pin_element_read(struct reading *r, const struct tree *node, const struct key *key,
                             void *slot)
{
    const char *text = reading_scalar(r, node, key, type_pin.wanted);
    return text && (pin_read(text, slot) || reading_refuse(r, node, key, type_pin.wanted));
}

static void pin_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[A-Za-z0-9+/]{43}=$");
}

const struct type type_pin = {"the SHA-256 of a public key (SubjectPublicKeyInfo) in base64",
                              pin_element_read, pin_schema};

static const char *path_read(struct reading *r, const char *path)
{
    return path[0] == '/' ? arena_string(r->keep, path, strlen(path))
                          : arena_printf(r->keep, "%s%s", r->folder, path);
}

/* What follows "tls": a name, "pin BASE64" or "opportunistic"; how many words, 0: none of these. */
static unsigned tls_read(struct reading *r, const char *const *words, unsigned count,
                         struct config_primary *p)
{
    if (!count || p->tls)
        return 0;
    if (!strcmp(words[0], "pin")) {
        p->tls = PRIMARY_TLS_PIN;
        return count > 1 && pin_read(words[1], p->tls_pin) ? 2 : 0;
    }
    p->tls = strcmp(words[0], "opportunistic") ? PRIMARY_TLS_NAME : PRIMARY_TLS_ANY;
    if (p->tls == PRIMARY_TLS_NAME)
        p->tls_name = arena_string(r->keep, words[0], strlen(words[0]));
    return 1;
}

static bool words_read(struct reading *r, const char *const *words, unsigned count,
                       struct draft_primary *d)
{
    struct config_primary *p = &d->primary;
    bool has_port = false;
    if (!count)
        return false;
    if (ip_parse(words[0], &p->ip)) {
        has_port = true;
        if (ip_port_parse(words[0], &p->ip, &p->port) || !p->port)
            return false;
    }
    for (unsigned i = 1, used; i < count; i += used) {
        used = 2;
        if (!strcmp(words[i], "key") && i + 1 < count && !d->key)
            d->key = arena_string(r->keep, words[i + 1], strlen(words[i + 1]));
        else if (!strcmp(words[i], "ca") && i + 1 < count && p->tls == PRIMARY_TLS_NAME)
            p->tls_ca = path_read(r, words[i + 1]);
        else if (!strcmp(words[i], "cert") && i + 1 < count && p->tls && !p->tls_cert)
            p->tls_cert = path_read(r, words[i + 1]);
        else if (strcmp(words[i], "tls") ||
                 !(used = 1 + tls_read(r, words + i + 1, count - i - 1, p)) || used == 1)
            return false;
    }
    if (!has_port)
        p->port = p->tls ? PORT_DOT : PORT_DNS;
    return true;
}

static bool primary_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    char copy[PRIMARY_TEXT_MAX];
    const char *words[WORDS_MAX], *text = reading_scalar(r, node, key, type_primary.wanted);
    if (!text)
        return false;
    if (strlen(text) >= sizeof copy)
        return reading_refuse(r, node, key, type_primary.wanted);
    memcpy(copy, text, strlen(text) + 1);
    unsigned count = words_cut(copy, words);
    return words_read(r, words, count, slot) || reading_refuse(r, node, key, type_primary.wanted);
}

static void primary_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(
        out, "^([0-9.]+(:[0-9]+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|"
             "\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+)( (key|tls|pin|ca|cert) [^ ]+| tls pin [^ ]+)*$");
}

const struct type type_primary = {
    "an address such as 192.0.2.1 or \"[2001:db8::1]:53\", perhaps followed by key NAME, and by "
    "tls NAME (and ca FILE), tls pin BASE64 or tls opportunistic, and cert FILE",
    primary_read, primary_schema};

const struct list_of primaries = {
    .element = {.name = "primary", .type = &type_primary, .offset = 0},
    .size = sizeof(struct draft_primary),
    .headed = true,
    .alone = true};

/* A zone whose records are shared: what would come out otherwise on every node has no place. */
static void link_shared(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    if (!config_zone_is_shared(ret))
        return;
    ret->file = arena_printf(l->reading->keep, "shared records of %s", d->name ? d->name : "");
    if (tree_get(d->head.node, "serial"))
        problem_add(l->reading->problems, place_under(&d->head, "serial"),
                    "the serial of a zone whose records are shared follows from its changes; take "
                    "serial out");
}

static void primaries_fill(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    const struct draft_primary *drafts = d->primaries.items;
    uint32_t count = d->primaries.count;
    struct config_primary *out = arena_new(l->reading->keep, count + (size_t)1, sizeof *out);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = drafts[i].primary;
        out[i].key =
            drafts[i].key ? key_refer(l, drafts[i].key, drafts[i].head.node->place) : CONFIG_NONE;
    }
    ret->primaries = out;
    ret->primary_count = count;
}

static void forward_fill(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    const struct draft_prefix *forward = d->forward.items;
    ret->forward = arena_new(l->reading->keep, d->forward.count + (size_t)1, sizeof *ret->forward);
    for (ret->forward_count = 0; ret->forward_count < d->forward.count; ret->forward_count++)
        ret->forward[ret->forward_count] = forward[ret->forward_count].prefix;
}

/* What is said of a group takes the place of what the catalog's own entry says. */
static void group_fill(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    const struct tree *said = d->head.node;
    ret->name = d->name;
    if (tree_get(said, "primaries"))
        primaries_fill(l, d, ret);
    if (tree_get(said, "transfer")) {
        ret->transfer = (struct config_transfer){0};
        link_transfer(l, &d->transfer, &ret->transfer);
    }
    if (tree_get(said, "forward_updates"))
        forward_fill(l, d, ret);
    if (tree_get(said, "dnssec"))
        ret->dnssec = d->dnssec.dnssec;
    if (tree_get(said, "serial"))
        ret->serial = (enum serial_policy)d->serial;
    if (tree_get(said, "expire"))
        ret->expire_keep = d->expire == EXPIRE_KEEP;
    if (tree_get(said, "accept_shrink"))
        ret->accept_shrink = d->accept_shrink;
    if (tree_get(said, "max_records"))
        ret->records_max = d->records_max;
    if (tree_get(said, "max_bytes"))
        ret->bytes_max = d->bytes_max;
}

void link_groups(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    const struct draft_zone *groups = d->groups.items;
    struct config_zone *out = arena_new(l->reading->keep, d->groups.count + (size_t)1, sizeof *out);
    for (uint32_t i = 0; i < d->groups.count; i++) {
        out[i] = *ret;
        group_fill(l, &groups[i], &out[i]);
    }
    ret->groups = out;
    ret->group_count = d->groups.count;
    if (ret->group_count && !ret->catalog_consume)
        problem_add(l->reading->problems, place_under(&d->head, "catalog_groups"),
                    "only a catalog that is consumed has groups; say catalog: consume, or take "
                    "catalog_groups away");
}

void link_primaries(struct linking *l, const struct draft_zone *d, struct config_zone *ret)
{
    uint32_t count = d->primaries.count;
    primaries_fill(l, d, ret);
    forward_fill(l, d, ret);
    ret->catalog_consume = d->catalog == CATALOG_CONSUME;
    ret->expire_keep = d->expire == EXPIRE_KEEP;
    ret->accept_shrink = d->accept_shrink;
    ret->records_max = d->records_max;
    ret->bytes_max = d->bytes_max;
    ret->shared = d->head.node->place.part;
    if (d->head.good && d->catalog != CATALOG_GENERATE && !ret->shared && !d->file == !count)
        problem_add(l->reading->problems, d->head.node->place,
                    count
                        ? "the zone %s has a file and primaries; it can only come from one of them"
                        : "the zone %s comes from nowhere; give it a file, or primaries",
                    d->name);
    link_shared(l, d, ret);
    if (ret->forward_count && !count)
        problem_add(l->reading->problems, place_under(&d->head, "forward_updates"),
                    "updates are passed on to primaries; name them, or take forward_updates away");
    if (d->update.rules.count && count)
        problem_add(l->reading->problems, place_under(&d->head, "update"),
                    "the zone %s comes from primaries, and only they change it; pass updates on to "
                    "them with forward_updates, or take update away",
                    d->name);
    if (ret->catalog_consume && !count)
        problem_add(l->reading->problems, place_under(&d->head, "catalog"),
                    "a catalog is consumed from primaries; name them, or take catalog away");
    if (ret->zonemd == ZONEMD_GENERATE && count && !ret->dnssec.on)
        problem_add(l->reading->problems, place_under(&d->head, "zonemd"),
                    "zone %s is served as its primaries send it, so no digest can be made for it; "
                    "say verify or require, or sign it here (dnssec)",
                    d->name);
    if (!ret->file && count) /* what messages name */
        ret->file = arena_printf(l->reading->keep, "primaries of %s", d->name ? d->name : "");
}
