#include "replica/secure_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static const uint8_t alpn_node[] = "\x0fholdfast-mesh/1";
static const uint8_t alpn_guest[] = "\x0fholdfast-join/1";

struct secure_context {
    unsigned references;
    SSL_CTX *tls;
};

struct secure {
    struct secure_context *context;
    SSL *ssl;
    BIO *in, *out;
    const char *reason;
};

/* ---- identities ---- */

static int alpn_choose(SSL *ssl, const uint8_t **ret, uint8_t *ret_length, const uint8_t *offered,
                       unsigned length, void *context)
{
    (void)ssl;
    (void)context;
    static const uint8_t *const known[] = {alpn_node, alpn_guest};
    for (unsigned i = 0; i < array_length(known); i++)
        for (unsigned at = 0; at + known[i][0] < length; at += offered[at] + 1u)
            if (!memcmp(offered + at, known[i], known[i][0] + 1u)) {
                *ret = offered + at + 1;
                *ret_length = known[i][0];
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static X509 *pem_next(BIO *bio)
{
    X509 *c = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    ERR_clear_error();
    return c;
}

static bool chain_use(SSL_CTX *tls, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *c = bio ? pem_next(bio) : NULL;
    bool good = c && SSL_CTX_use_certificate(tls, c) == 1;
    X509_free(c);
    while (good && (c = pem_next(bio)))
        good = SSL_CTX_add0_chain_cert(tls, c) == 1;
    BIO_free(bio);
    return good;
}

static bool key_use(SSL_CTX *tls, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    bool good = key && SSL_CTX_use_PrivateKey(tls, key) == 1 && SSL_CTX_check_private_key(tls) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

/* How many are trusted now. */
static unsigned authorities_use(SSL_CTX *tls, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(tls);
    unsigned count = 0;
    for (X509 *c; bio && (c = pem_next(bio)); X509_free(c))
        count += X509_STORE_add_cert(store, c) == 1;
    BIO_free(bio);
    return count;
}

static SSL_CTX *tls_new(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    invariant(tls != NULL);
    int good = SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
               SSL_CTX_set_num_tickets(tls, 0) == 1;
    invariant(good == 1);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, alpn_choose, NULL);
    /* What a certificate is for is said by the membership, which lists its key: those of an
     * operator's own authority may be made for servers alone. */
    SSL_CTX_set_purpose(tls, X509_PURPOSE_ANY);
    return tls;
}

int secure_context_new(const char *certificate, const char *key, const char *authorities,
                       struct secure_context **ret, struct text *why)
{
    SSL_CTX *tls = tls_new();
    const char *wrong = NULL;
    ERR_clear_error();
    if (certificate && !chain_use(tls, certificate))
        wrong = "there is no certificate in PEM that can be used";
    else if (certificate && !key_use(tls, key))
        wrong = "there is no private key in PEM that belongs to the certificate";
    else if (authorities && !authorities_use(tls, authorities))
        wrong = "there is no certificate of an authority in PEM";
    ERR_clear_error();
    if (wrong) {
        text_append(why, wrong);
        SSL_CTX_free(tls);
        return ERR_INVALID;
    }
    struct secure_context *c = mem_new(1, sizeof *c);
    *c = (struct secure_context){1, tls};
    *ret = c;
    return 0;
}

void secure_context_ref(struct secure_context *c)
{
    c->references++;
}

void secure_context_unref(struct secure_context *c)
{
    if (!c || --c->references)
        return;
    SSL_CTX_free(c->tls);
    free(c);
}

/* ---- connections ---- */

static struct secure *secure_new(struct secure_context *c)
{
    struct secure *s = mem_new(1, sizeof *s);
    s->context = c;
    c->references++;
    s->ssl = SSL_new(c->tls);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    invariant(s->ssl && s->in && s->out);
    SSL_set_bio(s->ssl, s->in, s->out);
    return s;
}

struct secure *secure_connect(struct secure_context *c, enum secure_kind kind)
{
    struct secure *s = secure_new(c);
    const uint8_t *protocol = kind == SECURE_GUEST ? alpn_guest : alpn_node;
    int failed = SSL_set_alpn_protos(s->ssl, protocol, protocol[0] + 1u);
    invariant(failed == 0);
    /* A guest knows the authority's hash alone: secure_peer_is_by() verifies. */
    SSL_set_verify(s->ssl, kind == SECURE_GUEST ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_set_connect_state(s->ssl);
    return s;
}

struct secure *secure_accept(struct secure_context *c)
{
    struct secure *s = secure_new(c);
    SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL); /* one that shows none is a guest */
    SSL_set_accept_state(s->ssl);
    return s;
}

void secure_free(struct secure *s)
{
    if (!s)
        return;
    SSL_free(s->ssl); /* and both BIOs */
    secure_context_unref(s->context);
    free(s);
}

void secure_take(struct secure *s, const void *data, size_t length)
{
    size_t written = 0;
    int good = length ? BIO_write_ex(s->in, data, length, &written) : 1;
    invariant(good == 1 && written == length);
}

static int fail(struct secure *s, int err, const char *reason)
{
    s->reason = reason;
    return err;
}

static int trouble(struct secure *s, int result)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return fail(s, ERR_TRUNCATED, "the other side closed the connection");
    default:
        break;
    }
    long verify = SSL_get_verify_result(s->ssl);
    if (verify != X509_V_OK)
        return fail(s, ERR_INVALID, X509_verify_cert_error_string(verify));
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    return fail(s, ERR_INVALID, why ? why : "the TLS connection failed");
}

