/* tls, http and https checks against real servers. */
#include "observe/once_io.h"
#include "observe/origin_io.h"

#include "base/attr.h"
#include "base/memory.h"
#include "test/check_main.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *const loopback[] = {"127.0.0.1", "::1"};

#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"
#define OK_BODY OK_HEAD "Content-Length: 11\r\n\r\nall is well"

/* ---- http ---- */

static struct sample http_once(const struct origin *o, struct config_check check,
                               const char *address)
{
    char url[100];
    snprintf(url, sizeof url, "http://{address}:%u/healthz", o->port);
    check.kind = CHECK_HTTP;
    check.url = check.url ? check.url : url;
    return probe_once(&check, address);
}

/* One request against a server with these manners, over both families. */
static struct sample http_expect(origin_handler *handler, const char *context,
                                 struct config_check check, enum reason reason)
{
    struct sample s = {0};
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin o = origin_start(
            &(struct origin_how){.address = loopback[i], .handler = handler, .context = context});
        s = http_once(&o, check, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), reason_name(reason));
        origin_stop(&o);
    }
    return s;
}

START_TEST(test_http_good)
{
    struct sample s =
        http_expect(origin_answer, OK_BODY, (struct config_check){.body = "is well"}, REASON_OK);
    ck_assert_uint_eq(s.status, 200);
    ck_assert_uint_gt(s.phase_us[PHASE_CONNECT], 0);
    ck_assert_uint_gt(s.phase_us[PHASE_PROCESSING], 0);
    ck_assert_uint_eq(s.phase_us[PHASE_TLS], 0);
    ck_assert_int_eq(s.certificate_end, 0);
    http_expect(origin_answer, OK_BODY, (struct config_check){0}, REASON_OK);
    http_expect(origin_answer, OK_HEAD "\r\nno length, ends with the connection",
                (struct config_check){.body = "connection"}, REASON_OK);
    http_expect(origin_answer,
                OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n8\r\n is well\r\n0\r\n\r\n",
                (struct config_check){.body = "all is well"}, REASON_OK);
    http_expect(origin_answer, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
                (struct config_check){0}, REASON_OK);
}
END_TEST

START_TEST(test_http_content)
{
    struct config_check c = {.body = "is ill"};
    struct sample s = http_expect(origin_answer, OK_BODY, c, REASON_CONTENT);
    ck_assert_uint_eq(s.status, 200);
    http_expect(origin_answer, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", c,
                REASON_CONTENT);
}
END_TEST

START_TEST(test_http_status)
{
    static const char ill[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n";
    struct config_range only[] = {{503, 503}};
    struct sample s = http_expect(origin_answer, ill, (struct config_check){0}, REASON_STATUS);
    ck_assert_uint_eq(s.status, 503);
    http_expect(origin_answer, OK_BODY, (struct config_check){.status = only, .status_count = 1},
                REASON_STATUS);
    /* told to go elsewhere: not followed, and accepted by default */
    s = http_expect(origin_answer,
                    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
                    "0\r\nConnection: close\r\n\r\n",
                    (struct config_check){0}, REASON_OK);
    ck_assert_uint_eq(s.status, 302);
    /* interim answers are not the answer (RFC 9110 15.2) */
    s = http_expect(origin_answer, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK_BODY,
                    (struct config_check){.body = "well"}, REASON_OK);
    ck_assert_uint_eq(s.status, 200);
}
END_TEST

static void serve_late(int fd, SSL *ssl, const void *context)
{
    char request[4096];
    origin_read(fd, ssl, request, sizeof request);
    if (context)
        origin_write(fd, ssl, context);
    usleep(1500000);
}

static void serve_slow(int fd, SSL *ssl, const void *context)
{
    char request[4096];
    origin_read(fd, ssl, request, sizeof request);
    usleep(300000);
    origin_write(fd, ssl, context);
}

START_TEST(test_http_timeouts)
{
    struct config_check c = {.timeout = 600 * USEC_PER_MSEC};
    struct sample s = http_expect(serve_late, NULL, c, REASON_FIRST_BYTE_TIMEOUT);
    ck_assert_uint_gt(s.phase_us[PHASE_PROCESSING], 300000);
    ck_assert_int_ge(s.ended - s.started, c.timeout);
    s = http_expect(serve_late, OK_HEAD "Content-Length: 100\r\n\r\nbegun", c, REASON_BODY_TIMEOUT);
    ck_assert_uint_gt(s.phase_us[PHASE_TRANSFER], 300000);
    ck_assert_uint_eq(s.status, 200);
    /* what is already clear is not waited for */
    http_expect(serve_late, "HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n", c, REASON_STATUS);
    c.body = "begun";
    http_expect(serve_late, OK_HEAD "Content-Length: 100\r\n\r\nbegun", c, REASON_OK);
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin hole = origin_blackhole(loopback[i]);
        s = http_once(&hole, c, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "connect-timeout");
        ck_assert_uint_gt(s.phase_us[PHASE_CONNECT], 150000);
        origin_stop(&hole);
    }
}
END_TEST

