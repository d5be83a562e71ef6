/* The operators' socket on the control side. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control_intent.h"
#include "prog/control_mesh.h"
#include "prog/control_relay.h"
#include "prog/control_secondary.h"
#include "seam/clock.h"
#include <stdlib.h>
#include <string.h>

void control_reply(struct command_reply_to *to, int err, const char *message)
{
    char *reply = command_reply_make(err, message);
    command_reply(to, reply);
    free(reply);
}

static void order_answer(void *context, int err, const char *message)
{
    control_reply(context, err, message);
}

static void zones_tell(const struct control *c, const char *zone, struct command_reply_to *to)
{
    struct text out = text_init(COMMAND_REPLY_MAX / 2);
    bool some = control_secondary_tell(c, zone, &out);
    control_reply(to, out.failed ? ERR_LIMIT : 0,
                  some ? text_string(&out) : "no zone here comes from other name servers");
    text_done(&out);
}

/* A request that waits until this node has what was decided before it. */
struct agreeing {
    struct control *c;
    struct command_reply_to *to;
    size_t length;
    char *line, *author;
};

static void on_agreed(void *context, int err, const char *message)
{
    struct agreeing *a = context;
    struct command_result result;
    struct command_input input = {.line = a->line,
                                  .length = a->length,
                                  .author = a->author,
                                  .intent = &a->c->intent,
                                  .wall_ms = clock_wall() / USEC_PER_MSEC,
                                  .agreed = true};
    if (err) {
        control_reply(a->to, err, message);
    } else {
        command_run(&input, &result);
        invariant(result.effect == COMMAND_NOTHING);
        command_reply(a->to, result.reply);
        command_result_done(&result);
    }
    free(a->line);
    free(a->author);
    free(a);
}

static void agree(struct control *c, const struct command_input *input, struct command_reply_to *to)
{
    struct agreeing *a = mem_new(1, sizeof *a);
    *a = (struct agreeing){.c = c,
                           .to = to,
                           .length = input->length,
                           .line = mem_new(input->length + 1, 1),
                           .author = mem_string(input->author)};
    memcpy(a->line, input->line, input->length);
    control_intent_agree(c, on_agreed, a);
}

static void request(void *context, const char *line, size_t length, const char *author,
                    struct command_reply_to *to)
{
    struct control *c = context;
    struct command_result result;
    struct command_input input = {.line = line,
                                  .length = length,
                                  .author = author,
                                  .intent = &c->intent,
                                  .wall_ms = clock_wall() / USEC_PER_MSEC};
    if (command_is_change(line, length)) {
        control_intent_submit(c, line, length, author, order_answer, to);
        return;
    }
    command_run(&input, &result);
    if (result.effect == COMMAND_NOTHING) {
        command_reply(to, result.reply);
    } else if (result.effect == COMMAND_AGREE) {
        agree(c, &input, to);
    } else if (result.effect == COMMAND_DNSSEC) {
        control_dnssec(c, &result, author, to);
    } else if (result.effect == COMMAND_IMPORT) {
        control_import(c, &result, author, to);
    } else if (result.effect == COMMAND_NODE) {
        control_nodes(c, &result.node, author, to);
    } else if (result.effect == COMMAND_ZONES) {
        zones_tell(c, result.zone, to);
    } else if (c->reload.running) {
        control_reply(to, ERR_CONFLICT, "a reload is under way; ask again when it has ended");
    } else {
        log_event(LOG_INFO, "reload.asked", {"author", LOG_S(author)});
        struct reload_order order = {.accept_shrink = result.accept_shrink,
                                     .accept_shrink_count = result.accept_shrink_count,
                                     .zones = result.zones,
                                     .zone_count = result.zone_count,
                                     .fresh = result.fresh};
        result.accept_shrink = result.zones = NULL;
        result.accept_shrink_count = result.zone_count = 0;
        control_secondary_accept(c, (const char *const *)order.accept_shrink,
                                 order.accept_shrink_count);
        control_secondary_ask(c, (const char *const *)order.zones, order.zone_count);
        control_reload(c, order, to);
    }
    command_result_done(&result);
}

int control_listen(struct control *c)
{
    return command_server_new(&c->loop, c->options->data, request, c, &c->server);
}
