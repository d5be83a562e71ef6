#include "serve/dns/served.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/zone_walk.h"
#include "serve/dns/served_files.h"
#include "wire/dns.h"
#include <errno.h>
#include <stdlib.h>

/* DNSSEC algorithms, as bits. */
struct algorithms {
    uint64_t words[256 / 64];
};

struct build {
    struct served *s;
    const struct plan *plan;
    const struct served *previous;
    char *where;
    struct map
        services; /* wire name -> service index + 1; made when the order of names does not do */
    uint8_t
        *heights; /* by choice: choices on the longest way down, itself included; 0 = not seen */
    uint32_t *signed_for;     /* by choice: service + 1 whose signatures were looked for last */
    struct algorithms wanted; /* that sign the zone at hand */
    size_t records_length, records_size;
    uint32_t guess; /* the service that the next steered name is likely to be */
};

enum { HEIGHT_OPEN = 255, HEIGHT_MAX = PLAN_DEPTH_MAX + 1 };

static int wrong(struct build *b, int err, const char *what, const char *name)
{
    return served_wrong(b->where, err, what, name);
}

static int wrong_name(struct build *b, int err, const char *what, const uint8_t *name)
{
    char text[DNAME_TEXT_MAX];
    return wrong(b, err, what, dname_format(name, text));
}

/* ---- zones ---- */

static int origin_put(struct build *b, uint32_t index)
{
    struct served *s = b->s;
    const struct zone_header *h = s->zones[index].zone.header;
    uint64_t hash = dname_hash(h->origin, h->origin_length);
    uint32_t i = (uint32_t)hash & s->origin_mask;
    for (; s->origins[i]; i = (i + 1) & s->origin_mask) {
        const struct zone_header *o = s->zones[(uint32_t)s->origins[i] - 1].zone.header;
        if (dname_equal(o->origin, o->origin_length, h->origin, h->origin_length))
            return wrong_name(b, ERR_CONFLICT, "the plan has this zone twice", h->origin);
    }
    s->origins[i] = (hash & 0xffffffff00000000u) | (index + 1);
    s->label_counts[h->labels / 64] |= UINT64_C(1) << (h->labels % 64);
    return 0;
}

static struct served_zone zone_of(const struct served_file *f)
{
    const struct zone_header *h = f->zone.header;
    return (struct served_zone){
        .zone = f->zone,
        .negative = f->dark ? NULL : (const struct zone_image *)(f->zone.base + h->negative),
        .origin_length = h->origin_length,
        .labels = h->labels,
        .steered = h->steered_count,
    };
}

static bool origin_same(const struct served_zone *a, const struct served_zone *b)
{
    return dname_equal(a->zone.header->origin, a->origin_length, b->zone.header->origin,
                       b->origin_length);
}

/* Most zones are those of the plan before, in their places. Of these nothing is looked at but what
 * the tables of that one say, since of thousands of zones hardly any is in the cache. Says whether
 * all origins are where they were. */
static bool zones_list(struct build *b)
{
    struct served *s = b->s;
    const struct served *before = b->previous;
    bool same = before && before->zone_count == s->zone_count;
    for (uint32_t i = 0, n = 0, was = 0; i < b->plan->file_count; i++) { /* was: its place before */
        bool there = before && i < before->plan.file_count;
        if (b->plan->files[i].kind == PLAN_FILE_ZONE) {
            bool kept = there && s->files[i] == before->files[i];
            s->zones[n] = kept ? before->zones[was] : zone_of(s->files[i]);
            s->zones[n].state = s->files[i]->dark ? PLAN_ZONE_DARK : b->plan->files[i].state;
            same = same && n == was && (kept || origin_same(&s->zones[n], &before->zones[was]));
            n++;
        }
        was += there && before->plan.files[i].kind == PLAN_FILE_ZONE;
    }
    return same;
}

static int origins_build(struct build *b, bool same)
{
    struct served *s = b->s;
    size_t slots = 4;
    int err = 0;
    while (slots < 2 * (size_t)s->zone_count)
        slots *= 2;
    s->origins = mem_new(slots, sizeof *s->origins);
    s->origin_mask = (uint32_t)slots - 1;
    for (uint32_t n = 0; n < s->zone_count && !same && !err; n++)
        err = origin_put(b, n);
    if (same) {
        memcpy(s->origins, b->previous->origins, slots * sizeof *s->origins);
        memcpy(s->label_counts, b->previous->label_counts, sizeof s->label_counts);
    }
    return err;
}

