/* The control role: wiring of observe, decide and command, and the beat that drives them. */
#include "prog/control.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_io.h"
#include "prog/control_api.h"
#include "prog/control_intent.h"
#include "prog/control_keys.h"
#include "prog/control_mesh.h"
#include "prog/control_override.h"
#include "prog/control_practice.h"
#include "prog/control_relay.h"
#include "prog/control_replica.h"
#include "prog/control_secondary.h"
#include "prog/control_vantage.h"
#include "prog/load_ledger.h"
#include "prog/load_shared.h"
#include "prog/problems.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include <signal.h>
#include <stdlib.h>

enum { PROBE_SEED = 1 }; /* the same on all nodes: they share the work */

static void sample_take(void *context, const struct sample *sample)
{
    struct control *c = context;
    c->samples = mem_grow(c->samples, c->sample_count, &c->sample_capacity, sizeof *c->samples);
    c->samples[c->sample_count++] = *sample;
    stats_add(c->stats.threads, CONTROL_PROBES, 1);
    if (sample->reason != REASON_OK)
        stats_add(c->stats.threads, CONTROL_PROBES_FAILED, 1);
    if (sample->late)
        stats_add(c->stats.threads, CONTROL_PROBES_LATE, 1);
}

static enum log_level event_level(const struct decide_output *out, const struct decide_event *e)
{
    bool calm = e->kind == EVENT_VERDICT ||
                (e->kind == EVENT_MODE &&
                 out->plan.services[e->service].faces[e->family].mode == FACE_NORMAL);
    return calm ? LOG_INFO : LOG_WARN;
}

static void events_log(const struct decide_output *out)
{
    static const char *const names[] = {
        [EVENT_VERDICT] = "verdict.changed",   [EVENT_MODE] = "service.mode",
        [EVENT_VELOCITY] = "velocity.held",    [EVENT_FROZEN] = "verdict.frozen",
        [EVENT_EXPIRY] = "certificate.expiry", [EVENT_FINDING] = "verdict.finding",
        [EVENT_CAUSE] = "verdict.cause",       [EVENT_VANTAGE] = "vantage.changed",
    };
    for (uint32_t i = 0; i < out->event_count; i++)
        log_event(event_level(out, &out->events[i]), names[out->events[i].kind],
                  {"what", LOG_S(out->events[i].sentence)});
}

/* Is there a first verdict on every target that is probed? */
static bool round_ended(const struct control *c, usec_t now)
{
    if (now - c->started > FIRST_ROUND_MAX_MS * USEC_PER_MSEC)
        return true;
    for (uint32_t i = 0; i < c->loaded->target_count; i++) {
        if (c->loaded->targets[i].hostname)
            continue; /* what is only told is not waited for */
        const struct config_check *check = c->loaded->targets[i].check;
        const struct plan_target *t = &c->plan.targets[i];
        if (check && !c->paused[i] && t->state == VERDICT_UNREADY && t->failures < check->fall)
            return false;
    }
    return true;
}

static void step(struct control *c, usec_t now, struct decide_output *out)
{
    struct decide_input input = {
        .previous = c->plan.generation ? &c->plan : NULL,
        .intent = &c->intent,
        .files = &c->loaded->decide,
        .samples = c->samples,
        .sample_count = (uint32_t)c->sample_count,
        .epoch = c->epoch,
        .now = now,
        .wall = clock_wall(),
        .boot_id = c->boot_id,
    };
    control_vantage_see(c, &input);
    plan_step(c->decider, &input, out);
    c->plan = out->plan;
    c->sample_count = 0;
    if (++c->steps == 2)
        mapped_close(&c->start_file); /* the plan of the process before is behind us */
    stats_add(c->stats.threads, CONTROL_STEPS, 1);
    stats_set(c->stats.threads, CONTROL_STEP_US, (uint64_t)(clock_now() - now));
}

static void beat(uv_timer_t *timer)
{
    struct control *c = timer->data;
    usec_t now = clock_now();
    struct decide_output out;
    stats_set(c->stats.threads, CONTROL_LAG_US,
              now > c->beat_due && c->beat_due ? (uint64_t)(now - c->beat_due) : 0);
    c->beat_due = now + BEAT_MS * USEC_PER_MSEC;
    step(c, now, &out);
    events_log(&out);
    control_board_beat(c, now);
    if (c->first_round && round_ended(c, now)) {
        c->first_round = false;
        out.changes |= PLAN_ANSWERS;
    }
    if (!c->first_round && !out.changes && control_publish_stale(c)) {
        c->plan.generation++; /* the same answers with other signatures: another plan (L2) */
        out.changes |= PLAN_ANSWERS;
    }
    if (!c->first_round && (out.changes || c->publication.wanted))
        control_publish(c, now);
    if (!c->first_round)
        control_forms(c, now, out.changes & PLAN_ANSWERS);
    control_look(c, now);
    control_dnssec_beat(c, now);
    control_zones_renew(c);
    control_zones_again(c, now);
    control_secondary_beat(c, now);
    control_mesh_beat(c, now);
    control_replica_beat(c, now);
    control_practice_beat(c, now);
    control_keys_beat(c, now);
    control_vantage_tell(c, now);
}

