#include "base/invariant.h"
#include "wire/sigv4.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void span_check(struct bytes b, const uint8_t *data, size_t size)
{
    invariant(!b.length || (b.data >= data && b.data + b.length <= data + size));
}

/* A request as it comes over the wire: whatever it says is refused, with a sentence, and what was
 * found lies in it. Nobody guesses a signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_parser parser = {0};
    struct http1_request head;
    struct text why = text_init(SIGV4_WHY_MAX);
    struct sigv4 s;
    size_t used = 0;
    if (http1_parse(&parser, data, size, &head, &used) != HTTP1_DONE)
        return 0;
    struct sigv4_request request = {.method = "POST",
                                    .path = head.path,
                                    .query = head.query,
                                    .headers = head.headers,
                                    .header_count = head.header_count,
                                    .body = {data + used, size - used}};
    struct sigv4_rules rules = {
        .secret = "secret", .service = "service", .wall = 1440938160, .unsigned_payload = true};
    enum sigv4_outcome outcome = sigv4_find(&request, &s, &why);
    if (!outcome) {
        span_check(s.key_id, data, size);
        span_check(s.date, data, size);
        span_check(s.region, data, size);
        span_check(s.service, data, size);
        span_check(s.signature, data, size);
        outcome = sigv4_verify(&request, &s, &rules, &why);
    }
    invariant(outcome != SIGV4_GOOD && (why.length || why.failed));
    text_done(&why);
    return 0;
}
