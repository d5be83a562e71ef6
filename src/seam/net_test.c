#include "seam/net.h"
#include "test/check_main.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct ip ip_of(const char *string)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(string, &ip), 0);
    return ip;
}

static uint16_t port_of(int fd)
{
    struct ip ip;
    uint16_t port;
    ck_assert_int_eq(net_local(fd, &ip, &port), 0);
    ck_assert_uint_ne(port, 0);
    return port;
}

START_TEST(test_sockaddr_round_trip)
{
    const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
    for (int i = 0; i < 2; i++) {
        struct ip ip = ip_of(texts[i]), back = {.family = 9};
        struct sockaddr_storage storage;
        uint16_t port = 0;
        socklen_t length = net_sockaddr(&ip, 5353, &storage);
        ck_assert_uint_eq(length, i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        ck_assert_int_eq(net_ip_of((struct sockaddr *)&storage, &back, &port), 0);
        ck_assert(ip_equal(&ip, &back));
        ck_assert_uint_eq(port, 5353);
    }
    struct ip untouched = {.family = 9};
    uint16_t port = 7;
    ck_assert_int_eq(net_ip_of(&(struct sockaddr){.sa_family = AF_UNIX}, &untouched, &port),
                     -EAFNOSUPPORT);
    ck_assert_uint_eq(untouched.family, 9);
    ck_assert_uint_eq(port, 7);
}
END_TEST

START_TEST(test_udp_ports_are_shared_only_on_request)
{
    struct ip ip = ip_of("127.0.0.1");
    int one, two, alone = -1;
    ck_assert_int_eq(net_udp_open(&ip, 0, true, &one), 0);
    ck_assert_int_eq(net_udp_open(&ip, port_of(one), true, &two), 0);
    ck_assert_int_eq(net_udp_open(&ip, port_of(one), false, &alone), -EADDRINUSE);
    ck_assert_int_eq(alone, -1);
    ck_assert_int_ne(fcntl(one, F_GETFD) & FD_CLOEXEC, 0);
    struct ip elsewhere = ip_of("192.0.2.1");
    ck_assert_int_eq(net_udp_open(&elsewhere, 0, false, &alone), -EADDRNOTAVAIL);
    close(one);
    close(two);
}
END_TEST

/* The any-address of both families on one port; answers must leave from where the query went. */
START_TEST(test_udp_any_address_tells_the_destination)
{
    struct ip v4 = ip_of("0.0.0.0"), v6 = ip_of("::"), home = ip_of("127.0.0.1");
    int any4, any6 = -1, client;
    ck_assert_int_eq(net_udp_open(&v4, 0, false, &any4), 0);
    uint16_t port = port_of(any4);
    int err = net_udp_open(&v6, port, false, &any6);
    ck_assert(err == 0 || err == -EAFNOSUPPORT);
    ck_assert_int_eq(net_udp_open(&home, 0, false, &client), 0);
    struct sockaddr_storage to;
    struct ip target = ip_of("127.0.0.77");
    socklen_t length = net_sockaddr(&target, port, &to);
    ck_assert_int_eq(sendto(client, "x", 1, 0, (struct sockaddr *)&to, length), 1);
    char byte;
    _Alignas(struct cmsghdr) char control[256];
    struct msghdr message = {.msg_iov = &(struct iovec){&byte, 1},
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ck_assert_int_eq(recvmsg(any4, &message, 0), 1);
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(c->cmsg_type, IP_PKTINFO);
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    ck_assert_mem_eq(&info.ipi_addr, target.bytes, 4);
    close(any4);
    close(client);
    if (!err)
        close(any6);
}
END_TEST

START_TEST(test_udp_does_not_trust_path_mtu)
{
    struct ip ip = ip_of("127.0.0.1");
    int fd, value = 0, buffer = 0;
    socklen_t length = sizeof value;
    ck_assert_int_eq(net_udp_open(&ip, 0, false, &fd), 0);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &length), 0);
    ck_assert_int_eq(value, IP_PMTUDISC_OMIT);
    length = sizeof buffer;
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, &length), 0);
    ck_assert_int_ge(buffer, 200000);
    close(fd);
}
END_TEST

START_TEST(test_tcp)
{
    struct ip ip = ip_of("127.0.0.1");
    int listener, again = -1;
    ck_assert_int_eq(net_tcp_listen(&ip, 0, false, 16, &listener), 0);
    uint16_t port = port_of(listener);
    ck_assert_int_eq(net_tcp_listen(&ip, port, false, 16, &again), -EADDRINUSE);
    struct sockaddr_storage to;
    socklen_t length = net_sockaddr(&ip, port, &to);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&to, length), 0);
    ck_assert_int_eq(net_nonblocking(listener, true), 0);
    int server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
    ck_assert_int_eq(accept(listener, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(net_nonblocking(listener, false), 0);
    ck_assert_int_eq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
    /* The server closes first: its port is in TIME_WAIT, and yet can be listened on at once. */
    close(server);
    close(client);
    close(listener);
    ck_assert_int_eq(net_tcp_listen(&ip, port, false, 16, &again), 0);
    close(again);
    ck_assert_int_eq(net_nonblocking(-1, true), -EBADF);
}
END_TEST

START_TEST(test_unix)
{
    char folder[] = "/tmp/holdfast-net-XXXXXX", path[64], other[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(other, sizeof other, "%s/file", folder);
    int first, second = -1, client = -1;
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &client), -ENOENT);
    ck_assert_int_eq(net_unix_listen(path, SOCK_STREAM, 0660, &first), 0);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &client), 0);
    ck_assert_int_eq(net_unix_listen(path, SOCK_STREAM, 0660, &second),
                     -EADDRINUSE); /* somebody is there */
    close(client);
    close(first); /* a crash leaves the name behind */
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &client), -ECONNREFUSED);
    ck_assert_int_eq(net_unix_listen(path, SOCK_STREAM, 0600, &second), 0);
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &client), 0);
    int file = open(other, O_CREAT | O_WRONLY, 0600);
    int refused = -1;
    ck_assert_int_eq(net_unix_listen(other, SOCK_STREAM, 0600, &refused),
                     -EADDRINUSE); /* not ours to remove */
    ck_assert_int_eq(access(other, F_OK), 0);
    close(file);
    close(client);
    close(second);
    ck_assert_int_eq(unlink(path) | unlink(other) | rmdir(folder), 0);
}
END_TEST

START_TEST(test_unix_path_limits)
{
    char path[200];
    int fd = -1;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(net_unix_listen(path, SOCK_STREAM, 0600, &fd), -ENAMETOOLONG);
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &fd), -ENAMETOOLONG);
    ck_assert_int_eq(net_unix_connect("", SOCK_STREAM, &fd), -ENAMETOOLONG);
    ck_assert_int_eq(fd, -1);
}
END_TEST

CHECK_MAIN("net", test_sockaddr_round_trip, test_udp_ports_are_shared_only_on_request,
           test_udp_any_address_tells_the_destination, test_udp_does_not_trust_path_mtu, test_tcp,
           test_unix, test_unix_path_limits)