START_TEST(test_http_refused)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        struct origin none = {.port = origin_free_port(loopback[i])};
        struct sample s = http_once(&none, (struct config_check){0}, loopback[i]);
        ck_assert_str_eq(reason_name(s.reason), "connect-refused");
    }
}
END_TEST

START_TEST(test_http_closed_and_garbage)
{
    struct config_check c = {0};
    http_expect(origin_answer, "", c, REASON_CLOSED);
    http_expect(NULL, NULL, c, REASON_CLOSED);
    http_expect(origin_answer, OK_HEAD "Content-Length: 100\r\n\r\ncut", c, REASON_CLOSED);
    http_expect(origin_answer, "SSH-2.0-OpenSSH_9.2p1\r\n", c, REASON_PROTOCOL);
    http_expect(origin_answer, "\x16\x03\x01\x02", c, REASON_PROTOCOL);
    http_expect(origin_answer, "HTTP/1.1 abc\r\n\r\n", c, REASON_PROTOCOL);
}
END_TEST

static void serve_header_flood(int fd, SSL *ssl, const void *context)
{
    (void)context;
    char request[4096];
    origin_read(fd, ssl, request, sizeof request);
    origin_write(fd, ssl, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 20000; i++)
        origin_write(fd, ssl, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    origin_write(fd, ssl, "\r\n");
}

static void serve_endless(int fd, SSL *ssl, const void *context)
{
    (void)context;
    char request[4096], block[4096];
    memset(block, '.', sizeof block);
    origin_read(fd, ssl, request, sizeof request);
    origin_write(fd, ssl, OK_HEAD "\r\n");
    while (write(fd, block, sizeof block) > 0)
        ;
}

START_TEST(test_http_is_bounded)
{
    http_expect(serve_header_flood, NULL, (struct config_check){0}, REASON_PROTOCOL);
    http_expect(serve_endless, NULL, (struct config_check){0}, REASON_OK);
    http_expect(serve_endless, NULL, (struct config_check){.body = "x"}, REASON_CONTENT);
}
END_TEST

/* Answers with the request that came, so that the check's body match can look into it. */
static void serve_echo(int fd, SSL *ssl, const void *context)
{
    (void)context;
    char request[4096], answer[6000];
    const char *name = ssl ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    if (origin_read(fd, ssl, request, sizeof request) < 0)
        return;
    snprintf(answer, sizeof answer, OK_HEAD "\r\n%s\nSNI=%s.\n", request, name ? name : "none");
    origin_write(fd, ssl, answer);
}

START_TEST(test_http_request_as_told)
{
    struct config_header headers[] = {{"X-Probe", "hold fast"}, {"X-Empty", ""}};
    struct config_check c = {.headers = headers, .header_count = 2, .host = "api.example.com"};
    c.body = "GET /healthz HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: holdfast/";
    http_expect(serve_echo, NULL, c, REASON_OK);
    c.body = "\r\nX-Probe: hold fast\r\n";
    http_expect(serve_echo, NULL, c, REASON_OK);
    c.body = "\r\nX-Empty:\r\n";
    http_expect(serve_echo, NULL, c, REASON_OK);
    c.body = "\r\nConnection: close\r\n";
    http_expect(serve_echo, NULL, c, REASON_OK);
}
END_TEST

START_TEST(test_http_name_in_url_goes_to_the_address)
{
    for (size_t i = 0; i < array_length(loopback); i++) {
        char url[100], host[100];
        struct origin o =
            origin_start(&(struct origin_how){.address = loopback[i], .handler = serve_echo});
        /* the name exists nowhere: only the endpoint's address can be where it went */
        snprintf(url, sizeof url, "http://web.invalid:%u/a/../b?q=1#part", o.port);
        snprintf(host, sizeof host, "GET /a/../b?q=1 HTTP/1.1\r\nHost: web.invalid:%u\r\n", o.port);
        struct config_check c = {.url = url, .body = host};
        ck_assert_str_eq(reason_name(http_once(&o, c, loopback[i]).reason), "ok");
        snprintf(host, sizeof host, "\r\nHost: %s:%u\r\n", i ? "[::1]" : "127.0.0.1", o.port);
        c = (struct config_check){.body = host};
        ck_assert_str_eq(reason_name(http_once(&o, c, loopback[i]).reason), "ok");
        origin_stop(&o);
    }
}
END_TEST

START_TEST(test_http_takes_nothing_from_the_environment)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
    setenv("HOME", "/nonexistent", 1);
    http_expect(origin_answer, OK_BODY, (struct config_check){0}, REASON_OK);
}
END_TEST