/* One of ours without a certificate where one is due is nobody. */
static int kind_check(struct secure *s)
{
    const uint8_t *protocol;
    unsigned length;
    SSL_get0_alpn_selected(s->ssl, &protocol, &length);
    if (!length)
        return fail(s, ERR_INVALID, "the other side is no node (ALPN)");
    if (secure_peer_kind(s) == SECURE_NODE && !SSL_get0_peer_certificate(s->ssl))
        return fail(s, ERR_INVALID, "the other side shows no certificate");
    return 1;
}

int secure_shake(struct secure *s)
{
    if (SSL_is_init_finished(s->ssl))
        return 1;
    ERR_clear_error();
    int result = SSL_do_handshake(s->ssl);
    return result == 1 ? kind_check(s) : trouble(s, result);
}

int secure_read(struct secure *s, void *buffer, size_t size)
{
    ERR_clear_error();
    int result = SSL_read(s->ssl, buffer, size > INT_MAX ? INT_MAX : (int)size);
    return result > 0 ? result : trouble(s, result);
}

int secure_write(struct secure *s, const void *data, size_t length)
{
    size_t written;
    ERR_clear_error();
    if (SSL_write_ex(s->ssl, data, length, &written) == 1)
        return 0;
    return fail(s, ERR_INVALID, "the TLS connection failed");
}

size_t secure_give(struct secure *s, void *buffer, size_t size)
{
    size_t given = 0;
    return BIO_ctrl_pending(s->out) && BIO_read_ex(s->out, buffer, size, &given) == 1 ? given : 0;
}

enum secure_kind secure_peer_kind(const struct secure *s)
{
    const uint8_t *protocol;
    unsigned length;
    SSL_get0_alpn_selected(s->ssl, &protocol, &length);
    return length == alpn_guest[0] && !memcmp(protocol, alpn_guest + 1, length) ? SECURE_GUEST
                                                                                : SECURE_NODE;
}

static bool hash_of(const X509 *certificate, uint8_t ret[static SECURE_HASH_SIZE])
{
    uint8_t *der = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool good = length > 0 && EVP_Digest(der, (size_t)length, ret, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return good;
}

bool secure_peer_key(const struct secure *s, uint8_t ret[static SECURE_HASH_SIZE])
{
    const X509 *certificate = SSL_get0_peer_certificate(s->ssl);
    return certificate && hash_of(certificate, ret);
}

/* Does the chain lead to this one? */
static int chain_verify(struct secure *s, X509 *leaf, STACK_OF(X509) * chain, X509 *authority)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *verify = X509_STORE_CTX_new();
    int good = store && verify && X509_STORE_add_cert(store, authority) == 1 &&
               X509_STORE_CTX_init(verify, store, leaf, chain) == 1;
    invariant(good == 1);
    int err = 0;
    if (X509_verify_cert(verify) != 1)
        err = fail(s, ERR_INVALID, X509_verify_cert_error_string(X509_STORE_CTX_get_error(verify)));
    X509_STORE_CTX_free(verify);
    X509_STORE_free(store);
    ERR_clear_error();
    return err;
}

int secure_peer_is_by(struct secure *s, const uint8_t hash[static SECURE_HASH_SIZE])
{
    X509 *leaf = SSL_get0_peer_certificate(s->ssl);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(s->ssl);
    uint8_t found[SECURE_HASH_SIZE];
    for (int i = 0; leaf && i < sk_X509_num(chain); i++) {
        X509 *c = sk_X509_value(chain, i);
        if (hash_of(c, found) && !CRYPTO_memcmp(found, hash, sizeof found))
            return chain_verify(s, leaf, chain, c);
    }
    return fail(s, ERR_INVALID, "its certificate is by another authority");
}

void secure_binding(const struct secure *s, uint8_t ret[static SECURE_HASH_SIZE])
{
    static const char label[] = "EXPORTER-holdfast-join";
    int good = SSL_export_keying_material(s->ssl, ret, SECURE_HASH_SIZE, label, sizeof label - 1,
                                          NULL, 0, 0);
    invariant(good == 1);
}

const char *secure_reason(const struct secure *s)
{
    return s->reason ? s->reason : "the connection ended";
}
