#include "serve/dns/transfer.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "serve/dns/extra.h"
#include "wire/dnsmsg.h"
#include "wire/names.h"
#include "wire/serial.h"

enum {
    SERIAL_BEFORE_END = 20, /* the five numbers at the end of a SOA, the serial first */
    OPT_SIZE = 11,
    OPTION_HEAD = 4,
    PADDING_BLOCK = TRANSFER_MESSAGE + OPT_SIZE + OPTION_HEAD, /* a full message */
};

/* ---- what is asked ---- */

/* The serial that an IXFR's client has (RFC 1995 3). */
static bool client_serial(const struct query *q, uint32_t *ret)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    if (dnsmsg_open(q->wire, q->length, &m))
        return false;
    while (dnsmsg_next(&m, &e) == 1) {
        if (e.section != DNSMSG_AUTHORITY || e.type != DNS_SOA ||
            e.rdata.length < SERIAL_BEFORE_END)
            continue;
        struct reader r = reader_init(e.rdata.data + e.rdata.length - SERIAL_BEFORE_END, 4);
        *ret = reader_u32(&r);
        return true;
    }
    return false;
}

/* A zone that is asked about by a name below it is not meant. */
static const struct served_zone *zone_asked(const struct query *q)
{
    const struct served_zone *z =
        served_zone_find(q->served, q->name, q->name_length, q->labels, q->labels);
    return z && z->origin_length == q->name_length ? z : NULL;
}

/* The zone's number in the plan; NULL: it is not answered from the plan's file. */
static const struct plan_file *zone_file(const struct query *q, const struct served_zone *z)
{
    const struct plan *p = &q->served->plan;
    for (uint32_t i = 0; i < p->file_count; i++)
        if (p->files[i].kind == PLAN_FILE_ZONE && p->files[i].hash == z->zone.header->checksum)
            return &p->files[i];
    return NULL;
}

static bool file_is_history(const struct plan *p, const struct plan_file *f,
                            const struct plan_file *zone)
{
    return f->kind == PLAN_FILE_HISTORY && !strcmp(plan_text(p, f->name), plan_text(p, zone->name));
}

/* The version that transfers give: the zone's own file, or where answers come from the plan the
 * newest with those filled in. */
static const struct plan_file *current_file(const struct query *q, const struct plan_file *zone)
{
    const struct plan *p = &q->served->plan;
    const struct served_zone *z =
        served_zone_find(q->served, q->name, q->name_length, q->labels, q->labels);
    if (!z->zone.header->steered_count)
        return zone;
    const struct plan_file *found = NULL;
    for (uint32_t i = 0; i < p->file_count; i++)
        if (file_is_history(p, &p->files[i], zone) && p->files[i].serial == zone->serial)
            found = &p->files[i];
    return found;
}

/* The one version with this serial. Where a zone was changed without a new serial nobody can say
 * which of the two a client has: NULL, and it gets the whole. */
static const struct plan_file *version_find(const struct plan *p, const struct plan_file *zone,
                                            uint32_t serial)
{
    const struct plan_file *found = NULL;
    for (uint32_t i = 0; i < p->file_count; i++) {
        if (!file_is_history(p, &p->files[i], zone) || p->files[i].serial != serial)
            continue;
        if (found)
            return NULL;
        found = &p->files[i];
    }
    return found;
}

static void wish_refuse(struct transfer_wish *w, enum dns_rcode rcode)
{
    w->kind = TRANSFER_NONE;
    w->rcode = rcode;
}

void transfer_wish(const struct query *q, const struct ip *client, int64_t key,
                   struct transfer_wish *ret)
{
    uint32_t serial;
    const struct served_zone *asked = q->served ? zone_asked(q) : NULL;
    const struct plan_file *zone = asked ? zone_file(q, asked) : NULL;
    if (!zone) {
        wish_refuse(ret, q->served && !asked ? (enum dns_rcode)DNS_NOTAUTH : DNS_SERVFAIL);
        return;
    }
    const struct access_zone *rule = access_zone_find(q->served->access, q->name, q->name_length);
    if (q->class != DNS_IN || !rule ||
        !access_transfer(rule, client, key, q->client->tls >= 13, q->client->tls_pin)) {
        wish_refuse(ret, DNS_REFUSED);
        return;
    }
    const struct plan_file *now = current_file(q, zone), *old = NULL;
    if (!now || zone->state == PLAN_ZONE_DARK) {
        wish_refuse(ret, DNS_SERVFAIL);
        return;
    }
    ret->hash = now->hash;
    ret->kind = TRANSFER_WHOLE;
    if (q->type == DNS_AXFR)
        return;
    if (!client_serial(q, &serial)) {
        wish_refuse(ret, DNS_FORMERR);
        return;
    }
    if (!serial_newer(now->serial, serial))
        ret->kind = TRANSFER_CURRENT; /* RFC 1995 2 */
    else if ((old = version_find(&q->served->plan, zone, serial)) && old->hash != now->hash)
        ret->kind = TRANSFER_DIFFERENCE;
    ret->old = old ? old->hash : 0;
}

