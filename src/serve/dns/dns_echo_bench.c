/* The floor: a UDP echo with the server's batching that only turns the QR bit. What it costs is the
 * kernel's.
 *
 *   dns_echo_bench ADDRESS PORT [LENGTH]     prints "ready PORT"; ends when it is told to (SIGTERM)
 *
 * LENGTH: what comes back is at least so long, as the answers are that it is compared with. */
#include "base/text.h"
#include "seam/net.h"
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { BATCH = 32, SIZE = 1536 };

int main(int argc, char **argv)
{
    static uint8_t data[BATCH][SIZE];
    static struct sockaddr_storage from[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec parts[BATCH];
    struct ip ip;
    int64_t port, length = 0;
    int fd;
    if (argc < 3 || argc > 4 || (argc > 3 && integer_parse(argv[3], 0, SIZE, &length)) ||
        ip_parse(argv[1], &ip) || integer_parse(argv[2], 1, 65535, &port) ||
        net_udp_open(&ip, (uint16_t)port, true, &fd)) {
        fputs("usage: dns_echo_bench ADDRESS PORT [LENGTH]\n", stderr);
        return 2;
    }
    printf("ready %d\n", (int)port);
    fflush(stdout);
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){data[i], SIZE};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                                  .msg_namelen = sizeof from[i],
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1};
        }
        int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (n <= 0)
            continue;
        for (int i = 0; i < n; i++) {
            data[i][2] |= 0x80;
            parts[i].iov_len = messages[i].msg_len > length ? messages[i].msg_len : (size_t)length;
        }
        if (sendmmsg(fd, messages, (unsigned)n, MSG_DONTWAIT) < 0)
            continue;
    }
}
