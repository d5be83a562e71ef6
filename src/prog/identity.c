#include "prog/identity.h"
#include "base/err.h"
#include "base/log.h"
#include "prog/handed.h"
#include "seam/clock.h"
#include "serve/dns/tls_context_io.h"
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 1024, AGAIN_US = 30 * 1000000 };

static bool tls_wanted(const struct config *c)
{
    return c->dns_tls.listen_count + c->dns_proxy.tls_count > 0;
}

struct identity identity_init(const struct config *c, const char *user)
{
    const struct config_tls *tls = &c->dns_tls;
    return (struct identity){.certificate = tls_wanted(c) ? tls->certificate : NULL,
                             .key = tls->key,
                             .data = c->data,
                             .user = user};
}

/* Appends a file to the PEM; else names it in *ret_file. */
static int pem_append(const char *path, struct text *pem, const char **ret_file)
{
    char *data;
    size_t length;
    int err = disk_read(path, TLS_IDENTITY_MAX / 2 - 1, &data, &length);
    *ret_file = path;
    if (err)
        return err;
    text_appendf(pem, "%s\n", data);
    explicit_bzero(data, length);
    free(data);
    return pem->failed ? ERR_LIMIT : 0;
}

/* Both files as one text that has passed the check. *ret_file: which one is bad. */
static int identity_read(const char *certificate, const char *key, struct text *pem,
                         const char **ret_file, struct text *why, SSL_CTX **ret)
{
    int err = pem_append(certificate, pem, ret_file);
    err = err ? err : pem_append(key, pem, ret_file);
    if (err) {
        text_append(why, err_text(err));
        return err;
    }
    *ret_file = certificate;
    return tls_context_new(text_string(pem), pem->length, NULL, clock_wall() / USEC_PER_SEC, why,
                           ret);
}

static void text_wipe(struct text *t)
{
    explicit_bzero((void *)text_string(t), t->length);
    text_done(t);
}

int identity_context(const char *certificate, const char *key, struct text *why, SSL_CTX **ret)
{
    const char *file = certificate;
    struct text pem = text_init(TLS_IDENTITY_MAX), clause = text_init(WHY_MAX);
    int err = identity_read(certificate, key, &pem, &file, &clause, ret);
    if (err)
        text_appendf(why, "%s: %s", file, text_string(&clause));
    text_wipe(&pem);
    text_done(&clause);
    return err;
}

static void identity_take(struct identity *i, usec_t now, struct stats_thread *stats)
{
    const char *file = i->certificate;
    struct text pem = text_init(TLS_IDENTITY_MAX), why = text_init(WHY_MAX);
    SSL_CTX *context = NULL;
    int err = identity_read(i->certificate, i->key, &pem, &file, &why, &context);
    SSL_CTX_free(context);
    if (!err) {
        err = handed_put(i->data, "tls", i->user, text_string(&pem), pem.length);
        if (err) {
            text_append(&why, err_text(err));
            file = i->data;
            i->look_at = now + AGAIN_US;
            memset(i->taken, 0, sizeof i->taken);
        }
    }
    if (err) {
        stats_add(stats, SUPERVISOR_TLS_REFUSED, 1);
        log_event(LOG_ERROR, "tls.certificate", {"file", LOG_S(file)},
                  {"reason", LOG_S(text_string(&why))},
                  {"consequence", LOG_S("what was shown before is shown, if anything was")});
    } else {
        log_event(LOG_INFO, "tls.certificate", {"file", LOG_S(file)}, {"key", LOG_S(i->key)});
    }
    text_wipe(&pem);
    text_done(&why);
}

/* A pair is replaced file by file, so a change is taken when nothing has changed since the last
 * look. */
usec_t identity_look(struct identity *i, usec_t now, bool told, struct stats_thread *stats)
{
    struct disk_identity found[2] = {{0}, {0}};
    if (!i->certificate)
        return USEC_NEVER;
    if (now < i->look_at && !told)
        return i->look_at;
    bool first = !i->look_at;
    i->look_at = now + IDENTITY_LOOK_US;
    bool there = !disk_identify(i->certificate, &found[0]) && !disk_identify(i->key, &found[1]);
    bool changed = memcmp(found, i->taken, sizeof found) != 0;
    bool settled = memcmp(found, i->seen, sizeof found) == 0;
    memcpy(i->seen, found, sizeof found);
    if (first || told || (there && changed && settled)) {
        memcpy(i->taken, found, sizeof found);
        identity_take(i, now, stats);
    }
    return i->look_at;
}

static int pair_check(const char *certificate, const char *key, struct text *problems)
{
    const char *file = NULL;
    SSL_CTX *context = NULL;
    struct text pem = text_init(TLS_IDENTITY_MAX), why = text_init(WHY_MAX);
    int err = identity_read(certificate, key, &pem, &file, &why, &context);
    if (err && err != -EACCES)
        text_appendf(problems, "%s:1:1: it cannot be shown over TLS: %s\n", file,
                     text_string(&why));
    SSL_CTX_free(context);
    text_wipe(&pem);
    text_done(&why);
    return err && err != -EACCES ? ERR_INVALID : 0;
}

int identity_check(const struct config *c, struct text *problems)
{
    const struct config_tls *tls = &c->dns_tls;
    int err = tls_wanted(c) ? pair_check(tls->certificate, tls->key, problems) : 0;
    int api = c->api_certificate ? pair_check(c->api_certificate, c->api_key, problems) : 0;
    return err ? err : api;
}
