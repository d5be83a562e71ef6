/* `holdfast invite`: a token for one more node. */
#include "base/attr.h"
#include "base/text.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "prog/order.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast invite [--role voter|learner] [--for 1h] [--json]\n"
    "                       [--config FILE | --data DIR]\n\n"
    "Prints a token with which one more node joins the cluster, once: holdfast join TOKEN CONFIG\n"
    "there. Hand it over as you would a password.\n\n"
    "  --role  voter (default): one of those whose majority decides on changes; three or five of\n"
    "          the nodes. learner: follows and serves all the same\n"
    "  --for   how long the token holds; default 1h, at most a week (7d)\n";

int cmd_invite(int argc, char **argv)
{
    const char *role = "voter", *length = "1h", *config = NULL, *folder = NULL;
    bool json = false;
    const struct option_spec specs[] = {{.name = "role", .value = &role},
                                        {.name = "for", .value = &length},
                                        {.name = "json", .flag = &json},
                                        {.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    usec_t duration;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(usage, "invite takes no words");
    if (duration_parse(length, &duration))
        return options_wrong(usage, "--for wants a duration such as 1h");
    status = options_data(folder, config, data);
    if (status)
        return status;
    json_t *reply = order_fetch(data,
                                json_pack("{s:s,s:s,s:s,s:I}", "op", "node", "do", "invite", "role",
                                          role, "for_ms", (json_int_t)(duration / USEC_PER_MSEC)),
                                ORDER_WAIT_S);
    if (!reply)
        return 1;
    const char *token = json_string_value(json_object_get(reply, "token"));
    if (json)
        printf("{\"token\": \"%s\"}\n", token ? token : "");
    else
        printf("%s\n", token ? token : "");
    json_decref(reply);
    return token ? 0 : 1;
}
