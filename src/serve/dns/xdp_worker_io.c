/* A worker that reads raw packets: one queue of an interface, one thread. The stages of
 * query.h run on batches, as with sockets; the same functions make the same answers. */
#include "base/ip.h"
#include "base/memory.h"
#include "seam/entropy.h"
#include "seam/thread.h"
#include "serve/dns/worker_io.h"
#include "serve/dns/xdp_socket_io.h"
#include "wire/packet.h"
#include <poll.h>
#include <stdlib.h>

enum {
    BATCH = 64,
    BUSY_MS = 1, /* the device does not take what is to be sent: it is asked again after this */
    IP_ROOM_V4 = PACKET_HEAD_V4 - PACKET_ETHERNET_SIZE, /* of the MTU */
    IP_ROOM_V6 = PACKET_HEAD_V6 - PACKET_ETHERNET_SIZE,
};

struct xdp_batch {
    struct xdp_socket *socket;
    size_t room[IP_FAMILIES]; /* for a response */
    struct random random;
    struct xdp_frame frames[BATCH];
    struct packet packets[BATCH];
    struct query_client clients[BATCH];
    struct query jobs[BATCH];
};

/* A response is never longer than a packet: fragments would need what the kernel has and we have
 * not. */
static struct xdp_batch *batch_new(const struct worker *w)
{
    struct xdp_batch *b = mem_new(1, sizeof *b);
    size_t mtu = xdp_socket_mtu(w->xdp), most = w->ctx.udp_size;
    b->socket = w->xdp;
    b->random = random_init(entropy_u64());
    b->room[IP_V4] = most < mtu - IP_ROOM_V4 ? most : mtu - IP_ROOM_V4;
    b->room[IP_V6] = most < mtu - IP_ROOM_V6 ? most : mtu - IP_ROOM_V6;
    return b;
}

/* The frames were written by another core: all are asked for before the first is read. */
static void batch_prefetch(const struct xdp_batch *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        __builtin_prefetch(b->frames[i].bytes);
        __builtin_prefetch(b->frames[i].bytes + 64);
    }
}

/* Returns how many of the frames are queries. */
static unsigned batch_prepare(struct xdp_batch *b, const struct worker *w, const struct served *s,
                              unsigned count)
{
    unsigned n = 0;
    batch_prefetch(b, count);
    for (unsigned i = 0; i < count; i++) {
        struct packet *p = &b->packets[n];
        if (packet_parse(b->frames[i].bytes, b->frames[i].length, p)) {
            stats_add(w->ctx.stats, DNS_DROPPED, 1);
            continue;
        }
        b->clients[n] = (struct query_client){p->source, p->family, false};
        query_prepare(&b->jobs[n], &w->ctx, s, p->payload, p->payload_length, &b->clients[n]);
        n++;
    }
    for (unsigned i = 0; i < n; i++)
        query_locate(&b->jobs[i]);
    for (unsigned i = 0; i < n; i++)
        query_reach(&b->jobs[i]);
    return n;
}

static void batch_finish(struct xdp_batch *b, struct worker *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct packet *p = &b->packets[i];
        struct xdp_frame reply;
        if (!xdp_frame_take(b->socket, &reply)) {
            stats_add(w->ctx.stats, DNS_SEND_FAILED, count - i);
            return;
        }
        size_t length =
            query_finish(&b->jobs[i], &w->ctx, reply.bytes + p->head_length, b->room[p->family]);
        if (!length) {
            xdp_frame_cancel(b->socket, &reply);
            continue;
        }
        uint16_t identification = (uint16_t)random_u64(&b->random);
        reply.length = (uint32_t)packet_reply(p, reply.bytes, length, identification);
        xdp_send(b->socket, &reply);
    }
}

/* Returns whether the queue is to be left: nothing is in its rings. poll sends, too, what waits to
 * be sent. */
static bool batch_wait(const struct xdp_batch *b, const struct worker *w, bool sent)
{
    struct pollfd fds[2] = {{.fd = xdp_socket_fd(b->socket), .events = POLLIN},
                            {.fd = w->options->xdp_release_fd, .events = POLLIN}};
    return poll(fds, 2, sent ? -1 : BUSY_MS) > 0 && fds[1].revents && !fds[0].revents && sent;
}

void *xdp_worker_run(void *worker)
{
    struct worker *w = worker;
    struct xdp_batch *b = batch_new(w);
    thread_answers();
    bool sent = true;
    while (!worker_stopped(w)) {
        unsigned n = xdp_receive(b->socket, b->frames, BATCH);
        if (!n) {
            if (batch_wait(b, w, sent))
                break;
            sent = sent || xdp_flush(b->socket);
            continue;
        }
        unsigned queries = batch_prepare(b, w, worker_enter(w), n);
        stats_add(w->ctx.stats, DNS_QUERIES_XDP, queries);
        batch_finish(b, w, queries);
        worker_leave(w);
        xdp_release(b->socket, b->frames, n);
        sent = xdp_flush(b->socket);
    }
    xdp_socket_close(w->xdp);
    free(b);
    atomic_store(&w->done, true);
    return NULL;
}
