/* Random zones against a slow model of what they should be, and damaged files. */
#include "base/random.h"
#include "model/zone_fixture.h"
#include "model/zone_walk_check.h"
#include "test/check_main.h"

enum { LINES_MAX = 160, LINE_MAX = 256, ROUNDS = 400 };

/* A zone as lines, and as what they mean. */
struct model {
    unsigned count;
    struct line {
        char name[LINE_MAX], data[2 * LINE_MAX];
        uint16_t type;
    } lines[LINES_MAX];
};

static const char *const labels[] = {
    "a",     "b",      "*",       "aa",    "ab",  "a-long-label", "\\000",
    "\\001", "a\\000", "a\\000b", "\\255", "\\.", "eightchr",     "B"};

static void name_random(struct random *r, char *out)
{
    size_t used = 0;

    for (unsigned depth = 1 + random_below(r, 4); depth; depth--) {
        used += (size_t)snprintf(out + used, LINE_MAX - used, "%s.",
                                 labels[random_below(r, array_length(labels))]);
    }
    snprintf(out + used, LINE_MAX - used, "example.com.");
}

static void line_add(struct model *m, const char *name, uint16_t type, const char *data)
{
    if (m->count == LINES_MAX)
        return;
    struct line *l = &m->lines[m->count++];
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->data, sizeof l->data, "%s", data);
    l->type = type;
}

static void delegation_add(struct model *m, struct random *r, const char *name)
{
    char target[LINE_MAX];

    if (name[0] == '*')
        return;
    if (random_below(r, 2)) {
        line_add(m, name, DNS_NS, "ns.example.org.");
        return;
    }
    snprintf(target, sizeof target, "ns.%.200s", name);
    line_add(m, name, DNS_NS, target);
    line_add(m, target, DNS_A, "192.0.2.53");
}

static void model_random(struct model *m, struct random *r)
{
    char name[LINE_MAX], name2[LINE_MAX], data[2 * LINE_MAX];

    m->count = 0;
    line_add(m, "example.com.", DNS_SOA, "ns.example.org. h.example.org. 1 2 3 4 5");
    line_add(m, "example.com.", DNS_NS, "ns.example.org.");
    for (unsigned i = random_below(r, 60); i; i--) {
        name_random(r, name);
        switch (random_below(r, 10)) {
        case 0:
            line_add(m, name, DNS_CNAME, "a.example.com.");
            break;
        case 1:
            delegation_add(m, r, name);
            break;
        case 2:
            name_random(r, name2);
            snprintf(data, sizeof data, "10 %s", name2);
            line_add(m, name, DNS_MX, data);
            break;
        default:
            for (unsigned k = 1 + random_below(r, 3); k; k--) {
                snprintf(data, sizeof data, "10.0.0.%u", random_below(r, 4));
                line_add(m, name, DNS_A, data);
            }
        }
    }
}

static void model_text(const struct model *m, struct text *out)
{
    char type[DNS_TYPE_TEXT_MAX];

    text_reset(out);
    for (unsigned i = 0; i < m->count; i++)
        text_appendf(out, "%s 60 IN %s %s\n", m->lines[i].name,
                     dns_type_format(m->lines[i].type, type), m->lines[i].data);
}

static void model_shuffle(struct model *m, struct random *r)
{
    for (unsigned i = m->count - 1; i; i--) {
        unsigned j = random_below(r, i + 1);
        struct line swap = m->lines[i];
        m->lines[i] = m->lines[j];
        m->lines[j] = swap;
    }
}

static size_t wire(const char *text, uint8_t *out)
{
    int length = dname_parse(text, strlen(text), NULL, out);
    ck_assert_int_gt(length, 0);
    return (size_t)length;
}

/* Does a name of the model lie at or below this one? Then this name exists. */
static bool model_exists(const struct model *m, const uint8_t *name, size_t length)
{
    uint8_t other[DNAME_MAX];

    for (unsigned i = 0; i < m->count; i++)
        if (dname_below(other, wire(m->lines[i].name, other), name, length))
            return true;
    return false;
}

/* The topmost delegation at or above a name: its length, or 0. */
static size_t model_cut(const struct model *m, const uint8_t *name, size_t length)
{
    uint8_t cut[DNAME_MAX];
    size_t best = 0;

    for (unsigned i = 0; i < m->count; i++) {
        size_t cut_length = wire(m->lines[i].name, cut);
        if (m->lines[i].type == DNS_NS && cut_length > 13 &&
            dname_below(name, length, cut, cut_length) && (!best || cut_length < best))
            best = cut_length;
    }
    return best;
}

static const struct zone_node *find(const struct fixture *f, const uint8_t *name, size_t length)
{
    return zone_find(&f->zone, name, length, dname_hash(name, length));
}

