#include "seam/thread.h"
#include "seam/clock.h"
#include "seam/process.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A seventh of the shortest that others have by default, and longer than a batch takes. */
enum { ANSWER_SLICE_NS = 100000 };
enum { NICE_LAST = 19 };
#define LOOK_EVERY USEC_PER_SEC
#define STARVED    (LOOK_EVERY / 20) /* of a core's time */

/* struct sched_attr of linux/sched/types.h (its first version), whose header clashes with the C
 * library's. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period; /* nanoseconds; ordinary threads: the first is the slice */
};

void threads_lead(void)
{
    if (getpriority(PRIO_PROCESS, 0) == 0)
        (void)setpriority(PRIO_PROCESS, 0, THREAD_NICE_FIRST);
}

void thread_follows(void)
{
    /* on Linux: this thread's own */
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + THREAD_NICE_STEPS);
}

void thread_answers(void)
{
    struct attributes a;
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) || a.policy != SCHED_OTHER)
        return; /* started under another policy: the operator knows better */
    a.runtime = ANSWER_SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

/* Niceness alone is not enough: since Linux 6.6 even the nicest thread may end its slice, up to 4
 * ms. SCHED_IDLE is preempted at once by every version, but may get nothing at all, so only who can
 * come back from it goes there. */
void thread_yields(void)
{
    const struct sched_param none = {0};
    struct rlimit limit;
    int back = THREAD_NICE_ZERO - getpriority(PRIO_PROCESS, 0);
    if (!getrlimit(RLIMIT_NICE, &limit) && limit.rlim_cur >= (rlim_t)back)
        (void)sched_setscheduler(0, SCHED_IDLE, &none);
    else
        (void)setpriority(PRIO_PROCESS, 0, NICE_LAST);
}

void thread_resumes(pthread_t thread)
{
    const struct sched_param none = {0};
    (void)pthread_setschedparam(thread, SCHED_OTHER, &none);
}

struct work {
    void (*task)(void *context, unsigned i);
    void *context;
    unsigned count;
    bool yields;
    atomic_uint next;
    pthread_mutex_t lock; /* of `running` */
    pthread_cond_t ended;
    unsigned running; /* threads */
};

static void work_run(struct work *w)
{
    for (;;) {
        unsigned i = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed);
        if (i >= w->count)
            return;
        w->task(w->context, i);
    }
}

static void *thread_run(void *context)
{
    struct work *w = context;
    if (w->yields)
        thread_yields();
    work_run(w);
    pthread_mutex_lock(&w->lock);
    if (--w->running == 0)
        pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static unsigned cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : (unsigned)count;
}

/* Of threads that have not been joined; one that ended may count or not. */
static usec_t threads_used(const pthread_t *threads, unsigned count)
{
    usec_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        clockid_t clock;
        struct timespec t;
        if (!pthread_getcpuclockid(threads[i], &clock) && !clock_gettime(clock, &t))
            used += t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
    }
    return used;
}

/* False when `until` came first. */
static bool work_await(struct work *w, usec_t until)
{
    struct timespec t = {.tv_sec = until / USEC_PER_SEC, .tv_nsec = until % USEC_PER_SEC * 1000};
    int err = 0;
    pthread_mutex_lock(&w->lock);
    while (w->running && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&w->ended, &w->lock, &t);
    bool ended = !w->running;
    pthread_mutex_unlock(&w->lock);
    return ended;
}

/* Until no thread is running, or they get too little; these go on like others then. */
static void work_watch(struct work *w, const pthread_t *threads, unsigned count)
{
    usec_t before = 0;
    while (!work_await(w, clock_now() + LOOK_EVERY)) {
        usec_t used = threads_used(threads, count);
        if (used >= before && used - before < STARVED)
            break;
        before = used;
    }
    for (unsigned i = 0; i < count; i++)
        thread_resumes(threads[i]);
}

static void work_init(struct work *w)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&w->lock, NULL);
    atomic_init(&w->next, 0);
}

static void work_done(struct work *w)
{
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
}

/* Returns how many threads are at work, besides `mine` which the caller stands for. */
static unsigned work_start(struct work *w, unsigned mine, pthread_t *threads)
{
    unsigned wanted = cores() < w->count ? cores() : w->count;
    unsigned started = 0;
    pthread_mutex_lock(&w->lock);
    while (started + mine < wanted && !pthread_create(&threads[started], NULL, thread_run, w))
        started++;
    w->running = started;
    pthread_mutex_unlock(&w->lock);
    return started;
}

static void threads_join(const pthread_t *threads, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

void threads_spread(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    struct work w = {.task = task, .context = context, .count = count};
    pthread_t threads[THREADS_MAX];
    work_init(&w);
    unsigned started = work_start(&w, 1, threads);
    work_run(&w);
    threads_join(threads, started);
    work_done(&w);
}

void threads_aside(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    struct work w = {.task = task, .context = context, .count = count, .yields = true};
    pthread_t threads[THREADS_MAX];
    work_init(&w);
    unsigned started = work_start(&w, 0, threads);
    work_watch(&w, threads, started);
    work_run(&w);
    threads_join(threads, started);
    work_done(&w);
}
