#include "wire/ttl.h"
#include "base/err.h"

static uint32_t unit_seconds(char c)
{
    switch (c | 0x20) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 604800;
    default:
        return 0;
    }
}

int ttl_parse(const char *text, size_t length, uint32_t *ret_s)
{
    uint64_t total = 0, part = 0;
    size_t digits = 0, units = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)(text[i] - '0');
        if (digit < 10) {
            part = part * 10 + digit;
            digits++;
        } else {
            uint32_t seconds = unit_seconds(text[i]);
            if (!seconds || !digits)
                return ERR_SYNTAX;
            total += part * seconds;
            part = digits = 0;
            units++;
        }
        if (part > UINT32_MAX || total > UINT32_MAX)
            return ERR_LIMIT;
    }
    /* A number without a unit after one with ("1h30") could mean anything. */
    if ((digits && units) || (!digits && !units))
        return ERR_SYNTAX;
    *ret_s = (uint32_t)(total + part);
    return 0;
}
