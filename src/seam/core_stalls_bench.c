/* Says when a core stood still: a thread of its own at real-time priority wants to be woken every
 * quarter of a millisecond, and notes when that was late.
 *
 *   core_stalls_bench CORE SECONDS FILE
 *
 * FILE: for each time that it was late by LATE or more, 16 bytes: when it should have been woken
 * and when it was (CLOCK_MONOTONIC), in nanoseconds, native order. Either the machine under this
 * one had other things to do, or a call into the kernel let nobody else have the core: who was
 * running tells which. Ends before its time at SIGTERM. */
#include "base/text.h"
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { SECONDS_MAX = 3600, CORE_MAX = CPU_SETSIZE - 1 };
#define BEAT   UINT64_C(250000)
#define LATE   UINT64_C(200000)
#define SECOND UINT64_C(1000000000)

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static bool alone_on(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    const struct sched_param first = {.sched_priority = 2};
    return !sched_setaffinity(0, sizeof set, &set) && !sched_setscheduler(0, SCHED_FIFO, &first);
}

static bool watch(FILE *f, uint64_t end)
{
    bool written = true;
    for (uint64_t due = now() + BEAT; due < end && !stopped && written; due += BEAT) {
        struct timespec t = {.tv_sec = (time_t)(due / SECOND), .tv_nsec = (long)(due % SECOND)};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
            continue;
        uint64_t woken[2] = {due, now()};
        if (woken[1] - due >= LATE)
            written = fwrite(woken, sizeof woken, 1, f) == 1;
        while (due + BEAT < woken[1])
            due += BEAT;
    }
    return written;
}

int main(int argc, char **argv)
{
    int64_t core, seconds;
    if (argc != 4 || integer_parse(argv[1], 0, CORE_MAX, &core) ||
        integer_parse(argv[2], 1, SECONDS_MAX, &seconds)) {
        fputs("usage: core_stalls_bench CORE SECONDS FILE\n", stderr);
        return 2;
    }
    signal(SIGTERM, stop);
    FILE *f = fopen(argv[3], "wbe");
    if (!f || !alone_on((unsigned)core)) {
        perror("core_stalls_bench");
        return 1;
    }
    bool written = watch(f, now() + (uint64_t)seconds * SECOND);
    return fclose(f) || !written;
}
