#include "model/snapshot_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/snapshot_format.h"
#include "model/snapshot_maker.h"
#include "test/check_main.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a folder ---- */

static char data[64];

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void folder_remove(void)
{
    nftw(data, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void folder_new(void)
{
    snprintf(data, sizeof data, "/tmp/snapshot_io_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(data));
    ck_assert_int_eq(snapshot_folders_create(data), 0);
    atexit(folder_remove);
}

static const char *plan_path(uint64_t generation)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/plan/%020llu.plan", data, (unsigned long long)generation);
    return path;
}

static const char *zone_path(uint64_t hash)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/store/%016llx.zone", data, (unsigned long long)hash);
    return path;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static unsigned count_files(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", data, folder);
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    unsigned n = 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static void file_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* Puts what maker_small() reaches, its zone under `zone`, and publishes it. */
static int publish(uint64_t generation, uint64_t zone)
{
    struct maker m = maker_small(generation);
    m.files[SMALL_ZONE].hash = zone;
    int r = store_put(data, PLAN_FILE_ZONE, zone, "zone", 4);
    if (!r)
        r = store_put(data, PLAN_FILE_NETMAP, 0x2222, "map", 3);
    if (!r)
        r = snapshot_publish(data, &m.plan);
    maker_done(&m);
    return r;
}

static void published(uint64_t generation, uint64_t zone)
{
    int r = publish(generation, zone);
    ck_assert_msg(r == 0, "publish %llu: %s", (unsigned long long)generation, err_name(r));
}

struct refusals {
    unsigned count;
    int err;
    char path[128];
};

static void refused(void *context, const char *path, int err, const char *where)
{
    struct refusals *r = context;
    ck_assert_ptr_nonnull(where);
    ck_assert_uint_gt(strlen(where), 0);
    r->count++;
    r->err = err;
    snprintf(r->path, sizeof r->path, "%s", path);
}

/* The generation that a reader above `above` gets, 0 for none. */
static uint64_t load(uint64_t above, struct refusals *r)
{
    struct refusals ignored;
    struct mapped file;
    struct plan plan;
    r = r ? r : &ignored;
    *r = (struct refusals){0};
    int err = snapshot_load(data, above, &file, &plan, refused, r);
    if (err) {
        ck_assert_int_eq(err, ERR_MISSING);
        return 0;
    }
    uint64_t generation = plan.generation;
    mapped_close(&file);
    ck_assert_ptr_null(file.data);
    return generation;
}

/* ---- publish and load ---- */

START_TEST(what_is_published_is_loaded)
{
    folder_new();
    struct mapped file;
    ck_assert_uint_eq(load(0, NULL), 0);
    published(1, 0x10);
    ck_assert_uint_eq(load(0, NULL), 1);
    ck_assert_uint_eq(load(1, NULL), 0);
    published(2, 0x10);
    ck_assert_uint_eq(load(0, NULL), 2);
    ck_assert_int_eq(store_map(data, PLAN_FILE_ZONE, 0x10, &file), 0);
    ck_assert_uint_eq(file.size, 4);
    ck_assert_mem_eq(file.data, "zone", 4);
    mapped_close(&file);
    ck_assert_int_eq(store_map(data, PLAN_FILE_ZONE, 0x99, &file), -ENOENT);
    ck_assert_uint_eq(count_files("plan"), 2); /* nothing aside is left */
    ck_assert_uint_eq(count_files("store"), 2);
}
END_TEST

START_TEST(a_reader_can_look_below_a_plan_it_cannot_serve)
{
    folder_new();
    for (uint64_t g = 1; g <= 3; g++)
        published(g, 0x10);
    struct mapped file;
    struct plan plan;
    ck_assert_int_eq(snapshot_load_between(data, 0, 3, NULL, &file, &plan, NULL, NULL), 0);
    ck_assert_uint_eq(plan.generation, 2);
    mapped_close(&file);
    ck_assert_int_eq(snapshot_load_between(data, 1, 2, NULL, &file, &plan, NULL, NULL),
                     ERR_MISSING);
}
END_TEST

START_TEST(what_is_loaded_outlives_its_file)
{
    folder_new();
    published(1, 0x10);
    struct mapped file;
    struct plan plan;
    ck_assert_int_eq(snapshot_load(data, 0, &file, &plan, NULL, NULL), 0);
    ck_assert_int_eq(truncate(plan_path(1), 0), 0); /* a mapping of the file would die here */
    ck_assert_str_eq(plan_text(&plan, plan.services[0].name), "api.example.com");
    ck_assert_int_eq(unlink(plan_path(1)), 0);
    ck_assert_str_eq(plan_text(&plan, plan.services[1].name), "split.example.com");
    mapped_close(&file);
}
END_TEST

START_TEST(only_a_higher_generation_is_published)
{
    folder_new();
    uint64_t highest = 99;
    ck_assert_int_eq(snapshot_highest(data, &highest), 0);
    ck_assert_uint_eq(highest, 0);
    published(5, 0x10);
    ck_assert_int_eq(publish(5, 0x10), ERR_OLDER);
    ck_assert_int_eq(publish(4, 0x10), ERR_OLDER);
    file_write(plan_path(9), "", 0); /* no plan, yet nobody may take its number */
    ck_assert_int_eq(snapshot_highest(data, &highest), 0);
    ck_assert_uint_eq(highest, 9);
    ck_assert_int_eq(publish(9, 0x10), ERR_OLDER);
    published(10, 0x10);
    ck_assert_uint_eq(load(0, NULL), 10);
}
END_TEST

START_TEST(names_that_are_no_plans_are_left_alone)
{
    folder_new();
    static const char *const names[] = {"plan/1.plan",
                                        "plan/00000000000000000007.plan~",
                                        "plan/99999999999999999999.plan",
                                        "plan/README",
                                        "store/xyz",
                                        "store/0000000000000010.zone.bak"};
    char path[160];
    for (size_t i = 0; i < array_length(names); i++) {
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        file_write(path, "x", 1);
    }
    uint64_t highest;
    ck_assert_int_eq(snapshot_highest(data, &highest), 0);
    ck_assert_uint_eq(highest, 0);
    for (uint64_t g = 1; g <= 5; g++)
        published(g, g);
    for (size_t i = 0; i < array_length(names); i++) {
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        ck_assert_msg(exists(path), "%s", names[i]);
    }
}
END_TEST

START_TEST(a_plan_that_no_reader_would_take_is_not_published)
{
    folder_new();
    published(1, 0x10);
    struct maker m = maker_small(2);
    ck_assert_int_eq(snapshot_publish(data, &m.plan), ERR_MISSING); /* 0x1111 is not in the store */
    m.files[SMALL_ZONE].hash = 0x10;
    m.choices[0].count = 0;
    ck_assert_int_eq(snapshot_publish(data, &m.plan), ERR_EMPTY_ANSWER);
    ck_assert_uint_eq(count_files("plan"), 1);
    ck_assert_uint_eq(load(0, NULL), 1);
    maker_done(&m);
}
END_TEST

/* ---- damaged files: the last good one stays ---- */

static uint8_t *newest_bytes(uint64_t generation, size_t *ret_size)
{
    struct maker m = maker_small(generation);
    m.files[SMALL_ZONE].hash = 0x10;
    uint8_t *bytes = snapshot_encode(&m.plan, ret_size);
    maker_done(&m);
    return bytes;
}

START_TEST(every_flipped_byte_is_refused)
{
    folder_new();
    published(1, 0x10);
    size_t size;
    uint8_t *bytes = newest_bytes(2, &size);
    struct refusals r;
    file_write(plan_path(2), bytes, size);
    int fd = open(plan_path(2), O_WRONLY);
    for (size_t i = 0; i < size; i++) {
        uint8_t flipped = bytes[i] ^ (uint8_t)(1 << i % 8);
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)i), 1);
        ck_assert_uint_eq(load(0, &r), 1);
        ck_assert_uint_eq(r.count, 1);
        ck_assert_str_eq(r.path, plan_path(2));
        ck_assert_int_eq(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
    }
    ck_assert_uint_eq(load(0, &r), 2);
    ck_assert_uint_eq(r.count, 0);
    close(fd);
    free(bytes);
}
END_TEST

START_TEST(every_torn_length_is_refused)
{
    folder_new();
    published(1, 0x10);
    size_t size;
    uint8_t *bytes = newest_bytes(2, &size);
    struct refusals r;
    file_write(plan_path(2), bytes, size);
    for (size_t length = size; length-- > 0;) {
        ck_assert_int_eq(truncate(plan_path(2), (off_t)length), 0);
        ck_assert_uint_eq(load(0, &r), 1);
        ck_assert_uint_eq(r.count, 1);
        ck_assert_int_eq(r.err, ERR_TRUNCATED);
    }
    free(bytes);
}
END_TEST

START_TEST(an_older_plan_under_a_newer_name_is_refused)
{
    folder_new();
    published(1, 0x10);
    size_t size;
    uint8_t *bytes = newest_bytes(1, &size);
    struct refusals r;
    file_write(plan_path(2), bytes, size);
    ck_assert_uint_eq(load(0, &r), 1);
    ck_assert_int_eq(r.err, ERR_INVALID);
    ck_assert_uint_eq(load(1, &r), 0);
    free(bytes);
}
END_TEST

START_TEST(a_future_version_is_refused_as_such)
{
    folder_new();
    published(1, 0x10);
    size_t size;
    uint8_t *bytes = newest_bytes(2, &size);
    struct snapshot_header *h = (struct snapshot_header *)bytes;
    struct refusals r;
    h->version++;
    h->checksum = snapshot_checksum(bytes, size);
    file_write(plan_path(2), bytes, size);
    ck_assert_uint_eq(load(0, &r), 1);
    ck_assert_int_eq(r.err, ERR_VERSION);
    free(bytes);
}
END_TEST

START_TEST(what_is_not_a_file_is_refused)
{
    folder_new();
    published(1, 0x10);
    struct refusals r;
    ck_assert_int_eq(mkdir(plan_path(2), 0700), 0);
    ck_assert_int_eq(mkfifo(plan_path(3), 0600), 0); /* would hold up whoever opens it */
    ck_assert_int_eq(symlink("/nowhere", plan_path(4)), 0);
    ck_assert_uint_eq(load(0, &r), 1);
    ck_assert_uint_ge(r.count, 2);
}
END_TEST

START_TEST(a_plan_whose_file_is_gone_is_refused)
{
    folder_new();
    published(1, 0x10);
    published(2, 0x20);
    struct refusals r;
    ck_assert_int_eq(unlink(zone_path(0x20)), 0);
    ck_assert_uint_eq(load(0, &r), 1);
    ck_assert_int_eq(r.err, ERR_MISSING);
}
END_TEST

/* ---- clean-up ---- */

START_TEST(the_newest_three_are_kept_with_what_they_reach)
{
    folder_new();
    for (uint64_t g = 1; g <= 6; g++)
        published(g, g == 5 ? 1 : g); /* 5 reaches what 1 reached, and nobody in between */
    for (uint64_t g = 1; g <= 6; g++)
        ck_assert_int_eq(exists(plan_path(g)), g >= 4);
    ck_assert(exists(zone_path(1)) && exists(zone_path(4)) && exists(zone_path(6)));
    ck_assert(!exists(zone_path(2)) && !exists(zone_path(3)));
    ck_assert_uint_eq(count_files("store"), 4);
}
END_TEST

/* The store is not listed for them; what was reached before goes all the same, and so does what
 * comes after. */
START_TEST(plans_of_the_same_files_sweep_what_was_before)
{
    folder_new();
    published(1, 1);
    published(2, 2);
    published(3, 2);
    ck_assert(exists(zone_path(1))); /* a kept plan reaches it */
    published(4, 2);
    ck_assert(!exists(zone_path(1)));
    for (uint64_t g = 5; g <= 9; g++)
        published(g, 2);
    ck_assert(exists(zone_path(2)) && !exists(plan_path(6)) && exists(plan_path(7)));
    published(10, 3);
    ck_assert(exists(zone_path(2)));
    published(11, 3);
    published(12, 3);
    ck_assert(!exists(zone_path(2)) && exists(zone_path(3)));
    ck_assert_uint_eq(count_files("store"), 2);
    ck_assert_uint_eq(load(0, NULL), 12);

    /* a file that is gone is missed where it matters: by a plan that is the first to reach it */
    struct maker m = maker_small(13);
    m.files[SMALL_ZONE].hash = 2;
    ck_assert_int_eq(snapshot_publish(data, &m.plan), ERR_MISSING);
    maker_done(&m);
}
END_TEST

static void published_by_another(uint64_t generation, uint64_t zone)
{
    pid_t child = fork();
    if (!child)
        _exit(publish(generation, zone) ? 1 : 0);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* Zones come, go and come back; now and then another process publishes, or a plan is damaged. */
START_TEST(the_store_holds_what_kept_plans_reach_and_nothing_else)
{
    enum { SEED = 20261122, ROUNDS = 400, ZONES = 7, KEPT = 3, CALM = 8 };
    struct random r = random_init(SEED);
    uint64_t zones[ROUNDS + 1] = {0}, damaged_at = 0;
    folder_new();
    for (uint64_t g = 1; g <= ROUNDS; g++) {
        zones[g] = random_u64(&r) % 3 && g > 1 ? zones[g - 1] : 1 + random_u64(&r) % ZONES;
        if (random_u64(&r) % 32)
            published(g, zones[g]);
        else
            published_by_another(g, zones[g]);
        bool reached[ZONES + 1] = {false};
        for (uint64_t i = 0; i < KEPT && i < g; i++)
            reached[zones[g - i]] = true;
        for (uint64_t z = 1; z <= ZONES; z++) {
            ck_assert_msg(!reached[z] || exists(zone_path(z)), "%llu at %llu is gone",
                          (unsigned long long)z, (unsigned long long)g);
            ck_assert_msg(reached[z] || !exists(zone_path(z)) ||
                              (damaged_at && g < damaged_at + CALM),
                          "%llu at %llu was left", (unsigned long long)z, (unsigned long long)g);
        }
        if (random_u64(&r) % 64 == 0) {
            ck_assert_int_eq(truncate(plan_path(g), 100), 0);
            damaged_at = g;
        }
    }
}
END_TEST

START_TEST(age_means_nothing)
{
    folder_new();
    published(1, 7);
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    ck_assert_int_eq(utimensat(AT_FDCWD, zone_path(7), old, 0), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, plan_path(1), old, 0), 0);
    for (uint64_t g = 2; g <= 9; g++)
        published(g, 7);
    ck_assert(exists(zone_path(7)));
    ck_assert_uint_eq(load(0, NULL), 9);
}
END_TEST

START_TEST(what_was_put_for_a_plan_to_come_stays)
{
    folder_new();
    published(1, 1);
    ck_assert_int_eq(store_put(data, PLAN_FILE_ZONE, 0x77, "next", 4), 0);
    for (uint64_t g = 2; g <= 6; g++)
        published(g, 2);
    ck_assert(exists(zone_path(0x77)) && !exists(zone_path(1)));
    struct maker m = maker_small(7);
    m.files[SMALL_ZONE].hash = 0x77;
    ck_assert_int_eq(snapshot_publish(data, &m.plan), 0);
    for (uint64_t g = 8; g <= 10; g++)
        published(g, 2);
    ck_assert(!exists(zone_path(0x77))); /* reached once, and by nobody now */
    maker_done(&m);
}
END_TEST

START_TEST(what_another_process_left_is_swept_by_reachability)
{
    folder_new();
    file_write(zone_path(0x55), "left", 4);
    published(1, 1);
    ck_assert(!exists(zone_path(0x55)));
}
END_TEST

START_TEST(a_kept_plan_that_cannot_be_read_keeps_every_file)
{
    folder_new();
    for (uint64_t g = 1; g <= 3; g++)
        published(g, g);
    ck_assert_int_eq(truncate(plan_path(3), 100), 0);
    published(4, 4);
    published(5, 5);
    /* usable: 5, 4, 2; unreadable but new: 3; every file is still there */
    ck_assert(exists(plan_path(2)) && exists(plan_path(3)) && !exists(plan_path(1)));
    for (uint64_t z = 1; z <= 5; z++)
        ck_assert(exists(zone_path(z)));
    published(6, 6); /* three newer ones can be read: 3 goes, and what nobody reaches with it */
    ck_assert(!exists(plan_path(3)) && !exists(plan_path(2)));
    ck_assert(!exists(zone_path(1)) && !exists(zone_path(2)) && !exists(zone_path(3)));
    ck_assert(exists(zone_path(4)) && exists(zone_path(5)) && exists(zone_path(6)));
}
END_TEST

START_TEST(a_damaged_file_of_the_store_is_put_again)
{
    folder_new();
    published(1, 1);
    file_write(zone_path(1), "zo", 2);
    ck_assert_int_eq(store_put(data, PLAN_FILE_ZONE, 1, "zone", 4), 0);
    struct mapped file;
    ck_assert_int_eq(store_map(data, PLAN_FILE_ZONE, 1, &file), 0);
    ck_assert_uint_eq(file.size, 4);
    mapped_close(&file);
}
END_TEST

START_TEST(what_a_dead_writer_left_half_written_goes)
{
    folder_new();
    static const char *const folders[] = {"plan", "store"};
    char path[128];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/.tmp-0123456789abcdef", data, folders[i]);
        file_write(path, "half", 4);
    }
    published(1, 1);
    ck_assert_uint_eq(count_files("plan"), 1);
    ck_assert_uint_eq(count_files("store"), 2);
}
END_TEST

