#include "base/memory.h"
#include "model/snapshot_maker.h"
#include "tell/answers.h"
#include "tell/grid.h"
#include "tell/health.h"
#include "tell/incidents.h"
#include "tell/metrics.h"
#include "tell/pages.h"
#include "tell/table.h"
#include "test/check_main.h"

static struct stats_file stats[STATS_ROLES];
static struct view view;
static struct maker maker;

/* A node that is well: all roles live, a fresh board, a plan of one service and two endpoints. */
static void view_make(void)
{
    maker = maker_init(16, 1024);
    maker.plan.generation = 12;
    maker.plan.node = maker_text(&maker, "tokyo-1", 7);
    maker.plan.site = maker_text(&maker, "to\"k\\yo\n", 8);
    maker.plan.network = maker_text(&maker, "AS64500", 7);
    maker.plan.boot_id = 5;
    maker.plan.made = 100 * USEC_PER_SEC;
    maker.plan.made_wall = 1700000000 * USEC_PER_SEC + 250000;
    maker_file(&maker, PLAN_FILE_ZONE, "example.com", 0x1111);
    uint32_t s = maker_service(&maker, "api.example.com", 0);
    uint32_t e = maker_endpoint(&maker, "use1", false);
    maker_endpoint(&maker, "euw1", false);
    maker_face(&maker, s, IP_V4, FACE_NORMAL, maker_addresses(&maker, e, 1, IP_V4));
    struct plan_target *t = maker.targets;
    t[0].reason = REASON_OK;
    t[0].since = 90 * USEC_PER_SEC;
    t[0].phase_us[PHASE_CONNECT] = 1500;
    t[0].phase_us[PHASE_PROCESSING] = 20000;
    t[0].certificate_end = 1800000000;
    t[1].state = VERDICT_DOWN;
    t[1].reason = t[1].down_reason = REASON_CONNECT_REFUSED;
    t[1].flags = TARGET_FROZEN;
    t[1].since = 95 * USEC_PER_SEC;
    maker.endpoints[1].admin = ADMIN_DRAINED;
    maker.endpoints[1].region = maker_text(&maker, "eu-west-1", 9);

    view = (struct view){.now = 103 * USEC_PER_SEC,
                         .wall = 1700000003 * USEC_PER_SEC,
                         .boot_id = 5,
                         .has_plan = true,
                         .plan = maker.plan,
                         .has_board = true,
                         .board_targets = maker.targets,
                         .board = {.target_count = 2, .config_fingerprint = 42, .boot_id = 5}};
    atomic_store(&view.board.beat, 102 * USEC_PER_SEC + 500000);
    for (unsigned i = 0; i < STATS_ROLES; i++) {
        stats_private(stats_role_name((enum stats_role)i), 1, &stats[i]);
        stats[i].header->pid = 100 + i;
        stats[i].header->started_wall = 1699999000;
        view.roles[i] = (struct view_role){.has_stats = true, .alive = true, .stats = stats[i]};
    }
    stats_set(stats[STATS_ROLE_DNS].threads, PLAN_GENERATION, 12);
    stats_set(stats[STATS_ROLE_CONTROL].threads, CONTROL_STEP_US, 1234567);
    stats_set(stats[STATS_ROLE_DNS].threads, DNS_QUERIES_UDP, 77);
}

static void view_drop(void)
{
    for (unsigned i = 0; i < STATS_ROLES; i++)
        stats_close(&stats[i]);
    maker_done(&maker);
}

static void expect_line(const struct text *t, const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(text_string(t), whole), "%s\nis not in\n%s", line, text_string(t));
}

