#include "serve/dns/tls_stream_io.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

/* OpenSSL reads from a window over what one recv(2) gave, and so takes a header and a record
 * without two system calls; it keeps what is not a whole record. It writes straight to the socket.
 */
struct tls_stream {
    SSL *ssl;
    int fd;
    const uint8_t *window;
    size_t left;
    unsigned version;
    bool broken, ended, stuck, said_end, has_pin;
    uint8_t pin[32];
};

static int window_read(BIO *bio, char *to, size_t size, size_t *ret_read)
{
    struct tls_stream *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!t->left) {
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t n = size < t->left ? size : t->left;
    memcpy(to, t->window, n);
    t->window += n;
    t->left -= n;
    *ret_read = n;
    return 1;
}

static int socket_write(BIO *bio, const char *data, size_t length, size_t *ret_written)
{
    struct tls_stream *t = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = send(t->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        *ret_written = (size_t)n;
        return 1;
    }
    if (errno == EAGAIN)
        BIO_set_retry_write(bio);
    return 0;
}

static long control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH; /* nothing is held back */
}

static BIO_METHOD *method;

static void method_make(void)
{
    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "stream");
    if (!method)
        return;
    BIO_meth_set_read_ex(method, window_read);
    BIO_meth_set_write_ex(method, socket_write);
    BIO_meth_set_ctrl(method, control);
}

struct tls_stream *tls_stream_new(SSL_CTX *context, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, method_make);
    SSL *ssl = method ? SSL_new(context) : NULL;
    BIO *bio = ssl ? BIO_new(method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    struct tls_stream *t = mem_new(1, sizeof *t);
    t->ssl = ssl;
    t->fd = fd;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return t;
}

void tls_stream_end(struct tls_stream *t)
{
    if (t->version && !t->broken && !t->said_end)
        SSL_shutdown(t->ssl);
    t->said_end = true;
    ERR_clear_error();
}

void tls_stream_free(struct tls_stream *t)
{
    if (!t)
        return;
    t->left = 0;
    tls_stream_end(t);
    SSL_free(t->ssl);
    free(t);
}

/* What a call of OpenSSL that did not succeed means; false: nothing more can be done now. */
static bool failed(struct tls_stream *t, int result)
{
    int why = SSL_get_error(t->ssl, result);
    t->stuck = why == SSL_ERROR_WANT_WRITE;
    if (why == SSL_ERROR_ZERO_RETURN)
        t->ended = true;
    else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        t->broken = true;
    ERR_clear_error();
    return t->broken;
}

/* Of a session that is resumed it is the key of its beginning, which the ticket holds. */
static void pin_take(struct tls_stream *t)
{
    uint8_t *key = NULL;
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    int length = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key) : -1;
    t->has_pin = length > 0 && EVP_Digest(key, (size_t)length, t->pin, NULL, EVP_sha256(), NULL);
    OPENSSL_free(key);
}

static void handshake(struct tls_stream *t)
{
    int result = SSL_do_handshake(t->ssl);
    if (result != 1) {
        failed(t, result);
        return;
    }
    t->stuck = false;
    t->version = SSL_version(t->ssl) == TLS1_3_VERSION ? 13 : 12;
    pin_take(t);
}

long tls_stream_feed(struct tls_stream *t, const uint8_t *data, size_t length, uint8_t *to)
{
    size_t got = 0;
    if (t->broken)
        return -1;
    t->window = data;
    t->left = length;
    if (!t->version)
        handshake(t);
    while (t->version && !t->broken) {
        size_t n;
        int result = SSL_read_ex(t->ssl, to + got, TLS_RECORD, &n);
        if (result != 1) {
            failed(t, result);
            break;
        }
        got += n;
        invariant(got <= length + TLS_RECORD);
    }
    /* What it did not take, since it wants to write first, is a client that asks for more than it
     * takes of the handshake or of new keys. */
    if (t->broken || (t->left && !t->ended))
        return -1;
    t->left = 0;
    return (long)got;
}

bool tls_stream_send(struct tls_stream *t, const uint8_t *data, size_t length, size_t *ret_sent)
{
    size_t sent = 0;
    while (sent < length && !t->broken) {
        size_t n;
        int result = SSL_write_ex(t->ssl, data + sent, length - sent, &n);
        if (result != 1) {
            failed(t, result);
            break;
        }
        sent += n;
    }
    *ret_sent = sent;
    return !t->broken;
}

unsigned tls_stream_version(const struct tls_stream *t)
{
    return t->version;
}

const uint8_t *tls_stream_pin(const struct tls_stream *t)
{
    return t->has_pin ? t->pin : NULL;
}

bool tls_stream_resumed(const struct tls_stream *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

bool tls_stream_ended(const struct tls_stream *t)
{
    return t->ended;
}

bool tls_stream_stuck(const struct tls_stream *t)
{
    return t->stuck && !t->version;
}
