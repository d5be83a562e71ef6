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

__attribute__((unused)) static int refusal(const struct maker *m)
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
    ck_assert_mem_eq(p.field, m.plan.field, sizeof *p.field *p.count);
    SNAPSHOT_SECTION_LIST(X)
#undef X
    free(data);
    maker_done(&m);
}
END_TEST

CHECK_MAIN("snapshot", what_is_encoded_is_decoded)
