/* The server as a whole, in this process: real sockets, real threads, plans swapped under load. Run
 * it under TSan too. */
#include "base/err.h"
#include "model/snapshot_io.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/net.h"
#include "serve/dns/query_ask.h"
#include "serve/dns/server_io.h"
#include "test/check_main.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS = 2, WAIT_MS = 5000 };

struct site {
    char data[64];
    struct rig *r; /* its maker and files are what gets published */
    int udp[THREADS], tcp[THREADS], stop[2];
    struct ip ip;
    uint16_t port;
    struct stats_file stats;
    struct dns_server_options options;
    pthread_t thread;
    _Atomic bool ready;
    int result;
};

static void site_ready(void *context)
{
    atomic_store(&((struct site *)context)->ready, true);
}

static void *site_run(void *context)
{
    struct site *s = context;
    s->result = dns_server_run(&s->options);
    return NULL;
}

static void publish(struct site *s, uint64_t generation)
{
    s->r->maker.plan.generation = generation;
    for (uint32_t i = 0; i < s->r->maker.plan.file_count; i++) {
        const struct plan_file *f = &s->r->maker.files[i];
        ck_assert_int_eq(store_put(s->data, (enum plan_file_kind)f->kind, f->hash,
                                   s->r->files[i].data, s->r->files[i].size),
                         0);
    }
    ck_assert_int_eq(snapshot_publish(s->data, &s->r->maker.plan), 0);
}

/* A loopback address of this process alone, so that a port that is free for UDP is free for TCP. */
static struct ip site_address(void)
{
    unsigned pid = (unsigned)getpid();
    return (struct ip){
        .family = IP_V4,
        .bytes = {127, (uint8_t)(100 + (pid >> 16) % 100), (uint8_t)(pid >> 8), (uint8_t)pid}};
}

static void site_open(struct site *s)
{
    struct ip ip;
    memset(s, 0, sizeof *s);
    s->ip = site_address();
    snprintf(s->data, sizeof s->data, "/tmp/dns-server-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->data));
    ck_assert_int_eq(snapshot_folders_create(s->data), 0);
    s->r = rig_new();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(net_udp_open(&s->ip, s->port, true, &s->udp[i]), 0);
        ck_assert_int_eq(net_local(s->udp[i], &ip, &s->port), 0);
        ck_assert_int_eq(net_tcp_listen(&s->ip, s->port, true, 64, &s->tcp[i]), 0);
    }
    ck_assert_int_eq(pipe(s->stop), 0);
    stats_private("dns", 2 * THREADS + 1, &s->stats);
    s->options = (struct dns_server_options){.data = s->data,
                                             .udp_fds = s->udp,
                                             .udp_count = THREADS,
                                             .tcp_fds = s->tcp,
                                             .tcp_count = THREADS,
                                             .threads = THREADS,
                                             .client_subnet = true,
                                             .tcp = {.clients = 16,
                                                     .client_v4 = 32,
                                                     .client_v6 = 56,
                                                     .idle = 300 * USEC_PER_MSEC,
                                                     .patience = 30 * USEC_PER_SEC,
                                                     .memory = 64 << 20},
                                             .stats = &s->stats,
                                             .stop_fd = s->stop[0],
                                             .ready = site_ready,
                                             .context = s};
}

static void site_begin(struct site *s)
{
    ck_assert_int_eq(pthread_create(&s->thread, NULL, site_run, s), 0);
}

static void site_start(struct site *s)
{
    site_begin(s);
    for (int i = 0; i < WAIT_MS && !atomic_load(&s->ready); i++)
        poll(NULL, 0, 1);
    ck_assert(atomic_load(&s->ready));
}

static int file_remove(void *folder, const char *name)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", (const char *)folder, name);
    return disk_remove(path);
}

