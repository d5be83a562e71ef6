#include "serve/dns/extra.h"
#include "base/bytes.h"
#include "base/invariant.h"
#include "serve/dns/cookie.h"

enum {
    OPTION_HEAD = 4,
    EDE_SIZE = 2,
    KEEPALIVE_SIZE = 2,
    PADDING_BLOCK = 468,
    RECORD_HEAD = 12,
    ERROR_ACCOUNT = 16
};

static uint8_t *option_head(uint8_t *to, unsigned code, size_t size)
{
    to[0] = (uint8_t)(code >> 8);
    to[1] = (uint8_t)code;
    to[2] = (uint8_t)(size >> 8);
    to[3] = (uint8_t)size;
    return to + OPTION_HEAD;
}

/* ---- reading ---- */

void extra_option(struct query_edns *e, uint16_t code, const uint8_t *value, size_t size)
{
    if (code == DNS_OPTION_NSID) {
        e->extras |= EXTRA_NSID;
    } else if (code == DNS_OPTION_COOKIE && !(e->extras & EXTRA_COOKIE)) {
        e->extras |= EXTRA_COOKIE; /* RFC 7873 5.2: only the first counts */
        e->cookie = value;
        e->cookie_length = size <= COOKIE_SIZE_MAX ? (uint8_t)size : 0;
    } else if (code == DNS_OPTION_KEEPALIVE) {
        e->extras |= EXTRA_KEEPALIVE;
    } else if (code == DNS_OPTION_PADDING) {
        e->extras |= EXTRA_PADDING;
    }
}

bool extra_admit(struct query *q, const struct query_context *ctx)
{
    const struct query_policy *p = ctx->policy;
    struct query_edns *e = &q->edns;
    if (!p || !p->nsid_length)
        e->extras &= (uint8_t)~EXTRA_NSID;
    if (!ctx->cookies.count)
        e->extras &= (uint8_t)~EXTRA_COOKIE;
    if (!q->client->tcp) /* RFC 7828 3.3.1 */
        e->extras &= (uint8_t)~EXTRA_KEEPALIVE;
    if (!q->client->tls) /* RFC 7830 6: nobody is to be had for more bytes than he sent */
        e->extras &= (uint8_t)~EXTRA_PADDING;
    if (!(e->extras & EXTRA_COOKIE) || cookie_well_formed(e->cookie_length))
        return true;
    e->extras &= (uint8_t)~EXTRA_COOKIE;
    return false;
}

struct ip extra_client(const struct query_client *client)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct ip ip = {.family = IP_V4};
    if (client->family == IP_V4) {
        memcpy(ip.bytes, client->address, 4);
    } else if (memcmp(client->address, mapped, sizeof mapped) == 0) {
        memcpy(ip.bytes, client->address + sizeof mapped, 4);
    } else {
        ip.family = IP_V6;
        memcpy(ip.bytes, client->address, 16);
    }
    return ip;
}

/* ---- cookies ---- */

static uint32_t wall_now(const struct query_context *ctx)
{
    return ctx->wall ? (uint32_t)ctx->wall() : 0;
}

bool extra_cookie_bad(struct query *q, const struct query_context *ctx)
{
    struct ip client = extra_client(q->client);
    invariant(q->edns.extras & EXTRA_COOKIE);
    q->cookie_good =
        cookie_good(&ctx->cookies, q->edns.cookie, q->edns.cookie_length, &client, wall_now(ctx));
    if (q->course == QUERY_COOKIE) /* who brings none is given one; RFC 7873 5.4 */
        return !q->cookie_good && q->edns.cookie_length > COOKIE_CLIENT_SIZE;
    return !q->cookie_good && ctx->policy && ctx->policy->cookie_required && !q->client->tcp;
}

/* ---- explaining ---- */

void extra_suppose(struct query *q, const struct query_context *ctx)
{
    if (ctx->stale)
        extra_explain(q, EDE_STALE);
    else if (q->type == DNS_ANY)
        extra_explain(q, EDE_NOT_SUPPORTED);
}

size_t extra_explanation(const struct query *q)
{
    return q->edns.extras & EXTRA_EDE ? OPTION_HEAD + EDE_SIZE : 0;
}

/* What health has decided is old; what a zone holds is as good as ever, unless the zone is past its
 * time. Of ANY one set is given (RFC 8482); other classes and types may be refused. */
void extra_decide(struct query *q, struct answer *a)
{
    size_t size = extra_explanation(q);
    bool past = q->zone && q->zone->state == PLAN_ZONE_STALE;
    bool so = q->ede == EDE_STALE           ? a->steered || past
              : q->ede == EDE_NOT_SUPPORTED ? (q->course == QUERY_GO) == (a->answers > 0)
                                            : true;
    if (so && size <= a->limit - a->position)
        a->limit -= size;
    else
        q->edns.extras &= (uint8_t)~EXTRA_EDE;
}

/* ---- writing ---- */

