/* The sentences of one step, for the log. Bounded: a crisis may not cost more than it must; what is
 * left out is counted in the last sentence (the plan holds every verdict anyway). */
#pragma once

#include "decide/decide.h"

enum { EVENTS_MAX = 256 };

struct events {
    struct decide_event *list; /* room for EVENTS_MAX and the last sentence */
    uint32_t count;
    uint32_t left_out;
};

void events_begin(struct events *e);
void events_end(struct events *e); /* adds the sentence about those left out */
void events_done(struct events *e);
void event_add(struct events *e, int kind, uint32_t target, uint32_t service, unsigned family,
               const char *format, ...) printf_like(6, 7);
