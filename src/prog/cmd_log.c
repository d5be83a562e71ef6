/* `holdfast log` and `holdfast undo`: what operators changed, and taking it back. */
#include "base/attr.h"
#include "base/text.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/order.h"
#include <limits.h>
#include <stdio.h>

enum { LOG_COUNT = 20, LOG_COUNT_MAX = 1000 };

static const char log_usage[] =
    "usage: holdfast log [COUNT] [--json] [--config FILE | --data DIR]\n\n"
    "What operators changed at run time, the newest last: number, who, when, why, and what\n"
    "each object was (-) and is (+). The newest 1000 changes are remembered; 20 are shown.\n";

static const char undo_usage[] =
    "usage: holdfast undo CHANGE [--reason TEXT] [--override PANEL/RULE[,...]] [--force]\n"
    "                     [--config FILE | --data DIR]\n\n"
    "Takes a change (holdfast log) back: a new change that makes every object of it what it\n"
    "was before. Refused where one of them was changed again since. Safety rules are asked\n"
    "as for any other change.\n";

static void value_print(char sign, const json_t *edit, const char *key)
{
    json_t *value = json_object_get(edit, key);
    if (json_is_null(value))
        return;
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    printf("     %c %s %s %s\n", sign, json_string_value(json_object_get(edit, "kind")),
           json_string_value(json_object_get(edit, "name")), text ? text : "");
    free(text);
}

static void change_print(const json_t *change)
{
    json_t *edit, *rule;
    size_t i;
    printf("%-4lld ", (long long)json_integer_value(json_object_get(change, "version")));
    change_words_print(change);
    json_array_foreach(json_object_get(change, "edits"), i, edit)
    {
        value_print('-', edit, "before");
        value_print('+', edit, "after");
    }
    json_array_foreach(json_object_get(change, "overridden"), i, rule)
        printf("     overridden: %s\n", json_string_value(rule));
}

static int log_print(const char *data, size_t count, bool as_json)
{
    json_t *intent = order_intent(data), *history = json_object_get(intent, "history");
    if (!intent)
        return 1;
    size_t size = json_array_size(history);
    if (as_json)
        json_dumpf(history, stdout, JSON_INDENT(2));
    for (size_t i = size > count ? size - count : 0; i < size && !as_json; i++)
        change_print(json_array_get(history, i));
    if (!size && !as_json)
        puts("nothing was changed at run time");
    json_decref(intent);
    return 0;
}

int cmd_log(int argc, char **argv)
{
    const char *config = NULL, *folder = NULL;
    bool as_json = false;
    const struct option_spec specs[] = {{.name = "json", .letter = 'j', .flag = &as_json},
                                        {.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int64_t count = LOG_COUNT;
    int status = options_parse(argc, argv, log_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count > 1 || (words.count && integer_parse(words.list[0], 1, LOG_COUNT_MAX, &count)))
        return options_wrong(log_usage, "log takes a number from 1 to %d", LOG_COUNT_MAX);
    status = options_data(folder, config, data);
    return status ? status : log_print(data, (size_t)count, as_json);
}

int cmd_undo(int argc, char **argv)
{
    struct change_options o = {0};
    const struct option_spec specs[] = {CHANGE_OPTIONS(&o)};
    struct words words;
    int64_t change;
    int status = options_parse(argc, argv, undo_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count != 1 || integer_parse(words.list[0], 1, INT64_MAX, &change))
        return options_wrong(undo_usage, "say which change: `holdfast log` numbers them");
    return change_send(&o, json_pack("{s:s,s:I}", "op", "undo", "change", (json_int_t)change));
}