static int zones_build(struct build *b)
{
    struct served *s = b->s;
    size_t faces = 0;
    s->zones = mem_new(s->zone_count + 1, sizeof *s->zones);
    int err = origins_build(b, zones_list(b));
    for (uint32_t n = 0; n < s->zone_count; n++)
        faces += (size_t)s->zones[n].steered * IP_FAMILIES;
    s->faces = mem_new(faces + 1, sizeof *s->faces);
    return err;
}

/* ---- choices ---- */

static void record_write(struct build *b, const struct plan_choice *c, uint32_t ttl,
                         const struct plan_address *a)
{
    bool v6 = c->family == IP_V6;
    size_t size = v6 ? SERVED_RECORD_V6 : SERVED_RECORD_V4;
    if (b->records_length + size > b->records_size) {
        b->records_size = b->records_size ? b->records_size * 2 : 4096;
        b->s->records = mem_resize(b->s->records, b->records_size, 1);
    }
    struct writer w = writer_init(b->s->records + b->records_length, size);
    writer_u16(&w, 0xc00c);
    writer_u16(&w, v6 ? DNS_AAAA : DNS_A);
    writer_u16(&w, DNS_IN);
    writer_u32(&w, ttl);
    writer_u16(&w, v6 ? 16 : 4);
    writer_bytes(&w, a->bytes, v6 ? 16 : 4);
    invariant(!w.failed && w.position == size);
    b->records_length += size;
}

static int addresses_check(struct build *b, uint32_t index, uint32_t ttl)
{
    const struct plan_choice *c = &b->plan->choices[index];
    const struct plan *p = b->plan;
    if (!c->count || !c->pick)
        return ERR_EMPTY_ANSWER;
    if (c->first > p->address_count || c->count > p->address_count - c->first ||
        c->family >= IP_FAMILIES)
        return ERR_BOUNDS;
    uint32_t pick = c->pick < c->count ? c->pick : c->count;
    b->s->records_of[index] = (struct served_records){(uint32_t)b->records_length, ttl};
    for (uint32_t i = 0; i < c->count + pick - 1; i++)
        record_write(b, c, ttl, &p->addresses[c->first + (i < c->count ? i : i - c->count)]);
    return b->records_length <= UINT32_MAX ? 0 : ERR_LIMIT;
}

static int cname_check(const struct plan *p, uint32_t offset)
{
    size_t length = 0;
    for (;;) {
        if (offset >= p->text_size || length >= DNAME_MAX)
            return ERR_BOUNDS;
        uint8_t label = (uint8_t)p->text[offset];
        if (label > DNAME_LABEL_MAX)
            return ERR_BOUNDS;
        length += label + 1u;
        offset += label + 1u;
        if (!label)
            return length <= DNAME_MAX ? 0 : ERR_BOUNDS;
    }
}

static int choice_check(struct build *b, uint32_t index, uint32_t ttl);

static int branches_check(struct build *b, const struct plan_choice *c, uint32_t ttl,
                          uint8_t *ret_height)
{
    const struct plan *p = b->plan;
    if (c->first > p->branch_count || c->count > p->branch_count - c->first)
        return ERR_BOUNDS;
    uint8_t height = 0;
    uint32_t end = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct plan_branch *br = &p->branches[c->first + i];
        int err = choice_check(b, br->choice, ttl);
        if (err)
            return err;
        if (b->heights[br->choice] > height)
            height = b->heights[br->choice];
        if (c->kind == CHOICE_WEIGHTED && br->weight_end < end)
            return ERR_BOUNDS;
        end = br->weight_end;
    }
    if (c->kind == CHOICE_WEIGHTED && (!c->count || !c->total || end != c->total))
        return ERR_EMPTY_ANSWER;
    *ret_height = height;
    return 0;
}

