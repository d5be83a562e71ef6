/* The observer as a whole, with tcp checks against real sockets. */
#include "observe/observe_io.h"

#include "base/memory.h"
#include "observe/once_io.h"
#include "observe/origin_io.h"
#include "seam/clock.h"
#include "test/check_main.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const loopback[] = {"127.0.0.1", "::1"};
static const struct config_check plain = {.name = "plain", .kind = CHECK_TCP, .verify = true};

static struct config_check tcp(uint16_t port)
{
    struct config_check c = plain;
    c.port = port;
    return c;
}

START_TEST(test_tcp_accepted)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin o = origin_start(&(struct origin_how){.address = loopback[i]});
        struct config_check c = tcp(o.port);
        struct sample s = probe_once(&c, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "ok");
        ck_assert_uint_gt(s.phase_us[PHASE_CONNECT], 0);
        ck_assert_uint_eq(s.phase_us[PHASE_TLS], 0);
        ck_assert_int_ge(s.ended, s.started + s.phase_us[PHASE_CONNECT]);
        origin_stop(&o);
    }
}
END_TEST

START_TEST(test_tcp_refused)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct config_check c = tcp(origin_free_port(loopback[i]));
        ck_assert_str_eq(reason_name(probe_once(&c, loopback[i]).reason), "connect-refused");
    }
}
END_TEST

START_TEST(test_tcp_swallowed)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin o = origin_blackhole(loopback[i]);
        struct config_check c = tcp(o.port);
        c.timeout = 150 * USEC_PER_MSEC;
        struct sample s = probe_once(&c, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "connect-timeout");
        ck_assert_int_ge(s.ended - s.started, c.timeout);
        ck_assert_uint_ge(s.phase_us[PHASE_CONNECT], 150000);
        /* at the latest: a millisecond of the timer, and what this machine makes of it */
        if (!s.late)
            ck_assert_int_lt(s.ended - s.started, c.timeout + 30 * USEC_PER_MSEC);
        origin_stop(&o);
    }
}
END_TEST

/* L4, L8: a prober without descriptors says nothing about the target. */
START_TEST(test_no_descriptors_is_no_verdict)
{
    struct origin o = origin_start(&(struct origin_how){.address = "127.0.0.1"});
    struct config_check c = tcp(o.port);
    struct target t = {.check = &c};
    struct bench b;
    c.interval = c.timeout = 100 * USEC_PER_MSEC;
    ck_assert_int_eq(ip_parse("127.0.0.1", &t.address), 0);
    bench_open(&b);
    struct rlimit limit = {64, 64};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        ;
    b.wanted = 3;
    observer_targets(b.observer, &t, 1, NULL, 1);
    bench_run(&b, 5000);
    ck_assert_uint_eq(b.count, 3);
    for (size_t i = 0; i < b.count; i++) {
        ck_assert_str_eq(reason_name(b.samples[i].reason), "internal");
        ck_assert(b.samples[i].late);
    }
    bench_close(&b);
    origin_stop(&o);
}
END_TEST

START_TEST(test_descriptor_limit_is_raised)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t hard = limit.rlim_max;
    limit.rlim_cur = 256;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct bench b;
    bench_open(&b);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, hard);
    bench_close(&b);
}
END_TEST

enum { TARGETS = 200 };

/* No check ever delays another: half of the targets hang for as long as they may. */
START_TEST(test_hanging_targets_delay_nobody)
{
    struct origin good = origin_start(&(struct origin_how){.address = "127.0.0.1"});
    struct origin hole = origin_blackhole("127.0.0.1");
    struct config_check checks[2] = {tcp(good.port), tcp(hole.port)};
    struct target targets[TARGETS] = {0};
    struct bench b;
    for (int i = 0; i < 2; i++)
        checks[i].interval = checks[i].timeout = 250 * USEC_PER_MSEC;
    for (int i = 0; i < TARGETS; i++) {
        targets[i].check = &checks[i % 2];
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    }
    bench_open(&b);
    observer_targets(b.observer, targets, TARGETS, NULL, 1);
    bench_run(&b, 3000);
    usec_t last[TARGETS] = {0};
    unsigned counts[TARGETS] = {0}, wide = 0, long_ones = 0, goods = 0;
    for (size_t i = 0; i < b.count; i++) {
        const struct sample *s = &b.samples[i];
        ck_assert_str_eq(reason_name(s->reason), s->target % 2 ? "connect-timeout" : "ok");
        if (s->target % 2 == 0) {
            goods++;
            long_ones += s->ended - s->started > 50 * USEC_PER_MSEC;
            if (counts[s->target])
                wide += s->started - last[s->target] > 2 * checks[0].interval;
        }
        last[s->target] = s->started;
        counts[s->target]++;
    }
    for (int i = 0; i < TARGETS; i++) {
        ck_assert_uint_ge(counts[i],
                          7); /* of 11 or 12; 10 % of jitter, and a machine that is busy */
        ck_assert_uint_le(counts[i], 14);
    }
    /* were they in each other's way, it would be nearly all */
    ck_assert_uint_le(long_ones, goods / 4);
    ck_assert_uint_le(wide, goods / 4);
    bench_close(&b);
    origin_stop(&good);
    origin_stop(&hole);
}
END_TEST

