#include "observe/icmp.h"

#include "base/bytes.h"
#include <string.h>

enum {
    V4_REPLY = 0,
    V4_UNREACHABLE = 3,
    V4_REQUEST = 8,
    V4_TIME_EXCEEDED = 11,
    V4_PARAMETER = 12,
    V6_UNREACHABLE = 1,
    V6_TIME_EXCEEDED = 3,
    V6_PARAMETER = 4,
    V6_REQUEST = 128,
    V6_REPLY = 129,
    PROTOCOL_V4 = 1,
    PROTOCOL_V6 = 58,
    V4_HEADER_MIN = 20,
    V6_HEADER = 40,
};

/* The Internet checksum (RFC 1071); 0 over a message that carries a right one. */
static uint16_t checksum(const uint8_t *data, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    if (length % 2)
        sum += (uint32_t)data[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void icmp_echo_write(enum ip_family family, const struct icmp_echo *echo,
                     uint8_t ret_packet[static ICMP_ECHO_SIZE])
{
    struct writer w = writer_init(ret_packet, ICMP_ECHO_SIZE);
    writer_u8(&w, family == IP_V6 ? V6_REQUEST : V4_REQUEST);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, echo->identifier);
    writer_u16(&w, echo->sequence);
    writer_bytes(&w, &echo->secret, sizeof echo->secret);
    writer_u32(&w, echo->slot);
    writer_u32(&w, echo->serial);
    if (family == IP_V6)
        return;
    uint16_t sum = checksum(ret_packet, ICMP_ECHO_SIZE);
    ret_packet[2] = (uint8_t)(sum >> 8);
    ret_packet[3] = (uint8_t)sum;
}

/* What follows type, code and checksum of an echo request or reply; the cookie may be cut off. */
static bool echo_read(struct reader *r, struct icmp_echo *ret)
{
    struct icmp_echo e = {.identifier = reader_u16(r), .sequence = reader_u16(r)};
    if (r->failed)
        return false;
    if (reader_left(r) >= ICMP_COOKIE_SIZE) {
        e.has_cookie = true;
        memcpy(&e.secret, reader_take(r, sizeof e.secret), sizeof e.secret);
        e.slot = reader_u32(r);
        e.serial = reader_u32(r);
    }
    *ret = e;
    return true;
}

bool icmp_request_read(enum ip_family family, const void *data, size_t length,
                       struct icmp_echo *ret_echo)
{
    struct reader r = reader_init(data, length);
    uint8_t type = reader_u8(&r);
    reader_take(&r, 3);
    return !r.failed && type == (family == IP_V6 ? V6_REQUEST : V4_REQUEST) &&
           echo_read(&r, ret_echo);
}

/* An IPv4 header with ICMP behind it: the reader then stands at the message, without what the link
 * may have padded. */
static bool v4_header_read(struct reader *r, bool cut, struct ip *ret_to)
{
    const uint8_t *h = reader_take(r, V4_HEADER_MIN);
    if (!h || h[0] >> 4 != 4 || h[9] != PROTOCOL_V4)
        return false;
    size_t size = (size_t)(h[0] & 15) * 4, total = (size_t)h[2] << 8 | h[3];
    bool fragment = (h[6] & 0x1f) || h[7]; /* not the first: no ICMP header in it */
    if (size < V4_HEADER_MIN || total < size || fragment || !reader_take(r, size - V4_HEADER_MIN))
        return false;
    size_t behind = total - size;
    if (!cut && behind > reader_left(r))
        return false;
    if (behind < reader_left(r))
        r->length = r->position + behind;
    *ret_to = (struct ip){.family = IP_V4};
    memcpy(ret_to->bytes, h + 16, 4);
    return true;
}

static bool v6_header_read(struct reader *r, struct ip *ret_to)
{
    const uint8_t *h = reader_take(r, V6_HEADER);
    if (!h || h[0] >> 4 != 6 || h[6] != PROTOCOL_V6)
        return false;
    *ret_to = (struct ip){.family = IP_V6};
    memcpy(ret_to->bytes, h + 24, 16);
    return true;
}

static bool type_is_error(enum ip_family family, uint8_t type)
{
    if (family == IP_V6)
        return type == V6_UNREACHABLE || type == V6_TIME_EXCEEDED || type == V6_PARAMETER;
    return type == V4_UNREACHABLE || type == V4_TIME_EXCEEDED || type == V4_PARAMETER;
}

enum icmp_kind icmp_read(enum ip_family family, bool header, const void *data, size_t length,
                         struct icmp_echo *ret_echo, struct ip *ret_to)
{
    struct reader r = reader_init(data, length);
    struct ip to;
    struct icmp_echo echo;
    if (header && !v4_header_read(&r, false, &to))
        return ICMP_FOREIGN;
    if (family == IP_V4 && checksum(r.data + r.position, reader_left(&r)) != 0)
        return ICMP_FOREIGN;
    uint8_t type = reader_u8(&r);
    reader_take(&r, 3);
    if (type == (family == IP_V6 ? V6_REPLY : V4_REPLY)) {
        if (r.failed || !echo_read(&r, &echo) || !echo.has_cookie)
            return ICMP_FOREIGN;
        *ret_echo = echo;
        return ICMP_REPLY;
    }
    reader_take(&r, 4);
    if (r.failed || !type_is_error(family, type))
        return ICMP_FOREIGN;
    if (!(family == IP_V6 ? v6_header_read(&r, &to) : v4_header_read(&r, true, &to)))
        return ICMP_FOREIGN;
    if (!icmp_request_read(family, r.data + r.position, reader_left(&r), &echo))
        return ICMP_FOREIGN;
    *ret_echo = echo;
    *ret_to = to;
    return ICMP_UNREACHABLE;
}
