/* What a reader must know of a plan before it serves it (L2, L3), in time linear in the file.
 *
 *  1. Every index, text offset and range lies inside its section; enumerations hold known values
 *     (snapshot_records.c, and here for choices).
 *  2. From any choice at most PLAN_DEPTH_MAX choices follow one another, itself included: no loops.
 *  3. A service that lies in a zone leads its clients to an address on every path, but
 *     a. where its operator wants NODATA or a fallback name when all is down, for the service
 * itself or for one that it stands for; b. where its operator has disabled all its endpoints: an
 * order, and no automatic action; c. directly below a choice by network: a client whose network
 * matches nothing gets NODATA, by configuration. At least one network must lead to an address even
 * so.
 *
 * A choice is walked once however many lead to it; `leads` keeps what was found. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/snapshot.h"
#include "model/snapshot_format.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

enum leads {
    LEADS_ADDRESS = 1,   /* some client gets an address */
    LEADS_CNAME = 2,     /* some client gets a fallback name */
    LEADS_NODATA = 4,    /* some client gets nothing */
    LEADS_UNMATCHED = 8, /* some client's network matches nothing */
};

/* What the operator said of a service. */
enum wish {
    WISH_OPEN = 1,    /* when_all_down allows an answer without address (rule 3a) */
    WISH_ORDERED = 2, /* an endpoint of it is disabled */
    WISH_SHUT = 4,    /* all its endpoints of IPv4 are disabled (rule 3b); 8: those of IPv6 */
};

static unsigned wish_shut(unsigned family)
{
    return (unsigned)WISH_SHUT << family;
}

enum { WALK_NEW = 0, WALK_ACTIVE = 255 }; /* else the height: choices from here to the addresses */

/* The choice being walked. */
struct walk {
    uint32_t index;
    unsigned depth; /* choices above it */
    uint8_t below;  /* greatest height of its children so far */
    uint8_t leads;
};

struct check {
    const struct plan *plan;
    const char **ret_where;
    uint8_t *height;  /* of each choice */
    uint8_t *leads;   /* of each choice */
    uint8_t *nesting; /* of each service: as height, of services that stand for others */
    uint8_t *wishes;  /* of each service */
    uint32_t
        *map_rows; /* of each file: branches of the choices that split by it; PLAN_NONE: none yet */
};

#define refuse(c, err, ...) snapshot_refuse((err), (c)->ret_where, __VA_ARGS__)

static struct check check_init(const struct plan *plan, const char **ret_where)
{
    struct check c = {
        .plan = plan,
        .ret_where = ret_where,
        .height = mem_new((size_t)plan->choice_count + 1, 1),
        .leads = mem_new((size_t)plan->choice_count + 1, 1),
        .nesting = mem_new((size_t)plan->service_count + 1, 1),
        .wishes = mem_new((size_t)plan->service_count + 1, 1),
        .map_rows = mem_new((size_t)plan->file_count + 1, sizeof(uint32_t)),
    };
    for (uint32_t i = 0; i < plan->file_count; i++)
        c.map_rows[i] = PLAN_NONE;
    return c;
}

static void check_done(struct check *c)
{
    free(c->height);
    free(c->leads);
    free(c->nesting);
    free(c->wishes);
    free(c->map_rows);
}

static bool range_fits(uint32_t first, uint32_t count, uint32_t size)
{
    return first <= size && count <= size - first;
}

/* ---- choices ---- */

static int choice_walk(struct check *c, uint32_t index, unsigned depth);

/* Walks a child and adds what it leads to. A child answers for the same family as its parent, but
 * NODATA and fallback names, which have no family. */
static int child_walk(struct check *c, struct walk *w, uint32_t child)
{
    int r = choice_walk(c, child, w->depth + 1);
    if (r < 0)
        return r;
    const struct plan_choice *from = &c->plan->choices[w->index], *to = &c->plan->choices[child];
    if (to->family != from->family && to->kind != CHOICE_NODATA && to->kind != CHOICE_CNAME)
        return refuse(c, ERR_BOUNDS, "choice %u: choice %u is of another address family", w->index,
                      child);
    bool unmatched = from->kind == CHOICE_NETWORK && to->kind == CHOICE_NODATA;
    w->leads |= unmatched ? LEADS_UNMATCHED : c->leads[child];
    if (c->height[child] > w->below)
        w->below = c->height[child];
    return 0;
}

