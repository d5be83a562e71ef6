/* `holdfast incident`: what operators tell people about what is wrong, and about planned work. */
#include "base/attr.h"
#include "base/text.h"
#include "model/incident.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/moment.h"
#include "seam/clock.h"
#include "wire/http1.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast incident list [--all]\n"
    "       holdfast incident show NAME\n"
    "       holdfast incident open NAME [--title TEXT] [--message TEXT] [--impact IMPACT]\n"
    "                              [--affects THING[,...]] [--status STATUS] [--ago DURATION]\n"
    "       holdfast incident schedule NAME --at WHEN --for DURATION [--title TEXT] ...\n"
    "       holdfast incident update NAME [--message TEXT] [--status STATUS] ...\n"
    "       holdfast incident resolve NAME [--message TEXT]\n"
    "       holdfast incident remove NAME\n"
    "                         [--reason TEXT] [--force] [--config FILE | --data DIR]\n\n"
    "Tells what is wrong, on every node of the cluster: status, explain and the metrics show\n"
    "it until it is resolved. NAME is a short name without spaces, the title is for readers.\n"
    "IMPACT is none, minor (the default), major or critical. THING is a service, a region, a\n"
    "provider or SERVICE/ENDPOINT; --force takes one that only other nodes know.\n"
    "An incident is investigating, identified or monitoring, to and fro, then resolved, then\n"
    "perhaps postmortem. Planned work (schedule) is scheduled, in_progress, verifying, then\n"
    "completed. WHEN is \"2026-12-01 14:00\", \"Tue 14:00\" or now, in UTC; --ago says that an\n"
    "incident began some time ago. What is told gets the time at which it is told.\n";

struct incident_words {
    const char *title, *message, *impact, *affects, *status, *ago, *at, *length;
    bool all;
};

static int64_t now_ms(void)
{
    return clock_wall() / USEC_PER_MSEC;
}

static const char *date(int64_t ms, char buffer[static HTTP1_DATE_MAX])
{
    return http1_date_format(ms / 1000, buffer);
}

/* ---- telling ---- */

static void word_put(json_t *request, const char *key, const char *text)
{
    if (text)
        json_object_set_new(request, key, json_string(text));
}

static json_t *request_make(const char *what, const char *name, const struct incident_words *w)
{
    json_t *r = json_pack("{s:s,s:s,s:s}", "op", "incident", "do", what, "incident", name);
    word_put(r, "title", w->title);
    word_put(r, "message", w->message);
    word_put(r, "impact", w->impact);
    word_put(r, "status", w->status);
    if (w->affects)
        json_object_set_new(r, "components", names_split(w->affects));
    return r;
}

static int incident_open(const struct change_options *o, const char *name,
                         const struct incident_words *w)
{
    usec_t ago = 0;
    if (w->ago && (duration_parse(w->ago, &ago) || ago < 0))
        return options_wrong(usage, "--ago wants a duration such as 10m");
    json_t *r = request_make("open", name, w);
    if (ago)
        json_object_set_new(r, "ago_ms", json_integer(ago / USEC_PER_MSEC));
    return change_send(o, r);
}

static int incident_schedule(const struct change_options *o, const char *name,
                             const struct incident_words *w)
{
    usec_t length;
    int64_t at = w->at ? moment_parse(w->at, now_ms()) : 0;
    if (!at)
        return options_wrong(usage, "say when: --at \"2026-12-01 14:00\", \"Tue 14:00\" or now");
    if (!w->length || duration_parse(w->length, &length) || length < USEC_PER_SEC)
        return options_wrong(usage, "say for how long: --for 2h");
    json_t *r = request_make("schedule", name, w);
    json_object_set_new(r, "scheduled_for_ms", json_integer(at));
    json_object_set_new(r, "scheduled_until_ms", json_integer(at + length / USEC_PER_MSEC));
    return change_send(o, r);
}

/* ---- showing ---- */

static struct incident *incident_of(const json_t *object)
{
    const char *why;
    return incident_decode(json_object_get(object, "value"), &why);
}

