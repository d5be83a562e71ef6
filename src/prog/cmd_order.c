/* `holdfast endpoint` and `holdfast reload`: said to the running node over its socket. */
#include "base/err.h"
#include "base/text.h"
#include "command/command_io.h"
#include "model/intent.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "prog/order.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RELOAD_WAIT_S = 120 };

static const char endpoint_usage[] =
    "usage: holdfast endpoint drain|disable|up|auto NAME [--reason TEXT] [--force]\n"
    "                         [--config FILE | --data DIR]\n\n"
    "NAME is an endpoint (use1) or, where several services have it, service/endpoint.\n\n"
    "  drain    no new answers; still checked; answers again only when nothing else may\n"
    "  disable  never answered, not checked\n"
    "  up       counts as healthy whatever the checks say\n"
    "  auto     the checks decide (takes an order back)\n\n"
    "Orders outlive restarts and are shown wherever the endpoint is. --force allows what would "
    "leave a\n"
    "service without any endpoint.\n";

static const char reload_usage[] =
    "usage: holdfast reload [--zone ZONE[,ZONE]] [--fresh] [--accept-shrink ZONE[,ZONE]]\n"
    "                       [--config FILE | --data DIR]\n\n"
    "Has the running node read its configuration again, and the zone files that changed. A bad "
    "file\n"
    "changes nothing.\n\n"
    "  --zone    of the zone files, read only those of these zones, changed or not\n"
    "  --fresh   compile every zone anew, changed or not\n\n"
    "A zone that would lose a third of its names is refused until it is named with\n"
    "--accept-shrink; so is a configuration without a third of the zones served, until\n"
    "--accept-shrink zones is said. Addresses to listen on and node.data need a restart.\n";

static bool alone;

void order_alone(void)
{
    alone = true;
}

/* The node's reply, or NULL where none came; why was printed. */
static json_t *order_ask(const char *data, json_t *request, const uint8_t *body, size_t size,
                         unsigned wait_s)
{
    if (alone)
        json_object_set_new(request, "alone", json_true());
    char *line = json_dumps(request, JSON_COMPACT), *reply = NULL;
    json_decref(request);
    int err = line ? command_call(data, line, body, size, wait_s * USEC_PER_SEC, &reply) : -ENOMEM;
    free(line);
    if (err) {
        fprintf(stderr,
                "holdfast: no node answers on %s: %s; is `holdfast run` up, and is this its "
                "folder (--config or --data)?\n",
                data, err_text(err));
        return NULL;
    }
    json_t *json = json_loads(reply, 0, NULL);
    free(reply);
    return json ? json : json_object();
}

/* The exit status. */
static int reply_print(const json_t *reply, bool quiet)
{
    const char *message = json_string_value(json_object_get(reply, "message"));
    int status = json_is_true(json_object_get(reply, "ok")) ? 0 : 1;
    if (status || !quiet)
        fprintf(status ? stderr : stdout, "%s%s\n", status ? "holdfast: " : "",
                message ? message : "the node's reply makes no sense");
    return status;
}

int order_send(const char *data, json_t *request, unsigned wait_s)
{
    return order_send_body(data, request, NULL, 0, wait_s);
}

int order_send_body(const char *data, json_t *request, const uint8_t *body, size_t size,
                    unsigned wait_s)
{
    json_t *reply = order_ask(data, request, body, size, wait_s);
    int status = reply ? reply_print(reply, false) : 1;
    json_decref(reply);
    return status;
}

json_t *order_fetch(const char *data, json_t *request, unsigned wait_s)
{
    json_t *reply = order_ask(data, request, NULL, 0, wait_s);
    if (!reply || !reply_print(reply, true))
        return reply;
    json_decref(reply);
    return NULL;
}

json_t *order_intent(const char *data)
{
    json_t *reply = order_fetch(data, json_pack("{s:s}", "op", "intent"), ORDER_WAIT_S);
    json_t *intent = json_incref(json_object_get(reply, "intent"));
    json_decref(reply);
    if ((uint64_t)json_integer_value(json_object_get(intent, "version")) > INTENT_OVERRIDE_VERSION)
        fputs("holdfast: OVERRIDE: this is what this node goes by, not what its cluster decided\n",
              stderr);
    return intent;
}

int cmd_endpoint(int argc, char **argv)
{
    static const struct {
        const char *word, *state;
    } states[] = {
        {"drain", "drained"}, {"disable", "disabled"}, {"up", "forced-up"}, {"auto", "auto"}};
    const char *reason = NULL, *state = NULL, *config = NULL, *folder = NULL;
    bool force = false;
    const struct option_spec specs[] = {{.name = "reason", .value = &reason},
                                        {.name = "force", .flag = &force},
                                        {.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int status = options_parse(argc, argv, endpoint_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    for (size_t i = 0; words.count == 2 && i < array_length(states); i++)
        if (!strcmp(words.list[0], states[i].word))
            state = states[i].state;
    if (!state)
        return options_wrong(endpoint_usage, "say what is to be done and with which endpoint");
    status = options_data(folder, config, data);
    if (status)
        return status;
    json_t *request = json_pack("{s:s,s:s,s:s,s:b}", "op", "order", "endpoint", words.list[1],
                                "state", state, "force", force);
    if (reason)
        json_object_set_new(request, "reason", json_string(reason));
    return order_send(data, request, ORDER_WAIT_S);
}

int cmd_reload(int argc, char **argv)
{
    const char *shrink = "", *only = "", *config = NULL, *folder = NULL;
    bool fresh = false;
    const struct option_spec specs[] = {{.name = "accept-shrink", .value = &shrink},
                                        {.name = "zone", .letter = 'z', .value = &only},
                                        {.name = "fresh", .flag = &fresh},
                                        {.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int status = options_parse(argc, argv, reload_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(reload_usage, "reload takes no words");
    status = options_data(folder, config, data);
    if (status)
        return status;
    json_t *request = json_pack("{s:s,s:o,s:o,s:b}", "op", "reload", "accept_shrink",
                                names_split(shrink), "zones", names_split(only), "fresh", fresh);
    return order_send(data, request, RELOAD_WAIT_S);
}