/* L4, L8: no route, no descriptor: no verdict. */
START_TEST(test_http_own_failures_are_no_verdict)
{
    struct config_check c = {.kind = CHECK_HTTP, .name = "far", .url = "http://{address}/"};
    struct target t = {.check = &c};
    struct bench b;
    if (origin_alone()) {
        struct sample s = probe_once(&c, "192.0.2.1");
        ck_assert_str_eq(reason_name(s.reason), "internal");
        s = probe_once(&c, "2001:db8::1");
        ck_assert_str_eq(reason_name(s.reason), "internal");
    }
    c.interval = c.timeout = 100 * USEC_PER_MSEC;
    ck_assert_int_eq(ip_parse("127.0.0.1", &t.address), 0);
    bench_open(&b);
    struct rlimit limit = {64, 64};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        ;
    b.wanted = 3;
    observer_targets(b.observer, &t, 1, NULL, 1);
    bench_run(&b, 5000);
    ck_assert_uint_eq(b.count, 3);
    for (size_t i = 0; i < b.count; i++) {
        ck_assert_str_eq(reason_name(b.samples[i].reason), "internal");
        ck_assert(b.samples[i].late);
    }
    bench_close(&b);
}
END_TEST

/* A list may come, and the old configuration go, while an answer is on its way. */
START_TEST(test_http_outlives_its_configuration)
{
    struct origin o = origin_start(
        &(struct origin_how){.address = "127.0.0.1", .handler = serve_slow, .context = OK_BODY});
    char url[100];
    snprintf(url, sizeof url, "http://{address}:%u/", o.port);
    struct config_check first = {.kind = CHECK_HTTP,
                                 .name = mem_string("slow"),
                                 .url = mem_string(url),
                                 .body = mem_string("is well"),
                                 .interval = 100 * USEC_PER_MSEC,
                                 .timeout = USEC_PER_SEC};
    struct config_check second = first;
    second.name = "slow", second.url = url, second.body = "is well";
    struct target t = {.check = &first};
    struct bench b;
    ck_assert_int_eq(ip_parse("127.0.0.1", &t.address), 0);
    bench_open(&b);
    b.wanted = 1;
    observer_targets(b.observer, &t, 1, NULL, 1);
    bench_run(&b, 200); /* asked within 100 ms, answered 300 ms later */
    t.check = &second;
    observer_targets(b.observer, &t, 1, NULL, 2);
    free((char *)first.name);
    free((char *)first.url);
    free((char *)first.body);
    memset(&first, 0xee, sizeof first);
    bench_run(&b, 3000);
    ck_assert_uint_eq(b.count, 1);
    ck_assert_str_eq(reason_name(b.samples[0].reason), "ok");
    bench_close(&b);
    origin_stop(&o);
}
END_TEST

