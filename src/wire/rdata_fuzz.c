/* Record data as messages bring it: two bytes say the type. What passes as well-formed stays so,
 * can be looked into, and survives the way to text and back: zones that others send are written as
 * text by people's tools, and shared ones by ourselves. */
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/rdata_fixture.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOC = 29 };

static void text_try(uint16_t type, const uint8_t *rdata, uint16_t length)
{
    static const uint8_t origin[] = "\7example\3com";
    static uint8_t again[RDATA_MAX];
    uint16_t again_length = 0;
    struct text out = text_init(1 << 20);

    rdata_format(type, rdata, length, &out);
    invariant(!out.failed && strlen(text_string(&out)) == out.length);
    int err = rdata_from_text(type, text_string(&out), out.length, origin, again, &again_length);
    invariant(err == 0);
    invariant(again_length == length);
    if (type != LOC) /* has several zeros for a length, and one text for them */
        invariant(memcmp(again, rdata, length) == 0);
    text_done(&out);
}

static void look(uint16_t type, const uint8_t *rdata, uint16_t length)
{
    struct rdata_target target;
    uint16_t offsets[2];

    for (unsigned i = rdata_compressible(type, rdata, offsets); i-- > 0;)
        invariant(dname_check(rdata + offsets[i], length - offsets[i]) > 0);
    if (rdata_has_target(type) && rdata_target(type, rdata, &target) && target.length)
        invariant(dname_check(target.name, DNAME_MAX) == target.length &&
                  target.offset + target.length <= length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size - 2 > RDATA_MAX)
        return 0;
    uint16_t type = (uint16_t)(data[0] << 8 | data[1]), length = (uint16_t)(size - 2);
    if (dns_type_is_meta(type))
        return 0;
    uint8_t *rdata = mem_new(size - 2 + (size == 2), 1); /* reads past it are seen */
    memcpy(rdata, data + 2, length);
    if (rdata_lower(type, rdata, length)) {
        invariant(rdata_check(type, rdata, length));
        look(type, rdata, length);
        text_try(type, rdata, length);
    } else { /* it is told as bytes */
        struct text out = text_init(1 << 20);
        rdata_format(type, rdata, length, &out);
        invariant(!strncmp(text_string(&out), "\\# ", 3));
        text_done(&out);
    }
    free(rdata);
    return 0;
}
