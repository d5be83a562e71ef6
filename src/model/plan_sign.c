#include "model/plan_sign.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "wire/dns.h"
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 30 };

/* Two hashes over all that is signed and by which key; the content itself is not kept. */
struct digest {
    uint64_t words[2];
};

struct entry {
    struct digest digest; /* the key in the map */
    uint32_t inception, expiration;
    uint64_t used; /* number of the plan */
    uint16_t length;
    uint8_t rdata[];
};

struct plan_signer {
    struct map entries;
    uint64_t round;
    struct plan_service *services;
    size_t service_size;
    struct plan_signature *signatures;
    size_t signature_count, signature_size;
    uint8_t *bytes;
    size_t byte_count, byte_size;
    uint8_t *seen;    /* by choice: met on the way down of this service */
    uint32_t *leaves; /* of this service */
    size_t leaf_count, leaf_size;
    uint8_t *records; /* of one answer */
    size_t record_size;
};

struct signing {
    struct plan_signer *s;
    const struct plan *plan;
    const struct dnssec_zone_keys *keys; /* of this service's zone, with the time set to now */
    const struct dnssec_key *key;        /* at work: each of the zone's signers in turn */
    uint8_t zone[DNAME_MAX];
    const uint8_t *owner;
    uint32_t ttl;
    struct plan_signed *out;
};

struct plan_signer *plan_signer_new(void)
{
    struct plan_signer *s = mem_new(1, sizeof *s);
    s->entries = map_init();
    return s;
}

static void entries_free(struct plan_signer *s)
{
    const void *key;
    size_t position = 0, length;
    void *value;
    while (map_next(&s->entries, &position, &key, &length, &value))
        free(value);
    map_done(&s->entries);
}

void plan_signer_free(struct plan_signer *s)
{
    if (!s)
        return;
    entries_free(s);
    free(s->services);
    free(s->signatures);
    free(s->bytes);
    free(s->seen);
    free(s->leaves);
    free(s->records);
    free(s);
}

/* Room for `more` elements of `size` bytes behind `count`. */
static void *room_make(void *array, size_t count, size_t more, size_t *capacity, size_t size)
{
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted < count + more)
        wanted *= 2;
    if (wanted == *capacity)
        return array;
    *capacity = wanted;
    return mem_resize(array, wanted, size);
}

/* ---- which answers there are ---- */

/* The choices at the end of every way down, each once. Depth is bounded by the plan's own check. */
static void leaves_collect(struct signing *g, uint32_t choice, unsigned depth)
{
    const struct plan *p = g->plan;
    const struct plan_choice *c = &p->choices[choice];
    struct plan_signer *s = g->s;
    invariant(choice < p->choice_count && depth <= PLAN_DEPTH_MAX);
    if (s->seen[choice])
        return;
    s->seen[choice] = 1;
    if (c->kind == CHOICE_ADDRESSES || c->kind == CHOICE_CNAME) {
        s->leaves = room_make(s->leaves, s->leaf_count, 1, &s->leaf_size, sizeof *s->leaves);
        s->leaves[s->leaf_count++] = choice;
        return;
    }
    if (c->kind == CHOICE_NODATA)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        leaves_collect(g, p->branches[c->first + i].choice, depth + 1);
    if (c->kind == CHOICE_NETWORK)
        leaves_collect(g, c->otherwise, depth + 1);
}

static void leaves_forget(struct signing *g, uint32_t choice)
{
    const struct plan_choice *c = &g->plan->choices[choice];
    if (!g->s->seen[choice])
        return;
    g->s->seen[choice] = 0;
    if (c->kind == CHOICE_WEIGHTED || c->kind == CHOICE_NETWORK)
        for (uint32_t i = 0; i < c->count; i++)
            leaves_forget(g, g->plan->branches[c->first + i].choice);
    if (c->kind == CHOICE_NETWORK)
        leaves_forget(g, c->otherwise);
}

static int leaf_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* ---- one answer ---- */

static void record_put(struct signing *g, struct dnssec_set *set, const uint8_t *data,
                       uint16_t length)
{
    struct plan_signer *s = g->s;
    s->records = room_make(s->records, set->length, sizeof length + length, &s->record_size, 1);
    memcpy(s->records + set->length, &length, sizeof length);
    memcpy(s->records + set->length + sizeof length, data, length);
    set->length += sizeof length + length;
    set->count++;
    set->records = s->records;
}

static int address_compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* The records of the answer that begins at address `start`, in canonical order: the same set from
 * two starts is the same signature. */