/* ---- failures leave everything as it was ---- */

START_TEST(another_publisher_is_kept_out)
{
    folder_new();
    published(1, 1);
    char folder[128];
    snprintf(folder, sizeof folder, "%s/plan", data);
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(publish(2, 1), ERR_CONFLICT);
    close(fd);
    published(2, 1);
}
END_TEST

START_TEST(a_limit_on_file_sizes_leaves_all_as_it_was)
{
    folder_new();
    published(1, 1);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t most = 5; most < 2000; most += 97) {
        limit = (struct rlimit){most, before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(publish(2, 1), -EFBIG);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_uint_eq(count_files("plan"), 1);
        ck_assert_uint_eq(load(0, NULL), 1);
    }
    published(2, 1);
}
END_TEST

/* In a mount namespace of its own: a small tmpfs, filled to the brim and then made read-only. Exits
 * 0 when all held, 77 where the kernel does not let us, else the number of the check that failed.
 */
static int small_disk(void)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", data, "tmpfs", 0, "size=128k"))
        return 77;
    if (snapshot_folders_create(data) || publish(1, 1))
        return 1;
    static char filler[4096];
    char path[128];
    snprintf(path, sizeof path, "%s/filler", data);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, filler, sizeof filler) > 0)
        ;
    if (publish(2, 1) != -ENOSPC || count_files("plan") != 1 || load(0, NULL) != 1)
        return 2;
    if (store_put(data, PLAN_FILE_ZONE, 3, filler, sizeof filler) != -ENOSPC ||
        count_files("store") != 2)
        return 3;
    close(fd);
    unlink(path);
    if (publish(2, 1) != 0 || load(0, NULL) != 2)
        return 4;
    if (mount("none", data, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL))
        return 77;
    if (publish(3, 1) != -EROFS || load(0, NULL) != 2)
        return 5;
    return 0;
}

