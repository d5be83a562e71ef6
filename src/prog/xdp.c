#include "prog/xdp.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "serve/dns/xdp_socket_io.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const char consequence[] = "its queries are served through sockets";

static const char *reason_of(int err)
{
    switch (err) {
    case ERR_MISSING:
        return "there is no such interface";
    case ERR_INVALID:
        return "it is no Ethernet interface, or its MTU is not between 1280 and 3822";
    case ERR_LIMIT:
        return "the host has more than 64 addresses that dns.listen means";
    case -EADDRNOTAVAIL:
        return "no address of dns.listen is on this host";
    case -EBUSY:
    case -EEXIST:
        return "another program has a filter on it";
    case -EPERM:
        return "this needs root, or CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK";
    default:
        return err_text(err);
    }
}

/* ---- the supervisor ---- */

static void interface_begin(const char *name, const struct xdp_address *listens, unsigned count,
                            struct role_options *dns)
{
    struct xdp_interface *x = &dns->xdp[dns->xdp_count];
    int err = xdp_attach(name, listens, count, x);
    if (err) {
        struct xdp_refusal *refusal = &dns->xdp_refused[dns->xdp_refused_count++];
        snprintf(refusal->name, sizeof refusal->name, "%s", name);
        refusal->err = err;
        log_event(LOG_WARN, "xdp.refused", {"interface", LOG_S(name)},
                  {"reason", LOG_S(reason_of(err))}, {"consequence", LOG_S(consequence)});
        return;
    }
    dns->xdp_count++;
    log_event(LOG_INFO, "xdp.attached", {"interface", LOG_S(name)},
              {"mode", LOG_S(x->native ? "native" : "generic")}, {"queues", LOG_U(x->queues)});
}

static void release_tell(int fd)
{
    if (eventfd_write(fd, 1))
        log_event(LOG_WARN, "xdp.release", {"reason", LOG_S(strerror(errno))});
    close(fd);
}

void xdp_begin(const struct config *c, int release_fd, struct role_options *dns)
{
    struct xdp_address listens[CONFIG_LISTENS_MAX];
    unsigned count = 0;
    dns->xdp_release_fd = -1;
    if (release_fd >= 0)
        release_tell(release_fd);
    for (; count < c->dns_listen_count && count < CONFIG_LISTENS_MAX; count++)
        listens[count] = (struct xdp_address){c->dns_listen[count].ip, c->dns_listen[count].port};
    _Static_assert((int)CONFIG_XDP_MAX <= (int)XDP_INTERFACES_MAX, "each is taken or refused");
    for (uint32_t i = 0; i < c->dns_xdp_count; i++)
        interface_begin(c->dns_xdp[i], listens, count, dns);
    if (dns->xdp_count)
        dns->xdp_release_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* "11;eth0 2 4 1500 1 9;!eth1 -1": the release descriptor, then name, index, queues, MTU, native,
 * map descriptor of what was had, name and error of what was refused. */
void xdp_format(const struct role_options *dns, struct text *t)
{
    text_appendf(t, "%d", dns->xdp_release_fd);
    for (unsigned i = 0; i < dns->xdp_count; i++) {
        const struct xdp_interface *x = &dns->xdp[i];
        text_appendf(t, ";%s %d %u %u %d %d", x->name, x->index, x->queues, x->mtu, x->native,
                     x->map_fd);
    }
    for (unsigned i = 0; i < dns->xdp_refused_count; i++)
        text_appendf(t, ";!%s %d", dns->xdp_refused[i].name, dns->xdp_refused[i].err);
}

/* ---- the role ---- */

static bool refusal_parse(const char *text, struct role_options *dns)
{
    struct xdp_refusal *r = &dns->xdp_refused[dns->xdp_refused_count];
    if (dns->xdp_refused_count == XDP_INTERFACES_MAX ||
        sscanf(text, "!%15s %d", r->name, &r->err) != 2)
        return false;
    dns->xdp_refused_count++;
    return true;
}

static bool interface_parse(const char *text, struct role_options *dns)
{
    struct xdp_interface x = {.link_fd = -1};
    int native;
    if (dns->xdp_count == XDP_INTERFACES_MAX ||
        sscanf(text, "%15s %d %u %u %d %d", x.name, &x.index, &x.queues, &x.mtu, &native,
               &x.map_fd) != 6 ||
        x.queues > XDP_QUEUES_MAX || x.mtu < XDP_MTU_MIN || x.mtu > XDP_MTU_MAX)
        return false;
    x.native = native;
    dns->xdp[dns->xdp_count++] = x;
    return true;
}

void xdp_parse(const char *text, struct role_options *dns)
{
    dns->xdp_count = dns->xdp_refused_count = 0;
    if (sscanf(text, "%d", &dns->xdp_release_fd) != 1)
        return;
    while ((text = strchr(text, ';'))) {
        text++;
        if (!(*text == '!' ? refusal_parse(text, dns) : interface_parse(text, dns)))
            return;
    }
}

static int queue_open(const struct xdp_interface *x, unsigned queue, struct xdp_socket **ret)
{
    int err = xdp_socket_open(x->index, queue, x->mtu, x->map_fd, ret);
    if (err)
        log_event(LOG_WARN, "xdp.refused", {"interface", LOG_S(x->name)}, {"queue", LOG_U(queue)},
                  {"reason", LOG_S(reason_of(err))}, {"consequence", LOG_S(consequence)});
    else
        log_event(LOG_INFO, "xdp.open", {"interface", LOG_S(x->name)}, {"queue", LOG_U(queue)},
                  {"mode", LOG_S(x->native ? "native" : "generic")},
                  {"zero_copy", LOG_B(xdp_socket_zero_copy(*ret))});
    return err;
}

static void note_next(struct text *note)
{
    if (*text_string(note))
        text_append(note, "; ");
}

static unsigned interface_open(const struct xdp_interface *x, struct xdp_socket **ret,
                               struct text *note)
{
    unsigned opened = 0;
    int err = 0;
    for (unsigned queue = 0; queue < x->queues; queue++) {
        int failed = queue_open(x, queue, &ret[opened]);
        opened += !failed;
        err = failed ? failed : err;
    }
    note_next(note);
    if (!opened) {
        text_appendf(note, "%s through sockets: %s", x->name, reason_of(err));
        return 0;
    }
    text_appendf(note, "%s by raw packets, queues %u of %u, %s, %s", x->name, opened, x->queues,
                 x->native ? "native" : "generic",
                 xdp_socket_zero_copy(ret[0]) ? "zero copy" : "copied");
    if (err)
        text_appendf(note, " (the others through sockets: %s)", reason_of(err));
    return opened;
}

unsigned xdp_open(const struct role_options *dns,
                  struct xdp_socket *ret[static XDP_INTERFACES_MAX * XDP_QUEUES_MAX],
                  struct text *note)
{
    unsigned count = 0;
    for (unsigned i = 0; i < dns->xdp_count; i++) {
        count += interface_open(&dns->xdp[i], ret + count, note);
        close(dns->xdp[i]
                  .map_fd); /* with it could be done nothing more, nor harm, without privileges */
    }
    for (unsigned i = 0; i < dns->xdp_refused_count; i++) {
        note_next(note);
        text_appendf(note, "%s through sockets: %s", dns->xdp_refused[i].name,
                     reason_of(dns->xdp_refused[i].err));
    }
    return count;
}