START_TEST(test_metrics_lines)
{
    static const char *const lines[] = {
        "holdfast_node_info{node=\"tokyo-1\",site=\"to\\\"k\\\\yo\\n\",network=\"AS64500\"} 1",
        "holdfast_plan_made_timestamp_seconds 1700000000.250000",
        "holdfast_control_beat_fresh 1",
        "holdfast_control_beat_age_seconds 0.500000",
        "holdfast_role_up{role=\"dns\"} 1",
        "holdfast_role_start_timestamp_seconds{role=\"supervisor\"} 1699999000",
        "holdfast_plan_generation{role=\"dns\"} 12",
        "holdfast_plan_generation{role=\"tell\"} 0",
        "holdfast_plan_step_seconds 1.234567",
        "holdfast_dns_queries_total{transport=\"udp\"} 77",
        "holdfast_restarts_total{of=\"control\"} 0",
        "holdfast_zone_serial{zone=\"example.com\"} 1",
        "holdfast_service_mode{service=\"api.example.com\",family=\"ipv4\",mode=\"normal\"} 1",
        "holdfast_service_fail_open{service=\"api.example.com\",family=\"ipv4\"} 0",
        "holdfast_service_ttl_seconds{service=\"api.example.com\",family=\"ipv4\"} 5",
        "holdfast_service_velocity_held{service=\"api.example.com\",family=\"ipv4\"} 0",
        "holdfast_endpoint_info{service=\"api.example.com\",endpoint=\"euw1\","
        "region=\"eu-west-1\",provider=\"\"} 1",
        "holdfast_endpoint_admin{service=\"api.example.com\",endpoint=\"euw1\","
        "state=\"drained\"} 1",
        "holdfast_endpoint_up{service=\"api.example.com\",endpoint=\"use1\","
        "address=\"198.51.0.0\"} 1",
        "holdfast_endpoint_up{service=\"api.example.com\",endpoint=\"euw1\","
        "address=\"198.51.0.1\"} 0",
        "holdfast_endpoint_state{service=\"api.example.com\",endpoint=\"euw1\","
        "address=\"198.51.0.1\",state=\"down\"} 1",
        "holdfast_endpoint_reason{service=\"api.example.com\",endpoint=\"euw1\","
        "address=\"198.51.0.1\",reason=\"connect-refused\"} 1",
        "holdfast_endpoint_served{service=\"api.example.com\",endpoint=\"euw1\","
        "address=\"198.51.0.1\"} 0",
        "holdfast_endpoint_frozen{service=\"api.example.com\",endpoint=\"euw1\","
        "address=\"198.51.0.1\"} 1",
        "holdfast_probe_duration_seconds{service=\"api.example.com\",endpoint=\"use1\","
        "address=\"198.51.0.0\",phase=\"connect\"} 0.001500",
        "holdfast_endpoint_certificate_end_timestamp_seconds{service=\"api.example.com\","
        "endpoint=\"use1\",address=\"198.51.0.0\"} 1800000000",
    };
    struct text t = text_init(METRICS_MAX);
    view_make();
    metrics_render(&t, &view);
    ck_assert(!t.failed);
    for (size_t i = 0; i < array_length(lines); i++)
        expect_line(&t, lines[i]);
    ck_assert_ptr_null(strstr(text_string(&t), "ipv6"));
    ck_assert_ptr_null(strstr(text_string(&t), "phase=\"tls\""));
    text_done(&t);
    view_drop();
}
END_TEST

/* The family a line is of, in `name`. */
static void line_family(const char *line, char name[static 128])
{
    size_t n = strcspn(line, "{ \n");
    ck_assert_uint_lt(n, 128);
    memcpy(name, line, n);
    name[n] = '\0';
}

