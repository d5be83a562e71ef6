/* Options of the commands that read a node's folder or ask it something: one table a command. */
#pragma once

#include "base/attr.h"
#include <limits.h>
#include <stdbool.h>

#define DATA_DEFAULT "/var/lib/holdfast"

/* One option; exactly one of flag and value is set. */
struct option_spec {
    const char *name; /* "json" */
    char letter;      /* 'j', or 0 */
    bool *flag;       /* becomes true */
    const char **value;
};

enum { OPTIONS_MAX = 16, WORDS_MAX = 16 };

/* The words that are not options. */
struct words {
    const char *list[WORDS_MAX];
    unsigned count;
};

/* Reads options (anywhere among the words); --help prints `usage` to stdout. -1: go on; else the
 * exit status of the command. */
must_check int options_parse(int argc, char **argv, const char *usage,
                             const struct option_spec *specs, unsigned spec_count,
                             struct words *ret_words);
/* Prints the sentence and the usage's first line to stderr; returns the exit status 2. */
int options_wrong(const char *usage, const char *format, ...) printf_like(2, 3);

/* Where the node keeps its files: --data as given, else what the configuration `config` says, else
 * DATA_DEFAULT. 0, or the exit status when the configuration has problems (they were printed). */
must_check int options_data(const char *data, const char *config, char ret_path[static PATH_MAX]);

/* Colours only for a terminal, and only where NO_COLOR is not set (no-color.org). */
bool options_colour(int fd);
