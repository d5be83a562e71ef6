/* The functions below that take their state from the caller: they want neither memory nor a lock,
 * so they may stand on the query path. OpenSSL would rather have its EVP functions used, which cost
 * half as much again with a context kept for each thread, and twice without; its one-call SHA1()
 * costs six times as much. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "wire/nsec3.h"
#include "base/invariant.h"
#include <openssl/sha.h>
#include <string.h>

static void salted(const void *data, size_t length, const uint8_t *salt, size_t salt_length,
                   uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    SHA_CTX state;

    int done = SHA1_Init(&state) && SHA1_Update(&state, data, length) &&
               SHA1_Update(&state, salt, salt_length) && SHA1_Final(ret_hash, &state);
    invariant(done); /* none of them fails */
}

void nsec3_hash(const uint8_t *name, size_t length, uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    salted(name, length, NULL, 0, ret_hash);
}

void nsec3_hash_salted(const uint8_t *name, size_t length, unsigned iterations, const uint8_t *salt,
                       size_t salt_length, uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    salted(name, length, salt, salt_length, ret_hash);
    for (; iterations; iterations--)
        salted(ret_hash, NSEC3_HASH_SIZE, salt, salt_length, ret_hash);
}

/* Eight letters of base32hex from 40 bits, the first in the lowest byte: halves are moved apart
 * until each byte holds five bits, and all bytes become letters together. */
static uint64_t letters_of(uint64_t bits)
{
    const uint64_t tens = 0x000003ff000003ffu, fives = 0x001f001f001f001fu,
                   ones = 0x0101010101010101u;

    bits = bits >> 20 | (bits & 0xfffff) << 32;
    bits = (bits >> 10 & tens) | (bits & tens) << 16;
    bits = (bits >> 5 & fives) | (bits & fives) << 8;
    uint64_t beyond_nine = (bits + (128 - 10) * ones) >> 7 & ones;
    return bits + '0' * ones + ('a' - '9' - 1) * beyond_nine;
}

void nsec3_label(const uint8_t hash[static NSEC3_HASH_SIZE],
                 uint8_t ret_label[static NSEC3_LABEL_SIZE])
{
    ret_label[0] = NSEC3_LABEL_SIZE - 1;
    for (unsigned i = 0; i < NSEC3_HASH_SIZE / 5; i++) {
        uint64_t bits = 0;
        for (unsigned k = 0; k < 5; k++)
            bits = bits << 8 | hash[i * 5 + k];
        bits = letters_of(bits);
        memcpy(ret_label + 1 + i * sizeof bits, &bits, sizeof bits);
    }
}

static int letter_value(uint8_t letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'a' && letter <= 'v' ? letter - 'a' + 10 : -1;
}

bool nsec3_label_read(const uint8_t label[static NSEC3_LABEL_SIZE],
                      uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    uint32_t bits = 0;
    unsigned count = 0, at = 0;

    if (label[0] != NSEC3_LABEL_SIZE - 1)
        return false;
    for (unsigned i = 1; i < NSEC3_LABEL_SIZE; i++) {
        int value = letter_value(label[i]);
        if (value < 0)
            return false;
        bits = bits << 5 | (unsigned)value;
        count += 5;
        if (count >= 8) {
            count -= 8;
            ret_hash[at++] = (uint8_t)(bits >> count);
        }
    }
    return true;
}
