#include "model/run_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_FILE_MAX = 1 << 30 };

static int run_path(const char *data, const char *name, const char *suffix, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/run/%s%s", data, name, suffix);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int kept_path(const char *data, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", data, name);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Only called where the folder lacks: a role's system call filter may forbid mkdir. */
static int folder_make(const char *data)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/run", data);
    if (n < 0 || n >= PATH_MAX)
        return -ENAMETOOLONG;
    return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

static int file_open_new(const char *data, const char *path, int flags)
{
    flags |= O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0644);
    if (fd < 0 && errno == ENOENT) {
        int err = folder_make(data);
        if (err)
            return err;
        fd = open(path, flags, 0644);
    }
    return fd < 0 ? -errno : fd;
}

static int file_map(int fd, size_t size, bool write, struct run_file *ret)
{
    int protection = write ? PROT_READ | PROT_WRITE : PROT_READ;
    void *map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *ret = (struct run_file){.map = map, .size = size, .fd = fd};
    return 0;
}

int run_file_make(const char *data, const char *name, size_t size, struct run_file *ret)
{
    invariant(size > 0 && size <= RUN_FILE_MAX);
    char path[PATH_MAX];
    int err = run_path(data, name, ".new", path);
    if (err)
        return err;
    /* What a process that died half-way left behind. */
    (void)unlink(path);
    int fd = file_open_new(data, path, O_EXCL);
    if (fd < 0)
        return fd;
    err = -posix_fallocate(fd, 0, (off_t)size);
    if (!err)
        err = file_map(fd, size, true, ret);
    if (err) {
        (void)unlink(path);
        close(fd);
    }
    return err;
}

int run_file_publish(const char *data, const char *name, struct run_file *f)
{
    char aside[PATH_MAX], path[PATH_MAX];
    int err = run_path(data, name, ".new", aside);
    if (!err)
        err = run_path(data, name, "", path);
    if (!err && rename(aside, path)) {
        err = -errno;
        (void)unlink(aside);
    }
    if (err)
        run_file_close(f);
    return err;
}

static int path_grow(const char *data, const char *path, size_t size, struct run_file *ret)
{
    invariant(size > 0 && size <= RUN_FILE_MAX);
    struct stat st;
    int err, fd = file_open_new(data, path, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size > RUN_FILE_MAX)
        err = ERR_MAGIC;
    else
        err = -posix_fallocate(fd, 0, (off_t)size);
    if (!err)
        err = file_map(fd, (size_t)st.st_size > size ? (size_t)st.st_size : size, true, ret);
    if (err)
        close(fd);
    return err;
}

int run_file_grow(const char *data, const char *name, size_t size, struct run_file *ret)
{
    char path[PATH_MAX];
    int err = run_path(data, name, "", path);
    return err ? err : path_grow(data, path, size, ret);
}

int run_file_grow_kept(const char *data, const char *name, size_t size, struct run_file *ret)
{
    char path[PATH_MAX];
    int err = kept_path(data, name, path);
    return err ? err : path_grow(data, path, size, ret);
}

static int path_open(const char *path, bool write, struct run_file *ret)
{
    struct stat st;
    int err, fd = open(path, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_MISSING : -errno;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size > RUN_FILE_MAX)
        err = ERR_MAGIC;
    else if (st.st_size == 0)
        err = ERR_TRUNCATED;
    else
        err = file_map(fd, (size_t)st.st_size, write, ret);
    if (err)
        close(fd);
    return err;
}

int run_file_open(const char *data, const char *name, bool write, struct run_file *ret)
{
    char path[PATH_MAX];
    int err = run_path(data, name, "", path);
    return err ? err : path_open(path, write, ret);
}

int run_file_open_kept(const char *data, const char *name, struct run_file *ret)
{
    char path[PATH_MAX];
    int err = kept_path(data, name, path);
    return err ? err : path_open(path, false, ret);
}

void run_file_close(struct run_file *f)
{
    if (f->map)
        munmap(f->map, f->size);
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct run_file){.fd = -1};
}

void run_file_unhold(struct run_file *f)
{
    close(f->fd);
    f->fd = -1;
}

/* Open file description locks: they go with the process and, unlike the older kind, not with the
 * first descriptor of the file that some library closes. */
int run_file_hold(const struct run_file *f, size_t at)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
    return fcntl(f->fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

bool run_file_held(const struct run_file *f, size_t at)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
    return f->fd >= 0 && fcntl(f->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
