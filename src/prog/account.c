#include "prog/account.h"

#include "base/err.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int account_choose(const struct config *c, const char **ret_user)
{
    if (geteuid() != 0) {
        *ret_user = NULL;
        return 0;
    }
    const char *user = c->user ? c->user : getpwnam("holdfast") ? "holdfast" : "nobody";
    if (!getpwnam(user)) {
        fprintf(stderr,
                "%s: node.user: there is no user \"%s\" on this machine; create it (see "
                "packaging/holdfast.sysusers) or name another\n",
                c->path, user);
        return ERR_MISSING;
    }
    *ret_user = user;
    return 0;
}

/* Changing an owner, also to what it is, changes a file's identity: whatever was remembered of it
 * (model/zone_ledger.h, serve/dns/verified.h) would be lost with every start. */
static bool owner_is(int folder, const char *name, const struct passwd *pw)
{
    struct stat st;
    return !fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) && st.st_uid == pw->pw_uid &&
           st.st_gid == pw->pw_gid;
}

void account_give(const char *folder, const char *user)
{
    const struct passwd *pw = getpwnam(user);
    DIR *dir = opendir(folder);
    if (!pw || !dir) {
        if (dir)
            closedir(dir);
        return;
    }
    int fd = dirfd(dir);
    if (fchown(fd, pw->pw_uid, pw->pw_gid))
        log_event(LOG_WARN, "run.owner", {"folder", LOG_S(folder)},
                  {"reason", LOG_S(strerror(errno))});
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_type == DT_REG && !owner_is(fd, e->d_name, pw) &&
            fchownat(fd, e->d_name, pw->pw_uid, pw->pw_gid, AT_SYMLINK_NOFOLLOW))
            log_event(LOG_WARN, "run.owner", {"file", LOG_S(e->d_name)},
                      {"reason", LOG_S(strerror(errno))});
    closedir(dir);
}
