/* Any message that is signed or wants a transfer: what comes back is well-formed, and where the
 * request was signed well, signed well. The first byte says the transport, the client, whether the
 * message is signed here with the true key (which the fuzzer cannot do), and for how long. */
#include "base/invariant.h"
#include "model/access.h"
#include "serve/dns/keyed.h"
#include "serve/dns/query_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000, STEPS_MAX = 1000, SERIAL = 7, SERIAL_BEFORE = 5 };

/* The second zone of the rig as it was before. */
static const char before[] = "$ORIGIN example.net.\n"
                             "$TTL 900\n"
                             "@ SOA ns1.example.com. host.example.com. 5 7200 3600 1209600 60\n"
                             "@ NS ns1.example.com.\n"
                             "ns2 A 192.0.2.3\n"
                             "gone TXT \"gone\"\n";

static struct rig *r;
static struct tsig_key key = {.name = "\1k", .algorithm = TSIG_SHA256};

static uint64_t wall(void)
{
    return NOW;
}

/* Unsigned from 10.0.0.0/8, signed from anywhere. */
static void rig_allow(void)
{
    static const struct ip_prefix ten = {.ip = {.bytes = {10}}, .length = 8};
    static const uint32_t first = 0;
    static struct access_zone zones[] = {
        {.origin = (const uint8_t *)"\7example\3com", .origin_length = 13},
        {.origin = (const uint8_t *)"\7example\3net", .origin_length = 13}};
    static struct access a = {.keys = &key, .key_count = 1, .zones = zones, .zone_count = 2};
    zones[0].keys = &first;
    zones[0].key_count = 1;
    zones[1].allow = &ten;
    zones[1].allow_count = 1;
    if (tsig_secret_parse("c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh", &key))
        abort();
    r->served->access = &a;
}

static void rig_start(void)
{
    r = rig_new();
    r->files[3] = rig_zone("example.net", before, NULL, 0);
    r->maker.files[1].serial = SERIAL;
    uint32_t old = maker_file(&r->maker, PLAN_FILE_HISTORY, "example.net", rig_hash(&r->files[3]));
    invariant(old == 3);
    r->maker.files[old].serial = SERIAL_BEFORE;
    r->files[4] = rig_zone("example.com", rig_example, rig_steered, RIG_STEERED);
    maker_file(&r->maker, PLAN_FILE_HISTORY, "example.com", rig_hash(&r->files[4]));
    served_free(r->served);
    if (rig_build(r, NULL, &r->served)) {
        fprintf(stderr, "%s\n", r->where);
        abort();
    }
    r->ctx.wall = wall;
    rig_allow();
}

static void zone_of(uint64_t hash, struct zone *ret)
{
    static const unsigned zones[] = {0, 1, 3};
    unsigned i = 0;
    while (i < array_length(zones) && rig_hash(&r->files[zones[i]]) != hash)
        i++;
    invariant(i < array_length(zones)); /* a file that the plan has */
    int err = zone_open(r->files[zones[i]].data, r->files[zones[i]].size, ret);
    invariant(err == 0);
}

static void message_check(const uint8_t *wire, size_t length)
{
    text_reset(&r->text);
    const char *wrong = message_text(wire, length, &r->text);
    invariant(wrong == NULL);
}

static void stream(const struct query *q, struct transfer_wish *wish, struct tsig_session *client)
{
    struct zone zone, old;
    bool difference = wish->kind == TRANSFER_DIFFERENCE;
    zone_of(wish->hash, &zone);
    if (difference)
        zone_of(wish->old, &old);
    struct transfer *t = transfer_new(q, &r->ctx, wish, &zone, difference ? &old : NULL);
    enum transfer_state state = TRANSFER_WORKING;
    for (unsigned i = 0; i < STEPS_MAX && state != TRANSFER_END; i++) {
        struct bytes out;
        size_t length;
        state = transfer_step(t, NOW, &out);
        if (state != TRANSFER_MESSAGE_READY)
            continue;
        invariant(out.length > TRANSFER_FRAME + DNS_HEADER_SIZE);
        message_check(out.data + TRANSFER_FRAME, out.length - TRANSFER_FRAME);
        int err = !client->key ? 0
                               : tsig_reply_verify(client, out.data + TRANSFER_FRAME,
                                                   out.length - TRANSFER_FRAME, NOW, &length);
        invariant(err == 0);
    }
    invariant(state == TRANSFER_END && tsig_stream_whole(client));
    transfer_free(t);
}

static void ask(const uint8_t *wire, size_t length, const struct query_client *client,
                struct tsig_session *session)
{
    struct query q;
    struct transfer_wish wish;
    bool was_signed = session->key != NULL;
    size_t room = client->tcp ? DNS_MESSAGE_MAX : r->ctx.udp_size, got;
    query_prepare(&q, &r->ctx, r->served, wire, length, client);
    if (q.course != QUERY_KEYED)
        return;
    if (client->tcp && keyed_is_transfer(&q)) {
        got = keyed_transfer(&q, &r->ctx, r->response, room, &wish);
        if (!got) {
            stream(&q, &wish, session);
            return;
        }
    } else {
        got = keyed_answer(&q, &r->ctx, r->response, room);
    }
    invariant(got <= room);
    if (!got)
        return;
    message_check(r->response, got);
    int err = was_signed ? tsig_reply_verify(session, r->response, got, NOW, &got) : 0;
    invariant(err == 0 || (r->response[3] & 15) == DNS_FORMERR);
}

/* The new length. What its counts do not reach is no message, and is left as it is. */
static size_t sign(struct tsig_session *session, uint8_t *wire, size_t length)
{
    struct tsig found;
    if (length < DNS_HEADER_SIZE || tsig_find(wire, length, &found) != ERR_MISSING)
        return length;
    session->key = &key;
    int total = tsig_sign(session, wire, length, length + TSIG_SIZE_MAX, NOW);
    invariant(total > 0);
    if (tsig_find(wire, (size_t)total, &found) || found.offset != length)
        session->key = NULL;
    return (size_t)total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t from[2][4] = {{10, 0, 0, 1}, {192, 0, 2, 1}};
    if (!r)
        rig_start();
    if (!size || size > DNS_MESSAGE_MAX - TSIG_SIZE_MAX)
        return 0;
    struct query_client client = {from[data[0] >> 1 & 1], IP_V4, data[0] & 1};
    struct tsig_session session = {0};
    uint8_t *wire = mem_new(1, size + TSIG_SIZE_MAX);
    memcpy(wire, data + 1, size - 1);
    size_t length = data[0] & 4 ? sign(&session, wire, size - 1) : size - 1;
    uint8_t *own = mem_new(1, length + !length); /* reads past it are seen */
    memcpy(own, wire, length);
    ask(own, length, &client, &session);
    tsig_session_done(&session);
    free(own);
    free(wire);
    return 0;
}