static int addresses_check(struct check *c, struct walk *w)
{
    const struct plan *p = c->plan;
    const struct plan_choice *choice = &p->choices[w->index];
    if (!range_fits(choice->first, choice->count, p->address_count))
        return refuse(c, ERR_BOUNDS, "choice %u: its addresses do not exist", w->index);
    if (choice->count == 0)
        return refuse(c, ERR_EMPTY_ANSWER, "choice %u has no address", w->index);
    if (choice->pick == 0)
        return refuse(c, ERR_EMPTY_ANSWER, "choice %u picks none of its addresses", w->index);
    for (uint32_t i = 0; i < choice->count; i++) {
        const struct plan_address *a = &p->addresses[choice->first + i];
        if (p->targets[a->target].address.family != choice->family)
            return refuse(c, ERR_BOUNDS, "choice %u: address %u is of another family", w->index,
                          choice->first + i);
    }
    w->leads = LEADS_ADDRESS;
    return 0;
}

static int weighted_check(struct check *c, struct walk *w)
{
    const struct plan *p = c->plan;
    const struct plan_choice *choice = &p->choices[w->index];
    if (!range_fits(choice->first, choice->count, p->branch_count))
        return refuse(c, ERR_BOUNDS, "choice %u: its branches do not exist", w->index);
    if (choice->total == 0 || choice->count == 0)
        return refuse(c, ERR_EMPTY_ANSWER, "choice %u: its weights add up to nothing", w->index);
    uint32_t before = 0;
    for (uint32_t i = 0; i < choice->count; i++) {
        const struct plan_branch *b = &p->branches[choice->first + i];
        if (b->weight_end < before)
            return refuse(c, ERR_BOUNDS, "choice %u: its weights are not cumulative", w->index);
        before = b->weight_end;
        int r = child_walk(c, w, b->choice);
        if (r < 0)
            return r;
    }
    if (before != choice->total)
        return refuse(c, ERR_BOUNDS, "choice %u: its weights end at %u, not at its total %u",
                      w->index, before, choice->total);
    return 0;
}

static int network_check(struct check *c, struct walk *w)
{
    const struct plan *p = c->plan;
    const struct plan_choice *choice = &p->choices[w->index];
    if (!range_fits(choice->first, choice->count, p->branch_count))
        return refuse(c, ERR_BOUNDS, "choice %u: its branches do not exist", w->index);
    if (choice->map >= p->file_count || p->files[choice->map].kind != PLAN_FILE_NETMAP)
        return refuse(c, ERR_BOUNDS, "choice %u: file %u is not a netmap", w->index, choice->map);
    if (choice->otherwise >= p->choice_count)
        return refuse(c, ERR_BOUNDS, "choice %u: choice %u does not exist", w->index,
                      choice->otherwise);
    uint32_t *rows = &c->map_rows[choice->map];
    if (*rows != PLAN_NONE && *rows != choice->count)
        return refuse(c, ERR_BOUNDS, "choice %u: %u branches, but others have %u for this netmap",
                      w->index, choice->count, *rows);
    *rows = choice->count;
    int r = child_walk(c, w, choice->otherwise);
    for (uint32_t i = 0; i < choice->count && !r; i++)
        r = child_walk(c, w, p->branches[choice->first + i].choice);
    return r;
}

static int choice_check(struct check *c, struct walk *w)
{
    const struct plan_choice *choice = &c->plan->choices[w->index];
    switch (choice->kind) {
    case CHOICE_ADDRESSES:
        return addresses_check(c, w);
    case CHOICE_WEIGHTED:
        return weighted_check(c, w);
    case CHOICE_NETWORK:
        return network_check(c, w);
    case CHOICE_NODATA:
        w->leads = LEADS_NODATA;
        return 0;
    case CHOICE_CNAME:
        w->leads = LEADS_CNAME;
        return snapshot_wire_name_fits(c->plan, choice->first)
                   ? 0
                   : refuse(c, ERR_BOUNDS, "choice %u: its name is broken", w->index);
    default:
        return refuse(c, ERR_BOUNDS, "choice %u: unknown kind %u", w->index, choice->kind);
    }
}

