/* For tests of compiled zones: making one from text, and a slow decoder of messages that shares no
 * code with what draws the images. */
#pragma once

#include "base/err.h"
#include "model/zone_compile.h"
#include "wire/dns.h"
#include "wire/rdata_fixture.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    uint8_t *data;
    size_t size;
    struct zone zone;
};

static inline struct fixture fixture_steered(const char *text, const char *const *steered,
                                             unsigned count)
{
    uint8_t names[16][DNAME_MAX];
    const uint8_t *list[16];
    struct text problems = text_init(1 << 20);
    struct fixture f;

    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_gt(dname_parse(steered[i], strlen(steered[i]), NULL, names[i]), 0);
        list[i] = names[i];
    }
    int err = zone_compile("example.com", "z", text, strlen(text), list, count, NULL, NULL,
                           &problems, &f.data, &f.size);
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    text_done(&problems);
    return f;
}

static inline struct fixture fixture_new(const char *text)
{
    return fixture_steered(text, NULL, 0);
}

static inline void fixture_done(struct fixture *f)
{
    free(f->data);
}

static inline const struct zone_node *fixture_node(const struct fixture *f, const char *name)
{
    uint8_t wire[DNAME_MAX];
    int length = dname_parse(name, strlen(name), f->zone.header->origin, wire);
    ck_assert_int_gt(length, 0);
    return zone_find(&f->zone, wire, (size_t)length, dname_hash(wire, (size_t)length));
}

/* ---- the slow decoder ---- */

/* A message made by hand: 12 zero bytes, the question, the image with its fix-ups added. */
struct message {
    uint8_t bytes[66000];
    size_t length;
};

static inline void message_make(struct message *m, const struct fixture *f,
                                const struct zone_image *image, const char *question)
{
    uint8_t name[DNAME_MAX];
    int length = dname_parse(question, strlen(question), f->zone.header->origin, name);
    ck_assert_int_gt(length, 0);
    memset(m->bytes, 0, 12);
    memcpy(m->bytes + 12, name, (size_t)length);
    memset(m->bytes + 12 + length, 0, 4);
    size_t start = 16 + (size_t)length;
    memcpy(m->bytes + start, zone_image_bytes(image), image->length);
    for (unsigned i = 0; i < image->fixup_count; i++) {
        uint8_t *p = m->bytes + start + zone_image_fixups(image)[i];
        unsigned word = p[0] * 256u + p[1] + (unsigned)length - f->zone.header->origin_length;
        p[0] = (uint8_t)(word >> 8);
        p[1] = (uint8_t)word;
    }
    m->length = start + image->length;
}

/* Reads a name at *at, following pointers, which must lead strictly backwards. */
static inline size_t message_name(const struct message *m, size_t *at, uint8_t *out)
{
    size_t position = *at, used = 0, barrier = position;
    bool jumped = false;

    for (;;) {
        ck_assert_uint_lt(position, m->length);
        uint8_t length = m->bytes[position];
        if (length >= 0xc0) {
            size_t to = (length & 0x3fu) * 256u + m->bytes[position + 1];
            ck_assert_uint_lt(to, barrier);
            ck_assert_uint_ge(to, 12);
            if (!jumped)
                *at = position + 2;
            jumped = true;
            position = barrier = to;
            continue;
        }
        ck_assert_uint_lt(length, 64);
        ck_assert_uint_le(used + length + 1, DNAME_MAX);
        memcpy(out + used, m->bytes + position, length + 1u);
        used += length + 1u;
        position += length + 1u;
        if (!length)
            break;
    }
    if (!jumped)
        *at = position;
    return used;
}

static inline unsigned message_u16(const struct message *m, size_t at)
{
    ck_assert_uint_le(at + 2, m->length);
    return m->bytes[at] * 256u + m->bytes[at + 1];
}

/* Data with its names taken apart, for the types of RFC 1035 that may hold compressed ones. */
static inline size_t message_rdata(const struct message *m, unsigned type, size_t at, size_t length,
                                   uint8_t *out)
{
    size_t end = at + length, used = 0, names = 0, fixed = 0;

    if (type == DNS_NS || type == DNS_CNAME || type == DNS_PTR)
        names = 1;
    else if (type == DNS_SOA)
        names = 2;
    else if (type == DNS_MX)
        names = 1, fixed = 2;
    memcpy(out, m->bytes + at, fixed);
    used += fixed;
    at += fixed;
    for (; names; names--)
        used += message_name(m, &at, out + used);
    ck_assert_uint_le(at, end);
    memcpy(out + used, m->bytes + at, end - at);
    return used + end - at;
}

/* Appends "name ttl TYPE data\n" and moves *at behind the record. */
static inline void message_record(const struct message *m, size_t *at, struct text *out)
{
    uint8_t name[DNAME_MAX], data[66000];
    char text[DNAME_TEXT_MAX], type_text[DNS_TYPE_TEXT_MAX];

    message_name(m, at, name);
    unsigned type = message_u16(m, *at);
    ck_assert_uint_eq(message_u16(m, *at + 2), DNS_IN);
    unsigned ttl = message_u16(m, *at + 4) * 65536u + message_u16(m, *at + 6);
    size_t length = message_u16(m, *at + 8);
    ck_assert_uint_le(*at + 10 + length, m->length);
    length = message_rdata(m, type, *at + 10, length, data);
    *at += 10 + message_u16(m, *at + 8);
    text_appendf(out, "%s %u %s ", dname_format(name, text), ttl,
                 dns_type_format((uint16_t)type, type_text));
    rdata_format((uint16_t)type, data, (uint16_t)length, out);
    text_append(out, "\n");
}

/* The image as it is answered to a question: sections after "--" lines where they hold something.
 */
static inline void image_decode(const struct fixture *f, const struct zone_image *image,
                                const char *question, struct text *out)
{
    static struct message m;

    message_make(&m, f, image, question);
    size_t at = m.length - image->length, start = at;
    for (unsigned i = 0; i < image->answers; i++)
        message_record(&m, &at, out);
    if (image->authorities)
        text_append(out, "-- authority\n");
    for (unsigned i = 0; i < image->authorities; i++)
        message_record(&m, &at, out);
    ck_assert_uint_eq(at - start, image->required);
    if (image->additionals)
        text_append(out, "-- additional\n");
    for (unsigned i = 0; i < image->additionals; i++)
        message_record(&m, &at, out);
    ck_assert_uint_eq(at, m.length);
}
