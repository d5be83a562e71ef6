/* `holdfast control`: routing controls. */
#include "base/attr.h"
#include "prog/change.h"
#include "prog/commands.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast control list\n"
    "       holdfast control on|off PANEL/NAME...\n"
    "       holdfast control set PANEL/NAME=On|Off...\n"
    "       holdfast control add PANEL/NAME [--gates SCOPE[,SCOPE]]\n"
    "       holdfast control gates PANEL/NAME --gates SCOPE[,SCOPE]\n"
    "       holdfast control remove PANEL/NAME\n"
    "                        [--reason TEXT] [--override PANEL/RULE[,...]] [--force]\n"
    "                        [--config FILE | --data DIR]\n\n"
    "A routing control is a switch. While it is off, what it gates gets no new answers:\n"
    "SCOPE is region:NAME, provider:NAME or endpoint:SERVICE/ENDPOINT. Endpoints that are\n"
    "gated answer again only where nothing else may.\n\n"
    "Several names are switched in one transaction: all of it, or nothing of it. Safety\n"
    "rules (holdfast rule) are asked at that moment; --override sets some aside, by name,\n"
    "and is recorded. A control begins On, so that making one moves nobody. --force allows\n"
    "what would leave a service without any open endpoint.\n";

/* One word of `on`, `off` or `set`: false where it makes no sense; why was printed. */
static bool switch_add(json_t *states, const char *verb, const char *word)
{
    char name[256];
    const char *equals = strcmp(verb, "set") ? NULL : strchr(word, '=');
    const char *state = equals ? equals + 1 : !strcmp(verb, "on") ? "On" : "Off";
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    bool good = (strcmp(verb, "set") || equals) && length < sizeof name &&
                (!strcmp(state, "On") || !strcmp(state, "Off"));
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    if (good && !json_object_set_new(states, name, json_string(state)))
        return true;
    fprintf(stderr, "holdfast: \"%s\" is not PANEL/NAME=On or PANEL/NAME=Off\n", word);
    return false;
}

/* States alone: what a control gates is not this command's to say, or to lose. */
static int control_switch(const struct change_options *o, const struct words *words)
{
    json_t *states = json_object();
    bool good = true;
    for (unsigned i = 1; i < words->count && good; i++)
        good = switch_add(states, words->list[0], words->list[i]);
    if (good)
        return change_send(o, json_pack("{s:s,s:o}", "op", "switch", "states", states));
    json_decref(states);
    return 1;
}

/* The panel comes into being with its first control. What is made begins On: nobody is moved by
 * it. */
static int control_add(const struct change_options *o, const char *name, const char *gates)
{
    char panel[256];
    json_t *panels = change_objects(o, "panel"), *edits = json_array();
    const char *slash = strchr(name, '/');
    snprintf(panel, sizeof panel, "%.*s", slash ? (int)(slash - name) : 0, name);
    if (!panels) {
        json_decref(edits);
        return 1;
    }
    if (slash && !change_find(panels, panel))
        change_add(edits, "panel", panel, json_object());
    change_add(edits, "control", name,
               json_pack("{s:s,s:o}", "state", "On", "gates", names_split(gates)));
    json_decref(panels);
    return change_send(o, change_request(edits));
}

static int control_gates(const struct change_options *o, const char *name, const char *gates)
{
    json_t *controls = change_objects(o, "control"), *edits = json_array();
    const json_t *object = controls ? change_find(controls, name) : NULL;
    if (object) {
        json_t *value = json_deep_copy(json_object_get(object, "value"));
        json_object_set_new(value, "gates", names_split(gates));
        change_add(edits, "control", name, value);
    } else if (controls) {
        fprintf(stderr, "holdfast: there is no control %s\n", name);
    }
    json_decref(controls);
    if (object)
        return change_send(o, change_request(edits));
    json_decref(edits);
    return 1;
}

static int control_list(const struct change_options *o)
{
    json_t *controls = change_objects(o, "control"), *object, *gate;
    size_t i, k;
    if (!controls)
        return 1;
    json_array_foreach(controls, i, object)
    {
        const json_t *value = json_object_get(object, "value");
        printf("%-3s  %s", json_string_value(json_object_get(value, "state")),
               json_string_value(json_object_get(object, "name")));
        json_array_foreach(json_object_get(value, "gates"), k, gate)
            printf("%s%s", k ? ", " : "  gates ", json_string_value(gate));
        fputs("\n     ", stdout);
        change_words_print(object);
    }
    if (!json_array_size(controls))
        puts("there are no controls; holdfast control add PANEL/NAME makes one");
    json_decref(controls);
    return 0;
}

int cmd_control(int argc, char **argv)
{
    struct change_options o = {0};
    const char *gates = NULL;
    const struct option_spec specs[] = {CHANGE_OPTIONS(&o), {.name = "gates", .value = &gates}};
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    if (words.count == 1 && !strcmp(verb, "list"))
        return control_list(&o);
    if (words.count > 1 && (!strcmp(verb, "on") || !strcmp(verb, "off") || !strcmp(verb, "set")))
        return control_switch(&o, &words);
    if (words.count == 2 && !strcmp(verb, "add"))
        return control_add(&o, words.list[1], gates);
    if (words.count == 2 && !strcmp(verb, "gates"))
        return control_gates(&o, words.list[1], gates);
    if (words.count == 2 && !strcmp(verb, "remove"))
        return change_remove(&o, "control", words.list[1]);
    return options_wrong(usage, "say what is to be done, and with which control");
}
