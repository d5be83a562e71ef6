/* Which threads of a node go first, and work that is spread over several.
 *
 * Answers go first (L7): a thread that answers is woken into its turn at once, and has three
 * quarters of a core beside one that wants all of it. Bulk work (compiling, checking and signing
 * zones) runs only where no other thread of the node wants the core. Between the two stands
 * everything else, decisions and publications above all. doc/internals/smooth.md has the
 * measurements. */
#pragma once

#include <pthread.h>

enum { THREADS_MAX = 8 }; /* at work for one call below */
/* A server at half load needs half of its core, which is all that fairness gives it beside one
 * other that wants all: what came late there was never made up for. 5 steps are a weight of three
 * to one, and leave a quarter to decisions on a core that answers would fill. */
enum {
    THREAD_NICE_STEPS = 5,                  /* between threads that answer and the rest of a node */
    THREAD_NICE_FIRST = -THREAD_NICE_STEPS, /* of a node that leads, see threads_lead() */
    THREAD_NICE_ZERO = 20,                  /* RLIMIT_NICE for a niceness of 0; 21 for one of -1 */
};

/* This process and what it starts go before other programs of the machine by THREAD_NICE_STEPS,
 * if it may, and if nobody gave it a niceness already. */
void threads_lead(void);
/* This thread, and those that it makes from now on, come after those that answer, by
 * THREAD_NICE_STEPS: which is where other programs are, if the node leads. */
void thread_follows(void);

/* This thread answers: woken, it goes on before others have used up their slices of the core. What
 * it may use in the long run does not change by that. Kernels before Linux 6.12 know no such wish,
 * and nothing happens. */
void thread_answers(void);
/* This thread steps behind all others of the node. For good where the process may not change its
 * mind (RLIMIT_NICE, see process_drop()): then it is as nice as can be, which some
 * versions of Linux heed less. */
void thread_yields(void);
/* Back to where it was, as far as that is allowed: it gets too little of the core. */
void thread_resumes(pthread_t thread);

/* Calls task(context, i) for each i below count, each once, from as many threads as the process has
 * cores, THREADS_MAX at most; returns when all returned. Where no thread can be made, the caller
 * does everything. The threads have the caller's priority, and the caller is one of them. */
void threads_spread(void (*task)(void *context, unsigned i), void *context, unsigned count);

/* The same in threads that yield, while the caller waits. On a core that is never idle they get
 * next to nothing. Where it is less than a twentieth of a core within a second, they go on at the
 * caller's priority, and the caller takes its part. It holds no lock that others want. */
void threads_aside(void (*task)(void *context, unsigned i), void *context, unsigned count);
