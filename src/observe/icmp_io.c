/* Checks of kind icmp: echo requests from one socket a family. A datagram socket where the kernel
 * allows it (net.ipv4.ping_group_range), which needs no privilege and sees only our own replies;
 * else a raw one (CAP_NET_RAW). */
#include "observe/probe_io.h"

#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/icmp.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_MAX = 256, RECEIVE_BUFFER = 1 << 20, SEQUENCES = 65536 };

struct icmp_sent {
    uint32_t slot, serial;
};

struct icmp_engine {
    int fd[IP_FAMILIES]; /* -1: could not be opened */
    bool raw[IP_FAMILIES];
    uint16_t identifier, sequence;
    uint64_t secret;
    struct icmp_sent *sent; /* by sequence: for errors that carry no cookie */
};

/* Of all that a raw socket would see, only what icmp_read() knows. */
static void raw_filter(int fd, enum ip_family family)
{
    if (family == IP_V6) {
        struct icmp6_filter f;
        ICMP6_FILTER_SETBLOCKALL(&f);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
        ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &f);
        ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &f);
        ICMP6_FILTER_SETPASS(ICMP6_PARAM_PROB, &f);
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f);
        return;
    }
    struct icmp_filter f = {~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH |
                              1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB)};
    setsockopt(fd, SOL_RAW, ICMP_FILTER, &f, sizeof f);
}

