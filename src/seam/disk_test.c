#include "seam/disk.h"

#include "base/err.h"
#include "test/check_main.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every test works in a folder of its own, as the working directory. */
static char folder[] = "/tmp/holdfast-disk-XXXXXX";

static int remove_one(void *context, const char *name)
{
    (void)context;
    if (unlink(name) && errno == EISDIR)
        rmdir(name);
    return 0;
}

static void folder_setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void folder_teardown(void)
{
    int err = disk_list(folder, remove_one, NULL);
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int count_one(void *context, const char *name)
{
    (void)name;
    ++*(int *)context;
    return 0;
}

static int names_in(const char *path)
{
    int count = 0;
    ck_assert_int_eq(disk_list(path, count_one, &count), 0);
    return count;
}

static void assert_content(const char *path, const char *expected)
{
    char *data;
    size_t length;
    ck_assert_int_eq(disk_read(path, 1000, &data, &length), 0);
    ck_assert_str_eq(data, expected);
    ck_assert_uint_eq(length, strlen(expected));
    free(data);
}

START_TEST(test_write_and_read)
{
    ck_assert_int_eq(disk_write_atomic("a", "one", 3, 0640), 0);
    assert_content("a", "one");
    struct stat st;
    ck_assert_int_eq(stat("a", &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(disk_write_atomic("./a", "two", 3, 0644), 0);
    assert_content("a", "two");
    ck_assert_int_eq(disk_write_atomic("empty", NULL, 0, 0644), 0);
    assert_content("empty", "");
    ck_assert_int_eq(names_in("."), 2);
}
END_TEST

/* Calls to read and write, of all of this process. */
static long calls(const char *which)
{
    char line[64];
    long count = -1;
    FILE *f = fopen("/proc/self/io", "re");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, which, strlen(which)))
            count = strtol(line + strlen(which), NULL, 10);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_ge(count, 0);
    return count;
}

/* A call into the kernel may keep a core from the threads that answer (doc/internals/smooth.md). */
START_TEST(test_no_call_takes_long)
{
    enum { SIZE = 1 << 20, LEAST = SIZE >> 16 };
    static char bytes[SIZE];
    memset(bytes, 'x', sizeof bytes);
    long before = calls("syscw: ");
    ck_assert_int_eq(disk_write_atomic("large", bytes, sizeof bytes, 0600), 0);
    ck_assert_int_ge(calls("syscw: ") - before, LEAST);

    char *data;
    const uint8_t *copy;
    size_t size;
    before = calls("syscr: ");
    ck_assert_int_eq(disk_read("large", SIZE, &data, &size), 0);
    ck_assert_int_ge(calls("syscr: ") - before, LEAST);
    ck_assert(size == SIZE && !memcmp(data, bytes, SIZE));
    before = calls("syscr: ");
    ck_assert_int_eq(disk_copy("large", SIZE, &copy, &size), 0);
    ck_assert_int_ge(calls("syscr: ") - before, LEAST);
    ck_assert(size == SIZE && !memcmp(copy, bytes, SIZE));
    disk_unmap(copy, size);
    free(data);
}
END_TEST

START_TEST(test_read_limits)
{
    enum { SIZE = 70000 };
    static char big[SIZE];
    memset(big, 'x', SIZE);
    char *data = NULL;
    size_t length = 7;
    ck_assert_int_eq(disk_write_atomic("big", big, SIZE, 0600), 0);
    ck_assert_int_eq(disk_read("big", SIZE - 1, &data, &length), -EFBIG);
    ck_assert_int_eq(disk_read("big", 10, &data, &length), -EFBIG);
    ck_assert_int_eq(disk_read("big", 0, &data, &length), -EFBIG);
    ck_assert_int_eq(disk_read("missing", 10, &data, &length), -ENOENT);
    ck_assert_int_eq(disk_read(".", 10, &data, &length), -EISDIR);
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(length, 7);
    ck_assert_int_eq(disk_read("big", SIZE, &data, &length), 0);
    ck_assert_uint_eq(length, SIZE);
    ck_assert_mem_eq(data, big, SIZE);
    ck_assert_int_eq(data[SIZE], '\0');
    free(data);
    ck_assert_int_eq(disk_read("big", 10 * SIZE, &data, &length), 0);
    ck_assert_uint_eq(length, SIZE);
    free(data);
}
END_TEST

START_TEST(test_failed_write_leaves_the_old_file)
{
    static char big[100000];
    ck_assert_int_eq(disk_write_atomic("a", "old", 3, 0644), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){50000, 50000}), 0);
    ck_assert_int_eq(disk_write_atomic("a", big, sizeof big, 0644), -EFBIG);
    assert_content("a", "old");
    ck_assert_int_eq(names_in("."), 1); /* nothing left aside */
    ck_assert_int_eq(disk_write_atomic("missing/a", "x", 1, 0644), -ENOENT);
    ck_assert_int_eq(mkdir("b", 0755), 0);
    ck_assert_int_eq(disk_write_atomic("b", "x", 1, 0644), -EISDIR);
    ck_assert_int_eq(names_in("."), 2);
}
END_TEST

