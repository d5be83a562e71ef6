#include "command/update_rule.h"
#include "base/invariant.h"

/* ---- names ---- */

struct labels {
    const uint8_t *at[DNAME_LABELS_MAX + 1];
    unsigned count;
};

static void labels_of(const uint8_t *name, size_t length, struct labels *ret)
{
    ret->count = 0;
    for (size_t at = 0; at < length && name[at]; at += name[at] + 1u) {
        invariant(ret->count < DNAME_LABELS_MAX);
        ret->at[ret->count++] = name + at;
    }
}

static bool is_star(const uint8_t *label)
{
    return label[0] == 1 && label[1] == '*';
}

static bool label_equal(const uint8_t *a, const uint8_t *b)
{
    return a[0] == b[0] && memcmp(a + 1, b + 1, a[0]) == 0;
}

/* Patterns have at most CONFIG_UPDATE_STARS_MAX stars, so this ends soon. */
static bool labels_match(const struct labels *pattern, unsigned p, const struct labels *name,
                         unsigned n)
{
    for (; p < pattern->count; p++, n++) {
        if (is_star(pattern->at[p])) {
            bool last = p + 1 == pattern->count;
            if (last)
                return true;
            for (unsigned next = n + 1; next <= name->count; next++)
                if (labels_match(pattern, p + 1, name, next))
                    return true;
            return false;
        }
        if (n == name->count || !label_equal(pattern->at[p], name->at[n]))
            return false;
    }
    return n == name->count;
}

bool update_name_matches(const uint8_t *pattern, const uint8_t *name, size_t name_length)
{
    struct labels p, n;
    labels_of(pattern, dname_length(pattern), &p);
    labels_of(name, name_length, &n);
    return labels_match(&p, 0, &n, 0);
}

static bool name_fits(const struct config_update_name *n, const struct update_request *r,
                      const uint8_t *name, size_t length)
{
    size_t key_length = dname_length(r->key_name);
    switch (n->kind) {
    case UPDATE_NAME_SELF:
        return dname_equal(name, length, r->key_name, key_length);
    case UPDATE_NAME_BELOW_SELF:
        return length > key_length && dname_below(name, length, r->key_name, key_length);
    default:
        return update_name_matches(n->pattern, name, length - r->content->origin_length);
    }
}

/* ---- rules ---- */

/* Where a rule names no types: what makes or moves a zone is not among them. */
static bool type_is_plain(uint16_t type)
{
    return type != DNS_NS && type != DNS_SOA && type != DNS_DS && type != DNS_DNSKEY &&
           type != DNS_CDS && type != DNS_CDNSKEY;
}

static bool type_fits(const struct config_update_rule *rule, uint16_t type)
{
    if (type == DNS_ANY)
        return true; /* each record that it hits is asked for alone */
    if (!rule->type_count)
        return type_is_plain(type);
    for (uint32_t i = 0; i < rule->type_count; i++)
        if (rule->types[i] == type)
            return true;
    return false;
}

bool update_key_known(const struct config_update *u, int key)
{
    for (uint32_t i = 0; i < u->rule_count; i++)
        if (u->rules[i].key == key)
            return true;
    return false;
}

bool update_may_shrink(const struct config_update *u, int key)
{
    for (uint32_t i = 0; i < u->rule_count; i++)
        if (u->rules[i].key == key && u->rules[i].shrink)
            return true;
    return false;
}

bool update_allowed(const struct update_request *r, const uint8_t *name, size_t length,
                    uint16_t type)
{
    const struct config_update *u = &r->zone->update;
    for (uint32_t i = 0; i < u->rule_count; i++) {
        const struct config_update_rule *rule = &u->rules[i];
        if (rule->key != r->key || !type_fits(rule, type))
            continue;
        if (!rule->name_count)
            return true;
        for (uint32_t k = 0; k < rule->name_count; k++)
            if (name_fits(&rule->names[k], r, name, length))
                return true;
    }
    return false;
}
