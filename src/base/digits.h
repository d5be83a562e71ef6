/* What a character stands for where bytes are written as text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hexadecimal; -1: it is no digit. */
static inline int hex_digit(char c)
{
    if ((unsigned char)(c - '0') < 10)
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `count` bytes of twice as many digits; false: one of them is none, and ret holds part of it. */
static inline bool hex_bytes(const char *text, size_t count, uint8_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Of base64 (RFC 4648 4); -1: it is no digit, as '=' is none. */
static inline int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}
