#include "prog/update_work.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "model/zone_folder.h"
#include "prog/load_held.h"
#include "seam/clock.h"
#include "wire/dnsmsg.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_ADDITIONAL = 10, RCODE_MASK = 15 };

/* ---- messages ---- */

/* A v4 address that reached us over a v6 socket is a v4 address (RFC 4291 2.5.5.2). */
static struct ip client_of(const struct ip *ip)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct ip v4 = {.family = IP_V4};
    if (ip->family != IP_V6 || memcmp(ip->bytes, mapped, sizeof mapped) != 0)
        return *ip;
    memcpy(v4.bytes, ip->bytes + sizeof mapped, 4);
    return v4;
}

struct relayed *relayed_new(const struct relay_request *frame)
{
    const struct bytes *m = &frame->message;
    if (m->length < DNS_HEADER_SIZE || m->data[2] & (DNS_FLAG_QR >> 8))
        return NULL;
    struct relayed *r = mem_new(1, sizeof *r);
    *r = (struct relayed){.token = frame->token,
                          .stream = frame->stream,
                          .client = client_of(&frame->client),
                          .port = frame->port,
                          .length = m->length,
                          .zone = RELAYED_NO_ZONE,
                          .key = CONFIG_NONE};
    r->wire = mem_new(m->length, 1);
    memcpy(r->wire, m->data, m->length);
    return r;
}

void relayed_free(struct relayed *r)
{
    if (!r)
        return;
    if (r->own_key)
        explicit_bzero(r->own_key, sizeof *r->own_key);
    free(r->own_key);
    free(r->wire);
    free(r);
}

void relayed_keep(struct relayed *r)
{
    if (!r->session.key || r->own_key)
        return;
    r->own_key = mem_new(1, sizeof *r->own_key);
    *r->own_key = *r->session.key;
    r->session.key = r->own_key;
}

void relayed_address(struct relayed *r, const struct loaded *l)
{
    uint8_t name[DNAME_MAX];
    char text[DNAME_TEXT_MAX];
    uint16_t class;
    r->zone = RELAYED_NO_ZONE;
    int err = update_zone_name(r->wire, r->length, name, &class);
    r->rcode = err ? DNS_FORMERR : (enum dns_rcode)DNS_NOTAUTH;
    if (err || class != DNS_IN)
        return;
    dname_format(name, text);
    int zone = config_zone_find(l->config, text);
    if (zone == CONFIG_NONE)
        return;
    r->zone = (uint32_t)zone;
    r->served = l->zones[zone].file.serial;
    r->rcode = DNS_NOERROR;
}

/* ---- who ---- */

static void relayed_verify(struct relayed *r, const struct access *access, int64_t wall)
{
    uint32_t index = 0;
    int err = tsig_find(r->wire, r->length, &r->tsig);
    if (err == ERR_MISSING)
        return;
    if (err) {
        r->rcode = DNS_FORMERR;
        return;
    }
    const struct tsig_key *key = access ? access_key_find(access, r->tsig.name, &index) : NULL;
    r->has_tsig = true;
    err = tsig_request_verify(&r->session, key, r->wire, &r->tsig, (uint64_t)wall);
    if (err)
        r->rcode = err < 0 ? DNS_FORMERR : (enum dns_rcode)DNS_NOTAUTH;
    else
        r->key = (int)index;
}

void relayed_refuse(struct relayed *r, enum dns_rcode rcode, const char *reason)
{
    bool servfail = rcode == DNS_SERVFAIL && reason;
    r->rcode = rcode;
    r->ede = rcode == DNS_REFUSED || (rcode == (enum dns_rcode)DNS_NOTAUTH && reason)
                 ? UPDATE_EDE_PROHIBITED
             : servfail ? UPDATE_EDE_NOT_READY
                        : UPDATE_EDE_NONE;
    snprintf(r->reason, sizeof r->reason, "%s", reason ? reason : "");
}

