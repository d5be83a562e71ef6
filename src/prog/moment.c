#include "prog/moment.h"

#include "base/attr.h"
#include "model/practice.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
enum { DAY_MINUTES = 24 * 60, DATE_SIZE = sizeof "2026-12-01" };

/* One window of a schedule; false: it is none. */
static bool window_parse(const char *text, const char *end, struct practice_window *ret)
{
    const char *why;
    json_t *value = json_pack("{s:i,s:[s++]}", "first_ms", 1, "allowed", text, end, "");
    struct practice *p = value ? practice_decode(value, &why) : NULL;
    bool good = p != NULL;
    if (good)
        *ret = p->allowed[0];
    practice_free(p);
    json_decref(value);
    return good;
}

static int64_t date_parse(const char *text)
{
    char date[DATE_SIZE];
    struct practice_window day, hours;
    snprintf(date, sizeof date, "%s", text);
    if (strlen(text) != DATE_SIZE + strlen("14:00") || text[DATE_SIZE - 1] != ' ' ||
        !window_parse(date, "", &day) || !day.dates ||
        !window_parse(text + DATE_SIZE, "-24:00", &hours))
        return 0;
    return (day.from * DAY_MINUTES + hours.begins) * MINUTE_MS;
}

int64_t moment_parse(const char *text, int64_t now_ms)
{
    struct practice_window w;
    const char *space = strchr(text, ' '), *hours = space ? space + 1 : text;
    if (!strcmp(text, "now"))
        return now_ms;
    if (text[0] >= '0' && text[0] <= '9' && space)
        return date_parse(text);
    if (strlen(hours) != strlen("14:00") || !window_parse(text, "-24:00", &w) || w.dates)
        return 0;
    int64_t found = (now_ms / MINUTE_MS + 1) * MINUTE_MS;
    while (!practice_window_holds(&w, found) || found / MINUTE_MS % DAY_MINUTES != w.begins)
        found += MINUTE_MS;
    return found;
}
