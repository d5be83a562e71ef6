/* Any bytes as a file of orders: refused with a sentence, or taken; and what was taken is the same
 * after it was written and read again. */
#include "base/invariant.h"
#include "model/intent.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intent first, second;
    const char *why = NULL;
    if (intent_decode((const char *)data, size, &first, &why) < 0) {
        invariant(why != NULL);
        return 0;
    }
    char *text = intent_encode(&first);
    invariant(intent_decode(text, strlen(text), &second, &why) == 0);
    invariant(first.version == second.version && first.object_count == second.object_count &&
              first.history_count == second.history_count);
    char *again = intent_encode(&second);
    invariant(!strcmp(text, again));
    free(again);
    for (uint32_t i = 0; i < first.object_count; i++) {
        const struct intent_object *a = first.objects[i];
        const struct intent_object *b = intent_find(&second, a->kind, a->name);
        invariant(b && !strcmp(a->value, b->value) && !strcmp(a->author, b->author));
    }
    free(text);
    intent_done(&first);
    intent_done(&second);
    return 0;
}