START_TEST(a_full_or_read_only_disk_leaves_all_as_it_was)
{
    folder_new();
    pid_t child = fork();
    if (child == 0)
        _exit(small_disk());
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        printf("# skipped: no mount namespace of our own here\n");
    else
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* A publisher that is killed anywhere leaves a folder that a reader and a new publisher can use. */
START_TEST(a_killed_publisher_leaves_a_whole_plan)
{
    folder_new();
    published(1, 1);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t highest;
        ck_assert_int_eq(snapshot_highest(data, &highest), 0);
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t g = highest + 1;; g++)
                if (publish(g, g % 5))
                    _exit(1);
        }
        usleep(500 * (round % 13));
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        struct refusals r;
        ck_assert_uint_ge(load(0, &r), highest);
        ck_assert_uint_eq(r.count, 0);
    }
    uint64_t highest;
    ck_assert_int_eq(snapshot_highest(data, &highest), 0);
    for (uint64_t g = highest + 1; g <= highest + 3; g++)
        published(g, 1);
    ck_assert_uint_eq(count_files("plan"), SNAPSHOT_KEEP);
    ck_assert_uint_eq(count_files("store"), 2);
}
END_TEST

/* ---- readers beside a publisher ---- */

enum { READERS = 2, GENERATIONS = 150 };
static atomic_bool ended;

