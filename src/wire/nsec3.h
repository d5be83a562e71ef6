/* Hashed names (RFC 5155): SHA-1. What is signed here has no further iterations and no salt (RFC
 * 9276 3.1); zones that come signed may have both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 9276 3.2: validators take more than this for unsigned, or refuse it; hashing is paid for on
 * the query path. */
enum { NSEC3_ITERATIONS_MAX = 150 };
enum { NSEC3_HASH_SIZE = 20, NSEC3_LABEL_SIZE = 33, NSEC3_SALT_MAX = 255 };

/* name: lower wire form (RFC 5155 5). */
void nsec3_hash(const uint8_t *name, size_t length, uint8_t ret_hash[static NSEC3_HASH_SIZE]);
/* RFC 5155 5. salt: salt_length bytes, at most NSEC3_SALT_MAX. */
void nsec3_hash_salted(const uint8_t *name, size_t length, unsigned iterations, const uint8_t *salt,
                       size_t salt_length, uint8_t ret_hash[static NSEC3_HASH_SIZE]);
/* The first label of the owner: its length and 32 letters of base32hex, lower. */
void nsec3_label(const uint8_t hash[static NSEC3_HASH_SIZE],
                 uint8_t ret_label[static NSEC3_LABEL_SIZE]);
/* And back from the letters (lower) behind its length; false where they are no hash. */
bool nsec3_label_read(const uint8_t label[static NSEC3_LABEL_SIZE],
                      uint8_t ret_hash[static NSEC3_HASH_SIZE]);