/* Each family has HELP and TYPE once, directly before all of its lines. */
START_TEST(test_metrics_families_are_whole)
{
    struct text t = text_init(METRICS_MAX);
    char families[128][128], name[128];
    unsigned count = 0;
    view_make();
    metrics_render(&t, &view);
    for (const char *line = text_string(&t); *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# TYPE ", 7) == 0)
            continue;
        if (strncmp(line, "# HELP ", 7) == 0) {
            ck_assert_uint_lt(count, 128);
            line_family(line + 7, families[count]);
            for (unsigned i = 0; i < count; i++)
                ck_assert_str_ne(families[i], families[count]);
            const char *type = strchr(line, '\n') + 1;
            ck_assert_int_eq(strncmp(type, "# TYPE ", 7), 0);
            line_family(type + 7, name);
            ck_assert_str_eq(name, families[count++]);
            continue;
        }
        line_family(line, name);
        ck_assert_uint_gt(count, 0);
        ck_assert_str_eq(name, families[count - 1]);
    }
    ck_assert_uint_gt(count, 30);
    text_done(&t);
    view_drop();
}
END_TEST

/* Every family that can be rendered is described in doc/metrics.md. */
START_TEST(test_metrics_are_documented)
{
    const char *source = getenv("HOLDFAST_SOURCE");
    char path[512];
    snprintf(path, sizeof path, "%s/doc/metrics.md", source ? source : ".");
    FILE *f = fopen(path, "r");
    ck_assert_msg(f, "%s", path);
    static char doc[1 << 16];
    size_t n = fread(doc, 1, sizeof doc - 1, f);
    doc[n] = '\0';
    fclose(f);
    struct text t = text_init(METRICS_MAX);
    view_make();
    metrics_render(&t, &view);
    for (const char *line = text_string(&t); (line = strstr(line, "# HELP ")); line += 7) {
        char name[128], quoted[132];
        line_family(line + 7, name);
        snprintf(quoted, sizeof quoted, "`%s`", name);
        ck_assert_msg(strstr(doc, quoted), "%s is not in doc/metrics.md", name);
    }
    text_done(&t);
    view_drop();
}
END_TEST

START_TEST(test_metrics_without_anything)
{
    struct text t = text_init(METRICS_MAX);
    view = (struct view){0};
    metrics_render(&t, &view);
    expect_line(&t, "holdfast_role_up{role=\"control\"} 0");
    expect_line(&t, "holdfast_control_beat_fresh 0");
    ck_assert_ptr_null(strstr(text_string(&t), "holdfast_dns"));
    text_done(&t);
}
END_TEST

START_TEST(test_health)
{
    struct text t = text_init(1 << 16);
    view_make();
    ck_assert_uint_eq(health_render(&t, &view), 200);
    ck_assert_str_eq(text_string(&t), "{\"status\":\"ok\",\"node\":\"tokyo-1\",\"generation\":12,"
                                      "\"plan_age_seconds\":3,\"problems\":[]}\n");
    /* An endpoint that is down, or all of them, is not an illness of the node; each of these is. */
    static const char *const sentences[] = {"dns is not running (it was process 102)",
                                            "control has not run yet",
                                            "control has not written verdicts for 7.0s",
                                            "there is no plan",
                                            "dns serves no plan",
                                            "dns still serves generation 11",
                                            "a newer plan was refused: torn"};
    for (unsigned i = 0; i < array_length(sentences); i++) {
        view_drop();
        view_make();
        switch (i) {
        case 0:
            view.roles[STATS_ROLE_DNS].alive = false;
            break;
        case 1:
            view.roles[STATS_ROLE_CONTROL] = (struct view_role){0};
            break;
        case 2:
            atomic_store(&view.board.beat, 96 * USEC_PER_SEC);
            break;
        case 3:
            view.has_plan = false;
            break;
        case 4:
            stats_set(stats[STATS_ROLE_DNS].threads, PLAN_GENERATION, 0);
            break;
        case 5:
            stats_set(stats[STATS_ROLE_DNS].threads, PLAN_GENERATION, 11);
            view.plan.made -= 60 * USEC_PER_SEC;
            break;
        default:
            snprintf(view.refused_why, sizeof view.refused_why, "torn");
        }
        text_reset(&t);
        ck_assert_uint_eq(health_render(&t, &view), 503);
        ck_assert_ptr_nonnull(strstr(text_string(&t), "\"status\":\"unwell\""));
        ck_assert_msg(strstr(text_string(&t), sentences[i]), "%s: %s", sentences[i],
                      text_string(&t));
    }
    text_done(&t);
    view_drop();
}
END_TEST