/* The recursion is bounded by PLAN_DEPTH_MAX; a choice already walked costs nothing. */
static int choice_walk(struct check *c, uint32_t index, unsigned depth)
{
    invariant(index < c->plan->choice_count && depth <= PLAN_DEPTH_MAX);
    unsigned height = c->height[index];
    if (height == WALK_ACTIVE)
        return refuse(c, ERR_LOOP, "choice %u leads back to itself", index);
    if (depth + (height == WALK_NEW ? 1 : height) > PLAN_DEPTH_MAX)
        return refuse(c, ERR_LOOP, "choice %u: more than %u choices follow one another", index,
                      (unsigned)PLAN_DEPTH_MAX);
    if (height != WALK_NEW)
        return 0;
    if (c->plan->choices[index].family >= IP_FAMILIES)
        return refuse(c, ERR_BOUNDS, "choice %u: unknown address family", index);
    c->height[index] = WALK_ACTIVE;
    struct walk w = {.index = index, .depth = depth};
    int r = choice_check(c, &w);
    if (r < 0)
        return r;
    invariant(w.leads != 0 && w.below < PLAN_DEPTH_MAX);
    c->height[index] = (uint8_t)(w.below + 1);
    c->leads[index] = w.leads;
    return 0;
}

/* ---- services ---- */

/* Counts an endpoint among the members of a family, and among those that are disabled by order. */
struct members {
    uint32_t all[IP_FAMILIES], disabled[IP_FAMILIES];
};

static void member_count(const struct check *c, const struct plan_endpoint *e, struct members *m)
{
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        bool disabled = e->admin == ADMIN_DISABLED;
        if (e->nested == PLAN_NONE) {
            if (e->target[family] == PLAN_NONE)
                continue;
        } else {
            if (c->plan->services[e->nested].faces[family].mode == FACE_ABSENT)
                continue;
            disabled = disabled || c->wishes[e->nested] & wish_shut(family);
        }
        m->all[family]++;
        m->disabled[family] += disabled;
    }
}

/* What the operator wants of a service, through those that it stands for; these must not form a
 * loop. */
static int wishes_walk(struct check *c, uint32_t index, unsigned depth)
{
    enum { NESTING_MAX = 64 }; /* bounds the recursion; configurations nest a few deep */
    const struct plan *p = c->plan;
    const struct plan_service *s = &p->services[index];
    if (c->nesting[index] == WALK_ACTIVE || depth > NESTING_MAX)
        return refuse(c, ERR_LOOP, "service %s stands for itself, or nests too deep",
                      plan_text(p, s->name));
    if (c->nesting[index] != WALK_NEW)
        return 0;
    c->nesting[index] = WALK_ACTIVE;
    unsigned wishes = 0;
    struct members members = {{0}, {0}};
    if (s->when_all_down == ALL_DOWN_NODATA || s->when_all_down == ALL_DOWN_FALLBACK)
        wishes |= WISH_OPEN;
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        if (e->nested != PLAN_NONE) {
            int r = wishes_walk(c, e->nested, depth + 1);
            if (r < 0)
                return r;
            wishes |= c->wishes[e->nested] & (WISH_OPEN | WISH_ORDERED);
        }
        if (e->admin == ADMIN_DISABLED)
            wishes |= WISH_ORDERED;
        member_count(c, e, &members);
    }
    for (unsigned family = 0; family < IP_FAMILIES; family++)
        if (members.all[family] && members.all[family] == members.disabled[family])
            wishes |= wish_shut(family);
    c->nesting[index] = 1;
    c->wishes[index] = (uint8_t)wishes;
    return 0;
}

/* May the operator want this family of the service to be without an address? */
static bool may_be_empty(const struct check *c, uint32_t service, unsigned family)
{
    return c->wishes[service] & (WISH_OPEN | wish_shut(family));
}

