/* Over loopback, through a real kernel: whatever leaves in bundles or alone, each client gets its
 * answers whole, once, from the address it asked. */
#include "base/ip.h"
#include "seam/net.h"
#include "serve/dns/bundle.h"
#include "serve/dns/udp_outbox_io.h"
#include "test/check_main.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <unistd.h>

enum { CLIENTS = 3, ANSWER_MAX = 1400, WAIT_MS = 2000, WARY = 1000 };

struct rig {
    struct ip server_ip, client_ip;
    int server, clients[CLIENTS];
    uint16_t port;
    struct sockaddr_storage names[CLIENTS]; /* of the clients */
    uint64_t control[8];                    /* from where answers leave; empty: the socket says */
    size_t control_length;
    struct udp_outbox *outbox;
    struct stats_thread stats;
    uint8_t data[BUNDLE_ANSWERS_MAX][ANSWER_MAX];
    unsigned added;
};

static struct rig *rig_new(const char *server, const char *bound)
{
    static struct rig r;
    struct ip ip;
    r = (struct rig){0};
    ck_assert_int_eq(ip_parse(server, &r.server_ip), 0);
    ck_assert_int_eq(ip_parse(bound, &ip), 0);
    ck_assert_int_eq(net_udp_open(&ip, 0, false, &r.server), 0);
    ck_assert_int_eq(net_local(r.server, &ip, &r.port), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        uint16_t port;
        ck_assert_int_eq(net_udp_open(&r.server_ip, 0, false, &r.clients[i]), 0);
        ck_assert_int_eq(net_local(r.clients[i], &ip, &port), 0);
        net_sockaddr(&ip, port, &r.names[i]);
    }
    r.outbox = udp_outbox_new(r.server);
    return &r;
}

static void rig_free(struct rig *r)
{
    udp_outbox_free(r->outbox);
    close(r->server);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(r->clients[i]);
}

/* What a query brings along that came to an address of a socket bound to none. */
static void rig_ask(struct rig *r)
{
    struct sockaddr_storage to, from;
    uint8_t byte;
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = r->control,
                       .msg_controllen = sizeof r->control};
    socklen_t length = net_sockaddr(&r->server_ip, r->port, &to);
    ck_assert_int_eq(sendto(r->clients[0], "?", 1, 0, (struct sockaddr *)&to, length), 1);
    ck_assert_int_eq(recvmsg(r->server, &m, 0), 1);
    r->control_length = m.msg_controllen;
    ck_assert_uint_gt(r->control_length, 0);
}

/* An answer names its client and its number, and is filled with the latter. */
static void add(struct rig *r, unsigned client, size_t length)
{
    uint8_t *data = r->data[r->added];
    memset(data, (int)r->added, length);
    data[0] = (uint8_t)client;
    struct msghdr to = {.msg_name = &r->names[client],
                        .msg_namelen = r->server_ip.family == IP_V6 ? sizeof(struct sockaddr_in6)
                                                                    : sizeof(struct sockaddr_in),
                        .msg_control = r->control,
                        .msg_controllen = r->control_length};
    udp_outbox_add(r->outbox, &to, data, length);
    r->added++;
}

static size_t length_of(unsigned i)
{
    static const size_t lengths[] = {173, 173, 496, 90, 1400, 173};
    return lengths[i % array_length(lengths)];
}

