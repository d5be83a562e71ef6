#include "model/dnssec.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/dnskey.h"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum {
    PROTOCOL_DNSSEC = 3,
    RSA_BITS_MAX = 2048,
    P256_COORDINATE = 32,
    ED25519_KEY = 32,
    RRSIG_FIXED = 18,        /* before the signer's name */
    INCEPTION_BACK_S = 3600, /* clocks of validators differ */
    DIGEST_SHA256 = 2,
};

struct dnssec_key {
    EVP_PKEY *pair;
    uint8_t algorithm;
    uint16_t tag;
    size_t length;
    uint8_t rdata[DNSSEC_DNSKEY_MAX];
};

static const struct {
    uint8_t algorithm;
    int kind;
    const char *name, *digest; /* digest: NULL where the algorithm has its own */
} algorithms[] = {
    {DNSSEC_RSASHA256, EVP_PKEY_RSA, "RSASHA256", "SHA256"},
    {DNSSEC_ECDSAP256SHA256, EVP_PKEY_EC, "ECDSAP256SHA256", "SHA256"},
    {DNSSEC_ED25519, EVP_PKEY_ED25519, "ED25519", NULL},
};

static int algorithm_index(unsigned algorithm)
{
    for (size_t i = 0; i < array_length(algorithms); i++)
        if (algorithms[i].algorithm == algorithm)
            return (int)i;
    return -1;
}

const char *dnssec_algorithm_name(unsigned algorithm)
{
    int i = algorithm_index(algorithm);
    return i < 0 ? "?" : algorithms[i].name;
}

/* ---- keys ---- */

static void public_rsa(const EVP_PKEY *pair, struct writer *w)
{
    BIGNUM *n = NULL, *e = NULL;
    if (EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_N, &n) &&
        EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_E, &e)) {
        size_t e_length = (size_t)BN_num_bytes(e), n_length = (size_t)BN_num_bytes(n);
        writer_u8(w, (uint8_t)e_length); /* RFC 3110: one byte while below 256 */
        uint8_t *at = e_length < 256 ? writer_take(w, e_length + n_length) : NULL;
        if (at) {
            BN_bn2bin(e, at);
            BN_bn2bin(n, at + e_length);
        }
    } else {
        w->failed = true;
    }
    BN_free(n);
    BN_free(e);
}

/* RFC 6605 4: x | y, without the 0x04 of an uncompressed point. */
static void public_p256(const EVP_PKEY *pair, struct writer *w)
{
    uint8_t point[1 + 2 * P256_COORDINATE];
    size_t length;
    if (EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                        &length) &&
        length == sizeof point && point[0] == 4)
        writer_bytes(w, point + 1, sizeof point - 1);
    else
        w->failed = true;
}

static void public_ed25519(const EVP_PKEY *pair, struct writer *w)
{
    uint8_t key[ED25519_KEY];
    size_t length = sizeof key;
    if (EVP_PKEY_get_raw_public_key(pair, key, &length) == 1 && length == sizeof key)
        writer_bytes(w, key, length);
    else
        w->failed = true;
}

/* Takes the pair over, also on failure. */
static int key_make(EVP_PKEY *pair, unsigned algorithm, uint16_t flags, struct dnssec_key **ret)
{
    struct dnssec_key *key = mem_new(1, sizeof *key);
    struct writer w = writer_init(key->rdata, sizeof key->rdata);
    key->pair = pair;
    key->algorithm = (uint8_t)algorithm;
    writer_u16(&w, flags);
    writer_u8(&w, PROTOCOL_DNSSEC);
    writer_u8(&w, (uint8_t)algorithm);
    if (algorithm == DNSSEC_RSASHA256)
        public_rsa(pair, &w);
    else if (algorithm == DNSSEC_ECDSAP256SHA256)
        public_p256(pair, &w);
    else
        public_ed25519(pair, &w);
    if (w.failed) {
        dnssec_key_free(key);
        return ERR_INVALID;
    }
    key->length = w.position;
    key->tag = dnskey_tag(key->rdata, key->length);
    *ret = key;
    return 0;
}