/* A pipe that nobody writes to is neither waited for nor taken for an empty file; what somebody
 * writes is read to its end (`holdfast check <(...)`). */
START_TEST(test_read_pipe)
{
    char *data;
    size_t length;
    ck_assert_int_eq(mkfifo("p", 0600), 0);
    alarm(5);
    ck_assert_int_eq(disk_read("p", 100, &data, &length), -EPIPE);
    int keep = open("p", O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(keep, 0);
    pid_t writer = fork();
    if (!writer) {
        usleep(50000);
        _exit(write(keep, "late", 4) != 4);
    }
    close(keep);
    ck_assert_int_eq(disk_read("p", 100, &data, &length), 0);
    ck_assert_str_eq(data, "late");
    free(data);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
}
END_TEST

START_TEST(test_append)
{
    ck_assert_int_eq(disk_append("a", 0, "x", 1), -ENOENT);
    ck_assert_int_eq(disk_write_atomic("a", "head", 4, 0600), 0);
    ck_assert_int_eq(disk_append("a", 4, " one", 4), 0);
    ck_assert_int_eq(disk_append("a", 4, " two more", 9), 0); /* what lay behind goes */
    assert_content("a", "head two more");
    ck_assert_int_eq(disk_append("a", 6, NULL, 0), 0);
    assert_content("a", "head t");
    ck_assert_int_eq(disk_append("a", 7, "x", 1), -EIO);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8, 8}), 0);
    ck_assert_int_eq(disk_append("a", 6, "wo and", 6), -EFBIG);
    assert_content("a", "head t");
}
END_TEST

static bool file_put(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, content, strlen(content)) > 0;
    close(fd);
    return done;
}

/* Enters a mount namespace where we are root, which takes a user namespace where we are not. */
static bool namespace_enter(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    if (!geteuid())
        return !unshare(CLONE_NEWNS);
    return !unshare(CLONE_NEWUSER | CLONE_NEWNS) && file_put("/proc/self/uid_map", users) &&
           file_put("/proc/self/setgroups", "deny") && file_put("/proc/self/gid_map", groups);
}

/* A file system of 64 KiB of our own; false where we may not have one. */
static bool small_disk_mount(void)
{
    if (!namespace_enter() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mkdir("small", 0755))
        return false;
    return !mount("tmpfs", "small", "tmpfs", 0, "size=64k,mode=777");
}

START_TEST(test_full_disk)
{
    static char big[200000];
    if (!small_disk_mount()) {
        rmdir("small");
        return; /* not allowed here; test_failed_write_leaves_the_old_file covers the path */
    }
    ck_assert_int_eq(disk_write_atomic("small/a", "old", 3, 0644), 0);
    ck_assert_int_eq(disk_write_atomic("small/a", big, sizeof big, 0644), -ENOSPC);
    assert_content("small/a", "old");
    ck_assert_int_eq(names_in("small"), 1);
    ck_assert_int_eq(disk_write_atomic("small/a", "new", 3, 0644), 0);
    assert_content("small/a", "new");
    ck_assert_int_eq(umount2("small", MNT_DETACH), 0);
    ck_assert_int_eq(rmdir("small"), 0);
}
END_TEST

START_TEST(test_map)
{
    const uint8_t *data = NULL;
    size_t size = 7;
    ck_assert_int_eq(disk_write_atomic("a", "hello", 5, 0644), 0);
    ck_assert_int_eq(disk_map("a", &data, &size), 0);
    ck_assert_uint_eq(size, 5);
    /* Replacing the file does not touch what is mapped: the receiver's swap rests on this (L2). */
    ck_assert_int_eq(disk_write_atomic("a", "HELLO WORLD", 11, 0644), 0);
    ck_assert_mem_eq(data, "hello", 5);
    disk_unmap(data, size);
    ck_assert_int_eq(disk_write_atomic("a", "", 0, 0644), 0);
    ck_assert_int_eq(disk_map("a", &data, &size), 0);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(size, 0);
    disk_unmap(data, size);
    disk_unmap(NULL, 0);
    ck_assert_int_eq(disk_map("missing", &data, &size), -ENOENT);
    ck_assert_int_eq(disk_map(".", &data, &size), -EINVAL);
    ck_assert_int_eq(mkfifo("pipe", 0644), 0);
    ck_assert_int_eq(disk_map("pipe", &data, &size), -EINVAL); /* and does not wait for a writer */
}
END_TEST

