#include "base/err.h"
#include "test/check_main.h"
#include "wire/relay.h"
#include <string.h>

START_TEST(test_round_trips)
{
    uint8_t frame[RELAY_REQUEST_HEAD + DNS_HEADER_SIZE] = {0};
    struct relay_request q = {.token = 0x123456789abcdef0, .stream = true, .port = 5353}, back;
    ck_assert_int_eq(ip_parse("2001:db8::7", &q.client), 0);
    relay_request_head(&q, frame);
    memcpy(frame + RELAY_REQUEST_HEAD, "message here", DNS_HEADER_SIZE);
    ck_assert_int_eq(relay_request_parse(frame, sizeof frame, &back), 0);
    ck_assert_uint_eq(back.token, q.token);
    ck_assert(back.stream);
    ck_assert_uint_eq(back.port, 5353);
    ck_assert(ip_equal(&back.client, &q.client));
    ck_assert_mem_eq(back.message.data, "message here", back.message.length);

    struct bytes message;
    uint64_t token;
    relay_answer_head(7, frame);
    memcpy(frame + RELAY_ANSWER_HEAD, "message here", DNS_HEADER_SIZE);
    ck_assert_int_eq(
        relay_answer_parse(frame, RELAY_ANSWER_HEAD + DNS_HEADER_SIZE, &token, &message), 0);
    ck_assert_uint_eq(token, 7);
    ck_assert_uint_eq(message.length, DNS_HEADER_SIZE);
}
END_TEST

START_TEST(test_what_is_no_frame)
{
    static uint8_t frame[RELAY_FRAME_MAX + 1];
    struct relay_request q;
    struct bytes message;
    uint64_t token;
    for (size_t n = 0; n < RELAY_REQUEST_HEAD + DNS_HEADER_SIZE; n++)
        ck_assert_int_eq(relay_request_parse(frame, n, &q), ERR_TRUNCATED);
    ck_assert_int_eq(relay_request_parse(frame, RELAY_FRAME_MAX, &q), 0);
    ck_assert_int_eq(relay_request_parse(frame, RELAY_FRAME_MAX + 1, &q), ERR_LIMIT);
    frame[8] = 2;
    ck_assert_int_eq(relay_request_parse(frame, RELAY_FRAME_MAX, &q), ERR_INVALID);
    frame[8] = 0;
    frame[9] = 2;
    ck_assert_int_eq(relay_request_parse(frame, RELAY_FRAME_MAX, &q), ERR_INVALID);
    ck_assert_int_eq(
        relay_answer_parse(frame, RELAY_ANSWER_HEAD + DNS_HEADER_SIZE - 1, &token, &message),
        ERR_TRUNCATED);
}
END_TEST

CHECK_MAIN("relay", test_round_trips, test_what_is_no_frame)
