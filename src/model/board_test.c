#include "base/err.h"
#include "model/board.h"
#include "test/check_main.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TARGETS = 200, WRITES = 4000 };

static char folder[64];

static void folder_new(void)
{
    snprintf(folder, sizeof folder, "/tmp/board_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_remove(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run/board", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/run", folder);
    rmdir(path);
    rmdir(folder);
}

static void targets_stamp(struct plan_target *targets, uint32_t count, uint64_t stamp)
{
    memset(targets, 0, count * sizeof *targets);
    for (uint32_t i = 0; i < count; i++) {
        targets[i].service = (uint32_t)stamp;
        targets[i].since = (usec_t)stamp;
        targets[i].certificate_end = (int64_t)stamp;
    }
}

START_TEST(test_what_is_written_is_read)
{
    struct plan_target targets[3], *copy;
    struct plan plan = {.generation = 7, .targets = targets, .target_count = 3};
    struct board w, r;
    struct board_header h;
    folder_new();
    targets_stamp(targets, 3, 12);
    targets[2].state = VERDICT_DOWN;
    ck_assert_int_eq(board_open(folder, &r), ERR_MISSING);
    ck_assert_int_eq(board_create(folder, 3, 0xb007, 0xf00d, &w), 0);
    ck_assert_int_eq(board_open(folder, &r), 0);
    ck_assert_int_eq(board_read(&r, &copy, &h), ERR_MISSING);
    board_write(&w, &plan, 1234);
    ck_assert_int_eq(board_read(&r, &copy, &h), 0);
    ck_assert_int_eq(memcmp(copy, targets, sizeof targets), 0);
    ck_assert_uint_eq(h.generation, 7);
    ck_assert_int_eq(h.beat, 1234);
    ck_assert_uint_eq(h.boot_id, 0xb007);
    ck_assert_uint_eq(h.config_fingerprint, 0xf00d);
    ck_assert_uint_eq(h.target_count, 3);
    ck_assert_ptr_null(board_views(copy, &h));
    free(copy);
    struct plan_view views[3] = {{.p50_us = 1}, {.finding = FINDING_LOSS}, {.lossy = 5}};
    plan.views = views;
    plan.view_count = 3;
    board_write(&w, &plan, 1235);
    ck_assert_int_eq(board_read(&r, &copy, &h), 0);
    ck_assert_int_eq(memcmp(copy, targets, sizeof targets), 0);
    ck_assert_int_eq(memcmp(board_views(copy, &h), views, sizeof views), 0);
    free(copy);
    board_close(&r);
    board_close(&w);
    folder_remove();
}
END_TEST

/* A reload makes a new board while readers still look at the old one. */
START_TEST(test_replaced_board_stays_readable)
{
    struct plan_target targets[3], *copy;
    struct plan plan = {.generation = 1, .targets = targets, .target_count = 3};
    struct board first, second, r;
    struct board_header h;
    folder_new();
    targets_stamp(targets, 3, 1);
    ck_assert_int_eq(board_create(folder, 3, 1, 1, &first), 0);
    board_write(&first, &plan, 1);
    ck_assert_int_eq(board_open(folder, &r), 0);
    ck_assert_int_eq(board_create(folder, 0, 1, 2, &second), 0);
    board_close(&first);
    ck_assert_int_eq(board_read(&r, &copy, &h), 0);
    ck_assert_uint_eq(h.target_count, 3);
    free(copy);
    board_close(&r);
    plan.target_count = 0;
    board_write(&second, &plan, 2);
    ck_assert_int_eq(board_open(folder, &r), 0);
    ck_assert_int_eq(board_read(&r, &copy, &h), 0);
    ck_assert_uint_eq(h.target_count, 0);
    free(copy);
    board_close(&r);
    board_close(&second);
    folder_remove();
}
END_TEST

START_TEST(test_writer_killed_half_way)
{
    struct plan_target *copy;
    struct board w, r;
    struct board_header h;
    folder_new();
    ck_assert_int_eq(board_create(folder, 1, 1, 1, &w), 0);
    atomic_store(&w.header->sequence, 3);
    ck_assert_int_eq(board_open(folder, &r), 0);
    ck_assert_int_eq(board_read(&r, &copy, &h), ERR_CONFLICT);
    w.header->version = 99;
    board_close(&r);
    ck_assert_int_eq(board_open(folder, &r), ERR_VERSION);
    w.header->magic[0] = 'x';
    ck_assert_int_eq(board_open(folder, &r), ERR_MAGIC);
    board_close(&w);
    folder_remove();
}
END_TEST

static void *writer_run(void *argument)
{
    static struct plan_target targets[TARGETS];
    struct plan plan = {.targets = targets, .target_count = TARGETS};
    for (uint64_t i = 1; i <= WRITES; i++) {
        targets_stamp(targets, TARGETS, i);
        plan.generation = i;
        board_write(argument, &plan, (usec_t)i);
    }
    return NULL;
}

/* B2: no reader ever sees a mixture of two writes. */
START_TEST(test_copies_are_whole)
{
    struct board w, r;
    pthread_t writer;
    folder_new();
    ck_assert_int_eq(board_create(folder, TARGETS, 1, 1, &w), 0);
    ck_assert_int_eq(board_open(folder, &r), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, writer_run, &w), 0);
    uint64_t last = 0, copies = 0;
    while (last < WRITES) {
        struct plan_target *copy;
        struct board_header h;
        if (board_read(&r, &copy, &h))
            continue;
        ck_assert_uint_ge(h.generation, last);
        last = h.generation;
        ck_assert_int_eq(h.beat, (int64_t)last);
        for (int i = 0; i < TARGETS; i++) {
            ck_assert_uint_eq(copy[i].service, last);
            ck_assert_int_eq(copy[i].certificate_end, (int64_t)last);
        }
        free(copy);
        copies++;
    }
    pthread_join(writer, NULL);
    ck_assert_uint_gt(copies, 0);
    board_close(&r);
    board_close(&w);
    folder_remove();
}
END_TEST

CHECK_MAIN("board", test_what_is_written_is_read, test_replaced_board_stays_readable,
           test_writer_killed_half_way, test_copies_are_whole)
