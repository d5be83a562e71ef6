/* Sockets: what the kinds of probes share. */
#include "observe/probe_io.h"

#include "seam/clock.h"
#include "seam/net.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A datagram connect() sends nothing: it only looks for a route. */
bool address_no_route(const struct ip *ip)
{
    struct sockaddr_storage to;
    socklen_t length = net_sockaddr(ip, 9, &to);
    int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool missing = connect(fd, (struct sockaddr *)&to, length) != 0 && errno == ENETUNREACH;
    close(fd);
    return missing;
}

/* Is the socket connected to itself? Linux does that (RFC 9293 3.5, simultaneous open) when the
 * local port that it chose is the dead target's on this same host. */
static bool socket_is_self(int fd, const struct ip *peer, uint16_t peer_port)
{
    struct ip local;
    uint16_t port;
    return net_local(fd, &local, &port) == 0 && port == peer_port && ip_equal(&local, peer);
}

int stream_connect(struct slot *s)
{
    struct sockaddr_storage to;
    socklen_t length = net_sockaddr(&s->address, s->check->port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The prober closes first. A FIN would leave 2,000 sockets a second in TIME_WAIT here for a
     * minute: 120,000 in the tables, and against one target more local ports than there are. The
     * RST that this option makes of close() leaves nothing, at either end. */
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    int error = connect(fd, (struct sockaddr *)&to, length) ? errno : 0;
    if (error && error != EINPROGRESS) {
        close(fd);
        return -error;
    }
    return slot_watch(s, fd, EPOLLOUT);
}

int stream_connected(struct slot *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size))
        error = errno;
    if (!error && socket_is_self(s->fd, &s->address, s->check->port))
        error = ECONNREFUSED; /* nobody listens there */
    if (!error)
        slot_phase(s, PHASE_CONNECT, s->sample.started);
    return error;
}

/* What was sent again was lost, or its acknowledgement, except what the other side had already:
 * that was only late. A SYN that nothing answered is one that was lost, however often it was sent.
 */
void stream_segments(struct slot *s, int fd)
{
    struct net_segments seen;
    if (net_segments(fd, &seen))
        return;
    uint32_t sent = 1 + seen.data; /* and the SYN */
    uint32_t lost = seen.again > seen.needless ? seen.again - seen.needless : 0;
    sent = !seen.answered ? 1 : sent < SAMPLE_SEGMENTS_MAX ? sent : SAMPLE_SEGMENTS_MAX;
    lost = !seen.answered ? 1 : lost < sent ? lost : sent;
    s->sample.segments = (uint8_t)sent;
    s->sample.segments_lost = (uint8_t)lost;
}

void stream_end(struct slot *s)
{
    if (s->fd >= 0)
        stream_segments(s, s->fd);
    slot_close(s);
}

void stream_failed(struct slot *s, int error)
{
    slot_phase(s, PHASE_CONNECT, s->sample.started);
    enum reason reason =
        classify_connect(error, error == ENETUNREACH && address_no_route(&s->address));
    if (reason == REASON_INTERNAL)
        slot_fail(s, "connect", error);
    else
        slot_finish(s, reason);
}
