/* Asks at a steady rate, whatever comes back (open loop), and notes of every query when it was sent
 * and how long its answer took: so that what happened meanwhile can be laid beside it.
 *
 *   dns_load_bench ADDRESS PORT RATE SECONDS NAMES FILE
 *
 * NAMES: a file of names, one a line, asked in turn for A. FILE: for each query, in the order of
 * sending, 16 bytes: when it was sent (CLOCK_MONOTONIC), and after how long the answer was read, in
 * nanoseconds, native order; all ones: not within a second. Prints "sent N lost M". */
#include "base/memory.h"
#include "base/text.h"
#include "seam/net.h"
#include "serve/dns/bench_queries.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 4, BATCH = 32, SIZE = 1536, RATE_MAX = 1000000 };
enum { SECONDS_MAX = 600 };
#define SECOND  UINT64_C(1000000000)
#define TICK    UINT64_C(200000) /* between two looks at the clock */
#define PENDING UINT64_MAX

struct answered {
    uint64_t sent, took;
};

struct load {
    struct bench_query *queries;
    unsigned query_count;
    uint64_t rate, total, sent, received;
    struct answered *log; /* by number */
    int fds[SOCKETS];
    uint16_t next_id[SOCKETS];
    uint64_t number_of[SOCKETS][1 << 16]; /* by id */
};

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static bool sockets_open(struct load *l, const char *address, int64_t port)
{
    struct ip ip;
    struct sockaddr_storage to;
    if (ip_parse(address, &ip))
        return false;
    socklen_t size = net_sockaddr(&ip, (uint16_t)port, &to);
    for (int i = 0; i < SOCKETS; i++) {
        int room = 1 << 22;
        l->fds[i] = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (l->fds[i] < 0 || connect(l->fds[i], (struct sockaddr *)&to, size))
            return false;
        (void)setsockopt(l->fds[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    return true;
}

/* Some that are due, through one socket. */
static void batch_send(struct load *l, int socket, uint64_t count)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec parts[BATCH][2];
    uint8_t ids[BATCH][2];
    for (unsigned i = 0; i < count; i++) {
        uint64_t number = l->sent + i;
        struct bench_query *q = &l->queries[number % l->query_count];
        uint16_t id = l->next_id[socket]++;
        ids[i][0] = (uint8_t)(id >> 8);
        ids[i][1] = (uint8_t)id;
        l->number_of[socket][id] = number;
        parts[i][0] = (struct iovec){ids[i], 2};
        parts[i][1] = (struct iovec){q->bytes + 2, q->length - 2u};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = parts[i], .msg_iovlen = 2};
    }
    uint64_t at = now();
    int n = sendmmsg(l->fds[socket], messages, (unsigned)count, 0);
    for (int i = 0; i < n; i++)
        l->log[l->sent++] = (struct answered){at, PENDING};
}

static void answers_take(struct load *l, int socket)
{
    static uint8_t data[BATCH][SIZE];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec parts[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){data[i], SIZE};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    for (int n = BATCH; n == BATCH;) {
        n = recvmmsg(l->fds[socket], messages, BATCH, MSG_DONTWAIT, NULL);
        uint64_t at = now();
        for (int i = 0; i < n; i++) {
            uint16_t id = (uint16_t)(data[i][0] << 8 | data[i][1]);
            uint64_t number = l->number_of[socket][id];
            if (messages[i].msg_len < 12 || number >= l->sent || l->log[number].took != PENDING)
                continue;
            l->log[number].took = at - l->log[number].sent;
            l->received++;
        }
    }
}

static void run(struct load *l)
{
    struct pollfd fds[SOCKETS];
    const struct timespec tick = {.tv_nsec = TICK};
    uint64_t begin = now(), end = 0;
    for (int i = 0; i < SOCKETS; i++)
        fds[i] = (struct pollfd){.fd = l->fds[i], .events = POLLIN};
    for (int socket = 0; l->received < l->total && (!end || now() < end + SECOND);) {
        uint64_t due = (now() - begin) * l->rate / SECOND;
        due = due < l->total ? due : l->total;
        while (l->sent < due) {
            batch_send(l, socket, due - l->sent < BATCH ? due - l->sent : BATCH);
            socket = (socket + 1) % SOCKETS;
        }
        if (l->sent == l->total && !end)
            end = now();
        if (ppoll(fds, SOCKETS, &tick, NULL) <= 0)
            continue;
        for (int i = 0; i < SOCKETS; i++)
            if (fds[i].revents)
                answers_take(l, i);
    }
}

int main(int argc, char **argv)
{
    static struct load l;
    int64_t port, rate, seconds;
    if (argc != 7 || integer_parse(argv[2], 1, 65535, &port) ||
        integer_parse(argv[3], 1, RATE_MAX, &rate) ||
        integer_parse(argv[4], 1, SECONDS_MAX, &seconds) ||
        !(l.query_count = bench_queries_read(argv[5], false, &l.queries)) ||
        !sockets_open(&l, argv[1], port)) {
        fputs("usage: dns_load_bench ADDRESS PORT RATE SECONDS NAMES FILE\n", stderr);
        return 2;
    }
    l.rate = (uint64_t)rate;
    l.total = l.rate * (uint64_t)seconds;
    l.log = mem_new(l.total, sizeof *l.log);
    run(&l);
    printf("sent %llu lost %llu\n", (unsigned long long)l.sent,
           (unsigned long long)(l.sent - l.received));
    FILE *f = fopen(argv[6], "wbe");
    bool written = f && fwrite(l.log, sizeof *l.log, l.sent, f) == l.sent;
    return !f || fclose(f) || !written;
}