size_t extra_size(const struct query *q, const struct query_context *ctx)
{
    unsigned extras = q->edns.extras;
    size_t size = 0;
    if (extras & EXTRA_NSID)
        size += OPTION_HEAD + ctx->policy->nsid_length;
    if (extras & EXTRA_COOKIE)
        size += OPTION_HEAD + COOKIE_SIZE;
    size += extra_explanation(q);
    if (extras & EXTRA_KEEPALIVE)
        size += OPTION_HEAD + KEEPALIVE_SIZE;
    if (extras & EXTRA_PADDING)
        size += OPTION_HEAD;
    return size;
}

size_t extra_padding(const struct query *q, size_t total, size_t most)
{
    size_t padding = (PADDING_BLOCK - total % PADDING_BLOCK) % PADDING_BLOCK;
    return !(q->edns.extras & EXTRA_PADDING) ? 0 : padding < most ? padding : most;
}

void extra_write(const struct query *q, const struct query_context *ctx, size_t padding,
                 uint8_t *to)
{
    const struct query_edns *e = &q->edns;
    const struct query_policy *p = ctx->policy;
    if (e->extras & EXTRA_NSID) {
        to = option_head(to, DNS_OPTION_NSID, p->nsid_length);
        memcpy(to, p->nsid, p->nsid_length);
        to += p->nsid_length;
    }
    if (e->extras & EXTRA_COOKIE) {
        struct ip client = extra_client(q->client);
        to = option_head(to, DNS_OPTION_COOKIE, COOKIE_SIZE);
        cookie_answer(&ctx->cookies, e->cookie, e->cookie_length, &client, wall_now(ctx), to);
        to += COOKIE_SIZE;
    }
    if (e->extras & EXTRA_EDE) {
        to = option_head(to, DNS_OPTION_EDE, EDE_SIZE);
        to[0] = (uint8_t)(q->ede >> 8);
        to[1] = (uint8_t)q->ede;
        to += EDE_SIZE;
    }
    if (e->extras & EXTRA_KEEPALIVE) {
        to = option_head(to, DNS_OPTION_KEEPALIVE, KEEPALIVE_SIZE);
        to[0] = (uint8_t)(ctx->keepalive >> 8);
        to[1] = (uint8_t)ctx->keepalive;
        to += KEEPALIVE_SIZE;
    }
    if (e->extras & EXTRA_PADDING)
        memset(option_head(to, DNS_OPTION_PADDING, padding), 0, padding);
}

/* ---- CHAOS ---- */

static const char *chaos_text(const struct query *q, const struct query_policy *p)
{
    static const struct {
        uint8_t length;
        bool version;
        const char *name;
    } names[] = {{14, true, "\7version\4bind"},
                 {16, true, "\7version\6server"},
                 {15, false, "\10hostname\4bind"},
                 {11, false, "\2id\6server"}};
    if (q->type != DNS_TXT && q->type != DNS_ANY)
        return "";
    for (size_t i = 0; i < array_length(names); i++)
        if (dname_equal(q->name, q->name_length, (const uint8_t *)names[i].name, names[i].length))
            return names[i].version ? p->version : p->id;
    return "";
}

void extra_chaos(const struct query *q, const struct query_context *ctx, struct answer *a)
{
    const char *text = ctx->policy ? chaos_text(q, ctx->policy) : "";
    size_t length = strlen(text);
    if (!length || RECORD_HEAD + 1 + length > a->limit - a->position)
        return;
    struct writer w = writer_init(a->data, a->limit);
    w.position = a->position;
    writer_u16(&w, 0xc000 + DNS_HEADER_SIZE);
    writer_u16(&w, DNS_TXT);
    writer_u16(&w, DNS_CH);
    writer_u32(&w, 0);
    writer_u16(&w, (uint16_t)(1 + length));
    writer_u8(&w, (uint8_t)length);
    writer_bytes(&w, text, length);
    invariant(!w.failed && length <= POLICY_TEXT_MAX);
    a->position = w.position;
    a->answers = 1;
    a->flags = DNS_FLAG_AA;
    a->rcode = DNS_NOERROR;
}

/* ---- rate limiting ---- */

/* What is counted together: a name that is there; all names that a wildcard makes; all that are not
 * in a zone; all errors of a kind. */
static uint64_t account_of(const struct query *q, const struct answer *a)
{
    if (q->course != QUERY_GO || a->rcode == DNS_BADCOOKIE)
        return ERROR_ACCOUNT + (uint64_t)a->rcode;
    return q->account;
}

void extra_limit_prepare(const struct query *q, const struct query_context *ctx)
{
    if (q->client->tcp)
        return;
    struct ip client = extra_client(q->client);
    limit_prefetch(ctx->limit, &client, q->hash);
}

enum limit_verdict extra_limit(const struct query *q, struct query_context *ctx,
                               const struct answer *a)
{
    if (q->client->tcp || q->cookie_good)
        return LIMIT_PASS;
    struct ip client = extra_client(q->client);
    enum limit_verdict v = limit_take(ctx->limit, &client, account_of(q, a), ctx->now);
    if (v != LIMIT_PASS)
        stats_add(ctx->stats, v == LIMIT_SLIP ? DNS_LIMITED_SLIPPED : DNS_LIMITED_DROPPED, 1);
    return v;
}
