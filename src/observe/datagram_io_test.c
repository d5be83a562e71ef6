/* icmp and dns checks, on loopback and in network namespaces of our own. */
#include "observe/icmp.h"
#include "observe/once_io.h"
#include "observe/origin_io.h"
#include "seam/net.h"

#include "base/attr.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const loopback[] = {"127.0.0.1", "::1"};
static const struct config_check echo = {
    .name = "echo", .kind = CHECK_ICMP, .timeout = 500 * USEC_PER_MSEC};

/* ---- icmp ---- */

static bool may_icmp(void)
{
    return geteuid() == 0;
}

/* Datagram sockets for everybody, or for nobody, in this namespace. */
static bool ping_range(const char *range)
{
    int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, range, strlen(range)) == (ssize_t)strlen(range);
    close(fd);
    return done;
}

/* An interface that swallows everything sent to these networks. */
static bool void_interface(void)
{
    return origin_ip("link add void0 arp off type veth peer name void1") == 0 &&
           origin_ip("link set void0 up") == 0 && origin_ip("link set void1 up") == 0 &&
           origin_ip("addr add 192.0.2.1/24 dev void0") == 0 &&
           origin_ip("addr add 2001:db8::1/64 dev void0 nodad") == 0;
}

static const char *once(const char *address)
{
    return reason_name(probe_once(&echo, address).reason);
}

static void icmp_story(void)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct sample s = probe_once(&echo, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "ok");
        ck_assert_uint_gt(s.phase_us[PHASE_CONNECT], 0);
    }
    if (void_interface()) {
        struct sample s = probe_once(&echo, "192.0.2.77");
        ck_assert_str_eq(reason_name(s.reason), "connect-timeout");
        ck_assert_uint_ge(s.phase_us[PHASE_CONNECT], 500000);
        ck_assert_str_eq(once("2001:db8::77"), "connect-timeout");
    }
    ck_assert_int_eq(origin_ip("route add unreachable 198.51.100.0/24"), 0);
    ck_assert_str_eq(once("198.51.100.1"), "connect-unreachable");
    ck_assert_int_eq(origin_ip("-6 route add unreachable 2001:db8:1::/64"), 0);
    ck_assert_str_eq(once("2001:db8:1::1"), "connect-unreachable");
    /* no route at all says nothing of the target */
    ck_assert_str_eq(once("203.0.113.1"), "internal");
    ck_assert_str_eq(once("2001:db8:2::1"), "internal");
}

START_TEST(test_icmp_raw)
{
    if (!may_icmp() || !origin_alone() || !ping_range("1 0"))
        return;
    icmp_story();
}
END_TEST

START_TEST(test_icmp_datagram)
{
    if (!may_icmp() || !origin_alone() || !ping_range("0 2147483647"))
        return;
    ck_assert_int_eq(setgid(65534), 0);
    icmp_story();
}
END_TEST

/* Neither way is allowed: no verdict. */
START_TEST(test_icmp_forbidden)
{
    if (!may_icmp() || !origin_alone() || !ping_range("1 0"))
        return;
    ck_assert(setgid(65534) == 0 && setuid(65534) == 0);
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct sample s = probe_once(&echo, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "internal");
        ck_assert(s.late);
    }
}
END_TEST

/* A router's error, with no more of our packet in it than RFC 792 demands, reaches its probe and no
 * other. The forger sits on a raw socket beside us. */
static void forge_unreachable(struct bench *b, const char *about)
{
    (void)b;
    uint8_t request[2048], packet[8 + 28] = {3, 1};
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    int tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(0x0800));
    ck_assert(fd >= 0 && tap >= 0);
    struct ip wanted;
    ck_assert_int_eq(ip_parse(about, &wanted), 0);
    for (;;) { /* wait until the probe is sent */
        bench_run(b, 20);
        ssize_t length = recv(tap, request, sizeof request, MSG_DONTWAIT);
        if (length >= 28 && request[9] == 1 && memcmp(request + 16, wanted.bytes, 4) == 0)
            break;
    }
    memcpy(packet + 8, request, 28);
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof packet; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16));
    packet[2] = (uint8_t)(sum >> 8), packet[3] = (uint8_t)sum;
    struct ip here;
    struct sockaddr_storage to;
    ck_assert_int_eq(ip_parse("192.0.2.1", &here), 0);
    socklen_t size = net_sockaddr(&here, 0, &to);
    ck_assert_int_eq(sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&to, size),
                     sizeof packet);
    close(fd);
    close(tap);
}

