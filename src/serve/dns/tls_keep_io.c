#include "serve/dns/tls_keep_io.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tls_keep {
    char path[PATH_MAX];
    const struct tls_tickets *tickets;
    bool ask;
    struct stats_thread *stats;
    struct disk_identity seen;
    pthread_mutex_t lock; /* of `context` */
    SSL_CTX *context;
};

struct tls_keep *tls_keep_new(const char *data, const struct tls_tickets *tickets, bool ask,
                              struct stats_thread *stats)
{
    struct tls_keep *k = mem_new(1, sizeof *k);
    int n = snprintf(k->path, sizeof k->path, "%s/run/tls", data);
    if (n < 0 || (size_t)n >= sizeof k->path)
        k->path[0] = 0;
    k->tickets = tickets;
    k->ask = ask;
    k->stats = stats;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void tls_keep_free(struct tls_keep *k)
{
    if (!k)
        return;
    SSL_CTX_free(k->context);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static int context_load(const struct tls_keep *k, struct text *why, SSL_CTX **ret)
{
    char *pem;
    size_t length;
    int err = disk_read(k->path, TLS_IDENTITY_MAX, &pem, &length);
    if (err) {
        text_append(why, err_text(err));
        return err;
    }
    err = tls_context_new(pem, length, k->tickets, 0, why, ret);
    explicit_bzero(pem, length);
    free(pem);
    if (!err && k->ask)
        tls_context_ask(*ret);
    return err;
}

static void context_set(struct tls_keep *k, SSL_CTX *next)
{
    pthread_mutex_lock(&k->lock);
    SSL_CTX *old = k->context;
    k->context = next;
    pthread_mutex_unlock(&k->lock);
    SSL_CTX_free(old); /* streams that were opened with it hold it */
}

void tls_keep_look(struct tls_keep *k)
{
    enum { WHY_MAX = 1024 };
    struct disk_identity now;
    SSL_CTX *next;
    if (disk_identify(k->path, &now) || !memcmp(&now, &k->seen, sizeof now))
        return;
    struct text why = text_init(WHY_MAX);
    int err = context_load(k, &why, &next);
    if (err != -EACCES) /* its owner is about to be set */
        k->seen = now;
    if (err) {
        stats_add(k->stats, TLS_REFUSED, 1);
        log_event(LOG_ERROR, "tls.identity", {"file", LOG_S(k->path)},
                  {"reason", LOG_S(text_string(&why))},
                  {"consequence",
                   LOG_S(k->context ? "the one before is shown" : "nobody is served over TLS")});
    } else {
        context_set(k, next);
        stats_add(k->stats, TLS_LOADED, 1);
        stats_set(k->stats, TLS_ENDS, (uint64_t)(tls_context_ends(next) * USEC_PER_SEC));
        log_event(LOG_INFO, "tls.identity", {"file", LOG_S(k->path)});
    }
    text_done(&why);
}

struct tls_stream *tls_keep_begin(struct tls_keep *k, int fd)
{
    pthread_mutex_lock(&k->lock);
    SSL_CTX *c = k->context;
    if (c)
        SSL_CTX_up_ref(c);
    pthread_mutex_unlock(&k->lock);
    struct tls_stream *stream = c ? tls_stream_new(c, fd) : NULL;
    SSL_CTX_free(c);
    return stream;
}