static void clients_take(struct rig *r)
{
    unsigned missing = r->added;
    bool seen[BUNDLE_ANSWERS_MAX] = {false};
    for (unsigned c = 0; c < CLIENTS; c++)
        for (unsigned i = c; i < r->added; i += CLIENTS, missing--) {
            uint8_t got[2 * ANSWER_MAX];
            struct sockaddr_storage from;
            socklen_t from_length = sizeof from;
            struct ip ip;
            uint16_t port;
            struct pollfd p = {r->clients[c], POLLIN, 0};
            ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
            ssize_t n =
                recvfrom(r->clients[c], got, sizeof got, 0, (struct sockaddr *)&from, &from_length);
            ck_assert_int_gt(n, 1);
            unsigned number = got[1];
            ck_assert_uint_lt(number, r->added);
            ck_assert_uint_eq(got[0], c);
            ck_assert(!seen[number]);
            seen[number] = true;
            ck_assert_uint_eq((size_t)n, length_of(number));
            ck_assert_mem_eq(got, r->data[number], (size_t)n);
            ck_assert_int_eq(net_ip_of((struct sockaddr *)&from, &ip, &port), 0);
            ck_assert(ip_equal(&ip, &r->server_ip));
            ck_assert_uint_eq(port, r->port);
        }
    ck_assert_uint_eq(missing, 0);
    for (unsigned c = 0; c < CLIENTS; c++) {
        uint8_t byte;
        ck_assert_int_eq(recv(r->clients[c], &byte, 1, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
    }
}

/* A whole batch, to all clients in turn. */
static void batch(struct rig *r, unsigned count)
{
    r->added = 0;
    for (unsigned i = 0; i < count; i++)
        add(r, i % CLIENTS, length_of(i));
    udp_outbox_send(r->outbox, &r->stats);
    clients_take(r);
    ck_assert_uint_eq(r->stats.values[DNS_SEND_FAILED], 0);
}

static void each_place(void (*check)(struct rig *r))
{
    static const struct {
        const char *server, *bound;
        bool any;
    } places[] = {{"127.0.0.1", "127.0.0.1", false},
                  {"::1", "::1", false},
                  {"127.0.0.7", "0.0.0.0", true},
                  {"::1", "::", true}};
    for (unsigned i = 0; i < array_length(places); i++) {
        struct rig *r = rig_new(places[i].server, places[i].bound);
        if (places[i].any)
            rig_ask(r);
        check(r);
        rig_free(r);
    }
}

static void bundled_check(struct rig *r)
{
    batch(r, BUNDLE_ANSWERS_MAX);
    uint64_t bundled = r->stats.values[DNS_BUNDLED];
    ck_assert_uint_gt(bundled, BUNDLE_ANSWERS_MAX / 2);
    batch(r, 1);
    batch(r, CLIENTS); /* one for each: nothing to bundle */
    ck_assert_uint_eq(r->stats.values[DNS_BUNDLED], bundled);
    ck_assert_uint_eq(r->stats.values[DNS_BUNDLES_REFUSED], 0);
}

START_TEST(test_bundled)
{
    each_place(bundled_check);
}
END_TEST

/* The kernel cuts nothing for a socket without checksums. */
static void checksums(struct rig *r, bool on)
{
    int off = !on;
    if (r->server_ip.family == IP_V4) {
        ck_assert_int_eq(setsockopt(r->server, SOL_SOCKET, SO_NO_CHECK, &off, sizeof off), 0);
        return;
    }
    ck_assert_int_eq(setsockopt(r->server, IPPROTO_UDP, UDP_NO_CHECK6_TX, &off, sizeof off), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(setsockopt(r->clients[i], IPPROTO_UDP, UDP_NO_CHECK6_RX, &off, sizeof off),
                         0);
}

static void refused_check(struct rig *r)
{
    checksums(r, false);
    batch(r, BUNDLE_ANSWERS_MAX);
    uint64_t refused = r->stats.values[DNS_BUNDLES_REFUSED];
    ck_assert_uint_gt(refused, 0);
    for (unsigned i = 1; i < WARY - 1; i++) /* it is not asked again and again */
        batch(r, i < 4 ? BUNDLE_ANSWERS_MAX : 1);
    ck_assert_uint_le(r->stats.values[DNS_BUNDLES_REFUSED], 2 * refused);
    ck_assert_uint_eq(r->stats.values[DNS_BUNDLED], 0);
    checksums(r, true);
    for (unsigned i = 0; i < WARY; i++) /* but some time */
        batch(r, 1);
    batch(r, BUNDLE_ANSWERS_MAX);
    ck_assert_uint_gt(r->stats.values[DNS_BUNDLED], 0);
}

START_TEST(test_refused)
{
    each_place(refused_check);
}
END_TEST

/* What can go nowhere is counted, answer by answer, and holds up nothing else. */
START_TEST(test_lost)
{
    struct rig *r = rig_new("127.0.0.1", "127.0.0.1");
    struct sockaddr_in *nowhere = (struct sockaddr_in *)&r->names[1];
    nowhere->sin_port = 0;
    for (unsigned i = 0; i < 9; i++)
        add(r, i % CLIENTS, 90);
    udp_outbox_send(r->outbox, &r->stats);
    ck_assert_uint_eq(r->stats.values[DNS_SEND_FAILED], 3);
    ck_assert_uint_eq(r->stats.values[DNS_BUNDLED], 6);
    for (unsigned c = 0; c < CLIENTS; c += 2)
        for (unsigned i = 0; i < 3; i++) {
            uint8_t got[ANSWER_MAX];
            struct pollfd p = {r->clients[c], POLLIN, 0};
            ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
            ck_assert_int_eq(recv(r->clients[c], got, sizeof got, 0), 90);
            ck_assert_uint_eq(got[0], c);
        }
    rig_free(r);
}
END_TEST

CHECK_MAIN("udp_outbox", test_bundled, test_refused, test_lost)
