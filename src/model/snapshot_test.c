#include "model/snapshot.h"

#include "base/err.h"
#include "base/memory.h"
#include "model/snapshot_format.h"
#include "model/snapshot_maker.h"
#include "test/check_main.h"
#include <time.h>

/* Encodes and decodes; the sentence of a refusal in *where. */
static int round_trip(const struct maker *m, struct plan *ret, uint8_t **ret_data,
                      const char **where)
{
    size_t size;
    *ret_data = snapshot_encode(&m->plan, &size);
    ck_assert_uint_eq(size % 8, 0);
    return snapshot_decode(*ret_data, size, ret, where);
}

static int refusal(const struct maker *m)
{
    struct plan plan = {0};
    uint8_t *data;
    const char *where = NULL;
    int r = round_trip(m, &plan, &data, &where);
    if (r < 0) {
        ck_assert_ptr_nonnull(where);
        ck_assert_ptr_null(plan.services); /* ret_ is untouched */
    }
    free(data);
    return r;
}

START_TEST(what_is_encoded_is_decoded)
{
    struct maker m = maker_small(7);
    m.plan.made = -5;
    m.plan.made_wall = 123456789;
    m.plan.boot_id = 0xabcdef;
    m.plan.intent_version = 99;
    struct plan p;
    uint8_t *data;
    const char *where = "";
    ck_assert_msg(round_trip(&m, &p, &data, &where) == 0, "%s", where);
    ck_assert_uint_eq(p.generation, 7);
    ck_assert_int_eq(p.made, -5);
    ck_assert_int_eq(p.made_wall, 123456789);
    ck_assert_uint_eq(p.boot_id, 0xabcdef);
    ck_assert_uint_eq(p.config_fingerprint, 42);
    ck_assert_uint_eq(p.intent_version, 99);
    ck_assert_str_eq(plan_text(&p, p.node), "node");
    ck_assert_str_eq(plan_text(&p, p.site), "");
#define X(id, field, count)                   \
    ck_assert_uint_eq(p.count, m.plan.count); \
    if (p.count)                              \
        ck_assert_mem_eq(p.field, m.plan.field, sizeof *p.field *p.count);
    SNAPSHOT_SECTION_LIST(X)
#undef X
    free(data);
    maker_done(&m);
}
END_TEST

/* ---- damaged bytes ---- */

static uint8_t *small_bytes(size_t *ret_size)
{
    struct maker m = maker_small(7);
    uint8_t *data = snapshot_encode(&m.plan, ret_size);
    maker_done(&m);
    return data;
}

