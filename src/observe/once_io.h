/* For the tests of observe: one probe, or a few, from a loop of their own. */
#pragma once

#include "model/config.h"
#include "model/sample.h"
#include "observe/observe_io.h"

/* The first sample of a check against an address. The check's interval is set to 100 ms, so that it
 * begins at once; a timeout of 0 becomes 3 s. Aborts where none comes within 10 s. */
struct sample probe_once(const struct config_check *check, const char *address);

/* An observer in a loop of its own, with a timer to bound the run. */
struct bench {
    uv_loop_t loop;
    uv_timer_t end;
    struct observer *observer;
    struct sample *samples; /* all that came */
    size_t count, size;
    size_t wanted; /* stop when so many came; 0: never */
};
void bench_open(struct bench *b);
/* Runs for at most so long, or until `wanted` samples are there. */
void bench_run(struct bench *b, unsigned time_ms);
void bench_close(struct bench *b);