static int network_check(struct build *b, const struct plan_choice *c, uint32_t ttl,
                         uint8_t *height)
{
    if (c->map >= b->plan->file_count || !b->s->maps[c->map])
        return ERR_MISSING;
    if (c->count < b->s->maps[c->map]->row_count)
        return ERR_BOUNDS;
    int err = choice_check(b, c->otherwise, ttl);
    if (!err && b->heights[c->otherwise] > *height)
        *height = b->heights[c->otherwise];
    return err;
}

/* Every way down from the choice, each choice once. */
static int choice_check(struct build *b, uint32_t index, uint32_t ttl)
{
    if (index >= b->plan->choice_count)
        return ERR_BOUNDS;
    if (b->heights[index])
        return b->heights[index] == HEIGHT_OPEN ? ERR_LOOP : 0;
    const struct plan_choice *c = &b->plan->choices[index];
    uint8_t below = 0;
    int err = 0;
    b->heights[index] = HEIGHT_OPEN;
    switch (c->kind) {
    case CHOICE_ADDRESSES:
        err = addresses_check(b, index, ttl);
        break;
    case CHOICE_WEIGHTED:
        err = branches_check(b, c, ttl, &below);
        break;
    case CHOICE_NETWORK:
        err = branches_check(b, c, ttl, &below);
        if (!err)
            err = network_check(b, c, ttl, &below);
        break;
    case CHOICE_NODATA:
        break;
    case CHOICE_CNAME:
        err = cname_check(b->plan, c->first);
        break;
    default:
        err = ERR_INVALID;
    }
    if (!err && below >= HEIGHT_MAX)
        err = ERR_LOOP;
    b->heights[index] = (uint8_t)(below + 1);
    return err;
}

/* ---- names ---- */

static bool service_named(const struct plan *p, uint32_t service, const uint8_t *name,
                          size_t length)
{
    uint32_t at = p->services[service].wire_name;
    return at < p->text_size && length <= p->text_size - at &&
           memcmp(p->text + at, name, length) == 0; /* a whole name is prefix of no other */
}

static void services_index(struct build *b)
{
    const struct plan *p = b->plan;
    for (uint32_t i = 0; i < p->service_count; i++) {
        uint32_t at = p->services[i].wire_name;
        if (p->services[i].zone == PLAN_NONE || cname_check(p, at))
            continue;
        const uint8_t *name = (const uint8_t *)p->text + at;
        map_put(&b->services, name, dname_length(name), (void *)(uintptr_t)(i + 1));
    }
}

/* Zones list their steered names mostly in the order of the plan's services, so the next service is
 * tried before a table of all of them is made. */
static uint32_t service_find(struct build *b, const uint8_t *name, size_t length)
{
    if (b->guess < b->plan->service_count && service_named(b->plan, b->guess, name, length))
        return b->guess++;
    if (!b->services.count)
        services_index(b);
    uint32_t found = (uint32_t)(uintptr_t)map_get(&b->services, name, length);
    b->guess = found; /* the one after */
    return found - 1; /* PLAN_NONE where there is none */
}

static int name_build(struct build *b, const struct plan_service *service,
                      struct served_face *faces)
{
    const uint8_t *name = (const uint8_t *)b->plan->text + service->wire_name;
    unsigned present = 0;
    for (unsigned f = 0; f < IP_FAMILIES; f++) {
        faces[f] = (struct served_face){.choice = PLAN_NONE};
        faces[f].choice = steer_root(service, (enum ip_family)f, &faces[f].ttl);
        if (faces[f].choice == PLAN_NONE) {
            if (service->faces[f].mode != FACE_ABSENT)
                return wrong_name(b, ERR_EMPTY_ANSWER, "no choice for a family it has", name);
            continue;
        }
        int err = choice_check(b, faces[f].choice, faces[f].ttl);
        if (err)
            return wrong_name(b, err, err_text(err), name);
        present++;
    }
    return present ? 0 : wrong_name(b, ERR_EMPTY_ANSWER, "it has no address of any family", name);
}

static void algorithm_add(struct algorithms *a, const uint8_t *rrsig)
{
    enum { RRSIG_ALGORITHM = 2 };
    a->words[rrsig[RRSIG_ALGORITHM] / 64] |= (uint64_t)1 << rrsig[RRSIG_ALGORITHM] % 64;
}

