/* Checks of kind tls: a connection and a full handshake, then closed. No session is ever resumed: a
 * resumed one does not show the certificate. */
#include "observe/probe_io.h"

#include "base/memory.h"
#include "observe/request.h"
#include "seam/clock.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct tls {
    struct trust *trust; /* NULL: nothing is verified */
    SSL *ssl;            /* of the running probe */
    char *name;          /* sent and verified; NULL: the address is verified and nothing sent */
    long verify;         /* X509_V_ERR_* of this probe */
    usec_t connected;    /* 0: not yet */
};

static int on_certificate(X509_STORE_CTX *seen, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(seen, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct slot *s = SSL_get_app_data(ssl);
    struct tls *t = s->state;
    return certificate_check(seen, s, t->trust, &t->verify);
}

static bool tls_open(struct observer *o)
{
    if (o->tls)
        return true;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return false;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, on_certificate, NULL);
    o->tls = context;
    return true;
}

void tls_close(struct observer *o)
{
    SSL_CTX_free(o->tls);
    o->tls = NULL;
}

static void tls_release(struct slot *s)
{
    struct tls *t = s->state;
    if (!t)
        return;
    trust_put(t->trust);
    free(t->name);
    free(t);
    s->state = NULL;
}

static bool tls_prepare(struct slot *s)
{
    const char *name = s->check->sni ? s->check->sni : s->check->host, *start;
    if (!tls_open(s->observer))
        return false;
    struct tls *t = s->state = mem_new(1, sizeof *t);
    if (name) {
        size_t length = request_host(name, &start);
        t->name = mem_new(length + 1, 1);
        memcpy(t->name, start, length);
    }
    if (!s->check->verify || (t->trust = trust_get(s->observer, s->check->ca)))
        return true;
    tls_release(s);
    return false;
}

static void tls_renew(struct slot *s)
{
    struct tls *t = s->state;
    trust_renew(s, &t->trust);
}

static void tls_start(struct slot *s)
{
    struct tls *t = s->state;
    t->verify = X509_V_OK;
    t->connected = 0;
    int err = stream_connect(s);
    if (err)
        stream_failed(s, -err);
}

/* RFC 6066 3: only names are sent, never literal addresses. */
static bool ssl_name(struct slot *s, struct tls *t)
{
    char literal[IP_TEXT_MAX];
    struct ip ip;
    bool named = t->name && ip_parse(t->name, &ip) != 0;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (named)
        return SSL_set_tlsext_host_name(t->ssl, t->name) == 1 &&
               X509_VERIFY_PARAM_set1_host(param, t->name, 0) == 1;
    const char *address = t->name ? t->name : ip_format(&s->address, literal);
    return X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1;
}

static bool ssl_begin(struct slot *s, struct tls *t)
{
    t->ssl = SSL_new(s->observer->tls);
    if (!t->ssl)
        return false;
    SSL_set_app_data(t->ssl, s);
    SSL_set_connect_state(t->ssl);
    return SSL_set_fd(t->ssl, s->fd) == 1 && ssl_name(s, t);
}

static void tls_failed(struct slot *s, struct tls *t, int error)
{
    struct progress at = {.connected = true};
    slot_phase(s, PHASE_TLS, t->connected);
    if (t->verify != X509_V_OK)
        slot_finish(s, classify_certificate(t->verify));
    else if (error)
        slot_finish(s, classify_stream(error, &at));
    else
        slot_finish(s, REASON_TLS_ALERT);
}

static void tls_shake(struct slot *s, struct tls *t)
{
    ERR_clear_error();
    errno = 0;
    int done = SSL_do_handshake(t->ssl), error = errno, err = 0;
    if (done == 1) {
        slot_phase(s, PHASE_TLS, t->connected);
        slot_finish(s, REASON_OK);
        return;
    }
    switch (SSL_get_error(t->ssl, done)) {
    case SSL_ERROR_WANT_READ:
        err = slot_watch(s, s->fd, EPOLLIN);
        break;
    case SSL_ERROR_WANT_WRITE:
        err = slot_watch(s, s->fd, EPOLLOUT);
        break;
    case SSL_ERROR_SYSCALL:
        tls_failed(s, t, error);
        return;
    default:
        tls_failed(s, t, 0);
        return;
    }
    if (err)
        slot_fail(s, "watch", err);
}

static void tls_event(struct slot *s, uint32_t events)
{
    (void)events;
    struct tls *t = s->state;
    if (t->connected) {
        tls_shake(s, t);
        return;
    }
    int error = stream_connected(s);
    if (error) {
        stream_failed(s, error);
        return;
    }
    t->connected = clock_now();
    if (ssl_begin(s, t))
        tls_shake(s, t);
    else
        slot_fail(s, "handshake", ENOMEM);
}

static void tls_expire(struct slot *s)
{
    struct tls *t = s->state;
    struct progress at = {.connected = t->connected > 0};
    slot_phase(s, at.connected ? PHASE_TLS : PHASE_CONNECT,
               at.connected ? t->connected : s->sample.started);
    slot_finish(s, classify_timeout(&at));
}

static void tls_stop(struct slot *s)
{
    struct tls *t = s->state;
    if (t) {
        SSL_free(t->ssl);
        t->ssl = NULL;
    }
    stream_end(s);
}

const struct probe_kind probe_tls = {.prepare = tls_prepare,
                                     .release = tls_release,
                                     .renew = tls_renew,
                                     .start = tls_start,
                                     .event = tls_event,
                                     .expire = tls_expire,
                                     .stop = tls_stop};
