#include "base/invariant.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef void hook_function(const char *sentence);

static _Atomic(hook_function *) hook;

void invariant_hook_set(void (*function)(const char *sentence))
{
    atomic_store(&hook, function);
}

void invariant_failed(const char *condition, const char *file, int line, const char *function)
{
    /* Taken out before the call: a hook that breaks an invariant itself must not come back here. */
    hook_function *last_words = atomic_exchange(&hook, NULL);
    if (last_words) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "invariant broken: %s in %s at %s:%d", condition,
                 function, file, line);
        last_words(sentence);
    }
    abort();
}
