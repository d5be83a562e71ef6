/* Transactions on the node's intent, as `holdfast control`, `rule`, `shift` and `undo` make them.
 */
#pragma once

#include "prog/options.h"
#include <jansson.h>

/* Options that all of them have. */
struct change_options {
    const char *reason, *override, *config, *data;
    bool force;
};
#define CHANGE_OPTIONS(o)                                                                     \
    {.name = "reason", .value = &(o)->reason}, {.name = "override", .value = &(o)->override}, \
        {.name = "force", .flag = &(o)->force},                                               \
        {.name = "config", .letter = 'c', .value = &(o)->config},                             \
    {                                                                                         \
        .name = "data", .letter = 'd', .value = &(o)->data                                    \
    }

/* Sends the request with what the options say; the exit status. Steals it. */
int change_send(const struct change_options *o, json_t *request);
/* {"op": "change", "edits": edits}; steals the edits. */
json_t *change_request(json_t *edits);
/* Adds an edit; value NULL removes. Steals the value. */
void change_add(json_t *edits, const char *kind, const char *name, json_t *value);
/* Removes one object; the exit status. */
int change_remove(const struct change_options *o, const char *kind, const char *name);
/* The objects of one kind in the node's intent, json_decref; NULL: why was printed. */
json_t *change_objects(const struct change_options *o, const char *kind);
/* One of them by name, or NULL. Borrowed. */
const json_t *change_find(const json_t *objects, const char *name);
/* "a,b" -> ["a", "b"]; NULL gives []. */
json_t *names_split(const char *names);
/* "by uid 1000 (ana) on Sun, 22 Nov 2026 10:00:00 GMT: because", to stdout. */
void change_words_print(const json_t *object);
