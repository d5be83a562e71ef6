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
    invariant(first.order_count == second.order_count && first.version == second.version);
    for (uint32_t i = 0; i < first.order_count; i++) {
        const struct intent_order *a = &first.orders[i];
        const struct intent_order *b = &second.orders[i];
        invariant(strcmp(a->service, b->service) == 0 && strcmp(a->endpoint, b->endpoint) == 0);
        invariant(intent_admin(&second, a->service, a->endpoint) == a->state && b->wall == a->wall);
        invariant(strcmp(a->author, b->author) == 0 && !a->reason == !b->reason);
    }
    free(text);
    intent_done(&first);
    intent_done(&second);
    return 0;
}
