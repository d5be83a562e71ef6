#include "test/check_main.h"
#include "wire/http1.h"
#include <stdio.h>
#include <string.h>

static struct http1_request request;
static size_t used;

static int parse(const char *text)
{
    struct http1_parser p = {0};
    memset(&request, 0, sizeof request);
    return http1_parse(&p, text, strlen(text), &request, &used);
}

static bool is(struct bytes b, const char *text)
{
    return b.length == strlen(text) && memcmp(b.data, text, b.length) == 0;
}

#define H "Host: a\r\n"

START_TEST(test_plain_request)
{
    const char *text = "GET /metrics?x=1 HTTP/1.1\r\nHost: [::1]:8080\r\nAccept:  */* \r\n\r\nGET";
    ck_assert_int_eq(parse(text), HTTP1_DONE);
    ck_assert_uint_eq(used, strlen(text) - 3);
    ck_assert_int_eq(request.method, HTTP1_GET);
    ck_assert(is(request.target, "/metrics?x=1"));
    ck_assert(is(request.path, "/metrics"));
    ck_assert(is(request.query, "x=1"));
    ck_assert(is(request.host, "[::1]:8080"));
    ck_assert_uint_eq(request.header_count, 2);
    ck_assert(is(request.headers[1].name, "Accept") && is(request.headers[1].value, "*/*"));
    ck_assert(request.keep_alive && !request.chunked && !request.expect_continue);
    ck_assert_uint_eq(request.content_length, 0);
    ck_assert_int_eq(request.minor, 1);
}
END_TEST