/* A record of the model is in the answer to its name, and in the file. */
static void line_check(const struct fixture *f, const struct line *l, const struct zone_node *n)
{
    const struct zone_set *s = zone_node_set(n, l->type);
    uint8_t name[DNAME_MAX], data[RDATA_MAX];
    char owner[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    struct text answer = text_init(1 << 20), wanted = text_init(1 << 20);
    uint16_t length;

    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(
        rdata_from_text(l->type, l->data, strlen(l->data), (const uint8_t *)"", data, &length), 0);
    bool found = false;
    struct zone_record r = zone_record_first(&f->zone, s);
    do {
        found |= r.length == length && memcmp(r.rdata, data, length) == 0;
    } while (zone_record_next(&r));
    ck_assert(found);
    wire(l->name, name);
    text_appendf(&wanted, "%s 60 %s ", dname_format(name, owner), dns_type_format(l->type, type));
    rdata_format(l->type, data, length, &wanted);
    text_append(&wanted, "\n");
    if (s->image) {
        image_decode(f, zone_set_image(n, s), l->name, &answer);
        ck_assert_ptr_nonnull(strstr(text_string(&answer), text_string(&wanted)));
    }
    text_done(&answer);
    text_done(&wanted);
}

static void model_check(const struct model *m, const struct fixture *f, struct random *r)
{
    uint8_t name[DNAME_MAX];
    char text[LINE_MAX];

    for (unsigned i = 0; i < m->count; i++) {
        size_t length = wire(m->lines[i].name, name), cut = model_cut(m, name, length);
        const struct zone_node *n = find(f, name, length);
        ck_assert_ptr_nonnull(n);
        line_check(f, &m->lines[i], n);
        ck_assert_int_eq((n->flags & NODE_CUT) != 0, cut == length);
        ck_assert_int_eq((n->flags & NODE_BELOW_CUT) != 0, cut && cut != length);
        if (cut)
            ck_assert_uint_eq(zone_node_at(&f->zone, (uint64_t)n->cut * 8)->name_length, cut);
    }
    for (int i = 0; i < 200; i++) {
        name_random(r, text);
        size_t length = wire(text, name);
        ck_assert_int_eq(find(f, name, length) != NULL, model_exists(m, name, length));
    }
    const uint8_t *last = NULL;
    for (const struct zone_node *n = zone_node_at(&f->zone, f->zone.header->apex); n;
         n = zone_node_next(&f->zone, n)) {
        ck_assert(model_exists(m, zone_node_name(n), n->name_length));
        ck_assert(!last || dname_compare(last, zone_node_name(n)) < 0);
        last = zone_node_name(n);
    }
}

static int compile(const struct text *t, struct fixture *f)
{
    struct text problems = text_init(1 << 20);
    int err = zone_compile("example.com", "z", t->data, t->length, NULL, 0, NULL, NULL, &problems,
                           &f->data, &f->size);
    ck_assert_int_eq(err != 0, problems.length != 0);
    text_done(&problems);
    return err;
}

START_TEST(test_random_zones)
{
    static struct model m;
    struct random r = random_init(20260101);
    struct text t = text_init(1 << 20);
    unsigned built = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct fixture f, g;
        model_random(&m, &r);
        model_text(&m, &t);
        if (compile(&t, &f) < 0)
            continue; /* a CNAME beside something else, say */
        ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
        walk_zone(&f.zone);
        model_check(&m, &f, &r);
        /* The order in which records come changes nothing. */
        model_shuffle(&m, &r);
        model_text(&m, &t);
        ck_assert_int_eq(compile(&t, &g), 0);
        ck_assert_uint_eq(f.size, g.size);
        ck_assert_mem_eq(f.data, g.data, f.size);
        fixture_done(&f);
        fixture_done(&g);
        built++;
    }
    ck_assert_uint_gt(built, ROUNDS / 3);
    text_done(&t);
}
END_TEST

START_TEST(test_large_random_order)
{
    enum { NAMES = 20000 };
    static uint32_t order[NAMES];
    struct random r = random_init(3);
    struct text t = text_init(1 << 22);
    struct fixture f, g;

    for (int pass = 0; pass < 2; pass++) {
        text_reset(&t);
        text_append(&t, "@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\n");
        for (uint32_t i = 0; i < NAMES; i++) {
            uint32_t j = pass ? random_below(&r, i + 1) : i;
            order[i] = order[j];
            order[j] = i;
        }
        for (uint32_t i = 0; i < NAMES; i++)
            text_appendf(&t, "%u.x%u.y 60 A 10.0.0.1\n", order[i] * 7919u, order[i] % 50);
        ck_assert_int_eq(compile(&t, pass ? &g : &f), 0);
    }
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    ck_assert_uint_eq(f.zone.header->node_count, NAMES + 52);
    ck_assert_uint_eq(f.size, g.size);
    ck_assert_mem_eq(f.data, g.data, f.size);
    walk_zone(&f.zone);
    for (uint32_t nodes = 1; nodes < NAMES; nodes *= 3)
        ck_assert_int_eq(walk_cut(f.data, f.size, nodes), 0);
    fixture_done(&f);
    fixture_done(&g);
    text_done(&t);
}
END_TEST

