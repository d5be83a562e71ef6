/* A compiled zone from anybody, with its size and checksum set right so that the fuzzer gets past
 * them: zone_open refuses it, or everything in it can be used. Anything else is taken as a master
 * file: what compiles must open, and its dump must compile to the same bytes. */
#include "base/err.h"
#include "model/zone_compile.h"
#include "model/zone_walk_check.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_file(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* aligned as mapped files are */
    struct zone z;

    memcpy(copy, data, size);
    uint64_t length = size;
    memcpy(copy + offsetof(struct zone_header, size), &length, sizeof length);
    uint64_t sum = zone_checksum(copy, size);
    memcpy(copy + offsetof(struct zone_header, checksum), &sum, sizeof sum);
    int err = zone_open(copy, size, &z);
    for (uint32_t nodes = 1; nodes < 8; nodes += 2)
        invariant(walk_cut(copy, size, nodes) == err);
    if (!err)
        walk_zone(&z);
    free(copy);
}

static int compile(const char *text, size_t length, unsigned steered_count, uint8_t **ret_data,
                   size_t *ret_size)
{
    static const uint8_t steered[] = "\3api\7example\3com";
    const uint8_t *names[] = {steered};
    struct text problems = text_init(1 << 20);

    int err = zone_compile("example.com", "z", text, length, names, steered_count, NULL, NULL,
                           &problems, ret_data, ret_size);
    invariant(!err || problems.length);
    text_done(&problems);
    return err;
}

static int fuzz_text(const char *text, size_t length, unsigned steered_count)
{
    struct text out = text_init(1 << 24);
    uint8_t *data, *again;
    size_t size, again_size;
    struct zone z;

    int err = compile(text, length, steered_count, &data, &size);
    if (err < 0)
        return err;
    invariant(zone_open(data, size, &z) == 0);
    walk_zone(&z);
    zone_dump(&z, &out);
    invariant(compile(text_string(&out), out.length, steered_count, &again, &again_size) == 0);
    invariant(again_size == size && memcmp(again, data, size) == 0);
    free(data);
    free(again);
    text_done(&out);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= sizeof(struct zone_header) && memcmp(data, "HFZONE\r\n", 8) == 0)
        fuzz_file(data, size);
    else if (fuzz_text((const char *)data, size, 1)) /* a zone that came signed steers nothing */
        (void)fuzz_text((const char *)data, size, 0);
    return 0;
}