/* The board may belong to another configuration than the plan that is served. */
START_TEST(test_board_of_another_configuration)
{
    view_make();
    struct plan_target other[2] = {{.state = VERDICT_UNREADY}};
    view.board_targets = other;
    ck_assert_ptr_eq(view_targets(&view), other);
    view.board.config_fingerprint = 43;
    ck_assert_ptr_eq(view_targets(&view), maker.targets);
    view.board.config_fingerprint = 42;
    view.board.target_count = 3;
    ck_assert_ptr_eq(view_targets(&view), maker.targets);
    view_drop();
}
END_TEST

/* Monotonic times of an earlier boot are aged by the wall clock. */
START_TEST(test_ages)
{
    view_make();
    ck_assert_int_eq(view_age(&view, 90 * USEC_PER_SEC), 13 * USEC_PER_SEC);
    view.boot_id = 6;
    view.now = 2 * USEC_PER_SEC;
    ck_assert_int_eq(view_age(&view, 90 * USEC_PER_SEC), 12 * USEC_PER_SEC + 750000);
    ck_assert_ptr_eq(view_targets(&view), maker.targets);
    view.wall = 0;
    ck_assert_int_eq(view_age(&view, 90 * USEC_PER_SEC), 0);
    view_drop();
}
END_TEST

START_TEST(test_age_texts)
{
    static const struct {
        usec_t age;
        const char *text;
    } cases[] = {{0, "0ms"},
                 {999999, "999ms"},
                 {3456789, "3.4s"},
                 {59999999, "59.9s"},
                 {1003 * USEC_PER_SEC, "16m43s"},
                 {3600 * USEC_PER_SEC, "1h00m"},
                 {76 * USEC_PER_HOUR, "3d04h"}};
    char text[AGE_TEXT_MAX];
    for (size_t i = 0; i < array_length(cases); i++)
        ck_assert_str_eq(age_format(cases[i].age, text), cases[i].text);
}
END_TEST

START_TEST(test_table)
{
    struct text t = text_init(TABLE_MAX);
    view_make();
    table_render(&t, &view, false);
    ck_assert_str_eq(
        text_string(&t),
        "node tokyo-1, site to\"k\\yo\n, network AS64500; plan generation 12, 3.0s old\n"
        "\n"
        "ROLE        STATE    PID  FOR     SERVES  RESTARTS\n"
        "supervisor  running  100  16m43s          0\n"
        "control     running  101  16m43s          0\n"
        "dns         running  102  16m43s  12      0\n"
        "tell        running  103  16m43s  0       0\n"
        "\n"
        "SERVICE          POLICY    TYPE  MODE    VELOCITY  TTL  ANSWERS\n"
        "api.example.com  failover  A     normal            5s   198.51.0.0\n"
        "\n"
        "SERVICE          ENDPOINT  ADDRESS     REGION     STATE  ADMIN    REASON           FOR    "
        "FLAGS   LAST PROBE\n"
        "api.example.com  use1      198.51.0.0             up     auto     ok               13.0s  "
        "served  connect 1.5ms processing 20ms\n"
        "api.example.com  euw1      198.51.0.1  eu-west-1  DOWN   DRAINED  connect-refused  8.0s   "
        "FROZEN\n");
    text_reset(&t);
    maker.services[0].faces[IP_V4].mode = FACE_PREFERRED;
    maker.services[0].faces[IP_V4].velocity_held = true;
    view.roles[STATS_ROLE_CONTROL].alive = false;
    table_render(&t, &view, true);
    ck_assert_ptr_nonnull(strstr(text_string(&t), "\033[1;31mFAIL-OPEN:preferred\033[0m"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "\033[1;31mHELD\033[0m"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "\033[1;31mDEAD\033[0m"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "control is not running"));
    text_done(&t);
    view_drop();
}
END_TEST

