#include "base/hash.h"
#include "model/zone_held_fixture.h"
#include "model/zone_held_io.h"
#include "seam/disk.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE   "example.com"
#define FOLDER "data/zones/" ZONE "/"

static struct text said;

/* Each test runs in a folder of its own. */
static void start(void)
{
    char folder[] = "/tmp/holdfast-held-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    said = text_init(10000);
    struct held_list l = held_zone_list();
    ck_assert_int_eq(zone_held_replace("data", ZONE, &l, 77, &said), 0);
    held_list_done(&l);
}

static void finish(void)
{
    char here[256];
    ck_assert_int_eq(zone_held_remove("data", ZONE), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(rmdir(FOLDER), 0);
    ck_assert_int_eq(rmdir("data/zones"), 0);
    ck_assert_int_eq(rmdir("data"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(here), 0);
    text_done(&said);
}

static struct zone_held *held(void)
{
    struct zone_held *h;
    ck_assert_msg(zone_held_open("data", ZONE, &said, &h) == 0, "%s", text_string(&said));
    return h;
}

/* One change on the disk: the serial goes from `from` to the next. */
static void change(unsigned from, const char *removed, const char *added)
{
    struct zone_held *h = held();
    struct held_change c = held_change_lines(from, from + 1, removed, added);
    ck_assert_int_eq(zone_held_append(h, &c), 0);
    ck_assert_int_eq(zone_held_commit(h), 0);
    held_change_done(&c);
    zone_held_close(h);
}

static uint32_t serial(void)
{
    struct held_content *c;
    ck_assert_msg(zone_held_read("data", ZONE, &said, &c, NULL) == 0, "%s", text_string(&said));
    uint32_t result = c->serial;
    held_content_free(c);
    return result;
}

static char *file_get(const char *path, size_t *ret_size)
{
    char *data;
    ck_assert_int_eq(disk_read(path, 1 << 20, &data, ret_size), 0);
    return data;
}

static void file_put(const char *path, const char *data, size_t size)
{
    ck_assert_int_eq(disk_write_atomic(path, data, size, 0600), 0);
}

START_TEST(test_what_was_committed_is_there)
{
    struct stat st;
    uint64_t source;
    struct held_content *c;
    start();
    ck_assert_uint_eq(serial(), 1);
    change(1, "", "new 60 A 192.0.2.7\n");
    change(2, "new 60 A 192.0.2.7\n", "");
    change(3, "", "other 60 A 192.0.2.8\n");
    ck_assert_int_eq(zone_held_read("data", ZONE, &said, &c, &source), 0);
    ck_assert_uint_eq(c->serial, 4);
    ck_assert_uint_eq(source, 77);
    ck_assert(held_has(c, "other.example.com", DNS_A, "192.0.2.8"));
    ck_assert(!held_has(c, "new.example.com", DNS_A, "192.0.2.7"));
    held_content_free(c);
    ck_assert_int_eq(stat(FOLDER, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(FOLDER "journal", &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    finish();
}
END_TEST

START_TEST(test_nothing_is_held)
{
    struct held_content *c;
    start();
    ck_assert(zone_held_exists("data", ZONE));
    ck_assert(!zone_held_exists("data", "example.net"));
    ck_assert_int_eq(zone_held_read("data", "example.net", &said, &c, NULL), -ENOENT);
    ck_assert_str_eq(text_string(&said), "");
    finish();
}
END_TEST

/* A batch goes to the disk as one, and what was only appended is not there. */
START_TEST(test_a_batch)
{
    start();
    struct zone_held *h = held();
    struct held_change one = held_change_lines(1, 2, "", "a 60 A 192.0.2.7\n");
    struct held_change two = held_change_lines(2, 5, "a 60 A 192.0.2.7\n", "b 60 A 192.0.2.7\n");
    ck_assert_int_eq(zone_held_append(h, &one), 0);
    ck_assert_int_eq(zone_held_append(h, &one), ERR_CONFLICT);
    ck_assert_int_eq(zone_held_append(h, &two), 0);
    ck_assert_uint_eq(zone_held_content(h)->serial, 5);
    ck_assert_uint_eq(serial(), 1);
    ck_assert_int_eq(zone_held_commit(h), 0);
    ck_assert_uint_eq(serial(), 5);
    held_change_done(&one);
    held_change_done(&two);
    zone_held_close(h);
    finish();
}
END_TEST

/* Wherever a crash cuts the last write off, what was confirmed before is there and goes on. */
START_TEST(test_a_torn_tail_is_cut_and_kept)
{
    size_t first, size, torn_size;
    start();
    change(1, "", "a 60 A 192.0.2.7\n");
    free(file_get(FOLDER "journal", &first));
    change(2, "", "b 60 A 192.0.2.7\n");
    char *whole = file_get(FOLDER "journal", &size);
    for (size_t cut = first; cut < size; cut++) {
        file_put(FOLDER "journal", whole, cut);
        ck_assert_uint_eq(serial(), 2);
        change(2, "", "b 60 A 192.0.2.7\n");
        ck_assert_uint_eq(serial(), 3);
        if (cut > first) {
            char *torn = file_get(FOLDER "journal.torn", &torn_size);
            ck_assert_uint_eq(torn_size, cut - first);
            ck_assert_mem_eq(torn, whole + first, torn_size);
            free(torn);
        }
    }
    free(whole);
    finish();
}
END_TEST

static void refused(int expected)
{
    struct zone_held *h = NULL;
    struct held_content *c = NULL;
    text_reset(&said);
    ck_assert_int_eq(zone_held_open("data", ZONE, &said, &h), expected);
    ck_assert_ptr_nonnull(strstr(text_string(&said), FOLDER));
    ck_assert_int_eq(zone_held_read("data", ZONE, &said, &c, NULL), expected);
    ck_assert_ptr_null(h);
    ck_assert_ptr_null(c);
    text_reset(&said);
}

START_TEST(test_damage_is_refused_and_the_zone_can_be_given_anew)
{
    size_t base_size, size;
    start();
    char *old_base = file_get(FOLDER "base", &base_size);
    change(1, "", "a 60 A 192.0.2.7\n");
    change(2, "", "b 60 A 192.0.2.7\n");
    char *journal = file_get(FOLDER "journal", &size);

    journal[70] ^= 1; /* in the first entry */
    file_put(FOLDER "journal", journal, size);
    refused(ERR_CHECKSUM);
    file_put(FOLDER "journal", journal, 10);
    refused(ERR_TRUNCATED);
    journal[70] ^= 1;
    file_put(FOLDER "journal", journal, size);
    ck_assert_uint_eq(serial(), 3);

    old_base[base_size - 1] ^= 1;
    file_put(FOLDER "base", old_base, base_size);
    refused(ERR_CHECKSUM);
    ck_assert_int_eq(disk_remove(FOLDER "base"), 0);
    refused(ERR_MISSING);
    old_base[base_size - 1] ^= 1;

    struct held_list l = held_zone_list();
    ck_assert_int_eq(zone_held_replace("data", ZONE, &l, 0, &said), 0);
    ck_assert_uint_eq(serial(), 1);
    change(1, "", "c 60 A 192.0.2.7\n");
    ck_assert_uint_eq(serial(), 2);
    file_put(FOLDER "base", old_base, base_size); /* from a backup, without its journal */
    refused(ERR_OLDER);
    held_list_done(&l);
    free(old_base);
    free(journal);
    finish();
}
END_TEST

/* A crash between a new base and the end of the old journal. */
START_TEST(test_a_journal_of_the_base_before_is_history)
{
    size_t size;
    start();
    change(1, "", "a 60 A 192.0.2.7\n");
    char *journal = file_get(FOLDER "journal", &size);
    struct held_list l = held_zone_list();
    ck_assert_int_eq(zone_held_replace("data", ZONE, &l, 0, &said), 0);
    file_put(FOLDER "journal", journal, size);
    ck_assert_uint_eq(serial(), 1);
    change(1, "", "b 60 A 192.0.2.7\n");
    ck_assert_uint_eq(serial(), 2);
    held_list_done(&l);
    free(journal);
    finish();
}
END_TEST

START_TEST(test_a_long_journal_becomes_a_base)
{
    char line[700];
    struct stat st;
    start();
    memset(line, 'x', sizeof line);
    memcpy(line, "big 1 TXT ", 10);
    for (unsigned i = 0; i < 2; i++) {
        line[10 + i * 250] = '"';
        line[10 + i * 250 + 248] = '"';
        line[10 + i * 250 + 249] = ' ';
    }
    snprintf(line + 510, sizeof line - 510, "\n");
    for (unsigned i = 1; i <= 200; i++) {
        struct zone_held *h = held();
        struct held_change c =
            i % 2 ? held_change_lines(i, i + 1, "", line) : held_change_lines(i, i + 1, line, "");
        ck_assert_int_eq(zone_held_append(h, &c), 0);
        ck_assert_int_eq(zone_held_commit(h), 0);
        ck_assert_int_eq(zone_held_compact(h), 0);
        held_change_done(&c);
        zone_held_close(h);
        ck_assert_uint_eq(serial(), i + 1);
        if (!stat(FOLDER "journal", &st))
            ck_assert_int_lt(st.st_size, HELD_COMPACT_MIN);
    }
    finish();
}
END_TEST

/* What cannot be written is not there, neither now nor after the next change. */
START_TEST(test_a_full_disk)
{
    struct stat st;
    struct rlimit old;
    start();
    change(1, "", "a 60 A 192.0.2.7\n");
    ck_assert_int_eq(stat(FOLDER "journal", &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct zone_held *h = held();
    struct held_change c = held_change_lines(2, 3, "", "b 60 A 192.0.2.7\n");
    ck_assert_int_eq(zone_held_append(h, &c), 0);
    struct rlimit tight = {(rlim_t)st.st_size + 30, old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    ck_assert_int_eq(zone_held_commit(h), -EFBIG);
    zone_held_close(h);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_uint_eq(serial(), 2);
    struct stat after;
    ck_assert_int_eq(stat(FOLDER "journal", &after), 0);
    ck_assert_int_eq(after.st_size, st.st_size);
    change(2, "", "c 60 A 192.0.2.7\n");
    ck_assert_uint_eq(serial(), 3);
    held_change_done(&c);
    finish();
}
END_TEST

START_TEST(test_note)
{
    char back[16];
    start();
    ck_assert_int_eq(zone_held_note_read("data", ZONE, back, sizeof back), -ENOENT);
    ck_assert_int_eq(zone_held_note_write("data", ZONE, "primary", 7), 0);
    ck_assert_int_eq(zone_held_note_read("data", ZONE, back, sizeof back), 7);
    ck_assert_mem_eq(back, "primary", 7);
    ck_assert_int_eq(zone_held_note_read("data", ZONE, back, 6), ERR_LIMIT);
    ck_assert_int_eq(zone_held_note_write("data", ZONE, back, HELD_NOTE_MAX + 1), ERR_LIMIT);
    finish();
}
END_TEST

CHECK_MAIN("zone_held_io", test_what_was_committed_is_there, test_nothing_is_held, test_a_batch,
           test_a_torn_tail_is_cut_and_kept, test_damage_is_refused_and_the_zone_can_be_given_anew,
           test_a_journal_of_the_base_before_is_history, test_a_long_journal_becomes_a_base,
           test_a_full_disk, test_note)
