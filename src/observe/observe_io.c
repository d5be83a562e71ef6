#include "observe/observe_io.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "observe/probe_io.h"
#include "seam/clock.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Why one epoll of our own inside libuv's: a uv_poll_t for each probe takes four more system calls
 * (libuv tries a new descriptor by adding and removing it, makes it non-blocking again, and removes
 * it before the close) and stays alive until its close callback. Here a probe takes one epoll_ctl,
 * close() undoes it, and libcurl's sockets go the same way. doc/internals/probes.md has numbers. */
enum {
    EVENTS_MAX = 256,     /* read at once */
    EVENT_ROUNDS_MAX = 4, /* in one turn: the rest waits for the next one */
    STARTS_MAX = 64,      /* in one turn: then sockets are looked at before more is begun (L7) */
    /* A probe is late when the loop was away for timeout / LAG_SHARE at one stretch: a probe waits
     * for the network at most four times (connect, twice in the handshake, first byte), so that
     * at least half of its time was still the target's. */
    LAG_SHARE = 8,
};
#define LAG_MIN (5 * USEC_PER_MSEC) /* below that: the noise of a millisecond timer */

static const struct probe_kind *const kinds[CHECK_KINDS] = {
    [CHECK_TCP] = &probe_tcp,    [CHECK_TLS] = &probe_tls,   [CHECK_HTTP] = &probe_http,
    [CHECK_HTTPS] = &probe_http, [CHECK_ICMP] = &probe_icmp, [CHECK_DNS] = &probe_dns,
};

static usec_t check_lag(const struct config_check *c)
{
    usec_t lag = c->timeout / LAG_SHARE;
    return lag > LAG_MIN ? lag : LAG_MIN;
}

/* ---- one probe ---- */

struct slot *observer_slot(struct observer *o, uint32_t id, uint32_t serial)
{
    if (id >= o->slot_count || !o->slots[id])
        return NULL;
    struct slot *s = o->slots[id];
    return s->running && s->serial == serial ? s : NULL;
}

int slot_watch(struct slot *s, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = event_mark(EVENT_SLOT, s->id, s->serial)};
    int op = s->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    s->fd = fd;
    return epoll_ctl(s->observer->epoll, op, fd, &e) ? -errno : 0;
}

