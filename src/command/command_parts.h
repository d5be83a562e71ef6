/* What the operations of command*.c share. */
#pragma once

#include "command/command.h"
#include <jansson.h>

/* A reply that refuses or only tells. */
void command_say(struct command_result *ret, int err, const char *format, ...) printf_like(3, 4);
/* A text member: NULL where it is not said; *ret_good false where it is something else than a text
 * of 1..max bytes. */
const char *command_text(const json_t *request, const char *key, size_t max, bool *ret_good);

/* The operations about the intent as a whole (command_change.c). */
void command_change(const struct command_input *input, const json_t *request,
                    struct command_result *ret);
void command_undo(const struct command_input *input, const json_t *request,
                  struct command_result *ret);
void command_intent(const struct command_input *input, const json_t *request,
                    struct command_result *ret);