/* L3 for one face whose choices hold. */
static int face_answers(struct check *c, uint32_t service, unsigned family)
{
    const struct plan_face *face = &c->plan->services[service].faces[family];
    if (c->plan->services[service].zone == PLAN_NONE || may_be_empty(c, service, family))
        return 0;
    if (face->mode == FACE_NODATA || face->mode == FACE_FALLBACK)
        return refuse(c, ERR_EMPTY_ANSWER, "%s, which its configuration does not want",
                      face->mode == FACE_NODATA ? "it answers nothing" : "it falls back to a name");
    unsigned leads = c->leads[face->choice];
    if (leads & (LEADS_NODATA | LEADS_CNAME))
        return refuse(c, ERR_EMPTY_ANSWER, "some clients would get no address");
    if (!(leads & LEADS_ADDRESS))
        return refuse(c, ERR_EMPTY_ANSWER, "no client would get an address");
    return 0;
}

static int face_check(struct check *c, uint32_t service, unsigned family)
{
    const struct plan *p = c->plan;
    const struct plan_face *face = &p->services[service].faces[family];
    uint8_t held; /* a bool with another value than 0 and 1 must not be read as one */
    memcpy(&held, &face->velocity_held, sizeof held);
    if (face->mode >= FACE_MODES || held > 1)
        return refuse(c, ERR_BOUNDS, "unknown mode");
    if (!range_fits(face->good_first, face->good_count, p->good_count))
        return refuse(c, ERR_BOUNDS, "its last good set does not exist");
    if (face->choice == PLAN_NONE)
        return face->mode == FACE_ABSENT ? 0 : refuse(c, ERR_EMPTY_ANSWER, "it has no choice");
    if (face->choice >= p->choice_count)
        return refuse(c, ERR_BOUNDS, "choice %u does not exist", face->choice);
    int r = choice_walk(c, face->choice, 0);
    if (r < 0)
        return r;
    const struct plan_choice *root = &p->choices[face->choice];
    if (root->family != family && root->kind != CHOICE_NODATA && root->kind != CHOICE_CNAME)
        return refuse(c, ERR_BOUNDS, "choice %u is of another address family", face->choice);
    return face->mode == FACE_ABSENT ? 0 : face_answers(c, service, family);
}

static int services_check(struct check *c)
{
    const struct plan *p = c->plan;
    int r = 0;
    for (uint32_t i = 0; i < p->service_count && !r; i++)
        r = wishes_walk(c, i, 0);
    for (uint32_t i = 0; i < p->service_count && !r; i++) {
        for (unsigned family = 0; family < IP_FAMILIES && !r; family++) {
            const char *where = "";
            struct check inner = *c;
            inner.ret_where = &where;
            r = face_check(&inner, i, family);
            if (r < 0)
                r = refuse(c, r, "service %s, %s: %s", plan_text(p, p->services[i].name),
                           family == IP_V4 ? "A" : "AAAA", where);
        }
    }
    return r;
}

static int plan_check(struct check *c)
{
    int r = snapshot_records_check(c->plan, c->ret_where);
    if (!r)
        r = services_check(c);
    for (uint32_t i = 0; i < c->plan->choice_count && !r; i++)
        r = choice_walk(c, i, 0); /* those that no service leads to must be whole as well (L2) */
    return r;
}

int snapshot_check(const struct plan *plan, const char **ret_where)
{
    struct check c = check_init(plan, ret_where);
    int r = plan_check(&c);
    check_done(&c);
    return r;
}

/* ---- succession ---- */

/* What a service's clients get of one family; 0 where it is not in a zone or the family is absent.
 */
static unsigned face_leads(const struct check *c, uint32_t service, unsigned family)
{
    const struct plan_service *s = &c->plan->services[service];
    const struct plan_face *f = &s->faces[family];
    return s->zone == PLAN_NONE || f->mode == FACE_ABSENT ? 0 : c->leads[f->choice];
}

static bool leads_to_answer(unsigned leads)
{
    return leads & (LEADS_ADDRESS | LEADS_CNAME);
}

/* Is there a row of one and the same netmap whose clients are answered now and would not be? */
static bool rows_lose(const struct check *now, const struct check *next, uint32_t now_choice,
                      uint32_t next_choice)
{
    const struct plan *a = now->plan, *b = next->plan;
    const struct plan_choice *x = &a->choices[now_choice], *y = &b->choices[next_choice];
    if (x->kind != CHOICE_NETWORK || y->kind != CHOICE_NETWORK || x->count != y->count ||
        a->files[x->map].hash != b->files[y->map].hash)
        return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (leads_to_answer(now->leads[a->branches[x->first + i].choice]) &&
            !leads_to_answer(next->leads[b->branches[y->first + i].choice]))
            return true;
    return leads_to_answer(now->leads[x->otherwise]) && !leads_to_answer(next->leads[y->otherwise]);
}

