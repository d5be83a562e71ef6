#include "prog/handover.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/text.h"
#include "seam/net.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "lock 4;udp 5,6;tcp 7,8;tell 9;pids 12,13,14;xdp 15;api 16"; xdp and api only where they are
 * used, and not known to older programs */
enum { HANDOVER_TEXT_MAX = 64 << 10 };

static void list_append(struct text *t, const char *name, const int *numbers, unsigned count)
{
    text_appendf(t, "%s ", name);
    for (unsigned i = 0; i < count; i++)
        text_appendf(t, "%s%d", i ? "," : "", numbers[i]);
    text_append(t, ";");
}

/* The numbers after `name`, each >= 0; the count, or -1 where they are not there or not numbers. */
static int list_parse(const char *text, const char *name, int *numbers, unsigned most)
{
    const char *at = strstr(text, name);
    unsigned count = 0;
    if (!at)
        return -1;
    at += strlen(name);
    if (*at++ != ' ')
        return -1;
    while (*at != ';') {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at || n < 0 || n > INT32_MAX || count == most)
            return -1;
        numbers[count++] = (int)n;
        at = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != ';')
            return -1;
    }
    return (int)count;
}

static int exec_passes(const int *fds, unsigned count, bool passes)
{
    for (unsigned i = 0; i < count; i++)
        if (fcntl(fds[i], F_SETFD, passes ? 0 : FD_CLOEXEC) < 0)
            return -errno;
    return 0;
}

static int descriptors_pass(const struct handover *h, bool passes)
{
    int err = exec_passes(&h->lock_fd, 1, passes);
    err = err ? err : exec_passes(h->udp_fds, h->udp_count, passes);
    err = err ? err : exec_passes(h->tcp_fds, h->tcp_count, passes);
    if (!err && h->xdp_release_fd >= 0)
        err = exec_passes(&h->xdp_release_fd, 1, passes);
    err = err ? err : exec_passes(h->api_fds, h->api_count, passes);
    return err ? err : exec_passes(h->tell_fds, h->tell_count, passes);
}

int handover_receive(struct handover *ret)
{
    const char *text = getenv(HANDOVER_VARIABLE);
    static struct handover h; /* large */
    int pids[ROLES];
    if (!text)
        return -ENOENT;
    int udp = list_parse(text, "udp", h.udp_fds, ROLE_FDS_MAX);
    int tcp = list_parse(text, "tcp", h.tcp_fds, ROLE_FDS_MAX);
    int tell = list_parse(text, "tell", h.tell_fds, ROLE_FDS_MAX);
    int api = list_parse(text, "api", h.api_fds, ROLE_FDS_MAX);
    if (list_parse(text, "xdp", &h.xdp_release_fd, 1) != 1)
        h.xdp_release_fd = -1;
    if (list_parse(text, "lock", &h.lock_fd, 1) != 1 || udp < 0 || tcp < 0 || tell < 0 ||
        list_parse(text, "pids", pids, ROLES) != ROLES)
        return ERR_SYNTAX;
    unsetenv(HANDOVER_VARIABLE);
    h.udp_count = (unsigned)udp;
    h.tcp_count = (unsigned)tcp;
    h.tell_count = (unsigned)tell;
    h.api_count = api < 0 ? 0 : (unsigned)api;
    for (unsigned i = 0; i < ROLES; i++)
        h.pids[i] = pids[i];
    int err = descriptors_pass(&h, false);
    if (!err)
        *ret = h;
    return err;
}

int handover_give(const struct handover *h)
{
    struct text t = text_init(HANDOVER_TEXT_MAX);
    int pids[ROLES];
    for (unsigned i = 0; i < ROLES; i++)
        pids[i] = (int)h->pids[i];
    list_append(&t, "lock", &h->lock_fd, 1);
    list_append(&t, "udp", h->udp_fds, h->udp_count);
    list_append(&t, "tcp", h->tcp_fds, h->tcp_count);
    list_append(&t, "tell", h->tell_fds, h->tell_count);
    list_append(&t, "pids", pids, ROLES);
    if (h->xdp_release_fd >= 0)
        list_append(&t, "xdp", &h->xdp_release_fd, 1);
    if (h->api_count)
        list_append(&t, "api", h->api_fds, h->api_count);
    int err = t.failed ? ERR_LIMIT : descriptors_pass(h, true);
    if (!err && setenv(HANDOVER_VARIABLE, text_string(&t), 1))
        err = -errno;
    text_done(&t);
    return err;
}

int handover_take(int *fds, unsigned count, const struct ip *ip, uint16_t port)
{
    for (unsigned i = 0; i < count; i++) {
        struct ip bound;
        uint16_t bound_port;
        if (fds[i] < 0 || net_local(fds[i], &bound, &bound_port) || bound_port != port ||
            !ip_equal(&bound, ip))
            continue;
        int fd = fds[i];
        fds[i] = -1;
        return fd;
    }
    return -1;
}

static void rest_close(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void handover_close(struct handover *h)
{
    rest_close(h->udp_fds, h->udp_count);
    rest_close(h->tcp_fds, h->tcp_count);
    rest_close(h->tell_fds, h->tell_count);
    rest_close(h->api_fds, h->api_count);
}
