/* `holdfast nodes`: the nodes of the cluster, as the running node sees them. */
#include "base/attr.h"
#include "base/text.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "prog/order.h"
#include "seam/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast nodes [list] [--json] [--config FILE | --data DIR]\n"
    "       holdfast nodes expel|promote|demote NAME [--force] [--config FILE | --data DIR]\n"
    "       holdfast nodes renew|authority [--config FILE | --data DIR]\n\n"
    "  list     who is linked with whom, and how far away, behind and off its clock is each node\n"
    "  expel    cut a node off for good, at once; to come back it needs a new invitation\n"
    "  promote  a learner becomes a voter: one of those whose majority decides on changes\n"
    "  demote   a voter becomes a learner, which follows and serves all the same\n"
    "  renew    another key and certificate for this node; by itself it happens in good time\n"
    "  authority  another authority for the cluster: every node takes a certificate by it, then\n"
    "           the old one goes; without a restart, and without a link going down\n\n"
    "Expelling a voter is refused where the voters that are left have no majority in sight;\n"
    "--force does it all the same.\n";

static long long number(const json_t *node, const char *key)
{
    return json_integer_value(json_object_get(node, key));
}

static bool has(const json_t *node, const char *key)
{
    return json_object_get(node, key) != NULL;
}

static const char *word(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text && *text ? text : "-";
}

static const char *link_word(const json_t *node, char buffer[static 48])
{
    char age[DURATION_TEXT_MAX];
    if (json_is_true(json_object_get(node, "self")))
        return "this node";
    if (!has(node, "since_s"))
        return "cut";
    duration_format(number(node, "since_s") * USEC_PER_SEC, age);
    snprintf(buffer, 48, "%s %s", json_is_true(json_object_get(node, "linked")) ? "up" : "DOWN",
             age);
    return buffer;
}

static const char *milliseconds(const json_t *node, const char *key, bool sign,
                                char buffer[static 32])
{
    if (!has(node, key))
        return "-";
    snprintf(buffer, 32, sign ? "%+.1fms" : "%.1fms", (double)number(node, key) / 1000);
    return buffer;
}

static const char *days_left(const json_t *node, char buffer[static 32])
{
    if (!has(node, "certificate_end"))
        return "-";
    snprintf(buffer, 32, "%lldd",
             (number(node, "certificate_end") - clock_wall() / USEC_PER_SEC) / 86400);
    return buffer;
}

/* Whom it sees; or why it is not seen. */
static void sees_print(const json_t *node)
{
    const json_t *list = json_object_get(node, "sees");
    if (!list) {
        puts(word(node, "reason"));
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        printf("%s%s", i ? " " : "", json_string_value(json_array_get(list, i)));
    puts(json_array_size(list) ? "" : "nobody");
}

static void node_print(const json_t *node)
{
    char link[48], way[32], clock[32], days[32], lag[24] = "-";
    if (has(node, "lag"))
        snprintf(lag, sizeof lag, "%lld", number(node, "lag"));
    printf("%-16s %-8s %-21s %-11s %8s %9s %4s %-8s %5s  ", word(node, "name"), word(node, "role"),
           word(node, "address"), link_word(node, link),
           milliseconds(node, "round_trip_us", false, way),
           milliseconds(node, "clock_offset_us", true, clock), lag, word(node, "version"),
           days_left(node, days));
    sees_print(node);
}

static void nodes_print(const json_t *reply)
{
    const json_t *nodes = json_object_get(reply, "nodes");
    const char *leader = json_string_value(json_object_get(reply, "leader"));
    const char *halted = json_string_value(json_object_get(reply, "halted"));
    const char *alone = "";
    if (json_is_true(json_object_get(reply, "expelled")))
        alone = "; EXPELLED: it decides and answers on its own, and belongs to the cluster no more";
    else if (json_is_true(json_object_get(reply, "cut_off")))
        alone = "; CUT OFF: it decides and answers on its own, and nothing can be changed";
    printf("cluster %.8s, change %lld: %lld of %lld voters seen from here%s\n",
           word(reply, "cluster"), number(reply, "change"), number(reply, "voters_seen"),
           number(reply, "voters"), alone);
    if (number(reply, "overrides"))
        printf("OVERRIDE: this node goes by %lld change(s) of its own that its cluster has not "
               "decided\n",
               number(reply, "overrides"));
    if (halted)
        printf(
            "THIS NODE VOTES NO MORE: %s; free its disk, and it goes on by itself; where a file is "
            "damaged, say `holdfast nodes demote` with its name on another node: it begins anew "
            "from "
            "what the others have, and can be promoted again\n\n",
            halted);
    else
        printf("%s%s\n\n", leader ? "led by " : "nobody leads", leader ? leader : "");
    printf("%-16s %-8s %-21s %-11s %8s %9s %4s %-8s %5s  %s\n", "NAME", "ROLE", "ADDRESS", "LINK",
           "WAY", "CLOCK", "LAG", "VERSION", "CERT", "SEES");
    for (size_t i = 0; i < json_array_size(nodes); i++)
        node_print(json_array_get(nodes, i));
}

static int list(const char *data, bool json)
{
    json_t *reply =
        order_fetch(data, json_pack("{s:s,s:s}", "op", "node", "do", "list"), ORDER_WAIT_S);
    if (!reply)
        return 1;
    if (json) {
        json_object_del(reply, "ok");
        json_object_del(reply, "message");
        char *text = json_dumps(reply, JSON_INDENT(2));
        puts(text);
        free(text);
    } else {
        nodes_print(reply);
    }
    json_decref(reply);
    return 0;
}

int cmd_nodes(int argc, char **argv)
{
    static const char *const orders[] = {"expel", "promote", "demote"};
    static const char *const own[] = {"renew", "authority"};
    const char *config = NULL, *folder = NULL;
    bool json = false, force = false, known = false;
    const struct option_spec specs[] = {{.name = "json", .flag = &json},
                                        {.name = "force", .flag = &force},
                                        {.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    bool listed = !words.count || (words.count == 1 && !strcmp(words.list[0], "list"));
    for (size_t i = 0; words.count == 2 && i < array_length(orders); i++)
        known |= !strcmp(words.list[0], orders[i]);
    for (size_t i = 0; words.count == 1 && i < array_length(own); i++)
        known |= !strcmp(words.list[0], own[i]);
    if (!listed && !known)
        return options_wrong(usage, "say what is to be done, and with which node");
    status = options_data(folder, config, data);
    if (status)
        return status;
    if (listed)
        return list(data, json);
    return order_send(data,
                      json_pack("{s:s,s:s,s:s,s:b}", "op", "node", "do", words.list[0], "name",
                                words.count > 1 ? words.list[1] : "", "force", force),
                      ORDER_WAIT_S);
}
