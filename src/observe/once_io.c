#include "observe/once_io.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>

static void on_sample(void *context, const struct sample *sample)
{
    struct bench *b = context;
    b->samples = mem_grow(b->samples, b->count, &b->size, sizeof *b->samples);
    b->samples[b->count++] = *sample;
    if (b->wanted && b->count >= b->wanted)
        uv_stop(&b->loop);
}

static void on_end(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void bench_open(struct bench *b)
{
    *b = (struct bench){0};
    invariant(uv_loop_init(&b->loop) == 0);
    invariant(observer_new(&b->loop, on_sample, b, 1, &b->observer) == 0);
    uv_timer_init(&b->loop, &b->end);
}

void bench_run(struct bench *b, unsigned time_ms)
{
    uv_update_time(&b->loop);
    uv_timer_start(&b->end, on_end, time_ms, 0);
    uv_run(&b->loop, UV_RUN_DEFAULT);
}

void bench_close(struct bench *b)
{
    observer_free(b->observer);
    uv_close((uv_handle_t *)&b->end, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    invariant(uv_loop_close(&b->loop) == 0); /* nothing is left open */
    free(b->samples);
}

struct sample probe_once(const struct config_check *check, const char *address)
{
    struct config_check c = *check;
    struct target target = {.check = &c};
    struct bench b;
    c.name = c.name ? c.name : "once";
    c.interval = 100 * USEC_PER_MSEC;
    c.timeout = c.timeout ? c.timeout : 3 * USEC_PER_SEC;
    invariant(ip_parse(address, &target.address) == 0);
    target.family = target.address.family;
    bench_open(&b);
    b.wanted = 1;
    observer_targets(b.observer, &target, 1, NULL, 1);
    bench_run(&b, 10000);
    invariant(b.count == 1);
    struct sample sample = b.samples[0];
    bench_close(&b);
    return sample;
}
