#include "serve/dns/query_ask.h"
#include "test/check_main.h"
#include <errno.h>

/* The next plan: as the rig's, one generation on. */
static struct served *next_build(struct rig *r)
{
    struct served *s = NULL;
    r->maker.plan.generation++;
    ck_assert_msg(rig_build(r, r->served, &s) == 0, "%s", r->where);
    return s;
}

/* Refused with this error, a sentence, and nothing kept; what is served stays untouched. */
static void refuse(struct rig *r, int expected)
{
    uint64_t open = r->gets - r->releases;
    struct served *s = NULL;
    r->where[0] = 0;
    ck_assert_int_eq(rig_build(r, r->served, &s), expected);
    ck_assert_ptr_null(s);
    ck_assert_str_ne(r->where, "");
    ck_assert_uint_eq(r->gets - r->releases, open);
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"host.example.net", DNS_A}), "192.0.2.77"));
}

START_TEST(test_files_are_shared)
{
    struct rig *r = rig_new();
    ck_assert_uint_eq(r->gets, 3);
    struct served *two = next_build(r);
    ck_assert_uint_eq(r->gets, 3); /* nothing was mapped again */
    ck_assert_ptr_eq(two->files[0], r->served->files[0]);
    served_free(r->served);
    ck_assert_uint_eq(r->releases, 0);
    r->served = two;
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"host.example.net", DNS_A}), "192.0.2.77"));

    /* one zone changes: that file alone is new, and the old one goes with the last that used it */
    struct rig_file old = r->files[1];
    r->files[1] =
        rig_zone("example.net",
                 "@ 5 SOA a b 1 2 3 4 5\n@ 5 NS ns.example.com.\nhost 5 A 192.0.2.78\n", NULL, 0);
    r->maker.files[1].hash = rig_hash(&r->files[1]);
    struct served *three = next_build(r);
    ck_assert_uint_eq(r->gets, 4);
    served_free(r->served);
    ck_assert_uint_eq(r->releases, 1);
    r->served = three;
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"host.example.net", DNS_A}), "192.0.2.78"));
    ck_assert_uint_eq(three->generation, 3);
    free(old.data);
    rig_free(r);
}
END_TEST

static int get_without_room(void *context, const struct plan_file *file, struct served_bytes *ret)
{
    (void)context, (void)file, (void)ret;
    return -ENOMEM;
}

/* Where the kernel maps no more, somebody has to hear what to do. */
START_TEST(test_no_room_for_mappings)
{
    struct rig *r = rig_new();
    struct served_source source = {.get = get_without_room};
    struct served *none;
    r->maker.plan.generation++;
    ck_assert_int_eq(served_build(&r->maker.plan, &source, NULL, &none, r->where), -ENOMEM);
    ck_assert_ptr_nonnull(strstr(r->where, "raise vm.max_map_count"));
    rig_free(r);
}
END_TEST

static void lacking_build(struct rig *r, const struct served *previous)
{
    struct served *whole = NULL, *before = r->served;
    r->maker.plan.generation++;
    ck_assert_int_lt(served_build(&r->maker.plan, &r->source, previous, &whole, r->where), 0);
    ck_assert_ptr_null(whole);
    ck_assert_int_eq(
        served_build_lacking(&r->maker.plan, &r->source, previous, &r->served, r->where), 0);
    served_free(before);
}

/* L1: a zone whose file cannot be had is answered as it was, its steered names too. */
START_TEST(test_zone_without_its_file_stays_as_it_was)
{
    struct rig *r = rig_new();
    uint64_t hash = r->maker.files[0].hash;
    void *data = r->files[0].data;
    r->maker.files[0].hash++;
    r->files[0].data = NULL;
    lacking_build(r, r->served);
    ck_assert_uint_eq(r->served->lacking, 1);
    ck_assert_int_eq(served_file_state(r->served, 0), SERVED_FILE_BEFORE);
    ck_assert_int_eq(served_file_state(r->served, 1), SERVED_FILE_OWN);
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"api.example.com", DNS_A}), "NOERROR"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"www.example.com", DNS_A}), "NOERROR"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"host.example.net", DNS_A}), "NOERROR"));
    r->files[0].data = data;
    r->maker.files[0].hash = hash; /* what the next plan has again is what is open */
    struct served *next = next_build(r);
    ck_assert_uint_eq(next->lacking, 0);
    served_free(r->served);
    r->served = next;
    rig_free(r);
}
END_TEST

