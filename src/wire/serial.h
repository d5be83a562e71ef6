/* Serial numbers that wrap (RFC 1982). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Is `a` later than `b`? Where they lie exactly half the circle apart neither is (3.2). */
static inline bool serial_newer(uint32_t a, uint32_t b)
{
    return a != b && a - b < UINT32_C(0x80000000);
}
