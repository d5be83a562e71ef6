#include "base/ip.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int ip_parse(const char *string, struct ip *ret)
{
    struct ip ip = {.family = strchr(string, ':') ? IP_V6 : IP_V4};
    if (inet_pton(ip.family == IP_V6 ? AF_INET6 : AF_INET, string, ip.bytes) != 1)
        return ERR_SYNTAX;
    *ret = ip;
    return 0;
}

char *ip_format(const struct ip *ip, char buffer[static IP_TEXT_MAX])
{
    const char *text =
        inet_ntop(ip->family == IP_V6 ? AF_INET6 : AF_INET, ip->bytes, buffer, IP_TEXT_MAX);
    invariant(text != NULL);
    return buffer;
}

struct ip ip_mask(const struct ip *ip, unsigned length)
{
    struct ip masked = *ip;
    for (unsigned i = 0; i < sizeof masked.bytes; i++) {
        unsigned kept = length > i * 8 ? length - i * 8 : 0;
        if (kept < 8)
            masked.bytes[i] = (uint8_t)(masked.bytes[i] & ~(0xffu >> kept));
    }
    return masked;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, ip_size(a));
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip *ip)
{
    if (p->ip.family != ip->family)
        return false;
    unsigned whole = p->length / 8, rest = p->length % 8;
    if (memcmp(p->ip.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((p->ip.bytes[whole] ^ ip->bytes[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

int ip_prefix_parse(const char *string, struct ip_prefix *ret)
{
    const char *slash = strchr(string, '/');
    char address[IP_TEXT_MAX];
    if (!slash || (size_t)(slash - string) >= sizeof address)
        return ERR_SYNTAX;
    memcpy(address, string, (size_t)(slash - string));
    address[slash - string] = '\0';
    struct ip ip;
    int64_t length;
    if (ip_parse(address, &ip) || integer_parse(slash + 1, 0, ip_bits(&ip), &length))
        return ERR_SYNTAX;
    struct ip masked = ip_mask(&ip, (unsigned)length);
    if (!ip_equal(&ip, &masked))
        return ERR_INVALID;
    *ret = (struct ip_prefix){.ip = ip, .length = (uint8_t)length};
    return 0;
}

char *ip_prefix_format(const struct ip_prefix *p, char buffer[static IP_PREFIX_TEXT_MAX])
{
    char address[IP_TEXT_MAX];
    snprintf(buffer, IP_PREFIX_TEXT_MAX, "%s/%u", ip_format(&p->ip, address), p->length);
    return buffer;
}

int ip_port_parse(const char *string, struct ip *ret_ip, uint16_t *ret_port)
{
    bool bracket = string[0] == '[';
    const char *start = string + bracket, *end = strrchr(string, ':');
    if (!end || end == string || (bracket && end[-1] != ']'))
        return ERR_SYNTAX;
    size_t length = (size_t)(end - start) - bracket;
    char address[IP_TEXT_MAX];
    if (end - bracket < start || length >= sizeof address)
        return ERR_SYNTAX;
    memcpy(address, start, length);
    address[length] = '\0';
    struct ip ip;
    int64_t port;
    if (ip_parse(address, &ip) || integer_parse(end + 1, 0, UINT16_MAX, &port))
        return ERR_SYNTAX;
    /* Without brackets "::1:53" has two readings. */
    if (bracket != (ip.family == IP_V6))
        return ERR_SYNTAX;
    *ret_ip = ip;
    *ret_port = (uint16_t)port;
    return 0;
}

char *ip_port_format(const struct ip *ip, uint16_t port, char buffer[static IP_PORT_TEXT_MAX])
{
    char address[IP_TEXT_MAX];
    snprintf(buffer, IP_PORT_TEXT_MAX, ip->family == IP_V6 ? "[%s]:%u" : "%s:%u",
             ip_format(ip, address), port);
    return buffer;
}