static void folder_remove(const char *data)
{
    static const char *const folders[] = {"plan", "store"};
    char path[128];
    for (size_t i = 0; i < array_length(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", data, folders[i]);
        ck_assert_int_eq(disk_list(path, file_remove, path), 0);
        ck_assert_int_eq(rmdir(path), 0);
    }
    ck_assert_int_eq(rmdir(data), 0);
}

static void site_stop(struct site *s)
{
    ck_assert_int_eq((int)write(s->stop[1], "x", 1), 1);
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    ck_assert_int_eq(s->result, 0);
    for (int i = 0; i < THREADS; i++) {
        close(s->udp[i]);
        close(s->tcp[i]);
    }
    close(s->stop[0]);
    close(s->stop[1]);
    stats_close(&s->stats);
    rig_free(s->r);
    folder_remove(s->data);
}

static int client_open(const struct site *s, int type)
{
    struct sockaddr_storage to;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, net_sockaddr(&s->ip, s->port, &to)), 0);
    return fd;
}

/* The response over UDP as text, in `out`. */
static const char *ask_udp(int fd, const char *name, uint16_t type, struct text *out)
{
    uint8_t wire[512], answer[4096];
    struct ask a = {name, type, .size = 1232};
    size_t length = ask_write(&a, wire, sizeof wire);
    ck_assert_int_eq((int)send(fd, wire, length, 0), (int)length);
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    text_reset(out);
    if (n < 0)
        return "nothing";
    ck_assert_ptr_null(message_text(answer, (size_t)n, out));
    return text_string(out);
}

static uint64_t stat_of(const struct site *s, enum stat_id id)
{
    return stats_value(&s->stats, id);
}

static void wait_for(const struct site *s, enum stat_id id, uint64_t value)
{
    for (int i = 0; i < WAIT_MS && stat_of(s, id) < value; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(stat_of(s, id), value);
}

static void site_with_plan(struct site *s)
{
    site_open(s);
    publish(s, 1);
    site_start(s);
    wait_for(s, PLAN_GENERATION, 1);
}

START_TEST(test_before_the_first_plan)
{
    struct site s;
    struct text text = text_init(1 << 16);
    site_open(&s);
    site_begin(&s);
    int fd = client_open(&s, SOCK_DGRAM);
    ck_assert_ptr_nonnull(strstr(ask_udp(fd, "www.example.com", DNS_A, &text), "SERVFAIL"));
    ck_assert(!atomic_load(&s.ready));
    publish(&s, 1);
    wait_for(&s, PLAN_GENERATION, 1);
    for (int i = 0; i < WAIT_MS && !atomic_load(&s.ready); i++)
        poll(NULL, 0, 1);
    ck_assert(atomic_load(&s.ready));
    ck_assert_ptr_nonnull(
        strstr(ask_udp(fd, "www.example.com", DNS_A, &text), "an www.example.com 300 A"));
    ck_assert_uint_eq(stat_of(&s, ZONES_SERVED), 2);
    ck_assert_uint_eq(stat_of(&s, DNS_QUERIES_UDP), 2);
    ck_assert_uint_eq(stat_of(&s, PLAN_LOADED), 1);
    close(fd);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* ---- swaps under load ---- */

struct asker {
    struct site *s;
    pthread_t thread;
    _Atomic bool stop;
    uint64_t asked, wrong;
    bool tcp;
};

/* Every answer is one of the answers of some plan, and none is missing. */
static void *asker_run(void *context)
{
    struct asker *a = context;
    struct text text = text_init(1 << 16);
    int fd = client_open(a->s, SOCK_DGRAM);
    while (!atomic_load(&a->stop)) {
        const char *got = ask_udp(fd, "api.example.com", DNS_A, &text);
        a->asked++;
        if (!strstr(got, "NOERROR") || !strstr(got, "an api.example.com ") ||
            !strstr(got, " A 198.51.0.0"))
            a->wrong++;
        got = ask_udp(fd, "tonet.example.com", DNS_A, &text);
        a->asked++;
        if (!strstr(got, " A 192.0.2.77\n"))
            a->wrong++;
    }
    close(fd);
    text_done(&text);
    return NULL;
}

START_TEST(test_plans_swapped_under_load)
{
    enum { ASKERS = 3, PLANS = 60 };
    struct site s;
    struct asker askers[ASKERS];
    site_open(&s);
    publish(&s, 1);
    site_start(&s);
    wait_for(&s, PLAN_GENERATION, 1);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.s = &s};
        ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]), 0);
    }
    struct rig_file zones[2] = {s.r->files[1],
                                rig_zone("example.net",
                                         "@ 5 SOA a b 8 2 3 4 5\n@ 5 NS ns.example.com.\n"
                                         "host 5 A 192.0.2.77\n",
                                         NULL, 0)};
    for (uint64_t g = 2; g <= PLANS; g++) { /* the second zone changes with every plan */
        s.r->files[1] = zones[g % 2];
        s.r->maker.files[1].hash = rig_hash(&s.r->files[1]);
        s.r->maker.plan.config_fingerprint = g;
        publish(&s, g);
        wait_for(&s, PLAN_GENERATION, g);
    }
    uint64_t asked = 0;
    for (int i = 0; i < ASKERS; i++) {
        atomic_store(&askers[i].stop, true);
        ck_assert_int_eq(pthread_join(askers[i].thread, NULL), 0);
        ck_assert_uint_eq(askers[i].wrong, 0);
        asked += askers[i].asked;
    }
    ck_assert_uint_gt(asked, 100);
    ck_assert_uint_eq(stat_of(&s, DNS_QUERIES_UDP), asked);
    ck_assert_uint_eq(stat_of(&s, PLAN_REFUSED), 0);
    s.r->files[1] = zones[0];
    free(zones[1].data);
    site_stop(&s);
}
END_TEST

