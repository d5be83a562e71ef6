/* The story of an incident, as operators tell it. */
#include "base/err.h"
#include "command/command.h"
#include "model/incident.h"
#include "test/check_main.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1767225600000)

static const char file[] =
    "node: {name: n, site: s, network: AS64500}\n"
    "zones: [{name: example.com, file: f}]\n"
    "services:\n"
    "  - {name: api.example.com, endpoints: [{name: use1, address: 192.0.2.1, region: us-east-1, "
    "provider: acme}, {name: euw1, address: 192.0.2.2}]}\n";

static struct config *config;
static struct intent intent;
static int64_t now;
static char said[1 << 16]; /* the newest sentence */

/* As the owner of the intent does; the error. */
static int run(const char *line)
{
    struct command_result result;
    struct command_input input = {
        .line = line, .length = strlen(line), .author = "ana", .intent = &intent, .wall_ms = now};
    struct text sentence = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    command_run(&input, &result);
    int err = result.err;
    if (result.effect == COMMAND_INTENT) {
        err =
            command_apply(&intent, result.proposal, strlen(result.proposal), now, &next, &sentence);
        if (!err) {
            intent_done(&intent);
            intent = next;
        }
        snprintf(said, sizeof said, "%s", text_string(&sentence));
    } else {
        snprintf(said, sizeof said, "%s", result.message);
    }
    text_done(&sentence);
    command_result_done(&result);
    return err;
}

static void begin(void)
{
    struct text problems = text_init(10000);
    ck_assert_int_eq(config_parse("x", file, sizeof file - 1, NULL, &problems, &config), 0);
    text_done(&problems);
    intent.config = config;
    now = NOW;
}

static void end(void)
{
    intent_done(&intent);
    config_free(config);
}

static const struct incident *incident(const char *name)
{
    const struct intent_object *o = intent_find(&intent, INTENT_INCIDENT, name);
    ck_assert_ptr_nonnull(o);
    return o->incident;
}

#define TELL(what, more) "{\"op\":\"incident\",\"incident\":\"use1\",\"do\":\"" what "\"" more "}"
#define MOVE(status)     TELL("update", ",\"status\":\"" status "\"")

START_TEST(test_story)
{
    begin();
    ck_assert_int_eq(run(TELL("open", ",\"title\":\"Errors\",\"impact\":\"major\",\"components\":["
                                      "\"us-east-1\",\"api.example.com\",\"acme\","
                                      "\"api.example.com/euw1\"],\"ago_ms\":60000")),
                     0);
    ck_assert_str_eq(said, "change 1: incident use1 is investigating");
    const struct incident *i = incident("use1");
    ck_assert_str_eq(i->components.list[0], "region:us-east-1");
    ck_assert_str_eq(i->components.list[1], "service:api.example.com");
    ck_assert_str_eq(i->components.list[2], "provider:acme");
    ck_assert_str_eq(i->components.list[3], "endpoint:api.example.com/euw1");
    ck_assert_int_eq(i->started_ms, NOW - 60000);
    ck_assert_int_eq(i->created_ms, NOW);
    now += 1000;
    ck_assert_int_eq(run(MOVE("monitoring")), 0);
    ck_assert_str_eq(said, "change 2: incident use1 is monitoring; it was investigating");
    ck_assert_int_eq(incident("use1")->monitoring_ms, NOW + 1000);
    now += 1000;
    ck_assert_int_eq(run(TELL("update", ",\"message\":\"still so\"")), 0);
    ck_assert_str_eq(said, "change 3: incident use1 is told anew");
    ck_assert_uint_eq(incident("use1")->update_count, 3);
    ck_assert_str_eq(incident("use1")->updates[2].body, "still so");
    ck_assert_int_eq(incident("use1")->updates[2].at_ms, NOW + 2000);
    /* the title alone is no update for readers; said again it is no change */
    ck_assert_int_eq(run(TELL("update", ",\"title\":\"Errors in us-east-1\"")), 0);
    ck_assert_uint_eq(incident("use1")->update_count, 3);
    ck_assert_int_eq(run(TELL("update", ",\"title\":\"Errors in us-east-1\"")), 0);
    ck_assert_str_eq(said, "nothing was to be changed");
    now += 1000;
    ck_assert_int_eq(run(TELL("resolve", "")), 0);
    ck_assert_int_eq(incident("use1")->resolved_ms, NOW + 3000);
    ck_assert_str_eq(incident("use1")->updates[3].body, "This is resolved.");
    ck_assert_int_eq(run(MOVE("identified")), ERR_CONFLICT);
    ck_assert_str_eq(said, "the incident use1 is resolved and cannot become identified; what has "
                           "ended stays so: open another, or undo the change that ended it");
    ck_assert_int_eq(run(MOVE("postmortem")), 0);
    ck_assert_int_eq(incident("use1")->resolved_ms, NOW + 3000);
    /* taken back it is as it was */
    ck_assert_int_eq(run("{\"op\":\"undo\",\"change\":6}"), 0);
    ck_assert_int_eq(incident("use1")->status, INCIDENT_RESOLVED);
    end();
}
END_TEST

