#include "replica/certificate_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SERIAL_BITS = 127, NAME_MAX_BYTES = 64 /* of a common name (X.520) */ };

EVP_PKEY *certificate_key_new(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    invariant(key != NULL);
    return key;
}

/* What lies in a memory BIO, as a text of its own. */
static char *bio_text(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    invariant(length > 0);
    char *text = mem_new((size_t)length + 1, 1);
    memcpy(text, data, (size_t)length);
    BIO_free(bio);
    return text;
}

static BIO *bio_new(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    invariant(bio != NULL);
    return bio;
}

char *certificate_key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int good = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    invariant(good == 1);
    return bio_text(bio);
}

/* A key that wants a password is refused: nobody is there to be asked. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

EVP_PKEY *certificate_key_read(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    invariant(bio != NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

void certificate_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

void certificate_key_hash(EVP_PKEY *key, uint8_t ret[static CERTIFICATE_HASH_SIZE])
{
    uint8_t *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    int good = length > 0 && EVP_Digest(der, (size_t)length, ret, NULL, EVP_sha256(), NULL);
    invariant(good == 1);
    OPENSSL_free(der);
}

/* ---- making certificates ---- */

static void name_set(X509_NAME *name, const char *common)
{
    char cut[NAME_MAX_BYTES + 1];
    snprintf(cut, sizeof cut, "%s", common);
    int good =
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cut, -1, -1, 0);
    invariant(good == 1);
}

static void extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int good = extension && X509_add_ext(certificate, extension, -1);
    invariant(good == 1);
    X509_EXTENSION_free(extension);
}

static void serial_set(X509 *certificate)
{
    BIGNUM *number = BN_new();
    int good = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    invariant(good == 1);
    BN_free(number);
}

static X509 *certificate_begin_new(EVP_PKEY *key, int64_t wall_s, int64_t days)
{
    X509 *c = X509_new();
    int good = c && X509_set_version(c, X509_VERSION_3) && X509_set_pubkey(c, key) &&
               ASN1_TIME_set(X509_getm_notBefore(c), (time_t)(wall_s - CERTIFICATE_SLACK_S)) &&
               ASN1_TIME_set(X509_getm_notAfter(c), (time_t)(wall_s + days * 86400));
    invariant(good == 1);
    serial_set(c);
    return c;
}

X509 *certificate_authority_new(EVP_PKEY *key, const char *cluster, int64_t wall_s)
{
    X509 *c = certificate_begin_new(key, wall_s, CERTIFICATE_AUTHORITY_DAYS);
    char common[NAME_MAX_BYTES + 1];
    snprintf(common, sizeof common, "Holdfast cluster %s", cluster);
    name_set(X509_get_subject_name(c), common);
    X509_set_issuer_name(c, X509_get_subject_name(c));
    extension_add(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extension_add(c, c, NID_key_usage, "critical,keyCertSign,cRLSign");
    extension_add(c, c, NID_subject_key_identifier, "hash");
    int length = X509_sign(c, key, EVP_sha256());
    invariant(length > 0);
    return c;
}

char *certificate_request_new(EVP_PKEY *key)
{
    X509_REQ *request = X509_REQ_new();
    BIO *bio = bio_new();
    int good = request && X509_REQ_set_pubkey(request, key) &&
               X509_REQ_sign(request, key, EVP_sha256()) > 0 &&
               PEM_write_bio_X509_REQ(bio, request);
    invariant(good == 1);
    X509_REQ_free(request);
    return bio_text(bio);
}

static bool key_is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t length;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          &length) == 1 &&
           !strcmp(group, "prime256v1");
}

/* The key of a request that proves that who asks has it; NULL. Nothing else that it says counts. */
static EVP_PKEY *request_key(const char *request)
{
    BIO *bio = BIO_new_mem_buf(request, -1);
    invariant(bio != NULL);
    X509_REQ *r = PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL);
    EVP_PKEY *key = r ? X509_REQ_get_pubkey(r) : NULL;
    if (key && (!key_is_p256(key) || X509_REQ_verify(r, key) != 1)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    X509_REQ_free(r);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

int certificate_sign(const char *request, EVP_PKEY *authority_key, X509 *authority,
                     const struct certificate_subject *subject, int64_t wall_s, int64_t days,
                     X509 **ret)
{
    EVP_PKEY *key = request_key(request);
    if (!key)
        return ERR_INVALID;
    char name[128];
    X509 *c = certificate_begin_new(key, wall_s, days);
    EVP_PKEY_free(key);
    name_set(X509_get_subject_name(c), subject->name);
    X509_set_issuer_name(c, X509_get_subject_name(authority));
    extension_add(c, authority, NID_basic_constraints, "critical,CA:FALSE");
    extension_add(c, authority, NID_key_usage, "critical,digitalSignature");
    extension_add(c, authority, NID_ext_key_usage, "serverAuth,clientAuth");
    extension_add(c, authority, NID_authority_key_identifier, "keyid");
    snprintf(name, sizeof name, "URI:holdfast://%s/node/%" PRIu64, subject->cluster, subject->id);
    extension_add(c, authority, NID_subject_alt_name, name);
    int length = X509_sign(c, authority_key, EVP_sha256());
    invariant(length > 0);
    *ret = c;
    return 0;
}

/* ---- reading ---- */

X509 *certificate_read(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    invariant(bio != NULL);
    X509 *c = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return c;
}

char *certificate_text(X509 *certificate)
{
    BIO *bio = bio_new();
    int good = PEM_write_bio_X509(bio, certificate);
    invariant(good == 1);
    return bio_text(bio);
}

void certificate_free(X509 *certificate)
{
    X509_free(certificate);
}

static int64_t time_seconds(const ASN1_TIME *t)
{
    struct tm parts = {0};
    return t && ASN1_TIME_to_tm(t, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

int64_t certificate_begin(const X509 *certificate)
{
    return time_seconds(X509_get0_notBefore(certificate));
}

int64_t certificate_end(const X509 *certificate)
{
    return time_seconds(X509_get0_notAfter(certificate));
}

void certificate_hash(const X509 *certificate, uint8_t ret[static CERTIFICATE_HASH_SIZE])
{
    uint8_t *der = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    int good = length > 0 && EVP_Digest(der, (size_t)length, ret, NULL, EVP_sha256(), NULL);
    invariant(good == 1);
    OPENSSL_free(der);
}

bool certificate_is_by(X509 *certificate, X509 *authority)
{
    bool good = X509_verify(certificate, X509_get0_pubkey(authority)) == 1;
    ERR_clear_error();
    return good;
}
