#include "serve/dns/query.h"
#include "base/invariant.h"
#include "serve/dns/additional.h"
#include "serve/dns/answer.h"
#include "serve/dns/extra.h"
#include "serve/dns/keyed.h"
#include "serve/dns/parse.h"
#include "wire/rdata.h"

enum { OPT_SIZE = 11, OPTION_SIZE = 4, SUBNET_SIZE = 4 };

static void store_u16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* ---- stages ---- */

static void zone_prepare(struct query *q)
{
    if (unlikely(!q->served)) {
        q->course = QUERY_ERROR;
        q->rcode = DNS_SERVFAIL;
        extra_explain(q, EDE_NOT_READY);
        return;
    }
    q->zone = served_zone_for(q->served, q->name, q->name_length, q->labels, q->type);
    if (unlikely(!q->zone)) {
        q->course = QUERY_ERROR;
        q->rcode = DNS_REFUSED;
        extra_explain(q, EDE_NOT_AUTHORITATIVE);
        return;
    }
    if (unlikely(q->zone->state != PLAN_ZONE_CURRENT)) {
        bool dark = q->zone->state == PLAN_ZONE_DARK;
        extra_explain(q, dark ? EDE_INVALID_DATA : EDE_STALE);
        if (dark) {
            q->course = QUERY_ERROR;
            q->rcode = DNS_SERVFAIL;
            return;
        }
    }
    q->hash = served_hash(q->name, q->name_length);
    __builtin_prefetch(&q->zone->zone.slots[(uint32_t)q->hash & q->zone->zone.header->slot_mask]);
}

void query_prepare(struct query *q, const struct query_context *ctx, const struct served *served,
                   const uint8_t *wire, size_t length, const struct query_client *client)
{
    q->served = served;
    q->wire = wire;
    q->length = length;
    q->client = client;
    q->zone = NULL;
    query_parse(q, ctx);
    if (likely(q->course == QUERY_GO))
        zone_prepare(q);
    if (unlikely(ctx->limit) && q->course == QUERY_GO)
        extra_limit_prepare(q, ctx);
}

void query_locate(const struct query *q)
{
    if (unlikely(q->course != QUERY_GO))
        return;
    const struct zone *z = &q->zone->zone;
    uint32_t mask = z->header->slot_mask;
    for (uint32_t i = (uint32_t)q->hash & mask; (uint32_t)z->slots[i]; i = (i + 1) & mask) {
        if ((z->slots[i] ^ q->hash) >> 32)
            continue;
        const uint8_t *node = z->base + (uint64_t)(uint32_t)z->slots[i] * 8;
        __builtin_prefetch(node);
        __builtin_prefetch(node + 64);
        return;
    }
}

enum { REACHED_LINES = 3 }; /* of the cache: a record or two and an ECDSA signature */

/* Signatures lie behind the records of their set, away from the node: a third miss, which only
 * answers with DO have. Where there is no such set, the name's own NSEC record says so. */
void query_reach(const struct query *q)
{
    if (q->course != QUERY_GO || !q->edns.dnssec_ok || !(q->zone->zone.header->flags & ZONE_SIGNED))
        return;
    const struct zone *z = &q->zone->zone;
    const struct zone_node *n = zone_find(z, q->name, q->name_length, q->hash);
    const struct zone_set *set = n ? zone_node_set(n, q->type) : NULL;
    if (n && !set)
        set = zone_node_set(n, DNS_NSEC);
    if (!set)
        return;
    const uint8_t *records = z->base + (uint64_t)set->records * 8;
    for (unsigned i = 0; i < REACHED_LINES; i++)
        __builtin_prefetch(records + i * 64u);
}

/* ---- answers from the zone ---- */

void answer_truncate(const struct query *q, struct answer *a)
{
    a->position = q->question_end;
    a->answers = a->authorities = a->additionals = 0;
    a->flags |= DNS_FLAG_TC;
}

/* Pointers into the origin part of the question, or into the image, move with the question's length
 * (model/zone.h). `bytes`: [from, to) of the image. */
