/* DNS UPDATE (RFC 2136): what a message wants of a zone, and what may be. Pure: from the message
 * and the content to an answer and a difference. Nothing is changed here, and a message is done
 * whole or not at all (RFC 2136 3.7). */
#pragma once

#include "model/config.h"
#include "model/serial.h"
#include "model/zone_held.h"
#include "wire/dns.h"

/* Extended errors (RFC 8914 5.2) that an update is refused with. */
enum { UPDATE_EDE_NONE = 0, UPDATE_EDE_NOT_READY = 14, UPDATE_EDE_PROHIBITED = 18 };

struct update_request {
    const uint8_t *wire; /* the whole message but its TSIG record */
    size_t length;
    const struct config_zone *zone;
    const struct held_content *content;
    int key;                       /* number of the key that signed it, in the configuration */
    const uint8_t *key_name;       /* its name, lower wire form */
    const uint8_t *const *steered; /* names of the zone that answer from the plan, wire form */
    unsigned steered_count;
    uint32_t served; /* serial in service, which may be ahead of the content's; 0 = none */
    enum serial_policy policy;
    int64_t wall; /* seconds since 1970, for the serial */
};

struct update_result {
    enum dns_rcode rcode;
    uint16_t ede;       /* UPDATE_EDE_*; with DNS_REFUSED */
    const char *reason; /* a sentence (static), or NULL */
    bool changed;       /* then `change` leads from the content to what was wanted */
    struct held_change change;
    unsigned removed, added; /* records, without the SOA's own */
};

/* The zone that a message is for (RFC 2136 2.3): 0; ERR_SYNTAX, ERR_TRUNCATED: FORMERR. */
must_check int update_zone_name(const uint8_t *wire, size_t length,
                                uint8_t ret_name[static DNAME_MAX], uint16_t *ret_class);

/* Evaluates the message (3.2 to 3.4). held_change_done(&ret->change) in any case. */
void update_run(const struct update_request *r, struct update_result *ret);
