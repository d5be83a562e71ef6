/* `holdfast dnssec`: what a zone's keys are doing, and what the parent is to be given. */
#include "base/attr.h"
#include "model/dnssec_state.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "prog/order.h"
#include <jansson.h>
#include <string.h>

enum { WAIT_S = 120 };

static const char usage[] =
    "usage: holdfast dnssec status|roll|ds-seen|ds-gone|unsign ZONE [ksk|zsk|csk]\n"
    "                       [--config FILE | --data DIR]\n\n"
    "  status   the zone's keys, what the parent is to be given, and what comes next\n"
    "  roll     replace a key: the CSK, or the one that is named\n"
    "  ds-seen  the parent answers with the DS record that status asked for\n"
    "  ds-gone  the parent no longer answers with the DS record of the key before\n"
    "  unsign   the parent has no DS record any more, and the zone is to go unsigned\n\n"
    "Rollovers wait for caches by themselves; only what the parent does has to be said. A zone is\n"
    "signed by `dnssec: on` in its configuration.\n";

int cmd_dnssec(int argc, char **argv)
{
    static const char *const orders[] = {"status", "roll", "ds-seen", "ds-gone", "unsign"};
    const char *config = NULL, *folder = NULL;
    const struct option_spec specs[] = {{.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    bool known = false;
    enum key_use use;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    for (size_t i = 0; words.count >= 2 && i < array_length(orders); i++)
        known |= !strcmp(words.list[0], orders[i]);
    if (!known || words.count > 3)
        return options_wrong(usage, "say what is to be done and with which zone");
    if (words.count == 3 && !key_use_parse(words.list[2], &use))
        return options_wrong(usage, "the key is one of csk, ksk and zsk");
    status = options_data(folder, config, data);
    if (status)
        return status;
    json_t *request =
        json_pack("{s:s,s:s,s:s}", "op", "dnssec", "zone", words.list[1], "do", words.list[0]);
    if (words.count == 3)
        json_object_set_new(request, "key", json_string(words.list[2]));
    return order_send(data, request, WAIT_S);
}