static void image_fix(const struct query *q, const struct zone_image *image, uint8_t *bytes,
                      size_t from, size_t to)
{
    const uint16_t *fixups = zone_image_fixups(image);
    unsigned delta = q->name_length - q->zone->origin_length;
    for (unsigned i = 0; i < image->fixup_count; i++) {
        if (fixups[i] < from || fixups[i] + 2u > to)
            continue;
        uint8_t *p = bytes + (fixups[i] - from);
        store_u16(p, (p[0] << 8 | p[1]) + delta);
    }
}

bool answer_part(const struct query *q, struct answer *a, const struct zone_image *image,
                 size_t from, size_t to)
{
    invariant(from <= to && to <= image->length);
    if (to - from > a->limit - a->position) {
        answer_truncate(q, a);
        return false;
    }
    uint8_t *at = a->data + a->position;
    memcpy(at, zone_image_bytes(image) + from, to - from);
    if (image->fixup_count)
        image_fix(q, image, at, from, to);
    a->position += to - from;
    return true;
}

/* Whole sets only (RFC 2181 9): additionals go first and are not missed, but for the glue of a
 * referral (RFC 9471). */
static void answer_image(const struct query *q, struct answer *a, const struct zone_image *image,
                         bool referral)
{
    size_t room = a->limit - a->position, length = image->length;
    bool whole = likely(length <= room);
    if (!whole) {
        length = image->required;
        if (referral)
            a->flags |= DNS_FLAG_TC;
        if (length > room) {
            answer_truncate(q, a);
            return;
        }
    }
    uint8_t *to = a->data + a->position;
    memcpy(to, zone_image_bytes(image), length);
    if (image->fixup_count)
        image_fix(q, image, to, 0, length);
    a->position += length;
    a->answers = image->answers;
    a->authorities = image->authorities;
    a->additionals = whole ? image->additionals : 0;
}

static void answer_set(struct query *q, struct query_context *ctx, struct answer *a,
                       const struct match *m, const struct zone_set *set)
{
    if (secure_wanted(q, &q->zone->zone)) {
        secure_set(q, ctx, a, m, set);
        return;
    }
    answer_image(q, a, zone_set_image(m->node, set), false);
    if (unlikely(rdata_has_target(set->type)) && q->zone->zone.header->steered_count && a->answers)
        additional_behind(q, ctx, a, m->node, set, true);
}

static void answer_negative(const struct query *q, struct answer *a, const struct match *m,
                            enum dns_rcode rcode)
{
    if (secure_wanted(q, &q->zone->zone)) {
        secure_negative(q, a, m, rcode);
        return;
    }
    a->rcode = rcode;
    answer_image(q, a, q->zone->negative, false);
}

static void answer_referral(const struct query *q, struct answer *a, const struct zone_node *cut)
{
    const struct zone_set *ns = zone_node_set(cut, DNS_NS);
    invariant(cut->flags & NODE_CUT && ns);
    a->flags = 0;
    if (secure_wanted(q, &q->zone->zone))
        secure_referral(q, a, cut);
    else
        answer_image(q, a, zone_set_image(cut, ns), true);
}

/* ---- answers from the plan ---- */

static struct ip client_ip(const struct query *q)
{
    struct ip ip = {.family = q->edns.subnet_family == 2 ? IP_V6 : IP_V4};
    if (!q->edns.subnet_given || !q->edns.subnet_source)
        return extra_client(q->client);
    memcpy(ip.bytes, q->edns.subnet_bytes, ip_size(&ip));
    return ip;
}

