#include "replica/invite.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { BYTES_MAX = 240, NAME_BYTES = (INVITE_NAME_SIZE - 1) / 2 };

static const char prefix[] = "hf1";
static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

/* ---- the token ---- */

static void base32_append(struct text *out, const uint8_t *data, size_t size)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | data[i];
        for (count += 8; count >= 5; count -= 5)
            text_append_bytes(out, &digits[bits >> (count - 5) & 31], 1);
    }
    if (count)
        text_append_bytes(out, &digits[bits << (5 - count) & 31], 1);
}

/* How many bytes; 0: a character that is none of ours, or too many. */
static size_t base32_read(const char *text, uint8_t *data, size_t size)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t length = 0;
    for (; *text; text++) {
        if (strchr(" \t\r\n", *text))
            continue;
        char small = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
        const char *at = strchr(digits, small);
        if (!at || (length == size && count + 5 >= 8))
            return 0;
        bits = bits << 5 | (uint32_t)(at - digits);
        count += 5;
        if (count >= 8) {
            count -= 8;
            data[length++] = (uint8_t)(bits >> count);
        }
    }
    return length;
}

static uint32_t checksum(const uint8_t *data, size_t size)
{
    return (uint32_t)hash64(data, size);
}

void invite_format(const struct invite *invite, struct text *out)
{
    uint8_t bytes[BYTES_MAX];
    struct writer w = writer_init(bytes, sizeof bytes);
    writer_bytes(&w, invite->cluster, sizeof invite->cluster);
    writer_bytes(&w, invite->authority, sizeof invite->authority);
    writer_bytes(&w, invite->secret, sizeof invite->secret);
    writer_u8(&w, (uint8_t)invite->address_count);
    for (unsigned i = 0; i < invite->address_count; i++) {
        const struct invite_address *a = &invite->addresses[i];
        writer_u8(&w, a->ip.family);
        writer_bytes(&w, a->ip.bytes, ip_size(&a->ip));
        writer_u16(&w, a->port);
    }
    writer_u32(&w, checksum(bytes, w.position));
    invariant(!w.failed);
    text_append(out, prefix);
    base32_append(out, bytes, w.position);
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static bool bytes_read(struct reader *r, void *ret, size_t size)
{
    const uint8_t *at = reader_take(r, size);
    if (at)
        memcpy(ret, at, size);
    return at != NULL;
}

static int invite_read(struct reader *r, struct invite *out)
{
    bytes_read(r, out->cluster, sizeof out->cluster);
    bytes_read(r, out->authority, sizeof out->authority);
    bytes_read(r, out->secret, sizeof out->secret);
    out->address_count = reader_u8(r);
    if (r->failed || !out->address_count || out->address_count > INVITE_ADDRESSES_MAX)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < out->address_count; i++) {
        struct invite_address *a = &out->addresses[i];
        a->ip.family = reader_u8(r);
        if (a->ip.family >= IP_FAMILIES || !bytes_read(r, a->ip.bytes, ip_size(&a->ip)))
            return ERR_SYNTAX;
        a->port = reader_u16(r);
    }
    return r->failed || reader_left(r) ? ERR_SYNTAX : 0;
}

int invite_parse(const char *token, struct invite *ret)
{
    uint8_t bytes[BYTES_MAX];
    struct invite out = {0};
    token += strspn(token, " \t\r\n");
    if (strncmp(token, "hf", 2))
        return ERR_SYNTAX;
    if (strncmp(token, prefix, strlen(prefix)))
        return token[2] >= '2' && token[2] <= '9' ? ERR_VERSION : ERR_SYNTAX;
    size_t size = base32_read(token + strlen(prefix), bytes, sizeof bytes);
    struct reader end = reader_init(bytes, size);
    if (size < 4)
        return ERR_CHECKSUM;
    end.position = size - 4;
    int err = reader_u32(&end) == checksum(bytes, size - 4) ? 0 : ERR_CHECKSUM;
    struct reader r = reader_init(bytes, size - 4);
    err = err ? err : invite_read(&r, &out);
    if (!err)
        *ret = out;
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(&out, sizeof out);
    return err;
}

/* ---- the proof ---- */

static EVP_PKEY *secret_key(const uint8_t secret[static INVITE_SECRET_SIZE])
{
    static const char label[] = "holdfast invitation key";
    uint8_t seed[32], in[sizeof label + INVITE_SECRET_SIZE];
    memcpy(in, label, sizeof label);
    memcpy(in + sizeof label, secret, INVITE_SECRET_SIZE);
    int good = EVP_Digest(in, sizeof in, seed, NULL, EVP_sha256(), NULL);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    invariant(good == 1 && key != NULL);
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(in, sizeof in);
    return key;
}

void invite_public(const uint8_t secret[static INVITE_SECRET_SIZE],
                   char ret_name[static INVITE_NAME_SIZE], uint8_t ret_key[static INVITE_KEY_SIZE])
{
    uint8_t hash[32];
    size_t size = INVITE_KEY_SIZE;
    EVP_PKEY *key = secret_key(secret);
    int good = EVP_PKEY_get_raw_public_key(key, ret_key, &size) == 1 &&
               EVP_Digest(ret_key, size, hash, NULL, EVP_sha256(), NULL) == 1;
    invariant(good == 1);
    EVP_PKEY_free(key);
    for (unsigned i = 0; i < NAME_BYTES; i++)
        snprintf(ret_name + 2 * i, 3, "%02x", hash[i]);
}

/* What is signed; free() */
static uint8_t *signed_bytes(const uint8_t binding[static 32], const void *request, size_t size,
                             size_t *ret_size)
{
    static const char label[] = "holdfast join";
    uint8_t *bytes = mem_new(sizeof label + 32 + size, 1);
    memcpy(bytes, label, sizeof label);
    memcpy(bytes + sizeof label, binding, 32);
    memcpy(bytes + sizeof label + 32, request, size);
    *ret_size = sizeof label + 32 + size;
    return bytes;
}

void invite_prove(const uint8_t secret[static INVITE_SECRET_SIZE], const uint8_t binding[static 32],
                  const void *request, size_t size, uint8_t ret[static INVITE_PROOF_SIZE])
{
    size_t length, proof = INVITE_PROOF_SIZE;
    uint8_t *bytes = signed_bytes(binding, request, size, &length);
    EVP_PKEY *key = secret_key(secret);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestSign(context, ret, &proof, bytes, length) == 1;
    invariant(good == 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    free(bytes);
}

bool invite_is_proved(const uint8_t key[static INVITE_KEY_SIZE], const uint8_t binding[static 32],
                      const void *request, size_t size,
                      const uint8_t proof[static INVITE_PROOF_SIZE])
{
    size_t length;
    uint8_t *bytes = signed_bytes(binding, request, size, &length);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, INVITE_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = public && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                EVP_DigestVerify(context, proof, INVITE_PROOF_SIZE, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    free(bytes);
    return good;
}