START_TEST(test_answers)
{
    static const char *const expected[] = {"198.51.0.0", "75% 198.51.0.4, 25% 198.51.0.5",
                                           "by network: 198.51.0.6 | 198.51.0.7 | NODATA",
                                           "198.51.0.8"};
    struct maker m = maker_small(1);
    struct text t = text_init(4096);
    for (unsigned i = 0; i < array_length(expected); i++) {
        text_reset(&t);
        answers_append(&t, &m.plan, m.services[i].faces[IP_V4].choice);
        ck_assert_str_eq(text_string(&t), expected[i]);
    }
    text_reset(&t);
    uint32_t nested = maker_choice(
        &m, (struct plan_choice){
                .kind = CHOICE_WEIGHTED, .first = m.plan.branch_count, .count = 2, .total = 3});
    maker_branch(&m, 1, m.services[SMALL_SPLIT].faces[IP_V4].choice);
    maker_branch(
        &m, 3,
        maker_choice(&m, (struct plan_choice){.kind = CHOICE_CNAME,
                                              .first = maker_wire(&m, "sorry.example.net")}));
    answers_append(&t, &m.plan, nested);
    ck_assert_str_eq(text_string(&t),
                     "33.3% (75% 198.51.0.4, 25% 198.51.0.5), 66.7% CNAME sorry.example.net");
    text_reset(&t);
    answers_append(&t, &m.plan, PLAN_NONE);
    ck_assert_str_eq(text_string(&t), "-");
    text_done(&t);
    maker_done(&m);
}
END_TEST

START_TEST(test_pages)
{
    struct text t = text_init(PAGE_MAX);
    view_make();
    ck_assert_int_eq(page_find((struct bytes){(const uint8_t *)"/metrics", 8}), PAGE_METRICS);
    ck_assert_int_eq(page_find((struct bytes){(const uint8_t *)"/metric", 7}), PAGE_NONE);
    ck_assert_int_eq(page_find((struct bytes){(const uint8_t *)"/", 1}), PAGE_STATUS);
    ck_assert_uint_eq(page_render(&t, PAGE_HEALTH, &view), 200);
    struct text small = text_init(10);
    ck_assert_uint_eq(page_render(&small, PAGE_METRICS, &view), 500);
    text_done(&small);
    text_done(&t);
    view_drop();
}
END_TEST

START_TEST(test_keys)
{
    static struct key_board board;
    struct key_board_zone zones[] = {
        {"calm.example", 0, 1700090000, 1700900000, 1700800000},
        {"needy.example", KEYS_DS_GIVE, 0, 1700900000, 1700800000},
        {"old.example", KEYS_DS_REMOVE | KEYS_STUCK, 0, 1700000100, 1700000000},
    };
    struct text out = text_init(1 << 20);
    view_make();
    key_board_init(&board);
    for (unsigned i = 0; i < array_length(zones); i++)
        key_board_add(&board, &zones[i]);
    view.keys = &board;
    metrics_render(&out, &view);
    expect_line(&out, "holdfast_dnssec_zone_need{zone=\"needy.example\",need=\"ds-give\"} 1");
    expect_line(&out, "holdfast_dnssec_zone_need{zone=\"old.example\",need=\"sign\"} 1");
    expect_line(&out, "holdfast_dnssec_zone_next_event_timestamp_seconds{zone=\"calm.example\"} "
                      "1700090000");
    expect_line(&out, "holdfast_dnssec_zone_signatures_end_timestamp_seconds{zone=\"old.example\"} "
                      "1700000100");
    ck_assert_ptr_null(strstr(text_string(&out), "need{zone=\"calm"));
    text_reset(&out);
    table_render(&out, &view, false);
    expect_line(&out, "keys of needy.example: give the parent a DS (holdfast dnssec status "
                      "needy.example)");
    ck_assert_ptr_null(strstr(text_string(&out), "calm.example"));
    ck_assert_ptr_nonnull(strstr(text_string(&out), "old.example end at 2023-11-14 22:15 UTC"));
    text_reset(&out);
    ck_assert_uint_eq(health_render(&out, &view), 503);
    ck_assert_ptr_nonnull(strstr(text_string(&out), "were not renewed in time"));
    view.keys = NULL;
    text_done(&out);
    view_drop();
}
END_TEST