static usec_t block_from, block_until;

static void on_block(uv_timer_t *timer)
{
    block_from = clock_now();
    usleep(400000);
    block_until = clock_now();
    uv_close((uv_handle_t *)timer, NULL);
}

/* L4: while the loop was away, nobody's silence counts. */
START_TEST(test_a_blocked_loop_marks_samples_late)
{
    struct origin hole = origin_blackhole("127.0.0.1");
    struct config_check c = tcp(hole.port);
    struct target targets[8];
    struct bench b;
    uv_timer_t block;
    unsigned away = 0, punctual = 0;
    c.interval = c.timeout = 500 * USEC_PER_MSEC;
    for (int i = 0; i < 8; i++) {
        targets[i] = (struct target){.check = &c};
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    }
    bench_open(&b);
    observer_targets(b.observer, targets, 8, NULL, 1);
    uv_timer_init(&b.loop, &block);
    uv_timer_start(&block, on_block, 1000, 0);
    bench_run(&b, 4000);
    for (size_t i = 0; i < b.count; i++) {
        const struct sample *s = &b.samples[i];
        ck_assert_str_eq(reason_name(s->reason), "connect-timeout");
        usec_t from = s->started > block_from ? s->started : block_from;
        usec_t until = s->ended < block_until ? s->ended : block_until;
        if (until - from > 200 * USEC_PER_MSEC) {
            away++;
            ck_assert(s->late);
        }
        punctual += !s->late;
    }
    ck_assert_uint_ge(away, 1);
    ck_assert_uint_ge(punctual, 1); /* and only while it was so */
    bench_close(&b);
    origin_stop(&hole);
}
END_TEST

static bool sampled(const struct bench *b, uint32_t target, uint32_t epoch, uint8_t reason)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->samples[i].target == target && b->samples[i].epoch == epoch &&
            b->samples[i].reason == reason)
            return true;
    return false;
}

START_TEST(test_a_new_list_moves_nobody)
{
    struct origin good = origin_start(&(struct origin_how){.address = "127.0.0.1"});
    struct config_check slow = tcp(good.port), other = tcp(good.port), again;
    struct target targets[2] = {{.check = &slow}, {.check = &other}};
    struct bench b;
    slow.interval = slow.timeout = 400 * USEC_PER_MSEC;
    other.interval = other.timeout = 300 * USEC_PER_MSEC;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    bench_open(&b);
    observer_targets(b.observer, targets, 2, NULL, 1);
    usec_t first = 0, last = 0, count = 0;
    bench_run(&b, 1000);
    /* every 100 ms a list with an equal check in another place: a target whose rhythm began anew
     * each time would be probed soon after each, or never */
    for (uint32_t i = 0; i < 20; i++) {
        again = slow;
        memset(&slow, 0xee, sizeof slow); /* the old one may go */
        slow = again;
        struct target moved[3] = {{0}, targets[i % 2 ? 0 : 1], targets[i % 2 ? 1 : 0]};
        observer_targets(b.observer, moved, 3, NULL, 2 + i);
        bench_run(&b, 100);
        for (size_t k = 0; k < b.count; k++) {
            const struct sample *s = &b.samples[k];
            if (s->epoch != 2 + i || s->target != (i % 2 ? 1 : 2))
                continue;
            first = first ? first : s->started;
            last = s->started;
            count++;
        }
        b.count = 0;
    }
    /* all in all: on a busy machine one may be late or skipped, and what follows is not */
    ck_assert_int_ge(count, 3);
    ck_assert_int_ge((last - first) / (count - 1), 300 * USEC_PER_MSEC);
    ck_assert_int_le((last - first) / (count - 1), 920 * USEC_PER_MSEC);
    bench_close(&b);
    origin_stop(&good);
}
END_TEST

