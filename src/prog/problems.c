#include "prog/problems.h"
#include "base/log.h"
#include <stdio.h>
#include <string.h>

void problems_log(const char *event, const struct text *problems)
{
    const char *at = text_string(problems);
    while (*at) {
        char line[1024];
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        log_event(LOG_ERROR, event, {"problem", LOG_S(line)});
        at += length + (at[length] == '\n');
    }
}
