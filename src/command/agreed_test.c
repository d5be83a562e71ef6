#include "command/agreed.h"

#include "base/err.h"
#include "command/command.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

static const char drained[] = "{\"op\":\"change\",\"edits\":[{\"kind\":\"endpoint\",\"name\":"
                              "\"www/a\",\"value\":{\"state\":\"drained\"}}],\"author\":\"ana\","
                              "\"token\":\"first\"}";
static const char lacking[] = "{\"op\":\"undo\",\"change\":7,\"author\":\"ana\","
                              "\"token\":\"second\"}";

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static int apply(struct intent *held, const char *request, int64_t wall_ms, struct text *sentence)
{
    *sentence = text_init(COMMAND_SENTENCE_MAX);
    return agreed_apply(held, bytes_of(request), wall_ms, sentence);
}

/* A leader died with its answer: the request comes a second time, after another one. */
START_TEST(test_token_once)
{
    struct intent held = {0};
    struct text first, again, other;
    ck_assert_int_eq(apply(&held, drained, 1000, &first), 0);
    ck_assert_uint_eq(held.version, 1);
    struct intent_object *one = intent_list(&held, INTENT_ENDPOINT, &(uint32_t){0})[0];
    ck_assert_int_eq(one->state, ADMIN_DRAINED);
    ck_assert_int_eq(apply(&held,
                           "{\"op\":\"change\",\"edits\":[{\"kind\":\"endpoint\",\"name\":"
                           "\"www/a\"}],\"author\":\"ben\",\"token\":\"x\"}",
                           2000, &other),
                     0);
    ck_assert_uint_eq(held.version, 2);
    ck_assert_int_eq(apply(&held, drained, 3000, &again), 0);
    ck_assert_uint_eq(held.version, 2);
    ck_assert_str_eq(text_string(&again), text_string(&first));
    text_done(&first);
    text_done(&again);
    text_done(&other);
    intent_done(&held);
}
END_TEST

/* What was refused stays refused for its token, even once it would be taken, and through a
 * snapshot. */
START_TEST(test_refused_stays)
{
    struct intent held = {0}, other = {0};
    struct text first, again, made;
    size_t size;
    const char *why;
    int refused = apply(&held, lacking, 1000, &first);
    ck_assert_int_lt(refused, 0);
    ck_assert_uint_eq(held.version, 0);
    for (unsigned i = 0; i < 7; i++) {
        char request[sizeof drained];
        memcpy(request, drained, sizeof drained);
        *strstr(request, "first") = (char)('0' + i);
        *strstr(request, "www/a") = (char)('a' + i);
        ck_assert_int_eq(apply(&held, request, 2000, &made), 0);
        text_done(&made);
    }
    ck_assert_uint_eq(held.version, 7);
    char *text = agreed_encode(&held, &size);
    ck_assert_int_eq(agreed_decode(&other, (struct bytes){(uint8_t *)text, size}, &why), 0);
    free(text);
    ck_assert_uint_eq(other.version, 7);
    ck_assert_int_eq(apply(&other, lacking, 3000, &again), refused);
    ck_assert_str_eq(text_string(&again), text_string(&first));
    ck_assert_uint_eq(other.version, 7);
    text_done(&first);
    text_done(&again);
    intent_done(&held);
    intent_done(&other);
}
END_TEST

/* Two nodes, one of which begins with the other's snapshot, come to the same bytes. */
START_TEST(test_same_bytes)
{
    struct intent a = {0}, b = {0};
    struct text sentence;
    size_t size, size_b;
    const char *why;
    ck_assert_int_eq(apply(&a, drained, 1000, &sentence), 0);
    text_done(&sentence);
    char *snapshot = agreed_encode(&a, &size);
    ck_assert_int_eq(agreed_decode(&b, (struct bytes){(uint8_t *)snapshot, size}, &why), 0);
    free(snapshot);
    ck_assert_int_lt(apply(&a, lacking, 2000, &sentence), 0);
    text_done(&sentence);
    ck_assert_int_lt(apply(&b, lacking, 2000, &sentence), 0);
    text_done(&sentence);
    char *of_a = agreed_encode(&a, &size), *of_b = agreed_encode(&b, &size_b);
    ck_assert_uint_eq(size, size_b);
    ck_assert_mem_eq(of_a, of_b, size);
    free(of_a);
    free(of_b);
    intent_done(&a);
    intent_done(&b);
}
END_TEST

START_TEST(test_damaged_snapshot)
{
    struct intent held = {0};
    struct text sentence;
    size_t size;
    const char *why = "";
    ck_assert_int_eq(apply(&held, drained, 1000, &sentence), 0);
    text_done(&sentence);
    char *text = agreed_encode(&held, &size);
    for (size_t cut = 1; cut < size; cut += 7) {
        ck_assert_int_lt(agreed_decode(&held, (struct bytes){(uint8_t *)text, size - cut}, &why),
                         0);
        ck_assert(*why);
        ck_assert_uint_eq(held.version, 1);
    }
    free(text);
    intent_done(&held);
}
END_TEST

CHECK_MAIN("agreed", test_token_once, test_refused_stays, test_same_bytes, test_damaged_snapshot)