static void *reader(void *argument)
{
    uintptr_t broken = 0;
    uint64_t served = 0;
    (void)argument;
    while (!atomic_load(&ended) || served < GENERATIONS) {
        struct mapped file, zone;
        struct plan plan;
        int r = snapshot_load(data, served, &file, &plan, NULL, NULL);
        if (r == ERR_MISSING) {
            sched_yield();
            continue;
        }
        if (r || plan.generation <= served)
            broken++;
        /* The publisher may have gone on and swept the zone: then a newer plan is there. */
        if (!r && store_map(data, PLAN_FILE_ZONE, plan.files[SMALL_ZONE].hash, &zone) == 0) {
            served = plan.generation;
            mapped_close(&zone);
        }
        if (!r)
            mapped_close(&file);
    }
    return (void *)broken;
}

START_TEST(readers_beside_a_publisher_only_go_forward)
{
    folder_new();
    published(1, 1);
    pthread_t threads[READERS];
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, NULL), 0);
    for (uint64_t g = 2; g <= GENERATIONS; g++)
        published(g, g);
    atomic_store(&ended, true);
    for (unsigned i = 0; i < READERS; i++) {
        void *broken;
        ck_assert_int_eq(pthread_join(threads[i], &broken), 0);
        ck_assert_ptr_null(broken);
    }
}
END_TEST