static struct dnssec_set answer_set(struct signing *g, const struct plan_choice *c, uint32_t start)
{
    struct dnssec_set set = {.owner = g->owner, .ttl = g->ttl};
    if (c->kind == CHOICE_CNAME) {
        const uint8_t *target = (const uint8_t *)g->plan->text + c->first;
        set.type = DNS_CNAME;
        record_put(g, &set, target, (uint16_t)dname_length(target));
        return set;
    }
    uint32_t count = c->pick < c->count ? c->pick : c->count;
    uint8_t *addresses = mem_new(count, 16);
    for (uint32_t i = 0; i < count; i++)
        memcpy(addresses + (size_t)i * 16,
               g->plan->addresses[c->first + (start + i) % c->count].bytes,
               c->family == IP_V6 ? 16 : 4);
    qsort(addresses, count, 16, address_compare);
    set.type = c->family == IP_V6 ? DNS_AAAA : DNS_A;
    for (uint32_t i = 0; i < count; i++)
        record_put(g, &set, addresses + (size_t)i * 16, c->family == IP_V6 ? 16 : 4);
    free(addresses);
    return set;
}

static struct digest answer_digest(const struct signing *g, const struct dnssec_set *set)
{
    struct digest d = {{0x5160, 0x91a7}};
    size_t key_length;
    const uint8_t *key = dnssec_key_rdata(g->key, &key_length);
    const uint32_t head[2] = {set->type, set->ttl};
    for (unsigned i = 0; i < 2; i++) {
        d.words[i] = hash64_seeded(key, key_length, d.words[i]);
        d.words[i] = hash64_seeded(g->zone, dname_length(g->zone), d.words[i]);
        d.words[i] = hash64_seeded(set->owner, dname_length(set->owner), d.words[i]);
        d.words[i] = hash64_seeded(head, sizeof head, d.words[i]);
        d.words[i] = hash64_seeded(set->records, set->length, d.words[i]);
    }
    return d;
}

static bool entry_fresh(const struct signing *g, const struct entry *e)
{
    int64_t now = g->keys->now;
    return e->inception <= now && (int64_t)e->expiration - now > g->keys->refresh;
}

/* The signature of a set, kept or made now. */
static int answer_sign(struct signing *g, const struct dnssec_set *set, struct entry **ret)
{
    struct plan_signer *s = g->s;
    struct digest digest = answer_digest(g, set);
    struct entry *e = map_get(&s->entries, &digest, sizeof digest);
    if (e && entry_fresh(g, e)) {
        g->out->reused++;
        *ret = e;
        return 0;
    }
    uint8_t rdata[DNSSEC_RRSIG_MAX];
    uint32_t inception, expiration;
    dnssec_times(g->keys, set->owner, set->type, &inception, &expiration);
    int length = dnssec_sign(g->key, set, g->zone, inception, expiration, rdata, sizeof rdata);
    if (length < 0)
        return length;
    if (e)
        free(map_remove(&s->entries, &digest, sizeof digest));
    e = mem_new(1, sizeof *e + (size_t)length);
    *e = (struct entry){.digest = digest,
                        .inception = inception,
                        .expiration = expiration,
                        .length = (uint16_t)length};
    memcpy(e->rdata, rdata, (size_t)length);
    map_put(&s->entries, &e->digest, sizeof e->digest, e);
    g->out->made++;
    *ret = e;
    return 0;
}

static void times_note(const struct signing *g, const struct entry *e)
{
    int64_t refresh = (int64_t)e->expiration - g->keys->refresh;
    if (refresh < g->out->refresh)
        g->out->refresh = refresh;
    if (e->inception > g->out->since)
        g->out->since = e->inception;
    if (!g->out->end || e->expiration < g->out->end)
        g->out->end = e->expiration;
    if (!g->out->alarm || refresh + g->keys->refresh / 2 < g->out->alarm)
        g->out->alarm = refresh + g->keys->refresh / 2;
}

/* One key's signatures of a choice. */
static int leaf_sign(struct signing *g, uint32_t service, uint32_t choice)
{
    struct plan_signer *s = g->s;
    const struct plan_choice *c = &g->plan->choices[choice];
    uint32_t windows = plan_windows(c);
    if (windows > PLAN_WINDOWS_MAX || s->byte_count > BYTES_MAX)
        return ERR_LIMIT;
    struct plan_signature out = {.service = service,
                                 .choice = choice,
                                 .offset = (uint32_t)s->byte_count,
                                 .windows = (uint16_t)windows};
    for (uint32_t start = 0; start < windows; start++) {
        struct entry *e = NULL;
        struct dnssec_set set = answer_set(g, c, start);
        int err = answer_sign(g, &set, &e);
        if (err)
            return err;
        invariant(!start || e->length == out.length); /* one key, one owner: one length */
        e->used = s->round;
        times_note(g, e);
        out.length = e->length;
        s->bytes = room_make(s->bytes, s->byte_count, e->length, &s->byte_size, 1);
        memcpy(s->bytes + s->byte_count, e->rdata, e->length);
        s->byte_count += e->length;
    }
    s->signatures =
        room_make(s->signatures, s->signature_count, 1, &s->signature_size, sizeof *s->signatures);
    s->signatures[s->signature_count++] = out;
    return 0;
}