void control_beat_soon(struct control *c)
{
    int err = uv_timer_start(&c->beat, beat, 0, BEAT_MS);
    invariant(err == 0);
}

static void left(struct control *c)
{
    uv_stop(&c->loop);
}

static void stop(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    int err = uv_poll_stop(poll);
    invariant(err == 0);
    if (!control_replica_leave(poll->data, left))
        left(poll->data);
}

static void hangup(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    control_reload(handle->data, (struct reload_order){0}, NULL);
}

/* The plan of the process before this one is where this one goes on: verdicts, hold-downs,
 * generation. */
static void plan_resume(struct control *c)
{
    uint64_t found;
    int err = snapshot_resume(c->options->data, &c->start_file, &c->plan, &found);
    c->first_round = !found;
    if (err)
        log_event(LOG_WARN, "plan.resume", {"reason", LOG_S(err_text(err))});
    log_event(LOG_INFO, "plan.resume", {"generation", LOG_U(found)},
              {"highest", LOG_U(c->plan.generation)});
}

static int loaded_start(struct control *c)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct loaded *loaded;
    struct load_request request = {
        .path = c->options->config,
        .data = c->options->data,
        .shared = load_shared_new(&c->intent),
        .served = c->plan.generation ? &c->plan : NULL,
        .ledger = &c->ledger,
        .keep_old = true,
    };
    c->ledger = load_ledger_read(c->options->data);
    int err = load_new(&request, &problems, &loaded);
    load_ledger_write(c->options->data, &c->ledger);
    problems_log("load.problem", &problems);
    text_done(&problems);
    if (!err)
        control_take(c, loaded);
    return err;
}

static int handles_open(struct control *c)
{
    uv_timer_init(&c->loop, &c->beat);
    uv_signal_init(&c->loop, &c->hangup);
    c->beat.data = c->hangup.data = c->stop.data = c;
    c->stop_fd = role_stop_fd();
    int err = uv_poll_init(&c->loop, &c->stop, c->stop_fd);
    err = err ? err : uv_poll_start(&c->stop, UV_READABLE, stop);
    err = err ? err : uv_signal_start(&c->hangup, hangup, SIGHUP);
    return err ? err : uv_timer_start(&c->beat, beat, BEAT_MS, BEAT_MS);
}

static int control_start(struct control *c)
{
    int err = stats_create(c->options->data, "control", 1, &c->stats);
    err = err ? err : uv_loop_init(&c->loop);
    if (err)
        return err;
    c->decider = decider_new();
    plan_resume(c);
    err = intent_load(c->options->data, &c->intent);
    err = err ? err : control_override_load(c);
    err = err ? err : observer_new(&c->loop, sample_take, c, PROBE_SEED, &c->observer);
    err = err ? err : loaded_start(c);
    if (!err)
        control_incidents_tell(c);
    err = err ? err : control_listen(c);
    err = err ? err : control_relay_open(c);
    err = err ? err : control_api_open(c);
    return err ? err : handles_open(c);
}

int role_control(const struct role_options *o)
{
    static struct control c; /* one a process; too large for some stacks */
    c.options = o;
    c.started = clock_now();
    c.boot_id = clock_boot_id();
    int err = control_start(&c);
    if (err) {
        log_event(LOG_ERROR, "control.start", {"reason", LOG_S(err_text(err))});
        return 1;
    }
    role_ready(o);
    log_event(LOG_INFO, "control.started", {"targets", LOG_U(c.loaded->target_count)},
              {"services", LOG_U(c.loaded->config->service_count)},
              {"zones_made", LOG_U(c.loaded->made)});
    uv_run(&c.loop, UV_RUN_DEFAULT);
    if (!c.reload.running && !c.remake.running) /* a worker has it otherwise */
        load_ledger_write(o->data, &c.ledger);
    log_event(LOG_INFO, "control.stopped");
    return 0; /* the kernel takes the rest; state is on disk after every change */
}
