#include "prog/control_vantage.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "model/sample_own.h"
#include "prog/control_mesh.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { USUAL_MODE = 0640 };

/* ---- what is usual, kept over a restart ---- */

static int usual_path(const struct control *c, char ret[static PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/latency.usual", c->options->data);
    return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void usual_read(struct control *c)
{
    char path[PATH_MAX], *bytes = NULL;
    size_t size = 0;
    struct slow_history *list = NULL;
    uint32_t count = 0;
    int err = usual_path(c, path);
    err = err ? err : disk_read(path, SLOW_FILE_MAX, &bytes, &size);
    err = err ? err : slow_decode((const uint8_t *)bytes, size, &list, &count);
    if (!err)
        slow_resume(c->vantage->slow, list, count);
    else if (err != -ENOENT)
        log_event(LOG_WARN, "usual.read", {"file", LOG_S(path)}, {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("what latency is usual is learnt again")});
    free(list);
    free(bytes);
}

static void save_work(uv_work_t *work)
{
    struct control *c = work->data;
    struct usual_save *s = &c->vantage->save;
    char path[PATH_MAX];
    s->err = usual_path(c, path);
    if (!s->err)
        s->err = disk_write_atomic(path, s->bytes, s->size, USUAL_MODE);
}

static void save_done(uv_work_t *work, int status)
{
    struct control *c = work->data;
    struct usual_save *s = &c->vantage->save;
    (void)status;
    s->running = false;
    free(s->bytes);
    s->bytes = NULL;
    if (s->err)
        log_event(LOG_WARN, "usual.save", {"reason", LOG_S(err_text(s->err))},
                  {"consequence", LOG_S("after a restart it is learnt again")});
}

static void usual_save(struct control *c, usec_t now)
{
    struct control_vantage *v = c->vantage;
    uint64_t hours = slow_hours(v->slow);
    uint32_t count;
    if (v->save.running || now < v->save_due || hours == v->saved_hours)
        return;
    const struct slow_history *list = slow_histories(v->slow, &count);
    v->saved_hours = hours;
    v->save_due = now + USUAL_SAVE_S * USEC_PER_SEC;
    v->save.bytes = slow_encode(list, count, &v->save.size);
    v->save.running = true;
    v->save.work.data = c;
    int err = uv_queue_work(&c->loop, &v->save.work, save_work, save_done);
    invariant(err == 0);
}

/* ---- targets ---- */

static void vantage_begin(struct control *c)
{
    c->vantage = mem_new(1, sizeof *c->vantage);
    c->vantage->vantages = vantages_init();
    c->vantage->slow = slow_new();
    c->vantage->boot = entropy_u64();
}

void control_vantage_targets(struct control *c)
{
    bool first = !c->vantage;
    if (first)
        vantage_begin(c);
    struct control_vantage *v = c->vantage;
    uint32_t count = c->loaded->target_count;
    free(v->identities);
    free(v->entries);
    free(v->message);
    sample_turns_done(&v->turns);
    v->turns = sample_turns_init(c->loaded->targets, count);
    v->identities = mem_new(count + (size_t)1, sizeof *v->identities);
    v->entries = mem_new(v->turns.slice + (size_t)1, sizeof *v->entries);
    v->message = mem_new(sample_parts(v->turns.slice), SAMPLE_PART_SIZE_MAX);
    for (uint32_t i = 0; i < count; i++)
        v->identities[i] = target_identity(c->loaded->config, &c->loaded->targets[i]);
    vantages_targets(&v->vantages, v->identities, count);
    slow_targets(v->slow, c->loaded->targets, v->identities, count);
    if (first)
        usual_read(c);
}

/* ---- members ---- */

/* Whoever stands in the intent looks, but for those that are expelled; and who is expelled itself
 * is alone. */
static void members_follow(struct control *c)
{
    struct control_vantage *v = c->vantage;
    const struct intent_object *own = control_mesh_own(c);
    uint64_t ids[NODES_MAX];
    uint32_t all, count = 0;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &all);
    v->version = c->intent.version;
    v->self = own ? own->node->id : 0;
    for (uint32_t i = 0; i < all && own && own->node->role != NODE_EXPELLED; i++) {
        const struct node *n = nodes[i]->node;
        if (n->role == NODE_EXPELLED || n->id == v->self || count == NODES_MAX ||
            vantages_member(&v->vantages, n->id, nodes[i]->name, n->site, n->network))
            continue;
        ids[count++] = n->id;
    }
    vantages_keep(&v->vantages, ids, count);
}

/* Nodes probe one after the other, by their numbers. */
static void place_follow(struct control *c, usec_t now, int64_t wall)
{
    enum { APART_MS = 20 }; /* clocks that are kept right are nearer than this */
    struct control_vantage *v = c->vantage;
    struct schedule_place place = {.origin = now - wall, .of = v->vantages.count + 1};
    for (uint32_t i = 0; i < v->vantages.count; i++)
        place.rank += v->vantages.list[i].id < v->self;
    usec_t apart = place.origin - v->place.origin;
    if (place.rank == v->place.rank && place.of == v->place.of &&
        (apart < 0 ? -apart : apart) < APART_MS * USEC_PER_MSEC)
        return;
    v->place = place;
    observer_move(c->observer, place);
}

/* ---- the beat ---- */

/* By the newest plan; where the list of targets is new, that is of the one before. */
static bool is_down(const struct control *c, uint32_t target)
{
    return target < c->plan.target_count && c->plan.targets[target].state == VERDICT_DOWN;
}

void control_vantage_see(struct control *c, struct decide_input *input)
{
    struct control_vantage *v = c->vantage;
    const struct intent_object *own = control_mesh_own(c);
    if (v->version != c->intent.version || v->self != (own ? own->node->id : 0))
        members_follow(c);
    place_follow(c, input->now, input->wall);
    for (size_t i = 0; i < c->sample_count; i++) {
        if (c->samples[i].epoch != c->epoch)
            continue;
        slow_sample(v->slow, &c->samples[i], is_down(c, c->samples[i].target));
        sample_turns_note(&v->turns, c->samples[i].target);
    }
    input->slow = slow_step(v->slow, c->loaded->config->network, v->vantages.list,
                            v->vantages.count, input->now, input->wall);
    input->vantage = v->self;
    input->vantages = v->vantages.list;
    input->vantage_count = v->vantages.count;
    usual_save(c, input->now);
}

static struct sample_head head_of(const struct control *c, usec_t now)
{
    const struct control_vantage *v = c->vantage;
    const struct config *config = c->loaded->config;
    struct sample_head head = {.vantage = v->self,
                               .boot = v->boot,
                               .sequence = v->sequence,
                               .config = config->fingerprint,
                               .made = now,
                               .wall = clock_wall(),
                               .health = c->plan.vantage_count ? c->plan.vantages[0].health : 0};
    snprintf(head.node, sizeof head.node, "%s", config->node_name);
    snprintf(head.site, sizeof head.site, "%s", config->site);
    snprintf(head.network, sizeof head.network, "%s", config->network);
    return head;
}

static void vantages_gauge(const struct control *c)
{
    uint32_t voting = 0;
    for (uint32_t i = 0; i < c->plan.vantage_count; i++)
        voting += c->plan.vantages[i].state == VANTAGE_VOTES;
    stats_set(c->stats.threads, CONTROL_VANTAGES, c->plan.vantage_count);
    stats_set(c->stats.threads, CONTROL_VANTAGES_VOTING, voting);
}

/* The slice that is due: of a size that the configuration settles (L6). */
static size_t slice_make(struct control *c, usec_t now)
{
    struct control_vantage *v = c->vantage;
    const struct slow_fact *facts = slow_facts(v->slow);
    v->sequence++;
    struct sample_head head = head_of(c, now);
    invariant(c->plan.target_count == c->loaded->target_count);
    for (uint32_t i = 0; i < v->turns.slice; i++) {
        uint32_t target = sample_turns_take(&v->turns);
        v->entries[i] = sample_own(&c->plan, target, v->identities[target], &facts[target], now);
    }
    return sample_slice_encode(&head, v->entries, v->turns.slice, v->message);
}

/* Beats that come a little early or late make neither more slices nor fewer: the grid is fixed. */
void control_vantage_tell(struct control *c, usec_t now)
{
    struct control_vantage *v = c->vantage;
    vantages_gauge(c);
    if (now < v->slice_due || !v->vantages.count)
        return;
    v->slice_due = now - now % SAMPLE_SLICE_EVERY + SAMPLE_SLICE_EVERY;
    size_t size = slice_make(c, now);
    for (uint32_t i = 0; i < v->vantages.count; i++) {
        int err = mesh_send(c->mesh->mesh, v->vantages.list[i].id, MESH_SAMPLES, v->message, size);
        stats_add(c->stats.threads, err ? CONTROL_TABLES_UNSENT : CONTROL_TABLES_SENT, 1);
    }
}

void control_vantage_take(struct control *c, uint64_t id, const uint8_t *data, size_t size)
{
    int err = vantages_take(&c->vantage->vantages, id, data, size, clock_now(), clock_wall());
    stats_add(c->stats.threads, err ? CONTROL_TABLES_REFUSED : CONTROL_TABLES_TAKEN, 1);
    if (err && err != ERR_OLDER)
        log_event(LOG_DEBUG, "vantage.table", {"node", LOG_U(id)},
                  {"reason", LOG_S(err_text(err))});
}