START_TEST(every_bit_flip_is_refused)
{
    size_t size;
    uint8_t *data = small_bytes(&size);
    struct plan p;
    for (size_t i = 0; i < size * 8; i++) {
        data[i / 8] ^= (uint8_t)(1 << i % 8);
        int r = snapshot_decode(data, size, &p, NULL);
        int expected = i / 8 < 8 ? ERR_MAGIC : i / 8 < 12 ? ERR_VERSION : ERR_CHECKSUM;
        if (i / 8 >= offsetof(struct snapshot_header, size) &&
            i / 8 < offsetof(struct snapshot_header, checksum))
            ck_assert(r == ERR_TRUNCATED || r == ERR_BOUNDS);
        else
            ck_assert_int_eq(r, expected);
        data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    ck_assert_int_eq(snapshot_decode(data, size, &p, NULL), 0);
    free(data);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    size_t size;
    uint8_t *data = small_bytes(&size);
    struct plan p;
    for (size_t i = 0; i < size; i++) {
        uint8_t *cut = mem_new(i + 1, 1); /* its own memory: a read past the end is seen */
        memcpy(cut, data, i);
        ck_assert_int_eq(snapshot_decode(cut, i, &p, NULL), ERR_TRUNCATED);
        free(cut);
    }
    free(data);
}
END_TEST

START_TEST(bytes_after_the_end_are_refused)
{
    size_t size;
    uint8_t *data = small_bytes(&size);
    struct plan p;
    data = mem_resize(data, size + 8, 1);
    memset(data + size, 0, 8);
    ck_assert_int_eq(snapshot_decode(data, size + 8, &p, NULL), ERR_BOUNDS);
    free(data);
}
END_TEST

/* The result after a change of the header, with the checksum made right again. */
static int decode_header(void (*change)(struct snapshot_header *h))
{
    size_t size;
    uint8_t *data = small_bytes(&size);
    struct snapshot_header *h = (struct snapshot_header *)data;
    struct plan p;
    change(h);
    h->checksum = snapshot_checksum(data, size);
    int r = snapshot_decode(data, size, &p, NULL);
    free(data);
    return r;
}

#define HEADER_CHANGE(name, statement)          \
    static void name(struct snapshot_header *h) \
    {                                           \
        statement;                              \
    }

HEADER_CHANGE(future, h->version++)
HEADER_CHANGE(more_sections, h->section_count++)
HEADER_CHANGE(other_records, h->sections[SECTION_TARGETS].record_size += 8)
HEADER_CHANGE(no_generation, h->generation = 0)
HEADER_CHANGE(unaligned, h->sections[SECTION_TEXT].offset += 4)
HEADER_CHANGE(in_header, h->sections[SECTION_TEXT].offset = 8)
HEADER_CHANGE(past_end, h->sections[SECTION_TEXT].offset = UINT64_MAX - 7)
HEADER_CHANGE(too_many, h->sections[SECTION_CHOICES].records = UINT32_MAX)
HEADER_CHANGE(one_more, h->sections[SECTION_TEXT].records += 64)
HEADER_CHANGE(no_text, h->sections[SECTION_TEXT].records = 0)
HEADER_CHANGE(no_services, h->sections[SECTION_SERVICES].records = 0)
HEADER_CHANGE(node_outside, h->node = 1 << 20)

START_TEST(headers_that_lie_are_refused)
{
    ck_assert_int_eq(decode_header(future), ERR_VERSION);
    ck_assert_int_eq(decode_header(more_sections), ERR_VERSION);
    ck_assert_int_eq(decode_header(other_records), ERR_VERSION);
    ck_assert_int_eq(decode_header(no_generation), ERR_INVALID);
    ck_assert_int_eq(decode_header(unaligned), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(in_header), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(past_end), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(too_many), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(one_more), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(no_text), ERR_BOUNDS);
    ck_assert_int_eq(decode_header(no_services), ERR_BOUNDS); /* endpoints are left of theirs */
    ck_assert_int_eq(decode_header(node_outside), ERR_BOUNDS);
}
END_TEST

/* ---- records that lie ---- */

#define REFUSED(err, statement)                                       \
    do {                                                              \
        struct maker m = maker_small(7);                              \
        statement;                                                    \
        int r = refusal(&m);                                          \
        ck_assert_msg(r == (err), "%s: %s", #statement, err_name(r)); \
        maker_done(&m);                                               \
    } while (0)

START_TEST(indices_outside_are_refused)
{
    REFUSED(ERR_BOUNDS, m.services[0].name = 5000);
    REFUSED(ERR_BOUNDS, m.services[0].wire_name = 5000);
    REFUSED(ERR_BOUNDS, m.services[0].wire_name = m.plan.text_size - 2);
    REFUSED(ERR_BOUNDS, m.services[0].wire_name = m.services[0].name); /* 'a': a label of 97 */
    REFUSED(ERR_BOUNDS, m.text[m.services[0].wire_name + 1] = 'A');
    REFUSED(ERR_BOUNDS, m.services[0].zone = 2);
    REFUSED(ERR_BOUNDS, m.services[0].zone = SMALL_GEO);
    REFUSED(ERR_BOUNDS, m.services[0].endpoint_count = 100);
    REFUSED(ERR_BOUNDS, m.services[0].endpoint_first = UINT32_MAX);
    REFUSED(ERR_BOUNDS, m.services[0].endpoint_count++); /* one of another service */
    REFUSED(ERR_BOUNDS, m.services[0].policy = POLICIES);
    REFUSED(ERR_BOUNDS, m.services[0].when_all_down = 4);
    REFUSED(ERR_BOUNDS, m.services[0].faces[0].mode = FACE_MODES);
    REFUSED(ERR_BOUNDS, memset(&m.services[0].faces[0].velocity_held, 2, 1));
    REFUSED(ERR_BOUNDS, m.services[0].faces[0].good_count = 2);
    REFUSED(ERR_BOUNDS, m.services[0].faces[0].choice = m.plan.choice_count);
    REFUSED(ERR_BOUNDS, m.endpoints[0].name = 5000);
    REFUSED(ERR_BOUNDS, m.endpoints[0].region = 5000);
    REFUSED(ERR_BOUNDS, m.endpoints[0].author = 5000);
    REFUSED(ERR_BOUNDS, m.endpoints[0].service = m.plan.service_count);
    REFUSED(ERR_BOUNDS, m.endpoints[0].nested = m.plan.service_count);
    REFUSED(ERR_BOUNDS, m.endpoints[0].target[0] = m.plan.target_count);
    REFUSED(ERR_BOUNDS, m.endpoints[0].target[0] = 1); /* its own, but of the other family */
    REFUSED(ERR_BOUNDS, m.endpoints[0].admin = ADMIN_STATES);
    REFUSED(ERR_BOUNDS, m.endpoints[0].role = 3);
    REFUSED(ERR_BOUNDS, m.targets[0].service = m.plan.service_count);
    REFUSED(ERR_BOUNDS, m.targets[0].service = 1);
    REFUSED(ERR_BOUNDS, m.targets[0].endpoint = m.plan.endpoint_count);
    REFUSED(ERR_BOUNDS, m.targets[0].state = VERDICT_STATES);
    REFUSED(ERR_BOUNDS, m.targets[0].reason = REASONS);
    REFUSED(ERR_BOUNDS, m.targets[0].address.family = 2);
    REFUSED(ERR_BOUNDS, m.addresses[0].target = m.plan.target_count);
    REFUSED(ERR_BOUNDS, m.addresses[0].bytes[3] ^= 1);
    REFUSED(ERR_BOUNDS, m.goods[0] = m.plan.target_count);
    REFUSED(ERR_BOUNDS, m.files[0].kind = PLAN_FILE_KINDS);
    REFUSED(ERR_BOUNDS, m.files[0].name = 5000);
    REFUSED(ERR_BOUNDS, m.text[0] = 'x');
    REFUSED(ERR_BOUNDS, m.text[m.plan.text_size - 1] = 'x');
}
END_TEST

/* The root choice of a service's A face. */
static struct plan_choice *root(struct maker *m, uint32_t service)
{
    return &m->choices[m->services[service].faces[IP_V4].choice];
}

START_TEST(choices_that_lie_are_refused)
{
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->kind = 5);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->family = 2);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->family = IP_V6);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->first = m.plan.address_count);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->count = UINT32_MAX);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_API)->count = 2); /* reaches into AAAA */
    REFUSED(ERR_EMPTY_ANSWER, root(&m, SMALL_API)->count = 0);
    REFUSED(ERR_EMPTY_ANSWER, root(&m, SMALL_API)->pick = 0);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_SPLIT)->first = 100);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_SPLIT)->total = 5);
    REFUSED(ERR_EMPTY_ANSWER, root(&m, SMALL_SPLIT)->total = 0);
    REFUSED(ERR_EMPTY_ANSWER, root(&m, SMALL_SPLIT)->count = 0);
    REFUSED(ERR_BOUNDS, m.branches[0].weight_end = 9); /* not cumulative */
    REFUSED(ERR_BOUNDS, m.branches[0].choice = m.plan.choice_count);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_NEAR)->map = SMALL_ZONE);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_NEAR)->map = 9);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_NEAR)->otherwise = m.plan.choice_count);
    REFUSED(ERR_BOUNDS, root(&m, SMALL_NEAR)->count = 9);
    /* a second choice by the same netmap with another number of rows */
    REFUSED(ERR_BOUNDS, maker_choice(&m, (struct plan_choice){.kind = CHOICE_NETWORK,
                                                              .first = root(&m, SMALL_NEAR)->first,
                                                              .count = 2,
                                                              .map = SMALL_GEO,
                                                              .otherwise = 0}));
    /* an unreachable choice must be whole as well */
    REFUSED(ERR_BOUNDS, maker_choice(&m, (struct plan_choice){.kind = 77}));
    REFUSED(ERR_BOUNDS,
            maker_choice(&m, (struct plan_choice){.kind = CHOICE_CNAME, .first = 9999}));
}
END_TEST

