/* For tests of held zones: lists and content from "owner TTL type data" lines. */
#pragma once

#include "base/err.h"
#include "model/zone_held.h"
#include "wire/rdata_fixture.h"
#include <check.h>
#include <stdio.h>

static const uint8_t held_origin[] = "\7example\3com";

/* Appends lines; owners are relative to example.com unless they end with a dot. */
static inline void held_list_lines(struct held_list *l, const char *text)
{
    while (*text) {
        char owner[128], type[32], data[512];
        unsigned ttl;
        int used = 0;
        uint8_t name[DNAME_MAX], rdata[RDATA_MAX];
        uint16_t length, number;
        ck_assert_int_eq(sscanf(text, "%127s %u %31s %511[^\n]%n", owner, &ttl, type, data, &used),
                         4);
        const char *at = owner[0] == '@' ? "" : owner;
        if (*at)
            ck_assert_int_gt(dname_parse(at, strlen(at), held_origin, name), 0);
        else
            memcpy(name, held_origin, sizeof held_origin);
        ck_assert_int_eq(dns_type_parse(type, strlen(type), &number), 0);
        ck_assert_msg(!rdata_from_text(number, data, strlen(data), held_origin, rdata, &length),
                      "%s", data);
        ck_assert_int_eq(held_list_add(l, name, number, ttl, rdata, length), 0);
        text += used;
        text += *text == '\n';
    }
}

#define HELD_ZONE                              \
    "@ 3600 SOA ns. hostmaster. 1 2 3 4 300\n" \
    "@ 3600 NS ns.example.net.\n"              \
    "www 300 A 192.0.2.1\n"                    \
    "www 300 A 192.0.2.2\n"                    \
    "www 300 TXT \"hello\"\n"                  \
    "mail 300 MX 10 www\n"

static inline struct held_list held_zone_list(void)
{
    struct held_list l = {0};
    held_list_lines(&l, HELD_ZONE);
    return l;
}

/* The change from one serial to the next of HELD_ZONE that also does this. */
static inline struct held_change held_change_lines(unsigned from, unsigned to, const char *removed,
                                                   const char *added)
{
    char soa[64];
    struct held_change c = {.from = from, .to = to};
    snprintf(soa, sizeof soa, "@ 3600 SOA ns. hostmaster. %u 2 3 4 300\n", from);
    held_list_lines(&c.removed, soa);
    held_list_lines(&c.removed, removed);
    snprintf(soa, sizeof soa, "@ 3600 SOA ns. hostmaster. %u 2 3 4 300\n", to);
    held_list_lines(&c.added, soa);
    held_list_lines(&c.added, added);
    return c;
}

/* The record at a name, by its presentation form; false where it is not there. */
static inline bool held_has(const struct held_content *c, const char *owner, uint16_t type,
                            const char *data)
{
    uint8_t name[DNAME_MAX], rdata[RDATA_MAX];
    uint16_t length;
    int n = dname_parse(owner, strlen(owner), NULL, name);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(rdata_from_text(type, data, strlen(data), held_origin, rdata, &length), 0);
    return held_record_find(held_name_find(c, name, (size_t)n), type, rdata, length) != NULL;
}
