#include "model/snapshot_io.h"

#include "base/err.h"
#include "model/snapshot_maker.h"
#include "test/check_main.h"
#include <unistd.h>

static void folder_new(char path[64])
{
    snprintf(path, 64, "/tmp/snapshot_io_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(snapshot_folders_create(path), 0);
}

START_TEST(what_is_published_is_loaded)
{
    char data[64];
    folder_new(data);
    struct maker m = maker_small(1);
    ck_assert_int_eq(snapshot_publish(data, &m.plan), ERR_MISSING);
    ck_assert_int_eq(store_put(data, PLAN_FILE_ZONE, 0x1111, "zone", 4), 0);
    ck_assert_int_eq(store_put(data, PLAN_FILE_NETMAP, 0x2222, "map", 3), 0);
    ck_assert_int_eq(snapshot_publish(data, &m.plan), 0);
    struct mapped file;
    struct plan plan;
    ck_assert_int_eq(snapshot_load(data, 0, &file, &plan, NULL, NULL), 0);
    ck_assert_uint_eq(plan.generation, 1);
    mapped_close(&file);
    ck_assert_int_eq(snapshot_load(data, 1, &file, &plan, NULL, NULL), ERR_MISSING);
    maker_done(&m);
}
END_TEST

CHECK_MAIN("snapshot_io", what_is_published_is_loaded)
