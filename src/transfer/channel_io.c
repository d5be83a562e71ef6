#include "transfer/channel_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

struct channel_store {
    struct channel_store *next;
    char *ca;   /* NULL: the system's, or none is needed */
    char *cert; /* NULL: none is shown */
    bool verify;
    SSL_CTX *context;
};

struct channel {
    SSL *ssl;
    BIO *in, *out;
    enum channel_trust trust;
    uint8_t pin[CHANNEL_PIN_SIZE];
    bool open;        /* the handshake is done and the peer is who it should be */
    uint8_t *waiting; /* text from before that */
    size_t waiting_length;
    const char *reason;
};

void channel_store_free(struct channel_store *s)
{
    while (s) {
        struct channel_store *next = s->next;
        SSL_CTX_free(s->context);
        free(s->ca);
        free(s->cert);
        free(s);
        s = next;
    }
}

static bool same(const char *a, const char *b)
{
    return !a == !b && (!a || !strcmp(a, b));
}

static bool store_is(const struct channel_store *s, const char *ca, bool verify, const char *cert)
{
    return s->verify == verify && same(s->ca, ca) && same(s->cert, cert);
}

static SSL_CTX *context_new(const char *ca, bool verify, const char *cert)
{
    static const uint8_t dot[] = "\3dot";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool good = context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
                SSL_CTX_set_alpn_protos(context, dot, sizeof dot - 1) == 0;
    if (good && verify) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        good = ca ? SSL_CTX_load_verify_file(context, ca) == 1
                  : SSL_CTX_set_default_verify_paths(context) == 1;
    }
    if (good && cert)
        good = SSL_CTX_use_certificate_chain_file(context, cert) == 1 &&
               SSL_CTX_use_PrivateKey_file(context, cert, SSL_FILETYPE_PEM) == 1;
    if (!good) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static SSL_CTX *store_find(struct channel_store **store, const char *ca, bool verify,
                           const char *cert)
{
    for (struct channel_store *s = *store; s; s = s->next)
        if (store_is(s, ca, verify, cert))
            return s->context;
    SSL_CTX *context = context_new(ca, verify, cert);
    if (!context)
        return NULL;
    struct channel_store *s = mem_new(1, sizeof *s);
    *s = (struct channel_store){*store, ca ? mem_string(ca) : NULL, cert ? mem_string(cert) : NULL,
                                verify, context};
    *store = s;
    return context;
}

int channel_new(struct channel_store **store, const struct channel_peer *peer, struct channel **ret)
{
    bool verify = peer->trust == CHANNEL_NAME;
    ERR_clear_error();
    SSL_CTX *context = store_find(store, verify ? peer->ca : NULL, verify, peer->cert);
    if (!context)
        return ERR_MISSING;
    struct channel *c = mem_new(1, sizeof *c);
    c->trust = peer->trust;
    memcpy(c->pin, peer->pin, sizeof c->pin);
    c->ssl = SSL_new(context);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    invariant(c->ssl && c->in && c->out);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_connect_state(c->ssl);
    bool named = !peer->name || (SSL_set_tlsext_host_name(c->ssl, peer->name) == 1 &&
                                 SSL_set1_host(c->ssl, peer->name) == 1);
    if (!named || (verify && !peer->name)) {
        channel_free(c);
        return ERR_INVALID;
    }
    *ret = c;
    return 0;
}

void channel_free(struct channel *c)
{
    if (!c)
        return;
    SSL_free(c->ssl); /* and both BIOs */
    free(c->waiting);
    free(c);
}

void channel_take(struct channel *c, const void *data, size_t length)
{
    size_t written = 0;
    int good = length ? BIO_write_ex(c->in, data, length, &written) : 1;
    invariant(good == 1 && written == length);
}

static int fail(struct channel *c, int err, const char *reason)
{
    c->reason = reason;
    return err;
}

static bool pin_fits(const struct channel *c)
{
    uint8_t *key = NULL, hash[CHANNEL_PIN_SIZE];
    X509 *certificate = SSL_get0_peer_certificate(c->ssl);
    int length = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key) : -1;
    bool good = length > 0 && EVP_Digest(key, (size_t)length, hash, NULL, EVP_sha256(), NULL) &&
                !CRYPTO_memcmp(hash, c->pin, sizeof hash);
    OPENSSL_free(key);
    return good;
}

/* The handshake is done: is it the one we want? */
static int peer_check(struct channel *c)
{
    const uint8_t *protocol;
    unsigned length;
    SSL_get0_alpn_selected(c->ssl, &protocol, &length);
    if (length != 3 || memcmp(protocol, "dot", 3))
        return fail(c, ERR_INVALID, "the primary does not speak DNS over TLS (ALPN)");
    if (c->trust == CHANNEL_PIN && !pin_fits(c))
        return fail(c, ERR_INVALID, "the primary's certificate has another key than the pinned");
    c->open = true;
    size_t waiting = c->waiting_length;
    c->waiting_length = 0;
    return waiting ? channel_write(c, c->waiting, waiting) : 0;
}

static int trouble(struct channel *c, int result)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return fail(c, ERR_TRUNCATED, "the primary closed the connection");
    default:
        break;
    }
    long verify = SSL_get_verify_result(c->ssl);
    if (c->trust == CHANNEL_NAME && verify != X509_V_OK)
        return fail(c, ERR_INVALID, X509_verify_cert_error_string(verify));
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    return fail(c, ERR_INVALID, why ? why : "the TLS connection failed");
}

static int shake(struct channel *c)
{
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    return result == 1 ? peer_check(c) : trouble(c, result);
}

int channel_read(struct channel *c, void *buffer, size_t size)
{
    if (!c->open) {
        int err = shake(c);
        if (err || !c->open)
            return err;
    }
    ERR_clear_error();
    int result = SSL_read(c->ssl, buffer, size > INT_MAX ? INT_MAX : (int)size);
    return result > 0 ? result : trouble(c, result);
}

int channel_write(struct channel *c, const void *data, size_t length)
{
    if (!c->open) {
        invariant(!c->waiting);
        c->waiting = mem_new(length, 1);
        memcpy(c->waiting, data, length);
        c->waiting_length = length;
        return shake(c);
    }
    size_t written;
    ERR_clear_error();
    if (SSL_write_ex(c->ssl, data, length, &written) == 1)
        return 0;
    return fail(c, ERR_INVALID, "the TLS connection failed");
}

size_t channel_give(struct channel *c, void *buffer, size_t size)
{
    size_t given = 0;
    return BIO_ctrl_pending(c->out) && BIO_read_ex(c->out, buffer, size, &given) == 1 ? given : 0;
}

const char *channel_reason(const struct channel *c)
{
    return c->reason;
}
