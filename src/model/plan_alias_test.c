#include "model/plan_alias.h"
#include "model/snapshot.h"
#include "model/snapshot_maker.h"
#include "test/check_main.h"

static const uint8_t apex[] = "\7example\3com", other[] = "\1*\7example\3net";

struct rig {
    struct maker m;
    struct plan whole;
    struct arena arena;
};

static void rig_make(struct rig *r, bool nodata)
{
    r->m = maker_init(64, 4096);
    r->arena = arena_init();
    r->m.plan.generation = 1;
    maker_file(&r->m, PLAN_FILE_ZONE, "example.com", 7);
    maker_file(&r->m, PLAN_FILE_ZONE, "example.net", 8);
    uint32_t s = maker_service(&r->m, "api.example.com", 0);
    uint32_t first = r->m.plan.endpoint_count;
    maker_endpoint(&r->m, "a", false);
    uint32_t c = nodata ? maker_choice(&r->m, (struct plan_choice){.kind = CHOICE_NODATA})
                        : maker_addresses(&r->m, first, 1, IP_V4);
    maker_face(&r->m, s, IP_V4, nodata ? FACE_NODATA : FACE_NORMAL, c);
    if (nodata)
        r->m.endpoints[first].admin = ADMIN_DISABLED;
    const struct plan_alias list[] = {{apex, 0, s}, {other, 1, s}};
    plan_alias(&r->m.plan, list, 2, &r->arena, &r->whole);
}

static void rig_done(struct rig *r)
{
    maker_done(&r->m);
    arena_done(&r->arena);
}

static int decoded(const struct plan *p, const char **ret_where)
{
    size_t size;
    struct plan again;
    uint8_t *bytes = snapshot_encode(p, &size);
    int err = snapshot_decode(bytes, size, &again, ret_where);
    free(bytes);
    return err;
}

/* Each is a service of its own, in its own zone, with the answers of the one it stands for. */
START_TEST(test_services)
{
    struct rig r;
    const char *where = "";
    rig_make(&r, false);
    const struct plan_service *s = r.whole.services;
    ck_assert_uint_eq(r.whole.service_count, 3);
    ck_assert_int_eq(decoded(&r.whole, &where), 0);
    ck_assert_str_eq(plan_text(&r.whole, s[1].name), "example.com");
    ck_assert_str_eq(plan_text(&r.whole, s[2].name), "*.example.net");
    ck_assert(!memcmp(r.whole.text + s[2].wire_name, other, sizeof other));
    ck_assert(s[1].zone == 0 && s[2].zone == 1);
    for (unsigned i = 1; i < 3; i++) {
        ck_assert_uint_eq(s[i].faces[IP_V4].choice, s[0].faces[IP_V4].choice);
        ck_assert_uint_eq(s[i].faces[IP_V4].ttl, s[0].faces[IP_V4].ttl);
        ck_assert_uint_eq(s[i].faces[IP_V6].choice, PLAN_NONE);
        ck_assert_uint_eq(s[i].ttl_max, s[0].ttl_max);
        ck_assert_uint_eq(r.whole.endpoints[s[i].endpoint_first].nested, 0);
    }
    rig_done(&r);
}
END_TEST

/* L3 counts for it as for the service: nothing is answered only where an operator wants that. */
START_TEST(test_nothing_to_answer)
{
    struct rig r;
    const char *where = "";
    rig_make(&r, true);
    ck_assert_msg(!decoded(&r.whole, &where), "%s", where);
    r.m.endpoints[0].admin = ADMIN_AUTO;
    struct plan without;
    const struct plan_alias list[] = {{apex, 0, 0}};
    plan_alias(&r.m.plan, list, 1, &r.arena, &without);
    ck_assert_int_ne(decoded(&without, &where), 0);
    rig_done(&r);
}
END_TEST

/* Taking an alias away is told from losing it. */
START_TEST(test_fingerprint)
{
    struct rig r;
    struct plan one;
    rig_make(&r, false);
    const struct plan_alias list[] = {{apex, 0, 0}};
    plan_alias(&r.m.plan, list, 1, &r.arena, &one);
    ck_assert_uint_ne(one.config_fingerprint, r.m.plan.config_fingerprint);
    ck_assert_uint_ne(one.config_fingerprint, r.whole.config_fingerprint);
    rig_done(&r);
}
END_TEST

CHECK_MAIN("plan_alias", test_services, test_nothing_to_answer, test_fingerprint)