struct steer_answer answer_pick(struct query *q, struct query_context *ctx,
                                const struct served_zone *zone, const struct zone_node *node,
                                enum ip_family family, uint32_t *ret_ttl)
{
    const struct served_face *face = &zone->faces[(size_t)node->steered * IP_FAMILIES + family];
    struct steer_answer pick = {.kind = STEER_NODATA, .choice = face->choice};
    invariant(node->steered < zone->zone.header->steered_count);
    if (face->choice == PLAN_NONE)
        return pick;
    struct ip ip = client_ip(q);
    steer_pick(&q->served->steer, face->choice, &ip, &ctx->random, &pick, NULL);
    if (pick.by_network && q->edns.subnet_given && q->edns.subnet_source &&
        pick.scope > q->edns.subnet_scope)
        q->edns.subnet_scope = pick.scope;
    *ret_ttl = face->ttl;
    return pick;
}

bool answer_records(const struct served *s, struct answer *a, const struct steer_answer *pick,
                    uint32_t ttl, uint16_t owner)
{
    const struct served_records *r = &s->records_of[pick->choice];
    size_t each =
        s->plan.choices[pick->choice].family == IP_V6 ? SERVED_RECORD_V6 : SERVED_RECORD_V4;
    size_t length = each * pick->count;
    if (length > a->limit - a->position)
        return false;
    uint8_t *to = a->data + a->position;
    memcpy(to, s->records + r->offset + each * pick->start, length);
    if (unlikely(ttl != r->ttl || owner != 0xc00c)) {
        for (uint8_t *p = to; p < to + length; p += each) {
            store_u16(p, owner);
            store_u16(p + SERVED_RECORD_TTL, ttl >> 16);
            store_u16(p + SERVED_RECORD_TTL + 2, ttl & 0xffff);
        }
    }
    a->position += length;
    a->answers = (uint16_t)(a->answers + pick->count);
    a->steered = true;
    return true;
}

static void answer_steered(struct query *q, struct query_context *ctx, struct answer *a,
                           const struct match *m)
{
    const struct zone_node *node = m->node;
    uint32_t ttl = 0;
    enum ip_family family = q->type == DNS_AAAA ? IP_V6 : IP_V4;
    struct steer_answer pick = answer_pick(q, ctx, q->zone, node, family, &ttl);
    a->steered = true;
    if (likely(pick.kind == STEER_ADDRESSES)) {
        if (!answer_records(q->served, a, &pick, ttl, 0xc00c))
            answer_truncate(q, a);
        else if (secure_wanted(q, &q->zone->zone))
            secure_picked(q, a, m, &pick, ttl);
    } else if (pick.kind == STEER_NODATA) {
        answer_negative(q, a, m, DNS_NOERROR);
    } else {
        chain_answer(q, ctx, a, *m);
    }
}

/* ---- choosing ---- */

/* RFC 8482 4.1: one set stands for all. */
static void answer_any(struct query *q, struct query_context *ctx, struct answer *a,
                       const struct match *m)
{
    const struct zone_node *node = m->node;
    if (node->flags & NODE_STEERED) {
        q->type = q->zone->faces[(size_t)node->steered * IP_FAMILIES].choice == PLAN_NONE ? DNS_AAAA
                                                                                          : DNS_A;
        answer_steered(q, ctx, a, m);
    } else if (node->set_count) {
        /* Rather than the proof that goes with each name, what it goes with. */
        bool proof = node->sets[0].type == DNS_NSEC && node->set_count > 1;
        answer_set(q, ctx, a, m, &node->sets[proof]);
    } else {
        answer_negative(q, a, m, DNS_NOERROR);
    }
}

static void answer_node(struct query *q, struct query_context *ctx, struct answer *a,
                        const struct match *m)
{
    const struct zone_node *node = m->node;
    if (unlikely(q->type == DNS_ANY)) {
        answer_any(q, ctx, a, m);
        return;
    }
    if (node->flags & NODE_STEERED && (q->type == DNS_A || q->type == DNS_AAAA)) {
        answer_steered(q, ctx, a, m);
        return;
    }
    /* What stands beside an alias (RFC 4035 2.5) is an answer before the alias is followed. */
    const struct zone_set *set = zone_node_set(node, q->type);
    if (likely(set && set->image)) /* without: hidden */
        answer_set(q, ctx, a, m, set);
    else if (node->flags & NODE_CNAME || q->type == DNS_RRSIG)
        chain_answer(q, ctx, a, *m);
    else
        answer_negative(q, a, m, DNS_NOERROR);
}

