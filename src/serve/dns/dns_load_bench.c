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
#include "serve/dns/bench_client.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 4, RATE_MAX = 1000000 };
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
    struct bench_socket sockets[SOCKETS];
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
    for (int i = 0; i < SOCKETS; i++) {
        struct bench_socket *s = &l->sockets[i];
        if (!bench_socket_open(address, port, s) ||
            connect(s->fd, (struct sockaddr *)&s->to, s->to_length))
            return false;
    }
    return true;
}

/* Some that are due, through one socket. */
static void batch_send(struct load *l, int socket, uint64_t count)
{
    struct mmsghdr messages[BENCH_BATCH] = {0};
    struct iovec parts[BENCH_BATCH][2];
    uint8_t ids[BENCH_BATCH][2];
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
    int n = sendmmsg(l->sockets[socket].fd, messages, (unsigned)count, 0);
    for (int i = 0; i < n; i++)
        l->log[l->sent++] = (struct answered){at, PENDING};
}

static void answers_take(struct load *l, int socket)
{
    static struct bench_answers answers;
    for (unsigned n = BENCH_BATCH; n == BENCH_BATCH;) {
        n = bench_answers_take(&l->sockets[socket], &answers);
        uint64_t at = now();
        for (unsigned i = 0; i < n; i++) {
            uint16_t id = (uint16_t)(answers.data[i][0] << 8 | answers.data[i][1]);
            uint64_t number = l->number_of[socket][id];
            if (answers.messages[i].msg_len < 12 || number >= l->sent ||
                l->log[number].took != PENDING)
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
        fds[i] = (struct pollfd){.fd = l->sockets[i].fd, .events = POLLIN};
    for (int socket = 0; l->received < l->total && (!end || now() < end + SECOND);) {
        uint64_t due = (now() - begin) * l->rate / SECOND;
        due = due < l->total ? due : l->total;
        while (l->sent < due) {
            batch_send(l, socket, due - l->sent < BENCH_BATCH ? due - l->sent : BENCH_BATCH);
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