void slot_close(struct slot *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

usec_t slot_phase(struct slot *s, enum phase phase, usec_t from)
{
    usec_t now = clock_now(), took = now - from;
    s->sample.phase_us[phase] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    return now;
}

void slot_deadline(struct slot *s, usec_t when)
{
    invariant(s->running);
    heap_put(&s->observer->deadlines, s->id, when);
}

void slot_abandon(struct slot *s)
{
    if (!s->running)
        return;
    s->running = false;
    heap_remove(&s->observer->deadlines, s->id);
    s->kind->stop(s);
    invariant(s->fd == -1);
}

void slot_finish(struct slot *s, enum reason reason)
{
    struct observer *o = s->observer;
    invariant(s->running && reason < REASONS && reason != REASON_NOT_YET);
    slot_abandon(s);
    s->sample.ended = clock_now();
    s->sample.reason = (uint8_t)reason;
    s->sample.late = reason == REASON_INTERNAL || s->lag >= check_lag(s->check);
    s->sample.target = s->target;
    s->sample.epoch = o->epoch;
    if (s->parent) {
        name_child_ended(s->parent, &s->sample);
        return;
    }
    o->finished = mem_grow(o->finished, o->finished_count, &o->finished_size, sizeof *o->finished);
    o->finished[o->finished_count++] = s->sample;
    if (!s->pending)
        return;
    o->waiting = mem_grow(o->waiting, o->waiting_count, &o->waiting_size, sizeof *o->waiting);
    o->waiting[o->waiting_count++] = s->id;
}

void slot_fail(struct slot *s, const char *what, int error)
{
    log_event(LOG_WARN, "probe.internal", {"check", LOG_S(s->check->name)}, {"step", LOG_S(what)},
              {"error", LOG_S(strerrorname_np(error < 0 ? -error : error))});
    slot_finish(s, REASON_INTERNAL);
}

void slot_start(struct slot *s)
{
    struct observer *o = s->observer;
    invariant(!s->running && s->fd == -1);
    s->sample = (struct sample){.started = clock_now()};
    s->serial = ++o->serial;
    s->running = true;
    s->pending = false;
    s->lag = 0;
    heap_put(&o->deadlines, s->id, s->sample.started + s->check->timeout);
    if (s->prepared)
        s->kind->start(s);
    else
        slot_fail(s, "prepare", EINVAL);
}

/* ---- a turn of the loop ---- */

static void event_dispatch(struct observer *o, const struct epoll_event *e)
{
    uint32_t high = (uint32_t)(e->data.u64 >> 32) & 0xffffff, low = (uint32_t)e->data.u64;
    switch ((enum event_owner)(e->data.u64 >> 56)) {
    case EVENT_SLOT: {
        struct slot *s = observer_slot(o, high, low);
        if (s)
            s->kind->event(s, e->events);
        break;
    }
    case EVENT_CURL:
        http_event(o, (int)low, e->events);
        break;
    case EVENT_ICMP:
        icmp_event(o, (enum ip_family)low);
        break;
    }
}

static void events_read(struct observer *o)
{
    struct epoll_event events[EVENTS_MAX];
    for (int round = 0; round < EVENT_ROUNDS_MAX; round++) {
        int count = epoll_wait(o->epoll, events, EVENTS_MAX, 0);
        for (int i = 0; i < count; i++)
            event_dispatch(o, &events[i]);
        if (count < EVENTS_MAX)
            break;
    }
}

static void deadlines_expire(struct observer *o, usec_t now)
{
    while (heap_when(&o->deadlines) <= now) {
        struct slot *s = o->slots[heap_first(&o->deadlines)->id];
        invariant(s && s->running);
        s->kind->expire(s);
        invariant(!s->running || heap_when(&o->deadlines) > now ||
                  heap_first(&o->deadlines)->id != s->id);
    }
}

static void slots_start(struct observer *o, usec_t now)
{
    uint32_t id;
    for (unsigned i = 0; i < STARTS_MAX && schedule_take(&o->schedule, now, &id); i++) {
        struct slot *s = o->slots[id];
        invariant(s && !s->paused);
        if (s->running)
            s->pending = true;
        else
            slot_start(s);
    }
}

/* Samples go out when nothing is being walked any more, so that the sink may call us. */
static void samples_flush(struct observer *o)
{
    for (size_t i = 0; i < o->finished_count; i++) {
        struct sample sample = o->finished[i];
        if (sample.epoch == o->epoch)
            o->sink(o->context, &sample);
    }
    o->finished_count = 0;
}

/* Those that fell due while their last probe was running (jitter may do that), now that it ended.
 */
static void waiting_start(struct observer *o)
{
    for (size_t i = 0; i < o->waiting_count; i++) {
        struct slot *s = o->slots[o->waiting[i]];
        if (s && s->pending && !s->running)
            slot_start(s);
    }
    o->waiting_count = 0;
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer to what comes next; while probes run, at most lag_floor ahead, so that a loop
 * that was away is noticed. libuv counts whole milliseconds of its own clock. */
static void timer_arm(struct observer *o)
{
    usec_t now = clock_now(), next = schedule_next(&o->schedule);
    if (heap_when(&o->deadlines) < next)
        next = heap_when(&o->deadlines);
    if (o->curl_due < next)
        next = o->curl_due;
    if (o->deadlines.count && now + o->lag_floor < next)
        next = now + o->lag_floor;
    if (next == USEC_NEVER || (o->armed <= next && o->armed > now))
        return;
    uv_update_time(o->loop);
    uint64_t uv_us = uv_hrtime() / 1000, wait = next > now ? (uint64_t)(next - now) : 0;
    uint64_t expiry_ms = (uv_us + wait + 999) / 1000, now_ms = uv_now(o->loop);
    o->armed = now + (usec_t)(expiry_ms * 1000 - uv_us);
    uv_timer_start(&o->timer, on_timer, expiry_ms > now_ms ? expiry_ms - now_ms : 0, 0);
}

/* The timer is late by so much: whatever runs now was not looked at for that long. */
static void lag_note(struct observer *o)
{
    usec_t now = clock_now();
    if (o->armed > now)
        return;
    usec_t lag = now - o->armed;
    o->armed = USEC_NEVER;
    if (lag < o->lag_floor)
        return;
    for (size_t i = 0; i < o->deadlines.count; i++) {
        struct slot *s = o->slots[o->deadlines.nodes[i].id];
        s->lag = lag > s->lag ? lag : s->lag;
    }
}

/* Events before deadlines: what came in while the loop was away still counts. */
static void observer_turn(struct observer *o)
{
    lag_note(o);
    events_read(o);
    if (o->curl_due <= clock_now())
        http_timeout(o);
    deadlines_expire(o, clock_now());
    waiting_start(o);
    slots_start(o, clock_now());
    if (o->curl_due <= clock_now())
        http_timeout(o); /* what was just begun */
    samples_flush(o);
    timer_arm(o);
}

static void on_timer(uv_timer_t *timer)
{
    observer_turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    observer_turn(poll->data);
}

/* ---- the list of targets ---- */

static uint64_t hash_text(uint64_t seed, const char *string)
{
    return string ? hash64_seeded(string, strlen(string), seed + 1) : hash_mix(seed);
}

/* Everything that changes what a probe does or when: two checks with one hash probe alike. */
static uint64_t check_hash(const struct config_check *c)
{
    const int64_t numbers[] = {c->kind,     c->port,    c->verify,       c->query_type,
                               c->interval, c->timeout, c->header_count, c->status_count};
    uint64_t hash = hash64(numbers, sizeof numbers);
    const char *const strings[] = {c->url, c->host, c->sni, c->body, c->ca, c->query, c->expect};
    for (size_t i = 0; i < array_length(strings); i++)
        hash = hash_text(hash, strings[i]);
    for (uint32_t i = 0; i < c->header_count; i++)
        hash = hash_text(hash_text(hash, c->headers[i].name), c->headers[i].value);
    for (uint32_t i = 0; i < c->status_count; i++)
        hash = hash_mix(hash ^ ((uint64_t)c->status[i].low << 16 | c->status[i].high));
    return hash;
}

void slot_drop(struct slot *s)
{
    struct observer *o = s->observer;
    if (s->id < o->free_hint)
        o->free_hint = s->id;
    slot_abandon(s);
    schedule_remove(&o->schedule, s->id);
    if (s->prepared && s->kind->release)
        s->kind->release(s);
    o->slots[s->id] = NULL;
    free(s);
}

static struct slot *slot_new(struct observer *o)
{
    uint32_t id = 0;
    while (o->free_hint + id < o->slot_count && o->slots[o->free_hint + id])
        id++;
    id += o->free_hint;
    if (id == o->slot_count) {
        o->slots = mem_grow(o->slots, o->slot_count, &o->slot_size, sizeof(struct slot *));
        o->slot_count++;
    }
    invariant(id < 1u << 24); /* event_mark has room for that many */
    o->free_hint = id + 1;
    struct slot *s = o->slots[id] = mem_new(1, sizeof *s);
    *s = (struct slot){.observer = o, .id = id, .fd = -1, .paused = true};
    return s;
}

struct slot *slot_child(struct slot *parent, const struct ip *address)
{
    struct slot *s = slot_new(parent->observer);
    s->parent = parent;
    s->address = *address;
    s->check = parent->child_check;
    s->kind = kinds[s->check->kind];
    s->prepared = !s->kind->prepare || s->kind->prepare(s);
    return s;
}

/* One probed target of a new list: the slot that it had, or a new one. */
static void target_place(struct observer *o, const struct map *old, const struct target *targets,
                         uint32_t index, uint64_t identity, bool paused)
{
    const struct target *t = &targets[index], *at = t->hostname ? &targets[t->beside] : t;
    struct slot *s = map_get(old, &identity, sizeof identity);
    if (!s || s->claimed)
        s = slot_new(o);
    s->claimed = true;
    s->identity = identity;
    s->kind = t->hostname ? &probe_name : kinds[t->check->kind];
    s->target = index;
    s->check = t->check;
    s->address = at->address;
    s->hostname = t->hostname;
    s->child_check = at->check;
    if (s->paused != paused) {
        s->paused = paused;
        if (paused)
            schedule_remove(&o->schedule, s->id);
        else
            schedule_add(&o->schedule, s->id, identity, t->check->interval, clock_now());
    }
    if (check_lag(t->check) < o->lag_floor)
        o->lag_floor = check_lag(t->check);
}

/* Equal targets (one address and check in several services) are told apart by their number. */
struct twin {
    uint64_t base;
    uint64_t count;
};

static uint64_t target_identity(struct map *twins, struct twin *fresh, const struct target *t)
{
    fresh->base = hash64_seeded(t->address.bytes, sizeof t->address.bytes,
                                hash_text(check_hash(t->check) ^ t->address.family, t->hostname));
    struct twin *twin = map_get(twins, &fresh->base, sizeof fresh->base);
    if (!twin) {
        twin = fresh;
        map_put(twins, &fresh->base, sizeof fresh->base, fresh);
    }
    return hash_mix(twin->base + twin->count++ * 0x9e3779b97f4a7c15u);
}

/* Slots that are in the new list get what their probes need (read anew: certificates may have been
 * replaced on disk), the others go. */
static void slots_settle(struct observer *o)
{
    for (uint32_t i = 0; i < o->slot_count; i++) {
        struct slot *s = o->slots[i];
        if (!s || s->parent)
            continue;
        if (!s->claimed) {
            slot_drop(s);
            continue;
        }
        s->claimed = false;
        if (!s->prepared)
            s->prepared = !s->kind->prepare || s->kind->prepare(s);
        else if (s->kind->renew)
            s->kind->renew(s);
    }
}

void observer_targets(struct observer *o, const struct target *targets, uint32_t count,
                      const bool *paused, uint32_t epoch)
{
    struct map old = map_init(), twins = map_init();
    struct twin *fresh = mem_new(count ? count : 1, sizeof *fresh);
    for (uint32_t i = 0; i < o->slot_count; i++)
        if (o->slots[i] && !o->slots[i]->parent)
            map_put(&old, &o->slots[i]->identity, sizeof(uint64_t), o->slots[i]);
    o->epoch = epoch;
    o->lag_floor = USEC_PER_SEC;
    o->free_hint = 0;
    for (uint32_t i = 0; i < count; i++)
        if (targets[i].check)
            target_place(o, &old, targets, i, target_identity(&twins, &fresh[i], &targets[i]),
                         paused && paused[i]);
    trust_forget(o);
    slots_settle(o);
    map_done(&old);
    map_done(&twins);
    free(fresh);
    timer_arm(o);
}

void observer_move(struct observer *o, struct schedule_place place)
{
    schedule_move(&o->schedule, place, clock_now());
    timer_arm(o);
}

void observer_resolvers(struct observer *o, const struct config_listen *list, uint32_t count)
{
    invariant(count <= RESOLVERS_MAX);
    o->resolvers_said = count > 0;
    o->resolver_count = count;
    o->resolvers_due = 0;
    for (uint32_t i = 0; i < count; i++)
        o->resolvers[i] = (struct resolver){list[i].ip, list[i].port};
}

/* ---- life ---- */

/* A probe needs a descriptor, and a thousand targets that hang need a thousand. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_event(LOG_WARN, "probe.descriptors", {"error", LOG_S(strerrorname_np(errno))});
}

/* OpenSSL writes without MSG_NOSIGNAL: a peer that resets the connection would end the process. */
static void pipe_ignore(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

int observer_new(uv_loop_t *loop, observe_sink *sink, void *context, uint64_t seed,
                 struct observer **ret)
{
    invariant(loop && sink);
    descriptors_raise();
    pipe_ignore();
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct observer *o = mem_new(1, sizeof *o);
    *o = (struct observer){.loop = loop,
                           .epoll = fd,
                           .sink = sink,
                           .context = context,
                           .schedule = schedule_init(seed),
                           .armed = USEC_NEVER,
                           .curl_due = USEC_NEVER,
                           .lag_floor = USEC_PER_SEC};
    o->timer.data = o->poll.data = o;
    int err = uv_poll_init(loop, &o->poll, fd);
    if (err) {
        close(fd);
        free(o);
        return err;
    }
    uv_timer_init(loop, &o->timer);
    uv_poll_start(&o->poll, UV_READABLE, on_poll);
    *ret = o;
    return 0;
}

static void on_close(uv_handle_t *handle)
{
    struct observer *o = handle->data;
    if (--o->closing == 0)
        free(o);
}

void observer_free(struct observer *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->slot_count; i++)
        if (o->slots[i] && !o->slots[i]->parent)
            slot_drop(o->slots[i]);
    invariant(o->deadlines.count == 0);
    http_close(o);
    icmp_close(o);
    tls_close(o);
    trust_forget(o);
    schedule_done(&o->schedule);
    heap_done(&o->deadlines);
    free(o->slots);
    free(o->finished);
    free(o->waiting);
    o->closing = 2;
    uv_poll_stop(&o->poll);
    close(o->epoll);
    uv_close((uv_handle_t *)&o->timer, on_close);
    uv_close((uv_handle_t *)&o->poll, on_close);
}
