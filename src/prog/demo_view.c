/* The demo on a terminal: what the checks see, what clients are told, and keys to hurt a region. */
#include "base/err.h"
#include "base/text.h"
#include "model/board.h"
#include "model/snapshot_io.h"
#include "model/stats.h"
#include "prog/demo.h"
#include "seam/clock.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { FRAME_MS = 200, LINES_SHOWN = 12 };

#define ANSI_CLEAR  "\033[H\033[2J"
#define ANSI_BOLD   "\033[1m"
#define ANSI_DIM    "\033[2m"
#define ANSI_RED    "\033[31m"
#define ANSI_GREEN  "\033[32m"
#define ANSI_YELLOW "\033[33m"
#define ANSI_RESET  "\033[0m"

struct view {
    struct demo *demo;
    unsigned chosen; /* region that keys act on */
    uint64_t asked_before;
    usec_t frame_before;
    double rate;
    uint64_t changes_seen; /* of client.change_total */
    uint8_t state_seen[DEMO_REGIONS];
    struct text out;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static const char *region_of(const struct demo *d, const struct ip *ip)
{
    for (unsigned i = 0; i < DEMO_REGIONS; i++)
        if (ip_equal(&d->origins[i].ip, ip))
            return d->origins[i].region;
    return "?";
}

/* Takes new changes of answers and verdicts into the timeline. */
static void timeline_update(struct view *v, const struct plan_target *targets)
{
    struct demo *d = v->demo;
    char text[IP_TEXT_MAX];
    pthread_mutex_lock(&d->client.lock);
    uint64_t unseen = d->client.change_total - v->changes_seen;
    v->changes_seen = d->client.change_total;
    for (unsigned i = d->client.change_count - (unsigned)unseen; i < d->client.change_count; i++) {
        const struct ip *ip = &d->client.changes[i].ip;
        demo_line(d, "clients are now told %s (%s)", ip_format(ip, text), region_of(d, ip));
    }
    pthread_mutex_unlock(&d->client.lock);
    for (unsigned i = 0; targets && i < DEMO_REGIONS; i++) {
        if (v->state_seen[i] == targets[i].state)
            continue;
        v->state_seen[i] = targets[i].state;
        demo_line(d, "%s is %s: %s", d->origins[i].region,
                  verdict_state_name((enum verdict_state)targets[i].state),
                  reason_sentence((enum reason)targets[i].reason));
    }
}

static void targets_draw(struct view *v, const struct plan_target *targets, usec_t now)
{
    struct demo *d = v->demo;
    text_appendf(&v->out, ANSI_BOLD "    %-10s %-12s %-8s %-8s %-22s %9s  %s\n" ANSI_RESET,
                 "region", "address", "made to", "verdict", "newest probe", "took", "in answers");
    for (unsigned i = 0; i < DEMO_REGIONS; i++) {
        const struct origin *o = &d->origins[i];
        const struct plan_target *t = &targets[i];
        char ip[IP_TEXT_MAX], took[DURATION_TEXT_MAX];
        usec_t total = 0;
        for (unsigned p = 0; p < PHASES; p++)
            total += t->phase_us[p];
        const char *colour = t->state == VERDICT_UP     ? ANSI_GREEN
                             : t->state == VERDICT_DOWN ? ANSI_RED
                                                        : ANSI_YELLOW;
        text_appendf(&v->out, "  %s %-10s %-12s %-8s %s%-8s" ANSI_RESET " %-22s %9s  %s%s\n",
                     v->chosen == i ? ">" : " ", o->region, ip_format(&o->ip, ip),
                     origin_mode_name((enum origin_mode)atomic_load(&o->mode)), colour,
                     verdict_state_name((enum verdict_state)t->state),
                     reason_name((enum reason)t->reason), duration_format(total, took),
                     t->flags & TARGET_SERVED ? "yes" : "-",
                     t->flags & TARGET_HOLDING_DOWN && t->hold_until > now ? " (held down)" : "");
    }
}

static void frame_draw(struct view *v, const struct plan_target *targets, uint64_t generation)
{
    struct demo *d = v->demo;
    struct client *c = &d->client;
    usec_t now = clock_now();
    struct ip ip = {0};
    char text[IP_TEXT_MAX];
    uint64_t asked = atomic_load(&c->asked);
    if (now > v->frame_before)
        v->rate =
            (double)(asked - v->asked_before) * USEC_PER_SEC / (double)(now - v->frame_before);
    v->asked_before = asked;
    v->frame_before = now;
    text_reset(&v->out);
    text_append(&v->out,
                ANSI_CLEAR ANSI_BOLD "  Holdfast" ANSI_RESET "  lose a region, keep the name\n\n");
    if (targets)
        targets_draw(v, targets, now);
    bool has = client_answer(c, &ip);
    text_appendf(&v->out, "\n    %s is " ANSI_BOLD "%s" ANSI_RESET " (%s), plan generation %llu\n",
                 demo_name, has ? ip_format(&ip, text) : "-", has ? region_of(d, &ip) : "-",
                 (unsigned long long)generation);
    text_appendf(&v->out, "    %.0f queries/s: asked %llu, lost %llu, wrong %llu, empty %llu\n\n",
                 v->rate, (unsigned long long)asked, (unsigned long long)atomic_load(&c->lost),
                 (unsigned long long)atomic_load(&c->wrong),
                 (unsigned long long)atomic_load(&c->empty));
    unsigned first = d->line_count > LINES_SHOWN ? d->line_count - LINES_SHOWN : 0;
    for (unsigned i = first; i < d->line_count; i++)
        text_appendf(&v->out, ANSI_DIM "    %8.3f s" ANSI_RESET "  %s\n",
                     (double)d->lines[i].at / USEC_PER_SEC, d->lines[i].text);
    text_appendf(&v->out,
                 "\n    " ANSI_BOLD "1 2" ANSI_RESET " choose region   " ANSI_BOLD "c" ANSI_RESET
                 "ut   " ANSI_BOLD "s" ANSI_RESET "low   " ANSI_BOLD "b" ANSI_RESET
                 "reak   " ANSI_BOLD "h" ANSI_RESET "eal   " ANSI_BOLD "q" ANSI_RESET
                 "uit\n\n    from another terminal:\n"
                 "      dig @127.0.0.1 -p %u %s\n"
                 "      curl http://127.0.0.1:%u/metrics\n      holdfast status --data %s\n"
                 "      holdfast explain %s --data %s\n",
                 d->dns_port, demo_name, d->tell_port, d->data, demo_name, d->data);
    fputs(text_string(&v->out), stdout);
    fflush(stdout);
}

static void view_update(struct view *v)
{
    struct board board;
    struct board_header header = {0};
    struct plan_target *targets = NULL;
    if (!board_open(v->demo->data, &board)) {
        if (board_read(&board, &targets, &header) || header.target_count < DEMO_REGIONS)
            targets = NULL;
        board_close(&board);
    }
    timeline_update(v, targets);
    frame_draw(v, targets, header.generation);
    free(targets);
}

/* false: the user wants to leave. */
static bool key_take(struct view *v, char key)
{
    static const struct {
        char key;
        enum origin_mode mode;
        const char *doing;
    } keys[] = {{'c', ORIGIN_CUT, "cut off"},
                {'s', ORIGIN_SLOW, "slowed down"},
                {'b', ORIGIN_BROKEN, "broken"},
                {'h', ORIGIN_UP, "healed"}};
    if (key >= '1' && key < '1' + DEMO_REGIONS)
        v->chosen = (unsigned)(key - '1');
    for (size_t i = 0; i < array_length(keys); i++)
        if (keys[i].key == key) {
            struct origin *o = &v->demo->origins[v->chosen];
            atomic_store(&o->mode, (int)keys[i].mode);
            demo_line(v->demo, "you: %s is %s", o->region, keys[i].doing);
        }
    return key != 'q' && key != 3;
}

int demo_view(struct demo *d)
{
    struct view v = {.demo = d, .out = text_init(1 << 16), .frame_before = clock_now()};
    struct termios before, raw;
    if (tcgetattr(STDIN_FILENO, &before))
        return 1;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    signal(SIGHUP, interrupt);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    demo_line(d, "a node and two regions are up");
    memset(v.state_seen, 255, sizeof v.state_seen);
    for (bool going = true; going && !interrupted;) {
        view_update(&v);
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        char key;
        if (poll(&p, 1, FRAME_MS) > 0)
            going = read(STDIN_FILENO, &key, 1) == 1 && key_take(&v, key);
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    fputs("\n", stdout);
    text_done(&v.out);
    return 0;
}
