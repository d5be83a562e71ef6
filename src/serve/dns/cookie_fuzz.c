/* Any bytes as a file of secrets. */
#include "base/invariant.h"
#include "serve/dns/cookie.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cookie_secrets s = {.count = 0};
    unsigned line = 0;
    int err = cookie_secrets_parse((const char *)data, size, &s, &line);
    invariant(err ? s.count == 0 : s.count > 0 && s.count <= COOKIE_SECRETS_MAX);
    invariant(!size || (line > 0 && line <= size));
    return 0;
}
