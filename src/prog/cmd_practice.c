/* `holdfast practice`: shifts on a schedule. */
#include "base/attr.h"
#include "base/text.h"
#include "model/practice.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/moment.h"
#include "seam/clock.h"
#include "wire/http1.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast practice list\n"
    "       holdfast practice add SCOPE [--at WHEN] [--every DURATION] [--for DURATION]\n"
    "                             [--allowed WINDOW[,...]] [--blocked WINDOW[,...]]\n"
    "                             [--blocking SERVICE[,...]] [--outcome SERVICE[,...]]\n"
    "       holdfast practice remove SCOPE\n"
    "                         [--reason TEXT] [--config FILE | --data DIR]\n\n"
    "Shifts away from SCOPE (holdfast shift) on a schedule, while all is well, to prove that\n"
    "the rest is enough: every 7d (--every) for 30m (--for), the first time at WHEN: \"Tue\n"
    "14:00\", or now. All times are UTC. A run begins only while every endpoint outside SCOPE\n"
    "is up, within the --allowed windows and outside the --blocked ones (\"Mon-Fri\n"
    "09:00-17:00\", \"2026-12-20/2027-01-05\"). While a --blocking service is unwell none\n"
    "begins, and one under way is interrupted; where an --outcome service is, it has failed.\n"
    "An operator\'s shift comes first. `list` shows the newest runs and how they ended.\n";

struct practice_words {
    const char *at, *every, *length, *allowed, *blocked, *blocking, *outcome;
};

static bool duration_put(json_t *value, const char *key, const char *text)
{
    usec_t length;
    if (!text)
        return true;
    if (duration_parse(text, &length) || length <= 0)
        return false;
    json_object_set_new(value, key, json_integer(length / USEC_PER_MSEC));
    return true;
}

static void list_put(json_t *value, const char *key, const char *text)
{
    if (text)
        json_object_set_new(value, key, names_split(text));
}

static int practice_add(const struct change_options *o, const char *scope,
                        const struct practice_words *w)
{
    int64_t now = clock_wall() / USEC_PER_MSEC, first = w->at ? moment_parse(w->at, now) : now;
    json_t *value = json_pack("{s:I}", "first_ms", (json_int_t)first), *edits = json_array();
    bool good =
        duration_put(value, "every_ms", w->every) && duration_put(value, "for_ms", w->length);
    list_put(value, "allowed", w->allowed);
    list_put(value, "blocked", w->blocked);
    list_put(value, "blocking", w->blocking);
    list_put(value, "outcome", w->outcome);
    change_add(edits, "practice", scope, value);
    if (good && first)
        return change_send(o, change_request(edits));
    json_decref(edits);
    return first ? options_wrong(usage, "--every and --for want durations such as 7d and 30m")
                 : options_wrong(
                       usage,
                       "--at wants a moment such as \"Tue 14:00\", \"2026-12-01 14:00\" or now");
}

static void runs_print(const json_t *value)
{
    char date[HTTP1_DATE_MAX];
    json_t *run;
    size_t i;
    json_array_foreach(json_object_get(value, "runs"), i, run)
    {
        const char *why = json_string_value(json_object_get(run, "why"));
        int64_t started = json_integer_value(json_object_get(run, "started_ms"));
        printf("     %s  %s%s%s\n", http1_date_format(started / 1000, date),
               json_string_value(json_object_get(run, "outcome")), why ? ": " : "", why ? why : "");
    }
}

static int practice_list(const struct change_options *o)
{
    json_t *list = change_objects(o, "practice"), *object;
    char date[HTTP1_DATE_MAX];
    size_t i;
    if (!list)
        return 1;
    json_array_foreach(list, i, object)
    {
        const char *why;
        const json_t *value = json_object_get(object, "value");
        struct practice *p = practice_decode(value, &why);
        if (!p)
            continue;
        printf("%s  every %lld s for %lld s, first %s\n     ",
               json_string_value(json_object_get(object, "name")), (long long)p->every_ms / 1000,
               (long long)p->for_ms / 1000, http1_date_format(p->first_ms / 1000, date));
        change_words_print(object);
        runs_print(value);
        practice_free(p);
    }
    if (!json_array_size(list))
        puts("nothing is practised; holdfast practice add SCOPE makes a schedule");
    json_decref(list);
    return 0;
}

int cmd_practice(int argc, char **argv)
{
    struct change_options o = {0};
    struct practice_words w = {0};
    const struct option_spec specs[] = {CHANGE_OPTIONS(&o),
                                        {.name = "at", .value = &w.at},
                                        {.name = "every", .value = &w.every},
                                        {.name = "for", .value = &w.length},
                                        {.name = "allowed", .value = &w.allowed},
                                        {.name = "blocked", .value = &w.blocked},
                                        {.name = "blocking", .value = &w.blocking},
                                        {.name = "outcome", .value = &w.outcome}};
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    if (words.count == 1 && !strcmp(verb, "list"))
        return practice_list(&o);
    if (words.count == 2 && !strcmp(verb, "add"))
        return practice_add(&o, words.list[1], &w);
    if (words.count == 2 && !strcmp(verb, "remove"))
        return change_remove(&o, "practice", words.list[1]);
    return options_wrong(usage, "say what is to be done, and with which scope");
}