/* A chain of weighted choices, each with one branch, before the addresses of SMALL_API. */
static void chain(struct maker *m, unsigned length)
{
    for (unsigned i = 1; i < length; i++) {
        uint32_t branch = maker_branch(m, 1, m->services[SMALL_API].faces[IP_V4].choice);
        m->services[SMALL_API].faces[IP_V4].choice = maker_choice(
            m,
            (struct plan_choice){.kind = CHOICE_WEIGHTED, .first = branch, .count = 1, .total = 1});
    }
}

START_TEST(loops_and_depths_are_refused)
{
    REFUSED(0, chain(&m, PLAN_DEPTH_MAX));
    REFUSED(ERR_LOOP, chain(&m, PLAN_DEPTH_MAX + 1));
    REFUSED(ERR_LOOP, chain(&m, 20));
    REFUSED(ERR_LOOP, m.branches[0].choice = m.services[SMALL_SPLIT].faces[IP_V4].choice);
    REFUSED(ERR_LOOP, root(&m, SMALL_NEAR)->otherwise = m.services[SMALL_NEAR].faces[0].choice);
    REFUSED(ERR_LOOP, m.endpoints[0].nested = SMALL_API);
    /* two services that stand for one another */
    REFUSED(ERR_LOOP, m.endpoints[m.services[SMALL_HIDDEN].endpoint_first].nested = SMALL_SPLIT);
}
END_TEST