static bool pair_fits(const EVP_PKEY *pair, unsigned algorithm)
{
    int i = algorithm_index(algorithm);
    if (i < 0 || EVP_PKEY_get_base_id(pair) != algorithms[i].kind)
        return false;
    int bits = EVP_PKEY_get_bits(pair);
    return algorithm == DNSSEC_RSASHA256 ? bits >= 1024 && bits <= RSA_BITS_MAX
                                         : algorithm != DNSSEC_ECDSAP256SHA256 || bits == 256;
}

int dnssec_key_parse(const char *pem, size_t length, unsigned algorithm, uint16_t flags,
                     struct dnssec_key **ret)
{
    if (length > DNSSEC_PEM_MAX)
        return ERR_LIMIT;
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    char none[] = ""; /* never ask anybody for a pass phrase */
    EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, none) : NULL;
    BIO_free(bio);
    if (!pair)
        return ERR_SYNTAX;
    if (!pair_fits(pair, algorithm)) {
        EVP_PKEY_free(pair);
        return ERR_INVALID;
    }
    return key_make(pair, algorithm, flags, ret);
}

int dnssec_key_format(const struct dnssec_key *key, char ret_pem[static DNSSEC_PEM_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    int err = ERR_INVALID;
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pair, NULL, NULL, 0, NULL, NULL)) {
        long length = BIO_get_mem_data(bio, &data);
        err = length < DNSSEC_PEM_MAX ? 0 : ERR_LIMIT;
        if (!err) {
            memcpy(ret_pem, data, (size_t)length);
            ret_pem[length] = 0;
        }
    }
    BIO_free(bio);
    return err;
}

void dnssec_key_free(struct dnssec_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pair);
    free(key);
}

unsigned dnssec_key_algorithm(const struct dnssec_key *key)
{
    return key->algorithm;
}

uint16_t dnssec_key_tag(const struct dnssec_key *key)
{
    return key->tag;
}

const uint8_t *dnssec_key_rdata(const struct dnssec_key *key, size_t *ret_length)
{
    *ret_length = key->length;
    return key->rdata;
}

int dnssec_rdata_ds(const uint8_t *rdata, size_t length, uint16_t tag, const uint8_t *zone,
                    uint8_t ret[static DNSSEC_DS_SIZE])
{
    enum { ALGORITHM_AT = 3, HEAD = 4 };
    uint8_t input[DNAME_MAX + DNSSEC_DNSKEY_MAX];
    size_t zone_length = dname_length(zone);
    if (length <= HEAD || length > DNSSEC_DNSKEY_MAX)
        return ERR_INVALID;
    memcpy(input, zone, zone_length);
    memcpy(input + zone_length, rdata, length);
    ret[0] = (uint8_t)(tag >> 8);
    ret[1] = (uint8_t)tag;
    ret[2] = rdata[ALGORITHM_AT];
    ret[3] = DIGEST_SHA256;
    int done = EVP_Digest(input, zone_length + length, ret + 4, NULL, EVP_sha256(), NULL);
    invariant(done == 1);
    return 0;
}

void dnssec_key_ds(const struct dnssec_key *key, const uint8_t *zone,
                   uint8_t ret[static DNSSEC_DS_SIZE])
{
    int err = dnssec_rdata_ds(key->rdata, key->length, key->tag, zone, ret);
    invariant(!err);
}

/* ---- what is signed (RFC 4034 3.1.8.1, 6.2, 6.3) ---- */

struct record {
    const uint8_t *data;
    uint16_t length;
};

static int record_compare(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->data, b->data, shorter);
    return order ? order : (int)a->length - (int)b->length;
}

static int records_sort(const struct dnssec_set *set, struct record *records)
{
    const uint8_t *at = set->records, *end = at + set->length;
    for (unsigned i = 0; i < set->count; i++) {
        uint16_t length;
        if (end - at < (ptrdiff_t)sizeof length)
            return ERR_INVALID;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        if (end - at < length)
            return ERR_INVALID;
        records[i] = (struct record){at, length};
        at += length;
    }
    if (at != end || !set->count)
        return ERR_INVALID;
    qsort(records, set->count, sizeof *records, record_compare);
    return 0;
}