/* RFC 4035 2.2: by each key that signs the rest of the zone. */
static int leaf_sign_all(struct signing *g, uint32_t service, uint32_t choice)
{
    int err = 0;
    for (unsigned i = 0; i < g->keys->zone_signer_count && !err; i++) {
        g->key = g->keys->zone_signers[i];
        err = leaf_sign(g, service, choice);
    }
    return err;
}

/* ---- the plan ---- */

static int service_sign(struct signing *g, uint32_t index)
{
    const struct plan *p = g->plan;
    struct plan_signer *s = g->s;
    struct plan_service *service = &s->services[index];
    int err = 0;
    s->leaf_count = 0;
    g->owner = (const uint8_t *)p->text + service->wire_name;
    g->ttl = service->ttl_max;
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        if (service->faces[f].choice != PLAN_NONE)
            leaves_collect(g, service->faces[f].choice, 0);
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        if (service->faces[f].choice != PLAN_NONE)
            leaves_forget(g, service->faces[f].choice);
    if (s->leaf_count)
        qsort(s->leaves, s->leaf_count, sizeof *s->leaves, leaf_compare);
    service->signature_first = (uint32_t)s->signature_count;
    for (size_t i = 0; i < s->leaf_count && !err; i++)
        err = leaf_sign_all(g, index, s->leaves[i]);
    service->signature_count = (uint32_t)s->signature_count - service->signature_first;
    return err;
}

static int services_sign(struct signing *g, const struct dnssec_zone_keys *const *keys, int64_t now)
{
    const struct plan *p = g->plan;
    struct dnssec_zone_keys current;
    uint32_t zone = PLAN_NONE;
    int err = 0;
    for (uint32_t i = 0; i < p->service_count && !err; i++) {
        struct plan_service *service = &g->s->services[i];
        service->signature_first = service->signature_count = 0;
        if (service->zone == PLAN_NONE || !keys[service->zone])
            continue;
        if (service->zone != zone) {
            const char *name = plan_text(p, p->files[service->zone].name);
            zone = service->zone;
            if (dname_parse(name, strlen(name), NULL, g->zone) <= 0)
                return ERR_INVALID;
            current = *keys[zone];
            current.now = (uint32_t)now;
            g->keys = &current;
            invariant(current.zone_signer_count > 0 &&
                      current.zone_signer_count <= PLAN_SIGNERS_MAX);
        }
        err = service_sign(g, i);
    }
    return err;
}

/* Drops what no plan used for long. */
static void entries_sweep(struct plan_signer *s)
{
    struct map kept = map_init();
    const void *key;
    size_t position = 0, length;
    void *value;
    while (map_next(&s->entries, &position, &key, &length, &value)) {
        struct entry *e = value;
        if (e->used + PLAN_SIGN_KEEP < s->round)
            free(e);
        else
            map_put(&kept, &e->digest, sizeof e->digest, e);
    }
    map_done(&s->entries);
    s->entries = kept;
}

int plan_sign(struct plan_signer *s, const struct plan *plan,
              const struct dnssec_zone_keys *const *keys, int64_t now, struct plan *ret,
              struct plan_signed *ret_signed)
{
    struct plan_signed out = {.refresh = INT64_MAX};
    struct signing g = {.s = s, .plan = plan, .out = &out};
    if (++s->round % PLAN_SIGN_KEEP == 0)
        entries_sweep(s);
    s->signature_count = s->byte_count = 0;
    s->services = room_make(s->services, 0, plan->service_count + (size_t)1, &s->service_size,
                            sizeof *s->services);
    if (plan->service_count)
        memcpy(s->services, plan->services, plan->service_count * sizeof *s->services);
    free(s->seen);
    s->seen = mem_new((size_t)plan->choice_count + 1, 1);
    int err = services_sign(&g, keys, now);
    if (err)
        return err;
    *ret = *plan;
    ret->services = s->services;
    ret->signatures = s->signatures;
    ret->signature_count = (uint32_t)s->signature_count;
    ret->signed_bytes = s->bytes;
    ret->signed_size = (uint32_t)s->byte_count;
    *ret_signed = out;
    return 0;
}
