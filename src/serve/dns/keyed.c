#include "serve/dns/keyed.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/invariant.h"
#include "serve/dns/extra.h"

enum { QUERY_SIGNED_MAX = 2048, RCODE_MASK = 15, COUNT_ADDITIONAL = 11 };

struct keyed {
    struct tsig t;
    bool has_tsig;
    int64_t key; /* number of the key, or -1 */
    struct tsig_session session;
};

static uint64_t now_of(const struct query_context *ctx)
{
    return ctx->wall ? ctx->wall() : 0;
}

/* 0, or the RCODE to answer with. */
static enum dns_rcode keyed_verify(const struct query *q, const struct query_context *ctx,
                                   struct keyed *k)
{
    uint32_t index = 0;
    *k = (struct keyed){.key = -1};
    int err = tsig_find(q->wire, q->length, &k->t);
    if (err == ERR_MISSING)
        return DNS_NOERROR;
    if (err)
        return DNS_FORMERR;
    if (!q->served)
        return DNS_SERVFAIL; /* no plan yet, so no keys */
    k->has_tsig = true;
    const struct tsig_key *key = access_key_find(q->served->access, k->t.name, &index);
    err = tsig_request_verify(&k->session, key, q->wire, &k->t, now_of(ctx));
    if (err < 0)
        return DNS_FORMERR;
    if (err > 0) {
        stats_add(ctx->stats, DNS_TSIG_REFUSED, 1);
        return (enum dns_rcode)DNS_NOTAUTH;
    }
    k->key = index;
    return DNS_NOERROR;
}

/* Header and question with an RCODE; where the client has EDNS, so have we (RFC 6891 6.1.1), and
 * say why it was refused (RFC 8914). */
static size_t error_write(const struct query *q, const struct query_context *ctx,
                          enum dns_rcode rcode, uint8_t *response)
{
    enum { OPT_ROOM = 11 + 6 };
    size_t length = q->question_end > DNS_HEADER_SIZE ? q->question_end : DNS_HEADER_SIZE;
    bool refused = rcode == DNS_REFUSED;
    struct writer w = writer_init(response, length + OPT_ROOM);
    writer_bytes(&w, q->wire, length);
    response[2] = (uint8_t)((q->wire[2] & 0x79) | DNS_FLAG_QR >> 8); /* opcode and RD stay */
    response[3] = (uint8_t)(rcode & RCODE_MASK);
    response[4] = 0;
    response[5] = length > DNS_HEADER_SIZE;
    memset(response + 6, 0, 6);
    if (!q->edns.present || length == DNS_HEADER_SIZE)
        return length;
    writer_u8(&w, 0);
    writer_u16(&w, DNS_OPT);
    writer_u16(&w, ctx->udp_size);
    writer_u16(&w, 0);
    writer_u16(&w, q->edns.dnssec_ok ? 0x8000 : 0);
    writer_u16(&w, refused ? 6 : 0);
    if (refused) {
        writer_u16(&w, DNS_OPTION_EDE);
        writer_u16(&w, 2);
        writer_u16(&w, q->client->tcp ? EDE_PROHIBITED : EDE_NOT_SUPPORTED);
    }
    response[COUNT_ADDITIONAL] = 1;
    return w.position;
}

static size_t keyed_sign(const struct query_context *ctx, struct tsig_session *s,
                         const struct tsig *t, uint8_t *response, size_t length, size_t size)
{
    int total = (int)length;
    if (s->key)
        total = tsig_sign(s, response, length, size, now_of(ctx));
    else if (t && s->error)
        total = tsig_refuse(s, t, response, length, size);
    return total > 0 ? (size_t)total : 0;
}

/* The same question, perhaps for another type, without its signature; the copy lives as long as the
 * answer is being made. */
static size_t plain_answer(struct query *q, struct query_context *ctx, struct keyed *k,
                           uint16_t type, uint8_t *response, size_t size)
{
    uint8_t plain[QUERY_SIGNED_MAX];
    size_t length = k->has_tsig ? k->t.offset : q->length;
    size_t type_at = q->question_end - sizeof(uint32_t);
    if (length > sizeof plain || size < DNS_UDP_MIN + TSIG_SIZE_MAX)
        return error_write(q, ctx, DNS_FORMERR, response);
    memcpy(plain, q->wire, length);
    if (k->has_tsig)
        plain[COUNT_ADDITIONAL]--; /* the low byte: where it was 0 there were too many to fit */
    if (k->has_tsig && q->wire[COUNT_ADDITIONAL] == 0)
        return error_write(q, ctx, DNS_FORMERR, response);
    plain[type_at] = (uint8_t)(type >> 8);
    plain[type_at + 1] = (uint8_t)type;
    length = query_answer(ctx, q->served, plain, length, q->client, response, size - TSIG_SIZE_MAX);
    if (length >= q->question_end) {
        response[type_at] = (uint8_t)(q->type >> 8);
        response[type_at + 1] = (uint8_t)q->type;
    }
    return length;
}