/* See the test of the same name for tcp. */
START_TEST(test_http_port_does_not_answer_itself)
{
    if (!origin_alone() || !origin_one_port(40000))
        return;
    struct origin none = {.port = 40000};
    struct sample s = http_once(&none, (struct config_check){0}, "127.0.0.1");
    ck_assert_str_eq(reason_name(s.reason), "connect-refused");
}
END_TEST

/* ---- tls and https ---- */

struct fixture {
    char ca[64], other_ca[64];
    struct authority authority, other;
};

static struct fixture fixture_open(void)
{
    struct fixture f = {.ca = "/tmp/holdfast-ca-XXXXXX", .other_ca = "/tmp/holdfast-ca-XXXXXX"};
    close(mkstemp(f.ca));
    close(mkstemp(f.other_ca));
    f.authority = authority_new(f.ca);
    f.other = authority_new(f.other_ca);
    return f;
}

static void fixture_close(struct fixture *f)
{
    unlink(f->ca);
    unlink(f->other_ca);
    authority_free(&f->authority);
    authority_free(&f->other);
}

/* The check against a TLS server with this certificate: as tls and as https, v4 and v6. */
static struct sample tls_expect(const struct authority *a, const char *names, long from_s,
                                long until_s, struct config_check check, enum reason reason)
{
    struct sample s = {0};
    for (size_t i = 0; i < 2 * array_length(loopback); i++) {
        const char *address = loopback[i / 2];
        char url[100];
        SSL_CTX *tls = authority_server(a, names, from_s, until_s);
        struct origin o = origin_start(&(struct origin_how){
            .address = address, .handler = origin_answer, .context = OK_BODY, .tls = tls});
        snprintf(url, sizeof url, "https://{address}:%u/", o.port);
        check.kind = i % 2 ? CHECK_TLS : CHECK_HTTPS;
        check.url = url;
        check.port = o.port;
        s = probe_once(&check, address);
        ck_assert_msg(s.reason == reason, "%s %s: %s, not %s", address, i % 2 ? "tls" : "https",
                      reason_name(s.reason), reason_name(reason));
        ck_assert_uint_gt(s.phase_us[PHASE_TLS], 0);
        ck_assert_int_ge(s.certificate_end, time(NULL) + until_s - 30);
        ck_assert_int_le(s.certificate_end, time(NULL) + until_s + 30);
        origin_stop(&o);
        SSL_CTX_free(tls);
    }
    return s;
}

START_TEST(test_tls_good)
{
    struct fixture f = fixture_open();
    struct config_check c = {.verify = true, .ca = f.ca, .sni = "a.test"};
    tls_expect(&f.authority, "DNS:a.test", -60, 86400, c, REASON_OK);
    c.sni = NULL, c.host = "b.test:8443"; /* the host's name is the certificate's */
    tls_expect(&f.authority, "DNS:a.test,DNS:b.test", -60, 86400, c, REASON_OK);
    c.host = NULL; /* no name: the address */
    tls_expect(&f.authority, "IP:127.0.0.1,IP:::1", -60, 86400, c, REASON_OK);
    fixture_close(&f);
}
END_TEST

START_TEST(test_tls_expired)
{
    struct fixture f = fixture_open();
    struct config_check c = {.verify = true, .ca = f.ca, .sni = "a.test"};
    tls_expect(&f.authority, "DNS:a.test", -864000, -60, c, REASON_TLS_EXPIRED);
    tls_expect(&f.authority, "DNS:a.test", 3600, 86400, c, REASON_TLS_EXPIRED);
    c.verify = false;
    tls_expect(&f.authority, "DNS:a.test", -864000, -60, c, REASON_OK);
    fixture_close(&f);
}
END_TEST