START_TEST(test_gone_and_paused_are_silent)
{
    struct origin hole = origin_blackhole("127.0.0.1");
    struct config_check c = tcp(hole.port), d = tcp(origin_free_port("127.0.0.1"));
    struct target targets[2] = {{.check = &c}, {.check = &d}};
    struct bench b;
    c.interval = c.timeout = 300 * USEC_PER_MSEC;
    d.interval = d.timeout = 100 * USEC_PER_MSEC;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    bench_open(&b);
    observer_targets(b.observer, targets, 2, NULL, 1);
    bench_run(&b, 350); /* the first hangs */
    ck_assert(sampled(&b, 1, 1, REASON_CONNECT_REFUSED));
    b.count = 0;
    observer_targets(b.observer, targets + 1, 1, NULL, 2);
    bench_run(&b, 500);
    for (size_t i = 0; i < b.count; i++)
        ck_assert(b.samples[i].target == 0 && b.samples[i].epoch == 2 &&
                  b.samples[i].reason == REASON_CONNECT_REFUSED);
    ck_assert_uint_ge(b.count, 2);
    b.count = 0;
    observer_targets(b.observer, targets + 1, 1, (bool[]){true}, 3);
    bench_run(&b, 400);
    ck_assert_uint_le(b.count, 1); /* one may have been under way */
    observer_targets(b.observer, targets + 1, 1, NULL, 4);
    bench_run(&b, 400);
    ck_assert(sampled(&b, 0, 4, REASON_CONNECT_REFUSED));
    bench_close(&b); /* with a probe on its way or not: the loop closes clean */
    origin_stop(&hole);
}
END_TEST

START_TEST(test_equal_targets_are_probed_each)
{
    struct origin good = origin_start(&(struct origin_how){.address = "127.0.0.1"});
    struct config_check c = tcp(good.port);
    struct target targets[4] = {{.check = &c}, {.check = &c}, {.check = &c}, {.check = NULL}};
    struct bench b;
    c.interval = c.timeout = 100 * USEC_PER_MSEC;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    bench_open(&b);
    observer_targets(b.observer, targets, 4, NULL, 1);
    bench_run(&b, 500);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(sampled(&b, i, 1, REASON_OK));
    ck_assert(!sampled(&b, 3, 1, REASON_OK));
    bench_close(&b);
    origin_stop(&good);
}
END_TEST

/* A dead port on this host that answers itself (simultaneous open) is not alive: about one try in
 * 28,000 would hit, so the port is made the only one that is left. */
START_TEST(test_a_port_does_not_answer_itself)
{
    if (!origin_alone() || !origin_one_port(40000))
        return;
    struct config_check c = tcp(40000);
    struct sample s = probe_once(&c, "127.0.0.1");
    ck_assert_str_eq(reason_name(s.reason), "connect-refused");
}
END_TEST

/* No route at all is this host's trouble, not the target's. */
START_TEST(test_no_route_is_no_verdict)
{
    if (!origin_alone())
        return;
    struct config_check c = tcp(80);
    static const char *const far[] = {"192.0.2.1", "2001:db8::1"};
    for (size_t i = 0; i < array_length(far); i++) {
        struct sample s = probe_once(&c, far[i]);
        ck_assert_str_eq(reason_name(s.reason), "internal");
        ck_assert(s.late);
    }
}
END_TEST

CHECK_MAIN("observe_io", test_tcp_accepted, test_tcp_refused, test_tcp_swallowed,
           test_no_descriptors_is_no_verdict, test_descriptor_limit_is_raised,
           test_hanging_targets_delay_nobody, test_a_blocked_loop_marks_samples_late,
           test_a_new_list_moves_nobody, test_gone_and_paused_are_silent,
           test_equal_targets_are_probed_each, test_a_port_does_not_answer_itself,
           test_no_route_is_no_verdict)
