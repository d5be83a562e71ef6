/* What the kernel says of the segments that a probe sent. */
#include "observe/once_io.h"
#include "observe/origin_io.h"

#include "base/attr.h"
#include "seam/net.h"
#include "test/check_main.h"
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwell"

static struct sample probe_of(enum check_kind kind, uint16_t port, usec_t timeout)
{
    char url[100];
    snprintf(url, sizeof url, "%s://{address}:%u/", kind == CHECK_HTTPS ? "https" : "http", port);
    struct config_check c = {.kind = kind, .port = port, .url = url, .timeout = timeout};
    return probe_once(&c, "127.0.0.1");
}

START_TEST(test_nothing_lost)
{
    struct authority a = authority_new("/dev/null");
    SSL_CTX *tls = authority_server(&a, "IP:127.0.0.1", -60, 86400);
    static const struct {
        enum check_kind kind;
        unsigned least; /* SYN; request; ClientHello and what ends the handshake */
    } rows[] = {{CHECK_TCP, 1}, {CHECK_HTTP, 2}, {CHECK_TLS, 2}, {CHECK_HTTPS, 4}};
    for (unsigned i = 0; i < array_length(rows); i++) {
        bool secure = rows[i].kind == CHECK_TLS || rows[i].kind == CHECK_HTTPS;
        struct origin o = origin_start(&(struct origin_how){.address = "127.0.0.1",
                                                            .handler = origin_answer,
                                                            .context = ANSWER,
                                                            .tls = secure ? tls : NULL});
        struct sample s = probe_of(rows[i].kind, o.port, 0);
        ck_assert_str_eq(reason_name(s.reason), "ok");
        ck_assert_uint_ge(s.segments, rows[i].least);
        ck_assert_uint_le(s.segments, rows[i].least + 2);
        ck_assert_uint_eq(s.segments_lost, 0);
        origin_stop(&o);
    }
    SSL_CTX_free(tls);
    authority_free(&a);
}
END_TEST

/* However often it was sent; and what was refused was not lost. */
START_TEST(test_nothing_answers)
{
    struct origin hole = origin_blackhole("127.0.0.1");
    struct sample s = probe_of(CHECK_HTTP, hole.port, 1500 * USEC_PER_MSEC);
    ck_assert_str_eq(reason_name(s.reason), "connect-timeout");
    ck_assert_uint_eq(s.segments, 1);
    ck_assert_uint_eq(s.segments_lost, 1);
    origin_stop(&hole);
    s = probe_of(CHECK_TCP, origin_free_port("127.0.0.1"), 0);
    ck_assert_str_eq(reason_name(s.reason), "connect-refused");
    ck_assert_uint_eq(s.segments, 1);
    ck_assert_uint_eq(s.segments_lost, 0);
}
END_TEST

/* A listener that loses every segment with data: a filter at the socket sees it from the TCP header
 * on, and what it does not let through was never there. */
static int listen_deaf(uint16_t *ret_port)
{
    static struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), /* length of the header, in words, above */
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 4),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog filter = {array_length(steps), steps};
    struct ip ip;
    int fd;
    ck_assert_int_eq(ip_parse("127.0.0.1", &ip), 0);
    ck_assert_int_eq(net_tcp_listen(&ip, 0, false, 16, &fd), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
    ck_assert_int_eq(net_local(fd, &ip, ret_port), 0);
    return fd;
}

START_TEST(test_requests_are_lost)
{
    static const enum check_kind kinds[] = {CHECK_HTTP, CHECK_HTTPS, CHECK_TLS};
    uint16_t port;
    int fd = listen_deaf(&port);
    for (unsigned i = 0; i < array_length(kinds); i++) {
        struct sample s = probe_of(kinds[i], port, 900 * USEC_PER_MSEC);
        ck_assert_str_eq(reason_name(s.reason),
                         i ? "tls-timeout" : "first-byte-timeout"); /* it is connected */
        ck_assert_uint_ge(s.segments_lost, 1);
        ck_assert_uint_le(s.segments_lost, 4);
        ck_assert_uint_gt(s.segments, s.segments_lost);
    }
    close(fd);
}
END_TEST

CHECK_MAIN("loss_io", test_nothing_lost, test_nothing_answers, test_requests_are_lost)