static int socket_open(enum ip_family family, bool *ret_raw)
{
    int domain = family == IP_V6 ? AF_INET6 : AF_INET;
    int protocol = family == IP_V6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
    int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, size = RECEIVE_BUFFER, on = 1;
    int fd = socket(domain, SOCK_DGRAM | flags, protocol);
    *ret_raw = fd < 0;
    if (fd < 0)
        fd = socket(domain, SOCK_RAW | flags, protocol);
    if (fd < 0)
        return -errno;
    if (*ret_raw)
        raw_filter(fd, family);
    else if (family == IP_V6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    else
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static void family_open(struct observer *o, enum ip_family family)
{
    struct icmp_engine *e = o->icmp;
    if (e->fd[family] >= 0)
        return;
    int fd = socket_open(family, &e->raw[family]);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = event_mark(EVENT_ICMP, 0, family)};
    if (fd >= 0 && epoll_ctl(o->epoll, EPOLL_CTL_ADD, fd, &event)) {
        int err = -errno;
        close(fd);
        fd = err;
    }
    e->fd[family] = fd < 0 ? -1 : fd;
    if (fd < 0)
        log_event(LOG_ERROR, "probe.icmp", {"error", LOG_S(strerrorname_np(-fd))},
                  {"family", LOG_S(family == IP_V6 ? "ipv6" : "ipv4")},
                  {"needs", LOG_S("net.ipv4.ping_group_range or CAP_NET_RAW")});
}

static bool icmp_prepare(struct slot *s)
{
    struct observer *o = s->observer;
    if (!o->icmp) {
        struct icmp_engine *e = o->icmp = mem_new(1, sizeof *e);
        *e = (struct icmp_engine){.fd = {-1, -1}, .secret = entropy_u64()};
        e->identifier = (uint16_t)entropy_u64();
        e->sent = mem_new(SEQUENCES, sizeof *e->sent);
    }
    family_open(o, s->address.family);
    return o->icmp->fd[s->address.family] >= 0;
}

static int echo_send(struct slot *s, const uint8_t *packet)
{
    struct icmp_engine *e = s->observer->icmp;
    struct sockaddr_storage to;
    socklen_t length = net_sockaddr(&s->address, 0, &to);
    int fd = e->fd[s->address.family];
    /* twice: the first try may only bring an error that was waiting about another target */
    for (int i = 0; i < 2; i++)
        if (sendto(fd, packet, ICMP_ECHO_SIZE, MSG_NOSIGNAL, (struct sockaddr *)&to, length) >= 0)
            return 0;
    return errno;
}

static void icmp_start(struct slot *s)
{
    struct icmp_engine *e = s->observer->icmp;
    uint8_t packet[ICMP_ECHO_SIZE];
    uint16_t sequence = e->sequence++;
    struct icmp_echo echo = {.identifier = e->identifier,
                             .sequence = sequence,
                             .secret = e->secret,
                             .slot = s->id,
                             .serial = s->serial};
    icmp_echo_write(s->address.family, &echo, packet);
    e->sent[sequence] = (struct icmp_sent){s->id, s->serial};
    int error = echo_send(s, packet);
    if (error)
        stream_failed(s, error);
}

/* Hosts and networks say that the target cannot be reached: about the probe that was sent there. */
static void icmp_unreachable(struct observer *o, enum ip_family family,
                             const struct icmp_echo *echo, const struct ip *to)
{
    struct icmp_engine *e = o->icmp;
    if (e->raw[family] && echo->identifier != e->identifier)
        return;
    if (echo->has_cookie && echo->secret != e->secret)
        return;
    struct icmp_sent *sent = &e->sent[echo->sequence];
    struct slot *s = observer_slot(o, sent->slot, sent->serial);
    if (!s || s->kind != &probe_icmp || !ip_equal(&s->address, to))
        return;
    slot_phase(s, PHASE_CONNECT, s->sample.started);
    slot_finish(s, REASON_CONNECT_UNREACHABLE);
}

static void icmp_replied(struct observer *o, const struct icmp_echo *echo, const struct ip *from)
{
    if (echo->secret != o->icmp->secret)
        return;
    struct slot *s = observer_slot(o, echo->slot, echo->serial);
    if (!s || s->kind != &probe_icmp || !ip_equal(&s->address, from))
        return;
    slot_phase(s, PHASE_CONNECT, s->sample.started);
    slot_finish(s, REASON_OK);
}

/* The error queue of a datagram socket: what we sent, and in `name` where to. */
static void errors_read(struct observer *o, enum ip_family family)
{
    uint8_t data[576], control[512];
    for (int i = 0; i < READS_MAX; i++) {
        struct sockaddr_storage name = {0};
        struct iovec iov = {data, sizeof data};
        struct msghdr m = {.msg_name = &name,
                           .msg_namelen = sizeof name,
                           .msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        ssize_t length = recvmsg(o->icmp->fd[family], &m, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (length < 0)
            return;
        struct icmp_echo echo;
        struct ip to;
        uint16_t port;
        if (icmp_request_read(family, data, (size_t)length, &echo) &&
            net_ip_of((struct sockaddr *)&name, &to, &port) == 0)
            icmp_unreachable(o, family, &echo, &to);
    }
}

void icmp_event(struct observer *o, enum ip_family family)
{
    struct icmp_engine *e = o->icmp;
    invariant(e && e->fd[family] >= 0);
    uint8_t data[2048];
    bool header = e->raw[family] && family == IP_V4;
    for (int i = 0; i < READS_MAX; i++) {
        struct sockaddr_storage name = {0};
        socklen_t size = sizeof name;
        ssize_t length = recvfrom(e->fd[family], data, sizeof data, MSG_DONTWAIT,
                                  (struct sockaddr *)&name, &size);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (length < 0) /* one that was waiting: its message is in the error queue */
            continue;
        struct icmp_echo echo;
        struct ip from, to;
        uint16_t port;
        enum icmp_kind kind = icmp_read(family, header, data, (size_t)length, &echo, &to);
        if (kind == ICMP_UNREACHABLE)
            icmp_unreachable(o, family, &echo, &to);
        else if (kind == ICMP_REPLY && net_ip_of((struct sockaddr *)&name, &from, &port) == 0)
            icmp_replied(o, &echo, &from);
    }
    if (!e->raw[family])
        errors_read(o, family);
}

/* Round trip and path are what `connect` means to the others, so it goes by that phase. */
static void icmp_expire(struct slot *s)
{
    slot_phase(s, PHASE_CONNECT, s->sample.started);
    slot_finish(s, REASON_CONNECT_TIMEOUT);
}

static void icmp_stop(struct slot *s)
{
    (void)s; /* the socket is everybody's; a reply that comes now is stale by its serial */
}

void icmp_close(struct observer *o)
{
    if (!o->icmp)
        return;
    for (int family = 0; family < IP_FAMILIES; family++)
        if (o->icmp->fd[family] >= 0)
            close(o->icmp->fd[family]);
    free(o->icmp->sent);
    free(o->icmp);
    o->icmp = NULL;
}

const struct probe_kind probe_icmp = {
    .prepare = icmp_prepare, .start = icmp_start, .expire = icmp_expire, .stop = icmp_stop};
