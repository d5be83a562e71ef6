#include "base/log.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

static usec_t now;
static usec_t wall = 1767323045678 * USEC_PER_MSEC; /* 2026-01-02T03:04:05.678Z */
static char lines[100][8192];
static unsigned line_count;

static usec_t fake_now(void)
{
    return now;
}

static usec_t fake_wall(void)
{
    return wall;
}

static void fake_write(const char *line, size_t length)
{
    ck_assert_uint_gt(length, 1);
    ck_assert_uint_le(length, 4096);
    ck_assert_int_eq(line[length - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', length - 1));
    ck_assert_uint_lt(line_count, array_length(lines));
    memcpy(lines[line_count], line, length);
    lines[line_count++][length] = '\0';
}

static void start(enum log_level level, enum log_format format)
{
    line_count = 0;
    log_setup(&(struct log_sink){fake_wall, fake_now, fake_write}, "dns", level, format);
}

#define HEAD "time=2026-01-02T03:04:05.678Z level=warn role=dns "

START_TEST(test_before_setup_nothing_happens)
{
    log_event(LOG_ERROR, "too.early");
    ck_assert_uint_eq(line_count, 0);
}
END_TEST

START_TEST(test_logfmt)
{
    start(LOG_INFO, LOG_LOGFMT);
    log_event(LOG_WARN, "snapshot.refused", {"file", LOG_S("a/b")}, {"reason", LOG_S("it is torn")},
              {"n", LOG_I(-3)}, {"m", LOG_U(UINT64_MAX)}, {"took", LOG_D(1200000)},
              {"ok", LOG_B(true)}, {"none", LOG_S(NULL)}, {"empty", LOG_S("")});
    ck_assert_str_eq(lines[0], HEAD "event=snapshot.refused file=a/b reason=\"it is torn\" n=-3 "
                                    "m=18446744073709551615 took=1.2s ok=true none=- empty=\"\"\n");
    log_event(LOG_WARN, "plain");
    ck_assert_str_eq(lines[1], HEAD "event=plain\n");
}
END_TEST

START_TEST(test_json_lines)
{
    start(LOG_INFO, LOG_JSON);
    log_event(LOG_WARN, "x.y", {"s", LOG_S("a \"b\" \xff")}, {"n", LOG_I(1)}, {"d", LOG_D(5000)},
              {"b", LOG_B(false)});
    ck_assert_str_eq(lines[0], "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\","
                               "\"role\":\"dns\",\"event\":\"x.y\",\"s\":\"a \\\"b\\\" "
                               "\xef\xbf\xbd\",\"n\":1,\"d\":\"5ms\",\"b\":false}\n");
}
END_TEST

/* Whoever chooses a value (a peer, a file name) must not be able to make up a line or a field. */
START_TEST(test_no_injection)
{
    start(LOG_INFO, LOG_LOGFMT);
    log_event(LOG_WARN, "a", {"v", LOG_S("x\nlevel=error event=fake")});
    log_event(LOG_WARN, "a", {"v", LOG_S("x level=error")});
    log_event(LOG_WARN, "a", {"v", LOG_S("\x1b[2J")});
    log_event(LOG_WARN, "a", {"v", LOG_S("k=v")});
    log_event(LOG_WARN, "a", {"v", LOG_S("q\"")});
    ck_assert_str_eq(lines[0], HEAD "event=a v=\"x\\nlevel=error event=fake\"\n");
    ck_assert_str_eq(lines[1], HEAD "event=a v=\"x level=error\"\n");
    ck_assert_str_eq(lines[2], HEAD "event=a v=\"\\u001b[2J\"\n");
    ck_assert_str_eq(lines[3], HEAD "event=a v=\"k=v\"\n");
    ck_assert_str_eq(lines[4], HEAD "event=a v=\"q\\\"\"\n");
}
END_TEST

START_TEST(test_long_values_are_cut_and_the_line_stays_whole)
{
    static char big[100000];
    memset(big, 'x', sizeof big - 1);
    for (int json = 0; json < 2; json++) {
        start(LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
        log_event(LOG_WARN, "a", {"v", LOG_S(big)}, {"w", LOG_S(big)}, {"x", LOG_S(big)},
                  {"y", LOG_S(big)}, {"z", LOG_S(big)}, {"last", LOG_I(1)});
        size_t length = strlen(lines[0]);
        ck_assert_uint_gt(length, 3000);
        const char *end = json ? ",\"last\":1}\n" : " last=1\n";
        ck_assert_str_eq(lines[0] + length - strlen(end), end);
    }
}
END_TEST

START_TEST(test_level)
{
    start(LOG_WARN, LOG_LOGFMT);
    log_event(LOG_INFO, "quiet");
    log_event(LOG_DEBUG, "quiet");
    ck_assert_uint_eq(line_count, 0);
    log_event(LOG_ERROR, "loud");
    ck_assert_uint_eq(line_count, 1);
}
END_TEST

START_TEST(test_rate_limit)
{
    start(LOG_INFO, LOG_LOGFMT);
    for (int i = 0; i < 50; i++)
        log_event(LOG_WARN, "flood");
    ck_assert_uint_eq(line_count, 10);
    log_event(LOG_WARN, "other"); /* one event's flood does not silence another */
    ck_assert_uint_eq(line_count, 11);
    now += USEC_PER_SEC - 1;
    log_event(LOG_WARN, "flood");
    ck_assert_uint_eq(line_count, 11);
    now += 1;
    log_event(LOG_WARN, "flood");
    ck_assert_str_eq(lines[11], HEAD "event=flood suppressed=41\n");
    log_event(LOG_WARN, "flood");
    ck_assert_uint_eq(line_count, 12);
    now += USEC_PER_HOUR;
    for (int i = 0; i < 50; i++)
        log_event(LOG_WARN, "flood");
    ck_assert_uint_eq(line_count, 22); /* an hour of quiet saves up ten lines, not 3600 */
    ck_assert_str_eq(lines[13], HEAD "event=flood\n");
}
END_TEST

START_TEST(test_more_events_than_the_table_holds)
{
    start(LOG_INFO, LOG_LOGFMT);
    char name[32];
    for (int i = 0; i < 2000; i++) {
        now += 1000;
        snprintf(name, sizeof name, "event.%d", i);
        line_count = 0;
        log_event(LOG_WARN, name);
        ck_assert_uint_eq(line_count, 1);
    }
}
END_TEST

START_TEST(test_dates)
{
    static const struct {
        usec_t wall_s;
        const char *text;
    } dates[] = {{0, "time=1970-01-01T00:00:00.000Z"},
                 {951782399, "time=2000-02-28T23:59:59.000Z"},
                 {951782400, "time=2000-02-29T00:00:00.000Z"},
                 {951868800, "time=2000-03-01T00:00:00.000Z"},
                 {1735689599, "time=2024-12-31T23:59:59.000Z"},
                 {4107542400, "time=2100-03-01T00:00:00.000Z"}};
    for (size_t i = 0; i < array_length(dates); i++) {
        start(LOG_INFO, LOG_LOGFMT);
        wall = dates[i].wall_s * USEC_PER_SEC;
        log_event(LOG_WARN, "a");
        ck_assert_int_eq(strncmp(lines[0], dates[i].text, strlen(dates[i].text)), 0);
    }
}
END_TEST

CHECK_MAIN("log", test_before_setup_nothing_happens, test_logfmt, test_json_lines,
           test_no_injection, test_long_values_are_cut_and_the_line_stays_whole, test_level,
           test_rate_limit, test_more_events_than_the_table_holds, test_dates)
