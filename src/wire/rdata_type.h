/* The table of record types: name and fields of each. Used inside rdata_*.c. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum { RDATA_FIELDS_MAX = 9 };

/* The kinds of fields; rdata_field.c holds how each is read, written and checked. */
enum rdata_field_kind {
    FIELD_END, /* no more fields */
    FIELD_NAME,
    FIELD_CASED, /* a name that keeps its case: signatures are over it as it is (RFC 6840 5.1) */
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_TTL,  /* u32, units allowed: 1h30m */
    FIELD_DATE, /* u32, YYYYMMDDHHmmSS (RFC 4034 3.2) */
    FIELD_IPV4,
    FIELD_IPV6,
    FIELD_STRING,    /* character-string */
    FIELD_STRINGS,   /* one or more, to the end */
    FIELD_TEXT,      /* to the end, without a length byte: CAA's value, URI's target */
    FIELD_TAG,       /* CAA's: letters and digits with a length byte */
    FIELD_TYPE,      /* u16, by name */
    FIELD_CERT_TYPE, /* u16, by name or number (RFC 4398 2.1) */
    FIELD_ALGORITHM, /* u8, of DNSSEC, by name or number */
    FIELD_BASE64,    /* to the end */
    FIELD_HEX,       /* to the end */
    FIELD_SALT,      /* u8 length and hex, "-" when empty */
    FIELD_HASH32,    /* u8 length and base32hex (NSEC3) */
    FIELD_BITMAP,    /* types, to the end (RFC 4034 4.1.2) */
    FIELD_EUI48,
    FIELD_EUI64,
    FIELD_NODE64,  /* 4 groups of 4 hex digits (RFC 6742) */
    FIELD_NSAP,    /* 0x and hex, dots allowed (RFC 1706) */
    FIELD_LOC,     /* RFC 1876 */
    FIELD_APL,     /* RFC 3123 */
    FIELD_SVC,     /* SvcParams (RFC 9460 2.1) */
    FIELD_GATEWAY, /* IPSECKEY: precedence, gateway type, algorithm, gateway (RFC 4025) */
    FIELD_RELAY,   /* AMTRELAY: precedence, D, type, relay (RFC 8777) */
    FIELD_PORTS,   /* WKS: protocol, ports to the end (RFC 1035 3.4.2) */
    FIELD_NXT,     /* types up to 127, to the end (RFC 2535 5.2) */
    FIELD_ATMA,    /* +digits or hex */
    FIELD_A6,      /* prefix length, suffix, name of the prefix (RFC 2874 3.1) */
    FIELD_HIP,     /* algorithm, tag, key (RFC 8005 5) */
    FIELD_NAMES,   /* any number, to the end */
    FIELD_DATA,    /* base64 to the end, "-" for none */
    FIELD_U64,
    FIELD_SCHEME, /* u8, of DSYNC, by name or number (RFC 9859 2.1) */
    FIELD_KINDS
};

enum rdata_flag {
    RDATA_COMPRESS = 1, /* its names may be compressed (RFC 3597 4) */
    RDATA_META = 2,     /* not in zones */
};

struct rdata_type {
    const char *name;
    uint8_t flags;
    uint8_t fields[RDATA_FIELDS_MAX]; /* enum rdata_field_kind, ended by FIELD_END */
};

/* The entry of a type, or NULL for one that has no name. One without fields is read as RFC 3597. */
const_function const struct rdata_type *rdata_type_find(uint16_t type);
