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

#define CLUSTER \
    "arn:aws:route53-recovery-control::000000000000:cluster/00000000-0000-0000-0000-000000000001"

static void control_new(int number)
{
    char body[512];
    snprintf(body, sizeof body, "{\"ClusterArn\":\"" CLUSTER "\",\"RoutingControlName\":\"c%d\"}",
             number);
    call(RIG_KEY, "POST", "/routingcontrol", NULL, body);
}

/* Configuring has a measure of its own: it throttles itself, and never the switching. */
START_TEST(test_config_meter)
{
    char us[256], body[1024];
    unsigned taken = 0;
    rig_open(&rig);
    arn_of("us", us);
    for (int i = 0; i < 60; i++) {
        control_new(i);
        taken += rig.result.status == 200;
        if (rig.result.status == 200)
            continue;
        says(429, "Rate exceeded");
        ck_assert_ptr_nonnull(strstr(rig.result.extra, "x-amzn-ErrorType: ThrottlingException"));
    }
    ck_assert_uint_eq(taken, ARC_CONFIG_BURST);
    call(RIG_KEY, "GET", "/cluster", NULL, "");
    says(200, "DEPLOYED"); /* reads go on */
    snprintf(body, sizeof body, "{\"RoutingControlArn\":\"%s\",\"RoutingControlState\":\"Off\"}",
             us);
    call(RIG_KEY, "POST", "/", "ToggleCustomerAPI.UpdateRoutingControlState", body);
    says(200, "{}");
    rig.now += USEC_PER_SEC;
    control_new(1000);
    says(200, "DEPLOYED");
    rig_close(&rig);
}
END_TEST

/* ARC's quotas: of a panel, of the cluster, of one update. */
START_TEST(test_quotas)
{
    char name[64], body[4096];
    struct text text = text_init(sizeof body);
    rig_open(&rig);
    for (int i = 0; i < ARC_PANEL_CONTROLS_MAX; i++, rig.now += USEC_PER_SEC) {
        control_new(i);
        says(200, "DEPLOYED");
    }
    control_new(1000);
    says(402, "A control panel has at most 100 routing controls.");
    ck_assert_ptr_nonnull(
        strstr(rig.result.extra, "x-amzn-ErrorType: ServiceQuotaExceededException"));
    for (int i = 0; i < ARC_CONTROLS_MAX - ARC_PANEL_CONTROLS_MAX - 2; i++) {
        snprintf(name, sizeof name, "web/more-%d", i);
        snprintf(body, sizeof body,
                 RIG_PROPOSAL("{\"kind\":\"control\",\"name\":\"%s\",\"value\":{\"state\":"
                              "\"On\"}}"),
                 name);
        rig_change(&rig, body);
    }
    control_new(1000);
    says(402, "A cluster has at most 300 routing controls.");
    text_append(&text, "{\"UpdateRoutingControlStateEntries\":[{}");
    for (int i = 0; i < ARC_BATCH_MAX; i++)
        text_append(&text, ",{}");
    text_append(&text, "]}");
    data("UpdateRoutingControlStates", text_string(&text));
    says(400, "#ServiceLimitExceededException");
    text_done(&text);
    rig_close(&rig);
}
END_TEST

#define NODE_EDIT(name, id, role, more)                                                          \
    "{\"kind\":\"node\",\"name\":\"" name "\",\"value\":{\"id\":" #id                            \
    ",\"address\":\"192.0.2." #id ":7443\",\"key\":\"000000000000000000000000000000000000000000" \
    "000000000000000000000" #id "\",\"role\":\"" role "\",\"site\":\"s" #id                      \
    "\",\"network\":\"AS64500\"" more "}}"

/* Every node tells of all of them: what is written in the file comes first, and where nobody says
 * anything, it is this node. */
START_TEST(test_endpoints)
{
    rig_open(&rig);
    call(RIG_KEY, "GET", "/cluster", NULL, "");
    says(200, "\"ClusterEndpoints\":[{\"Endpoint\":\"http://127.0.0.1:8090\",\"Region\":\"s\"}]");
    rig_change(&rig, RIG_PROPOSAL(NODE_EDIT("b", 1, "voter", ",\"api\":\"https://one\"")));
    rig_change(&rig, RIG_PROPOSAL(NODE_EDIT("a", 2, "learner", ",\"api\":\"https://two\"")));
    rig_change(&rig, RIG_PROPOSAL(NODE_EDIT("c", 3, "voter", "")));
    rig_change(&rig, RIG_PROPOSAL(NODE_EDIT("d", 4, "expelled", ",\"api\":\"https://four\"")));
    call(RIG_KEY, "GET", "/cluster", NULL, "");
    says(200,
         "\"ClusterEndpoints\":[{\"Endpoint\":\"https://two\",\"Region\":\"s2\"},{\"Endpoint\":"
         "\"https://one\",\"Region\":\"s1\"}]");
    struct config_api_endpoint said = {"https://said", "r"};
    rig.config->api_endpoints = &said;
    rig.config->api_endpoint_count = 1;
    call(RIG_KEY, "GET", "/cluster", NULL, "");
    says(200, "\"ClusterEndpoints\":[{\"Endpoint\":\"https://said\",\"Region\":\"r\"}]");
    rig.config->api_endpoint_count = 0;
    rig_close(&rig);
}
END_TEST

CHECK_MAIN("arc", test_switching, test_meter, test_members, test_creating, test_config_meter,
           test_quotas, test_endpoints)
