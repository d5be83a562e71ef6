#include "base/invariant.h"
#include "wire/http1.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void span_check(struct bytes b, const uint8_t *data, size_t used)
{
    static const uint8_t root = '/';
    if (b.length && !(b.length == 1 && *b.data == root))
        invariant(b.data >= data && b.data + b.length <= data + used);
}

/* However the bytes are cut, the outcome is the same, and nothing points outside the head. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_request whole, pieces;
    struct http1_parser a = {0}, b = {0};
    size_t used = 0, used_pieces = 0;
    int status = http1_parse(&a, data, size, &whole, &used), status_pieces = HTTP1_MORE;
    for (size_t n = 0; n <= size && status_pieces == HTTP1_MORE; n++)
        status_pieces = http1_parse(&b, data, n, &pieces, &used_pieces);
    invariant(status == status_pieces && used == used_pieces);
    invariant(status == HTTP1_DONE || status == HTTP1_MORE || (status >= 400 && status <= 505));
    if (status != HTTP1_DONE)
        return 0;
    invariant(used <= size && used <= HTTP1_HEAD_MAX && whole.header_count <= HTTP1_HEADERS_MAX);
    invariant(!(whole.chunked && whole.content_length));
    span_check(whole.path, data, used);
    span_check(whole.query, data, used);
    for (unsigned i = 0; i < whole.header_count; i++) {
        invariant(whole.headers[i].name.length > 0);
        span_check(whole.headers[i].value, data, used);
    }
    return 0;
}
