/* The floor of raw packets: the name server's rings and batches, but what comes is only turned
 * round. What it costs is the kernel's.
 *
 *   xdp_echo_bench INTERFACE ADDRESS PORT      one queue; ends when it is told to (SIGTERM) */
#include "base/err.h"
#include "base/text.h"
#include "serve/dns/xdp_link_io.h"
#include "serve/dns/xdp_socket_io.h"
#include "wire/packet.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 64, V4_ADDRESSES = 26, V4_PORTS = 34, V4_CHECKSUM = 40, FLAGS = PACKET_HEAD_V4 + 2 };

/* IPv4 alone. Addresses and ports that change places leave both checksums as they are; the QR bit
 * does not, so that of UDP is left out. */
static void turn(const struct xdp_frame *in, struct xdp_frame *out)
{
    out->length = in->length;
    memcpy(out->bytes, in->bytes + 6, 6);
    memcpy(out->bytes + 6, in->bytes, 6);
    memcpy(out->bytes + 12, in->bytes + 12, in->length - 12);
    memcpy(out->bytes + V4_ADDRESSES, in->bytes + V4_ADDRESSES + 4, 4);
    memcpy(out->bytes + V4_ADDRESSES + 4, in->bytes + V4_ADDRESSES, 4);
    memcpy(out->bytes + V4_PORTS, in->bytes + V4_PORTS + 2, 2);
    memcpy(out->bytes + V4_PORTS + 2, in->bytes + V4_PORTS, 2);
    memset(out->bytes + V4_CHECKSUM, 0, 2);
    out->bytes[FLAGS] |= 0x80;
}

static void serve(struct xdp_socket *s)
{
    struct xdp_frame in[BATCH], out;
    bool sent = true;
    for (;;) {
        unsigned count = xdp_receive(s, in, BATCH);
        if (!count) {
            struct pollfd fd = {.fd = xdp_socket_fd(s), .events = POLLIN};
            poll(&fd, 1, sent ? -1 : 1);
            sent = sent || xdp_flush(s);
            continue;
        }
        for (unsigned i = 0; i < count; i++)
            if (xdp_frame_take(s, &out)) {
                turn(&in[i], &out);
                xdp_send(s, &out);
            }
        xdp_release(s, in, count);
        sent = xdp_flush(s);
    }
}

int main(int argc, char **argv)
{
    struct xdp_interface x;
    struct xdp_socket *s;
    struct xdp_address at;
    int64_t port;
    if (argc != 4 || ip_parse(argv[2], &at.ip) || integer_parse(argv[3], 1, 65535, &port)) {
        fputs("usage: xdp_echo_bench INTERFACE ADDRESS PORT\n", stderr);
        return 2;
    }
    at.port = (uint16_t)port;
    int err = xdp_attach(argv[1], &at, 1, &x);
    err = err ? err : xdp_socket_open(x.index, 0, x.mtu, x.map_fd, &s);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[1], err_text(err));
        return 1;
    }
    serve(s);
}