/* What a zone is signed with is what its SOA is signed with. */
static struct algorithms zone_algorithms(const struct zone *z)
{
    struct algorithms a = {{0}};
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    struct zone_record r;
    bool more = zone_signature_first(z, zone_node_set(apex, DNS_SOA), &r);
    for (; more; more = zone_record_next(&r))
        algorithm_add(&a, r.rdata);
    return a;
}

/* RFC 4035 2.2: by each algorithm. */
static bool leaf_is_signed(const struct build *b, uint32_t service, uint32_t choice)
{
    struct algorithms found = {{0}};
    uint32_t count = 0;
    const struct plan_signature *s = plan_signatures(b->plan, service, choice, &count);
    for (uint32_t i = 0; i < count; i++)
        algorithm_add(&found, plan_signature_rdata(b->plan, &s[i], 0));
    for (unsigned i = 0; i < array_length(found.words); i++)
        if (b->wanted.words[i] & ~found.words[i])
            return false;
    return count > 0;
}

/* Every answer below the choice has its signatures; each choice once for a service. */
static bool choice_is_signed(struct build *b, uint32_t service, uint32_t index)
{
    const struct plan *p = b->plan;
    const struct plan_choice *c = &p->choices[index];
    if (b->signed_for[index] == service + 1)
        return true;
    b->signed_for[index] = service + 1;
    if (c->kind == CHOICE_ADDRESSES || c->kind == CHOICE_CNAME)
        return leaf_is_signed(b, service, index);
    if (c->kind == CHOICE_NODATA)
        return true;
    for (uint32_t i = 0; i < c->count; i++)
        if (!choice_is_signed(b, service, p->branches[c->first + i].choice))
            return false;
    return c->kind != CHOICE_NETWORK || choice_is_signed(b, service, c->otherwise);
}

/* L3: what was signed is never answered without its signatures. */
static int signatures_check(struct build *b, uint32_t service, const struct served_face *faces)
{
    if (!b->signed_for)
        b->signed_for = mem_new(b->plan->choice_count + (size_t)1, sizeof *b->signed_for);
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        if (faces[f].choice != PLAN_NONE && !choice_is_signed(b, service, faces[f].choice))
            return wrong(b, ERR_MISSING, "the zone is signed and an answer lacks its signature",
                         plan_text(b->plan, b->plan->services[service].name));
    return 0;
}

static int zone_link(struct build *b, uint32_t file, const struct served_zone *z,
                     struct served_face *faces)
{
    const struct zone_header *h = z->zone.header;
    const uint64_t *steered = (const uint64_t *)(z->zone.base + h->steered);
    if (h->flags & ZONE_SIGNED)
        b->wanted = zone_algorithms(&z->zone);
    for (uint32_t i = 0; i < h->steered_count; i++) {
        const struct zone_node *n = zone_node_at(&z->zone, steered[i]);
        invariant(n->steered == i);
        uint32_t service = service_find(b, zone_node_name(n), n->name_length);
        if (service == PLAN_NONE || b->plan->services[service].zone != file)
            return wrong_name(b, ERR_EMPTY_ANSWER, "the zone leaves it to the plan, which lacks it",
                              zone_node_name(n));
        struct served_face *own = faces + (size_t)i * IP_FAMILIES;
        int err = name_build(b, &b->plan->services[service], own);
        own[IP_V4].service = own[IP_V6].service = service;
        if (!err && h->flags & ZONE_SIGNED)
            err = signatures_check(b, service, own);
        if (err)
            return err;
    }
    return 0;
}

/* Both ways: every steered name has its service (zone_link), and no service lacks its name. */
static int names_build(struct build *b)
{
    const struct plan *p = b->plan;
    struct served_face *faces = b->s->faces;
    uint32_t *wanted = mem_new(p->file_count + 1, sizeof *wanted);
    int err = 0;
    for (uint32_t i = 0; i < p->service_count && !err; i++) {
        uint32_t zone = p->services[i].zone;
        if (zone == PLAN_NONE)
            continue;
        if (zone >= p->file_count || p->files[zone].kind != PLAN_FILE_ZONE)
            err = wrong(b, ERR_MISSING, "its zone is not in the plan",
                        plan_text(p, p->services[i].name));
        else
            wanted[zone]++;
    }
    for (uint32_t i = 0, n = 0; i < p->file_count && !err; i++) {
        if (p->files[i].kind != PLAN_FILE_ZONE)
            continue;
        struct served_zone *z = &b->s->zones[n++];
        z->faces = faces;
        err = z->steered ? zone_link(b, i, z, faces) : 0;
        faces += (size_t)z->steered * IP_FAMILIES;
        if (!err && wanted[i] != z->steered && !b->s->files[i]->dark)
            err = wrong(b, ERR_EMPTY_ANSWER, "a service of the plan has no name in the zone",
                        plan_text(p, p->files[i].name));
    }
    free(wanted);
    return err;
}