START_TEST(test_copy)
{
    const uint8_t *data = NULL;
    size_t size = 7;
    ck_assert_int_eq(disk_write_atomic("a", "hello", 5, 0644), 0);
    ck_assert_int_eq(disk_copy("a", 5, &data, &size), 0);
    ck_assert_uint_eq(size, 5);
    /* What is done to the file itself does not reach it, as it would reach a mapping (L1). */
    ck_assert_int_eq(disk_append("a", 0, "HELLO", 5), 0);
    ck_assert_mem_eq(data, "hello", 5);
    disk_unmap(data, size);
    ck_assert_int_eq(disk_copy("a", 4, &data, &size), -EFBIG);
    ck_assert_int_eq(disk_copy("missing", 4, &data, &size), -ENOENT);
    ck_assert_int_eq(disk_copy(".", 4, &data, &size), ERR_MAGIC);
    ck_assert_int_eq(disk_append("a", 0, "", 0), 0);
    ck_assert_int_eq(disk_copy("a", 4, &data, &size), ERR_TRUNCATED);
    ck_assert_int_eq(disk_readable("a"), 0);
    ck_assert_int_eq(disk_readable("missing"), -ENOENT);
}
END_TEST

START_TEST(test_folder_lock)
{
    int lock, second;
    ck_assert_int_eq(disk_folder_lock(".", &lock), 0);
    ck_assert_int_eq(disk_folder_lock(".", &second), -EWOULDBLOCK);
    ck_assert_int_eq(disk_folder_sync(lock), 0);
    disk_folder_unlock(lock);
    ck_assert_int_eq(disk_folder_lock(".", &second), 0);
    disk_folder_unlock(second);
    ck_assert_int_eq(disk_folder_lock("missing", &second), -ENOENT);
}
END_TEST

START_TEST(test_folders_and_lists)
{
    ck_assert_int_eq(disk_folder_create("a/b//c/", 0755), 0);
    ck_assert_int_eq(disk_folder_create("a/b/c", 0755), 0);
    ck_assert_int_eq(disk_folder_create(folder, 0755), 0);
    ck_assert_int_eq(disk_folder_create("", 0755), -ENOENT);
    ck_assert_int_eq(disk_write_atomic("a/file", "x", 1, 0644), 0);
    ck_assert_int_eq(disk_folder_create("a/file", 0755), -ENOTDIR);
    ck_assert_int_eq(disk_folder_create("a/file/b", 0755), -ENOTDIR);
    ck_assert_int_eq(names_in("a"), 2);
    int none = 0;
    ck_assert_int_eq(disk_list("missing", count_one, &none), -ENOENT);
    ck_assert_int_eq(disk_remove("a/file"), 0);
    ck_assert_int_eq(disk_remove("a/file"), -ENOENT);
    ck_assert_int_ne(disk_remove("a/b"), 0);
    ck_assert_int_eq(rmdir("a/b/c") | rmdir("a/b"), 0);
}
END_TEST

static int stop_at_once(void *context, const char *name)
{
    (void)name;
    ++*(int *)context;
    return 5;
}

START_TEST(test_list_stops)
{
    int calls = 0;
    ck_assert_int_eq(disk_write_atomic("a", "", 0, 0644), 0);
    ck_assert_int_eq(disk_write_atomic("b", "", 0, 0644), 0);
    ck_assert_int_eq(disk_list(".", stop_at_once, &calls), 5);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(test_long_paths)
{
    char path[2 * PATH_MAX];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    path[PATH_MAX - 2] = '/';
    ck_assert_int_eq(disk_write_atomic(path, "", 0, 0644), -ENAMETOOLONG);
    path[PATH_MAX] = '/';
    ck_assert_int_eq(disk_write_atomic(path, "", 0, 0644), -ENAMETOOLONG);
    ck_assert_int_eq(disk_folder_create(path, 0755), -ENAMETOOLONG);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_write_and_read,
        test_no_call_takes_long,
        test_read_limits,
        test_failed_write_leaves_the_old_file,
        test_full_disk,
        test_map,
        test_folders_and_lists,
        test_list_stops,
        test_long_paths,
        test_read_pipe,
        test_append,
        test_copy,
        test_folder_lock,
    };
    Suite *suite = suite_create("disk");
    TCase *tcase = tcase_create("disk");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