/* ---- messages ---- */

enum transfer_phase {
    PHASE_FIRST, /* the SOA that begins it */
    PHASE_WHOLE,
    PHASE_OLD,     /* the SOA before what goes (RFC 1995 4) */
    PHASE_REMOVED, /* records of the old version only */
    PHASE_NEW,
    PHASE_ADDED,
    PHASE_LAST,
    PHASE_END,
};

struct transfer {
    struct zone zone, old;
    struct zone_cursor at, at_old;
    enum transfer_phase phase;
    enum { KIND_CURRENT, KIND_WHOLE, KIND_DIFFERENCE } kind;
    struct tsig_session tsig;
    struct tsig_key key;
    uint8_t id[2], recursion;
    bool edns, padded;
    bool begun; /* the first message is out */
    uint16_t udp_size;
    uint16_t question_length;
    uint8_t question[DNAME_MAX + 4];
    bool open; /* a message is being written */
    struct writer w;
    uint16_t answers;
    struct names names;
    uint16_t name_slots[TRANSFER_NAMES];
    uint8_t buffer[TRANSFER_BUFFER];
};

/* False where it does not fit into this message any more. */
static bool record_write(struct transfer *t, const uint8_t *owner, uint16_t type, uint32_t ttl,
                         const uint8_t *data, uint16_t length)
{
    size_t before = t->w.position;
    names_write(&t->names, &t->w, owner, dname_length(owner));
    writer_u16(&t->w, type);
    writer_u16(&t->w, DNS_IN);
    writer_u32(&t->w, ttl);
    names_write_rdata(&t->names, &t->w, type, data, length);
    if (t->w.failed || (t->answers && t->w.position > TRANSFER_MESSAGE)) {
        invariant(t->answers); /* an empty message takes any record */
        t->w.failed = false;
        t->w.position = before;
        return false;
    }
    t->answers++;
    return true;
}

static void message_begin(struct transfer *t)
{
    t->names = names_init(t->name_slots, TRANSFER_NAMES);
    t->answers = 0;
    t->open = true;
    t->w = writer_init(t->buffer + TRANSFER_FRAME, DNS_MESSAGE_MAX - TSIG_SIZE_MAX - OPT_SIZE);
    writer_bytes(&t->w, t->id, sizeof t->id);
    writer_u16(&t->w, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_AA | (t->recursion ? DNS_FLAG_RD : 0)));
    writer_u16(&t->w, !t->begun);
    writer_u32(&t->w, 0);
    writer_u16(&t->w, 0);
    if (!t->begun) /* RFC 5936 2.2.2: needed in the first only */
        writer_bytes(&t->w, t->question, t->question_length);
}

/* Padding, as RFC 9103 asks for: all messages are as long as a full one, so that their lengths do
 * not tell a small change from a large one, or from none. */
static size_t padding_of(const struct transfer *t, size_t length)
{
    size_t head = length + OPT_SIZE + OPTION_HEAD;
    size_t padded = (head + PADDING_BLOCK - 1) / PADDING_BLOCK * PADDING_BLOCK;
    size_t most = DNS_MESSAGE_MAX - TSIG_SIZE_MAX;
    return !t->padded || head > most ? 0 : OPTION_HEAD + (padded < most ? padded : most) - head;
}

/* RFC 6891 6.1.1: in the first message; in all where there is something to be said in all. */
static size_t opt_write(const struct transfer *t, uint8_t *m, size_t length)
{
    size_t padding = padding_of(t, length);
    uint8_t *p = m + length;
    if (!t->edns || (t->begun && !padding))
        return length;
    memset(p, 0, OPT_SIZE + padding);
    p[2] = DNS_OPT;
    p[3] = (uint8_t)(t->udp_size >> 8);
    p[4] = (uint8_t)t->udp_size;
    p[9] = (uint8_t)(padding >> 8);
    p[10] = (uint8_t)padding;
    if (padding) {
        p[12] = DNS_OPTION_PADDING;
        p[13] = (uint8_t)((padding - OPTION_HEAD) >> 8);
        p[14] = (uint8_t)(padding - OPTION_HEAD);
    }
    m[11] = 1;
    return length + OPT_SIZE + padding;
}

static void message_end(struct transfer *t, uint64_t now, struct bytes *ret)
{
    uint8_t *m = t->buffer + TRANSFER_FRAME;
    m[6] = (uint8_t)(t->answers >> 8);
    m[7] = (uint8_t)t->answers;
    size_t length = opt_write(t, m, t->w.position);
    if (t->tsig.key) {
        int total = tsig_sign(&t->tsig, m, length, DNS_MESSAGE_MAX, now);
        invariant(total > 0);
        length = (size_t)total;
    }
    t->buffer[0] = (uint8_t)(length >> 8);
    t->buffer[1] = (uint8_t)length;
    t->open = false;
    t->begun = true;
    *ret = (struct bytes){t->buffer, TRANSFER_FRAME + length};
}

