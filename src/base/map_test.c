#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

START_TEST(test_empty)
{
    struct map m = map_init();
    size_t position = 0, length;
    const void *key;
    void *value;
    ck_assert_ptr_null(map_get(&m, "a", 1));
    ck_assert_ptr_null(map_remove(&m, "a", 1));
    ck_assert(!map_next(&m, &position, &key, &length, &value));
    map_done(&m);
}
END_TEST

START_TEST(test_keys_are_bytes)
{
    struct map m = map_init();
    int a, b, c;
    ck_assert_ptr_null(map_put(&m, "x\0y", 3, &a));
    ck_assert_ptr_null(map_put(&m, "x\0z", 3, &b));
    ck_assert_ptr_null(map_put(&m, NULL, 0, &c)); /* the empty key is a key */
    ck_assert_ptr_eq(map_get(&m, "x\0y", 3), &a);
    ck_assert_ptr_eq(map_get(&m, "x\0z", 3), &b);
    ck_assert_ptr_null(map_get(&m, "x", 1));
    ck_assert_ptr_eq(map_get(&m, "", 0), &c);
    ck_assert_ptr_eq(map_put(&m, "x\0y", 3, &c), &a);
    ck_assert_uint_eq(m.count, 3);
    map_done(&m);
}
END_TEST

enum { KEYS = 700 };
static char keys[KEYS][8];
static int model[KEYS]; /* 0 = absent, else the value's index */
static int values[100];

static void assert_same_as_model(const struct map *m)
{
    size_t present = 0, walked = 0, position = 0, length;
    const void *key;
    void *value;
    for (int k = 0; k < KEYS; k++)
        present += model[k] != 0;
    ck_assert_uint_eq(m->count, present);
    while (map_next(m, &position, &key, &length, &value)) {
        size_t k = (size_t)((const char *)key - keys[0]) / sizeof keys[0];
        ck_assert_uint_lt(k, KEYS);
        ck_assert_ptr_eq(value, &values[model[k]]);
        walked++;
    }
    ck_assert_uint_eq(walked, present);
    ck_assert(!map_next(m, &position, &key, &length, &value));
}

/* Phases that mostly put and mostly remove, so that the table fills and long runs shrink again. */
START_TEST(test_random_operations_against_a_model)
{
    struct random r = random_init((uint64_t)_i);
    struct map m = map_init();
    for (int k = 0; k < KEYS; k++)
        snprintf(keys[k], sizeof keys[k], "k%d", k);
    for (int step = 0; step < 30000; step++) {
        int k = (int)random_below(&r, KEYS), v = 1 + (int)random_below(&r, 99);
        void *before = model[k] ? &values[model[k]] : NULL;
        bool mostly_put = step / 3000 % 2 == 0;
        if (random_below(&r, 10) < (mostly_put ? 7u : 3u)) {
            ck_assert_ptr_eq(map_put(&m, keys[k], strlen(keys[k]), &values[v]), before);
            model[k] = v;
        } else {
            ck_assert_ptr_eq(map_remove(&m, keys[k], strlen(keys[k])), before);
            model[k] = 0;
        }
        int other = (int)random_below(&r, KEYS);
        ck_assert_ptr_eq(map_get(&m, keys[other], strlen(keys[other])),
                         model[other] ? &values[model[other]] : NULL);
        if (step % 1000 == 0)
            assert_same_as_model(&m);
    }
    assert_same_as_model(&m);
    map_done(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");
    tcase_add_test(tcase, test_empty);
    tcase_add_test(tcase, test_keys_are_bytes);
    tcase_add_loop_test(tcase, test_random_operations_against_a_model, 0, 8);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
