/* Law L3: a change that would delete a third of a zone is refused until confirmed. */
#include "base/invariant.h"
#include "model/shrink.h"
#include "model/zone_compile.h"
#include "model/zone_walk.h"
#include "wire/dns.h"

struct loss {
    unsigned lost, total;
};

static bool loss_is_large(const struct loss *l)
{
    invariant(l->lost <= l->total);
    return shrink_is_large(l->lost, l->total);
}

static bool holds_something(const struct zone_node *n)
{
    return n && (n->set_count || n->flags & NODE_STEERED);
}

/* What comes and goes with keys and with the kind of denial is nothing that a zone says. */
static bool is_of_signing(uint16_t type)
{
    return type == DNS_NSEC || type == DNS_NSEC3PARAM || type == DNS_DNSKEY || type == DNS_CDS ||
           type == DNS_CDNSKEY;
}

/* Records are counted by set, not compared: giving every name a new address loses nothing. */
static void records_count(const struct zone_node *old, const struct zone_node *next,
                          struct loss *records)
{
    for (unsigned i = 0; i < old->set_count; i++) {
        if (is_of_signing(old->sets[i].type))
            continue;
        const struct zone_set *was = &old->sets[i];
        const struct zone_set *is = next ? zone_node_set(next, was->type) : NULL;
        unsigned count = is ? is->record_count : 0;
        records->total += was->record_count;
        /* A name that is steered from now on has its addresses in the plan. */
        if (count < was->record_count && !(next && next->flags & NODE_STEERED))
            records->lost += was->record_count - count;
    }
}

bool zone_shrinks(const struct zone *old, const struct zone *next, unsigned *ret_lost,
                  unsigned *ret_total)
{
    struct loss names = {0}, records = {0};
    const struct zone_node *n = zone_node_at(old, old->header->apex);

    for (; n; n = zone_node_next(old, n)) {
        const uint8_t *name = zone_node_name(n);
        const struct zone_node *other =
            zone_find(next, name, n->name_length, dname_hash(name, n->name_length));
        if (!holds_something(n))
            continue;
        names.total++;
        names.lost += !holds_something(other);
        records_count(n, other, &records);
    }
    bool by_records = !loss_is_large(&names) && loss_is_large(&records);
    *ret_lost = by_records ? records.lost : names.lost;
    *ret_total = by_records ? records.total : names.total;
    return by_records || loss_is_large(&names);
}
