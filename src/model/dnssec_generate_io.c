/* New keys: OpenSSL draws the random numbers, so this is not one of the pure parts. */
#include "base/err.h"
#include "model/dnssec.h"
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

enum { RSA_BITS = 2048 };

static EVP_PKEY *pair_generate(unsigned algorithm)
{
    switch (algorithm) {
    case DNSSEC_RSASHA256:
        return EVP_RSA_gen(RSA_BITS);
    case DNSSEC_ECDSAP256SHA256:
        return EVP_EC_gen("P-256");
    case DNSSEC_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    default:
        return NULL;
    }
}

int dnssec_key_generate(unsigned algorithm, uint16_t flags, struct dnssec_key **ret)
{
    EVP_PKEY *pair = pair_generate(algorithm);
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data;
    int err = ERR_INVALID;
    if (pair && bio && PEM_write_bio_PKCS8PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL)) {
        long length = BIO_get_mem_data(bio, &data);
        err = dnssec_key_parse(data, (size_t)length, algorithm, flags, ret);
    }
    BIO_free(bio);
    EVP_PKEY_free(pair);
    return err;
}
