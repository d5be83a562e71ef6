/* `holdfast demo`: the whole river on one machine, without root and without configuration. */
#include "prog/commands.h"
#include "prog/demo.h"
#include "prog/options.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char demo_usage[] =
    "usage: holdfast demo [--script]\n\n"
    "Starts a node and two small origins (us-east-1 and eu-west-1) on loopback and shows, live, "
    "what\n"
    "the checks see and what clients are told. Keys cut off, slow down, break and heal a region.\n"
    "With --script, or without a terminal, it plays the story once, prints the measured times and\n"
    "exits 0 only if each promise held. Needs no root and leaves nothing behind.\n";

int cmd_demo(int argc, char **argv)
{
    bool script = !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO);
    const struct option_spec specs[] = {{.name = "script", .flag = &script}};
    struct words words;
    int status = options_parse(argc, argv, demo_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(demo_usage, "demo takes no words");
    static struct demo demo;
    signal(SIGPIPE, SIG_IGN);
    status = demo_node_start(&demo) ? 1 : script ? demo_story(&demo) : demo_view(&demo);
    demo_node_stop(&demo);
    return status;
}
