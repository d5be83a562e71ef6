/* A master file from anybody. Every record that comes out must be well-formed, and its data must
 * survive the way to text and back; problems must be told, and only a bounded number. */
#include "base/invariant.h"
#include "wire/dname.h"
#include "wire/rdata_fixture.h"
#include "wire/zonefile.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t origin[] = "\7example\3com";

static const char *record(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                          uint32_t ttl, const uint8_t *rdata, uint16_t length, uint32_t line)
{
    static uint8_t again[RDATA_MAX];
    static unsigned count;
    struct text out = text_init(1 << 20);
    uint16_t again_length;

    (void)context;
    invariant(class == DNS_IN && ttl <= INT32_MAX && line > 0);
    invariant(dname_check(owner, DNAME_MAX) == (int)dname_length(owner));
    invariant(!dns_type_is_meta(type) && rdata_check(type, rdata, length));
    rdata_format(type, rdata, length, &out);
    invariant(!out.failed);
    invariant(rdata_from_text(type, text_string(&out), out.length, origin, again, &again_length) ==
              0);
    invariant(again_length == length && memcmp(again, rdata, length) == 0);
    text_done(&out);
    return ++count % 16 ? NULL : "refused now and then";
}

static int include(void *context, const char *path, const char **ret_data, size_t *ret_length)
{
    static const char text[] = "i 1 A 192.0.2.1\n$INCLUDE again\nj 1 A x\n";

    (void)context, (void)path;
    *ret_data = text;
    *ret_length = sizeof text - 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text problems = text_init(1 << 20);
    struct zonefile z = {"z", origin, record, include, NULL, NULL};
    unsigned lines = 0;

    int err = zonefile_parse(&z, (const char *)data, size, &problems);
    for (const char *c = text_string(&problems); *c; c++)
        lines += *c == '\n';
    invariant((err != 0) == (lines != 0) && lines <= ZONEFILE_PROBLEMS_MAX + 1);
    text_done(&problems);
    return 0;
}
