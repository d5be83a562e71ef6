/* Streams with a speaker of single letters: 'L' is answered later, by another thread; others at
 * once, as they are. */
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "serve/dns/stream_io.h"
#include "test/check_main.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICKETS = 64, WAIT_MS = 5000 };

struct echo {
    struct streams *streams;
    struct stats_file stats;
    struct ip ip;
    uint16_t port;
    int listener;
    pthread_t thread;
    _Atomic bool stop, leave;
    _Atomic unsigned ticket_count, closed;
    struct stream_ticket tickets[TICKETS];
};

static size_t letters_heard(void *context, struct stream *s, const uint8_t *data, size_t length)
{
    struct echo *e = context;
    for (size_t i = 0; i < length; i++) {
        if (data[i] != 'L') {
            stream_write(s, data + i, 1);
            continue;
        }
        struct stream_ticket ticket = stream_owe(s);
        if (!ticket.mailbox) {
            stream_hold(s);
            return i;
        }
        e->tickets[e->ticket_count] = ticket;
        atomic_fetch_add(&e->ticket_count, 1);
    }
    return length;
}

static bool nothing_pumped(void *context, struct stream *s)
{
    (void)context;
    (void)s;
    return true;
}

static void stream_gone(void *context, struct stream *s)
{
    (void)s;
    atomic_fetch_add(&((struct echo *)context)->closed, 1);
}

static void *echo_run(void *context)
{
    struct echo *e = context;
    while (!atomic_load(&e->stop))
        streams_turn(e->streams);
    if (atomic_load(&e->leave))
        streams_leave(e->streams);
    while (atomic_load(&e->leave) && !streams_left(e->streams))
        streams_turn(e->streams);
    return NULL;
}

static struct echo *echo_start(void)
{
    struct echo *e = mem_new(1, sizeof *e);
    e->ip = (struct ip){.family = IP_V4, .bytes = {127, 0, 0, 1}};
    struct ip ip;
    ck_assert_int_eq(net_tcp_listen(&e->ip, 0, false, 16, &e->listener), 0);
    ck_assert_int_eq(net_local(e->listener, &ip, &e->port), 0);
    stats_private("dns", 1, &e->stats);
    const struct stream_setup setup = {
        .fds = &e->listener,
        .fd_count = 1,
        .limits = {.clients = 8,
                   .client_v4 = 32,
                   .client_v6 = 56,
                   .idle = 60 * USEC_PER_SEC,
                   .patience = 30 * USEC_PER_SEC,
                   .memory = 64 << 20},
        .stats = e->stats.threads,
        .speaker = {e, letters_heard, nothing_pumped, stream_gone},
    };
    ck_assert_int_eq(streams_open(&setup, &e->streams), 0);
    ck_assert_int_eq(pthread_create(&e->thread, NULL, echo_run, e), 0);
    return e;
}

static int echo_connect(const struct echo *e)
{
    struct sockaddr_storage to;
    socklen_t size = net_sockaddr(&e->ip, e->port, &to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, size), 0);
    return fd;
}

/* The loop turns once more for a connection that comes. */
static void echo_stop(struct echo *e)
{
    atomic_store(&e->stop, true);
    int fd = echo_connect(e);
    pthread_join(e->thread, NULL);
    close(fd);
    streams_close(e->streams);
    close(e->listener);
    stats_close(&e->stats);
}

static void ask(int fd, const char *letters)
{
    ck_assert_int_eq((int)send(fd, letters, strlen(letters), 0), (int)strlen(letters));
}

static char heard(int fd)
{
    char c;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, WAIT_MS) != 1)
        return '!';
    return recv(fd, &c, 1, 0) == 1 ? c : '.';
}

static bool is_quiet(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50) == 0;
}

