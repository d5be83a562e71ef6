#include "prog/policy.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/access.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Hexadecimal digits that the configuration has checked; returns the bytes. */
static size_t unhex(const char *text, uint8_t *to, size_t size)
{
    size_t n = 0;
    for (; n < size && text[2 * n]; n++) {
        const char pair[3] = {text[2 * n], text[2 * n + 1], 0};
        to[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

/* A secret that this node made for itself, at its first start: DATA/run/<name>. */
static void secret_own(const char *data, const char *name, uint8_t *ret_secret, size_t size,
                       const char *consequence)
{
    struct text path = text_init(PATH_MAX);
    char *bytes = NULL;
    size_t length = 0;
    text_appendf(&path, "%s/run/%s", data, name);
    int err = disk_read(text_string(&path), size, &bytes, &length);
    if (!err && length == size) {
        memcpy(ret_secret, bytes, size);
    } else {
        entropy_fill(ret_secret, size);
        err = disk_write_atomic(text_string(&path), ret_secret, size, 0600);
        if (err)
            log_event(LOG_WARN, "secret.keep", {"file", LOG_S(text_string(&path))},
                      {"reason", LOG_S(err_text(err))}, {"consequence", LOG_S(consequence)});
    }
    free(bytes);
    text_done(&path);
}

static void text_copy(char *to, const char *text)
{
    if (text)
        memcpy(to, text, strnlen(text, POLICY_TEXT_MAX));
}

static void policy_make(const struct config *c, struct query_policy *ret)
{
    const struct config_answers *a = &c->dns_answers;
    memset(ret, 0, sizeof *ret);
    ret->cookie_required = a->cookies_required;
    ret->stale_after = (uint64_t)a->stale_after;
    ret->limits.each = a->rrl_rate;
    ret->limits.all = a->rrl_all;
    ret->limit_slip = a->rrl_slip;
    ret->limit_size = a->rrl_table;
    for (; ret->proxy_count < c->dns_proxy.from_count && ret->proxy_count < POLICY_PROXIES_MAX;
         ret->proxy_count++)
        ret->proxies[ret->proxy_count] = c->dns_proxy.from[ret->proxy_count];
    text_copy(ret->version, a->version);
    text_copy(ret->id, a->id);
    if (a->nsid && !strncmp(a->nsid, "0x", 2)) {
        ret->nsid_length = (uint8_t)unhex(a->nsid + 2, ret->nsid, sizeof ret->nsid);
    } else if (a->nsid) {
        ret->nsid_length = (uint8_t)strnlen(a->nsid, sizeof ret->nsid);
        memcpy(ret->nsid, a->nsid, ret->nsid_length);
    }
    ret->cookies = a->cookies;
}

static struct stream_limits limits_make(const struct config_tcp *c)
{
    return (struct stream_limits){.clients = c->clients,
                                  .clients_each = c->clients_each,
                                  .client_v4 = (uint8_t)c->client_v4,
                                  .client_v6 = (uint8_t)c->client_v6,
                                  .idle = c->idle,
                                  .patience = c->patience,
                                  .memory = (uint64_t)c->memory_mib << 20};
}

static void grants_make(const struct config *c, struct dns_grants *ret)
{
    memset(ret, 0, sizeof *ret);
    policy_make(c, &ret->policy);
    ret->tcp = ret->tls = limits_make(&c->dns_tcp);
    ret->tls.clients = c->dns_tls.clients;
    ret->tls.handshakes = c->dns_tls.handshakes;
    ret->tls_ask = access_pins(c);
    if (c->dns_tls.listen_count + c->dns_proxy.tls_count)
        secret_own(c->data, "tickets", ret->ticket_secret, sizeof ret->ticket_secret,
                   "sessions over TLS begin anew after the next start");
}

int policy_open(const struct config *c, int *ret_fd)
{
    struct dns_grants g;
    grants_make(c, &g);
    int fd = memfd_create("policy", MFD_CLOEXEC), err = fd < 0 ? -errno : 0;
    if (!err && pwrite(fd, &g, sizeof g, 0) != (ssize_t)sizeof g) {
        err = errno ? -errno : -EIO;
        close(fd);
    }
    explicit_bzero(&g, sizeof g);
    if (!err)
        *ret_fd = fd;
    return err;
}

int policy_read(int fd, struct dns_grants *ret)
{
    static const struct config_tcp usual = {.clients = 1000,
                                            .clients_each = 100,
                                            .client_v4 = 32,
                                            .client_v6 = 56,
                                            .idle = 10 * USEC_PER_SEC,
                                            .patience = 30 * USEC_PER_SEC,
                                            .memory_mib = 64};
    struct dns_grants g = {.tcp = limits_make(&usual), .tls = limits_make(&usual)};
    *ret = g;
    if (fd >= 0 && pread(fd, &g, sizeof g, 0) != (ssize_t)sizeof g)
        return ERR_TRUNCATED;
    *ret = g;
    return 0;
}
