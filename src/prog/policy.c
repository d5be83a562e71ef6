#include "prog/policy.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
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

/* The secret that this node made for itself, at its first start. */
static void secret_own(const char *data, uint8_t ret_secret[static POLICY_SECRET_SIZE])
{
    struct text path = text_init(PATH_MAX);
    char *bytes = NULL;
    size_t length = 0;
    text_appendf(&path, "%s/run/cookie", data);
    int err = disk_read(text_string(&path), POLICY_SECRET_SIZE, &bytes, &length);
    if (!err && length == POLICY_SECRET_SIZE) {
        memcpy(ret_secret, bytes, POLICY_SECRET_SIZE);
    } else {
        entropy_fill(ret_secret, POLICY_SECRET_SIZE);
        err = disk_write_atomic(text_string(&path), ret_secret, POLICY_SECRET_SIZE, 0600);
        if (err)
            log_event(LOG_WARN, "cookie.secret", {"file", LOG_S(text_string(&path))},
                      {"reason", LOG_S(err_text(err))},
                      {"consequence", LOG_S("clients get new cookies after the next start")});
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
    ret->limit_rate = a->rrl_rate;
    ret->limit_slip = a->rrl_slip;
    ret->limit_size = a->rrl_table;
    text_copy(ret->version, a->version);
    text_copy(ret->id, a->id);
    if (a->nsid && !strncmp(a->nsid, "0x", 2)) {
        ret->nsid_length = (uint8_t)unhex(a->nsid + 2, ret->nsid, sizeof ret->nsid);
    } else if (a->nsid) {
        ret->nsid_length = (uint8_t)strnlen(a->nsid, sizeof ret->nsid);
        memcpy(ret->nsid, a->nsid, ret->nsid_length);
    }
    if (!a->cookies)
        return;
    if (a->cookie_secret)
        unhex(a->cookie_secret, ret->secrets[0], POLICY_SECRET_SIZE);
    else
        secret_own(c->data, ret->secrets[0]);
    ret->secret_count = 1;
    if (a->cookie_previous)
        unhex(a->cookie_previous, ret->secrets[ret->secret_count++], POLICY_SECRET_SIZE);
}

int policy_open(const struct config *c, int *ret_fd)
{
    struct query_policy p;
    policy_make(c, &p);
    int fd = memfd_create("policy", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (pwrite(fd, &p, sizeof p, 0) != (ssize_t)sizeof p) {
        int err = errno ? -errno : -EIO;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

int policy_read(int fd, struct query_policy *ret)
{
    struct query_policy p = {.nsid_length = 0};
    if (fd >= 0 && pread(fd, &p, sizeof p, 0) != (ssize_t)sizeof p)
        return ERR_TRUNCATED;
    *ret = p;
    return 0;
}