/* May it be looked at? What is left of permission is for each record: command/update.h. */
static bool update_admit(struct relayed *r, const struct config_zone *z)
{
    const struct config_update *u = &z->update;
    bool near = !u->allow_count;
    for (uint32_t i = 0; i < u->allow_count && !near; i++)
        near = ip_prefix_contains(&u->allow[i], &r->client);
    if (!u->rule_count || z->primary_count)
        relayed_refuse(r, DNS_REFUSED, "this zone is not changed by updates");
    else if (!near)
        relayed_refuse(r, DNS_REFUSED, "updates are not taken from this address");
    else if (r->key == CONFIG_NONE)
        relayed_refuse(r, DNS_REFUSED, "updates have to be signed with TSIG");
    return r->rcode == DNS_NOERROR;
}

/* ---- one zone ---- */

struct zone_work {
    const struct update_batch *batch;
    const struct config_zone *zone;
    const uint8_t **steered;
    unsigned steered_count;
    struct relayed **messages; /* for this zone, in the order in which they came */
    unsigned count;
};

static void update_evaluate(const struct zone_work *z, struct relayed *r,
                            const struct held_content *content, struct update_result *ret)
{
    struct update_request q = {
        .wire = r->wire,
        .length = r->tsig.offset,
        .zone = z->zone,
        .content = content,
        .key = r->key,
        .key_name = r->tsig.name,
        .steered = z->steered,
        .steered_count = z->steered_count,
        .served = r->served,
        .policy = z->zone->serial == SERIAL_FILE ? SERIAL_INCREMENT : z->zone->serial,
        .wall = z->batch->wall,
    };
    update_run(&q, ret);
    relayed_refuse(r, ret->rcode, ret->reason);
    r->removed = ret->removed;
    r->added = ret->added;
    r->from = ret->change.from;
    r->to = ret->change.to;
}

static void problems_tell(const struct zone_work *z, struct text *problems)
{
    if (*text_string(problems))
        log_event(LOG_ERROR, "update.zone", {"zone", LOG_S(z->zone->name)},
                  {"reason", LOG_S(text_string(problems))});
    text_reset(problems);
}

static void all_fail(struct relayed *const *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        relayed_refuse(messages[i], DNS_SERVFAIL, NULL);
}

/* Before the first change the zone's text is its content; it stays so where no message changes
 * anything. 1: the content is kept by the node now; 0: all messages are answered; negative: error.
 */
static int zone_begin(const struct zone_work *z, struct text *problems)
{
    struct held_list records;
    struct held_content *content;
    uint8_t origin[DNAME_MAX];
    uint64_t source;
    if (zone_held_exists(z->batch->data, z->zone->name))
        return 1;
    int err = dname_parse(z->zone->name, strlen(z->zone->name), NULL, origin);
    err = err < 0 ? err : load_text_read(z->zone, NULL, problems, &records, &source);
    if (err)
        return err;
    err = held_content_new(origin, held_list_cursor(&records), &content);
    bool changed = false;
    for (unsigned i = 0; i < z->count && !err && !changed; i++) {
        struct update_result result;
        update_evaluate(z, z->messages[i], content, &result);
        changed = result.changed;
        held_change_done(&result.change);
    }
    if (!err) {
        held_content_free(content);
        if (changed)
            err = zone_held_replace(z->batch->data, z->zone->name, &records, source, problems);
    }
    held_list_done(&records);
    return err ? err : changed;
}

static void zone_commit(const struct zone_work *z, struct zone_held *h,
                        struct relayed *const *messages, const bool *changed, unsigned count)
{
    int err = zone_held_commit(h);
    for (unsigned i = 0; i < count; i++) {
        messages[i]->applied = changed[i] && !err;
        if (changed[i] && err)
            relayed_refuse(messages[i], DNS_SERVFAIL, NULL);
    }
    if (!err)
        err = zone_held_compact(h);
    if (err)
        log_event(LOG_ERROR, "update.journal", {"zone", LOG_S(z->zone->name)},
                  {"reason", LOG_S(err_text(err))});
}

/* Can what would come out be served? Asked before anything is confirmed (L2, L3). */
static int content_check(const struct zone_work *z, const struct held_content *c,
                         struct text *problems)
{
    const struct update_batch *b = z->batch;
    struct load_request request = {.path = b->config_path, .data = b->data};
    struct zone_order order = {
        .load = &request, .config = b->config, .zones = b->zones, .zone = z->messages[0]->zone};
    uint8_t *data;
    size_t size;
    int err = load_held_check(&order, c, true, problems, &data, &size);
    if (!err)
        free(data);
    return err;
}

