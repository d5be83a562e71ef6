#include "base/memory.h"
#include "base/reclaim.h"
#include "test/check_main.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>

START_TEST(test_horizon)
{
    struct reclaim_slot slots[3] = {{RECLAIM_OFFLINE}, {RECLAIM_OFFLINE}, {RECLAIM_OFFLINE}};
    struct reclaim r = {.slots = slots, .slot_count = 3};
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 9);
    slots[1].generation = 7;
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 7);
    slots[2].generation = 5;
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 5);
    slots[0].generation = RECLAIM_ONLINE;
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 0);
}
END_TEST

struct object {
    uint64_t generation;
    uint64_t payload[8];
};

static uint64_t object_generation(const void *object)
{
    return ((const struct object *)object)->generation;
}

START_TEST(test_enter_and_leave)
{
    struct reclaim_slot slots[1] = {{RECLAIM_OFFLINE}};
    struct object o = {.generation = 4};
    struct reclaim r = {.slots = slots, .slot_count = 1};
    ck_assert_ptr_null(reclaim_enter(&r, 0, object_generation));
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 9); /* nothing there, so nothing is used */
    reclaim_leave(&r, 0);
    atomic_store(&r.current, &o);
    ck_assert_ptr_eq(reclaim_enter(&r, 0, object_generation), &o);
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 4);
    reclaim_leave(&r, 0);
    ck_assert_uint_eq(reclaim_horizon(&r, 9), 9);
}
END_TEST

static struct reclaim_slot watched_slots[1] = {{RECLAIM_OFFLINE}};
static struct reclaim watched = {.slots = watched_slots, .slot_count = 1};

/* Called by reclaim_enter between the load of the pointer and the store of its generation: the
 * owner could look at just this moment. */
static uint64_t owner_looks(const void *object)
{
    ck_assert_uint_eq(reclaim_horizon(&watched, 9), 0);
    return object_generation(object);
}

START_TEST(test_nothing_is_freed_while_a_worker_wakes_up)
{
    struct object o = {.generation = 4};
    atomic_store(&watched.current, &o);
    ck_assert_ptr_eq(reclaim_enter(&watched, 0, owner_looks), &o);
    reclaim_leave(&watched, 0);
}
END_TEST

enum { WORKERS = 3, GENERATIONS = 2000, KEPT_MAX = 64 };

static struct reclaim_slot shared_slots[WORKERS] = {
    {RECLAIM_OFFLINE}, {RECLAIM_OFFLINE}, {RECLAIM_OFFLINE}};
static struct reclaim shared = {.slots = shared_slots, .slot_count = WORKERS};
static atomic_bool stop;
static atomic_uint broken;

static void *worker(void *argument)
{
    unsigned slot = (unsigned)(uintptr_t)argument;
    while (!atomic_load(&stop)) {
        const struct object *o = reclaim_enter(&shared, slot, object_generation);
        for (size_t i = 0; o && i < array_length(o->payload); i++)
            if (o->payload[i] != o->generation)
                atomic_fetch_add(&broken, 1);
        reclaim_leave(&shared, slot);
        sched_yield();
    }
    return NULL;
}

/* Frees of `kept` what lies below the horizon; returns how many stay. */
static size_t free_unused(struct object **kept, size_t count, uint64_t current)
{
    uint64_t horizon = reclaim_horizon(&shared, current);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept[i]->generation < horizon) {
            memset(kept[i]->payload, 0xee,
                   sizeof kept[i]->payload); /* what a reader must not see */
            free(kept[i]);
        } else
            kept[left++] = kept[i];
    }
    return left;
}

START_TEST(test_threads_never_see_freed_memory)
{
    pthread_t threads[WORKERS];
    struct object *kept[KEPT_MAX];
    size_t count = 0;
    for (uintptr_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, worker, (void *)i), 0);
    for (uint64_t g = 1; g <= GENERATIONS; g++) {
        struct object *o = mem_new(1, sizeof *o);
        o->generation = g;
        for (size_t i = 0; i < array_length(o->payload); i++)
            o->payload[i] = g;
        struct object *old = atomic_exchange(&shared.current, o);
        if (old)
            kept[count++] = old;
        while ((count = free_unused(kept, count, g)) == KEPT_MAX)
            sched_yield();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(free_unused(kept, count, GENERATIONS), 0);
    free(atomic_load(&shared.current));
    ck_assert_uint_eq(atomic_load(&broken), 0);
}
END_TEST

CHECK_MAIN("reclaim", test_horizon, test_enter_and_leave,
           test_nothing_is_freed_while_a_worker_wakes_up, test_threads_never_see_freed_memory)
