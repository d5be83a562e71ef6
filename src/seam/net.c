#include "seam/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

int net_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

socklen_t net_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (ip->family == IP_V6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        memcpy(&sin6->sin6_addr, ip->bytes, sizeof sin6->sin6_addr);
        return sizeof *sin6;
    }
    struct sockaddr_in *sin = (struct sockaddr_in *)ret;
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    memcpy(&sin->sin_addr, ip->bytes, sizeof sin->sin_addr);
    return sizeof *sin;
}

int net_ip_of(const struct sockaddr *sockaddr, struct ip *ret_ip, uint16_t *ret_port)
{
    struct ip ip = {0};
    if (sockaddr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sockaddr;
        ip.family = IP_V6;
        memcpy(ip.bytes, &sin6->sin6_addr, sizeof sin6->sin6_addr);
        *ret_port = ntohs(sin6->sin6_port);
    } else if (sockaddr->sa_family == AF_INET) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)sockaddr;
        ip.family = IP_V4;
        memcpy(ip.bytes, &sin->sin_addr, sizeof sin->sin_addr);
        *ret_port = ntohs(sin->sin_port);
    } else {
        return -EAFNOSUPPORT;
    }
    *ret_ip = ip;
    return 0;
}

int net_local(int fd, struct ip *ret_ip, uint16_t *ret_port)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length))
        return -errno;
    return net_ip_of((struct sockaddr *)&storage, ret_ip, ret_port);
}

/* What every IP server socket gets before it is bound. */
static int server_options(int fd, const struct ip *ip, bool reuseport)
{
    int err = 0;
    if (ip->family ==
        IP_V6) /* "0.0.0.0:53" and "[::]:53" are two sockets, whatever the sysctl says */
        err = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!err && reuseport)
        err = option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return err;
}

static int server_bind(int fd, const struct ip *ip, uint16_t port)
{
    struct sockaddr_storage storage;
    socklen_t length = net_sockaddr(ip, port, &storage);
    return bind(fd, (struct sockaddr *)&storage, length) ? -errno : 0;
}

static bool ip_is_any(const struct ip *ip)
{
    return ip_equal(ip, &(struct ip){.family = ip->family});
}

static int udp_options(int fd, const struct ip *ip)
{
    enum { RECEIVE_BUFFER = 4 * 1024 * 1024 };
    bool v6 = ip->family == IP_V6;
    /* Room for a burst while a worker swaps its plan; without the privilege up to rmem_max. */
    if (option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
        option_set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    int err = v6 ? option_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)
                 : option_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    if (!err && ip_is_any(ip))
        err = v6 ? option_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                 : option_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    return err;
}

static int family_of(const struct ip *ip)
{
    return ip->family == IP_V6 ? AF_INET6 : AF_INET;
}

int net_udp_open(const struct ip *ip, uint16_t port, bool reuseport, int *ret_fd)
{
    int fd = socket(family_of(ip), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = server_options(fd, ip, reuseport);
    if (!err)
        err = udp_options(fd, ip);
    if (!err)
        err = server_bind(fd, ip, port);
    if (err) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

int net_tcp_listen(const struct ip *ip, uint16_t port, bool reuseport, int backlog, int *ret_fd)
{
    int fd = socket(family_of(ip), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = server_options(fd, ip, reuseport);
    if (!err) /* bind again at once after a restart, while old connections linger in TIME_WAIT */
        err = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err)
        err = server_bind(fd, ip, port);
    if (!err && listen(fd, backlog))
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    *ret = address;
    return 0;
}

/* Removes a socket that nobody listens on. */
static int unix_remove_stale(const struct sockaddr_un *address, int type)
{
    struct stat st;
    if (lstat(address->sun_path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EADDRINUSE;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int err = connect(fd, (const struct sockaddr *)address, sizeof *address) ? errno : 0;
    close(fd);
    if (err != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) ? -errno : 0;
}

int net_unix_listen(const char *path, int type, mode_t mode, int *ret_fd)
{
    enum { BACKLOG = 64 };
    struct sockaddr_un address;
    int err = unix_address(path, &address);
    if (!err)
        err = unix_remove_stale(&address, type);
    if (err)
        return err;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The socket's own mode goes to the file that bind makes: it is never wider than asked. */
    if (fchmod(fd, mode) || bind(fd, (struct sockaddr *)&address, sizeof address) ||
        chmod(path, mode) || listen(fd, BACKLOG)) {
        err = -errno;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

int net_unix_connect(const char *path, int type, int *ret_fd)
{
    struct sockaddr_un address;
    int err = unix_address(path, &address);
    if (err)
        return err;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The send timeout also bounds connect(), which waits while the listener's queue is full. */
    const struct timeval wait = {.tv_sec = 5}, forever = {0};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) ||
        connect(fd, (struct sockaddr *)&address, sizeof address) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever)) {
        err = -errno;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}
