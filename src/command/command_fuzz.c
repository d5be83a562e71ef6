/* Any bytes as a request: either a reply that is one JSON object on one line, or the wish for a
 * reload, or a proposal that can be carried out. */
#include "base/err.h"
#include "base/invariant.h"
#include "command/command.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file[] =
    "node: {name: n, site: s, network: AS64500}\n"
    "zones: [{name: example.com, file: f}]\n"
    "services:\n"
    "  - {name: a.example.com, endpoints: [{name: x, address: 192.0.2.1}, {name: y, address: "
    "192.0.2.2}]}\n"
    "  - {name: b.example.com, endpoints: [{name: x, address: 192.0.2.1}]}\n";

/* Whatever command_run() proposes has an outcome and a sentence. */
static void apply(const struct intent *intent, const char *proposal)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    int err = command_apply(intent, proposal, strlen(proposal), 1, &next, &sentence);
    invariant(*text_string(&sentence) && err != ERR_SYNTAX);
    if (!err) {
        invariant(next.config == intent->config && next.version <= 1);
        intent_done(&next);
    }
    text_done(&sentence);
}

/* What another node proposes comes from its control, and is any bytes all the same. */
static void take(const uint8_t *data, size_t size)
{
    static struct intent zone;
    static const char made[] = "{\"op\": \"change\", \"author\": \"x\", \"edits\": [{\"kind\": "
                               "\"zone\", \"name\": \"example.com\", \"value\": {}}]}";
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    if (!zone.version) {
        int err = command_apply(&zone, made, sizeof made - 1, 1, &next, &sentence);
        invariant(!err);
        zone = next;
        text_reset(&sentence);
    }
    int err = command_apply(&zone, (const char *)data, size, 2, &next, &sentence);
    invariant(*text_string(&sentence));
    if (!err) {
        invariant(next.version <= 2);
        intent_done(&next);
    }
    text_done(&sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config *config;
    struct text problems = text_init(10000);
    struct command_result result;
    if (!config)
        invariant(config_parse("x", file, sizeof file - 1, NULL, &problems, &config) == 0);
    struct intent intent = {.config = config};
    take(data, size);
    command_run(&(struct command_input){.line = (const char *)data,
                                        .length = size,
                                        .author = "uid 1",
                                        .intent = &intent,
                                        .wall_ms = 1},
                &result);
    if (result.effect == COMMAND_INTENT) {
        apply(&intent, result.proposal);
    } else if (result.effect == COMMAND_DNSSEC || result.effect == COMMAND_IMPORT) {
        invariant(!strcmp(result.zone, "example.com") && !result.reply);
    } else if (result.effect != COMMAND_RELOAD && result.effect != COMMAND_ZONES &&
               result.effect != COMMAND_NODE && result.effect != COMMAND_AGREE) {
        json_t *reply = json_loads(result.reply, 0, NULL);
        invariant(json_is_object(reply) && json_is_boolean(json_object_get(reply, "ok")));
        invariant(json_is_string(json_object_get(reply, "message")) && !strchr(result.reply, '\n'));
        json_decref(reply);
    }
    command_result_done(&result);
    text_done(&problems);
    return 0;
}
