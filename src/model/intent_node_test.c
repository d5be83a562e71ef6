#include "model/intent_node.h"

#include "base/err.h"
#include "test/check_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct intent intent;
static struct text why;

static void begin(void)
{
    intent = (struct intent){0};
    why = text_init(4096);
}

static void end(void)
{
    intent_done(&intent);
    text_done(&why);
}

static const char *key(char fill)
{
    static char text[4][NODE_KEY_TEXT];
    static unsigned next;
    char *t = text[next++ % 4];
    memset(t, fill, NODE_KEY_TEXT - 1);
    return t;
}

static const char *node(unsigned id, char fill, const char *role)
{
    static char text[4][600];
    static unsigned next;
    char *t = text[next++ % 4];
    snprintf(t, sizeof text[0],
             "{\"id\":%u,\"address\":\"192.0.2.%u:7443\",\"key\":\"%s\",\"role\":\"%s\","
             "\"site\":\"s\",\"network\":\"AS64500\"}",
             id, id, key(fill), role);
    return t;
}

static int change(const struct intent_edit *edits, unsigned count, int64_t wall_ms)
{
    struct intent_request r = {
        .author = "test", .wall_ms = wall_ms, .edits = edits, .edit_count = count};
    struct intent next;
    text_reset(&why);
    int err = intent_apply(&intent, &r, &next, &why);
    if (!err) {
        intent_done(&intent);
        intent = next;
    }
    return err;
}

static int put(const char *name, const char *value)
{
    struct intent_edit e = {INTENT_NODE, name, value};
    return change(&e, 1, 1000);
}

#define says(sentence) \
    ck_assert_msg(strstr(text_string(&why), sentence) != NULL, "%s", text_string(&why))

START_TEST(test_nodes)
{
    begin();
    ck_assert_int_eq(put("a", node(1, 'a', "voter")), 0);
    const struct node *n = intent_find(&intent, INTENT_NODE, "a")->node;
    ck_assert_uint_eq(n->id, 1);
    ck_assert_uint_eq(n->port, 7443);
    ck_assert_uint_eq(n->key[31], 0xaa);
    ck_assert_int_eq(put("b", node(2, 'b', "learner")), 0);
    ck_assert_uint_eq(intent_node_highest(&intent), 2);
    ck_assert_int_eq(put("b", node(3, 'c', "voter")), ERR_CONFLICT);
    says("the name b is taken by node 2");
    ck_assert_int_eq(put("c", node(2, 'c', "voter")), ERR_CONFLICT);
    says("was given before");
    ck_assert_int_eq(put("c", node(1, 'c', "voter")), ERR_CONFLICT);
    ck_assert_int_eq(put("c", node(3, 'b', "voter")), ERR_CONFLICT);
    says("belongs to the node");
    ck_assert_int_eq(put("b", node(2, 'b', "voter")), 0);
    ck_assert_int_eq(put("a", node(1, 'a', "learner")), 0);
    ck_assert_int_eq(put("b", node(2, 'b', "learner")), ERR_CONFLICT);
    says("the last voter cannot go");
    end();
}
END_TEST

START_TEST(test_expelled)
{
    begin();
    ck_assert_int_eq(put("a", node(1, 'a', "voter")), 0);
    ck_assert_int_eq(put("b", node(2, 'b', "voter")), 0);
    ck_assert_int_eq(put("b", NULL), ERR_CONFLICT);
    says("only expelled");
    ck_assert_int_eq(put("b", node(2, 'b', "expelled")), 0);
    ck_assert_int_eq(put("b", node(2, 'b', "voter")), ERR_CONFLICT);
    says("was expelled");
    ck_assert_int_eq(put("c", node(2, 'c', "voter")), ERR_CONFLICT);
    ck_assert_int_eq(put("b", node(3, 'b', "voter")), 0); /* the same host, invited again */
    ck_assert_int_eq(put("a", node(1, 'a', "expelled")), 0);
    ck_assert_int_eq(put("d", node(1, 'd', "voter")), ERR_CONFLICT);
    ck_assert_int_eq(put("a", node(4, 'a', "voter")), 0);
    char *file = intent_encode(&intent);
    const char *wrong = NULL;
    struct intent again;
    ck_assert_msg(intent_decode(file, strlen(file), &again, &wrong) == 0, "%s", wrong);
    ck_assert_uint_eq(intent_node_highest(&again), 4);
    intent_done(&again);
    free(file);
    end();
}
END_TEST

