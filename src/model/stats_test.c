#include "base/err.h"
#include "model/stats.h"
#include "test/check_main.h"
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static void folder_new(void)
{
    snprintf(folder, sizeof folder, "/tmp/stats_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/run/%s", folder, name);
    return path;
}

static void folder_remove(void)
{
    unlink(in_folder("dns.stats"));
    rmdir(in_folder(""));
    rmdir(folder);
}

START_TEST(test_names_follow_conventions)
{
    for (int i = 0; i < STATS; i++) {
        const struct stat_info *s = &stat_infos[i];
        ck_assert_msg(strncmp(s->name, "holdfast_", 9) == 0, "%s", s->name);
        const char *total = strstr(s->name, "_total");
        ck_assert_msg((s->kind == STAT_counter) == (total && !total[6]), "%s", s->name);
        ck_assert_msg((s->kind == STAT_gauge_us) == (strstr(s->name, "_seconds") != NULL), "%s",
                      s->name);
        ck_assert_ptr_null(strstr(s->name, "microseconds"));
        ck_assert_msg(s->help[strlen(s->help) - 1] == '.', "%s", s->name);
    }
}
END_TEST

START_TEST(test_values_are_read_by_another)
{
    struct stats_file w, r;
    folder_new();
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_MISSING);
    ck_assert_int_eq(stats_create(folder, "dns", 2, &w), 0);
    stats_add(&w.threads[0], DNS_QUERIES_UDP, 3);
    stats_add(&w.threads[1], DNS_QUERIES_UDP, 4);
    stats_set(&w.threads[0], PLAN_GENERATION, 9);
    stats_set(&w.threads[1], PLAN_GENERATION, 8);
    stats_set(&w.threads[0], DNS_TCP_CLIENTS, 5);
    stats_set(&w.threads[1], DNS_TCP_CLIENTS, 6);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    ck_assert_uint_eq(stats_value(&r, DNS_QUERIES_UDP), 7);
    ck_assert_uint_eq(stats_value(&r, PLAN_GENERATION), 8);
    ck_assert_uint_eq(stats_value(&r, DNS_TCP_CLIENTS), 11);
    ck_assert_str_eq(r.header->role, "dns");
    ck_assert_int_eq((int)r.header->pid, getpid());
    stats_close(&r);
    stats_close(&w);
    folder_remove();
}
END_TEST

START_TEST(test_note)
{
    struct stats_file w, r;
    char note[STATS_NOTE_MAX], long_note[2 * STATS_NOTE_MAX];
    folder_new();
    ck_assert_int_eq(stats_create(folder, "dns", 2, &w), 0);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    stats_note_get(&r, note);
    ck_assert_str_eq(note, "");
    memset(long_note, 'x', sizeof long_note);
    long_note[sizeof long_note - 1] = '\0';
    stats_note_set(&w, long_note);
    stats_note_get(&r, note);
    ck_assert_uint_eq(strlen(note), STATS_NOTE_MAX - 1);
    stats_note_set(&w, "eth0 by raw packets");
    stats_add(&w.threads[1], TELL_CLIENTS, UINT64_MAX); /* the last counter does not reach it */
    stats_note_get(&r, note);
    ck_assert_str_eq(note, "eth0 by raw packets");
    stats_close(&r);
    stats_close(&w);
    folder_remove();
}
END_TEST

/* L1: what was counted is there after the process died, and goes on from there. */
START_TEST(test_counters_outlive_the_process)
{
    struct stats_file r, w;
    folder_new();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (stats_create(folder, "dns", 3, &w))
            _exit(1);
        stats_add(&w.threads[2], DNS_STEERED, 42);
        stats_set(&w.threads[2], DNS_TCP_CLIENTS, 17);
        abort();
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    ck_assert(!stats_alive(&r));
    ck_assert_uint_eq(stats_value(&r, DNS_STEERED), 42);
    ck_assert_int_eq(stats_create(folder, "dns", 1, &w), 0);
    stats_close(&r);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    ck_assert(stats_alive(&r));
    stats_add(&w.threads[0], DNS_STEERED, 1);
    ck_assert_uint_eq(stats_value(&r, DNS_STEERED), 43);
    ck_assert_uint_eq(stats_value(&r, DNS_TCP_CLIENTS), 0);
    stats_close(&w);
    ck_assert(!stats_alive(&r));
    stats_close(&r);
    folder_remove();
}
END_TEST