static struct served_source whole;

static int second_not_mapped(void *context, const struct plan_file *file, struct served_bytes *ret)
{
    struct rig *r = context;
    return file->hash == r->maker.files[1].hash ? -ENOMEM : whole.get(context, file, ret);
}

/* What nobody damaged is not called so: who reads it is to look at the right place. */
START_TEST(test_why_a_file_is_lacking)
{
    struct rig *r = rig_new();
    whole = r->source;
    ck_assert_ptr_eq(whole.context, r);
    r->source.get = second_not_mapped;
    lacking_build(r, NULL);
    ck_assert_uint_eq(r->served->lacking, 1);
    ck_assert_int_eq(served_file_state(r->served, 1), SERVED_FILE_DARK);
    ck_assert_ptr_nonnull(strstr(served_file_lack(r->served, 1), "vm.max_map_count"));
    r->source = whole;
    struct served *next = next_build(r);
    ck_assert_ptr_null(next->lacks);
    served_free(r->served);
    r->served = next;
    rig_free(r);
}
END_TEST

/* Where it never was answered it is dark alone, until there is a file. */
START_TEST(test_zone_without_its_file_is_dark_alone)
{
    struct rig *r = rig_new();
    void *data = r->files[0].data;
    r->files[0].data = NULL;
    lacking_build(r, NULL);
    ck_assert_int_eq(served_file_state(r->served, 0), SERVED_FILE_DARK);
    ck_assert_ptr_nonnull(strstr(served_file_lack(r->served, 0), "missing"));
    static const char *const names[] = {"api.example.com", "www.example.com", "example.com",
                                        "nothing.here.example.com"};
    for (unsigned i = 0; i < array_length(names); i++)
        ck_assert_ptr_nonnull(
            strstr(rig_ask(r, (struct ask){names[i], DNS_A, .size = 1232}), "SERVFAIL"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"www.example.com", DNS_A, .size = 1232}), "ede 24"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"host.example.net", DNS_A}), "NOERROR"));

    struct served *dark = r->served;
    r->served = NULL;
    r->maker.plan.generation++;
    ck_assert_int_eq(served_build_lacking(&r->maker.plan, &r->source, dark, &r->served, r->where),
                     0);
    ck_assert_uint_eq(r->served->lacking, 1);
    served_free(dark);
    r->files[0].data = data;
    struct served *next = next_build(r);
    ck_assert_uint_eq(next->lacking, 0);
    served_free(r->served);
    r->served = next;
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"api.example.com", DNS_A}), "NOERROR"));
    rig_free(r);
}
END_TEST

/* L2, L3: the receiver checks for every name that the plan answers it. */
START_TEST(test_every_steered_name_has_its_service)
{
    struct rig *r = rig_new();
    r->maker.plan.service_count--; /* *.any.example.com is still steered in the zone */
    refuse(r, ERR_EMPTY_ANSWER);
    ck_assert_ptr_nonnull(strstr(r->where, "*.any.example.com"));
    r->maker.plan.service_count++;
    r->maker.services[RIG_NEAR].zone = PLAN_NONE;
    refuse(r, ERR_EMPTY_ANSWER);
    ck_assert_ptr_nonnull(strstr(r->where, "near.example.com"));
    r->maker.services[RIG_NEAR].zone = 1; /* says that it lies in the other zone */
    refuse(r, ERR_EMPTY_ANSWER);
    r->maker.services[RIG_NEAR].zone = 0;
    maker_service(&r->maker, "extra.example.com", 0); /* which the zone does not know */
    refuse(r, ERR_EMPTY_ANSWER);
    r->maker.plan.service_count--;
    r->maker.services[RIG_API].zone = 2; /* a netmap */
    refuse(r, ERR_MISSING);
    r->maker.services[RIG_API].zone = 99;
    refuse(r, ERR_MISSING);
    rig_free(r);
}
END_TEST

