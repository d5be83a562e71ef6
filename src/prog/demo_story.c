/* The demo without a terminal: plays the story once, prints what it measured, and judges it. */
#include "model/stats.h"
#include "prog/demo.h"
#include "seam/clock.h"
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum {
    FAIL_OVER_MAX_MS = 1200, /* three failures in a row at 250 ms, a timeout, a beat */
    RETURN_MAX_MS = 5000,    /* hold-down 2 s, two successes, a beat */
    CALM_MS = 700,           /* how long nothing may change while it should not */
    LATE_MAX_MS = 15000,     /* a promise that is broken by then is broken for good */
    RESTART_MAX_MS = 3000,
    SOME_ANSWERS = 20, /* in any of the waits here, also on a machine that is short of time */
};

struct story {
    struct demo *demo;
    unsigned held, broken;
};

static void story_say(struct story *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void story_say(struct story *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%7.3f s  ", (double)(clock_now() - s->demo->started) / USEC_PER_SEC);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

static void promise(struct story *s, bool held, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void promise(struct story *s, bool held, const char *format, ...)
{
    char sentence[200];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    story_say(s, "%s %s", held ? "  held:  " : "  BROKEN:", sentence);
    held ? s->held++ : s->broken++;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Waits until the client is told `region`; the time it took in microseconds, or -1 after limit_ms.
 */
static usec_t answer_wait(struct story *s, unsigned region, int limit_ms)
{
    usec_t began = clock_now();
    struct ip ip;
    while (clock_now() - began < limit_ms * USEC_PER_MSEC) {
        if (client_answer(&s->demo->client, &ip) && ip_equal(&ip, &s->demo->origins[region].ip))
            return clock_now() - began;
        sleep_ms(2);
    }
    return -1;
}

static bool answer_stays(struct story *s, unsigned region, int ms)
{
    struct ip ip;
    for (usec_t until = clock_now() + ms * USEC_PER_MSEC; clock_now() < until; sleep_ms(5))
        if (!client_answer(&s->demo->client, &ip) || !ip_equal(&ip, &s->demo->origins[region].ip))
            return false;
    return true;
}

static void region_set(struct story *s, unsigned region, enum origin_mode mode)
{
    static const char *const doings[ORIGIN_MODES] = {"heals", "is cut off (silence)", "slows down",
                                                     "breaks (500)"};
    atomic_store(&s->demo->origins[region].mode, (int)mode);
    story_say(s, "%s %s", s->demo->origins[region].region, doings[mode]);
}

/* A machine that is short of time is late, and says how much; it is no other story then. */
static void answer_follows(struct story *s, unsigned region, const char *how, int promised_ms,
                           const char *more)
{
    const char *name = s->demo->origins[region].region;
    usec_t took = answer_wait(s, region, LATE_MAX_MS);
    if (took < 0)
        promise(s, false, "answers have not %s to %s in %.1f s (promised: %.1f s%s)", how, name,
                LATE_MAX_MS / 1000.0, promised_ms / 1000.0, more);
    else
        promise(s, took <= promised_ms * USEC_PER_MSEC,
                "answers %s to %s after %.3f s (promised: %.1f s%s)", how, name,
                (double)took / USEC_PER_SEC, promised_ms / 1000.0, more);
}

static void fail_over(struct story *s, enum origin_mode mode)
{
    region_set(s, 0, mode);
    answer_follows(s, 1, "moved", FAIL_OVER_MAX_MS, "");
    promise(s, answer_stays(s, 1, CALM_MS), "and stayed there");
}

static void fall_back(struct story *s)
{
    region_set(s, 0, ORIGIN_UP);
    answer_follows(s, 0, "returned", RETURN_MAX_MS, ", hold-down included");
}

static void all_down(struct story *s)
{
    uint64_t answered = atomic_load(&s->demo->client.answered);
    region_set(s, 0, ORIGIN_CUT);
    region_set(s, 1, ORIGIN_CUT);
    sleep_ms(FAIL_OVER_MAX_MS + CALM_MS);
    promise(s,
            atomic_load(&s->demo->client.answered) > answered + SOME_ANSWERS &&
                !atomic_load(&s->demo->client.empty),
            "both regions look dead: the name still answers (law L3: never empty)");
    region_set(s, 1, ORIGIN_UP);
    promise(s, answer_wait(s, 1, 2 * RETURN_MAX_MS) >= 0, "eu-west-1 is back and answers");
}

static pid_t role_pid(const struct story *s, const char *role)
{
    uint32_t pid;
    return stats_pid(s->demo->data, role, &pid) ? 0 : (pid_t)pid;
}

static void role_kill(struct story *s, const char *role)
{
    struct client *c = &s->demo->client;
    uint64_t answered = atomic_load(&c->answered), lost = atomic_load(&c->lost);
    pid_t pid = role_pid(s, role);
    if (pid <= 0 || kill(pid, SIGKILL)) {
        promise(s, false, "the %s process was not found", role);
        return;
    }
    story_say(s, "kill -9 of the %s process", role);
    usec_t began = clock_now();
    while (role_pid(s, role) == pid && clock_now() - began < RESTART_MAX_MS * USEC_PER_MSEC)
        sleep_ms(5);
    promise(s, role_pid(s, role) != pid, "it was restarted after %.3f s",
            (double)(clock_now() - began) / USEC_PER_SEC);
    sleep_ms(CALM_MS);
    /* The client waits a second for the one that died with the process. */
    while (atomic_load(&c->answered) <= answered + SOME_ANSWERS &&
           clock_now() - began < RESTART_MAX_MS * USEC_PER_MSEC)
        sleep_ms(5);
    uint64_t lost_now = atomic_load(&c->lost) - lost;
    promise(s, atomic_load(&c->answered) > answered + SOME_ANSWERS && lost_now <= 1,
            "answers went on; lost: %llu (at most the one in the hands of the killed process)",
            (unsigned long long)lost_now);
}

static void account(struct story *s)
{
    struct client *c = &s->demo->client;
    pthread_mutex_lock(&c->lock);
    usec_t slowest = c->slowest;
    pthread_mutex_unlock(&c->lock);
    story_say(s, "asked %llu, answered %llu, slowest answer %.3f s",
              (unsigned long long)atomic_load(&c->asked),
              (unsigned long long)atomic_load(&c->answered), (double)slowest / USEC_PER_SEC);
    promise(s, !atomic_load(&c->wrong) && !atomic_load(&c->empty),
            "no answer was wrong and none was empty");
    promise(s, atomic_load(&c->lost) <= 1, "no question was lost but one in a killed process");
}

int demo_story(struct demo *d)
{
    struct story s = {.demo = d};
    story_say(&s, "a node and two regions are up; %s is asked 200 times a second", demo_name);
    promise(&s, answer_wait(&s, 0, RETURN_MAX_MS) >= 0 && answer_stays(&s, 0, CALM_MS),
            "answers point to the primary, us-east-1");
    fail_over(&s, ORIGIN_CUT);
    fall_back(&s);
    fail_over(&s, ORIGIN_SLOW);
    fall_back(&s);
    fail_over(&s, ORIGIN_BROKEN);
    all_down(&s);
    fall_back(&s);
    role_kill(&s, "control");
    role_kill(&s, "dns");
    fail_over(&s, ORIGIN_CUT);
    fall_back(&s);
    account(&s);
    printf("\n%u promises held, %u broken\n", s.held, s.broken);
    return s.broken ? 1 : 0;
}