/* ---- L3 ---- */

static uint32_t nodata(struct maker *m)
{
    return maker_choice(m, (struct plan_choice){.kind = CHOICE_NODATA});
}

static uint32_t cname(struct maker *m)
{
    return maker_choice(
        m, (struct plan_choice){.kind = CHOICE_CNAME, .first = m->services[SMALL_SPLIT].wire_name});
}

static void all_down(struct maker *m, uint8_t wish, uint8_t mode, uint32_t choice)
{
    m->services[SMALL_API].when_all_down = wish;
    maker_face(m, SMALL_API, IP_V4, mode, choice);
}

START_TEST(an_empty_answer_is_refused_unless_it_is_wanted)
{
    for (uint8_t wish = ALL_DOWN_PREFERRED; wish <= ALL_DOWN_LAST_GOOD; wish++) {
        REFUSED(ERR_EMPTY_ANSWER, all_down(&m, wish, FACE_NODATA, nodata(&m)));
        REFUSED(ERR_EMPTY_ANSWER, all_down(&m, wish, FACE_NORMAL, nodata(&m)));
        REFUSED(ERR_EMPTY_ANSWER, all_down(&m, wish, FACE_FALLBACK, cname(&m)));
        REFUSED(ERR_EMPTY_ANSWER, all_down(&m, wish, FACE_NORMAL, cname(&m)));
    }
    REFUSED(0, all_down(&m, ALL_DOWN_NODATA, FACE_NODATA, nodata(&m)));
    REFUSED(0, all_down(&m, ALL_DOWN_FALLBACK, FACE_FALLBACK, cname(&m)));
    REFUSED(ERR_EMPTY_ANSWER, m.services[SMALL_API].faces[0].choice = PLAN_NONE);
    REFUSED(0, maker_face(&m, SMALL_API, IP_V4, FACE_ABSENT, PLAN_NONE));
    REFUSED(ERR_EMPTY_ANSWER, m.branches[0].choice = nodata(&m)); /* for some by chance */
    /* in no zone: nobody is answered from it alone */
    REFUSED(0, maker_face(&m, SMALL_HIDDEN, IP_V4, FACE_NODATA, nodata(&m)));
}
END_TEST

START_TEST(a_network_may_match_nothing_but_not_all_of_them)
{
    REFUSED(0, (void)0); /* one row and the rest of the world of SMALL_NEAR get NODATA */
    uint32_t first = 2;  /* SMALL_NEAR's branches */
    REFUSED(0, m.branches[first].choice = m.branches[first + 2].choice);
    REFUSED(ERR_EMPTY_ANSWER,
            m.branches[first].choice = m.branches[first + 1].choice = m.branches[first + 2].choice);
}
END_TEST

