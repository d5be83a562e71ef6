#include "base/attr.h"
#include "seam/process.h"
#include "seam/thread.h"
#include "test/check_main.h"
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void count_task(void *context, unsigned i)
{
    atomic_uint *counts = context;
    atomic_fetch_add(&counts[i], 1);
}

START_TEST(test_each_once)
{
    static void (*const ways[])(void (*)(void *, unsigned), void *, unsigned) = {threads_spread,
                                                                                 threads_aside};
    static atomic_uint counts[1000];
    for (unsigned n = 0; n < array_length(counts); n += 37) {
        memset(counts, 0, sizeof counts);
        ways[n % array_length(ways)](count_task, counts, n);
        for (unsigned i = 0; i < array_length(counts); i++)
            ck_assert_uint_eq(counts[i], i < n);
    }
}
END_TEST

/* False where that is not allowed here. */
static bool nice_limit(rlim_t limit)
{
    struct rlimit l;
    ck_assert_int_eq(getrlimit(RLIMIT_NICE, &l), 0);
    l.rlim_cur = limit;
    if (l.rlim_max < limit) /* root may */
        l.rlim_max = limit;
    return setrlimit(RLIMIT_NICE, &l) == 0;
}

struct seen {
    atomic_uint mine, others, idle, nice;
    pid_t me;
};

static void see_task(void *context, unsigned i)
{
    struct seen *s = context;
    (void)i;
    atomic_fetch_add(gettid() == s->me ? &s->mine : &s->others, 1);
    if (sched_getscheduler(0) == SCHED_IDLE)
        atomic_fetch_add(&s->idle, 1);
    if (getpriority(PRIO_PROCESS, 0) == 19)
        atomic_fetch_add(&s->nice, 1);
}

START_TEST(test_who_works)
{
    struct seen aside = {.me = gettid()}, alike = {.me = gettid()};
    bool returns = nice_limit(THREAD_NICE_ZERO);
    threads_aside(see_task, &aside, 100);
    ck_assert_uint_eq(aside.others, 100);
    ck_assert_uint_eq(returns ? aside.idle : aside.nice, 100);
    threads_spread(see_task, &alike, 100);
    ck_assert_uint_eq(alike.mine + alike.others, 100);
    ck_assert_uint_eq(alike.idle, 0);
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER); /* the caller keeps its own */
}
END_TEST

/* Threads that get nothing of the core, here because they wait: the caller has the rest done. */
struct slow {
    atomic_uint by_me, others_idle;
    pid_t me;
};

static void slow_task(void *context, unsigned i)
{
    struct slow *s = context;
    (void)i;
    if (gettid() == s->me) {
        atomic_fetch_add(&s->by_me, 1);
        return;
    }
    usleep(1500000);
    if (sched_getscheduler(0) == SCHED_IDLE)
        atomic_fetch_add(&s->others_idle, 1);
}

START_TEST(test_who_starves_comes_back)
{
    struct slow s = {.me = gettid()};
    (void)nice_limit(THREAD_NICE_ZERO);
    threads_aside(slow_task, &s, 100);
    ck_assert_uint_ge(s.by_me, 100 - THREADS_MAX);
    ck_assert_uint_eq(s.others_idle, 0);
}
END_TEST

/* Who could not come back is nice instead. */
START_TEST(test_no_way_back)
{
    struct seen aside = {.me = gettid()};
    ck_assert(nice_limit(0));
    threads_aside(see_task, &aside, 100);
    ck_assert_uint_eq(aside.others, 100);
    ck_assert_uint_eq(aside.idle, 0);
    ck_assert_uint_eq(aside.nice, 100);
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

/* Tests run in processes of their own. */
START_TEST(test_who_follows_is_nicer)
{
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1), 0);
    int given = getpriority(PRIO_PROCESS, 0);
    threads_lead();
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), given); /* somebody chose it */
    thread_follows();
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), given + 5 > 19 ? 19 : given + 5);
}
END_TEST

START_TEST(test_who_leads_follows_as_others_are)
{
    if (getpriority(PRIO_PROCESS, 0) != 0)
        return; /* the tests' own niceness */
    bool may = setpriority(PRIO_PROCESS, 0, -1) == 0;
    (void)setpriority(PRIO_PROCESS, 0, 0);
    threads_lead();
    int first = getpriority(PRIO_PROCESS, 0);
    ck_assert_int_eq(first, may ? THREAD_NICE_FIRST : 0);
    threads_lead(); /* a supervisor that replaces itself */
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), first);
    thread_follows();
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), first + 5);
}
END_TEST

CHECK_MAIN("thread", test_each_once, test_who_works, test_who_starves_comes_back, test_no_way_back,
           test_who_answers_has_a_short_slice, test_who_follows_is_nicer,
           test_who_leads_follows_as_others_are)
