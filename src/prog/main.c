/* holdfast: one program, a command per file. */
#include "base/attr.h"
#include "prog/commands.h"
#include "prog/order.h"
#include <stdio.h>
#include <string.h>

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);
static int cmd_override(int argc, char **argv);

static const struct command commands[] = {
    {"run", cmd_run, "CONFIG", "start a node: supervisor, control, dns and tell", false},
    {"check", cmd_check, "CONFIG", "check a configuration and its zone files; change nothing",
     false},
    {"reload", cmd_reload, "", "have the running node read its configuration again", false},
    {"status", cmd_status, "", "services, endpoints, verdicts, roles", false},
    {"explain", cmd_explain, "NAME", "why a client gets the answer it gets, in sentences", false},
    {"query", cmd_query, "NAME [TYPE] [@SERVER]", "ask a name server", false},
    {"endpoint", cmd_endpoint, "drain|disable|up|auto NAME", "order about one endpoint", false},
    {"control", cmd_control, "on|off|add|... NAME", "routing controls, guarded by safety rules",
     false},
    {"rule", cmd_rule, "list|add|remove NAME", "safety rules of routing controls", false},
    {"shift", cmd_shift, "away|end|list SCOPE", "move away from a region for some time", false},
    {"user", cmd_user, "add|permit|key|... NAME", "who may call the API, and their access keys",
     false},
    {"practice", cmd_practice, "add|list|remove SCOPE",
     "shifts on a schedule, to prove that the rest is enough", false},
    {"incident", cmd_incident, "open|update|... NAME", "tell what is wrong, and of planned work",
     false},
    {"share", cmd_share, "FILE", "zones, checks and services for every node at once", false},
    {"record", cmd_record, "list|set|remove NAME", "records of zones that nodes share", false},
    {"log", cmd_log, "[COUNT]", "what operators changed: who, when, why", false},
    {"diff", cmd_diff, "FROM [TO]", "what is other than it was after a change", false},
    {"undo", cmd_undo, "CHANGE", "take a change back", false},
    {"init", cmd_init, "CONFIG", "begin a cluster, with this node as its first", false},
    {"invite", cmd_invite, "", "print a token with which one more node joins", false},
    {"join", cmd_join, "TOKEN CONFIG", "make this host a node of the cluster", false},
    {"nodes", cmd_nodes, "[list|expel|...] [NAME]", "the nodes of the cluster: who sees whom",
     false},
    {"override", cmd_override, "COMMAND ...", "have a node that is cut off do it alone", false},
    {"zone", cmd_zone, "check FILE ORIGIN", "check or show one zone file", false},
    {"dnssec", cmd_dnssec, "status|roll|... ZONE", "keys of a zone, and what its parent needs",
     false},
    {"upgrade", cmd_upgrade, "", "replace the running program without losing a query", false},
    {"schema", cmd_schema, "", "print the JSON Schema of the configuration", false},
    {"demo", cmd_demo, "", "watch a region die and the answers move, on loopback", false},
    {"version", cmd_version, "", "print the version", false},
    {"help", cmd_help, "[COMMAND]", "print this", false},
    {"role", cmd_role, "NAME", "one role of a node; started by `run`", true},
};

static void usage_print(FILE *out)
{
    fputs("Holdfast lets you lose a cloud region.\n\nusage: holdfast COMMAND [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < array_length(commands); i++) {
        const struct command *c = &commands[i];
        if (!c->hidden)
            fprintf(out, "  %-9s %-27s %s\n", c->name, c->arguments, c->summary);
    }
    fputs("\nEach command explains itself: holdfast COMMAND --help. Manual: man holdfast.\n", out);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < array_length(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("holdfast " HOLDFAST_VERSION);
    return 0;
}

static int cmd_help(int argc, char **argv)
{
    const struct command *c = argc > 1 ? command_find(argv[1]) : NULL;
    if (c && c->run != cmd_help) {
        char help[] = "--help";
        char *arguments[] = {argv[1], help, NULL};
        return c->run(2, arguments);
    }
    usage_print(stdout);
    return 0;
}

static const char override_usage[] =
    "usage: holdfast override [--yes-i-am-cut-off] COMMAND ...\n\n"
    "COMMAND is one of endpoint, control, rule, shift, incident and undo, as without override.\n\n"
    "A node that reaches no majority of its cluster changes nothing that all nodes want. With\n"
    "override it changes what it wants itself, on this node alone; say the same on each node that\n"
    "is to do it. It is refused where a majority can be reached. status, explain, the metrics and\n"
    "the log say loudly that the node goes by an override, also after a restart. Once a leader is\n"
    "there again the override is laid aside, and the log reports what it was.\n\n"
    "  --yes-i-am-cut-off  do not ask for a confirmation\n";

/* Typed on a terminal. */
static bool override_is_meant(void)
{
    char line[64];
    fputs("This changes one node by hand, and other nodes may do otherwise meanwhile.\n"
          "Type \"cut off\" to go on: ",
          stderr);
    return fgets(line, sizeof line, stdin) && !strcmp(line, "cut off\n");
}

static int cmd_override(int argc, char **argv)
{
    static const char *const allowed[] = {"endpoint", "control",  "rule",
                                          "shift",    "incident", "undo"};
    bool yes = argc > 1 && !strcmp(argv[1], "--yes-i-am-cut-off");
    const char *name = argc > 1 + yes ? argv[1 + yes] : "";
    bool help = !strcmp(name, "--help") || !strcmp(name, "-h");
    bool good = false;
    for (size_t i = 0; i < array_length(allowed); i++)
        good |= !strcmp(allowed[i], name);
    if (!good) {
        fputs(override_usage, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    if (!yes && !override_is_meant()) {
        fputs("holdfast: not confirmed, nothing was changed\n", stderr);
        return 1;
    }
    order_alone();
    return command_find(name)->run(argc - 1 - yes, argv + 1 + yes);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage_print(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version") || !strcmp(name, "-V"))
        name = "version";
    const struct command *c = command_find(name);
    if (!c) {
        fprintf(stderr, "holdfast: there is no command \"%s\"; `holdfast help` lists them\n", name);
        return 2;
    }
    return c->run(argc - 1, argv + 1);
}
