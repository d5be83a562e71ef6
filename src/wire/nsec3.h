/* Hashed names (RFC 5155) as RFC 9276 wants them: SHA-1, no further iterations, no salt. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { NSEC3_HASH_SIZE = 20, NSEC3_LABEL_SIZE = 33 };

/* name: lower wire form (RFC 5155 5). */
void nsec3_hash(const uint8_t *name, size_t length, uint8_t ret_hash[static NSEC3_HASH_SIZE]);
/* The first label of the owner: its length and 32 letters of base32hex, lower. */
void nsec3_label(const uint8_t hash[static NSEC3_HASH_SIZE],
                 uint8_t ret_label[static NSEC3_LABEL_SIZE]);