/* What a limit counts together: a name; all names of a wildcard, a delegation or a redirection; all
 * that are not in the zone. */
static uint64_t answer_account(const struct query *q, const struct match *m)
{
    if (m->kind == MATCH_NODE && !m->encloser)
        return q->hash;
    return m->node ? (uintptr_t)m->node : (uintptr_t)q->zone;
}

static void answer_name(struct query *q, struct query_context *ctx, struct answer *a)
{
    struct match m =
        match_find(&q->zone->zone, q->name, q->name_length, q->labels, q->hash, q->type);
    a->flags = DNS_FLAG_AA;
    if (unlikely(ctx->limit))
        q->account = answer_account(q, &m);
    if (likely(m.kind == MATCH_NODE))
        answer_node(q, ctx, a, &m);
    else if (m.kind == MATCH_CUT)
        answer_referral(q, a, m.node);
    else if (unlikely(m.kind == MATCH_DNAME))
        chain_answer(q, ctx, a, m);
    else
        answer_negative(q, a, &m, DNS_NXDOMAIN);
}

/* ---- the message ---- */

static size_t subnet_size(const struct query_edns *e)
{
    return e->subnet_given ? OPTION_SIZE + SUBNET_SIZE + (e->subnet_source + 7u) / 8 : 0;
}

static size_t opt_size(const struct query *q, const struct query_context *ctx)
{
    if (!q->edns.present)
        return 0;
    if (likely(!q->edns.subnet_given && !q->edns.extras))
        return OPT_SIZE;
    return OPT_SIZE + subnet_size(&q->edns) + extra_size(q, ctx);
}

static void opt_write(const struct query *q, const struct query_context *ctx, struct answer *a)
{
    const struct query_edns *e = &q->edns;
    size_t size = opt_size(q, ctx);
    size_t padding = extra_padding(q, a->position + size, a->limit - a->position);
    uint8_t *p = a->data + a->position;
    memset(p, 0, OPT_SIZE);
    p[2] = DNS_OPT;
    store_u16(p + 3, ctx->udp_size);
    p[5] = (uint8_t)(a->rcode >> 4);
    p[7] = e->dnssec_ok ? 0x80 : 0; /* RFC 3225 3: copied */
    store_u16(p + 9, size + padding - OPT_SIZE);
    if (e->subnet_given) {
        store_u16(p + 11, DNS_OPTION_CLIENT_SUBNET);
        store_u16(p + 13, subnet_size(e) - OPTION_SIZE);
        store_u16(p + 15, e->subnet_family);
        p[17] = e->subnet_source;
        p[18] = e->subnet_scope;
        memcpy(p + 19, e->subnet_bytes, (e->subnet_source + 7u) / 8);
    }
    if (unlikely(e->extras))
        extra_write(q, ctx, padding, p + OPT_SIZE + subnet_size(e));
    a->position += size + padding;
    a->additionals++;
}

static void header_write(const struct query *q, const struct answer *a, uint16_t questions)
{
    uint8_t *h = a->data;
    unsigned recursion = q->wire[2] & (DNS_FLAG_RD >> 8),
             opcode = q->wire[2] & (DNS_OPCODE_MASK >> 8);
    h[2] = (uint8_t)(DNS_FLAG_QR >> 8 | opcode | a->flags >> 8 | recursion);
    h[3] = (uint8_t)(a->rcode & 15);
    store_u16(h + 4, questions);
    store_u16(h + 6, a->answers);
    store_u16(h + 8, a->authorities);
    store_u16(h + 10, a->additionals);
}