START_TEST(test_invite)
{
    begin();
    char value[300];
    snprintf(value, sizeof value, "{\"key\":\"%s\",\"expires_ms\":5000,\"role\":\"voter\"}",
             key('1'));
    struct intent_edit make = {INTENT_INVITE, "abc", value};
    ck_assert_int_eq(put("a", node(1, 'a', "voter")), 0);
    ck_assert_int_eq(change(&make, 1, 1000), 0);
    struct intent_edit join[] = {{INTENT_INVITE, "abc", NULL},
                                 {INTENT_NODE, "b", node(2, 'b', "voter")}};
    ck_assert_int_eq(change(join, 2, 5000), ERR_CONFLICT);
    says("expired");
    ck_assert_int_eq(change(join, 1, 5000), 0); /* to throw it away is always allowed */
    ck_assert_int_eq(change(&make, 1, 5001), 0);
    end();
}
END_TEST

/* No token works twice. */
START_TEST(test_invite_twice)
{
    begin();
    char value[300];
    snprintf(value, sizeof value, "{\"key\":\"%s\",\"expires_ms\":5000,\"role\":\"voter\"}",
             key('1'));
    struct intent_edit make = {INTENT_INVITE, "abc", value};
    ck_assert_int_eq(put("a", node(1, 'a', "voter")), 0);
    ck_assert_int_eq(change(&make, 1, 1000), 0);
    struct intent_edit first[] = {{INTENT_INVITE, "abc", NULL},
                                  {INTENT_NODE, "b", node(2, 'b', "voter")}};
    struct intent_edit second[] = {{INTENT_INVITE, "abc", NULL},
                                   {INTENT_NODE, "c", node(3, 'c', "voter")}};
    ck_assert_int_eq(change(first, 2, 2000), 0);
    ck_assert_int_eq(change(second, 2, 2000), ERR_MISSING);
    end();
}
END_TEST

START_TEST(test_most)
{
    begin();
    char name[16], value[600], text[NODE_KEY_TEXT];
    for (unsigned i = 1; i <= NODES_MAX + 2; i++) {
        uint8_t bytes[NODE_KEY_SIZE] = {(uint8_t)i};
        snprintf(name, sizeof name, "n%u", i);
        snprintf(value, sizeof value,
                 "{\"id\":%u,\"address\":\"192.0.2.1:7443\",\"key\":\"%s\",\"role\":\"voter\","
                 "\"site\":\"s\",\"network\":\"AS64500\"}",
                 i, node_key_format(bytes, text));
        ck_assert_int_eq(put(name, value), i <= NODES_MAX ? 0 : ERR_LIMIT);
    }
    end();
}
END_TEST

START_TEST(test_values)
{
    static const char *const bad[] = {
        "{}",
        "{\"id\":0}",
        "{\"id\":1,\"address\":\"192.0.2.1\"}",
        "{\"id\":1,\"address\":\"192.0.2.1:1\",\"key\":\"ab\"}",
        "{\"id\":1,\"address\":\"192.0.2.1:1\",\"key\":\"ab\",\"more\":1}",
    };
    begin();
    for (unsigned i = 0; i < array_length(bad); i++)
        ck_assert_int_eq(put("a", bad[i]), ERR_INVALID);
    ck_assert_int_eq(put("a/b", node(1, 'a', "voter")), ERR_INVALID);
    ck_assert_int_eq(put("a", node(1, 'A', "voter")), ERR_INVALID);
    ck_assert_int_eq(put("a", node(1, 'a', "king")), ERR_INVALID);
    char text[NODE_KEY_TEXT];
    uint8_t bytes[NODE_KEY_SIZE];
    ck_assert_int_eq(node_key_parse(key('7'), bytes), 0);
    ck_assert_str_eq(node_key_format(bytes, text), key('7'));
    end();
}
END_TEST

CHECK_MAIN("intent_node", test_nodes, test_expelled, test_invite, test_invite_twice, test_most,
           test_values)
