#include "model/zone_sign_io.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { NICE = 19 };

struct work {
    void (*task)(void *context, unsigned i);
    void *context;
    unsigned count;
    atomic_uint next;
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

static void *thread_main(void *context)
{
    (void)!setpriority(PRIO_PROCESS, 0, NICE); /* on Linux: this thread's own */
    work_run(context);
    return NULL;
}

static unsigned cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return count < 1 ? 1 : count > ZONE_SIGN_THREADS_MAX ? ZONE_SIGN_THREADS_MAX : (unsigned)count;
}

void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    struct work w = {.task = task, .context = context, .count = count};
    pthread_t threads[ZONE_SIGN_THREADS_MAX];
    unsigned started = 0, wanted = cores();
    if (wanted > count)
        wanted = count;
    while (count > 1 && started < wanted &&
           !pthread_create(&threads[started], NULL, thread_main, &w))
        started++;
    if (!started)
        work_run(&w);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