START_TEST(a_nested_service_may_want_nothing)
{
    uint32_t second = 1; /* the branch of SMALL_SPLIT that stands for SMALL_HIDDEN */
    REFUSED(ERR_EMPTY_ANSWER, m.branches[second].choice = nodata(&m));
    REFUSED(0, (m.branches[second].choice = nodata(&m),
                m.services[SMALL_HIDDEN].when_all_down = ALL_DOWN_NODATA));
}
END_TEST

static void disable(struct maker *m, uint32_t service, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        m->endpoints[m->services[service].endpoint_first + i].admin = ADMIN_DISABLED;
}

START_TEST(an_operator_may_disable_everything)
{
    REFUSED(0, (disable(&m, SMALL_API, 2), maker_face(&m, SMALL_API, 0, FACE_NODATA, nodata(&m))));
    REFUSED(ERR_EMPTY_ANSWER,
            (disable(&m, SMALL_API, 1), maker_face(&m, SMALL_API, 0, FACE_NODATA, nodata(&m))));
    /* the one endpoint of the nested service, and the only other one */
    REFUSED(0, (disable(&m, SMALL_HIDDEN, 1), disable(&m, SMALL_SPLIT, 1),
                maker_face(&m, SMALL_SPLIT, 0, FACE_NODATA, nodata(&m))));
    REFUSED(ERR_EMPTY_ANSWER, (disable(&m, SMALL_HIDDEN, 1),
                               maker_face(&m, SMALL_SPLIT, 0, FACE_NODATA, nodata(&m))));
}
END_TEST

START_TEST(the_sentence_names_the_service)
{
    struct maker m = maker_small(7);
    root(&m, SMALL_SPLIT)->total = 0;
    struct plan p;
    uint8_t *data;
    const char *where = "";
    ck_assert_int_eq(round_trip(&m, &p, &data, &where), ERR_EMPTY_ANSWER);
    ck_assert_str_eq(where,
                     "service split.example.com, A: choice 4: its weights add up to nothing");
    free(data);
    maker_done(&m);
}
END_TEST

/* ---- succession ---- */

/* What snapshot_succeeds says of maker_small(7) and then `next`. */
static int succession(struct maker *next)
{
    struct maker now = maker_small(7);
    const char *where = NULL;
    int r = snapshot_succeeds(&now.plan, &next->plan, &where);
    ck_assert((r == 0) == (where == NULL));
    maker_done(&now);
    return r;
}