START_TEST(test_every_way_ends_at_an_answer)
{
    struct rig *r = rig_new();
    struct maker *m = &r->maker;
    struct plan_face *face = &m->services[RIG_API].faces[IP_V4], before = *face;
    face->choice = PLAN_NONE;
    refuse(r, ERR_EMPTY_ANSWER);
    face->choice = m->plan.choice_count;
    refuse(r, ERR_BOUNDS);
    *face = before;
    m->choices[face->choice].count = 0;
    refuse(r, ERR_EMPTY_ANSWER);
    m->choices[face->choice].count = m->plan.address_count + 1;
    refuse(r, ERR_BOUNDS);
    m->choices[face->choice].count = 1;
    m->services[RIG_V6ONLY].faces[IP_V6].mode = FACE_ABSENT; /* its only family */
    refuse(r, ERR_EMPTY_ANSWER);
    m->services[RIG_V6ONLY].faces[IP_V6].mode = FACE_NORMAL;
    struct plan_choice *split = &m->choices[m->services[RIG_SPLIT].faces[IP_V4].choice];
    split->total = 0;
    refuse(r, ERR_EMPTY_ANSWER);
    split->total = 5; /* the last weight_end is 4: a draw of 4 would find no branch */
    refuse(r, ERR_EMPTY_ANSWER);
    split->total = 4;
    m->branches[split->first].choice = m->services[RIG_SPLIT].faces[IP_V4].choice;
    refuse(r, ERR_LOOP);
    rig_free(r);
}
END_TEST

START_TEST(test_ways_are_not_too_long)
{
    struct rig *r = rig_new();
    struct maker *m = &r->maker;
    uint32_t choice = m->services[RIG_API].faces[IP_V4].choice;
    for (int depth = 0; depth <= PLAN_DEPTH_MAX; depth++) {
        m->services[RIG_API].faces[IP_V4].choice = choice;
        if (depth == PLAN_DEPTH_MAX) {
            struct served *s = NULL;
            m->plan.generation++;
            ck_assert_int_eq(rig_build(r, r->served, &s), 0);
            served_free(r->served);
            r->served = s;
            ck_assert_ptr_nonnull(
                strstr(rig_ask(r, (struct ask){"api.example.com", DNS_A}), "198.51.0.0"));
        }
        uint32_t branch = maker_branch(m, 1, choice);
        choice = maker_choice(
            m,
            (struct plan_choice){.kind = CHOICE_WEIGHTED, .first = branch, .count = 1, .total = 1});
    }
    m->services[RIG_API].faces[IP_V4].choice = choice;
    refuse(r, ERR_LOOP);
    rig_free(r);
}
END_TEST

START_TEST(test_files_are_what_the_plan_says)
{
    struct rig *r = rig_new();
    struct rig_file zone = r->files[1], map = r->files[2];
    r->files[1].data = NULL;
    r->maker.files[1].hash ^= 1; /* another than what is served, and not to be had */
    refuse(r, ERR_MISSING);
    r->files[1] = zone; /* there, but of another content */
    refuse(r, ERR_CHECKSUM);
    r->maker.files[1].hash ^= 1;
    r->maker.files[2].hash ^= 1;
    refuse(r, ERR_CHECKSUM);
    r->files[2].size--;
    refuse(r, ERR_TRUNCATED);
    r->files[2] = map;
    r->maker.files[2].hash ^= 1;
    /* a row of the map without a branch: some network would be without an answer */
    struct plan_choice *near = &r->maker.choices[r->maker.services[RIG_NEAR].faces[IP_V4].choice];
    near->count = 1;
    refuse(r, ERR_BOUNDS);
    near->count = 2;
    near->map = 0; /* a zone */
    refuse(r, ERR_MISSING);
    near->map = 2;
    /* the same zone twice */
    maker_file(&r->maker, PLAN_FILE_ZONE, "example.net", r->maker.files[1].hash);
    refuse(r, ERR_CONFLICT);
    rig_free(r);
}
END_TEST