START_TEST(test_targets)
{
    ck_assert_int_eq(parse("GET http://h:80/a/b?c HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert(is(request.path, "/a/b") && is(request.query, "c"));
    ck_assert_int_eq(parse("GET HTTP://h HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert(is(request.path, "/"));
    ck_assert_int_eq(parse("GET https://h?q HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert(is(request.path, "/") && is(request.query, "q"));
    ck_assert_int_eq(parse("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert(is(request.path, "*"));
    ck_assert_int_eq(parse("CONNECT h:443 HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert_int_eq(request.method, HTTP1_CONNECT);
    ck_assert_int_eq(parse("BREW /pot HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert_int_eq(request.method, HTTP1_OTHER);
    ck_assert_int_eq(parse("get / HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert_int_eq(request.method, HTTP1_OTHER); /* methods are case-sensitive */
}
END_TEST

START_TEST(test_bad_request_lines)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / \r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
        {" GET / HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" H "\r\n", 400},
        {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
        {"GET / http/1.1\r\n" H "\r\n", 400},
        {"GET / HTTP/1\r\n" H "\r\n", 400},
        {"GET / HTTP/2.0\r\n" H "\r\n", 505},
        {"GET / HTTP/0.9\r\n" H "\r\n", 505},
        {"G@T / HTTP/1.1\r\n" H "\r\n", 400},
        {"GET * HTTP/1.1\r\n" H "\r\n", 400},
        {"GET x HTTP/1.1\r\n" H "\r\n", 400},
        {"GET http:///a HTTP/1.1\r\n" H "\r\n", 400},
        {"GET ftp://h/ HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /#f HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /\x80 HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /\t HTTP/1.1\r\n" H "\r\n", 400},
        {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400},
        {"GET / HTTP/1.1\n" H "\r\n", 400},
        {"GET / HTTP/1.1\r \n" H "\r\n", 400},
        {"\x16\x03\x01\x02", 400}, /* a TLS hello */
    };
    for (size_t i = 0; i < array_length(cases); i++)
        ck_assert_msg(parse(cases[i].text) == cases[i].status, "case %zu: %d", i,
                      parse(cases[i].text));
    ck_assert_int_eq(parse("\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0);
    ck_assert_int_eq(parse("GET / HTTP/1.7\r\n" H "\r\n"), 0);
    ck_assert_int_eq(request.minor, 1);
}
END_TEST

/* Shapes by which one reader is made to see another request than the next. */
START_TEST(test_smuggling_is_refused)
{
    static const char *const headers[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\ncontent-length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 1234567890123456789\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        " Content-Length: 5\r\n",
        "X: a\r\n Content-Length: 5\r\n",
        "X: a\r\n\tb\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X: a\nContent-Length: 5\r\n",
        "X: a\r\r\n",
        "X: a\x01\r\n",
        "X: a\x7f\r\n",
        "X\r\n",
        ": x\r\n",
        "X y: z\r\n",
        "Host: b\r\n",
        "(x): z\r\n",
    };
    char text[512];
    for (size_t i = 0; i < array_length(headers); i++) {
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" H "%s\r\n", headers[i]);
        ck_assert_msg(parse(text) == 400, "%s gives %d", headers[i], parse(text));
    }
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
                     501);
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"), 501);
    ck_assert_int_eq(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    char nul[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a?b\r\n\r\n";
    *strchr(nul, '?') = '\0';
    struct http1_parser p = {0};
    ck_assert_int_eq(http1_parse(&p, nul, sizeof nul - 1, &request, &used), 400);
}
END_TEST

START_TEST(test_host)
{
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\n\r\n"), 400);
    ck_assert_int_eq(parse("GET / HTTP/1.0\r\n\r\n"), 0);
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400);
}
END_TEST

START_TEST(test_bodies_and_expectations)
{
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Content-Length: 007\r\n\r\n"), 0);
    ck_assert_uint_eq(request.content_length, 7);
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"), 0);
    ck_assert(request.chunked);
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n\r\n"), 0);
    ck_assert(request.expect_continue);
    ck_assert_int_eq(parse("POST / HTTP/1.1\r\n" H "Expect: gold\r\n\r\n"), 417);
    ck_assert_int_eq(parse("POST / HTTP/1.0\r\nExpect: gold\r\n\r\n"), 0);
}
END_TEST

START_TEST(test_keep_alive)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x, Close ,y\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: clos\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: ,, x;a=b,close;c ,\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\nConnection: keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", false},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        ck_assert_int_eq(parse(cases[i].text), 0);
        ck_assert_msg(request.keep_alive == cases[i].keep_alive, "case %zu", i);
    }
}
END_TEST

START_TEST(test_any_split_gives_the_same)
{
    const char *text = "\r\nGET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\nrest";
    size_t length = strlen(text);
    for (size_t cut = 0; cut < length - 4; cut++) {
        struct http1_parser p = {0};
        ck_assert_int_eq(http1_parse(&p, text, cut, &request, &used), HTTP1_MORE);
        ck_assert_int_eq(http1_parse(&p, text, length, &request, &used), HTTP1_DONE);
        ck_assert_uint_eq(used, length - 4);
        ck_assert(is(request.path, "/a") && request.header_count == 2);
    }
}
END_TEST

START_TEST(test_limits)
{
    static char text[HTTP1_HEAD_MAX * 2];
    int n = snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\n" H "\r\n", HTTP1_TARGET_MAX - 1, 0);
    ck_assert_int_eq(parse(text), 0);
    n = snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\n" H "\r\n", HTTP1_TARGET_MAX, 0);
    ck_assert_int_eq(parse(text), 414);
    snprintf(text, sizeof text, "GET /%0*d", HTTP1_HEAD_MAX, 0);
    ck_assert_int_eq(parse(text), 414);
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H);
    for (int i = 1; i < HTTP1_HEADERS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X: y\r\n");
    snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    ck_assert_int_eq(parse(text), 0);
    snprintf(text + n, sizeof text - (size_t)n, "X: y\r\n\r\n");
    ck_assert_int_eq(parse(text), 431);
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", HTTP1_HEAD_MAX, 0);
    ck_assert_int_eq(parse(text), 431);
}
END_TEST

START_TEST(test_response_head)
{
    struct text t = text_init(4096);
    struct http1_response r = {.status = 200,
                               .content_type = "text/plain",
                               .content_length = 12,
                               .keep_alive = true,
                               .minor = 1,
                               .date = 784111777};
    http1_response_write(&t, &r);
    ck_assert_str_eq(text_string(&t), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                      "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\n");
    text_reset(&t);
    r = (struct http1_response){
        .status = 405, .keep_alive = false, .minor = 1, .date = 0, .extra = "Allow: GET, HEAD\r\n"};
    http1_response_write(&t, &r);
    ck_assert_str_eq(text_string(&t),
                     "HTTP/1.1 405 Method Not Allowed\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                     "Content-Length: 0\r\nConnection: close\r\nAllow: GET, HEAD\r\n\r\n");
    text_reset(&t);
    http1_response_write(&t, &(struct http1_response){.status = 204, .keep_alive = true});
    ck_assert_ptr_nonnull(strstr(text_string(&t), "Connection: keep-alive\r\n"));
    ck_assert_ptr_null(strstr(text_string(&t), "Content-Length"));
    text_done(&t);
}
END_TEST

START_TEST(test_dates)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char date[HTTP1_DATE_MAX];
    for (size_t i = 0; i < array_length(cases); i++)
        ck_assert_str_eq(http1_date_format(cases[i].seconds, date), cases[i].text);
}
END_TEST

CHECK_MAIN("http1", test_plain_request, test_targets, test_bad_request_lines,
           test_smuggling_is_refused, test_host, test_bodies_and_expectations, test_keep_alive,
           test_any_split_gives_the_same, test_limits, test_response_head, test_dates)
