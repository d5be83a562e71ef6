/* DNSSEC keys and signatures (RFC 4034, 4035; algorithms of RFC 8624): pure computation on OpenSSL.
 */
#pragma once

#include "base/attr.h"
#include "wire/dname.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dnssec_algorithm {
    DNSSEC_RSASHA256 = 8,        /* RFC 5702; 2048 bits */
    DNSSEC_ECDSAP256SHA256 = 13, /* RFC 6605; the default */
    DNSSEC_ED25519 = 15,         /* RFC 8080 */
};

enum dnssec_flag {
    DNSSEC_FLAG_ZONE = 0x0100,
    DNSSEC_FLAG_SEP = 0x0001, /* a KSK or CSK: what the parent's DS points to */
};

enum {
    DNSSEC_SIGNATURE_MAX = 256, /* bytes: RSA with 2048 bits */
    DNSSEC_RRSIG_MAX = 18 + DNAME_MAX + DNSSEC_SIGNATURE_MAX,
    DNSSEC_DNSKEY_MAX = 4 + 4 + 256 + 8, /* rdata: RSA exponent and modulus */
    DNSSEC_DS_SIZE = 4 + 32,             /* rdata with a SHA-256 digest */
    DNSSEC_PEM_MAX = 8192,
};

struct dnssec_key; /* a key pair */

const_function const char *dnssec_algorithm_name(unsigned algorithm); /* "ECDSAP256SHA256"; "?" */

/* flags: DNSSEC_FLAG_*. Fresh randomness of OpenSSL. ERR_INVALID: unknown algorithm. */
must_check int dnssec_key_generate(unsigned algorithm, uint16_t flags, struct dnssec_key **ret);
/* From a private key in PKCS#8 PEM: ERR_SYNTAX; ERR_INVALID where it does not fit the algorithm. */
must_check int dnssec_key_parse(const char *pem, size_t length, unsigned algorithm, uint16_t flags,
                                struct dnssec_key **ret);
/* PKCS#8 PEM, NUL-terminated, into a buffer of DNSSEC_PEM_MAX; wipe it after use. */
must_check int dnssec_key_format(const struct dnssec_key *key, char ret_pem[static DNSSEC_PEM_MAX]);
void dnssec_key_free(struct dnssec_key *key); /* NULL is fine */

unsigned dnssec_key_algorithm(const struct dnssec_key *key);
uint16_t dnssec_key_tag(const struct dnssec_key *key); /* RFC 4034 B */
/* DNSKEY rdata; owned by the key. */
const uint8_t *dnssec_key_rdata(const struct dnssec_key *key, size_t *ret_length);
/* DS (and CDS) rdata for this key at this zone: SHA-256 (RFC 4509). */
void dnssec_key_ds(const struct dnssec_key *key, const uint8_t *zone,
                   uint8_t ret[static DNSSEC_DS_SIZE]);
/* The same from a DNSKEY's data alone, whose tag it is told: 0, or ERR_INVALID where it is none. */
must_check int dnssec_rdata_ds(const uint8_t *rdata, size_t length, uint16_t tag,
                               const uint8_t *zone, uint8_t ret[static DNSSEC_DS_SIZE]);

/* One set of records to be signed. */
struct dnssec_set {
    const uint8_t *owner; /* lower wire form; "*." where it is a wildcard */
    uint16_t type;
    uint32_t ttl;           /* original TTL */
    const uint8_t *records; /* as in struct zone_records: u16 (native) length and canonical rdata,
                               one after the other, any order */
    size_t length;          /* bytes of records */
    uint16_t count;
};

/* A key at work, in one thread at a time: what OpenSSL looks up and prepares is kept from one
 * signature to the next, which is a fifth of the time of one. The key outlives it. */
struct dnssec_signer;
must_check int dnssec_signer_new(const struct dnssec_key *key, struct dnssec_signer **ret);
void dnssec_signer_free(struct dnssec_signer *signer); /* NULL is fine */
/* As dnssec_sign, with the signer's key. */
must_check int dnssec_signer_sign(struct dnssec_signer *signer, const struct dnssec_set *set,
                                  const uint8_t *zone, uint32_t inception, uint32_t expiration,
                                  uint8_t *ret_rdata, size_t size);
/* RRSIG rdata (RFC 4034 3.1.8.1). Times in seconds since 1970 (mod 2^32). `signer`: the zone, lower
 * wire form. Returns the length or a negative error: ERR_LIMIT where `size` is too small
 * (DNSSEC_RRSIG_MAX is enough), ERR_INVALID for a set that is not well formed. Equal records are
 * signed once (RFC 4034 6.3). */
must_check int dnssec_sign(const struct dnssec_key *key, const struct dnssec_set *set,
                           const uint8_t *signer, uint32_t inception, uint32_t expiration,
                           uint8_t *ret_rdata, size_t size);
/* Does the RRSIG rdata hold for the set, by this key? Times are not looked at. */
must_check bool dnssec_verify(const struct dnssec_key *key, const struct dnssec_set *set,
                              const uint8_t *rrsig, size_t length);

/* Which keys a zone has at a moment, and how long signatures live. */
struct dnssec_zone_keys {
    struct dnssec_key *const *published; /* in the DNSKEY set */
    unsigned published_count;
    struct dnssec_key *const *key_signers; /* sign the DNSKEY, CDS and CDNSKEY sets */
    unsigned key_signer_count;
    struct dnssec_key *const *zone_signers; /* sign every other set, those of steered names too */
    unsigned zone_signer_count;
    struct dnssec_key *const *delegated; /* CDS and CDNSKEY are published for these; none: no CDS */
    unsigned delegated_count;
    bool delete_delegation; /* CDS and CDNSKEY ask the parent to remove every DS (RFC 8078 4) */
    bool nsec3;             /* RFC 5155 with 0 iterations and no salt (RFC 9276); else NSEC */
    uint32_t dnskey_ttl;    /* seconds */
    uint32_t now;           /* seconds since 1970 */
    uint32_t lifetime;      /* seconds a new signature is valid */
    uint32_t refresh;       /* a signature with less left is made anew */
    uint32_t jitter; /* each set's lifetime is shorter by up to this much, by hash of its owner and
                        type */
};

/* The times that a new signature of this set gets: inception an hour in the past, expiration with
 * jitter. */
void dnssec_times(const struct dnssec_zone_keys *keys, const uint8_t *owner, uint16_t type,
                  uint32_t *ret_inception, uint32_t *ret_expiration);
