#include "decide/event.h"

#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void events_begin(struct events *e)
{
    if (!e->list)
        e->list = mem_new(EVENTS_MAX + 1, sizeof *e->list);
    e->count = e->left_out = 0;
}

void event_add(struct events *e, int kind, uint32_t target, uint32_t service, unsigned family,
               const char *format, ...)
{
    if (e->count >= EVENTS_MAX) {
        e->left_out++;
        return;
    }
    struct decide_event *event = &e->list[e->count++];
    *event = (struct decide_event){
        .kind = kind, .target = target, .service = service, .family = (uint8_t)family};
    va_list args;
    va_start(args, format);
    vsnprintf(event->sentence, sizeof event->sentence, format, args);
    va_end(args);
}

void events_end(struct events *e)
{
    if (!e->left_out)
        return;
    struct decide_event *last = &e->list[e->count];
    *last = e->list[e->count - 1];
    snprintf(last->sentence, sizeof last->sentence, "and %u more changes in the same step",
             e->left_out);
    e->count++;
}

void events_done(struct events *e)
{
    free(e->list);
    *e = (struct events){0};
}