/* ---- a writer of the store beside a publisher ---- */

enum { WRITTEN = 40, WRITTEN_SIZE = 1 << 20 };

static void *writer(void *argument)
{
    uintptr_t failed = 0;
    uint8_t *bytes = calloc(1, WRITTEN_SIZE);
    (void)argument;
    for (uint64_t i = 0; i < WRITTEN; i++) {
        memcpy(bytes, &i, sizeof i);
        failed += store_put(data, PLAN_FILE_ZONE, 0xabcd0000 + i, bytes, WRITTEN_SIZE) != 0;
    }
    free(bytes);
    atomic_store(&ended, true);
    return (void *)failed;
}

/* Large files are written without the publisher's lock; its clean-up takes nothing of them for the
 * leftovers of a dead writer. */
START_TEST(a_writer_beside_a_publisher_is_left_alone)
{
    folder_new();
    published(1, 1);
    pthread_t thread;
    struct mapped file;
    void *failed;
    atomic_store(&ended, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, writer, NULL), 0);
    for (uint64_t g = 2; !atomic_load(&ended); g++)
        published(g, g % 3);
    ck_assert_int_eq(pthread_join(thread, &failed), 0);
    ck_assert_ptr_null(failed);
    for (uint64_t i = 0; i < WRITTEN; i++) {
        ck_assert_int_eq(store_map(data, PLAN_FILE_ZONE, 0xabcd0000 + i, &file), 0);
        ck_assert_uint_eq(file.size, WRITTEN_SIZE);
        mapped_close(&file);
    }
}
END_TEST