static void answer_count(struct query_context *ctx, const struct answer *a)
{
    static const uint8_t counters[] = {
        [DNS_NOERROR] = DNS_RESPONSES_NOERROR,     [DNS_FORMERR] = DNS_RESPONSES_FORMERR,
        [DNS_SERVFAIL] = DNS_RESPONSES_SERVFAIL,   [DNS_NXDOMAIN] = DNS_RESPONSES_NXDOMAIN,
        [DNS_NOTIMP] = DNS_RESPONSES_NOTIMP,       [DNS_REFUSED] = DNS_RESPONSES_REFUSED,
        [DNS_BADVERS] = DNS_RESPONSES_BADVERS,     [DNS_YXDOMAIN] = DNS_RESPONSES_YXDOMAIN,
        [DNS_BADCOOKIE] = DNS_RESPONSES_BADCOOKIE,
    };
    invariant(a->rcode < array_length(counters));
    stats_add(ctx->stats, (enum stat_id)counters[a->rcode], 1);
    if (unlikely(a->flags & DNS_FLAG_TC))
        stats_add(ctx->stats, DNS_TRUNCATED, 1);
    if (a->steered)
        stats_add(ctx->stats, DNS_STEERED, 1);
}

static size_t size_limit(const struct query *q, const struct query_context *ctx, size_t size)
{
    size_t most = DNS_MESSAGE_MAX;
    if (!q->client->tcp) {
        most = q->edns.present ? q->edns.size : DNS_UDP_MIN;
        if (most > ctx->udp_size)
            most = ctx->udp_size;
    }
    return most < size ? most : size;
}

static void answer_error(const struct query *q, const struct query_context *ctx, struct answer *a)
{
    a->rcode = q->rcode;
    if (q->class == DNS_CH && q->rcode == DNS_REFUSED)
        extra_chaos(q, ctx, a);
}

/* False: nothing is sent. */
static bool answer_granted(const struct query *q, struct query_context *ctx, struct answer *a)
{
    enum limit_verdict v = extra_limit(q, ctx, a);
    if (v == LIMIT_SLIP)
        answer_truncate(q, a);
    return v != LIMIT_DROP;
}

size_t query_finish(struct query *q, struct query_context *ctx, uint8_t *response,
                    size_t response_size)
{
    struct answer a = {.data = response, .rcode = DNS_NOERROR};
    invariant(response_size >= DNS_UDP_MIN && ctx->udp_size >= DNS_UDP_MIN);
    if (unlikely(q->course == QUERY_DROP)) {
        stats_add(ctx->stats, DNS_DROPPED, 1);
        return 0;
    }
    if (unlikely(q->course == QUERY_HEADER || q->course == QUERY_RELAY)) {
        memcpy(response, q->wire, DNS_HEADER_SIZE);
        a.rcode = q->rcode;
        header_write(q, &a, 0);
        answer_count(ctx, &a);
        return DNS_HEADER_SIZE;
    }
    if (unlikely(q->course == QUERY_KEYED))
        return keyed_answer(q, ctx, response, response_size);
    memcpy(response, q->wire, q->question_end); /* the name as it was asked: 0x20 */
    a.position = q->question_end;
    a.limit = size_limit(q, ctx, response_size) - opt_size(q, ctx) + extra_explanation(q);
    if (unlikely(q->edns.extras & EXTRA_COOKIE) && extra_cookie_bad(q, ctx))
        a.rcode = DNS_BADCOOKIE;
    else if (likely(q->course == QUERY_GO))
        answer_name(q, ctx, &a);
    else
        answer_error(q, ctx, &a);
    if (unlikely(q->edns.extras & EXTRA_EDE))
        extra_decide(q, &a);
    if (unlikely(ctx->limit) && !answer_granted(q, ctx, &a))
        return 0;
    if (q->edns.present)
        opt_write(q, ctx, &a);
    header_write(q, &a, q->course != QUERY_COOKIE);
    answer_count(ctx, &a);
    return a.position;
}

size_t query_answer(struct query_context *ctx, const struct served *served, const uint8_t *wire,
                    size_t length, const struct query_client *client, uint8_t *response,
                    size_t response_size)
{
    struct query q;
    query_prepare(&q, ctx, served, wire, length, client);
    query_locate(&q);
    return query_finish(&q, ctx, response, response_size);
}
