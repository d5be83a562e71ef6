/* Objects of the intent, from JSON values and back. Used inside intent_*.c only. */
#pragma once

#include "model/intent.h"
#include <jansson.h>

/* An object with one reference and its canonical value; the words of the change are not set. On
 * failure NULL and *ret_why says what is wrong, as a sentence's end (static). */
struct intent_object *object_decode(enum intent_kind kind, const char *name, const json_t *value,
                                    const char **ret_why);
/* Gives it the id that a new object of its kind, name and version has. */
void object_id_make(struct intent_object *o);
/* Does an object of this kind have an id? */
bool kind_has_id(enum intent_kind kind);
struct intent_object *object_ref(struct intent_object *o);
void object_unref(struct intent_object *o);
void change_unref(struct intent_change *c);
/* What it takes in a file, roughly. */
pure_function size_t object_bytes(const struct intent_object *o);
pure_function size_t change_bytes(const struct intent_change *c);
/* Is it "region:NAME", "provider:NAME" or "endpoint:SERVICE/ENDPOINT"? NULL, or a sentence's end.
 */
const char *scope_check(const char *name);
void names_done(struct intent_names *n);
/* By kind, then name. */
int object_compare(const struct intent_object *o, enum intent_kind kind, const char *name);
/* Where the object is, or where it would go. */
uint32_t object_position(const struct intent *intent, enum intent_kind kind, const char *name);

/* What the values of shared objects have to be (intent_shared.c): NULL, or a sentence's end. */
const char *shared_name_check(enum intent_kind kind, const char *name);
const char *shared_read(const json_t *value, struct intent_object *o);
const char *records_read(const json_t *value, struct intent_object *o);
/* The zones whose own object or records `change` edits are touched by it. */
void zones_touch(struct intent *next, const struct intent_change *change);
/* Do all records lie in a zone that there is? */
must_check int shared_references_check(const struct intent *intent, struct text *why);
/* Values of nodes, invitations and authorities: what is wrong, as a sentence's end; NULL: nothing.
 */
const char *node_read(const json_t *value, struct intent_object *o);
const char *invite_read(const json_t *value, struct intent_object *o);
const char *authority_read(const json_t *value, struct intent_object *o);
/* May the nodes of `old` become those of `next`? ERR_CONFLICT, and `why` gets a sentence. */
must_check int intent_nodes_check(const struct intent *old, const struct intent *next,
                                  int64_t wall_ms, struct text *why);

/* Are all references of the intent's objects to something that is there? Else `why` gets a
 * sentence and the result is ERR_MISSING. */
must_check int intent_references_check(const struct intent *intent, struct text *why);
/* Invariant 3 for a request that makes `next` of `old`: ERR_CONFLICT, ERR_MISSING (an override that
 * is no rule). */
must_check int intent_safety_check(const struct intent *old, const struct intent *next,
                                   const struct intent_request *request, int64_t wall_ms,
                                   struct text *why);
