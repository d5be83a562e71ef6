/* Incidents as values and as a file; the story of one is in command/command_incident_test.c. */
#include "model/incident.h"

#include "base/err.h"
#include "base/memory.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPDATE "\"updates\":[{\"status\":\"identified\",\"body\":\"a\\nb\",\"at_ms\":20}]"
#define WHOLE(more, updates)                                                               \
    "{\"title\":\"Errors\",\"status\":\"identified\",\"impact\":\"major\",\"components\":" \
    "[\"service:a.example\",\"region:r\"],\"created_ms\":10,\"started_ms\":9" more "," updates "}"

static const char *wrong(const char *text)
{
    const char *why = NULL;
    json_t *value = json_loads(text, 0, NULL);
    ck_assert_msg(value != NULL, "%s", text);
    struct incident *i = incident_decode(value, &why);
    json_decref(value);
    incident_free(i);
    ck_assert_int_eq(i == NULL, why != NULL);
    return why;
}

START_TEST(test_values)
{
    static const char *const bad[] = {
        "{}",
        WHOLE(",\"more\":1", UPDATE),
        WHOLE(",\"resolved_ms\":30", UPDATE),
        WHOLE(",\"scheduled_for_ms\":30,\"scheduled_until_ms\":40", UPDATE),
        WHOLE(",\"monitoring_ms\":-1", UPDATE),
        WHOLE("", "\"updates\":[]"),
        WHOLE("", "\"updates\":[{\"status\":\"monitoring\",\"body\":\"a\",\"at_ms\":20}]"),
        WHOLE("", "\"updates\":[{\"status\":\"identified\",\"body\":\"\",\"at_ms\":20}]"),
        WHOLE("", "\"updates\":[{\"status\":\"identified\",\"body\":\"\\u001b[2J\",\"at_ms\":20}]"),
        WHOLE("", "\"updates\":[{\"status\":\"identified\",\"body\":\"a\",\"at_ms\":9}]"),
        "{\"title\":\"two\\nlines\",\"status\":\"identified\",\"impact\":\"major\",\"components\":"
        "[],\"created_ms\":10,\"started_ms\":9," UPDATE "}",
        "{\"title\":\"x\",\"status\":\"identified\",\"impact\":\"major\",\"components\":[\"host:"
        "x\"],\"created_ms\":10,\"started_ms\":9," UPDATE "}",
        "{\"title\":\"x\",\"status\":\"in_progress\",\"impact\":\"none\",\"components\":[],"
        "\"created_ms\":10,\"started_ms\":9,\"scheduled_for_ms\":9,\"scheduled_until_ms\":9,"
        "\"updates\":[{\"status\":\"in_progress\",\"body\":\"a\",\"at_ms\":20}]}",
    };
    ck_assert_ptr_null(wrong(WHOLE("", UPDATE)));
    for (size_t i = 0; i < array_length(bad); i++)
        ck_assert_msg(wrong(bad[i]) != NULL, "%s", bad[i]);
}
END_TEST

/* The whole table, as the documentation draws it. */
START_TEST(test_moves)
{
    static const char *const moves[] = {
        "investigating identified", "investigating monitoring", "investigating resolved",
        "identified investigating", "identified monitoring",    "identified resolved",
        "monitoring investigating", "monitoring identified",    "monitoring resolved",
        "resolved postmortem",      "scheduled in_progress",    "scheduled completed",
        "in_progress verifying",    "in_progress completed",    "verifying in_progress",
        "verifying completed",
    };
    unsigned found = 0;
    for (unsigned a = 0; a < INCIDENT_STATUSES; a++)
        for (unsigned b = 0; b < INCIDENT_STATUSES; b++) {
            enum incident_status from = (enum incident_status)a, to = (enum incident_status)b;
            char move[100];
            bool there = false;
            snprintf(move, sizeof move, "%s %s", incident_status_name(from),
                     incident_status_name(to));
            for (size_t i = 0; i < array_length(moves); i++)
                there |= !strcmp(moves[i], move);
            ck_assert_msg(incident_may_become(from, to) == (there || a == b), "%s", move);
            found += there;
        }
    ck_assert_uint_eq(found, array_length(moves));
}
END_TEST

static void put(struct intent *intent, const char *name, const char *value)
{
    struct intent_edit e = {INTENT_INCIDENT, name, value};
    struct intent_request r = {.author = "ana", .wall_ms = 50, .edits = &e, .edit_count = 1};
    struct text why = text_init(1000);
    struct intent next;
    ck_assert_msg(!intent_apply(intent, &r, &next, &why), "%s", text_string(&why));
    text_done(&why);
    intent_done(intent);
    *intent = next;
}

START_TEST(test_file)
{
    char folder[] = "/tmp/incident-XXXXXX", path[64];
    struct intent intent = {0}, same;
    struct incident_list list;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(incidents_read(folder, &list), ERR_MISSING);
    put(&intent, "one",
        WHOLE("", "\"updates\":[{\"status\":\"investigating\",\"body\":\"old\","
                  "\"at_ms\":11},{\"status\":\"identified\",\"body\":\"new\","
                  "\"at_ms\":20}]"));
    same = intent_share(&intent);
    ck_assert(incidents_alike(&intent, &same));
    put(&intent, "over",
        "{\"title\":\"x\",\"status\":\"resolved\",\"impact\":\"none\",\"components\":[],"
        "\"created_ms\":10,\"started_ms\":9,\"resolved_ms\":20,"
        "\"updates\":[{\"status\":\"resolved\",\"body\":\"a\",\"at_ms\":20}]}");
    ck_assert(!incidents_alike(&intent, &same));
    intent_done(&same);
    ck_assert_str_eq(incident_oldest_over(&intent)->name, "over");
    ck_assert_int_eq(incidents_write(folder, &intent), 0);
    ck_assert_int_eq(incidents_read(folder, &list), 0);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.list[0].name, "one");
    ck_assert_uint_eq(list.list[0].incident->update_count, 1);
    ck_assert_str_eq(list.list[0].incident->updates[0].body, "new");
    incidents_done(&list);
    snprintf(path, sizeof path, "%s/run/incidents", folder);
    ck_assert_int_eq(truncate(path, 20), 0);
    ck_assert_int_eq(incidents_read(folder, &list), ERR_SYNTAX);
    remove(path);
    snprintf(path, sizeof path, "%s/run", folder);
    rmdir(path);
    rmdir(folder);
    intent_done(&intent);
}
END_TEST

CHECK_MAIN("incident", test_values, test_moves, test_file)