bool keyed_is_transfer(const struct query *q)
{
    return q->course == QUERY_KEYED && (q->type == DNS_AXFR || q->type == DNS_IXFR);
}

/* A v4 address that reached us over a v6 socket is a v4 address (RFC 4291 2.5.5.2). */
static struct ip client_of(const struct query *q)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct ip ip = {.family = q->client->family};
    memcpy(ip.bytes, q->client->address, ip_size(&ip));
    if (ip.family == IP_V6 && !memcmp(ip.bytes, mapped, sizeof mapped)) {
        struct ip v4 = {.family = IP_V4};
        memcpy(v4.bytes, ip.bytes + sizeof mapped, 4);
        return v4;
    }
    return ip;
}

/* RFC 1995 2: over UDP an IXFR gets the SOA of what could be had over TCP. Sets the RCODE where it
 * could not. */
static bool serial_is_asked(const struct query *q, const struct keyed *k, enum dns_rcode *rcode)
{
    struct transfer_wish wish = {0};
    if (*rcode || q->type != DNS_IXFR || q->client->tcp)
        return false;
    struct ip client = client_of(q);
    transfer_wish(q, &client, k->key, &wish);
    *rcode = wish.kind == TRANSFER_NONE ? wish.rcode : DNS_NOERROR;
    return wish.kind != TRANSFER_NONE;
}

size_t keyed_answer(struct query *q, struct query_context *ctx, uint8_t *response,
                    size_t response_size)
{
    struct keyed k;
    size_t length;
    invariant(q->course == QUERY_KEYED);
    enum dns_rcode rcode = keyed_verify(q, ctx, &k);
    if (serial_is_asked(q, &k, &rcode))
        length = plain_answer(q, ctx, &k, DNS_SOA, response, response_size);
    else if (rcode || !k.has_tsig || keyed_is_transfer(q)) /* a transfer wants a stream */
        length = error_write(q, ctx, rcode ? rcode : DNS_REFUSED, response);
    else
        length = plain_answer(q, ctx, &k, q->type, response, response_size);
    if (!length)
        return 0;
    struct tsig_session before = k.session;
    size_t most = q->edns.present ? q->edns.size : DNS_UDP_MIN;
    size_t total =
        keyed_sign(ctx, &k.session, k.has_tsig ? &k.t : NULL, response, length, response_size);
    if (q->client->tcp || total <= most)
        return total;
    length = error_write(q, ctx, rcode, response); /* RFC 8945 5.3: no room for the signature */
    response[2] |= DNS_FLAG_TC >> 8;
    return keyed_sign(ctx, &before, &k.t, response, length, response_size);
}

size_t keyed_fail(const struct query *q, const struct query_context *ctx,
                  struct transfer_wish *wish, enum dns_rcode rcode, uint8_t *response,
                  size_t response_size)
{
    size_t length = error_write(q, ctx, rcode, response);
    stats_add(ctx->stats, DNS_TRANSFERS_REFUSED, 1);
    return keyed_sign(ctx, &wish->tsig, NULL, response, length, response_size);
}

size_t keyed_transfer(struct query *q, struct query_context *ctx, uint8_t *response,
                      size_t response_size, struct transfer_wish *ret_wish)
{
    struct keyed k;
    enum dns_rcode rcode = keyed_verify(q, ctx, &k);
    memset(ret_wish, 0, sizeof *ret_wish);
    ret_wish->tsig = k.session;
    if (rcode) {
        size_t length = error_write(q, ctx, rcode, response);
        stats_add(ctx->stats, DNS_TRANSFERS_REFUSED, 1);
        return keyed_sign(ctx, &k.session, k.has_tsig ? &k.t : NULL, response, length,
                          response_size);
    }
    if (k.session.key) {
        ret_wish->key = *k.session.key;
        ret_wish->tsig.key = &ret_wish->key;
    }
    struct ip client = client_of(q);
    transfer_wish(q, &client, k.key, ret_wish);
    if (ret_wish->kind == TRANSFER_NONE)
        return keyed_fail(q, ctx, ret_wish, ret_wish->rcode, response, response_size);
    return 0;
}
