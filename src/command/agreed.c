#include "command/agreed.h"

#include "command/command.h"
#include <string.h>

int agreed_apply(struct intent *held, struct bytes request, int64_t wall_ms, struct text *sentence)
{
    struct intent next;
    const char *proposal = (const char *)request.data;
    uint64_t before = held->version;
    int err = command_apply(held, proposal, request.length, wall_ms, &next, sentence);
    if (!err) {
        intent_done(held);
        *held = next;
    }
    command_tell(held, before, proposal, request.length, wall_ms, err, text_string(sentence));
    return err;
}

char *agreed_encode(const struct intent *held, size_t *ret_size)
{
    char *text = intent_encode(held);
    *ret_size = strlen(text);
    return text;
}

int agreed_decode(struct intent *held, struct bytes data, const char **ret_why)
{
    struct intent next;
    int err = intent_decode((const char *)data.data, data.length, &next, ret_why);
    if (err)
        return err;
    intent_done(held);
    *held = next;
    return 0;
}