/* ---- the stream ---- */

static bool soa_write(struct transfer *t, const struct zone *z)
{
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *soa = zone_node_set(apex, DNS_SOA);
    invariant(soa);
    struct zone_record r = zone_record_first(z, soa);
    return record_write(t, zone_node_name(apex), DNS_SOA, soa->ttl, r.rdata, r.length);
}

static bool cursor_write(struct transfer *t, const struct zone_cursor *c)
{
    return c->type == DNS_SOA ||
           record_write(t, c->owner, c->type, c->ttl, c->record.rdata, c->record.length);
}

/* One step along both versions: the records of `mine` that `other` lacks are written. False where
 * the message is full. */
static bool difference_write(struct transfer *t, struct zone_cursor *mine,
                             struct zone_cursor *other)
{
    int order = zone_cursor_compare(mine, other);
    if (order < 0 && !cursor_write(t, mine))
        return false;
    if (order <= 0 && !mine->ended)
        zone_cursor_next(mine);
    if (order >= 0 && !other->ended)
        zone_cursor_next(other);
    return true;
}

static void cursors_start(struct transfer *t)
{
    zone_cursor_init(&t->at, &t->zone);
    if (t->kind == KIND_DIFFERENCE)
        zone_cursor_init(&t->at_old, &t->old);
}

/* One thing of the phase; false where the message is full. Phases follow each other as RFC 5936 2.2
 * and RFC 1995 4 have them. */
static bool phase_step(struct transfer *t)
{
    static const enum transfer_phase after_first[] = {
        [KIND_CURRENT] = PHASE_END, [KIND_WHOLE] = PHASE_WHOLE, [KIND_DIFFERENCE] = PHASE_OLD};
    switch (t->phase) {
    case PHASE_FIRST:
    case PHASE_NEW:
    case PHASE_LAST:
        if (!soa_write(t, &t->zone))
            return false;
        cursors_start(t);
        t->phase = t->phase == PHASE_FIRST ? after_first[t->kind]
                   : t->phase == PHASE_NEW ? PHASE_ADDED
                                           : PHASE_END;
        return true;
    case PHASE_OLD:
        if (!soa_write(t, &t->old))
            return false;
        t->phase = PHASE_REMOVED;
        return true;
    case PHASE_WHOLE:
        if (t->at.ended)
            t->phase = PHASE_LAST;
        else if (!cursor_write(t, &t->at))
            return false;
        else
            zone_cursor_next(&t->at);
        return true;
    case PHASE_REMOVED:
        if (t->at_old.ended)
            t->phase = PHASE_NEW;
        return t->phase == PHASE_NEW || difference_write(t, &t->at_old, &t->at);
    case PHASE_ADDED:
        if (t->at.ended)
            t->phase = PHASE_LAST;
        return t->phase == PHASE_LAST || difference_write(t, &t->at, &t->at_old);
    case PHASE_END:
        break;
    }
    return false;
}

enum transfer_state transfer_step(struct transfer *t, uint64_t now, struct bytes *ret)
{
    if (t->phase == PHASE_END && !t->open)
        return TRANSFER_END;
    if (!t->open)
        message_begin(t);
    for (unsigned i = 0; i < TRANSFER_STEP_RECORDS; i++)
        if (!phase_step(t) || t->phase == PHASE_END) {
            message_end(t, now, ret);
            return TRANSFER_MESSAGE_READY;
        }
    return TRANSFER_WORKING;
}

struct transfer *transfer_new(const struct query *q, const struct query_context *ctx,
                              const struct transfer_wish *wish, const struct zone *zone,
                              const struct zone *old)
{
    struct transfer *t = mem_new(1, sizeof *t);
    invariant(wish->kind != TRANSFER_NONE && !old == (wish->kind != TRANSFER_DIFFERENCE));
    t->zone = *zone;
    if (old)
        t->old = *old;
    t->kind = wish->kind == TRANSFER_CURRENT ? KIND_CURRENT : old ? KIND_DIFFERENCE : KIND_WHOLE;
    t->tsig = wish->tsig;
    t->key = wish->key;
    if (t->tsig.key)
        t->tsig.key = &t->key;
    memcpy(t->id, q->wire, sizeof t->id);
    t->recursion = q->wire[2] & (DNS_FLAG_RD >> 8);
    t->edns = q->edns.present;
    t->padded = q->client->tls && q->edns.extras & EXTRA_PADDING;
    t->udp_size = ctx->udp_size;
    t->question_length = (uint16_t)(q->question_end - DNS_HEADER_SIZE);
    memcpy(t->question, q->wire + DNS_HEADER_SIZE, t->question_length);
    return t;
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    tsig_session_done(&t->tsig);
    memset(&t->key, 0, sizeof t->key);
    free(t);
}
