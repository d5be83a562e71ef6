/* Asks as fast as a server answers, so that its core is busy: so many queries are always on their
 * way, and this client never sleeps, so that the server wakes nobody up.
 *
 *   dns_flood_bench ADDRESS PORT SECONDS NAMES CLIENTS [do]
 *
 * NAMES: a file, the first word of each line is asked in turn for A. CLIENTS: 1: all from one port,
 * as a forwarder asks; those of one length leave together (UDP_SEGMENT), so that asking costs less
 * than answering. More: each query from the next of so many addresses below 127.0.0.0/8, as
 * resolvers ask; a server never finds two of one of them together. do: with DNSSEC. Prints what
 * dnsperf calls by the same names. */
#include "base/text.h"
#include "serve/dns/bench_client.h"
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum { TOGETHER = 8, WINDOW = 256 };
enum { SECONDS_MAX = 600, CLIENTS_MAX = 1 << 16 };
#define FIRST_CLIENT UINT32_C(0x7f000002)
#define PATIENCE     0.05 /* seconds without any answer: what is on its way is lost */

struct control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct flood {
    struct bench_socket socket;
    struct bench_query *queries;
    unsigned query_count, next_query;
    uint32_t clients, next_client;
    uint16_t next_id;
    unsigned pending;
    uint64_t received, lost;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The next queries, at most TOGETHER of one length: how many. */
static unsigned run_take(struct flood *f, struct iovec *parts)
{
    unsigned most = f->clients == 1 ? TOGETHER : 1, n = 0;
    for (; n < most; n++) {
        struct bench_query *q = &f->queries[f->next_query];
        if (n && q->length != parts[0].iov_len)
            break;
        memcpy(q->bytes, &f->next_id, sizeof f->next_id);
        f->next_id++;
        parts[n] = (struct iovec){q->bytes, q->length};
        f->next_query = (f->next_query + 1) % f->query_count;
    }
    return n;
}

/* From which client, or where to cut. */
static void control_write(struct flood *f, struct msghdr *m, struct control *c)
{
    m->msg_control = c->bytes;
    m->msg_controllen = sizeof c->bytes;
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    if (f->clients > 1) {
        const struct in_pktinfo from = {.ipi_spec_dst.s_addr =
                                            htonl(FIRST_CLIENT + f->next_client)};
        f->next_client = (f->next_client + 1) % f->clients;
        *h = (struct cmsghdr){CMSG_LEN(sizeof from), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(h), &from, sizeof from);
    } else if (m->msg_iovlen > 1) {
        uint16_t length = (uint16_t)m->msg_iov->iov_len;
        *h = (struct cmsghdr){CMSG_LEN(sizeof length), IPPROTO_UDP, UDP_SEGMENT};
        memcpy(CMSG_DATA(h), &length, sizeof length);
        m->msg_controllen = CMSG_SPACE(sizeof length);
    } else {
        m->msg_controllen = 0;
    }
}

static void batch_send(struct flood *f)
{
    struct mmsghdr messages[BENCH_BATCH] = {0};
    struct iovec parts[BENCH_BATCH][TOGETHER];
    struct control control[BENCH_BATCH];
    unsigned n = 0, asked = 0, room = WINDOW - f->pending;
    for (; n < BENCH_BATCH && asked + TOGETHER <= room; n++) {
        struct msghdr *m = &messages[n].msg_hdr;
        *m = (struct msghdr){
            .msg_name = &f->socket.to, .msg_namelen = f->socket.to_length, .msg_iov = parts[n]};
        m->msg_iovlen = run_take(f, parts[n]);
        asked += (unsigned)m->msg_iovlen;
        control_write(f, m, &control[n]);
    }
    int sent = n ? sendmmsg(f->socket.fd, messages, n, 0) : 0;
    for (int i = 0; i < sent; i++)
        f->pending += (unsigned)messages[i].msg_hdr.msg_iovlen;
}

static bool answers_take(struct flood *f)
{
    static struct bench_answers answers;
    unsigned n = bench_answers_take(&f->socket, &answers);
    f->received += n;
    f->pending -= n < f->pending ? n : f->pending; /* or given up before */
    return n > 0;
}

static void run(struct flood *f, double seconds)
{
    double begin = now(), heard = begin;
    for (double at = begin; at < begin + seconds; at = now()) {
        if (answers_take(f)) {
            heard = at;
        } else if (at > heard + PATIENCE) {
            f->lost += f->pending;
            f->pending = 0;
            heard = at;
        }
        batch_send(f);
    }
}

int main(int argc, char **argv)
{
    static struct flood f;
    int64_t port, seconds, clients;
    if (argc < 6 || argc > 7 || (argc > 6 && strcmp(argv[6], "do") != 0) ||
        integer_parse(argv[2], 1, 65535, &port) ||
        integer_parse(argv[3], 1, SECONDS_MAX, &seconds) ||
        integer_parse(argv[5], 1, CLIENTS_MAX, &clients) ||
        !(f.query_count = bench_queries_read(argv[4], argc > 6, &f.queries)) ||
        !bench_socket_open(argv[1], port, &f.socket) ||
        (clients > 1 && f.socket.to.ss_family == AF_INET6)) {
        fputs("usage: dns_flood_bench ADDRESS PORT SECONDS NAMES CLIENTS [do]\n", stderr);
        return 2;
    }
    f.clients = (uint32_t)clients;
    run(&f, (double)seconds);
    printf("Queries completed: %llu\nQueries lost: %llu\nQueries per second: %.0f\n",
           (unsigned long long)f.received, (unsigned long long)f.lost,
           (double)f.received / (double)seconds);
    return 0;
}
