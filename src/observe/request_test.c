#include "observe/request.h"

#include "base/err.h"
#include "base/memory.h"
#include "test/check_main.h"
#include <string.h>

static void url_is(const char *url, const char *address, const char *wanted)
{
    struct ip ip;
    struct text t = text_init(REQUEST_URL_MAX);
    ck_assert_int_eq(ip_parse(address, &ip), 0);
    ck_assert_int_eq(request_url(url, &ip, &t), 0);
    ck_assert_str_eq(text_string(&t), wanted);
    text_done(&t);
}

START_TEST(test_address_in_url)
{
    url_is("https://{address}/healthz", "192.0.2.1", "https://192.0.2.1/healthz");
    url_is("https://{address}:8443/", "2001:db8::1", "https://[2001:db8::1]:8443/");
    url_is("http://a.test/", "192.0.2.1", "http://a.test/");
    url_is("http://{address}/?me={address}", "192.0.2.1", "http://192.0.2.1/?me=192.0.2.1");
    url_is("{address}", "192.0.2.1", "192.0.2.1");
    url_is("http://{addres}/{", "192.0.2.1", "http://{addres}/{");
}
END_TEST

START_TEST(test_url_has_a_limit)
{
    struct ip ip;
    char *url = mem_new(REQUEST_URL_MAX + 2, 1);
    struct text t = text_init(REQUEST_URL_MAX);
    ck_assert_int_eq(ip_parse("192.0.2.1", &ip), 0);
    memset(url, 'a', REQUEST_URL_MAX + 1);
    ck_assert_int_eq(request_url(url, &ip, &t), ERR_LIMIT);
    text_done(&t);
    free(url);
}
END_TEST

static void host_is(const char *authority, const char *wanted)
{
    const char *start;
    size_t length = request_host(authority, &start);
    ck_assert_uint_eq(length, strlen(wanted));
    ck_assert(memcmp(start, wanted, length) == 0);
}

START_TEST(test_host_of_an_authority)
{
    host_is("a.test", "a.test");
    host_is("a.test:8443", "a.test");
    host_is("[2001:db8::1]:8443", "2001:db8::1");
    host_is("[2001:db8::1]", "2001:db8::1");
    host_is("[2001:db8::1", "2001:db8::1");
    host_is("", "");
}
END_TEST

START_TEST(test_status_ranges)
{
    struct config_range ranges[] = {{200, 299}, {404, 404}};
    struct config_check c = {.status = ranges, .status_count = 2};
    ck_assert(request_status_accepted(&c, 200) && request_status_accepted(&c, 299));
    ck_assert(request_status_accepted(&c, 404));
    ck_assert(!request_status_accepted(&c, 300) && !request_status_accepted(&c, 403));
    ck_assert(!request_status_accepted(&c, 0));
    c.status_count = 0;
    ck_assert(request_status_accepted(&c, 302) && !request_status_accepted(&c, 400));
}
END_TEST

/* Feeds `data` in pieces of `piece` bytes; true when the text was found. */
static bool found(const char *data, size_t length, size_t piece, const char *wanted)
{
    struct body *b = mem_new(1, sizeof *b);
    b->wanted = wanted;
    b->wanted_length = strlen(wanted);
    for (size_t at = 0; at < length; at += piece)
        if (!body_take(b, data + at, piece < length - at ? piece : length - at))
            break;
    bool result = b->found;
    ck_assert_uint_le(b->length, REQUEST_BODY_MAX);
    free(b);
    return result;
}

START_TEST(test_text_in_body_however_it_is_cut)
{
    const char body[] = "aaaaab service is healthy b";
    for (size_t piece = 1; piece < sizeof body; piece++) {
        ck_assert(found(body, sizeof body - 1, piece, "aab service is"));
        ck_assert(found(body, sizeof body - 1, piece, "a"));
        ck_assert(found(body, sizeof body - 1, piece, body));
        ck_assert(!found(body, sizeof body - 1, piece, "unhealthy"));
        ck_assert(!found(body, sizeof body - 1, piece, "aaaaab service is healthy b!"));
    }
}
END_TEST

START_TEST(test_body_is_read_so_far_and_no_further)
{
    char *body = mem_new(REQUEST_BODY_MAX + 10, 1);
    memset(body, '.', REQUEST_BODY_MAX + 10);
    memcpy(body + REQUEST_BODY_MAX - 4, "good", 4);
    ck_assert(found(body, REQUEST_BODY_MAX + 10, 1000, "good"));
    memset(body, '.', REQUEST_BODY_MAX + 10);
    memcpy(body + REQUEST_BODY_MAX - 3, "good", 4);
    ck_assert(!found(body, REQUEST_BODY_MAX + 10, 1000, "good"));
    struct body *b = mem_new(1, sizeof *b);
    ck_assert(body_take(b, body, REQUEST_BODY_MAX - 1));
    ck_assert(!body_take(b, body, 100));
    ck_assert_uint_eq(b->length, REQUEST_BODY_MAX);
    free(b);
    free(body);
}
END_TEST

CHECK_MAIN("request", test_address_in_url, test_url_has_a_limit, test_host_of_an_authority,
           test_status_ranges, test_text_in_body_however_it_is_cut,
           test_body_is_read_so_far_and_no_further)
