/* `holdfast check CONFIG`, `holdfast schema`, `holdfast zone`: say what is wrong before it runs. */
#include "base/err.h"
#include "model/zone.h"
#include "model/zone_compile_io.h"
#include "model/zone_dump.h"
#include "prog/commands.h"
#include "prog/cookies.h"
#include "prog/identity.h"
#include "prog/load.h"
#include "prog/options.h"
#include "prog/zone_import.h"
#include "prog/zone_served.h"
#include "seam/disk.h"
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
    "       holdfast zone show FILE ORIGIN\n"
    "       holdfast zone show COMPILED\n"
    "       holdfast zone list [--config FILE | --data DIR]\n"
    "       holdfast zone served ZONE [--config FILE | --data DIR]\n"
    "       holdfast zone diff FILE ZONE [--config FILE | --data DIR]\n"
    "       holdfast zone diff OLD NEW ZONE\n"
    "       holdfast zone reload ZONE [--config FILE | --data DIR]\n"
    "       holdfast zone status [ZONE] [--config FILE | --data DIR]\n"
    "       holdfast zone import ZONE FILE | --from ADDRESS[:PORT] [--key NAME|FILE]\n"
    "                     [--tls NAME] [--ca FILE] [--dry-run] [--accept-shrink]\n"
    "                     [--config FILE | --data DIR]\n"
    "       holdfast zone import ZONE --from ADDRESS[:PORT] ... --out FILE [--overwrite]\n\n"
    "check: finds every problem of a master file (RFC 1035). show: also prints its records in\n"
    "canonical form, one a line; of a compiled file (DATA/store/*.zone) as they are served, with\n"
    "signatures. list: a line for each zone that the node serves: name, serial, state (current,\n"
    "stale, dark), and unsigned, signed or signed-elsewhere (lacking: its file is damaged or\n"
    "gone). served: the records of one. diff: what the file would change in what "
    "the\n"
    "node serves, or what differs between two files; exit status 0: nothing, 1: something,\n"
    "2: trouble. reload: has the node read the files of this zone alone, or ask its primaries.\n"
    "status: how zones from other name servers are doing. import: makes a\n"
    "file, or what any name server sends (AXFR; over TLS where the name of its certificate is "
    "said,\n"
    "signed where a key is: of --config, or a file as tsig-keygen writes it), the content of a "
    "zone of\n"
    "the running node that takes updates, as one change, and shows it. --dry-run: only shows it. "
    "With\n"
    "--out what the server sends is checked and written as a master file (-: printed) instead.\n";

int cmd_check(int argc, char **argv)
{
    struct words words;
    int status = options_parse(argc, argv, check_usage, NULL, 0, &words);
    if (status >= 0)
        return status;
    if (words.count != 1)
        return options_wrong(check_usage, "name one configuration file");
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct load_request request = {.path = words.list[0]};
    struct loaded *loaded;
    int err = load_new(&request, &problems, &loaded);
    if (!err &&
        (identity_check(loaded->config, &problems) || cookies_check(loaded->config, &problems))) {
        load_free(loaded);
        err = ERR_INVALID;
    }
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    if (err)
        return 1;
    printf("%s: ok: %u zones, %u services, %u targets\n", words.list[0], loaded->config->zone_count,
           loaded->config->service_count, loaded->target_count);
    load_free(loaded);
    return 0;
}

int cmd_schema(int argc, char **argv)
{
    struct words words;
    int status = options_parse(argc, argv, schema_usage, NULL, 0, &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(schema_usage, "schema takes no words");
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
        fprintf(stderr, "holdfast: the compiled zone does not pass its own check: %s\n",
                err_text(err));
        return 1;
    }
    struct text out = text_init(1u << 31);
    zone_dump(&zone, &out);
    fputs(text_string(&out), stdout);
    text_done(&out);
    return 0;
}

static int compiled_print(const char *path)
{
    char *data;
    size_t size;
    int err = disk_read(path, ZONE_FILE_MAX, &data, &size);
    if (err) {
        fprintf(stderr, "holdfast: %s cannot be read: %s\n", path, err_text(err));
        return 1;
    }
    err = zone_print((const uint8_t *)data, size);
    free(data);
    return err;
}

/* What is asked of a node; -1: none of these. */
static int zone_of_node(const struct words *words, const char *folder, const char *config)
{
    const char *const *word = words->list;
    char data[PATH_MAX];
    bool served = words->count == 2 && !strcmp(word[0], "served");
    bool reload = words->count == 2 && !strcmp(word[0], "reload");
    bool diff = words->count == 3 && !strcmp(word[0], "diff");
    bool how = words->count && words->count <= 2 && !strcmp(word[0], "status");
    bool list = words->count == 1 && !strcmp(word[0], "list");
    if (!served && !reload && !diff && !how && !list)
        return -1;
    int status = options_data(folder, config, data);
    if (status)
        return status;
    return list     ? zone_served_list(data)
           : how    ? zone_served_status(data, words->count == 2 ? word[1] : NULL)
           : served ? zone_served_show(data, word[1])
           : reload ? zone_served_reload(data, word[1])
                    : zone_served_diff(data, word[1], word[2]);
}

static int zone_take(const struct words *words, struct zone_import *import, const char *folder)
{
    char data[PATH_MAX];
    if (words->count < 2 || words->count > 3 || (words->count == 3) == (import->from != NULL))
        return options_wrong(zone_usage, "say the zone and where it comes from: a file, or --from "
                                         "ADDRESS");
    if (words->count == 3 && import->out)
        return options_wrong(zone_usage, "--out is for what comes --from a name server");
    int status = import->out ? 0 : options_data(folder, import->config, data);
    if (status)
        return status;
    import->file = words->count == 3 ? words->list[2] : NULL;
    import->data = data;
    return zone_import(words->list[1], import);
}

int cmd_zone(int argc, char **argv)
{
    const char *folder = NULL;
    struct zone_import import = {.from = NULL};
    const struct option_spec specs[] = {
        {.name = "config", .letter = 'c', .value = &import.config},
        {.name = "data", .letter = 'd', .value = &folder},
        {.name = "from", .value = &import.from},
        {.name = "key", .value = &import.key},
        {.name = "tls", .value = &import.tls},
        {.name = "ca", .value = &import.ca},
        {.name = "out", .letter = 'o', .value = &import.out},
        {.name = "overwrite", .flag = &import.overwrite},
        {.name = "accept-shrink", .flag = &import.accept_shrink},
        {.name = "dry-run", .flag = &import.dry_run},
    };
    struct words words;
    int status = options_parse(argc, argv, zone_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *const *word = words.list;
    if (words.count && !strcmp(word[0], "import"))
        return zone_take(&words, &import, folder);
    if (words.count == 4 && !strcmp(word[0], "diff"))
        return zone_files_diff(word[1], word[2], word[3]);
    status = zone_of_node(&words, folder, import.config);
    if (status >= 0)
        return status;
    bool show = words.count && !strcmp(word[0], "show");
    if (show && words.count == 2)
        return compiled_print(word[1]);
    if (words.count != 3 || (!show && strcmp(word[0], "check")))
        return options_wrong(zone_usage, "say what is to be done, a file and the zone's name");
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
