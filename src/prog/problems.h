/* Lists of problems, one a line, on their way to the log. */
#pragma once

#include "base/text.h"

/* Logs each line as an event of its own, at error level. */
void problems_log(const char *event, const struct text *problems);
