/* Changes of the intent: on one node carried out, saved, taken into use, confirmed; in a cluster
 * that is what the replica does. */
#include "prog/control_intent.h"

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/incident.h"
#include "model/intent_io.h"
#include "prog/control_mesh.h"
#include "prog/control_override.h"
#include "prog/control_replica.h"
#include "prog/control_shared.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void control_incidents_tell(struct control *c)
{
    int err = incidents_write(c->options->data, &c->intent);
    if (err)
        log_event(LOG_WARN, "incidents.write", {"reason", LOG_S(err_text(err))});
}

void control_intent_use(struct control *c, struct intent *next)
{
    struct intent before = c->intent;
    c->intent = *next;
    *next = (struct intent){0};
    c->intent.config = c->loaded->config;
    control_targets(c);
    control_shared_take(c, &before);
    if (!incidents_alike(&before, &c->intent))
        control_incidents_tell(c);
    intent_done(&before);
    stats_add(c->stats.threads, CONTROL_ORDERS, 1);
    stats_set(c->stats.threads, CONTROL_OUTCOMES, c->intent.told.count);
    stats_set(c->stats.threads, CONTROL_OUTCOMES_FORGOTTEN, c->intent.told.forgotten);
}

/* Takes `next` over. */
static int intent_take(struct control *c, struct intent *next)
{
    int err = intent_save(c->options->data, next);
    if (err)
        intent_done(next);
    else
        control_intent_use(c, next);
    return err;
}

/* A node that stands in what it wants decides with others, but for a founder that is about to write
 * itself into it. */
static bool is_member(const struct control *c)
{
    uint32_t count;
    intent_list(&c->intent, INTENT_NODE, &count);
    return c->replica || count;
}

enum { TOKEN_SIZE = 33 };

/* Proposals may hold secrets and are not logged. */
static void propose(struct control *c, const char *proposal, const char *author, bool alone,
                    control_intent_answer *answer, void *context)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    if (alone) {
        control_override(c, proposal, author, answer, context);
        return;
    }
    if (control_mesh_expelled(c)) {
        answer(
            context, ERR_REFUSED,
            "nothing was changed: this node was expelled from its cluster; it answers and decides "
            "on its own, and comes back with an empty DATA/mesh and an invitation");
        return;
    }
    if (is_member(c)) {
        control_replica_propose(c, proposal, answer, context);
        return;
    }
    int64_t wall_ms = clock_wall() / USEC_PER_MSEC;
    int err = command_apply(&c->intent, proposal, strlen(proposal), wall_ms, &next, &sentence);
    if (err || next.version == c->intent.version)
        command_tell(&c->intent, c->intent.version, proposal, strlen(proposal), wall_ms, err,
                     text_string(&sentence));
    if (!err && next.version == c->intent.version) {
        intent_done(&next);
    } else if (!err) {
        err = intent_take(c, &next);
        log_event(err ? LOG_ERROR : LOG_WARN, err ? "order.save" : "order.taken",
                  {"author", LOG_S(author)},
                  {"reply", LOG_S(err ? err_text(err) : text_string(&sentence))});
        if (err) {
            text_reset(&sentence);
            text_append(&sentence, "the order could not be saved and was not taken");
        }
    }
    answer(context, err, text_string(&sentence));
    text_done(&sentence);
}

void control_intent_propose(struct control *c, const char *proposal, const char *author,
                            control_intent_answer *answer, void *context)
{
    propose(c, proposal, author, false, answer, context);
}

/* A proposal that waits until what it would share was tried. */
struct tried {
    struct control *c;
    char *proposal, *author;
    bool alone;
    control_intent_answer *answer;
    void *context;
};

static void tried_answer(void *context, int err, const char *problems)
{
    struct tried *t = context;
    struct text refusal = text_init(COMMAND_REPLY_MAX / 2);
    if (err) {
        text_appendf(&refusal, "refused, nothing was changed:\n%s", problems);
        t->answer(t->context, err, text_string(&refusal));
    } else {
        propose(t->c, t->proposal, t->author, t->alone, t->answer, t->context);
    }
    text_done(&refusal);
    free(t->proposal);
    free(t->author);
    free(t);
}

static void propose_shared(struct control *c, struct command_result *result, const char *author,
                           control_intent_answer *answer, void *context)
{
    struct tried *t = mem_new(1, sizeof *t);
    *t = (struct tried){.c = c,
                        .proposal = result->proposal,
                        .author = mem_string(author),
                        .alone = result->alone,
                        .answer = answer,
                        .context = context};
    result->proposal = NULL;
    control_shared_try(c, &result->shares, tried_answer, t);
}

/* Of a request that has none: a cluster may carry it to two leaders. */
static const char *token_make(char token[static TOKEN_SIZE])
{
    snprintf(token, TOKEN_SIZE, "%016" PRIx64 "%016" PRIx64, entropy_u64(), entropy_u64());
    return token;
}

void control_intent_submit(struct control *c, const char *line, size_t length, const char *author,
                           control_intent_answer *answer, void *context)
{
    struct command_result result;
    char token[TOKEN_SIZE];
    struct command_input input = {.line = line,
                                  .length = length,
                                  .author = author,
                                  .token = token_make(token),
                                  .intent = &c->intent,
                                  .wall_ms = clock_wall() / USEC_PER_MSEC};
    command_run(&input, &result);
    if (result.effect == COMMAND_INTENT && result.shares.version)
        propose_shared(c, &result, author, answer, context);
    else if (result.effect == COMMAND_INTENT)
        propose(c, result.proposal, author, result.alone, answer, context);
    else if (result.effect == COMMAND_NOTHING && result.err)
        answer(context, result.err, result.message);
    else
        answer(context, ERR_INVALID, "this changes nothing of what operators want");
    command_result_done(&result);
}

void control_intent_agree(struct control *c, control_intent_answer *answer, void *context)
{
    if (is_member(c))
        control_replica_propose(c, "{\"op\":\"look\"}", answer, context);
    else
        answer(context, 0, "this node decides alone");
}
