/* For tests: a DNS message as text, read by code that shares nothing with what wrote it and trusts
 * nothing.
 *
 *   NOERROR qr aa rd
 *   qd www.example.com A
 *   an www.example.com 300 A 192.0.2.1
 *   ns example.com 3600 SOA ns1.example.com host.example.com 1 2 3 4 5
 *   opt 1232 do subnet 1/24/16 10.1.2.0
 *
 * Names keep their case; the root is ".". */
#pragma once

#include "base/ip.h"
#include "base/text.h"
#include "wire/dns.h"
#include <stdio.h>
#include <string.h>

struct message {
    const uint8_t *data;
    size_t length, at;
    const char *wrong; /* what is malformed; NULL while all is well */
    struct text *out;
};

static inline unsigned message_u8(struct message *m)
{
    if (m->at >= m->length) {
        m->wrong = "it ends too early";
        return 0;
    }
    return m->data[m->at++];
}

static inline unsigned message_u16(struct message *m)
{
    unsigned high = message_u8(m);
    return high << 8 | message_u8(m);
}

static inline unsigned message_u32(struct message *m)
{
    unsigned high = message_u16(m);
    return high << 16 | message_u16(m);
}

/* Pointers must lead strictly back, and the whole must not be longer than a name can be. */
static inline void message_name(struct message *m)
{
    size_t at = m->at, total = 1, limit = m->at; /* the root is counted twice below */
    bool jumped = false, any = false;
    for (;;) {
        if (at >= m->length) {
            m->wrong = "a name ends too early";
            return;
        }
        unsigned b = m->data[at];
        if (b >= 0xc0) {
            size_t to = at + 1 < m->length ? (size_t)((b & 0x3f) << 8 | m->data[at + 1]) : SIZE_MAX;
            if (to >= limit || to < DNS_HEADER_SIZE) {
                m->wrong = "a compression pointer does not lead back";
                return;
            }
            if (!jumped)
                m->at = at + 2;
            jumped = true;
            at = limit = to;
            continue;
        }
        if (b > 63 || (total += b + 1) > 256 || at + 1 + b > m->length) {
            m->wrong = "a label is too long";
            return;
        }
        if (!b)
            break;
        text_appendf(m->out, "%s", any ? "." : "");
        for (unsigned i = 0; i < b; i++) {
            unsigned char c = m->data[at + 1 + i];
            text_appendf(m->out, c > ' ' && c < 127 && c != '.' && c != '\\' ? "%c" : "\\%03u", c);
        }
        any = true;
        at += b + 1;
    }
    if (!any)
        text_append(m->out, ".");
    if (!jumped)
        m->at = at + 1;
}

static inline const char *message_type(unsigned type, char buffer[static 16])
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{1, "A"},   {2, "NS"},    {5, "CNAME"}, {6, "SOA"},  {12, "PTR"},
                 {15, "MX"}, {16, "TXT"},  {28, "AAAA"}, {33, "SRV"}, {39, "DNAME"},
                 {43, "DS"}, {255, "ANY"}, {257, "CAA"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].name;
    snprintf(buffer, 16, "TYPE%u", type);
    return buffer;
}

static inline void message_numbers(struct message *m, unsigned count, bool wide)
{
    while (count--)
        text_appendf(m->out, " %u", wide ? message_u32(m) : message_u16(m));
}

static inline void message_rdata(struct message *m, unsigned type, size_t end)
{
    char buffer[IP_TEXT_MAX];
    struct ip ip = {.family = type == DNS_AAAA ? IP_V6 : IP_V4};
    size_t size = end - m->at;
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        if (size != ip_size(&ip)) {
            m->wrong = "an address of the wrong size";
            return;
        }
        memcpy(ip.bytes, m->data + m->at, size);
        m->at = end;
        text_appendf(m->out, " %s", ip_format(&ip, buffer));
        return;
    case DNS_SOA:
        text_append(m->out, " ");
        message_name(m);
        text_append(m->out, " ");
        message_name(m);
        message_numbers(m, 5, true);
        return;
    case DNS_MX:
    case DNS_SRV:
        message_numbers(m, type == DNS_MX ? 1 : 3, false);
        /* fall through */
    case DNS_NS:
    case DNS_CNAME:
    case DNS_DNAME:
    case DNS_PTR:
        text_append(m->out, " ");
        message_name(m);
        return;
    default:
        text_append(m->out, " ");
        while (m->at < end && !m->wrong)
            text_appendf(m->out, "%02x", message_u8(m));
    }
}

