/* `holdfast shift`: away from a region for some time. */
#include "base/attr.h"
#include "base/text.h"
#include "model/intent.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "seam/clock.h"
#include "wire/http1.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast shift list\n"
    "       holdfast shift away SCOPE --for DURATION\n"
    "       holdfast shift end SCOPE\n"
    "                      [--reason TEXT] [--force] [--config FILE | --data DIR]\n\n"
    "Moves what is answered away from SCOPE: region:NAME, provider:NAME or\n"
    "endpoint:SERVICE/ENDPOINT. A shift ends by itself, at most 72 hours later; said again,\n"
    "it ends at the new time. --force allows what would leave a service without any open\n"
    "endpoint.\n";

static int64_t now_ms(void)
{
    return clock_wall() / USEC_PER_MSEC;
}

static int shift_away(const struct change_options *o, const char *scope, const char *duration)
{
    usec_t length;
    if (!duration || duration_parse(duration, &length) || length <= 0 ||
        length > (usec_t)INTENT_SHIFT_MAX_MS * USEC_PER_MSEC)
        return options_wrong(usage, "say for how long, at most 72h: --for 2h");
    json_t *edits = json_array();
    change_add(edits, "shift", scope,
               json_pack("{s:I}", "expires_ms", (json_int_t)(now_ms() + length / USEC_PER_MSEC)));
    return change_send(o, change_request(edits));
}

static int shift_list(const struct change_options *o)
{
    json_t *shifts = change_objects(o, "shift"), *object;
    unsigned shown = 0;
    size_t i;
    if (!shifts)
        return 1;
    json_array_foreach(shifts, i, object)
    {
        char date[HTTP1_DATE_MAX];
        int64_t expires =
            json_integer_value(json_object_get(json_object_get(object, "value"), "expires_ms"));
        if (expires <= now_ms())
            continue;
        shown++;
        printf("away from %s until %s\n     ", json_string_value(json_object_get(object, "name")),
               http1_date_format(expires / 1000, date));
        change_words_print(object);
    }
    if (!shown)
        puts("nothing is shifted");
    json_decref(shifts);
    return 0;
}

int cmd_shift(int argc, char **argv)
{
    struct change_options o = {0};
    const char *duration = NULL;
    const struct option_spec specs[] = {CHANGE_OPTIONS(&o), {.name = "for", .value = &duration}};
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    if (words.count == 1 && !strcmp(verb, "list"))
        return shift_list(&o);
    if (words.count == 2 && !strcmp(verb, "away"))
        return shift_away(&o, words.list[1], duration);
    if (words.count == 2 && !strcmp(verb, "end"))
        return change_remove(&o, "shift", words.list[1]);
    return options_wrong(usage, "say what is to be done, and with what");
}