START_TEST(a_watcher_wakes_up)
{
    folder_new();
    int fd;
    ck_assert_int_eq(snapshot_watch_open(data, &fd), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 0), 0);
    published(1, 1);
    ck_assert_int_eq(poll(&p, 1, 1000), 1);
    snapshot_watch_drain(fd);
    ck_assert_int_eq(poll(&p, 1, 0), 0);
    close(fd);
    ck_assert_int_eq(snapshot_watch_open("/nowhere", &fd), -ENOENT);
}
END_TEST

CHECK_MAIN("snapshot_io", what_is_published_is_loaded, a_writer_beside_a_publisher_is_left_alone,
           a_reader_can_look_below_a_plan_it_cannot_serve, what_is_loaded_outlives_its_file,
           only_a_higher_generation_is_published, names_that_are_no_plans_are_left_alone,
           a_plan_that_no_reader_would_take_is_not_published, every_flipped_byte_is_refused,
           every_torn_length_is_refused, an_older_plan_under_a_newer_name_is_refused,
           a_future_version_is_refused_as_such, what_is_not_a_file_is_refused,
           a_plan_whose_file_is_gone_is_refused, the_newest_three_are_kept_with_what_they_reach,
           plans_of_the_same_files_sweep_what_was_before,
           the_store_holds_what_kept_plans_reach_and_nothing_else, age_means_nothing,
           what_was_put_for_a_plan_to_come_stays,
           what_another_process_left_is_swept_by_reachability,
           a_kept_plan_that_cannot_be_read_keeps_every_file,
           a_damaged_file_of_the_store_is_put_again, what_a_dead_writer_left_half_written_goes,
           another_publisher_is_kept_out, a_limit_on_file_sizes_leaves_all_as_it_was,
           a_full_or_read_only_disk_leaves_all_as_it_was, a_killed_publisher_leaves_a_whole_plan,
           readers_beside_a_publisher_only_go_forward, a_watcher_wakes_up)
