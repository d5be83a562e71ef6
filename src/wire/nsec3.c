#include "wire/nsec3.h"
#include "base/invariant.h"
#include "base/sha1.h"
#include "wire/dname.h"
#include <string.h>

void nsec3_hash(const uint8_t *name, size_t length, uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    sha1(name, length, ret_hash);
}

void nsec3_hash_salted(const uint8_t *name, size_t length, unsigned iterations, const uint8_t *salt,
                       size_t salt_length, uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    uint8_t input[DNAME_MAX + NSEC3_SALT_MAX];

    invariant(length <= DNAME_MAX && salt_length <= NSEC3_SALT_MAX);
    memcpy(input, name, length);
    memcpy(input + length, salt, salt_length);
    sha1(input, length + salt_length, ret_hash);
    memcpy(input + NSEC3_HASH_SIZE, salt, salt_length);
    for (; iterations; iterations--) {
        memcpy(input, ret_hash, NSEC3_HASH_SIZE);
        sha1(input, NSEC3_HASH_SIZE + salt_length, ret_hash);
    }
}

void nsec3_label(const uint8_t hash[static NSEC3_HASH_SIZE],
                 uint8_t ret_label[static NSEC3_LABEL_SIZE])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv";

    ret_label[0] = NSEC3_LABEL_SIZE - 1;
    for (unsigned i = 0; i < NSEC3_LABEL_SIZE - 1; i++) {
        unsigned bit = i * 5, byte = bit / 8;
        unsigned word =
            (unsigned)hash[byte] << 8 | (byte + 1 < NSEC3_HASH_SIZE ? hash[byte + 1] : 0);
        ret_label[1 + i] = (uint8_t)letters[word >> (11 - bit % 8) & 31];
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