START_TEST(test_refused)
{
    begin();
    ck_assert_int_eq(run(TELL("update", ",\"message\":\"x\"")), ERR_MISSING);
    ck_assert_str_eq(said, "there is no incident use1");
    ck_assert_int_eq(run(TELL("open", ",\"components\":[\"us-west-9\"]")), ERR_MISSING);
    ck_assert_str_eq(said, "\"us-west-9\" is no service, region, provider or endpoint that this "
                           "node knows; `holdfast status` lists them");
    ck_assert_int_eq(run(TELL("open", ",\"components\":[\"region:us-west-9\"]")), ERR_MISSING);
    ck_assert_int_eq(run(TELL("open", ",\"components\":[\"us-west-9\"],\"force\":true")),
                     ERR_MISSING);
    ck_assert_int_eq(run(TELL("open", ",\"components\":[\"region:us-west-9\"],\"force\":true")), 0);
    ck_assert_int_eq(run(TELL("open", "")), ERR_CONFLICT);
    ck_assert_int_eq(run(MOVE("in_progress")), ERR_CONFLICT);
    ck_assert_str_eq(said, "the incident use1 is investigating and cannot become in_progress; "
                           "incidents and maintenance have statuses of their own");
    ck_assert_int_eq(run(MOVE("postmortem")), ERR_CONFLICT);
    ck_assert_str_eq(said, "the incident use1 is investigating and cannot become postmortem; it "
                           "may become identified, monitoring or resolved");
    static const char *const bad[] = {
        TELL("close", ""),
        TELL("update", ""),
        MOVE("down"),
        TELL("update", ",\"impact\":\"huge\""),
        TELL("update", ",\"message\":\"x\",\"ago_ms\":5"),
        TELL("resolve", ",\"status\":\"resolved\""),
        TELL("schedule", ""),
        TELL("open", ",\"scheduled_for_ms\":5"),
        "{\"op\":\"incident\",\"do\":\"open\"}",
    };
    for (size_t k = 0; k < array_length(bad); k++)
        ck_assert_msg(run(bad[k]) == ERR_INVALID, "%s: %s", bad[k], said);
    /* and not by the door beside it, where a client could say what was told when */
    ck_assert_int_eq(run("{\"op\":\"change\",\"edits\":[{\"kind\":\"incident\",\"name\":\"use1\","
                         "\"value\":{}}]}"),
                     ERR_INVALID);
    ck_assert_str_eq(said, "the incident use1 wants to be opened or updated (op incident)");
    ck_assert_int_eq(
        run("{\"op\":\"change\",\"edits\":[{\"kind\":\"incident\",\"name\":\"use1\"}]}"), 0);
    ck_assert_ptr_null(intent_find(&intent, INTENT_INCIDENT, "use1"));
    end();
}
END_TEST

