#include "serve/dns/cookie_keep_io.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cookie_keep {
    char path[PATH_MAX];
    struct disk_identity seen;
    pthread_mutex_t lock; /* of `secrets` */
    struct cookie_secrets secrets;
    _Atomic unsigned version; /* of `secrets`; 0: there are none yet */
};

struct cookie_keep *cookie_keep_new(const char *data)
{
    struct cookie_keep *k = mem_new(1, sizeof *k);
    int n = snprintf(k->path, sizeof k->path, "%s/run/cookies", data);
    if (n < 0 || (size_t)n >= sizeof k->path)
        k->path[0] = 0;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void cookie_keep_free(struct cookie_keep *k)
{
    if (!k)
        return;
    pthread_mutex_destroy(&k->lock);
    explicit_bzero(&k->secrets, sizeof k->secrets);
    free(k);
}

static int secrets_load(const struct cookie_keep *k, struct cookie_secrets *ret)
{
    char *text;
    size_t length;
    unsigned line;
    int err = disk_read(k->path, COOKIE_SECRETS_TEXT_MAX, &text, &length);
    if (err)
        return err;
    err = cookie_secrets_parse(text, length, ret, &line);
    explicit_bzero(text, length);
    free(text);
    return err;
}

void cookie_keep_look(struct cookie_keep *k)
{
    struct disk_identity now;
    struct cookie_secrets next;
    if (disk_identify(k->path, &now) || !memcmp(&now, &k->seen, sizeof now))
        return;
    int err = secrets_load(k, &next);
    if (err == -EACCES) /* its owner is about to be set */
        return;
    k->seen = now;
    if (err) {
        log_event(LOG_ERROR, "cookies.secrets", {"file", LOG_S(k->path)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("those before are used, if there were any")});
        return;
    }
    pthread_mutex_lock(&k->lock);
    k->secrets = next;
    pthread_mutex_unlock(&k->lock);
    atomic_fetch_add_explicit(&k->version, 1, memory_order_release);
    log_event(LOG_INFO, "cookies.secrets", {"file", LOG_S(k->path)}, {"count", LOG_U(next.count)});
    explicit_bzero(&next, sizeof next);
}

void cookie_keep_follow(struct cookie_keep *k, unsigned *version, struct cookie_secrets *own)
{
    unsigned current = atomic_load_explicit(&k->version, memory_order_acquire);
    if (current == *version)
        return;
    pthread_mutex_lock(&k->lock);
    *own = k->secrets;
    pthread_mutex_unlock(&k->lock);
    *version = current;
}
