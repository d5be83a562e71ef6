#include "serve/dns/relay_io.h"

#include "base/memory.h"
#include "seam/net.h"
#include "test/check_main.h"
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A relay with a control of the test's own, a socket of the name server and one of a client. */
struct rig {
    char data[64], path[100];
    struct relay *relay;
    int listener, control, server, client;
    struct sockaddr_storage address; /* the client's */
    socklen_t address_length;
    struct ip ip;
};

static void patience_set(int fd)
{
    struct timeval patience = {.tv_sec = 10};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

static void control_listen(struct rig *rig)
{
    ck_assert_int_eq(net_unix_listen(rig->path, SOCK_SEQPACKET, 0600, &rig->listener), 0);
}

static struct rig *rig_new(void)
{
    struct rig *rig = mem_new(1, sizeof *rig);
    uint16_t port;
    snprintf(rig->data, sizeof rig->data, "/tmp/relay-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->data));
    snprintf(rig->path, sizeof rig->path, "%s/run", rig->data);
    ck_assert_int_eq(mkdir(rig->path, 0700), 0);
    snprintf(rig->path, sizeof rig->path, "%s/run/" RELAY_SOCKET, rig->data);
    ck_assert_int_eq(ip_parse("127.0.0.1", &rig->ip), 0);
    ck_assert_int_eq(net_udp_open(&rig->ip, 0, false, &rig->server), 0);
    ck_assert_int_eq(net_udp_open(&rig->ip, 0, false, &rig->client), 0);
    ck_assert_int_eq(net_local(rig->client, &rig->ip, &port), 0);
    rig->address_length = net_sockaddr(&rig->ip, port, &rig->address);
    patience_set(rig->client);
    ck_assert_int_eq(relay_new(rig->data, &rig->relay), 0);
    rig->control = rig->listener = -1;
    return rig;
}

static void rig_free(struct rig *rig)
{
    char folder[80];
    relay_free(rig->relay);
    close(rig->server);
    close(rig->client);
    if (rig->control >= 0)
        close(rig->control);
    if (rig->listener >= 0)
        close(rig->listener);
    unlink(rig->path);
    snprintf(folder, sizeof folder, "%s/run", rig->data);
    rmdir(folder);
    rmdir(rig->data);
    free(rig);
}

/* An UPDATE of no more than a header, told from others by its id. */
static bool pass(struct rig *rig, uint16_t id)
{
    uint8_t wire[DNS_HEADER_SIZE] = {(uint8_t)(id >> 8), (uint8_t)id, 0x28};
    struct bytes message = {wire, sizeof wire};
    struct msghdr to = {.msg_name = &rig->address, .msg_namelen = rig->address_length};
    return relay_datagram(rig->relay, &message, &rig->ip, rig->server, &to);
}

static void control_accept(struct rig *rig)
{
    rig->control = accept(rig->listener, NULL, NULL);
    ck_assert_int_ge(rig->control, 0);
    patience_set(rig->control);
}

/* What came to control: its token; -1: nothing any more. */
static int64_t taken(int control, uint16_t *ret_id)
{
    uint8_t frame[200];
    struct relay_request request;
    ssize_t n = recv(control, frame, sizeof frame, 0);
    if (n <= 0 || relay_request_parse(frame, (size_t)n, &request))
        return -1;
    *ret_id = (uint16_t)(request.message.data[0] << 8 | request.message.data[1]);
    return (int64_t)request.token;
}

static void answer(int control, uint64_t token, uint16_t id, uint8_t rcode)
{
    uint8_t frame[RELAY_ANSWER_HEAD + DNS_HEADER_SIZE] = {0};
    relay_answer_head(token, frame);
    frame[RELAY_ANSWER_HEAD] = (uint8_t)(id >> 8);
    frame[RELAY_ANSWER_HEAD + 1] = (uint8_t)id;
    frame[RELAY_ANSWER_HEAD + 3] = rcode;
    ck_assert_int_eq(send(control, frame, sizeof frame, MSG_NOSIGNAL), sizeof frame);
}

/* What the client is told: id and RCODE. */
static unsigned told(struct rig *rig, uint16_t *ret_id)
{
    uint8_t wire[200];
    ck_assert_int_eq(recv(rig->client, wire, sizeof wire, 0), DNS_HEADER_SIZE);
    *ret_id = (uint16_t)(wire[0] << 8 | wire[1]);
    return wire[3];
}

START_TEST(test_there_and_back)
{
    struct rig *rig = rig_new();
    uint16_t id;
    ck_assert(!pass(rig, 1)); /* no control yet */
    control_listen(rig);
    ck_assert(pass(rig, 7));
    control_accept(rig);
    int64_t token = taken(rig->control, &id);
    ck_assert(token > 0 && id == 7);
    answer(rig->control, (uint64_t)token + RELAY_PENDING_MAX, 7, 9); /* of its slot, not it */
    answer(rig->control, 0, 7, 9);
    answer(rig->control, (uint64_t)token, 7, 3);
    answer(rig->control, (uint64_t)token, 7, 9); /* once */
    ck_assert_uint_eq(told(rig, &id), 3);
    ck_assert_uint_eq(id, 7);
    ck_assert(pass(rig, 8));
    token = taken(rig->control, &id);
    answer(rig->control, (uint64_t)token, 8, 0);
    ck_assert_uint_eq(told(rig, &id), 0);
    ck_assert_uint_eq(id, 8);
    rig_free(rig);
}
END_TEST

START_TEST(test_no_more_than_can_wait)
{
    struct rig *rig = rig_new();
    uint16_t id;
    control_listen(rig);
    ck_assert(pass(rig, 0));
    control_accept(rig);
    int64_t first = taken(rig->control, &id), token = 0;
    for (uint16_t i = 1; i < RELAY_PENDING_MAX; i++) {
        ck_assert_msg(pass(rig, i), "%u", i);
        token = taken(rig->control, &id);
        ck_assert_uint_eq(id, i);
    }
    ck_assert(!pass(rig, 1000));
    answer(rig->control, (uint64_t)token, id, 0); /* any of them makes room */
    (void)told(rig, &id);
    ck_assert(pass(rig, 1001));
    ck_assert(!pass(rig, 1002));
    answer(rig->control, (uint64_t)first, 0, 4);
    ck_assert_uint_eq(told(rig, &id), 4);
    ck_assert_uint_eq(id, 0);
    rig_free(rig);
}
END_TEST

/* Control dies: who waits is told at once, and the next one finds the new control. */
START_TEST(test_control_is_replaced)
{
    struct rig *rig = rig_new();
    uint16_t id;
    control_listen(rig);
    ck_assert(pass(rig, 1) && pass(rig, 2));
    control_accept(rig);
    close(rig->control);
    unsigned ids = 0;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(told(rig, &id), DNS_SERVFAIL);
        ids += id;
    }
    ck_assert_uint_eq(ids, 3);
    ck_assert(pass(rig, 3));
    control_accept(rig);
    ck_assert_int_gt(taken(rig->control, &id), 0);
    ck_assert_uint_eq(id, 3);
    /* the relay ends: nobody is left without an answer */
    relay_free(rig->relay);
    ck_assert_uint_eq(told(rig, &id), DNS_SERVFAIL);
    ck_assert_uint_eq(id, 3);
    ck_assert_int_eq(relay_new(rig->data, &rig->relay), 0);
    rig_free(rig);
}
END_TEST

enum { WORKERS = 4, EACH = 500 };

struct worker {
    struct rig *rig;
    unsigned number, passed;
};

static void *worker_run(void *worker)
{
    struct worker *w = worker;
    for (unsigned i = 0; i < EACH; i++)
        w->passed += pass(w->rig, (uint16_t)(w->number * EACH + i));
    return NULL;
}

static void *control_run(void *rig)
{
    const struct rig *r = rig;
    uint16_t id;
    for (int64_t token; (token = taken(r->control, &id)) >= 0;)
        answer(r->control, (uint64_t)token, id, 0);
    return NULL;
}

/* Each that was passed on is answered once, whatever thread it came from. */
START_TEST(test_workers_at_once)
{
    struct rig *rig = rig_new();
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS], control;
    uint8_t seen[WORKERS * EACH] = {0};
    unsigned passed = 0;
    uint16_t id;
    control_listen(rig);
    ck_assert(pass(rig, 0));
    control_accept(rig);
    int size = 8 << 20;
    (void)setsockopt(rig->client, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    (void)setsockopt(rig->client, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    ck_assert_int_eq(pthread_create(&control, NULL, control_run, rig), 0);
    (void)told(rig, &id);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.rig = rig, .number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        passed += workers[i].passed;
    }
    ck_assert_uint_ge(passed, RELAY_PENDING_MAX);
    for (unsigned i = 0; i < passed; i++) {
        ck_assert_uint_eq(told(rig, &id), 0);
        ck_assert_uint_lt(id, sizeof seen);
        ck_assert_uint_eq(seen[id]++, 0);
    }
    shutdown(rig->control, SHUT_RDWR);
    pthread_join(control, NULL);
    rig_free(rig);
}
END_TEST

CHECK_MAIN("relay_io", test_there_and_back, test_no_more_than_can_wait, test_control_is_replaced,
           test_workers_at_once)
