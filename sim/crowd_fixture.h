/* What the tests of crowds share. */
#pragma once

#include "sim/crowd.h"
#include <stdio.h>
#include <string.h>

/* In five networks; the first is inside us-east-1. */
static const struct crowd_place five[] = {{"inner", "us-east-1", "AS16509"},
                                          {"tokyo", "tokyo", "AS64500"},
                                          {"paris", "paris", "AS64501"},
                                          {"lima", "lima", "AS64502"},
                                          {"oslo", "oslo", "AS64503"}};

/* These words stand in what was told; what stands there instead is printed. */
static inline bool told(const struct crowd *c, const char *words)
{
    bool found = strstr(text_string(&c->trace), words) != NULL;
    if (!found)
        fprintf(stderr, "%s", text_string(&c->trace));
    return found;
}