/* The first sentence of the problems, without its place. */
static void unservable(struct relayed *r, const struct text *problems)
{
    const char *sentence = strchr(text_string(problems), ' ');
    char reason[RELAYED_REASON_MAX];
    sentence = sentence ? sentence + 1 : "the zone could not be served";
    snprintf(reason, sizeof reason, "%.*s", (int)strcspn(sentence, "\n"), sentence);
    relayed_refuse(r, DNS_REFUSED, reason);
}

/* Evaluates messages one after the other, each over what the ones before made, and puts all changes
 * on the disk as one. False: together they make no zone that can be served, and nothing was done.
 */
static bool zone_attempt(const struct zone_work *z, struct relayed *const *messages, unsigned count)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct zone_held *h = NULL;
    auto_free bool *changed = mem_new(count, sizeof *changed);
    unsigned changes = 0;
    bool done = true;
    int err = zone_held_open(z->batch->data, z->zone->name, &problems, &h);
    for (unsigned i = 0; i < count && !err; i++) {
        struct update_result result;
        update_evaluate(z, messages[i], zone_held_content(h), &result);
        if (result.changed)
            err = zone_held_append(h, &result.change);
        changed[i] = result.changed;
        changes += result.changed;
        held_change_done(&result.change);
    }
    if (err) {
        all_fail(messages, count);
    } else if (changes && content_check(z, zone_held_content(h), &problems)) {
        done = count == 1;
        if (done)
            unservable(messages[0], &problems);
        text_reset(&problems);
    } else if (changes) {
        zone_commit(z, h, messages, changed, count);
    }
    problems_tell(z, &problems);
    zone_held_close(h);
    text_done(&problems);
    return done;
}

static void zone_update(struct zone_work *z)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    int begun = zone_begin(z, &problems);
    if (begun < 0) {
        all_fail(z->messages, z->count);
        problems_tell(z, &problems);
    } else if (begun && !zone_attempt(z, z->messages, z->count)) {
        for (unsigned i = 0; i < z->count; i++)
            zone_attempt(z, &z->messages[i], 1);
    }
    text_done(&problems);
}

/* ---- the batch ---- */

static void access_read(struct update_batch *b)
{
    struct mapped file;
    b->access = NULL;
    int err = b->access_file ? store_map(b->data, PLAN_FILE_ACCESS, b->access_file->hash, &file)
                             : ERR_MISSING;
    if (err)
        return;
    err = access_decode(file.data, file.size, &b->access);
    if (err)
        log_event(LOG_ERROR, "update.keys", {"reason", LOG_S(err_text(err))});
    mapped_close(&file);
}

static bool is_update(const struct relayed *r)
{
    return relayed_opcode(r) == DNS_UPDATE;
}

/* Those for the zone of `first`, itself included; they are marked as taken. */
static unsigned zone_gather(const struct update_batch *b, struct relayed *first, bool *taken,
                            struct relayed **ret)
{
    unsigned count = 0, i = 0;
    bool begun = false;
    for (struct relayed *r = b->first; r; r = r->next, i++) {
        begun |= r == first;
        if (!begun || taken[i] || !is_update(r) || r->rcode || r->zone != first->zone)
            continue;
        taken[i] = true;
        ret[count++] = r;
    }
    return count;
}

/* The zone may be gone since the import was asked for. */
static void import_do(const struct update_batch *b, struct import_work *w)
{
    int zone = config_zone_find(b->config, w->zone);
    if (zone == CONFIG_NONE) {
        w->err = ERR_MISSING;
        text_appendf(&w->message, "the configuration has no zone %s any more", w->zone);
        return;
    }
    struct load_request request = {.path = b->config_path, .data = b->data};
    struct zone_order order = {
        .load = &request, .config = b->config, .zones = b->zones, .zone = (uint32_t)zone};
    order.was = b->zones[zone].file.hash ? &b->zones[zone].file : NULL;
    import_run(w, &order, b->wall);
}

bool relayed_is_shared(const struct relayed *r, const struct config *config)
{
    return is_update(r) && !r->rcode && config_zone_is_shared(&config->zones[r->zone]);
}