static int face_succeeds(const struct check *now, const struct check *next, uint32_t i, uint32_t j,
                         unsigned family)
{
    const struct plan_face *f = &now->plan->services[i].faces[family];
    const struct plan_face *g = &next->plan->services[j].faces[family];
    unsigned before = face_leads(now, i, family), after = face_leads(next, j, family);
    if (!leads_to_answer(before))
        return 0;
    const char *name = plan_text(next->plan, next->plan->services[j].name);
    const char *type = family == IP_V4 ? "A" : "AAAA";
    if (g->mode == FACE_ABSENT)
        return refuse(next, ERR_EMPTY_ANSWER, "service %s, %s: it is answered now and would not be",
                      name, type);
    if (may_be_empty(next, j, family))
        return 0;
    /* An endpoint that is disabled may be the only one of some network's. */
    bool ordered = next->wishes[j] & WISH_ORDERED;
    if (!leads_to_answer(after) || (!ordered && rows_lose(now, next, f->choice, g->choice)))
        return refuse(next, ERR_EMPTY_ANSWER,
                      "service %s, %s: clients that are answered now would not be", name, type);
    return 0;
}

static const uint8_t *service_wire(const struct plan *p, uint32_t i, size_t *ret_length)
{
    const uint8_t *name = (const uint8_t *)p->text + p->services[i].wire_name;
    *ret_length = dname_length(name);
    return name;
}

/* The service of `next` with the name of `now`'s service i, or PLAN_NONE. Under one configuration
 * it has the same index; the map is made only when it has not. */
static uint32_t service_find(const struct plan *now, const struct plan *next, uint32_t i,
                             struct map *by_name)
{
    size_t length, other_length;
    const uint8_t *name = service_wire(now, i, &length);
    if (i < next->service_count) {
        const uint8_t *other = service_wire(next, i, &other_length);
        if (dname_equal(name, length, other, other_length))
            return i;
    }
    if (by_name->count == 0) {
        for (uint32_t j = 0; j < next->service_count; j++) {
            const uint8_t *key = service_wire(next, j, &other_length);
            map_put(by_name, key, other_length, (void *)&next->services[j]);
        }
    }
    const struct plan_service *found = map_get(by_name, name, length);
    return found ? (uint32_t)(found - next->services) : PLAN_NONE;
}

static int names_succeed(const struct check *now, const struct check *next)
{
    struct map by_name = map_init();
    int r = 0;
    for (uint32_t i = 0; i < now->plan->service_count && !r; i++) {
        if (now->plan->services[i].zone == PLAN_NONE)
            continue;
        uint32_t j = service_find(now->plan, next->plan, i, &by_name);
        if (j == PLAN_NONE || next->plan->services[j].zone == PLAN_NONE)
            r = refuse(next, ERR_EMPTY_ANSWER, "service %s: it is served now and would not exist",
                       plan_text(now->plan, now->plan->services[i].name));
        for (unsigned family = 0; family < IP_FAMILIES && !r; family++)
            r = face_succeeds(now, next, i, j, family);
    }
    map_done(&by_name);
    return r;
}

int snapshot_succeeds(const struct plan *current, const struct plan *next, const char **ret_where)
{
    if (!current)
        return 0;
    if (next->generation <= current->generation)
        return snapshot_refuse(
            ERR_OLDER, ret_where, "generation %llu is not above %llu, which is served",
            (unsigned long long)next->generation, (unsigned long long)current->generation);
    if (next->config_fingerprint != current->config_fingerprint)
        return 0; /* another configuration may take names away: that is an operator's order */
    struct check now = check_init(current, ret_where), then = check_init(next, ret_where);
    int r = plan_check(&now);
    if (!r)
        r = plan_check(&then);
    if (!r)
        r = names_succeed(&now, &then);
    check_done(&now);
    check_done(&then);
    return r;
}
