#include "wire/packet.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/ip.h"
#include <stdbool.h>
#include <string.h>

enum {
    ETHERTYPE_AT = 12,
    ETHERTYPE_V4 = 0x0800,
    ETHERTYPE_V6 = 0x86dd,
    IP_AT = PACKET_ETHERNET_SIZE,
    PROTOCOL_UDP = 17,
    V4_VERSION_LENGTH = 0x45, /* version 4, five words: no options */
    V4_FRAGMENT = 0x3fff,     /* "more fragments" and the offset */
    V4_SOURCE = 12,
    V4_TARGET = 16, /* in the header */
    V6_SOURCE = 8,
    V6_TARGET = 24,
    UDP_CHECKSUM = 6,
};

static unsigned u16_read(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void u16_write(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* ---- checksums ---- */

static uint16_t sum_fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & UINT32_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    return (uint16_t)((sum >> 16) + (sum & UINT16_MAX));
}

/* The Internet checksum's sum (RFC 1071), not complemented, in memory's own byte order; `sum` is
 * what came before, an even number of bytes. Words of 32 bits go into 64 (RFC 1071 2: any width,
 * any byte order, carries come last), 16 bytes a turn. */
static uint16_t sum_add(const uint8_t *data, size_t length, uint64_t sum)
{
    uint32_t words[4];
    for (; length >= sizeof words; data += sizeof words, length -= sizeof words) {
        memcpy(words, data, sizeof words);
        sum += (uint64_t)words[0] + words[1] + words[2] + words[3];
    }
    memset(words, 0, sizeof words);
    memcpy(words, data, length);
    return sum_fold(sum + words[0] + words[1] + words[2] + words[3]);
}

/* Of the pseudo-header (RFC 768, RFC 8200 8.1): both addresses lie side by side. */
static uint16_t sum_pseudo(const uint8_t *addresses, size_t size, uint16_t udp_length)
{
    uint8_t words[4] = {0, PROTOCOL_UDP, 0, 0};
    u16_write(words + 2, udp_length);
    return sum_add(words, sizeof words, sum_add(addresses, size, 0));
}

/* ---- reading ---- */

/* Unicast, and not of this very host: to all else an answer would be a weapon or a mistake (RFC
 * 1122 3.2.1.3). */
static bool source_answerable(const struct packet *p)
{
    static const uint8_t zeros[15];
    const uint8_t *a = p->source;
    if (!p->source_port)
        return false;
    if (p->family == IP_V4)
        return a[0] != 0 && a[0] != 127 && a[0] < 224;
    return a[0] != 0xff && (memcmp(a, zeros, sizeof zeros) != 0 || a[15] > 1);
}

static int v4_read(const uint8_t *frame, size_t length, struct packet *p, size_t *ret_udp_length)
{
    const uint8_t *ip = frame + IP_AT;
    if (length < PACKET_HEAD_V4)
        return ERR_TRUNCATED;
    if (ip[0] != V4_VERSION_LENGTH || ip[9] != PROTOCOL_UDP || (u16_read(ip + 6) & V4_FRAGMENT))
        return ERR_INVALID;
    size_t total = u16_read(ip + 2);
    if (total < PACKET_IPV4_SIZE + PACKET_UDP_SIZE || total > length - IP_AT)
        return ERR_TRUNCATED;
    if (sum_add(ip, PACKET_IPV4_SIZE, 0) != UINT16_MAX)
        return ERR_CHECKSUM;
    p->source = ip + V4_SOURCE;
    p->destination = ip + V4_TARGET;
    p->family = IP_V4;
    p->head_length = PACKET_HEAD_V4;
    *ret_udp_length = total - PACKET_IPV4_SIZE;
    return 0;
}

static int v6_read(const uint8_t *frame, size_t length, struct packet *p, size_t *ret_udp_length)
{
    const uint8_t *ip = frame + IP_AT;
    if (length < PACKET_HEAD_V6)
        return ERR_TRUNCATED;
    if (ip[0] >> 4 != 6 || ip[6] != PROTOCOL_UDP)
        return ERR_INVALID;
    size_t total = u16_read(ip + 4);
    if (total < PACKET_UDP_SIZE || total > length - IP_AT - PACKET_IPV6_SIZE)
        return ERR_TRUNCATED;
    p->source = ip + V6_SOURCE;
    p->destination = ip + V6_TARGET;
    p->family = IP_V6;
    p->head_length = PACKET_HEAD_V6;
    *ret_udp_length = total;
    return 0;
}

static bool checksum_right(const struct packet *p, const uint8_t *udp, uint16_t udp_length)
{
    uint16_t given;
    memcpy(&given, udp + UDP_CHECKSUM, sizeof given);
    if (!given)
        return p->family == IP_V4; /* RFC 768: none was made; IPv6 demands one */
    uint16_t pseudo = sum_pseudo(p->source, p->family == IP_V4 ? 8 : 32, udp_length);
    return sum_add(udp, udp_length, pseudo) == UINT16_MAX || given == pseudo;
}

int packet_parse(const uint8_t *frame, size_t length, struct packet *ret)
{
    struct packet p = {.frame = frame};
    size_t room;
    if (length < PACKET_HEAD_V4)
        return ERR_TRUNCATED;
    unsigned type = u16_read(frame + ETHERTYPE_AT);
    int err = type == ETHERTYPE_V4   ? v4_read(frame, length, &p, &room)
              : type == ETHERTYPE_V6 ? v6_read(frame, length, &p, &room)
                                     : ERR_INVALID;
    if (err)
        return err;
    const uint8_t *udp = frame + p.head_length - PACKET_UDP_SIZE;
    size_t udp_length = u16_read(udp + 4);
    if (udp_length < PACKET_UDP_SIZE || udp_length > room)
        return ERR_TRUNCATED;
    p.source_port = (uint16_t)u16_read(udp);
    p.destination_port = (uint16_t)u16_read(udp + 2);
    p.payload = udp + PACKET_UDP_SIZE;
    p.payload_length = (uint16_t)(udp_length - PACKET_UDP_SIZE);
    if (!source_answerable(&p))
        return ERR_INVALID;
    if (!checksum_right(&p, udp, (uint16_t)udp_length))
        return ERR_CHECKSUM;
    *ret = p;
    return 0;
}

/* ---- the reply ---- */

static void v4_write(const struct packet *query, uint8_t *ip, size_t udp_length,
                     uint16_t identification)
{
    memset(ip, 0, PACKET_IPV4_SIZE);
    ip[0] = V4_VERSION_LENGTH;
    u16_write(ip + 2, PACKET_IPV4_SIZE + udp_length);
    u16_write(ip + 4, identification);
    ip[8] = PACKET_HOPS;
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + V4_SOURCE, query->destination, 4);
    memcpy(ip + V4_TARGET, query->source, 4);
    uint16_t checksum = (uint16_t)~sum_add(ip, PACKET_IPV4_SIZE, 0);
    memcpy(ip + 10, &checksum, sizeof checksum);
}