/* Services in another order than the zone's steered names: found by name. */
START_TEST(test_order_does_not_matter)
{
    struct rig *r = rig_new();
    struct plan_service *s = r->maker.services;
    for (int i = 0; i < RIG_STEERED / 2; i++) {
        struct plan_service swap = s[i];
        s[i] = s[RIG_STEERED - 1 - i];
        s[RIG_STEERED - 1 - i] = swap;
    }
    struct served *next = next_build(r);
    served_free(r->served);
    r->served = next;
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"api.example.com", DNS_A}), " 5 A 198.51.0.0"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"q.any.example.com", DNS_A}), " 11 A 198.51.0.0"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"fallback.example.com", DNS_A}), "CNAME www"));
    rig_free(r);
}
END_TEST

/* Zones at different depths, one inside the other: the longest origin wins, and DS of the inner one
 * is the outer's. */
START_TEST(test_nested_zones)
{
    struct rig *r = rig_new();
    r->files[1] =
        (free(r->files[1].data),
         rig_zone("sub.example.com",
                  "@ 5 SOA a b 1 2 3 4 5\n@ 5 NS ns\nns 5 A 192.0.2.53\nx 5 A 192.0.2.99\n", NULL,
                  0));
    r->maker.files[1].hash = rig_hash(&r->files[1]);
    served_free(r->served);
    ck_assert_int_eq(rig_build(r, NULL, &r->served), 0);
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"x.sub.example.com", DNS_A}), "aa\n"));
    ck_assert_ptr_nonnull(strstr(text_string(&r->text), "an x.sub.example.com 5 A 192.0.2.99\n"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"sub.example.com", DNS_DS}), "an sub.example.com 3600 DS"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"sub.example.com", DNS_NS}), "an sub.example.com 5 NS"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"tocut.example.com", DNS_A}), "NXDOMAIN"));
    /* behind an alias, too */
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"tosub.example.com", DNS_DS}),
                                 "an sub.example.com 3600 DS"));
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"tosub.example.com", DNS_NS}), "an sub.example.com 5 NS"));
    rig_free(r);
}
END_TEST

/* Each zone of the plan answers with the address that is its content's mark, and none of the others
 * does. */
static void marks_check(struct rig *r, const int *names, const int *marks, uint32_t count)
{
    char question[80], expected[128];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(question, sizeof question, "NS.z%d.test", names[i]);
        snprintf(expected, sizeof expected, "an %s 5 A 192.0.2.%d\n", question, marks[i]);
        ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){question, DNS_A}), expected));
    }
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"zz.test", DNS_A}), "REFUSED"));
}

static void mark_file(struct rig *r, uint32_t place, int name, int mark)
{
    char origin[32], text[128];
    snprintf(origin, sizeof origin, "z%d.test", name);
    snprintf(text, sizeof text, "@ 5 SOA a b 1 2 3 4 5\n@ 5 NS ns\nns 5 A 192.0.2.%d\n", mark);
    r->files[place] = rig_zone(origin, text, NULL, 0);
    r->maker.files[place].hash = rig_hash(&r->files[place]);
}

static void marks_next(struct rig *r, const int *names, const int *marks, uint32_t count)
{
    struct served *next = next_build(r);
    served_free(r->served);
    r->served = next;
    marks_check(r, names, marks, count);
}

/* What a plan takes over from the one before is right whatever became of the list: the same, new
 * content in a place, another zone in it, two that changed places, one that went, one that came. */