/* ---- refused plans ---- */

static void file_write(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(test_refused_plans_change_nothing)
{
    struct site s;
    struct text text = text_init(1 << 16);
    char path[128], aside[140];
    site_open(&s);
    publish(&s, 5);
    site_start(&s);
    int fd = client_open(&s, SOCK_DGRAM);
    wait_for(&s, PLAN_GENERATION, 5);

    snprintf(path, sizeof path, "%s/plan/%020u.plan", s.data, 6u); /* garbage */
    snprintf(aside, sizeof aside, "%s/.tmp-6", s.data);
    file_write(aside, "not a plan", 10);
    ck_assert_int_eq(rename(aside, path), 0);
    wait_for(&s, PLAN_REFUSED, 1);

    uint32_t choice =
        s.r->maker.services[RIG_API].faces[IP_V4].choice; /* whole, but it lacks a name (L3) */
    s.r->maker.plan.service_count--;
    s.r->maker.plan.config_fingerprint++;
    publish(&s, 7);
    wait_for(&s, PLAN_REFUSED, 2);
    s.r->maker.plan.service_count++;
    ck_assert_uint_eq(choice, s.r->maker.services[RIG_API].faces[IP_V4].choice);
    ck_assert_uint_eq(stat_of(&s, PLAN_GENERATION), 5);
    ck_assert_ptr_nonnull(strstr(ask_udp(fd, "api.example.com", DNS_A, &text), " A 198.51.0.0"));

    uint64_t hash = s.r->maker.files[1].hash ^= 1; /* its zone is not what its name says */
    publish(&s, 8);
    wait_for(&s, PLAN_REFUSED, 3);
    s.r->maker.files[1].hash = hash ^ 1;
    poll(NULL, 0, 1500); /* looked at again, told once */
    ck_assert_uint_eq(stat_of(&s, PLAN_REFUSED), 3);

    publish(&s, 9);
    wait_for(&s, PLAN_GENERATION, 9);
    ck_assert_ptr_nonnull(strstr(ask_udp(fd, "api.example.com", DNS_A, &text), " A 198.51.0.0"));
    close(fd);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* L3 at the moment of application: a plan that is whole in itself, under the same configuration,
 * but leaves a name that is answered now without its addresses. */
START_TEST(test_a_plan_that_takes_answers_away_is_refused)
{
    struct site s;
    struct text text = text_init(1 << 16);
    site_with_plan(&s);
    int fd = client_open(&s, SOCK_DGRAM);
    struct maker *m = &s.r->maker;
    struct plan_service *api = &m->services[RIG_API];
    struct plan_face before = api->faces[IP_V4];
    uint32_t targets[8] = {0};
    for (uint32_t i = 0; i < api->endpoint_count; i++) {
        uint32_t *t = &m->endpoints[api->endpoint_first + i].target[IP_V4];
        targets[i] = *t;
        *t = PLAN_NONE;
    }
    api->faces[IP_V4] = (struct plan_face){.choice = PLAN_NONE, .ttl = 5, .mode = FACE_ABSENT};
    publish(&s, 2);
    wait_for(&s, PLAN_REFUSED, 1);
    ck_assert_ptr_nonnull(strstr(ask_udp(fd, "api.example.com", DNS_A, &text), " A 198.51.0.0"));
    ck_assert_uint_eq(stat_of(&s, PLAN_GENERATION), 1);
    for (uint32_t i = 0; i < api->endpoint_count; i++)
        m->endpoints[api->endpoint_first + i].target[IP_V4] = targets[i];
    api->faces[IP_V4] = before;
    publish(&s, 3);
    wait_for(&s, PLAN_GENERATION, 3);
    close(fd);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* L1: a restart serves the last good plan though the newest cannot be used. */
START_TEST(test_start_with_the_last_good_plan)
{
    struct site s;
    struct text text = text_init(1 << 16);
    site_open(&s);
    publish(&s, 1);
    s.r->maker.plan.config_fingerprint++;
    s.r->maker.plan.service_count--;
    publish(&s, 2);
    s.r->maker.plan.service_count++;
    site_start(&s);
    ck_assert_uint_eq(stat_of(&s, PLAN_GENERATION), 1);
    ck_assert_uint_eq(stat_of(&s, PLAN_REFUSED), 1);
    int fd = client_open(&s, SOCK_DGRAM);
    ck_assert_ptr_nonnull(strstr(ask_udp(fd, "api.example.com", DNS_A, &text), " A 198.51.0.0"));
    close(fd);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* ---- TCP ---- */

static size_t frame(uint8_t *to, size_t size, const char *name, uint16_t type)
{
    struct ask a = {name, type};
    size_t n = ask_write(&a, to + 2, size - 2);
    to[0] = (uint8_t)(n >> 8);
    to[1] = (uint8_t)n;
    return n + 2;
}

static bool read_all(int fd, uint8_t *to, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = recv(fd, to + at, size - at, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static const char *read_message(int fd, struct text *out)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    uint8_t size[2];
    text_reset(out);
    if (!read_all(fd, size, 2) || !read_all(fd, message, (size_t)(size[0] << 8 | size[1])))
        return "closed";
    ck_assert_ptr_null(message_text(message, (size_t)(size[0] << 8 | size[1]), out));
    return text_string(out);
}

/* RFC 7766 6.2.1.1: many queries on the way at once; a query in pieces; a stream that ends after
 * its queries. */
START_TEST(test_tcp_pipelining)
{
    enum { QUERIES = 500 };
    struct site s;
    struct text text = text_init(1 << 20);
    uint8_t *stream = mem_new(QUERIES, 64);
    size_t length = 0;
    site_with_plan(&s);
    int fd = client_open(&s, SOCK_STREAM);
    for (int i = 0; i < QUERIES; i++)
        length +=
            frame(stream + length, 64, i % 2 ? "www.example.com" : "missing.example.com", DNS_A);
    for (size_t at = 0; at < length;) { /* cut anywhere */
        size_t piece = length - at < 777 ? length - at : 777;
        ck_assert_int_eq((int)send(fd, stream + at, piece, 0), (int)piece);
        at += piece;
    }
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < QUERIES; i++)
        ck_assert_ptr_nonnull(strstr(read_message(fd, &text), i % 2 ? "NOERROR" : "NXDOMAIN"));
    ck_assert_str_eq(read_message(fd, &text), "closed");
    ck_assert_uint_eq(stat_of(&s, DNS_QUERIES_TCP), QUERIES);
    close(fd);
    free(stream);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* A client that asks for much and reads nothing holds its own buffers and nobody else's time. */
START_TEST(test_tcp_slow_reader)
{
    struct site s;
    struct text text = text_init(1 << 20);
    uint8_t query[64];
    int small = 32768;
    site_open(&s);
    s.options.tcp.idle = 60 * USEC_PER_SEC;
    publish(&s, 1);
    site_start(&s);
    wait_for(&s, PLAN_GENERATION, 1);
    int slow = client_open(&s, SOCK_STREAM), other = client_open(&s, SOCK_STREAM);
    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    size_t n = frame(query, sizeof query, "multi.example.com", DNS_AAAA); /* 1700 bytes each */
    unsigned sent = 0;
    while (sent < 5000 && send(slow, query, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
        sent++;
    ck_assert_uint_gt(sent, 100);
    ck_assert_int_eq((int)send(other, query, n, 0), (int)n);
    ck_assert_ptr_nonnull(strstr(read_message(other, &text), "an multi.example.com 5 AAAA"));
    for (unsigned i = 0; i < 200 && i < sent; i++) { /* and it goes on where it stopped */
        const char *got = read_message(slow, &text);
        ck_assert_msg(strstr(got, "an multi.example.com 5 AAAA"), "%u of %u: %s", i, sent, got);
    }
    close(slow);
    close(other);
    site_stop(&s);
    text_done(&text);
}
END_TEST

/* Half a query is not activity: whoever drips bytes is closed after the idle time. */
START_TEST(test_tcp_idle)
{
    struct site s;
    uint8_t query[64], byte;
    site_with_plan(&s);
    int quiet = client_open(&s, SOCK_STREAM), drip = client_open(&s, SOCK_STREAM);
    size_t n = frame(query, sizeof query, "www.example.com", DNS_A);
    usec_t start = clock_now();
    for (size_t i = 0; i < n - 1 && clock_now() - start < 2 * USEC_PER_SEC; i++) {
        if (send(drip, query + i, 1, MSG_NOSIGNAL) != 1)
            break;
        poll(NULL, 0, 20);
    }
    ck_assert_int_eq((int)recv(quiet, &byte, 1, 0), 0);
    ck_assert_int_le((int)recv(drip, &byte, 1, 0), 0);
    ck_assert(clock_now() - start < 2 * USEC_PER_SEC);
    wait_for(&s, DNS_TCP_CLIENTS, 0);
    close(quiet);
    close(drip);
    site_stop(&s);
}
END_TEST

/* At the limit the least recently active connection makes room, so a new client is always served.
 */
START_TEST(test_tcp_limit)
{
    enum { CLIENTS = 40 };
    struct site s;
    struct text text = text_init(1 << 16);
    uint8_t query[64];
    int fds[CLIENTS];
    site_open(&s);
    s.options.tcp.idle = 60 * USEC_PER_SEC;
    publish(&s, 1);
    site_start(&s);
    wait_for(&s, PLAN_GENERATION, 1);
    size_t n = frame(query, sizeof query, "www.example.com", DNS_A);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client_open(&s, SOCK_STREAM);
        ck_assert_int_eq((int)send(fds[i], query, n, 0), (int)n);
        ck_assert_ptr_nonnull(strstr(read_message(fds[i], &text), "an www.example.com 300 A"));
    }
    for (int i = 0; i < WAIT_MS && stat_of(&s, DNS_TCP_CLIENTS) > 16; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_le(stat_of(&s, DNS_TCP_CLIENTS), 16);
    ck_assert_uint_ge(stat_of(&s, DNS_TCP_REFUSED), CLIENTS - 16);
    ck_assert_str_eq(read_message(fds[0], &text), "closed");
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    site_stop(&s);
    text_done(&text);
}
END_TEST

START_TEST(test_garbage_does_not_stop_it)
{
    struct site s;
    struct text text = text_init(1 << 16);
    struct random dice = random_init(11);
    uint8_t bytes[2000] = {0};
    site_with_plan(&s);
    int udp = client_open(&s, SOCK_DGRAM), tcp = client_open(&s, SOCK_STREAM);
    for (int i = 0; i < 500; i++) {
        size_t n = random_below(&dice, sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)random_u64(&dice);
        if (n > 2)
            bytes[2] |=
                0x80; /* responses: dropped, so that the socket stays clean for what follows */
        send(udp, bytes, n, 0);
        send(tcp, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ck_assert_ptr_nonnull(
        strstr(ask_udp(udp, "www.example.com", DNS_A, &text), "an www.example.com 300 A"));
    ck_assert_uint_gt(stat_of(&s, DNS_DROPPED), 400);
    close(udp);
    close(tcp);
    site_stop(&s);
    text_done(&text);
}
END_TEST

CHECK_MAIN("server", test_before_the_first_plan, test_plans_swapped_under_load,
           test_refused_plans_change_nothing, test_a_plan_that_takes_answers_away_is_refused,
           test_start_with_the_last_good_plan, test_tcp_pipelining, test_tcp_slow_reader,
           test_tcp_idle, test_tcp_limit, test_garbage_does_not_stop_it)