static void wait_count(const _Atomic unsigned *n, unsigned wanted)
{
    for (int i = 0; i < WAIT_MS && atomic_load(n) < wanted; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(atomic_load(n), wanted);
}

static void pay(struct echo *e, unsigned ticket, char answer)
{
    stream_pay(e->tickets[ticket], (const uint8_t *)&answer, 1, (const uint8_t *)"", 0);
}

/* RFC 7766 6.2.1.1: what can be answered does not wait for what cannot yet. */
START_TEST(test_answers_out_of_order)
{
    struct echo *e = echo_start();
    int fd = echo_connect(e);
    ask(fd, "LaLb");
    ck_assert_int_eq(heard(fd), 'a');
    ck_assert_int_eq(heard(fd), 'b');
    wait_count(&e->ticket_count, 2);
    pay(e, 1, '2');
    ck_assert_int_eq(heard(fd), '2');
    pay(e, 0, '1');
    ck_assert_int_eq(heard(fd), '1');
    echo_stop(e);
    close(fd);
    free(e);
}
END_TEST

/* A client that has said all still gets what it is owed. */
START_TEST(test_half_closed)
{
    struct echo *e = echo_start();
    int fd = echo_connect(e);
    ask(fd, "L");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    wait_count(&e->ticket_count, 1);
    ck_assert(is_quiet(fd));
    pay(e, 0, '1');
    ck_assert_int_eq(heard(fd), '1');
    ck_assert_int_eq(heard(fd), '.');
    echo_stop(e);
    close(fd);
    free(e);
}
END_TEST

/* Neither for a stream that died, nor for one that came after it, nor when all are closed. */
START_TEST(test_answer_after_death)
{
    struct echo *e = echo_start();
    struct linger now = {1, 0};
    int fd = echo_connect(e);
    ask(fd, "LLL");
    wait_count(&e->ticket_count, 3);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd); /* resets */
    wait_count(&e->closed, 1);
    int next = echo_connect(e);
    ask(next, "L");
    wait_count(&e->ticket_count, 4);
    pay(e, 0, '1');
    ask(next, "x");
    ck_assert_int_eq(heard(next), 'x');
    pay(e, 3, '4');
    ck_assert_int_eq(heard(next), '4');
    stream_ticket_drop(e->tickets[1]);
    echo_stop(e);
    pay(e, 2, '3');
    close(next);
    free(e);
}
END_TEST

/* What one stream may be owed is bounded; more waits unread, and goes on when an answer has come.
 */
START_TEST(test_bound)
{
    struct echo *e = echo_start();
    int fd = echo_connect(e);
    for (int i = 0; i < STREAM_OWED_MAX + 1; i++)
        ask(fd, "L");
    ask(fd, "x");
    wait_count(&e->ticket_count, STREAM_OWED_MAX);
    ck_assert(is_quiet(fd));
    pay(e, 5, '5');
    ck_assert_int_eq(heard(fd), '5');
    ck_assert_int_eq(heard(fd), 'x');
    wait_count(&e->ticket_count, STREAM_OWED_MAX + 1);
    echo_stop(e);
    for (unsigned i = 0; i < STREAM_OWED_MAX + 1; i++)
        if (i != 5)
            stream_ticket_drop(e->tickets[i]);
    close(fd);
    free(e);
}
END_TEST

static int64_t ms_since(usec_t begun)
{
    return (clock_now() - begun) / USEC_PER_MSEC;
}

/* Who is quiet is let go soon; who asks is answered until the end of the time, gets the end of the
 * stream behind all answers, and no reset for what he says after it. */
START_TEST(test_leaving)
{
    struct echo *e = echo_start();
    int busy = echo_connect(e), quiet = echo_connect(e), unheard = echo_connect(e);
    ask(busy, "a");
    ck_assert_int_eq(heard(busy), 'a');
    ask(quiet, "b");
    ck_assert_int_eq(heard(quiet), 'b');
    ask(unheard, "c");
    ck_assert_int_eq(heard(unheard), 'c');
    atomic_store(&e->leave, true);
    atomic_store(&e->stop, true);
    ask(unheard, "d"); /* the loop turns */
    usec_t begun = clock_now();
    char c = 0;
    while (ms_since(begun) < 2 * STREAM_LEAVE_MS) {
        ask(busy, "x");
        c = heard(busy);
        if (c != 'x')
            break;
        poll(NULL, 0, 20);
    }
    ck_assert_int_eq(c, '.');
    ck_assert_int_ge(ms_since(begun), STREAM_LEAVE_MS - 200);
    ask(busy, "y");
    ck_assert_int_eq(heard(busy), '.');
    ck_assert_int_eq(heard(unheard), 'd');
    ck_assert_int_eq(heard(quiet), '.');
    ck_assert_uint_ge(e->closed, 2); /* long before */
    close(busy);
    pthread_join(e->thread, NULL);
    ck_assert_int_le(ms_since(begun), STREAM_LEAVE_MS + STREAM_PART_MS);
    streams_close(e->streams);
    close(quiet);
    close(unheard);
    close(e->listener);
    stats_close(&e->stats);
    free(e);
}
END_TEST

CHECK_MAIN("stream", test_leaving, test_answers_out_of_order, test_half_closed,
           test_answer_after_death, test_bound)
