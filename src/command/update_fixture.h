/* For tests of updates: messages from lines of text. */
#pragma once

#include "command/update.h"
#include "model/zone_held_fixture.h"

enum { UPDATE_MESSAGE_MAX = 60000 };

struct update_message {
    uint8_t bytes[UPDATE_MESSAGE_MAX];
    size_t length;
};

static inline void message_u16(struct update_message *m, unsigned v)
{
    m->bytes[m->length++] = (uint8_t)(v >> 8);
    m->bytes[m->length++] = (uint8_t)v;
}

static inline void message_begin(struct update_message *m)
{
    static const uint8_t head[DNS_HEADER_SIZE] = {0x12, 0x34, DNS_UPDATE << 3, 0, 0, 1};
    memcpy(m->bytes, head, sizeof head);
    m->length = sizeof head;
    memcpy(m->bytes + m->length, held_origin, sizeof held_origin);
    m->length += sizeof held_origin;
    message_u16(m, DNS_SOA);
    message_u16(m, DNS_IN);
}

/* "owner class ttl type [data]", class IN, ANY or NONE; owners relative to example.com. */
static inline void message_record(struct update_message *m, const char *line)
{
    char owner[128], class[8], type[16], data[512] = "";
    unsigned ttl;
    uint8_t rdata[RDATA_MAX];
    uint16_t number, length = 0;
    int n = sscanf(line, "%127s %7s %u %15s %511[^\n]", owner, class, &ttl, type, data);
    ck_assert_int_ge(n, 4);
    ck_assert_int_eq(dns_type_parse(type, strlen(type), &number), 0);
    int name = dname_parse(owner, strcmp(owner, "@") ? strlen(owner) : 0, held_origin,
                           m->bytes + m->length);
    if (!strcmp(owner, "@")) {
        memcpy(m->bytes + m->length, held_origin, sizeof held_origin);
        name = sizeof held_origin;
    }
    ck_assert_int_gt(name, 0);
    m->length += (size_t)name;
    message_u16(m, number);
    message_u16(m, class[0] == 'I' ? DNS_IN : class[0] == 'A' ? DNS_CLASS_ANY : DNS_CLASS_NONE);
    message_u16(m, ttl >> 16);
    message_u16(m, ttl & 0xffff);
    if (n == 5)
        ck_assert_int_eq(rdata_from_text(number, data, strlen(data), held_origin, rdata, &length),
                         0);
    message_u16(m, length);
    memcpy(m->bytes + m->length, rdata, length);
    m->length += length;
}

/* Lines of a section (6: prerequisites, 8: updates) and their count in the header. */
static inline void message_section(struct update_message *m, unsigned at, const char *lines)
{
    unsigned count = 0;
    for (; *lines; count++) {
        char line[600];
        size_t length = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, lines);
        message_record(m, line);
        lines += length + (lines[length] == '\n');
    }
    m->bytes[at] = (uint8_t)(count >> 8);
    m->bytes[at + 1] = (uint8_t)count;
}

static inline void update_message(struct update_message *m, const char *prerequisites,
                                  const char *updates)
{
    message_begin(m);
    message_section(m, 6, prerequisites);
    message_section(m, 8, updates);
}
