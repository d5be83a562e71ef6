/* Any text as an invitation: what is taken is written as it was, but for spaces and case. The first
 * byte says whether the rest is a token, or bytes that are made one with the checksum put right. */
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "base/text.h"
#include "replica/invite.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKEN_MAX = 4096 };

static void token_try(const char *token)
{
    struct invite invite, again;
    struct text out = text_init(TOKEN_MAX);
    if (invite_parse(token, &invite))
        return;
    invariant(invite.address_count > 0 && invite.address_count <= INVITE_ADDRESSES_MAX);
    invite_format(&invite, &out);
    int err = invite_parse(text_string(&out), &again);
    invariant(err == 0 && !memcmp(again.secret, invite.secret, sizeof again.secret));
    invariant(again.address_count == invite.address_count);
    text_done(&out);
}

static void token_make(const uint8_t *data, size_t size, struct text *out)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint32_t sum = (uint32_t)hash64(data, size), bits = 0;
    unsigned count = 0;
    text_append(out, "hf1");
    for (size_t i = 0; i < size + sizeof sum; i++) {
        bits = bits << 8 | (i < size ? data[i] : (uint8_t)(sum >> (24 - 8 * (i - size))));
        for (count += 8; count >= 5; count -= 5)
            text_append_bytes(out, &digits[bits >> (count - 5) & 31], 1);
    }
    if (count)
        text_append_bytes(out, &digits[bits << (5 - count) & 31], 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text token = text_init(TOKEN_MAX);
    if (!size || size > TOKEN_MAX / 2)
        return 0;
    if (data[0] & 1)
        token_make(data + 1, size - 1, &token);
    else
        text_append_bytes(&token, data + 1, size - 1);
    token_try(text_string(&token));
    text_done(&token);
    return 0;
}
