/* `holdfast rule`: safety rules of routing controls. */
#include "base/attr.h"
#include "base/err.h"
#include "base/text.h"
#include "prog/change.h"
#include "prog/commands.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast rule list\n"
    "       holdfast rule add PANEL/NAME --assert CONTROL,... WHAT [--wait DURATION]\n"
    "       holdfast rule add PANEL/NAME --gate CONTROL,... --targets CONTROL,... WHAT\n"
    "                     [--wait DURATION]\n"
    "       holdfast rule remove PANEL/NAME\n"
    "                     [--reason TEXT] [--config FILE | --data DIR]\n\n"
    "WHAT is --atleast N, --all or --any of the controls that are On; --not turns it round.\n\n"
    "An assertion rule has to hold after a change of its controls, or the change is\n"
    "refused. A gating rule has to hold before its targets may change. For --wait (5s)\n"
    "after a change further changes of the same controls are refused. CONTROL is the\n"
    "name within the rule's panel.\n";

struct rule_options {
    const char *asserted, *gating, *targets, *atleast, *wait;
    bool all, any, invert;
};

static json_t *rule_value(const struct rule_options *r)
{
    int64_t atleast = 0;
    usec_t wait = 5 * USEC_PER_SEC;
    if (!r->asserted == !r->gating || !r->gating != !r->targets ||
        (r->atleast != NULL) + r->all + r->any != 1 ||
        (r->atleast && integer_parse(r->atleast, 0, 1000, &atleast)) ||
        (r->wait && strcmp(r->wait, "0") && duration_parse(r->wait, &wait)))
        return NULL;
    if (r->wait && !strcmp(r->wait, "0"))
        wait = 0;
    json_t *value =
        json_pack("{s:s,s:o,s:s,s:I,s:b,s:I}", "type", r->gating ? "gating" : "assertion",
                  "controls", names_split(r->gating ? r->gating : r->asserted), "rule",
                  r->atleast ? "ATLEAST"
                  : r->all   ? "AND"
                             : "OR",
                  "threshold", (json_int_t)atleast, "inverted", r->invert, "wait_ms",
                  (json_int_t)(wait / USEC_PER_MSEC));
    if (r->targets)
        json_object_set_new(value, "targets", names_split(r->targets));
    return value;
}

static void names_print(const json_t *names)
{
    json_t *name;
    size_t i;
    json_array_foreach(names, i, name) printf("%s%s", i ? ", " : "", json_string_value(name));
}

static void rule_print(const json_t *object)
{
    const json_t *value = json_object_get(object, "value");
    const char *rule = json_string_value(json_object_get(value, "rule"));
    bool gating = json_object_get(value, "targets") != NULL;
    printf("%s  ", json_string_value(json_object_get(object, "name")));
    if (gating) {
        names_print(json_object_get(value, "targets"));
        printf(" may change while ");
    }
    printf("%s", json_is_true(json_object_get(value, "inverted")) ? "not " : "");
    if (!strcmp(rule, "ATLEAST"))
        printf("at least %lld", (long long)json_integer_value(json_object_get(value, "threshold")));
    else
        printf("%s", strcmp(rule, "AND") ? "any" : "all");
    printf(" of ");
    names_print(json_object_get(value, "controls"));
    printf(" On; wait %lld ms\n     ",
           (long long)json_integer_value(json_object_get(value, "wait_ms")));
    change_words_print(object);
}

static int rule_list(const struct change_options *o)
{
    json_t *rules = change_objects(o, "rule"), *object;
    size_t i;
    if (!rules)
        return 1;
    json_array_foreach(rules, i, object) rule_print(object);
    if (!json_array_size(rules))
        puts("there are no safety rules; holdfast rule add PANEL/NAME makes one");
    json_decref(rules);
    return 0;
}

int cmd_rule(int argc, char **argv)
{
    struct change_options o = {0};
    struct rule_options r = {0};
    const struct option_spec specs[] = {
        CHANGE_OPTIONS(&o),
        {.name = "assert", .value = &r.asserted},
        {.name = "gate", .value = &r.gating},
        {.name = "targets", .value = &r.targets},
        {.name = "atleast", .value = &r.atleast},
        {.name = "all", .flag = &r.all},
        {.name = "any", .flag = &r.any},
        {.name = "not", .flag = &r.invert},
        {.name = "wait", .value = &r.wait},
    };
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    bool adds = !strcmp(verb, "add");
    if (words.count == 1 && !strcmp(verb, "list"))
        return rule_list(&o);
    if (words.count != 2 || (!adds && strcmp(verb, "remove")))
        return options_wrong(usage, "say what is to be done, and with which rule");
    if (!adds)
        return change_remove(&o, "rule", words.list[1]);
    json_t *value = rule_value(&r);
    if (!value)
        return options_wrong(usage, "a rule wants --assert, or --gate and --targets, and one of "
                                    "--atleast N, --all and --any");
    json_t *edits = json_array();
    change_add(edits, "rule", words.list[1], value);
    return change_send(&o, change_request(edits));
}