/* ---- damage ---- */

static const char damaged_text[] =
    "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww CNAME @\n*.w MX 1 ns\n"
    "sub NS ns.sub\nns.sub A 192.0.2.2\na.b TXT x\n";

static struct fixture damaged(void)
{
    const char *const steered[] = {"api.example.com", "x.api.example.com"};
    return fixture_steered(damaged_text, steered, 2);
}

static int open_copy(const uint8_t *data, size_t size, bool mend, bool *ret_used)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct zone z;

    memcpy(copy, data, size);
    if (mend && size >= sizeof(struct zone_header)) {
        uint64_t sum = zone_checksum(copy, size);
        memcpy(copy + offsetof(struct zone_header, checksum), &sum, sizeof sum);
    }
    int err = zone_open(copy, size, &z);
    for (uint32_t nodes = 1; nodes < 8; nodes += 2)
        ck_assert_int_eq(walk_cut(copy, size, nodes), err);
    if (err == 0)
        walk_zone(&z);
    *ret_used = err == 0;
    free(copy);
    return err;
}

START_TEST(test_flipped_bytes)
{
    struct fixture f = damaged();
    bool used;

    for (size_t i = 0; i < f.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            f.data[i] ^= (uint8_t)(1 << bit);
            int err = open_copy(f.data, f.size, false, &used);
            ck_assert_int_lt(err, 0);
            if (i < 8)
                ck_assert_int_eq(err, ERR_MAGIC);
            else if (i < 12)
                ck_assert_int_eq(err, ERR_VERSION);
            f.data[i] ^= (uint8_t)(1 << bit);
        }
    fixture_done(&f);
}
END_TEST

/* With a checksum that fits, damage is either seen or harmless: then walk_zone, under a sanitizer,
 * stays within the file. What survives is what is not structure: TTLs, numbers in data, padding. */
START_TEST(test_flipped_bytes_with_checksum)
{
    struct fixture f = damaged();
    unsigned accepted = 0, total = 0;
    bool used;

    for (size_t i = 0; i < f.size; i++)
        for (unsigned bit = 0; bit < 8; bit++, total++) {
            f.data[i] ^= (uint8_t)(1 << bit);
            open_copy(f.data, f.size, true, &used);
            accepted += used;
            f.data[i] ^= (uint8_t)(1 << bit);
        }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_lt(accepted, total / 2);
    fixture_done(&f);
}
END_TEST

/* ---- damage with a purpose: each would get past all checks but one ---- */

static uint64_t *slot_of(const struct fixture *f, const char *name)
{
    uint64_t *slots = (uint64_t *)(f->data + f->zone.header->slots);
    uint64_t offset = (uint64_t)((const uint8_t *)fixture_node(f, name) - f->data);

    for (uint32_t i = 0; i <= f->zone.header->slot_mask; i++)
        if ((uint32_t)slots[i] == offset / 8)
            return &slots[i];
    ck_abort_msg("no slot leads to %s", name);
    return NULL;
}

static void refused(struct fixture *f)
{
    bool used;
    ck_assert_int_eq(open_copy(f->data, f->size, true, &used), ERR_BOUNDS);
    fixture_done(f);
}

START_TEST(test_slot_that_leads_nowhere)
{
    struct fixture f = damaged();
    uint64_t *slots = (uint64_t *)(f.data + f.zone.header->slots), hash;
    const uint8_t ghost[] = "\5ghost\7example\3com";

    hash = dname_hash(ghost, sizeof ghost);
    uint32_t i = (uint32_t)hash & f.zone.header->slot_mask;
    while (slots[i])
        i = (i + 1) & f.zone.header->slot_mask;
    slots[i] = zone_slot(hash, f.size + 8);
    refused(&f);
}
END_TEST

START_TEST(test_slot_missing)
{
    struct fixture f = damaged();
    uint64_t *a = slot_of(&f, "www"), *b = slot_of(&f, "ns");

    *a = (*a & 0xffffffff00000000u) | (uint32_t)*b; /* as many slots, but one name is not found */
    refused(&f);
}
END_TEST

START_TEST(test_nodes_out_of_order)
{
    struct fixture f =
        fixture_new("$TTL 1\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\nxa A 10.0.0.1\nxb A 10.0.0.2\n");
    uint8_t *a = (uint8_t *)zone_node_name(fixture_node(&f, "xa")),
            *b = (uint8_t *)zone_node_name(fixture_node(&f, "xb"));
    uint64_t *slot_a = slot_of(&f, "xa"), *slot_b = slot_of(&f, "xb"), swap = *slot_a;

    *slot_a = (*slot_a & 0xffffffff00000000u) | (uint32_t)*slot_b;
    *slot_b = (*slot_b & 0xffffffff00000000u) | (uint32_t)swap;
    a[2] = 'b';
    b[2] = 'a';
    refused(&f);
}
END_TEST