START_TEST(test_maintenance)
{
    begin();
    ck_assert_int_eq(run(TELL("schedule", ",\"scheduled_for_ms\":9,\"scheduled_until_ms\":9")),
                     ERR_INVALID);
    ck_assert_int_eq(run(TELL("schedule", ",\"title\":\"Disks\",\"scheduled_for_ms\":1767230000000,"
                                          "\"scheduled_until_ms\":1767240000000")),
                     0);
    ck_assert_int_eq(incident("use1")->status, INCIDENT_SCHEDULED);
    ck_assert_int_eq(incident("use1")->started_ms, 0);
    now += 5000;
    ck_assert_int_eq(run(MOVE("in_progress")), 0);
    ck_assert_int_eq(run(MOVE("verifying")), 0);
    ck_assert_int_eq(run(MOVE("scheduled")), ERR_CONFLICT);
    now += 5000;
    ck_assert_int_eq(run(MOVE("in_progress")), 0);
    ck_assert_int_eq(incident("use1")->started_ms, NOW + 5000);
    ck_assert_int_eq(run(TELL("resolve", ",\"message\":\"done\"")), 0);
    ck_assert_int_eq(incident("use1")->status, INCIDENT_COMPLETED);
    ck_assert_int_eq(incident("use1")->resolved_ms, NOW + 10000);
    end();
}
END_TEST

/* Said twice with one token it is told once, though the time went on. */
START_TEST(test_retry)
{
    begin();
    ck_assert_int_eq(run(TELL("open", "")), 0);
    const char *line = TELL("update", ",\"message\":\"more\",\"token\":\"t1\"");
    ck_assert_int_eq(run(line), 0);
    now += 60000;
    ck_assert_int_eq(run(line), 0);
    ck_assert_str_eq(said, "change 2: incident use1 is told anew");
    ck_assert_uint_eq(incident("use1")->update_count, 2);
    ck_assert_uint_eq(intent.version, 2);
    end();
}
END_TEST

/* Nothing grows without bound, and what goes on is never lost for it. */
START_TEST(test_bounds)
{
    char line[300];
    begin();
    for (int i = 0; i < INCIDENTS_MAX; i++) {
        snprintf(line, sizeof line, "{\"op\":\"incident\",\"incident\":\"i%d\",\"do\":\"open\"}",
                 i);
        ck_assert_msg(run(line) == 0, "%s", said);
    }
    ck_assert_int_eq(run(TELL("open", "")), ERR_LIMIT);
    ck_assert_str_eq(said, "there are at most 100 incidents; remove one first");
    ck_assert_int_eq(run("{\"op\":\"incident\",\"incident\":\"i7\",\"do\":\"resolve\"}"), 0);
    now++;
    ck_assert_int_eq(run("{\"op\":\"incident\",\"incident\":\"i5\",\"do\":\"resolve\"}"), 0);
    ck_assert_int_eq(run(TELL("open", "")), 0);
    ck_assert_str_eq(said, "change 103: incident use1 is investigating, incident i7 was removed");
    for (int i = 1; i < INCIDENT_UPDATES_MAX + 5; i++) {
        snprintf(line, sizeof line, TELL("update", ",\"message\":\"told %d\""), i);
        ck_assert_int_eq(run(line), 0);
    }
    const struct incident *use1 = incident("use1");
    ck_assert_uint_eq(use1->update_count, INCIDENT_UPDATES_MAX);
    ck_assert_str_eq(use1->updates[0].body, "use1"); /* how it began */
    ck_assert_str_eq(use1->updates[1].body, "told 6");
    end();
}
END_TEST

CHECK_MAIN("command_incident", test_story, test_refused, test_maintenance, test_retry, test_bounds)
