#include "base/err.h"
#include "base/invariant.h"
#include "wire/proxy2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However the bytes are cut: more is wanted until the header is whole, and then it stays the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy2 whole, part;
    int err = proxy2_parse(data, size, &whole);
    invariant(err == 0 || err == ERR_TRUNCATED || err == ERR_SYNTAX);
    if (err)
        return 0;
    invariant(whole.length <= size && whole.length <= PROXY2_MAX);
    for (size_t n = 0; n < whole.length; n += 1 + n / 16)
        invariant(proxy2_parse(data, n, &part) == ERR_TRUNCATED);
    invariant(proxy2_parse(data, whole.length, &part) == 0 && part.length == whole.length);
    return 0;
}