static void set_write(const struct dnssec_set *set, const struct record *records, struct writer *w)
{
    size_t owner_length = dname_length(set->owner);
    for (unsigned i = 0; i < set->count; i++) {
        if (i && !record_compare(&records[i - 1], &records[i]))
            continue;
        writer_bytes(w, set->owner, owner_length);
        writer_u16(w, set->type);
        writer_u16(w, 1); /* IN */
        writer_u32(w, set->ttl);
        writer_u16(w, records[i].length);
        writer_bytes(w, records[i].data, records[i].length);
    }
}

/* rrsig: rdata up to and with the signer's name. The bytes are free()d by the caller. */
static uint8_t *signed_bytes(const struct dnssec_set *set, const uint8_t *rrsig,
                             size_t rrsig_length, size_t *ret_length)
{
    struct record *records = mem_new(set->count ? set->count : 1, sizeof *records);
    uint8_t *bytes = NULL;
    if (!records_sort(set, records)) {
        size_t size = rrsig_length + set->length + (size_t)set->count * (DNAME_MAX + 10);
        bytes = mem_new(size, 1);
        struct writer w = writer_init(bytes, size);
        writer_bytes(&w, rrsig, rrsig_length);
        set_write(set, records, &w);
        invariant(!w.failed);
        *ret_length = w.position;
    }
    free(records);
    return bytes;
}

/* ---- signatures ---- */

/* RFC 6605 4: r | s, each 32 bytes, from and to the ASN.1 of OpenSSL. */
static int p256_from_asn1(uint8_t *signature, size_t *length)
{
    const uint8_t *at = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)*length);
    uint8_t raw[2 * P256_COORDINATE];
    if (!sig)
        return ERR_INVALID;
    bool fits = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, P256_COORDINATE) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + P256_COORDINATE, P256_COORDINATE) > 0;
    ECDSA_SIG_free(sig);
    if (!fits)
        return ERR_INVALID;
    memcpy(signature, raw, sizeof raw);
    *length = sizeof raw;
    return 0;
}

static int p256_to_asn1(const uint8_t *raw, uint8_t *ret, size_t *ret_length)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_COORDINATE, NULL);
    BIGNUM *s = BN_bin2bn(raw + P256_COORDINATE, P256_COORDINATE, NULL);
    int length = -1;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* the signature's now */
        length = i2d_ECDSA_SIG(sig, &ret);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    if (length <= 0)
        return ERR_INVALID;
    *ret_length = (size_t)length;
    return 0;
}

struct dnssec_signer {
    const struct dnssec_key *key;
    EVP_MD *digest;    /* NULL: the algorithm has its own, and takes the bytes whole */
    EVP_PKEY_CTX *ctx; /* where there is a digest */
};

static bool signer_prepare(struct dnssec_signer *s)
{
    const char *digest = algorithms[algorithm_index(s->key->algorithm)].digest;
    if (!digest)
        return true;
    s->digest = EVP_MD_fetch(NULL, digest, NULL);
    s->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->pair, NULL);
    return s->digest && s->ctx && EVP_PKEY_sign_init(s->ctx) == 1 &&
           (s->key->algorithm != DNSSEC_RSASHA256 ||
            (EVP_PKEY_CTX_set_rsa_padding(s->ctx, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(s->ctx, s->digest) == 1));
}

int dnssec_signer_new(const struct dnssec_key *key, struct dnssec_signer **ret)
{
    struct dnssec_signer *s = mem_new(1, sizeof *s);
    s->key = key;
    if (!signer_prepare(s)) {
        dnssec_signer_free(s);
        return ERR_INVALID;
    }
    *ret = s;
    return 0;
}

void dnssec_signer_free(struct dnssec_signer *s)
{
    if (!s)
        return;
    EVP_PKEY_CTX_free(s->ctx);
    EVP_MD_free(s->digest);
    free(s);
}

static bool whole_sign(const struct dnssec_key *key, const uint8_t *data, size_t length,
                       uint8_t *ret, size_t *size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key->pair, NULL) == 1 &&
                EVP_DigestSign(ctx, ret, size, data, length) == 1;
    EVP_MD_CTX_free(ctx);
    return done;
}