static void v6_write(const struct packet *query, uint8_t *ip, size_t udp_length)
{
    memset(ip, 0, V6_SOURCE);
    ip[0] = 6 << 4;
    u16_write(ip + 4, udp_length);
    ip[6] = PROTOCOL_UDP;
    ip[7] = PACKET_HOPS;
    memcpy(ip + V6_SOURCE, query->destination, 16);
    memcpy(ip + V6_TARGET, query->source, 16);
}

size_t packet_reply(const struct packet *query, uint8_t *reply, size_t payload_length,
                    uint16_t identification)
{
    size_t udp_length = PACKET_UDP_SIZE + payload_length;
    uint8_t *ip = reply + IP_AT, *udp = reply + query->head_length - PACKET_UDP_SIZE;
    invariant(payload_length <= UINT16_MAX - PACKET_IPV6_SIZE - PACKET_UDP_SIZE);
    memcpy(reply, query->frame + PACKET_MAC_SIZE, PACKET_MAC_SIZE);
    memcpy(reply + PACKET_MAC_SIZE, query->frame, PACKET_MAC_SIZE);
    memcpy(reply + ETHERTYPE_AT, query->frame + ETHERTYPE_AT, 2);
    bool v4 = query->family == IP_V4;
    if (v4)
        v4_write(query, ip, udp_length, identification);
    else
        v6_write(query, ip, udp_length);
    u16_write(udp, query->destination_port);
    u16_write(udp + 2, query->source_port);
    u16_write(udp + 4, udp_length);
    u16_write(udp + UDP_CHECKSUM, 0);
    uint16_t pseudo =
        sum_pseudo(ip + (v4 ? V4_SOURCE : V6_SOURCE), v4 ? 8 : 32, (uint16_t)udp_length);
    uint16_t checksum = (uint16_t)~sum_add(udp, udp_length, pseudo);
    checksum = checksum ? checksum : UINT16_MAX; /* zero says: none was made */
    memcpy(udp + UDP_CHECKSUM, &checksum, sizeof checksum);
    return query->head_length + payload_length;
}
