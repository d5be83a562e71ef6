/* SHA-1 (FIPS 180-4), for the hashed names of RFC 5155 alone: there it spreads and hides names, and
 * nothing rests on its strength. Our own because the query path takes no lock and no memory, which
 * a library's digest context wants. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20 };

void sha1(const void *data, size_t length, uint8_t ret_hash[static SHA1_SIZE]);