static int bytes_sign(struct dnssec_signer *s, const uint8_t *data, size_t length,
                      uint8_t ret[static DNSSEC_SIGNATURE_MAX], size_t *ret_length)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_length;
    size_t size = DNSSEC_SIGNATURE_MAX;
    bool done = s->digest
                    ? EVP_Digest(data, length, digest, &digest_length, s->digest, NULL) == 1 &&
                          EVP_PKEY_sign(s->ctx, ret, &size, digest, digest_length) == 1
                    : whole_sign(s->key, data, length, ret, &size);
    if (!done)
        return ERR_INVALID;
    int err = s->key->algorithm == DNSSEC_ECDSAP256SHA256 ? p256_from_asn1(ret, &size) : 0;
    if (!err)
        *ret_length = size;
    return err;
}

static uint8_t labels_signed(const uint8_t *owner)
{
    bool wildcard = owner[0] == 1 && owner[1] == '*';
    return (uint8_t)(dname_labels(owner) - wildcard);
}

int dnssec_signer_sign(struct dnssec_signer *signer, const struct dnssec_set *set,
                       const uint8_t *zone, uint32_t inception, uint32_t expiration,
                       uint8_t *ret_rdata, size_t size)
{
    const struct dnssec_key *key = signer->key;
    uint8_t signature[DNSSEC_SIGNATURE_MAX];
    struct writer w = writer_init(ret_rdata, size);
    size_t length, signature_length = 0;
    writer_u16(&w, set->type);
    writer_u8(&w, key->algorithm);
    writer_u8(&w, labels_signed(set->owner));
    writer_u32(&w, set->ttl);
    writer_u32(&w, expiration);
    writer_u32(&w, inception);
    writer_u16(&w, key->tag);
    writer_bytes(&w, zone, dname_length(zone));
    if (w.failed)
        return ERR_LIMIT;
    uint8_t *data = signed_bytes(set, ret_rdata, w.position, &length);
    if (!data)
        return ERR_INVALID;
    int err = bytes_sign(signer, data, length, signature, &signature_length);
    free(data);
    if (err)
        return err;
    writer_bytes(&w, signature, signature_length);
    return w.failed ? ERR_LIMIT : (int)w.position;
}

int dnssec_sign(const struct dnssec_key *key, const struct dnssec_set *set, const uint8_t *signer,
                uint32_t inception, uint32_t expiration, uint8_t *ret_rdata, size_t size)
{
    struct dnssec_signer *s;
    int result = dnssec_signer_new(key, &s);
    if (result)
        return result;
    result = dnssec_signer_sign(s, set, signer, inception, expiration, ret_rdata, size);
    dnssec_signer_free(s);
    return result;
}

bool dnssec_verify(const struct dnssec_key *key, const struct dnssec_set *set, const uint8_t *rrsig,
                   size_t length)
{
    uint8_t asn1[2 * P256_COORDINATE + 16];
    if (length <= RRSIG_FIXED)
        return false;
    size_t head = RRSIG_FIXED;
    while (head < length && rrsig[head])
        head += 1u + rrsig[head];
    if (++head >= length || (rrsig[0] << 8 | rrsig[1]) != set->type)
        return false;
    const uint8_t *signature = rrsig + head;
    size_t signature_length = length - head, data_length;
    if (key->algorithm == DNSSEC_ECDSAP256SHA256) {
        if (signature_length != 2 * P256_COORDINATE ||
            p256_to_asn1(signature, asn1, &signature_length))
            return false;
        signature = asn1;
    }
    uint8_t *data = signed_bytes(set, rrsig, head, &data_length);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const char *digest = algorithms[algorithm_index(key->algorithm)].digest;
    bool holds = data && ctx &&
                 EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key->pair, NULL) == 1 &&
                 EVP_DigestVerify(ctx, signature, signature_length, data, data_length) == 1;
    EVP_MD_CTX_free(ctx);
    free(data);
    return holds;
}

void dnssec_times(const struct dnssec_zone_keys *keys, const uint8_t *owner, uint16_t type,
                  uint32_t *ret_inception, uint32_t *ret_expiration)
{
    uint64_t hash = hash64_seeded(owner, dname_length(owner), type);
    uint32_t jitter = keys->jitter ? (uint32_t)(hash % keys->jitter) : 0;
    *ret_inception = keys->now - INCEPTION_BACK_S;
    *ret_expiration = keys->now + keys->lifetime - jitter;
}