#define SUCCEEDS(err, generation, statement)                          \
    do {                                                              \
        struct maker m = maker_small(generation);                     \
        statement;                                                    \
        int r = succession(&m);                                       \
        ck_assert_msg(r == (err), "%s: %s", #statement, err_name(r)); \
        maker_done(&m);                                               \
    } while (0)

START_TEST(an_older_plan_never_replaces_a_newer_one)
{
    SUCCEEDS(0, 8, (void)0);
    SUCCEEDS(0, 1000, (void)0);
    SUCCEEDS(ERR_OLDER, 7, (void)0);
    SUCCEEDS(ERR_OLDER, 6, (void)0);
    SUCCEEDS(ERR_OLDER, 6, m.plan.config_fingerprint = 43);
    struct maker m = maker_small(1);
    ck_assert_int_eq(snapshot_succeeds(NULL, &m.plan, NULL), 0);
    maker_done(&m);
}
END_TEST

START_TEST(a_name_that_is_answered_stays_answered)
{
    SUCCEEDS(ERR_EMPTY_ANSWER, 8, maker_face(&m, SMALL_API, IP_V6, FACE_ABSENT, PLAN_NONE));
    SUCCEEDS(ERR_EMPTY_ANSWER, 8, m.services[SMALL_API].zone = PLAN_NONE);
    SUCCEEDS(ERR_EMPTY_ANSWER, 8, /* absence is said by the configuration, never by health */
             (all_down(&m, ALL_DOWN_NODATA, FACE_ABSENT, PLAN_NONE)));
    SUCCEEDS(ERR_EMPTY_ANSWER, 8,
             m.services[SMALL_API].wire_name = maker_wire(&m, "b.example.com"));
    SUCCEEDS(ERR_EMPTY_ANSWER, 8, m.branches[2].choice = m.branches[4].choice); /* a network's */
    SUCCEEDS(0, 8, (disable(&m, SMALL_NEAR, 1), m.branches[2].choice = m.branches[4].choice));
    SUCCEEDS(0, 8, all_down(&m, ALL_DOWN_NODATA, FACE_NODATA, nodata(&m)));
    SUCCEEDS(0, 8, m.services[SMALL_HIDDEN].wire_name = maker_wire(&m, "gone"));
    /* another configuration may take away what it likes */
    SUCCEEDS(0, 8, (m.services[SMALL_API].zone = PLAN_NONE, m.plan.config_fingerprint = 43));
}
END_TEST

START_TEST(names_are_found_in_any_order)
{
    struct maker m = maker_small(8);
    struct plan_service api = m.services[SMALL_API];
    m.services[SMALL_API] = m.services[SMALL_NEAR];
    m.services[SMALL_NEAR] = api;
    for (uint32_t i = 0; i < m.plan.endpoint_count; i++) {
        uint32_t *s = &m.endpoints[i].service;
        *s = *s == SMALL_API ? SMALL_NEAR : *s == SMALL_NEAR ? SMALL_API : *s;
    }
    for (uint32_t i = 0; i < m.plan.target_count; i++)
        m.targets[i].service = m.endpoints[m.targets[i].endpoint].service;
    ck_assert_int_eq(succession(&m), 0);
    maker_face(&m, SMALL_NEAR, IP_V6, FACE_ABSENT, PLAN_NONE);
    ck_assert_int_eq(succession(&m), ERR_EMPTY_ANSWER);
    maker_done(&m);
}
END_TEST

/* ---- size ---- */

static double seconds_since(struct timespec start)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

static double decode_seconds(uint32_t services)
{
    struct maker m = maker_large(1, services, 10);
    size_t size;
    uint8_t *data = snapshot_encode(&m.plan, &size);
    struct plan p;
    double best = 1e9;
    for (unsigned i = 0; i < 5; i++) {
        struct timespec start;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        ck_assert_int_eq(snapshot_decode(data, size, &p, NULL), 0);
        double seconds = seconds_since(start);
        best = seconds < best ? seconds : best;
    }
    printf("# decode %u x 10: %.2f ms, %zu bytes\n", services, best * 1000, size);
    free(data);
    maker_done(&m);
    return best;
}

START_TEST(decoding_takes_linear_time)
{
    double few = decode_seconds(1000), many = decode_seconds(8000);
    ck_assert_double_lt(few, 0.1); /* a few ms; the rest is for sanitizers and a busy machine */
    ck_assert_double_lt(many, few * 8 * 4 + 0.01);
}
END_TEST

/* Many choices that share their children: walked once each, or this would take 2^choices steps. */
START_TEST(shared_choices_are_walked_once)
{
    struct maker m = maker_init(4096, 1 << 16);
    m.plan.generation = 1;
    maker_file(&m, PLAN_FILE_ZONE, "example.com", 1);
    uint32_t s = maker_service(&m, "a.example.com", 0);
    uint32_t e = maker_endpoint(&m, "a", false);
    uint32_t below = maker_addresses(&m, e, 1, IP_V4);
    for (unsigned level = 1; level < PLAN_DEPTH_MAX; level++) {
        uint32_t first = m.plan.branch_count;
        for (uint32_t i = 0; i < 500; i++)
            maker_branch(&m, i + 1, below);
        below = maker_choice(
            &m, (struct plan_choice){
                    .kind = CHOICE_WEIGHTED, .first = first, .count = 500, .total = 500});
    }
    maker_face(&m, s, IP_V4, FACE_NORMAL, below);
    ck_assert_int_eq(refusal(&m), 0);
    maker_done(&m);
}
END_TEST

CHECK_MAIN("snapshot", what_is_encoded_is_decoded, every_bit_flip_is_refused,
           every_truncation_is_refused, bytes_after_the_end_are_refused,
           headers_that_lie_are_refused, indices_outside_are_refused, choices_that_lie_are_refused,
           loops_and_depths_are_refused, an_empty_answer_is_refused_unless_it_is_wanted,
           a_network_may_match_nothing_but_not_all_of_them, a_nested_service_may_want_nothing,
           an_operator_may_disable_everything, the_sentence_names_the_service,
           an_older_plan_never_replaces_a_newer_one, a_name_that_is_answered_stays_answered,
           names_are_found_in_any_order, decoding_takes_linear_time, shared_choices_are_walked_once)
