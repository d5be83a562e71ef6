/* `holdfast check CONFIG`, `holdfast schema`, `holdfast zone`: say what is wrong before it runs. */
#include "base/err.h"
#include "model/zone.h"
#include "model/zone_compile_io.h"
#include "model/zone_dump.h"
#include "prog/commands.h"
#include "prog/load.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char check_usage[] =
    "usage: holdfast check CONFIG\n\n"
    "Checks the configuration and every zone file it names, and changes nothing. Every problem is\n"
    "printed as file:line:column: what is wrong; what would be right. Exit status 0: no problem.\n";

static const char schema_usage[] =
    "usage: holdfast schema\n\nPrints the JSON Schema of the configuration file, for editors.\n";

static const char zone_usage[] =
    "usage: holdfast zone check FILE ORIGIN\n"
    "       holdfast zone show FILE ORIGIN\n\n"
    "check: finds every problem of a master file (RFC 1035). show: also prints its records in\n"
    "canonical form, one a line.\n";

/* One positional word after the options, or the usage: returns the exit status, or -1 to go on. */
static int arguments_check(int argc, char **argv, int wanted, const char *usage)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? 0 : 2;
    }
    if (argc - optind == wanted)
        return -1;
    fputs(usage, stderr);
    return 2;
}

int cmd_check(int argc, char **argv)
{
    int status = arguments_check(argc, argv, 1, check_usage);
    if (status >= 0)
        return status;
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct load_request request = {.path = argv[optind]};
    struct loaded *loaded;
    int err = load_new(&request, &problems, &loaded);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    if (err)
        return 1;
    printf("%s: ok: %u zones, %u services, %u targets\n", argv[optind], loaded->config->zone_count,
           loaded->config->service_count, loaded->target_count);
    load_free(loaded);
    return 0;
}

int cmd_schema(int argc, char **argv)
{
    int status = arguments_check(argc, argv, 0, schema_usage);
    if (status >= 0)
        return status;
    struct text out = text_init(1 << 20);
    config_schema(&out);
    fputs(text_string(&out), stdout);
    text_done(&out);
    return 0;
}

static int zone_print(const uint8_t *data, size_t size)
{
    struct zone zone;
    int err = zone_open(data, size, &zone);
    if (err) {
        fprintf(stderr, "holdfast: the compiled zone does not pass its own check: %s\n", err_text(err));
        return 1;
    }
    struct text out = text_init(1u << 31);
    zone_dump(&zone, &out);
    fputs(text_string(&out), stdout);
    text_done(&out);
    return 0;
}

int cmd_zone(int argc, char **argv)
{
    int status = arguments_check(argc, argv, 3, zone_usage);
    if (status >= 0)
        return status;
    char **word = argv + optind;
    bool show = !strcmp(word[0], "show");
    if (!show && strcmp(word[0], "check")) {
        fputs(zone_usage, stderr);
        return 2;
    }
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    uint8_t *data = NULL;
    size_t size;
    int err = zone_compile_file(word[2], word[1], NULL, 0, &problems, &data, &size);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    if (err)
        return 1;
    status = show ? zone_print(data, size) : 0;
    if (!show)
        printf("%s: ok\n", word[1]);
    free(data);
    return status;
}