static struct incident *incident_of(const char *text)
{
    const char *why;
    json_t *value = json_loads(text, 0, NULL);
    struct incident *i = incident_decode(value, &why);
    json_decref(value);
    ck_assert_ptr_nonnull(i);
    return i;
}

static void components_put(struct incident *i, const char *name)
{
    free(i->components.list[0]);
    i->components.list[0] = mem_string(name);
}

/* Incidents are told where they touch, and counted. */
START_TEST(test_incidents)
{
    struct text out = text_init(1 << 20);
    view_make();
    view.has_incidents = true;
    view.incidents.list = mem_new(2, sizeof *view.incidents.list);
    view.incidents.count = 2;
    view.incidents.list[0] = (struct incident_named){
        mem_string("euw1"),
        incident_of("{\"title\":\"Errors\",\"status\":\"identified\",\"impact\":\"major\","
                    "\"components\":[\"region:eu-west-1\"],\"created_ms\":1700000000000,"
                    "\"started_ms\":1699999943000,\"updates\":[{\"status\":\"identified\","
                    "\"at_ms\":1700000001000,\"body\":\"A cut fibre.\"}]}")};
    view.incidents.list[1] = (struct incident_named){
        mem_string("disks"),
        incident_of("{\"title\":\"New disks\",\"status\":\"scheduled\",\"impact\":\"none\","
                    "\"components\":[\"service:www.example.com\"],\"created_ms\":1700000000000,"
                    "\"scheduled_for_ms\":1700100000000,\"scheduled_until_ms\":1700200000000,"
                    "\"updates\":[{\"status\":\"scheduled\",\"at_ms\":1700000001000,"
                    "\"body\":\"Disks.\"}]}")};
    metrics_render(&out, &view);
    expect_line(&out, "holdfast_incidents_unresolved{impact=\"major\"} 1");
    expect_line(&out, "holdfast_incidents_unresolved{impact=\"none\"} 0");
    expect_line(&out, "holdfast_maintenance{status=\"scheduled\"} 1");
    text_reset(&out);
    table_render(&out, &view, false);
    expect_line(&out, "INCIDENT euw1, impact major, identified, since 1m00s, told 2.0s ago: Errors "
                      "(region:eu-west-1)");
    expect_line(&out, "MAINTENANCE disks, scheduled, planned from Thu, 16 Nov 2023 02:00:00 GMT "
                      "until Fri, 17 Nov 2023 05:46:40 GMT, told 2.0s ago: New disks "
                      "(service:www.example.com)");
    text_reset(&out);
    incidents_of_service(&out, &view, 0);
    expect_line(&out, "  \"A cut fibre.\"");
    ck_assert_ptr_null(strstr(text_string(&out), "disks"));
    components_put(view.incidents.list[0].incident, "endpoint:api.example.com/use2");
    text_reset(&out);
    incidents_of_service(&out, &view, 0);
    ck_assert_uint_eq(out.length, 0);
    components_put(view.incidents.list[0].incident, "endpoint:api.example.com/use1");
    incidents_of_service(&out, &view, 0);
    ck_assert_uint_ne(out.length, 0);
    incidents_done(&view.incidents);
    text_done(&out);
    view_drop();
}
END_TEST

CHECK_MAIN("pages", test_keys, test_incidents, test_metrics_lines, test_metrics_families_are_whole,
           test_metrics_are_documented, test_metrics_without_anything, test_health,
           test_board_of_another_configuration, test_ages, test_age_texts, test_table, test_answers,
           test_pages)
