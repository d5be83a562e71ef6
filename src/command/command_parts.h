/* What the operations of command*.c share. */
#pragma once

#include "command/command.h"
#include <jansson.h>

/* A reply that refuses or only tells. */
void command_say(struct command_result *ret, int err, const char *format, ...) printf_like(3, 4);
/* A text member: NULL where it is not said; *ret_good false where it is something else than a text
 * of 1..max bytes. */
const char *command_text(const json_t *request, const char *key, size_t max, bool *ret_good);

/* The request is good so far: it becomes a proposal, unless it would leave a service without an
 * open endpoint and is not forced (L3). `endpoint`: the full name that replaces the one in the
 * request, or NULL. */
void command_propose(const struct command_input *input, const json_t *request, const char *endpoint,
                     struct command_result *ret);

/* The operations about the intent as a whole (command_change.c). */
void command_change(const struct command_input *input, const json_t *request,
                    struct command_result *ret);
void command_undo(const struct command_input *input, const json_t *request,
                  struct command_result *ret);
void command_intent(const struct command_input *input, const json_t *request,
                    struct command_result *ret);

/* What is said of a change or an undo that does not make sense; the first with INTENT_EDITS_MAX. */
#define COMMAND_CHANGE_WANTS                                                                \
    "a change wants \"edits\", 1 to %d of {\"kind\", \"name\", \"value\"}, and may have a " \
    "\"reason\", a \"token\", \"overrides\", names of rules, and \"expects\", the newest "  \
    "changes of objects"
#define COMMAND_UNDO_WANTS "undo wants \"change\", the number of one"
/* Are edits and overrides there, and of the right form? (command_apply.c) */
bool command_change_is_good(const json_t *request);
/* The number of the change that is to be undone; 0: none is said. */
uint64_t command_undo_number(const json_t *request);

/* Nodes of the cluster. */
void command_node(const struct command_input *input, const json_t *request,
                  struct command_result *ret);

/* States of controls. */
void command_switch(const struct command_input *input, const json_t *request,
                    struct command_result *ret);
#define COMMAND_SWITCH_WANTS                                                                    \
    "switch wants \"states\", On or Off by the names of controls, and may have \"overrides\", " \
    "names of rules"
/* (command_switch.c) */
bool command_switch_is_good(const json_t *request);
/* Carries it out; as command_apply(). */
int command_switch_apply(const struct intent *old, const json_t *proposal,
                         const struct intent_request *words, struct intent *ret, struct text *why);

/* Users of the API. */
void command_user(const struct command_input *input, const json_t *request,
                  struct command_result *ret);
#define COMMAND_USER_WANTS                                                                        \
    "user wants \"user\", a name, and \"do\": add or permit with \"statements\", add or key-add " \
    "with \"key\", or key-enable, key-disable or key-remove with \"id\""
/* (command_user.c) */
bool command_user_is_good(const json_t *request);
/* Carries it out; as command_apply(). */
int command_user_apply(const struct intent *old, const json_t *proposal,
                       const struct intent_request *words, struct intent *ret, struct text *why);

/* Incidents and maintenance. */
void command_incident(const struct command_input *input, const json_t *request,
                      struct command_result *ret);
#define COMMAND_INCIDENT_WANTS                                                                  \
    "incident wants \"incident\", a name, and \"do\": open, schedule (with "                    \
    "\"scheduled_for_ms\" and \"scheduled_until_ms\"), update or resolve; it may have a "       \
    "\"title\" of at most 200 bytes, a \"message\" of at most 2000, a \"status\", an "          \
    "\"impact\" (none, minor, major, critical) and \"components\", names of what is affected; " \
    "an update wants at least one of them"
/* Carries it out; as command_apply(). */
int command_incident_apply(const struct intent *old, const json_t *proposal,
                           const struct intent_request *words, struct intent *ret,
                           struct text *why);

/* Keys of zones that nodes share (command_keys.c); as command_apply(). */
int command_keys_apply(const struct intent *old, const json_t *proposal,
                       const struct intent_request *words, struct intent *ret, struct text *why);
/* Objects of this kind are the nodes' own, and no other request may change them? `why` says so. */
bool command_keys_own(enum intent_kind kind, struct text *why);
/* Is there an edit of one? */
bool command_keys_among(const struct intent_edit *edits, unsigned count, struct text *why);
/* Takes what is sealed out of an object's value, where it has any. */
void command_keys_hide(json_t *value);