START_TEST(test_alias_to_no_name)
{
    struct fixture f = damaged();
    const struct zone_set *s = zone_node_set(fixture_node(&f, "www"), DNS_CNAME);

    f.data[(uint64_t)s->records * 8 + sizeof(struct zone_records) + 2] = 63;
    refused(&f);
}
END_TEST

START_TEST(test_cut_elsewhere)
{
    struct fixture f = damaged();
    struct zone_node *ns = (struct zone_node *)fixture_node(&f, "ns.sub");

    ns->cut = (uint32_t)(f.zone.header->apex / 8);
    refused(&f);
}
END_TEST

START_TEST(test_fixup_outside)
{
    struct fixture f = damaged();
    struct zone_image *i = (struct zone_image *)(f.data + f.zone.header->negative);
    uint16_t *fixups = (uint16_t *)(i + 1);

    ck_assert_uint_gt(i->fixup_count, 0);
    fixups[i->fixup_count - 1] = (uint16_t)(i->length - 1);
    refused(&f);
}
END_TEST

/* What looks like the parent, within a record's data, is not the name one label up: a span that
 * begins below it must not take it for that. */
START_TEST(test_parent_in_data)
{
    struct fixture f =
        fixture_steered("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
                        "a TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
                        "p A 192.0.2.2\nc.p A 192.0.2.3\n",
                        NULL, 0);
    const struct zone_node *text = fixture_node(&f, "a"), *parent = fixture_node(&f, "p");
    struct zone_node *child = (struct zone_node *)fixture_node(&f, "c.p");
    struct zone_node fake = *parent;
    const uint8_t *data = zone_image_bytes(zone_set_image(text, &text->sets[0]));
    uint64_t at = ((uint64_t)(data - f.data) + 13 + 7) & ~(uint64_t)7; /* behind owner to length */

    fake.set_count = 0;
    memcpy(f.data + at, &fake, sizeof fake);
    memcpy(f.data + at + sizeof fake, zone_node_name(parent), parent->name_length);
    child->parent = (uint32_t)(at / 8);
    refused(&f);
}
END_TEST

START_TEST(test_truncated)
{
    struct fixture f = damaged();
    bool used;

    for (size_t size = 0; size < f.size; size++) {
        ck_assert_int_eq(open_copy(f.data, size, false, &used), ERR_TRUNCATED);
        ck_assert_int_lt(open_copy(f.data, size, true, &used), 0);
        /* A file that says that it is as short as it is. */
        if (size >= sizeof(struct zone_header)) {
            uint64_t whole = f.size, shorter = size;
            memcpy(f.data + offsetof(struct zone_header, size), &shorter, 8);
            ck_assert_int_lt(open_copy(f.data, size, true, &used), 0);
            memcpy(f.data + offsetof(struct zone_header, size), &whole, 8);
        }
    }
    fixture_done(&f);
}
END_TEST

START_TEST(test_other_files)
{
    struct fixture f = damaged();
    struct zone_header *h = (struct zone_header *)f.data;
    struct zone z;
    bool used;

    h->version = ZONE_VERSION + 1;
    ck_assert_int_eq(open_copy(f.data, f.size, true, &used), ERR_VERSION);
    h->version = ZONE_VERSION;
    ck_assert_int_eq(open_copy(f.data, f.size, true, &used), 0);
    h->serial++;
    ck_assert_int_eq(open_copy(f.data, f.size, false, &used), ERR_CHECKSUM);
    /* The trusted opening leaves the checksum alone, not the bounds. */
    ck_assert_int_eq(zone_open_trusted(f.data, f.size, &z), 0);
    ck_assert_int_eq(zone_open_trusted(f.data, f.size - 1, &z), ERR_TRUNCATED);
    h->negative = f.size;
    ck_assert_int_eq(zone_open_trusted(f.data, f.size, &z), ERR_BOUNDS);
    uint8_t text[1024] = "this is a text, and not a compiled zone";
    ck_assert_int_eq(open_copy(text, sizeof text, true, &used), ERR_MAGIC);
    fixture_done(&f);
}
END_TEST

CHECK_MAIN("zone_property", test_random_zones, test_large_random_order, test_flipped_bytes,
           test_flipped_bytes_with_checksum, test_slot_that_leads_nowhere, test_slot_missing,
           test_nodes_out_of_order, test_alias_to_no_name, test_cut_elsewhere, test_fixup_outside,
           test_parent_in_data, test_truncated, test_other_files)