static void icmp_error_story(const char *range)
{
    if (!may_icmp() || !origin_alone() || !ping_range(range) || !void_interface())
        return;
    struct config_check c = echo;
    struct target targets[2] = {{.check = &c}, {.check = &c}};
    struct bench b;
    c.interval = 2 * USEC_PER_SEC, c.timeout = 1500 * USEC_PER_MSEC;
    ck_assert_int_eq(ip_parse("192.0.2.77", &targets[0].address), 0);
    ck_assert_int_eq(ip_parse("192.0.2.78", &targets[1].address), 0);
    bench_open(&b);
    b.wanted = 2;
    observer_targets(b.observer, targets, 2, NULL, 1);
    forge_unreachable(&b, "192.0.2.77");
    bench_run(&b, 5000);
    ck_assert_uint_ge(b.count, 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(reason_name(b.samples[i].reason),
                         b.samples[i].target ? "connect-timeout" : "connect-unreachable");
    bench_close(&b);
}

START_TEST(test_icmp_error_finds_its_probe_raw)
{
    icmp_error_story("1 0");
}
END_TEST

START_TEST(test_icmp_error_finds_its_probe_datagram)
{
    icmp_error_story("0 2147483647");
}
END_TEST

/* ---- dns ---- */

struct answer {
    uint16_t flags;
    uint8_t count; /* A records 192.0.2.1, .2 ... */
    bool wrong_id; /* a forged answer goes before */
    bool cut;
    bool silent;
};

static void serve_dns(int fd, SSL *ssl, const void *context)
{
    (void)ssl;
    const struct answer *a = context;
    uint8_t m[1500];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &size);
    if (length < 29 || a->silent)
        return;
    size_t n = (size_t)length - 11; /* without OPT */
    m[2] = (uint8_t)(a->flags >> 8), m[3] = (uint8_t)a->flags;
    m[7] = a->count, m[11] = 0;
    if (a->wrong_id) {
        m[1] ^= 1, m[7] = 0, m[3] |= DNS_NXDOMAIN;
        sendto(fd, m, n, 0, (struct sockaddr *)&from, size);
        m[1] ^= 1, m[7] = a->count, m[3] = (uint8_t)a->flags;
    }
    for (uint8_t i = 1; i <= a->count; i++) {
        const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, i};
        memcpy(m + n, record, sizeof record);
        n += sizeof record;
    }
    sendto(fd, m, a->cut ? n - 5 : n, 0, (struct sockaddr *)&from, size);
}

static void dns_expect(struct answer answer, const char *expect, enum reason reason, unsigned rcode)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin o = origin_start(&(struct origin_how){
            .address = loopback[i], .type = SOCK_DGRAM, .handler = serve_dns, .context = &answer});
        struct config_check c = {.kind = CHECK_DNS,
                                 .port = o.port,
                                 .query = "www.Example.com",
                                 .query_type = DNS_A,
                                 .expect = expect};
        c.timeout = answer.silent ? 200 * USEC_PER_MSEC : 0;
        struct sample s = probe_once(&c, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), reason_name(reason));
        ck_assert_uint_eq(s.status, rcode);
        ck_assert_uint_gt(s.phase_us[PHASE_RESOLVE], 0);
        ck_assert(s.late || reason != REASON_INTERNAL);
        origin_stop(&o);
    }
}

START_TEST(test_dns_answers)
{
    dns_expect((struct answer){.flags = 0x8400, .count = 1}, NULL, REASON_OK, 0);
    dns_expect((struct answer){.flags = 0x8400, .count = 3}, "192.0.2.3", REASON_OK, 0);
    dns_expect((struct answer){.flags = 0x8400, .count = 3}, "192.0.2.4", REASON_RESOLVE_WRONG, 0);
    dns_expect((struct answer){.flags = 0x8400}, NULL, REASON_RESOLVE_NODATA, 0);
    dns_expect((struct answer){.flags = 0x8400}, "192.0.2.4", REASON_RESOLVE_NODATA, 0);
    dns_expect((struct answer){.flags = 0x8403}, NULL, REASON_RESOLVE_NXDOMAIN, 3);
    dns_expect((struct answer){.flags = 0x8002}, NULL, REASON_RESOLVE_SERVFAIL, 2);
    dns_expect((struct answer){.flags = 0x8005}, NULL, REASON_RESOLVE_SERVFAIL, 5);
}
END_TEST

START_TEST(test_dns_forged_and_broken)
{
    dns_expect((struct answer){.flags = 0x8400, .count = 1, .wrong_id = true}, NULL, REASON_OK, 0);
    dns_expect((struct answer){.flags = 0x8400, .count = 2, .cut = true}, NULL, REASON_PROTOCOL, 0);
    /* half an answer over UDP: enough, or no verdict */
    dns_expect((struct answer){.flags = 0x8600, .count = 2, .cut = true}, "192.0.2.1", REASON_OK,
               0);
    dns_expect((struct answer){.flags = 0x8600, .count = 2, .cut = true}, "192.0.2.2",
               REASON_INTERNAL, 0);
    dns_expect((struct answer){.flags = 0x8600}, NULL, REASON_OK, 0);
}
END_TEST

START_TEST(test_dns_silent_and_refused)
{
    dns_expect((struct answer){.silent = true}, NULL, REASON_RESOLVE_TIMEOUT, 0);
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct config_check c = {
            .kind = CHECK_DNS, .port = origin_free_port(loopback[i]), .query = "a.test"};
        ck_assert_str_eq(reason_name(probe_once(&c, loopback[i]).reason), "connect-refused");
        c.query = "not..a.name";
        ck_assert_str_eq(reason_name(probe_once(&c, loopback[i]).reason), "internal");
    }
}
END_TEST

CHECK_MAIN("datagram_io", test_icmp_raw, test_icmp_datagram, test_icmp_forbidden,
           test_icmp_error_finds_its_probe_raw, test_icmp_error_finds_its_probe_datagram,
           test_dns_answers, test_dns_forged_and_broken, test_dns_silent_and_refused)
