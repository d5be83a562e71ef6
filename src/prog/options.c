#include "prog/options.h"
#include "base/invariant.h"
#include "prog/load.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Values of getopt_long for options without a letter begin here. */
enum { LONG_FIRST = 256 };

int options_wrong(const char *usage, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("holdfast: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n%.*s\n", (int)strcspn(usage, "\n"), usage);
    return 2;
}

static const struct option_spec *spec_of(const struct option_spec *specs, unsigned count, int code)
{
    for (unsigned i = 0; i < count; i++)
        if (code == LONG_FIRST + (int)i || (specs[i].letter && code == specs[i].letter))
            return &specs[i];
    return NULL;
}

static void tables_fill(const struct option_spec *specs, unsigned count, struct option *list,
                        char *letters)
{
    *letters++ = ':'; /* getopt stays silent */
    *letters++ = 'h';
    for (unsigned i = 0; i < count; i++) {
        invariant(!specs[i].flag != !specs[i].value);
        list[i] = (struct option){specs[i].name, specs[i].value ? required_argument : no_argument,
                                  NULL, LONG_FIRST + (int)i};
        if (!specs[i].letter)
            continue;
        *letters++ = specs[i].letter;
        if (specs[i].value)
            *letters++ = ':';
    }
    *letters = '\0';
    list[count] = (struct option){"help", no_argument, NULL, 'h'};
    list[count + 1] = (struct option){NULL, 0, NULL, 0};
}

int options_parse(int argc, char **argv, const char *usage, const struct option_spec *specs,
                  unsigned spec_count, struct words *ret_words)
{
    invariant(spec_count <= OPTIONS_MAX);
    struct option list[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 3];
    tables_fill(specs, spec_count, list, letters);
    optind = 0; /* start anew, also after another command's options */
    for (int code; (code = getopt_long(argc, argv, letters, list, NULL)) != -1;) {
        const struct option_spec *spec = spec_of(specs, spec_count, code);
        if (code == 'h' && !spec) {
            fputs(usage, stdout);
            return 0;
        }
        if (code == ':')
            return options_wrong(usage, "%s needs a value", argv[optind - 1]);
        if (!spec)
            return options_wrong(usage, "there is no option %s", argv[optind - 1]);
        if (spec->flag)
            *spec->flag = true;
        else
            *spec->value = optarg;
    }
    *ret_words = (struct words){.count = 0};
    for (int i = optind; i < argc; i++) {
        if (ret_words->count == WORDS_MAX)
            return options_wrong(usage, "too many words");
        ret_words->list[ret_words->count++] = argv[i];
    }
    return -1;
}

int options_data(const char *data, const char *config, char ret_path[static PATH_MAX])
{
    struct config *c = NULL;
    if (!data && config) {
        if (load_config(config, stderr, &c))
            return 1;
        data = c->data;
    }
    int n = snprintf(ret_path, PATH_MAX, "%s", data ? data : DATA_DEFAULT);
    if (c)
        config_free(c);
    if (n < PATH_MAX)
        return 0;
    fputs("holdfast: the path of the data folder is too long\n", stderr);
    return 1;
}

bool options_colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fd) && !(no && *no);
}
