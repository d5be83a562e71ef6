#include "prog/control_override.h"

#include "base/err.h"
#include "base/log.h"
#include "model/intent_io.h"
#include "prog/control_replica.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MODE = 0640, REPORT_MAX = 4096 };

static int path_make(const struct control *c, const char *suffix, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/override.json%s", c->options->data, suffix);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int override_save(const struct control *c, const char *suffix, const struct intent *intent)
{
    char path[PATH_MAX], *text = intent_encode(intent);
    int err = path_make(c, suffix, path);
    err = err ? err : disk_write_atomic(path, text, strlen(text), FILE_MODE);
    free(text);
    return err;
}

/* Of the changes that are remembered, how many are overrides; *ret_before: the newest version that
 * the cluster had decided. */
static unsigned overrides_count(const struct intent *i, uint64_t *ret_before)
{
    unsigned count = 0;
    *ret_before =
        i->version < INTENT_OVERRIDE_VERSION ? i->version : i->version - INTENT_OVERRIDE_VERSION;
    for (uint32_t k = 0; k < i->history_count; k++)
        count += i->history[k]->version > INTENT_OVERRIDE_VERSION;
    *ret_before -= i->version < INTENT_OVERRIDE_VERSION ? 0 : count;
    return count;
}

uint64_t control_override_base(const struct control *c)
{
    uint64_t before;
    (void)overrides_count(&c->intent, &before);
    return before;
}

int control_override_load(struct control *c)
{
    char path[PATH_MAX], *data;
    size_t size;
    struct intent held;
    const char *why;
    uint64_t before;
    int err = path_make(c, "", path);
    err = err ? err : disk_read(path, INTENT_FILE_MAX, &data, &size);
    if (err)
        return err == -ENOENT ? 0 : err;
    err = intent_decode(data, size, &held, &why);
    free(data);
    if (err) {
        log_event(LOG_ERROR, "override.damaged", {"file", LOG_S(path)}, {"reason", LOG_S(why)},
                  {"consequence", LOG_S("what the cluster decided last counts")});
        return 0;
    }
    intent_done(&c->intent);
    c->intent = held;
    c->overrides = overrides_count(&c->intent, &before);
    log_event(LOG_ERROR, "override.goes.on", {"changes", LOG_U(c->overrides)});
    return 0;
}

static bool is_cut_off(const struct control *c, control_intent_answer *answer, void *context)
{
    struct replica_view v;
    if (!control_replica_look(c, &v)) {
        answer(context, ERR_REFUSED,
               "this node is in no cluster, or has just started: it decides alone anyway; say it "
               "without override");
        return false;
    }
    if (v.state != REPLICA_HALTED && v.voters_linked > v.voters / 2) {
        answer(context, ERR_REFUSED,
               "a majority of the voters can be reached: say it without override, and all nodes "
               "do it");
        return false;
    }
    return true;
}

void control_override(struct control *c, const char *proposal, const char *author,
                      control_intent_answer *answer, void *context)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX + 200);
    struct intent next, base;
    if (!is_cut_off(c, answer, context))
        return;
    text_append(&sentence, "OVERRIDE, on this node alone until it is with its cluster again: ");
    size_t head = sentence.length;
    base = intent_share(&c->intent);
    if (base.version < INTENT_OVERRIDE_VERSION)
        base.version += INTENT_OVERRIDE_VERSION;
    int err = command_apply(&base, proposal, strlen(proposal), clock_wall() / USEC_PER_MSEC, &next,
                            &sentence);
    bool changes = !err && next.version != base.version;
    if (changes)
        err = override_save(c, "", &next);
    if (changes && !err) {
        control_intent_use(c, &next);
        stats_set(c->stats.threads, CONTROL_OVERRIDES, ++c->overrides); /* marked from now on */
        log_event(LOG_ERROR, "override.taken", {"author", LOG_S(author)},
                  {"reply", LOG_S(text_string(&sentence))});
    } else if (changes || !err) {
        intent_done(&next);
    }
    intent_done(&base);
    answer(context, err, text_string(&sentence) + (err ? head : 0));
    text_done(&sentence);
}

/* ---- laid aside ---- */

static void report(const struct intent_change *change)
{
    struct text edits = text_init(REPORT_MAX);
    for (uint32_t i = 0; i < change->edit_count; i++) {
        const struct intent_edited *e = &change->edits[i];
        text_appendf(&edits, "%s%s %s: %s", i ? "; " : "", intent_kind_name(e->kind), e->name,
                     e->after ? e->after : "removed");
    }
    log_event(
        LOG_ERROR, "override.laid.aside", {"author", LOG_S(change->author)},
        {"change", LOG_S(text_string(&edits))},
        {"consequence", LOG_S("what the cluster decided counts again; say it anew where it is "
                              "still wanted")});
    text_done(&edits);
}

bool control_override_end(struct control *c, const struct replica_view *v,
                          const struct intent *agreed)
{
    char path[PATH_MAX];
    uint64_t before;
    (void)overrides_count(&c->intent, &before);
    if (!v->leader || v->state == REPLICA_HALTED || v->voters_linked <= v->voters / 2 ||
        v->applied < v->agreed || agreed->version < before)
        return false;
    for (uint32_t k = 0; k < c->intent.history_count; k++)
        if (c->intent.history[k]->version > INTENT_OVERRIDE_VERSION)
            report(c->intent.history[k]);
    int err = override_save(c, ".laid-aside", &c->intent);
    err = err ? err : path_make(c, "", path);
    err = err ? err : disk_remove(path);
    if (err) {
        log_event(LOG_ERROR, "override.file", {"reason", LOG_S(err_text(err))});
        return false;
    }
    struct intent next = intent_share(agreed);
    control_intent_use(c, &next);
    c->overrides = 0;
    return true;
}
