/* A moment as people say it on the command line. */
#pragma once

#include <stdint.h>

/* "now"; "14:00" or "Tue 14:00", the next such moment; "2026-12-01 14:00". UTC, in milliseconds
 * since 1970; 0: it is none of them. */
int64_t moment_parse(const char *text, int64_t now_ms);
