#include "wire/nsec3.h"
#include "base/sha1.h"

void nsec3_hash(const uint8_t *name, size_t length, uint8_t ret_hash[static NSEC3_HASH_SIZE])
{
    sha1(name, length, ret_hash);
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
