/* Times in master files: seconds, or with units (1h30m, 2d, 1w), as every name server reads them.
 */
#pragma once

#include "base/attr.h"
#include <stddef.h>
#include <stdint.h>

enum { TTL_MAX = 2147483647 }; /* RFC 2181 8 */

/* 0, ERR_SYNTAX, or ERR_LIMIT past 2^32 - 1 (TTLs proper are further limited to TTL_MAX). */
must_check int ttl_parse(const char *text, size_t length, uint32_t *ret_s);
