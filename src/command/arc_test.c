#include "command/arc_rig.h"
#include "test/check_main.h"
#include <jansson.h>

static struct arc_rig rig;

static void call(const char *key, const char *method, const char *path, const char *target,
                 const char *body)
{
    ck_assert(rig_run(&rig, key, method, path, target,
                      (struct bytes){(const uint8_t *)body, strlen(body)}));
    rig_finish(&rig);
    json_t *json = json_loads(rig.result.body, 0, NULL);
    ck_assert_msg(json_is_object(json), "%s", rig.result.body);
    ck_assert_ptr_nonnull(
        strstr(rig.result.extra, "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"));
    json_decref(json);
}

static void data(const char *operation, const char *body)
{
    char target[128];
    snprintf(target, sizeof target, "ToggleCustomerAPI.%s", operation);
    rig.now += USEC_PER_SEC;
    call(RIG_KEY, "POST", "/", target, body);
}

static void says(unsigned status, const char *part)
{
    ck_assert_msg(rig.result.status == status && strstr(rig.result.body, part), "%u %s",
                  rig.result.status, rig.result.body);
}

/* The ARN of an object as the first "...Arn" of a list of one page. */
static void arn_of(const char *name, char arn[static 256])
{
    char wanted[300];
    data("ListRoutingControls", "{}");
    snprintf(wanted, sizeof wanted, "\"RoutingControlName\":\"%s\"", name);
    json_t *json = json_loads(rig.result.body, 0, NULL), *one;
    size_t i;
    arn[0] = 0;
    json_array_foreach(json_object_get(json, "RoutingControls"), i, one)
    {
        if (!strcmp(json_string_value(json_object_get(one, "RoutingControlName")), name))
            snprintf(arn, 256, "%s", json_string_value(json_object_get(one, "RoutingControlArn")));
    }
    json_decref(json);
    ck_assert(*arn);
}

START_TEST(test_switching)
{
    char us[256], eu[256], body[1024];
    rig_open(&rig);
    arn_of("us", us);
    arn_of("eu", eu);
    ck_assert(!strncmp(us, "arn:aws:route53-recovery-control::000000000000:controlpanel/", 60));
    snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\",\"RoutingControlState\":\"Off\"}",
             us);
    data("UpdateRoutingControlState", body);
    says(200, "{}");
    ck_assert(!intent_find(&rig.intent, INTENT_CONTROL, "web/us")->on);
    ck_assert_str_eq(rig.intent.history[rig.intent.history_count - 1]->author, "user root");
    snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\",\"RoutingControlState\":\"Off\"}",
             eu);
    data("UpdateRoutingControlState", body);
    says(400, "com.amazonaws.route53recoverycluster#ConflictException");
    says(400, "the assertion rule web/one would be broken");
    ck_assert(intent_find(&rig.intent, INTENT_CONTROL, "web/eu")->on);
    snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\"}", us);
    call("HFAK0000000000000002", "POST", "/", "ToggleCustomerAPI.GetRoutingControlState", body);
    says(200, "\"RoutingControlState\":\"Off\"");
    snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\"}", eu);
    call("HFAK0000000000000002", "POST", "/", "ToggleCustomerAPI.GetRoutingControlState", body);
    says(400, "AccessDeniedException");
    call("HFAK0000000000000002", "GET", "/cluster", NULL, "");
    says(401 + 2, "is not authorized to perform: route53-recovery-control-config:ListClusters");
    rig_close(&rig);
}
END_TEST

/* Three updates a second, with a second's worth in hand. */
START_TEST(test_meter)
{
    char us[256], body[1024];
    unsigned taken = 0;
    rig_open(&rig);
    arn_of("us", us);
    for (int i = 0; i < 40; i++) {
        snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\",\"RoutingControlState\":\"%s\"}",
                 us, i % 2 ? "On" : "Off");
        call(RIG_KEY, "POST", "/", "ToggleCustomerAPI.UpdateRoutingControlState", body);
        taken += rig.result.status == 200;
        if (rig.result.status != 200)
            says(400, "#ThrottlingException");
        rig.now += USEC_PER_SEC / 10;
    }
    ck_assert_uint_ge(taken, 3 + 3 * 39 / 10 - 1);
    ck_assert_uint_le(taken, 3 + 3 * 39 / 10 + 1);
    rig_close(&rig);
}
END_TEST

/* Whatever the members are, there is an answer. */
START_TEST(test_members)
{
    static const struct {
        const char *operation, *body, *says;
    } list[] = {
        {"Nothing", "{}", "com.amazon.coral.service#UnknownOperationException"},
        {"GetRoutingControlState", "", "RoutingControlArn is missing."},
        {"GetRoutingControlState", "[]", "SerializationException"},
        {"GetRoutingControlState", "{\"RoutingControlArn\":1}", "RoutingControlArn wants a text."},
        {"GetRoutingControlState", "{\"RoutingControlArn\":\"\"}", "1 to 255 characters"},
        {"GetRoutingControlState", "{\"RoutingControlArn\":\"a b\"}", "without blanks"},
        {"GetRoutingControlState", "{\"RoutingControlArn\":\"a\"}", "ResourceNotFoundException"},
        {"ListRoutingControls", "{\"MaxResults\":0}", "MaxResults wants a number"},
        {"ListRoutingControls", "{\"MaxResults\":\"x\"}", "MaxResults wants a number"},
        {"ListRoutingControls", "{\"NextToken\":\"00\"}", "NextToken is none that was given."},
        {"ListRoutingControls", "{\"ControlPanelArn\":{}}", "ControlPanelArn wants a text."},
        {"UpdateRoutingControlStates", "{\"UpdateRoutingControlStateEntries\":{}}",
         "wants a list of at least one entry"},
        {"UpdateRoutingControlStates", "{\"UpdateRoutingControlStateEntries\":[1]}",
         "RoutingControlArn is missing."},
        {"UpdateRoutingControlState",
         "{\"RoutingControlArn\":\"a\",\"RoutingControlState\":\"On\",\"SafetyRulesToOverride\":1}",
         "ResourceNotFoundException"},
    };
    rig_open(&rig);
    for (size_t i = 0; i < array_length(list); i++) {
        data(list[i].operation, list[i].body);
        says(400, list[i].says);
    }
    rig_close(&rig);
}
END_TEST

/* A name that was free, twice at once: one of them gets it. A token makes a retry harmless. */
START_TEST(test_creating)
{
    static const char one[] =
        "{\"ClusterArn\":\"arn:aws:route53-recovery-control::000000000000:cluster/"
        "00000000-0000-0000-0000-000000000001\",\"ControlPanelName\":\"shop\",\"ClientToken\":"
        "\"t\"}";
    rig_open(&rig);
    call(RIG_KEY, "POST", "/controlpanel", NULL, one);
    says(200, "\"Name\":\"shop\"");
    char *first = strdup(rig.result.body);
    call(RIG_KEY, "POST", "/controlpanel", NULL, one);
    says(200, first);
    free(first);
    call(RIG_KEY, "POST", "/controlpanel", NULL,
         "{\"ClusterArn\":\"arn:aws:route53-recovery-control::000000000000:cluster/"
         "00000000-0000-0000-0000-000000000001\",\"ControlPanelName\":\"shop\"}");
    says(409, "there is a panel shop already");
    call(RIG_KEY, "PUT", "/nothing", NULL, "{}");
    ck_assert_ptr_nonnull(strstr(rig.result.extra, "x-amzn-ErrorType: UnknownOperationException"));
    rig_close(&rig);
}
END_TEST

CHECK_MAIN("arc", test_switching, test_meter, test_members, test_creating)
