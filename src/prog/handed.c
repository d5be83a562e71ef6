#include "prog/handed.h"
#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

int handed_put(const char *data, const char *name, const char *user, const void *bytes, size_t size)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/run/%s", data, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    int err = disk_write_atomic(path, bytes, size, 0600);
    const struct passwd *pw = user ? getpwnam(user) : NULL;
    if (!err && pw && lchown(path, pw->pw_uid, pw->pw_gid))
        err = -errno;
    return err;
}