START_TEST(test_tls_wrong_name)
{
    struct fixture f = fixture_open();
    struct config_check c = {.verify = true, .ca = f.ca, .sni = "a.test"};
    tls_expect(&f.authority, "DNS:b.test,IP:127.0.0.1", -60, 86400, c, REASON_TLS_WRONG_NAME);
    c.sni = NULL;
    tls_expect(&f.authority, "DNS:a.test,IP:127.0.0.2", -60, 86400, c, REASON_TLS_WRONG_NAME);
    c.verify = false;
    tls_expect(&f.authority, "DNS:b.test", -60, 86400, c, REASON_OK);
    fixture_close(&f);
}
END_TEST

START_TEST(test_tls_untrusted)
{
    struct fixture f = fixture_open();
    struct config_check c = {.verify = true, .ca = f.ca, .sni = "a.test"};
    tls_expect(&f.other, "DNS:a.test", -60, 86400, c, REASON_TLS_UNTRUSTED);
    tls_expect(NULL, "DNS:a.test", -60, 86400, c, REASON_TLS_UNTRUSTED);
    c.ca = NULL; /* the system's do not know it */
    tls_expect(&f.authority, "DNS:a.test", -60, 86400, c, REASON_TLS_UNTRUSTED);
    c.verify = false;
    tls_expect(NULL, "DNS:a.test", -60, 86400, c, REASON_OK);
    fixture_close(&f);
}
END_TEST

START_TEST(test_https_names_sent)
{
    struct fixture f = fixture_open();
    SSL_CTX *tls =
        authority_server(&f.authority, "DNS:sni.test,DNS:web.invalid,IP:127.0.0.1", -60, 86400);
    struct origin o = origin_start(
        &(struct origin_how){.address = "127.0.0.1", .handler = serve_echo, .tls = tls});
    char by_address[100], by_name[100], host[100];
    snprintf(by_address, sizeof by_address, "https://{address}:%u/", o.port);
    snprintf(by_name, sizeof by_name, "https://web.invalid:%u/", o.port);
    struct config_check c = {.kind = CHECK_HTTPS, .verify = true, .ca = f.ca, .url = by_address};
    c.body = "SNI=none.";
    ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "ok");
    c.sni = "sni.test", c.body = "SNI=sni.test.";
    ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "ok");
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%u\r\n", o.port);
    c.body = host; /* the name of TLS is not the Host */
    ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "ok");
    c.host = "other.test", c.body = "\r\nHost: other.test\r\n";
    ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "ok");
    c.url = by_name, c.sni = c.host = NULL, c.body = "SNI=web.invalid.";
    ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "ok");
    origin_stop(&o);
    SSL_CTX_free(tls);
    fixture_close(&f);
}
END_TEST

static struct sample handshake_once(origin_handler *handler, const char *context,
                                    enum check_kind kind)
{
    char url[100];
    struct origin o = origin_start(
        &(struct origin_how){.address = "127.0.0.1", .handler = handler, .context = context});
    snprintf(url, sizeof url, "https://{address}:%u/", o.port);
    struct config_check c = {
        .kind = kind, .url = url, .port = o.port, .timeout = 700 * USEC_PER_MSEC};
    struct sample s = probe_once(&c, "127.0.0.1");
    origin_stop(&o);
    return s;
}

static void serve_silence(int fd, SSL *ssl, const void *context)
{
    (void)fd, (void)ssl, (void)context;
    usleep(1500000);
}

static void serve_words(int fd, SSL *ssl, const void *context)
{
    origin_write(fd, ssl, context);
    usleep(100000);
}

START_TEST(test_tls_that_is_none)
{
    /* a fatal alert, as a server sends it: handshake_failure */
    static const char alert[] = "\x15\x03\x03\x7f";
    static const enum check_kind kinds[] = {CHECK_TLS, CHECK_HTTPS};
    for (size_t i = 0; i < array_length(kinds); i++) {
        struct sample s = handshake_once(serve_silence, NULL, kinds[i]);
        ck_assert_str_eq(reason_name(s.reason), "tls-timeout");
        ck_assert_uint_gt(s.phase_us[PHASE_TLS], 200000);
        ck_assert_str_eq(reason_name(handshake_once(NULL, NULL, kinds[i]).reason), "tls-alert");
        ck_assert_str_eq(reason_name(handshake_once(serve_words, "220 smtp\r\n", kinds[i]).reason),
                         "tls-alert");
        ck_assert_str_eq(reason_name(handshake_once(serve_words, alert, kinds[i]).reason),
                         "tls-alert");
        struct origin hole = origin_blackhole("127.0.0.1");
        char url[100];
        snprintf(url, sizeof url, "https://{address}:%u/", hole.port);
        struct config_check c = {
            .kind = kinds[i], .url = url, .port = hole.port, .timeout = 400 * USEC_PER_MSEC};
        ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "connect-timeout");
        origin_stop(&hole);
        c.port = origin_free_port("127.0.0.1");
        snprintf(url, sizeof url, "https://{address}:%u/", c.port);
        ck_assert_str_eq(reason_name(probe_once(&c, "127.0.0.1").reason), "connect-refused");
    }
}
END_TEST