/* Who has a key of a zone that is shared may wonder why this node does not know it. */
static void key_missing_tell(struct relayed *r, const struct config *config)
{
    if (r->has_tsig && r->session.error == TSIG_BADKEY && r->zone != RELAYED_NO_ZONE &&
        config_zone_is_shared(&config->zones[r->zone]))
        relayed_refuse(r, (enum dns_rcode)DNS_NOTAUTH,
                       "this node has no TSIG key of that name; each node's own file names them");
}

void update_batch_run(struct update_batch *b)
{
    unsigned total = 0, i = 0;
    access_read(b);
    for (struct relayed *r = b->first; r; r = r->next, total++) {
        relayed_verify(r, b->access, b->wall);
        if (is_update(r) && !r->rcode)
            (void)update_admit(r, &b->config->zones[r->zone]);
        else if (is_update(r))
            key_missing_tell(r, b->config);
    }
    auto_free bool *taken = mem_new(total + (size_t)1, sizeof *taken);
    auto_free struct relayed **messages = mem_new(total + (size_t)1, sizeof *messages);
    for (struct relayed *r = b->first; r; r = r->next, i++) {
        if (taken[i] || !is_update(r) || r->rcode || relayed_is_shared(r, b->config))
            continue;
        struct arena a = arena_init();
        struct zone_work z = {.batch = b, .zone = &b->config->zones[r->zone], .messages = messages};
        z.steered = load_steered_names(&a, b->config, r->zone, &z.steered_count);
        z.count = zone_gather(b, r, taken, messages);
        zone_update(&z);
        arena_done(&a);
    }
    for (struct import_work *w = b->imports; w; w = w->next)
        import_do(b, w);
}

/* ---- answers ---- */

/* Did the message come with EDNS? */
static bool has_edns(const struct relayed *r)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    if (dnsmsg_open(r->wire, r->length, &m))
        return false;
    while (dnsmsg_next(&m, &e) > 0)
        if (e.section == DNSMSG_ADDITIONAL && e.type == DNS_OPT)
            return true;
    return false;
}

static void edns_write(struct writer *w, const struct relayed *r)
{
    enum { UDP_SIZE = 1232 };
    size_t text = strlen(r->reason);
    writer_u8(w, 0);
    writer_u16(w, DNS_OPT);
    writer_u16(w, UDP_SIZE);
    writer_u32(w, 0);
    writer_u16(w, r->ede ? (uint16_t)(4 + 2 + text) : 0);
    if (!r->ede)
        return;
    writer_u16(w, DNS_OPTION_EDE);
    writer_u16(w, (uint16_t)(2 + text));
    writer_u16(w, r->ede);
    writer_bytes(w, r->reason, text);
}

/* The zone section as it came, where it can be read. */
static size_t question_end(const struct relayed *r)
{
    struct reader reader = reader_init(r->wire, r->length);
    uint8_t name[DNAME_MAX];
    reader.position = DNS_HEADER_SIZE;
    if ((r->wire[4] << 8 | r->wire[5]) != 1 || dnsmsg_name(&reader, name) < 0 ||
        !reader_take(&reader, 4))
        return DNS_HEADER_SIZE;
    return reader.position;
}

size_t relayed_answer(struct relayed *r, int64_t wall, uint8_t *response)
{
    struct writer w = writer_init(response, DNS_MESSAGE_MAX);
    size_t end = question_end(r);
    bool edns = has_edns(r);
    writer_bytes(&w, r->wire, 2);
    writer_u8(&w, (uint8_t)((r->wire[2] & 0x79) | DNS_FLAG_QR >> 8)); /* opcode and RD stay */
    writer_u8(&w, (uint8_t)(r->rcode & RCODE_MASK));
    writer_u16(&w, end > DNS_HEADER_SIZE);
    writer_u32(&w, 0);
    writer_u16(&w, edns);
    writer_bytes(&w, r->wire + DNS_HEADER_SIZE, end - DNS_HEADER_SIZE);
    if (edns)
        edns_write(&w, r);
    invariant(!w.failed);
    int length = (int)w.position;
    if (r->session.key)
        length = tsig_sign(&r->session, response, w.position, DNS_MESSAGE_MAX, (uint64_t)wall);
    else if (r->has_tsig && r->session.error)
        length = tsig_refuse(&r->session, &r->tsig, response, w.position, DNS_MESSAGE_MAX);
    return length > 0 ? (size_t)length : 0;
}
