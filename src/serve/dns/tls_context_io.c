#include "serve/dns/tls_context_io.h"
#include "base/err.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>

/* RFC 9325 4.2: with forward secrecy, and authenticated encryption. Those of TLS 1.3 are all so. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const uint8_t alpn_dot[] = {3, 'd', 'o', 't'}; /* RFC 7858 8, RFC 9103 12 */

/* ---- tickets ---- */

enum { TICKET_NAME = 16, TICKET_KEY = 32 };

/* The keys of a period: their name, and one each to encrypt and to authenticate. */
struct ticket_keys {
    uint8_t name[32], encrypt[32], authenticate[32];
};

static void ticket_derive(const struct tls_tickets *t, uint64_t period, uint8_t what,
                          uint8_t ret[static 32])
{
    uint8_t text[9] = {what};
    unsigned length = 32;
    for (int i = 0; i < 8; i++)
        text[1 + i] = (uint8_t)(period >> (8 * i));
    HMAC(EVP_sha256(), t->secret, sizeof t->secret, text, sizeof text, ret, &length);
}

static void ticket_keys(const struct tls_tickets *t, uint64_t period, struct ticket_keys *ret)
{
    ticket_derive(t, period, 'n', ret->name);
    ticket_derive(t, period, 'e', ret->encrypt);
    ticket_derive(t, period, 'a', ret->authenticate);
}

static bool ticket_init(const struct ticket_keys *keys, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(
                               OSSL_MAC_PARAM_KEY, (void *)keys->authenticate, TICKET_KEY),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->encrypt, iv, encrypt) == 1;
}

/* OpenSSL's: 1 go on, 2 go on and give a new one, 0 no ticket, -1 failure. */
static int ticket_callback(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int encrypt)
{
    const struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint64_t period = t->wall() / TLS_TICKET_LIFE_S;
    struct ticket_keys keys;
    int result = 0;
    for (unsigned age = 0; age < (encrypt ? 1 : 2) && !result; age++) {
        ticket_keys(t, period - age, &keys);
        if (encrypt)
            memcpy(name, keys.name, TICKET_NAME);
        if (!encrypt && memcmp(name, keys.name, TICKET_NAME) != 0)
            continue;
        if (encrypt && RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
            result = -1;
        else
            result = ticket_init(&keys, iv, cipher, mac, encrypt) ? (age ? 2 : 1) : -1;
    }
    OPENSSL_cleanse(&keys, sizeof keys);
    return result;
}

/* ---- the certificate and its key ---- */

/* The newest error of OpenSSL as a clause, in its words. */
static int openssl_why(struct text *why, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    text_appendf(why, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return ERR_INVALID;
}

static BIO *pem_open(const char *pem, size_t length)
{
    return BIO_new_mem_buf(pem, (int)length);
}

/* No file asks for a passphrase on a terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static int key_use(SSL_CTX *c, const char *pem, size_t length, struct text *why)
{
    BIO *in = pem_open(pem, length);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    int err = 0;
    if (!key)
        err = openssl_why(why, "there is no private key in PEM that can be read without a "
                               "passphrase");
    else if (SSL_CTX_use_PrivateKey(c, key) != 1)
        err = openssl_why(why, "the private key is not the certificate's");
    EVP_PKEY_free(key);
    BIO_free(in);
    return err;
}

static int chain_use(SSL_CTX *c, const char *pem, size_t length, struct text *why)
{
    BIO *in = pem_open(pem, length);
    X509 *x = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
    int err = 0;
    if (!x)
        err = openssl_why(why, "there is no certificate in PEM");
    else if (SSL_CTX_use_certificate(c, x) != 1)
        err = openssl_why(why, "the certificate cannot be used");
    X509_free(x);
    while (!err && (x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)))
        if (SSL_CTX_add0_chain_cert(c, x) != 1) {
            X509_free(x);
            err = openssl_why(why, "a certificate of the chain cannot be used");
        }
    ERR_clear_error(); /* of the end */
    BIO_free(in);
    return err;
}

int64_t tls_context_ends(const SSL_CTX *context)
{
    struct tm tm = {0};
    const X509 *x = SSL_CTX_get0_certificate(context);
    if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
        return 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    if (epoch)
        ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x));
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + seconds;
}

/* ---- the context ---- */

/* RFC 7301 3.2: who names protocols without ours talks to the wrong server. */
static int alpn_callback(SSL *ssl, const uint8_t **ret, uint8_t *ret_length, const uint8_t *offered,
                         unsigned length, void *context)
{
    uint8_t *found;
    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&found, ret_length, alpn_dot, sizeof alpn_dot, offered, length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = found;
    return SSL_TLSEXT_ERR_OK;
}

static int settings_set(SSL_CTX *c, const struct tls_tickets *tickets)
{
    static const uint8_t session_context[] = "holdfast-dot";
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                               SSL_OP_IGNORE_UNEXPECTED_EOF | (tickets ? 0 : SSL_OP_NO_TICKET));
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* nothing is kept of any client */
    SSL_CTX_set_timeout(c, TLS_TICKET_LIFE_S);
    SSL_CTX_set_num_tickets(c, tickets ? 1 : 0);
    SSL_CTX_set_alpn_select_cb(c, alpn_callback, NULL);
    SSL_CTX_set_app_data(c, (void *)tickets);
    if (tickets)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(c, ticket_callback);
    return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_max_early_data(c, 0) == 1 &&
                   SSL_CTX_set_cipher_list(c, ciphers) == 1 &&
                   SSL_CTX_set_session_id_context(c, session_context, sizeof session_context - 1) ==
                       1
               ? 0
               : ERR_INVALID;
}

int tls_context_new(const char *pem, size_t length, const struct tls_tickets *tickets, int64_t wall,
                    struct text *why, SSL_CTX **ret)
{
    if (length > TLS_IDENTITY_MAX) {
        text_append(why, "it is too large for certificates and a key");
        return ERR_INVALID;
    }
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    int err = c ? settings_set(c, tickets) : ERR_INVALID;
    if (err)
        err = openssl_why(why, "TLS cannot be set up");
    err = err ? err : chain_use(c, pem, length, why);
    err = err ? err : key_use(c, pem, length, why);
    if (!err && tls_context_ends(c) <= wall) {
        text_append(why, "the certificate has ended");
        err = ERR_INVALID;
    }
    if (err) {
        SSL_CTX_free(c);
        return err;
    }
    *ret = c;
    return 0;
}

static int any_certificate(int good, X509_STORE_CTX *context)
{
    (void)good;
    (void)context;
    return 1;
}

void tls_context_ask(SSL_CTX *context)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, any_certificate);
}
