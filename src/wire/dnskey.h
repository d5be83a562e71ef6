/* DNSKEY data (RFC 4034 2). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* RFC 4034 B: what RRSIG and DS records call the key by. */
static inline uint16_t dnskey_tag(const uint8_t *rdata, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
    sum += sum >> 16 & 0xffff;
    return (uint16_t)sum;
}
