/* Assertions that stay on in production.
 *
 * A broken invariant kills this one role; the supervisor restarts it and the others never notice
 * (craft.md). It is never turned into "unreachable". */
#pragma once

#include "base/attr.h"

#define invariant(condition) \
    (likely(condition) ? (void)0 : invariant_failed(#condition, __FILE__, __LINE__, __func__))

/* Hands the sentence to the hook set with invariant_hook_set() and aborts. */
no_return void invariant_failed(const char *condition, const char *file, int line,
                                const char *function);

/* The hook that may write the last words somewhere; called once, with a line without newline. */
void invariant_hook_set(void (*hook)(const char *sentence));