static inline void message_options(struct message *m, size_t end)
{
    while (m->at < end && !m->wrong) {
        unsigned code = message_u16(m), size = message_u16(m);
        size_t option_end = m->at + size;
        if (code == DNS_OPTION_CLIENT_SUBNET && size >= 4) {
            unsigned family = message_u16(m), source = message_u8(m);
            struct ip ip = {.family = family == 2 ? IP_V6 : IP_V4};
            char buffer[IP_TEXT_MAX];
            unsigned scope = message_u8(m);
            for (unsigned i = 0; m->at < option_end && i < 16 && !m->wrong; i++)
                ip.bytes[i] = (uint8_t)message_u8(m);
            text_appendf(m->out, " subnet %u/%u/%u %s", family, source, scope,
                         ip_format(&ip, buffer));
        } else if (code == DNS_OPTION_EDE && size == 2) {
            text_appendf(m->out, " ede %u", message_u16(m));
        } else {
            text_appendf(m->out, " option %u ", code);
            while (m->at < option_end && m->at < end && !m->wrong)
                text_appendf(m->out, "%02x", message_u8(m));
        }
        if (m->at != option_end || option_end > end)
            m->wrong = "an option does not fill its length";
    }
}

static inline void message_record(struct message *m, const char *section)
{
    char buffer[16];
    size_t start = m->out->length;
    text_appendf(m->out, "%s ", section);
    message_name(m);
    unsigned type = message_u16(m), class = message_u16(m), ttl = message_u32(m);
    size_t end = message_u16(m);
    end += m->at;
    if (m->wrong || end > m->length) {
        m->wrong = "a record ends too early";
        return;
    }
    if (type == DNS_OPT) {
        m->out->length = start;
        text_appendf(m->out, "opt %u", class);
        if (ttl >> 16)
            text_appendf(m->out, " high %u", ttl >> 16);
        text_append(m->out, ttl & 0x8000 ? " do" : "");
        message_options(m, end);
    } else {
        text_appendf(m->out, " %u %s", ttl, message_type(type, buffer));
        if (class != DNS_IN)
            text_appendf(m->out, " class %u", class);
        message_rdata(m, type, end);
    }
    if (m->at != end && !m->wrong)
        m->wrong = "a record does not fill its length";
    text_append(m->out, "\n");
}

static inline void message_header(struct message *m, unsigned flags)
{
    static const char *const rcodes[16] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                           "NOTIMP",  "REFUSED", "YXDOMAIN"};
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = {{0x8000, " qr"}, {0x400, " aa"}, {0x200, " tc"}, {0x100, " rd"},
                {0x80, " ra"},   {0x40, " z"},   {0x20, " ad"},  {0x10, " cd"}};
    unsigned opcode = flags >> 11 & 15;
    text_append(m->out, rcodes[flags & 15] ? rcodes[flags & 15] : "RCODE?");
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        text_append(m->out, flags & bits[i].bit ? bits[i].name : "");
    if (opcode)
        text_appendf(m->out, " opcode %u", opcode);
    text_append(m->out, "\n");
}

/* Appends the text; NULL, or what is malformed. */
static inline const char *message_text(const uint8_t *data, size_t length, struct text *out)
{
    static const char *const sections[3] = {"an", "ns", "ad"};
    struct message m = {.data = data, .length = length, .out = out};
    char buffer[16];
    message_u16(&m);
    unsigned flags = message_u16(&m), questions = message_u16(&m), counts[3];
    for (int i = 0; i < 3; i++)
        counts[i] = message_u16(&m);
    if (m.wrong)
        return m.wrong;
    message_header(&m, flags);
    for (unsigned i = 0; i < questions && !m.wrong; i++) {
        text_append(out, "qd ");
        message_name(&m);
        text_appendf(out, " %s", message_type(message_u16(&m), buffer));
        unsigned class = message_u16(&m);
        if (class != DNS_IN)
            text_appendf(out, " class %u", class);
        text_append(out, "\n");
    }
    for (int s = 0; s < 3; s++)
        for (unsigned i = 0; i < counts[s] && !m.wrong; i++)
            message_record(&m, sections[s]);
    if (!m.wrong && m.at != length)
        m.wrong = "bytes after the last record";
    return m.wrong;
}
