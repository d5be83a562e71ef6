#include "prog/control_shared.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/dnssec_keys_io.h"
#include "prog/load_alias.h"
#include "prog/load_shared.h"
#include "prog/load_zone.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdlib.h>

/* One change that is tried. */
struct trial {
    uv_work_t work;
    char *path;
    const char *data;            /* the node's folder */
    struct load_shared *shared;  /* with the change */
    struct load_shared *current; /* without it */
    struct text problems;
    int err;
    control_shared_answer *answer;
    void *context;
};

static bool zone_keys_known(const struct config_zone *z)
{
    bool known = true;
    for (uint32_t i = 0; i < z->update.rule_count; i++)
        known &= z->update.rules[i].key != CONFIG_NONE;
    return known;
}

/* L3: the parent may have a DS for keys that this node has alone. Others would not fit it. */
static bool zone_keys_fit(const struct trial *t, const struct config_zone *z, struct text *problems)
{
    if (!z->dnssec.on || load_shared_keys(t->current, z->name) ||
        !dnssec_keys_exist(t->data, z->name))
        return true;
    text_appendf(problems,
                 "%s: zone %s was signed with keys of this node's own (keys/%s in its folder), "
                 "which do not become those of all: have it go unsigned first (holdfast dnssec "
                 "unsign), then move them away\n",
                 z->file, z->name, z->name);
    return false;
}

/* Zones that stay as they are were tried when they came. */
static int zones_try(struct trial *t, const struct config *config)
{
    struct load_request request = {.path = t->path, .shared = t->shared};
    struct loaded_zone *zones = mem_new(config->zone_count + (size_t)1, sizeof *zones);
    int result = 0;
    for (uint32_t i = 0; i < config->zone_count; i++) {
        const struct config_zone *z = &config->zones[i];
        struct zone_order order = {.load = &request, .config = config, .zones = zones, .zone = i};
        struct zone_made made;
        if (!config_zone_is_shared(z) || load_shared_zone_is(t->shared, t->current, z->name))
            continue;
        int err = load_zone(&order, &t->problems, &made);
        zone_made_done(&made);
        /* Whoever gives a zone its keys asks a node that has them, to see that they are named
         * right. */
        if (!err && !load_shared_entry_is(t->shared, t->current, z->name) && !zone_keys_known(z))
            err = ERR_MISSING;
        if (!err && !zone_keys_fit(t, z, &t->problems))
            err = ERR_REFUSED;
        if (err && err != -EAGAIN && !result) /* that one's ALIAS records lead to other zones */
            result = err;
    }
    free(zones);
    return result;
}

static void trial_work(uv_work_t *work)
{
    struct trial *t = work->data;
    struct config *config = NULL;
    char *bytes;
    size_t length;
    t->err = disk_read(t->path, CONFIG_FILE_MAX, &bytes, &length);
    if (t->err) {
        text_appendf(&t->problems, "%s: cannot be read: %s\n", t->path, err_text(t->err));
        return;
    }
    t->err =
        config_parse(t->path, bytes, length, load_shared_parts(t->shared), &t->problems, &config);
    free(bytes);
    if (!t->err)
        t->err = zones_try(t, config);
    config_free(config);
}

static void trial_done(uv_work_t *work, int status)
{
    struct trial *t = work->data;
    invariant(status == 0);
    t->answer(t->context, t->err, text_string(&t->problems));
    load_shared_free(t->shared);
    load_shared_free(t->current);
    text_done(&t->problems);
    free(t->path);
    free(t);
}

void control_shared_try(struct control *c, const struct intent *next, control_shared_answer *answer,
                        void *context)
{
    struct trial *t = mem_new(1, sizeof *t);
    *t = (struct trial){.path = mem_string(c->options->config),
                        .data = c->options->data,
                        .shared = load_shared_new(next),
                        .current = load_shared_new(&c->intent),
                        .problems = text_init(LOAD_PROBLEMS_MAX),
                        .answer = answer,
                        .context = context};
    t->work.data = t;
    int err = uv_queue_work(&c->loop, &t->work, trial_work, trial_done);
    invariant(err == 0);
}

void control_shared_take(struct control *c, const struct intent *before)
{
    if (intent_shares_alike(before, &c->intent))
        return;
    log_event(LOG_INFO, "shared.changed", {"version", LOG_U(c->intent.version)});
    control_reload(c, (struct reload_order){0}, NULL);
}
