#include "wire/proxy2.h"
#include "base/err.h"
#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum {
    AT_COMMAND = 12,
    AT_FAMILY = 13,
    AT_LENGTH = 14,
    VERSION = 2,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    FAMILY_NONE = 0,
    FAMILY_V4 = 1,
    FAMILY_V6 = 2,
    TRANSPORTS = 3, /* none said, stream, datagram */
};

/* Source, destination, and a port for each. */
static int addresses_parse(const uint8_t *p, size_t length, unsigned family, struct proxy2 *ret)
{
    size_t size = family == FAMILY_V4 ? 4 : 16;
    if (length < 2 * size + 4)
        return ERR_SYNTAX;
    ret->speaks_for = true;
    ret->client.family = family == FAMILY_V4 ? IP_V4 : IP_V6;
    memcpy(ret->client.bytes, p, size);
    ret->port = (uint16_t)(p[2 * size] << 8 | p[2 * size + 1]);
    return 0;
}

int proxy2_parse(const uint8_t *data, size_t length, struct proxy2 *ret)
{
    struct proxy2 found = {.speaks_for = false};
    size_t known = length < sizeof signature ? length : sizeof signature;
    if (memcmp(data, signature, known) != 0)
        return ERR_SYNTAX;
    if (length < PROXY2_HEAD)
        return ERR_TRUNCATED;
    unsigned command = data[AT_COMMAND] & 15, family = data[AT_FAMILY] >> 4;
    size_t rest = (size_t)(data[AT_LENGTH] << 8 | data[AT_LENGTH + 1]);
    if (data[AT_COMMAND] >> 4 != VERSION || command > COMMAND_PROXY || family > FAMILY_V6 ||
        (data[AT_FAMILY] & 15) >= TRANSPORTS || rest > PROXY2_MAX - PROXY2_HEAD)
        return ERR_SYNTAX;
    if (length - PROXY2_HEAD < rest)
        return ERR_TRUNCATED;
    int err = command == COMMAND_LOCAL || family == FAMILY_NONE
                  ? 0
                  : addresses_parse(data + PROXY2_HEAD, rest, family, &found);
    found.length = PROXY2_HEAD + rest;
    if (!err)
        *ret = found;
    return err;
}
