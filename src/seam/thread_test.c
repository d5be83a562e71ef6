#include "base/attr.h"
#include "seam/clock.h"
#include "seam/thread.h"
#include "test/check_main.h"
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void count_task(void *context, unsigned i)
{
    atomic_uint *counts = context;
    atomic_fetch_add(&counts[i], 1);
}

static void aside_patient(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    threads_aside(task, context, count, THREADS_PATIENT);
}

static void aside_impatient(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    threads_aside(task, context, count, 1);
}

START_TEST(test_each_once)
{
    static void (*const ways[])(void (*)(void *, unsigned), void *, unsigned) = {aside_patient,
                                                                                 aside_impatient};
    static atomic_uint counts[1000];
    for (unsigned n = 0; n < array_length(counts); n += 37) {
        memset(counts, 0, sizeof counts);
        ways[n % array_length(ways)](count_task, counts, n);
        for (unsigned i = 0; i < array_length(counts); i++)
            ck_assert_uint_eq(counts[i], i < n);
    }
}
END_TEST

struct seen {
    atomic_uint mine, others, idle;
    pid_t me;
};

static void see_task(void *context, unsigned i)
{
    struct seen *s = context;
    (void)i;
    atomic_fetch_add(gettid() == s->me ? &s->mine : &s->others, 1);
    if (sched_getscheduler(0) == SCHED_IDLE)
        atomic_fetch_add(&s->idle, 1);
}

START_TEST(test_who_works)
{
    struct seen aside = {.me = gettid()}, alike = {.me = gettid()};
    threads_aside(see_task, &aside, 100, THREADS_PATIENT);
    ck_assert_uint_eq(aside.others, 100);
    ck_assert_uint_eq(aside.idle, 100);
    threads_spread(see_task, &alike, 100);
    ck_assert_uint_eq(alike.mine + alike.others, 100);
    ck_assert_uint_eq(alike.idle, 0);
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER); /* the caller keeps its own */
}
END_TEST

/* Those that yield hold up one task each; the caller has the rest done meanwhile. */
struct slow {
    atomic_uint by_me;
    pid_t me;
};

static void slow_task(void *context, unsigned i)
{
    struct slow *s = context;
    (void)i;
    if (gettid() == s->me)
        atomic_fetch_add(&s->by_me, 1);
    else
        usleep(200000);
}

START_TEST(test_patience_ends)
{
    struct slow s = {.me = gettid()};
    usec_t began = clock_now();
    threads_aside(slow_task, &s, 100, 20000);
    ck_assert_uint_ge(s.by_me, 100 - 2 * THREADS_MAX);
    ck_assert_int_lt(clock_now() - began, 5 * USEC_PER_SEC); /* one by one: 20 s on a core */
}
END_TEST

/* struct sched_attr: the slice stands in its fourth 64-bit word. Kernels that know none say 0. */
START_TEST(test_who_answers_has_a_short_slice)
{
    uint64_t before[7] = {0}, after[7] = {0};
    ck_assert_int_eq(syscall(SYS_sched_getattr, 0, before, sizeof before, 0), 0);
    thread_answers();
    ck_assert_int_eq(syscall(SYS_sched_getattr, 0, after, sizeof after, 0), 0);
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER);
    ck_assert_uint_eq(after[2], before[2]); /* nice */
    if (before[3])
        ck_assert_uint_lt(after[3], before[3]);
}
END_TEST

CHECK_MAIN("thread", test_each_once, test_who_works, test_patience_ends,
           test_who_answers_has_a_short_slice)