/* A file with certificates that cannot be read is the operator's mistake, not the target's end. */
START_TEST(test_no_certificates_is_no_verdict)
{
    static const enum check_kind kinds[] = {CHECK_TLS, CHECK_HTTPS};
    for (size_t i = 0; i < array_length(kinds); i++) {
        struct config_check c = {.kind = kinds[i],
                                 .url = "https://{address}/",
                                 .port = 443,
                                 .verify = true,
                                 .ca = "/nonexistent/ca.pem"};
        struct sample s = probe_once(&c, "127.0.0.1");
        ck_assert_str_eq(reason_name(s.reason), "internal");
        ck_assert(s.late);
    }
}
END_TEST

/* Certificates replaced on disk count from the next list of targets on; a file that is gone by then
 * leaves what was read before (L1). */
START_TEST(test_certificates_are_read_again)
{
    struct fixture f = fixture_open();
    SSL_CTX *tls = authority_server(&f.other, "IP:127.0.0.1", -60, 86400);
    struct origin o = origin_start(&(struct origin_how){
        .address = "127.0.0.1", .handler = origin_answer, .context = OK_BODY, .tls = tls});
    char url[100];
    snprintf(url, sizeof url, "https://{address}:%u/", o.port);
    struct config_check checks[2];
    struct target targets[2] = {0};
    struct bench b;
    for (int i = 0; i < 2; i++) {
        checks[i] = (struct config_check){.name = "ca",
                                          .kind = i ? CHECK_TLS : CHECK_HTTPS,
                                          .url = url,
                                          .port = o.port,
                                          .verify = true,
                                          .ca = f.ca,
                                          .interval = 200 * USEC_PER_MSEC,
                                          .timeout = 2 * USEC_PER_SEC};
        targets[i].check = &checks[i];
        ck_assert_int_eq(ip_parse("127.0.0.1", &targets[i].address), 0);
    }
    static const enum reason wanted[] = {REASON_TLS_UNTRUSTED, REASON_OK, REASON_OK};
    bench_open(&b);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        if (epoch == 1)
            ck_assert_int_eq(rename(f.other_ca, f.ca), 0);
        if (epoch == 2)
            unlink(f.ca);
        b.count = 0;
        observer_targets(b.observer, targets, 2, NULL, epoch);
        bench_run(&b, 700);
        ck_assert_uint_ge(b.count, 2);
        /* the first of each may have begun under the old list */
        for (size_t i = b.count - 2; i < b.count; i++)
            ck_assert_str_eq(reason_name(b.samples[i].reason), reason_name(wanted[epoch]));
    }
    bench_close(&b);
    origin_stop(&o);
    SSL_CTX_free(tls);
    fixture_close(&f);
}
END_TEST

CHECK_MAIN("http_io", test_http_good, test_http_content, test_http_status, test_http_timeouts,
           test_http_refused, test_http_closed_and_garbage, test_http_is_bounded,
           test_http_request_as_told, test_http_name_in_url_goes_to_the_address,
           test_http_takes_nothing_from_the_environment, test_http_port_does_not_answer_itself,
           test_http_own_failures_are_no_verdict, test_http_outlives_its_configuration,
           test_tls_good, test_tls_expired, test_tls_wrong_name, test_tls_untrusted,
           test_https_names_sent, test_tls_that_is_none, test_no_certificates_is_no_verdict,
           test_certificates_are_read_again)
