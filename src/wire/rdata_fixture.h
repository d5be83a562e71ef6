/* For tests and fuzz targets: record data from a text of its own. */
#pragma once

#include "base/err.h"
#include "wire/rdata.h"

/* "10 mail.example.com." -> bytes: 0 or ERR_SYNTAX; a second line is refused too. */
static inline int rdata_from_text(uint16_t type, const char *text, size_t length,
                                  const uint8_t *origin, uint8_t ret_data[static RDATA_MAX],
                                  uint16_t *ret_length)
{
    struct lexer l = lexer_init(text, length);
    struct rdata_problem problem;
    uint16_t used;

    if (rdata_parse(&l, type, origin, ret_data, &used, &problem) < 0)
        return ERR_SYNTAX;
    while (l.token == TOKEN_NEWLINE)
        lexer_next(&l);
    if (l.token != TOKEN_END)
        return ERR_SYNTAX;
    *ret_length = used;
    return 0;
}