static int build(const struct plan *plan, const struct served_source *source,
                 const struct served *previous, bool lacking, struct served **ret,
                 char ret_where[static SERVED_WHERE_MAX])
{
    invariant(plan->generation > 0);
    struct served *s = mem_new(1, sizeof *s);
    struct build b = {
        .s = s, .plan = plan, .previous = previous, .where = ret_where, .services = map_init()};
    s->generation = plan->generation;
    s->plan = *plan;
    s->records_of = mem_new(plan->choice_count + 1, sizeof *s->records_of);
    b.heights = mem_new(plan->choice_count + 1, 1);
    int err = served_files_get(s, source, previous, lacking, ret_where);
    if (!err)
        err = zones_build(&b);
    if (!err)
        err = names_build(&b);
    map_done(&b.services);
    free(b.heights);
    free(b.signed_for);
    if (err) {
        served_free(s);
        return err;
    }
    s->steer = (struct steer){&s->plan, s->maps};
    *ret = s;
    return 0;
}

int served_build(const struct plan *plan, const struct served_source *source,
                 const struct served *previous, struct served **ret,
                 char ret_where[static SERVED_WHERE_MAX])
{
    int err = build(plan, source, previous, false, ret, ret_where);
    invariant(err || !(*ret)->lacking); /* L2 */
    return err;
}

int served_build_lacking(const struct plan *plan, const struct served_source *source,
                         const struct served *previous, struct served **ret,
                         char ret_where[static SERVED_WHERE_MAX])
{
    return build(plan, source, previous, true, ret, ret_where);
}

enum served_file_state served_file_state(const struct served *s, uint32_t file)
{
    const struct served_file *f = s->files[file];
    if (f->dark)
        return SERVED_FILE_DARK;
    return f->hash == s->plan.files[file].hash ? SERVED_FILE_OWN : SERVED_FILE_BEFORE;
}

const char *served_file_lack(const struct served *s, uint32_t file)
{
    invariant(s->lacks && s->lacks[file]);
    return served_file_why(s->lacks[file]);
}

void served_free(struct served *s)
{
    if (!s)
        return;
    free(s->lacks);
    for (uint32_t i = 0; s->files && i < s->plan.file_count; i++)
        served_file_release(s->files[i]);
    free(s->files);
    free(s->maps);
    free(s->zones);
    free(s->origins);
    free(s->faces);
    free(s->records_of);
    free(s->records);
    free(s);
}

uint64_t served_epoch(const void *served)
{
    return ((const struct served *)served)->epoch;
}

static const struct served_zone *origin_find(const struct served *s, const uint8_t *name,
                                             size_t length)
{
    uint64_t hash = served_hash(name, length);
    for (uint32_t i = (uint32_t)hash & s->origin_mask; s->origins[i];
         i = (i + 1) & s->origin_mask) {
        if ((s->origins[i] ^ hash) >> 32)
            continue;
        const struct served_zone *z = &s->zones[(uint32_t)s->origins[i] - 1];
        if (z->origin_length == length && memcmp(z->zone.header->origin, name, length) == 0)
            return z;
    }
    return NULL;
}

const struct served_zone *served_zone_find(const struct served *s, const uint8_t *name,
                                           size_t length, unsigned labels, unsigned labels_most)
{
    for (;; labels--) {
        if (labels <= labels_most && s->label_counts[labels / 64] >> (labels % 64) & 1) {
            const struct served_zone *z = origin_find(s, name, length);
            if (z)
                return z;
        }
        if (!labels)
            return NULL;
        length -= name[0] + 1u;
        name += name[0] + 1u;
    }
}
