#include "model/seal.h"

#include "base/err.h"
#include "base/invariant.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const char label[] = "holdfast seal 1";

static EVP_PKEY *private_key(const uint8_t private[static SEAL_KEY_SIZE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, SEAL_KEY_SIZE);
    invariant(key != NULL); /* any 32 bytes are one */
    return key;
}

void seal_public(const uint8_t private[static SEAL_KEY_SIZE], uint8_t ret[static SEAL_KEY_SIZE])
{
    EVP_PKEY *key = private_key(private);
    size_t size = SEAL_KEY_SIZE;
    int good = EVP_PKEY_get_raw_public_key(key, ret, &size);
    invariant(good == 1 && size == SEAL_KEY_SIZE);
    EVP_PKEY_free(key);
}

/* ---- AES-256-GCM ---- */

static void encrypt(const uint8_t *key, const uint8_t *nonce, const char *purpose, const void *data,
                    size_t size, uint8_t *ret)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    int good =
        c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
        EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)purpose, (int)strlen(purpose)) == 1 &&
        EVP_EncryptUpdate(c, ret, &n, data, (int)size) == 1 && n == (int)size &&
        EVP_EncryptFinal_ex(c, ret + size, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, ret + size) == 1;
    invariant(good);
    EVP_CIPHER_CTX_free(c);
}

/* size: without the tag behind it. */
static int decrypt(const uint8_t *key, const uint8_t *nonce, const char *purpose,
                   const uint8_t *data, size_t size, uint8_t *ret)
{
    uint8_t tag[SEAL_TAG_SIZE];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    memcpy(tag, data + size, sizeof tag);
    int good =
        c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
        EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)purpose, (int)strlen(purpose)) == 1 &&
        EVP_DecryptUpdate(c, ret, &n, data, (int)size) == 1 && n == (int)size &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) == 1 &&
        EVP_DecryptFinal_ex(c, ret + size, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!good)
        explicit_bzero(ret, size);
    return good ? 0 : ERR_CHECKSUM;
}

/* ---- wraps ---- */

/* What both sides agree on, as a key that nothing else has. 0 or ERR_INVALID. */
static int agree(const uint8_t *private, const uint8_t *peer, const uint8_t *sender,
                 const uint8_t *receiver, uint8_t ret[static SEAL_KEY_SIZE])
{
    uint8_t common[SEAL_KEY_SIZE], bound[sizeof label + 2 * SEAL_KEY_SIZE];
    size_t size = sizeof common;
    unsigned made = 0;
    EVP_PKEY *own = private_key(private);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, SEAL_KEY_SIZE);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(own, NULL);
    /* a point of small order, of which the result would be known to anybody, is refused here */
    int good = c && other && EVP_PKEY_derive_init(c) == 1 &&
               EVP_PKEY_derive_set_peer(c, other) == 1 && EVP_PKEY_derive(c, common, &size) == 1;
    memcpy(bound, label, sizeof label);
    memcpy(bound + sizeof label, sender, SEAL_KEY_SIZE);
    memcpy(bound + sizeof label + SEAL_KEY_SIZE, receiver, SEAL_KEY_SIZE);
    if (good)
        good = HMAC(EVP_sha256(), common, sizeof common, bound, sizeof bound, ret, &made) != NULL &&
               made == SEAL_KEY_SIZE;
    explicit_bzero(common, sizeof common);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    return good ? 0 : ERR_INVALID;
}

/* The key is of this one wrap, so the nonce may be any. */
static const uint8_t no_nonce[SEAL_NONCE_SIZE];

int seal_wrap(const uint8_t public[static SEAL_KEY_SIZE], const uint8_t once[static SEAL_KEY_SIZE],
              const uint8_t secret[static SEAL_KEY_SIZE], uint8_t ret[static SEAL_WRAP_SIZE])
{
    uint8_t key[SEAL_KEY_SIZE], sender[SEAL_KEY_SIZE];
    seal_public(once, sender);
    int err = agree(once, public, sender, public, key);
    if (err)
        return err;
    memcpy(ret, sender, sizeof sender);
    encrypt(key, no_nonce, label, secret, SEAL_KEY_SIZE, ret + sizeof sender);
    explicit_bzero(key, sizeof key);
    return 0;
}

int seal_unwrap(const uint8_t private[static SEAL_KEY_SIZE],
                const uint8_t wrap[static SEAL_WRAP_SIZE], uint8_t ret[static SEAL_KEY_SIZE])
{
    uint8_t key[SEAL_KEY_SIZE], own[SEAL_KEY_SIZE], secret[SEAL_KEY_SIZE];
    seal_public(private, own);
    int err = agree(private, wrap, wrap, own, key) ? ERR_CHECKSUM : 0;
    if (!err)
        err = decrypt(key, no_nonce, label, wrap + SEAL_KEY_SIZE, SEAL_KEY_SIZE, secret);
    explicit_bzero(key, sizeof key);
    if (!err)
        memcpy(ret, secret, sizeof secret);
    explicit_bzero(secret, sizeof secret);
    return err;
}

/* ---- boxes ---- */

void seal_box(const uint8_t secret[static SEAL_KEY_SIZE],
              const uint8_t nonce[static SEAL_NONCE_SIZE], const char *purpose, const void *data,
              size_t size, uint8_t *ret)
{
    memcpy(ret, nonce, SEAL_NONCE_SIZE);
    encrypt(secret, nonce, purpose, data, size, ret + SEAL_NONCE_SIZE);
}

int seal_open(const uint8_t secret[static SEAL_KEY_SIZE], const char *purpose, const uint8_t *box,
              size_t size, uint8_t *ret)
{
    if (size < SEAL_BOX_MORE)
        return ERR_TRUNCATED;
    return decrypt(secret, box, purpose, box + SEAL_NONCE_SIZE, size - SEAL_BOX_MORE, ret);
}