static void file_patch(off_t at, const void *bytes, size_t length)
{
    int fd = open(in_folder("dns.stats"), O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, bytes, length, at), (int)length);
    close(fd);
}

START_TEST(test_foreign_files_are_refused_and_replaced)
{
    struct stats_file w, r;
    folder_new();
    ck_assert_int_eq(stats_create(folder, "dns", 1, &w), 0);
    stats_close(&w);
    uint32_t version = 99, threads = 200;
    file_patch(offsetof(struct stats_header, thread_count), &threads, sizeof threads);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_TRUNCATED);
    file_patch(offsetof(struct stats_header, version), &version, sizeof version);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_VERSION);
    file_patch(0, "x", 1);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_MAGIC);
    ck_assert_int_eq(truncate(in_folder("dns.stats"), 10), 0);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_TRUNCATED);
    ck_assert_int_eq(truncate(in_folder("dns.stats"), 0), 0);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_TRUNCATED);
    ck_assert_int_eq(stats_create(folder, "dns", 1, &w), 0);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    stats_close(&r);
    stats_close(&w);
    folder_remove();
}
END_TEST

/* A new program takes over while the old one still answers: neither disturbs the other's counters,
 * the reader sees the new one's, and handing over again and again does not make the file grow. */
START_TEST(test_take_over_from_the_living)
{
    struct stats_file old, new, r;
    struct stat st;
    off_t size = 0;
    folder_new();
    ck_assert_int_eq(stats_create(folder, "dns", 2, &old), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        stats_add(&old.threads[1], DNS_STEERED, 10);
        stats_set(&old.threads[1], DNS_TCP_CLIENTS, 7);
        ck_assert_int_eq(stats_create(folder, "dns", 2 + (unsigned)(i % 3), &new), 0);
        stats_add(&old.threads[1], DNS_STEERED, 1000);
        stats_add(&new.threads[1], DNS_STEERED, 1);
        ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
        ck_assert_uint_eq(stats_value(&r, DNS_STEERED), i * 11);
        ck_assert_uint_eq(stats_value(&r, DNS_TCP_CLIENTS), 0);
        ck_assert(stats_alive(&r));
        stats_close(&old);
        ck_assert(stats_alive(&r));
        stats_close(&r);
        ck_assert_int_eq(stat(in_folder("dns.stats"), &st), 0);
        if (i == 8)
            size = st.st_size;
        old = new;
    }
    ck_assert_int_eq(st.st_size, size);
    stats_close(&old);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    ck_assert(!stats_alive(&r));
    stats_close(&r);
    folder_remove();
}
END_TEST

/* The old program may have another list of counters. */
START_TEST(test_take_over_from_another_program)
{
    struct stats_file old, new, r;
    uint32_t pid = 0;
    uint64_t layout = 1;
    folder_new();
    ck_assert_int_eq(stats_pid(folder, "dns", &pid), ERR_MISSING);
    ck_assert_int_eq(stats_create(folder, "dns", 2, &old), 0);
    file_patch(offsetof(struct stats_header, layout), &layout, sizeof layout);
    ck_assert_int_eq(stats_open(folder, "dns", &r), ERR_VERSION);
    ck_assert_int_eq(stats_pid(folder, "dns", &pid), 0);
    ck_assert_int_eq((int)pid, getpid());
    ck_assert_int_eq(stats_create(folder, "dns", 2, &new), 0);
    memset(old.threads, 0xff, 2 * sizeof *old.threads);
    ck_assert_int_eq(stats_open(folder, "dns", &r), 0);
    for (int i = 0; i < STATS; i++)
        ck_assert_uint_eq(stats_value(&r, (enum stat_id)i), 0);
    stats_close(&r);
    stats_close(&new);
    stats_close(&old);
    folder_remove();
}
END_TEST

START_TEST(test_private_needs_no_disk)
{
    struct stats_file f;
    ck_assert_int_lt(stats_create("/nonexistent/folder", "dns", 1, &f), 0);
    stats_private("dns", 2, &f);
    stats_add(&f.threads[1], DNS_STEERED, 2);
    ck_assert_uint_eq(stats_value(&f, DNS_STEERED), 2);
    stats_close(&f);
}
END_TEST

CHECK_MAIN("stats", test_names_follow_conventions, test_values_are_read_by_another, test_note,
           test_counters_outlive_the_process, test_foreign_files_are_refused_and_replaced,
           test_take_over_from_the_living, test_take_over_from_another_program,
           test_private_needs_no_disk)
