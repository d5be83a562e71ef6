#include "base/err.h"
#include "model/key_board.h"
#include "test/check_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/key_board_test.XXXXXX";

static struct key_board_zone zone(const char *name, unsigned needs, int64_t alarm)
{
    struct key_board_zone z = {.needs = (uint8_t)needs, .alarm = alarm, .signatures_end = alarm};
    snprintf(z.name, sizeof z.name, "%s", name);
    return z;
}

START_TEST(test_order)
{
    static struct key_board b;
    key_board_init(&b);
    for (unsigned i = 0; i < 3 * KEY_BOARD_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "z%u", i);
        struct key_board_zone z = zone(name, i % 100 == 7 ? KEYS_DS_GIVE : 0, 1000 - i);
        key_board_add(&b, &z);
    }
    ck_assert_uint_eq(b.count, KEY_BOARD_MAX);
    ck_assert_uint_eq(b.total, 3 * KEY_BOARD_MAX);
    ck_assert_uint_eq(b.needy, 3);
    ck_assert_str_eq(b.zones[0].name, "z207");
    ck_assert_str_eq(b.zones[2].name, "z7");
    ck_assert_str_eq(b.zones[3].name, "z299");
    for (unsigned i = 4; i < b.count; i++)
        ck_assert_int_lt(b.zones[i - 1].alarm, b.zones[i].alarm);
}
END_TEST

START_TEST(test_alarms)
{
    static struct key_board b;
    struct text out = text_init(1 << 12);
    key_board_init(&b);
    struct key_board_zone a = zone("a.example", 0, 951782400), c = zone("c.example", 0, 2000000000);
    key_board_add(&b, &a);
    key_board_add(&b, &c);
    ck_assert_uint_eq(key_board_alarms(&b, 951782399, &out), 0);
    ck_assert_uint_eq(key_board_alarms(&b, 951782400, &out), 1);
    ck_assert_str_eq(text_string(&out), "the signatures of zone a.example end at 2000-02-29 00:00 "
                                        "UTC and were not renewed in time\n");
    b.steered_alarm = b.steered_end = 951782300;
    ck_assert_uint_eq(key_board_alarms(&b, 951782400, &out), 2);
    text_done(&out);
}
END_TEST

static void damage(size_t at, uint8_t byte)
{
    char path[64];
    snprintf(path, sizeof path, "%s/run/keys", folder);
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, (long)at, SEEK_SET);
    fputc(byte, f);
    fclose(f);
}

static void damaged(size_t at, uint8_t byte, int expected)
{
    static struct key_board b;
    struct key_board *back;
    struct key_board_zone z = zone("a.example", KEYS_STUCK, 5);
    key_board_init(&b);
    key_board_add(&b, &z);
    ck_assert_int_eq(key_board_write(folder, &b), 0);
    damage(at, byte);
    ck_assert_int_eq(key_board_read(folder, &back), expected);
}

START_TEST(test_file)
{
    static struct key_board b;
    struct key_board *back;
    char command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(key_board_read(folder, &back), ERR_MISSING);
    key_board_init(&b);
    struct key_board_zone z = zone("a.example", KEYS_STUCK, 5);
    key_board_add(&b, &z);
    ck_assert_int_eq(key_board_write(folder, &b), 0);
    ck_assert_int_eq(key_board_read(folder, &back), 0);
    ck_assert_mem_eq(back, &b, sizeof b);
    free(back);
    damaged(0, 'X', ERR_MAGIC);
    damaged(offsetof(struct key_board, version), 9, ERR_VERSION);
    damaged(offsetof(struct key_board, count), KEY_BOARD_MAX + 1, ERR_BOUNDS);
    damaged(offsetof(struct key_board, zones[0].signatures_end) + 7, 0x80, ERR_BOUNDS);
    snprintf(command, sizeof command, "%s/run/keys", folder);
    ck_assert_int_eq(truncate(command, sizeof b - 1), 0);
    ck_assert_int_eq(key_board_read(folder, &back), ERR_TRUNCATED);
    remove(command);
    snprintf(command, sizeof command, "%s/run", folder);
    rmdir(command);
    rmdir(folder);
}
END_TEST

CHECK_MAIN("key_board", test_order, test_alarms, test_file)