START_TEST(test_zones_come_and_go)
{
    enum { ZONES = 40 };
    struct rig *r = rig_new();
    int names[ZONES], marks[ZONES];
    struct rig_file old[2];
    served_free(r->served);
    maker_done(&r->maker);
    r->maker = maker_init(ZONES, 1 << 16);
    r->maker.plan.generation = 1;
    for (int i = 0; i < ZONES; i++) {
        free(r->files[i].data);
        names[i] = i, marks[i] = i + 1;
        maker_file(&r->maker, PLAN_FILE_ZONE, "z.test", 0);
        mark_file(r, (uint32_t)i, names[i], marks[i]);
    }
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    marks_next(r, names, marks, ZONES);
    old[0] = r->files[7];
    mark_file(r, 7, 7, marks[7] = 107);
    marks_next(r, names, marks, ZONES);
    ck_assert_uint_eq(r->gets, 3 + ZONES + 1);
    old[1] = r->files[9];
    mark_file(r, 9, names[9] = 99, marks[9] = 109);
    marks_next(r, names, marks, ZONES);
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"ns.z9.test", DNS_A}), "REFUSED"));

    struct plan_file *f = r->maker.files, swap = f[3];
    f[3] = f[30], f[30] = swap;
    marks_next(r, names, marks, ZONES);
    f[3] = f[ZONES - 1];
    r->maker.plan.file_count--; /* the one in its place before is gone */
    names[30] = 3, marks[30] = 4, names[3] = ZONES - 1, marks[3] = ZONES;
    marks_next(r, names, marks, ZONES - 1);
    r->maker.plan.file_count++; /* the last, which is there already */
    struct served *none = NULL;
    r->maker.plan.generation++;
    ck_assert_int_eq(rig_build(r, r->served, &none), ERR_CONFLICT);
    f[0].state = PLAN_ZONE_STALE;
    r->maker.plan.file_count--;
    struct served *next = next_build(r);
    ck_assert_uint_eq(next->zones[0].state, PLAN_ZONE_STALE);
    ck_assert_uint_eq(r->served->zones[0].state, 0);
    served_free(next);
    free(old[0].data);
    free(old[1].data);
    rig_free(r);
}
END_TEST

START_TEST(test_many_zones)
{
    enum { ZONES = 500 };
    struct rig *r = rig_new();
    char name[64], question[80], expected[128];
    served_free(r->served);
    maker_done(&r->maker);
    r->maker = maker_init(ZONES, 1 << 16);
    r->maker.plan.generation = 1;
    for (int i = 0; i < ZONES; i++) {
        snprintf(name, sizeof name, i % 3 ? "zone%d.test" : "%d.a.b.test", i);
        free(r->files[i].data);
        r->files[i] =
            rig_zone(name, "@ 5 SOA a b 1 2 3 4 5\n@ 5 NS ns\nns 5 A 192.0.2.53\n", NULL, 0);
        maker_file(&r->maker, PLAN_FILE_ZONE, name, rig_hash(&r->files[i]));
    }
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    for (int i = 0; i < ZONES; i++) {
        snprintf(question, sizeof question, i % 3 ? "NS.zone%d.test" : "NS.%d.a.b.test", i);
        snprintf(expected, sizeof expected, "an %s 5 A 192.0.2.53\n", question);
        ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){question, DNS_A}), expected));
    }
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"zone0.test", DNS_A}), "REFUSED"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"a.b.test", DNS_A}), "REFUSED"));
    rig_free(r);
}
END_TEST

CHECK_MAIN("served", test_files_are_shared, test_no_room_for_mappings,
           test_zone_without_its_file_stays_as_it_was, test_zone_without_its_file_is_dark_alone,
           test_why_a_file_is_lacking, test_every_steered_name_has_its_service,
           test_every_way_ends_at_an_answer, test_ways_are_not_too_long,
           test_files_are_what_the_plan_says, test_order_does_not_matter, test_nested_zones,
           test_zones_come_and_go, test_many_zones)
