/* For tests: the messages of a primary, from a few words. */
#pragma once

#include "base/bytes.h"
#include "transfer/inbound.h"
#include "wire/dns.h"
#include "wire/rdata_fixture.h"
#include <check.h>
#include <stdio.h>

enum { FIXTURE_ID = 0x1234, FIXTURE_NOW = 1700000000, FIXTURE_MESSAGE_MAX = 8192 };

static const uint8_t fixture_zone[] = "\7example\3com";

struct fixture_message {
    uint8_t wire[FIXTURE_MESSAGE_MAX];
    size_t length;
};

static inline void fixture_record(struct fixture_message *m, const char *owner, uint16_t type,
                                  const char *data)
{
    uint8_t name[DNAME_MAX], rdata[RDATA_MAX];
    uint16_t length;
    ck_assert_int_gt(dname_parse(owner, strlen(owner), fixture_zone, name), 0);
    ck_assert_int_eq(rdata_from_text(type, data, strlen(data), fixture_zone, rdata, &length), 0);
    struct writer w = writer_init(m->wire, sizeof m->wire);
    w.position = m->length;
    writer_bytes(&w, name, dname_length(name));
    writer_u16(&w, type);
    writer_u16(&w, DNS_IN);
    writer_u32(&w, 300);
    writer_u16(&w, length);
    writer_bytes(&w, rdata, length);
    ck_assert(!w.failed);
    m->length = w.position;
    m->wire[7]++; /* answers */
}

static inline struct fixture_message fixture_begin(uint16_t question)
{
    struct fixture_message m;
    struct writer w = writer_init(m.wire, sizeof m.wire);
    writer_u16(&w, FIXTURE_ID);
    writer_u16(&w, DNS_FLAG_QR | DNS_FLAG_AA);
    writer_u16(&w, question != 0);
    writer_u16(&w, 0);
    writer_u32(&w, 0);
    if (question) {
        writer_bytes(&w, fixture_zone, sizeof fixture_zone);
        writer_u16(&w, question);
        writer_u16(&w, DNS_IN);
    }
    m.length = w.position;
    return m;
}

/* "S7" is the SOA with serial 7; "www" an A record; "TXT=x" a TXT at the apex; "www=192.0.2.9". */
static inline void fixture_word(struct fixture_message *m, const char *word)
{
    char text[256];
    const char *equals = strchr(word, '=');
    if (word[0] == 'S') {
        snprintf(text, sizeof text, "ns hostmaster %s 60 10 600 30", word + 1);
        fixture_record(m, "example.com.", DNS_SOA, text);
    } else if (!strncmp(word, "TXT=", 4)) {
        fixture_record(m, "example.com.", DNS_TXT, equals + 1);
    } else if (!strcmp(word, "NS")) {
        fixture_record(m, "example.com.", DNS_NS, "ns");
    } else {
        snprintf(text, sizeof text, "%.*s", equals ? (int)(equals - word) : 100, word);
        fixture_record(m, text, DNS_A, equals ? equals + 1 : "192.0.2.1");
    }
}

/* A message with the words, with spaces between, as its records. question: 0 = none. */
static inline struct fixture_message fixture_message(uint16_t question, const char *words)
{
    struct fixture_message m = fixture_begin(question);
    char word[128];
    int used;
    for (; sscanf(words, "%127s%n", word, &used) == 1; words += used)
        fixture_word(&m, word);
    return m;
}
