#include "seam/disk.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "seam/entropy.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes that one system call moves. A kernel without preemption gives the core to nobody, not even
 * to a thread that answers, before the call is over; a tenth of a millisecond is what others may be
 * asked to wait. */
enum { CALL_MAX = 1 << 16 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int open_retried(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Reads up to `max` bytes and one more, to tell a file that is too long. */
static int read_all(int fd, size_t max, char **ret_data, size_t *ret_length)
{
    enum { SIZE_FIRST = 4096 };
    size_t size = max < SIZE_FIRST ? max + 2 : SIZE_FIRST, length = 0;
    char *data = mem_new(size, 1);
    int err = 0;
    for (;;) {
        ssize_t n = read(fd, data + length, min_size(size - 1 - length, CALL_MAX));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = -errno;
        if (n <= 0)
            break;
        length += (size_t)n;
        if (length > max) {
            err = -EFBIG;
            break;
        }
        if (length == size - 1) {
            size = max - length < size ? max + 2 : size * 2;
            data = mem_resize(data, size, 1);
        }
    }
    if (err) {
        free(data);
        return err;
    }
    data[length] = '\0';
    *ret_data = data;
    *ret_length = length;
    return 0;
}

int disk_read(const char *path, size_t max, char **ret_data, size_t *ret_length)
{
    invariant(max < SIZE_MAX - 2);
    /* Without O_NONBLOCK the opening of a pipe that nobody writes to never ends. */
    int fd = open_retried(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    int err = fcntl(fd, F_SETFL, O_RDONLY) ? -errno : 0;
    err = err ? err : read_all(fd, max, ret_data, ret_length);
    struct stat st;
    if (!err && !*ret_length && !fstat(fd, &st) && S_ISFIFO(st.st_mode)) {
        free(*ret_data);
        err = -EPIPE;
    }
    close(fd);
    return err;
}

static int write_all(int fd, const void *data, size_t length)
{
    const char *at = (const char *)data;
    while (length) {
        ssize_t n = write(fd, at, min_size(length, CALL_MAX));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

/* The folder of a path, "." where it names none; false where it does not fit. */
static bool folder_of(const char *path, char folder[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + (slash == path) : 1;
    if (length >= PATH_MAX)
        return false;
    memcpy(folder, slash ? path : ".", length);
    folder[length] = '\0';
    return true;
}

static int folder_sync(const char *folder)
{
    int fd = open_retried(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int err = fsync(fd) ? -errno : 0;
    close(fd);
    return err;
}

/* Fills the new file, and syncs it where it shall last; closes it. */
static int aside_write(int fd, const void *data, size_t length, mode_t mode, bool lasting)
{
    int err = write_all(fd, data, length);
    if (!err && fchmod(fd, mode))
        err = -errno;
    if (!err && lasting && fsync(fd))
        err = -errno;
    if (close(fd) && !err)
        err = -errno;
    return err;
}

static int file_replace(const char *path, const char *folder, const void *data, size_t length,
                        mode_t mode, bool lasting)
{
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof aside, "%s/" DISK_ASIDE_PREFIX "%016llx", folder,
                     (unsigned long long)entropy_u64());
    if (n < 0 || (size_t)n >= sizeof aside)
        return -ENAMETOOLONG;
    int fd = open_retried(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    int err = aside_write(fd, data, length, mode, lasting);
    if (!err && rename(aside, path))
        err = -errno;
    if (err)
        unlink(aside);
    return err;
}

int disk_write_atomic(const char *path, const void *data, size_t length, mode_t mode)
{
    char folder[PATH_MAX];
    if (!folder_of(path, folder))
        return -ENAMETOOLONG;
    int err = file_replace(path, folder, data, length, mode, true);
    return err ? err : folder_sync(folder);
}

int disk_write_unsynced(const char *path, const void *data, size_t length, mode_t mode)
{
    char folder[PATH_MAX];
    return folder_of(path, folder) ? file_replace(path, folder, data, length, mode, false)
                                   : -ENAMETOOLONG;
}

int disk_sync_file(const char *path)
{
    char folder[PATH_MAX];
    if (!folder_of(path, folder))
        return -ENAMETOOLONG;
    int fd = open_retried(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    int err = fsync(fd) ? -errno : 0;
    close(fd);
    return err ? err : folder_sync(folder);
}

int disk_append(const char *path, size_t offset, const void *data, size_t length)
{
    int fd = open_retried(path, O_WRONLY, 0);
    if (fd < 0)
        return fd;
    struct stat st;
    off_t end = (off_t)offset;
    int err = fstat(fd, &st) ? -errno : st.st_size < end ? -EIO : 0;
    if (!err && st.st_size > end && ftruncate(fd, end))
        err = -errno;
    if (!err && lseek(fd, end, SEEK_SET) != end)
        err = -errno;
    if (!err) {
        err = write_all(fd, data, length);
        if (!err && fdatasync(fd))
            err = -errno;
        if (err && !ftruncate(fd, end)) /* its own failure adds nothing to say */
            (void)fdatasync(fd);
    }
    close(fd);
    return err;
}

int disk_sync(const char *folder)
{
    int fd = open_retried(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int err = syncfs(fd) ? -errno : 0;
    close(fd);
    return err;
}

static int64_t time_ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct disk_identity identity_of(const struct stat *st)
{
    return (struct disk_identity){.device = st->st_dev,
                                  .inode = st->st_ino,
                                  .size = (uint64_t)st->st_size,
                                  .modified_ns = time_ns(st->st_mtim),
                                  .changed_ns = time_ns(st->st_ctim)};
}

int disk_identify(const char *path, struct disk_identity *ret)
{
    struct stat st;
    if (stat(path, &st))
        return -errno;
    *ret = identity_of(&st);
    return 0;
}

bool disk_may_exist(const char *path)
{
    return !access(path, F_OK) || errno != ENOENT;
}

static const uint8_t nothing[1];

int disk_map_identified(const char *path, const uint8_t **ret_data, size_t *ret_size,
                        struct disk_identity *ret_identity)
{
    /* Non-blocking, so that a pipe put in the file's place cannot stop us. */
    int fd = open_retried(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    struct stat st;
    const void *data = nothing;
    int err = 0;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -EINVAL;
    else if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            err = -errno;
    }
    close(fd);
    if (err)
        return err;
    *ret_data = (const uint8_t *)data;
    *ret_size = (size_t)st.st_size;
    *ret_identity = identity_of(&st);
    return 0;
}

int disk_map(const char *path, const uint8_t **ret_data, size_t *ret_size)
{
    struct disk_identity ignored;
    return disk_map_identified(path, ret_data, ret_size, &ignored);
}

void disk_unmap(const uint8_t *data, size_t size)
{
    if (!data || !size)
        return;
    int failed = munmap((void *)(uintptr_t)data, size);
    invariant(failed == 0);
}

/* Fills memory from a file that should have `size` bytes; the count that it has, or a negated
 * errno. */
static ssize_t read_whole(int fd, uint8_t *memory, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = read(fd, memory + length, min_size(size - length, CALL_MAX));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    return (ssize_t)length;
}

static int copy_open_file(int fd, size_t max, const uint8_t **ret_data, size_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return ERR_MAGIC;
    if (st.st_size == 0)
        return ERR_TRUNCATED;
    if ((size_t)st.st_size > max)
        return -EFBIG;
    size_t size = (size_t)st.st_size;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    ssize_t n = read_whole(fd, memory, size);
    int r = n < 0 ? (int)n : (size_t)n < size ? ERR_TRUNCATED : 0;
    if (!r && mprotect(memory, size, PROT_READ) < 0)
        r = -errno;
    if (r < 0) {
        munmap(memory, size);
        return r;
    }
    *ret_data = memory;
    *ret_size = size;
    return 0;
}

int disk_copy(const char *path, size_t max, const uint8_t **ret_data, size_t *ret_size)
{
    int fd = open_retried(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return fd;
    int r = copy_open_file(fd, max, ret_data, ret_size);
    close(fd);
    return r;
}

int disk_readable(const char *path)
{
    return access(path, R_OK) ? -errno : 0;
}

int disk_folder_lock(const char *path, int *ret_lock)
{
    int fd = open_retried(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    *ret_lock = fd;
    return 0;
}

void disk_folder_unlock(int lock)
{
    close(lock);
}

int disk_folder_sync(int lock)
{
    return fsync(lock) < 0 ? -errno : 0;
}

int disk_folder_create(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return length ? -ENAMETOOLONG : -ENOENT;
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, mode) && errno != EEXIST)
            return -errno;
        part[i] = i < length ? '/' : '\0';
    }
    struct stat st;
    if (stat(path, &st))
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int disk_list(const char *path, int (*each)(void *context, const char *name), void *context)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int result = 0;
    while (!result) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e) {
            result = -errno;
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            result = each(context, e->d_name);
    }
    closedir(dir);
    return result;
}

int disk_remove(const char *path)
{
    return unlink(path) ? -errno : 0;
}