static void components_print(const struct incident *i)
{
    for (uint32_t k = 0; k < i->components.count; k++)
        printf("%s%s", k ? ", " : "", i->components.list[k]);
}

static void summary_print(const json_t *object, const struct incident *i)
{
    char at[HTTP1_DATE_MAX], until[HTTP1_DATE_MAX];
    printf("%s  %s, impact %s: %s\n     ", json_string_value(json_object_get(object, "name")),
           incident_status_name(i->status), incident_impact_name(i->impact), i->title);
    if (i->scheduled_for_ms)
        printf("planned from %s until %s", date(i->scheduled_for_ms, at),
               date(i->scheduled_until_ms, until));
    else
        printf("since %s", date(i->started_ms, at));
    if (i->components.count) {
        fputs("; affects ", stdout);
        components_print(i);
    }
    putchar('\n');
}

static int incident_list(const struct change_options *o, bool all)
{
    json_t *list = change_objects(o, "incident"), *object;
    unsigned shown = 0;
    size_t k;
    if (!list)
        return 1;
    json_array_foreach(list, k, object)
    {
        struct incident *i = incident_of(object);
        if (i && (all || !incident_status_is_over(i->status))) {
            summary_print(object, i);
            shown++;
        }
        incident_free(i);
    }
    if (!shown)
        puts(all ? "nothing was ever told of" : "there is no incident that is not over");
    json_decref(list);
    return 0;
}

static void line_print(const char *word, int64_t ms)
{
    char at[HTTP1_DATE_MAX];
    if (ms)
        printf("     %s %s\n", word, date(ms, at));
}

static void incident_print(const json_t *object, const struct incident *i)
{
    char at[HTTP1_DATE_MAX];
    summary_print(object, i);
    line_print("opened", i->created_ms);
    line_print("started", i->started_ms);
    line_print("monitored since", i->monitoring_ms);
    line_print("ended", i->resolved_ms);
    fputs("     last changed ", stdout);
    change_words_print(object);
    for (uint32_t k = i->update_count; k-- > 0;)
        printf("\n%s  %s\n%s\n", date(i->updates[k].at_ms, at),
               incident_status_name(i->updates[k].status), i->updates[k].body);
}

static int incident_show(const struct change_options *o, const char *name)
{
    json_t *list = change_objects(o, "incident");
    if (!list)
        return 1;
    const json_t *object = change_find(list, name);
    struct incident *i = object ? incident_of(object) : NULL;
    if (i)
        incident_print(object, i);
    else
        fprintf(stderr, "holdfast: there is no incident %s; holdfast incident list --all\n", name);
    incident_free(i);
    json_decref(list);
    return i ? 0 : 1;
}

int cmd_incident(int argc, char **argv)
{
    struct change_options o = {0};
    struct incident_words w = {0};
    const struct option_spec specs[] = {CHANGE_OPTIONS(&o),
                                        {.name = "title", .value = &w.title},
                                        {.name = "message", .letter = 'm', .value = &w.message},
                                        {.name = "impact", .value = &w.impact},
                                        {.name = "affects", .value = &w.affects},
                                        {.name = "status", .value = &w.status},
                                        {.name = "ago", .value = &w.ago},
                                        {.name = "at", .value = &w.at},
                                        {.name = "for", .value = &w.length},
                                        {.name = "all", .letter = 'a', .flag = &w.all}};
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    if (words.count == 1 && !strcmp(verb, "list"))
        return incident_list(&o, w.all);
    if (words.count != 2)
        return options_wrong(usage, "say what is to be done, and with which incident");
    if (!strcmp(verb, "show"))
        return incident_show(&o, words.list[1]);
    if (!strcmp(verb, "open"))
        return incident_open(&o, words.list[1], &w);
    if (!strcmp(verb, "schedule"))
        return incident_schedule(&o, words.list[1], &w);
    if (!strcmp(verb, "update") || !strcmp(verb, "resolve"))
        return change_send(&o, request_make(verb, words.list[1], &w));
    if (!strcmp(verb, "remove"))
        return change_remove(&o, "incident", words.list[1]);
    return options_wrong(usage, "there is no incident %s", verb);
}
