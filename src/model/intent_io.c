#include "model/intent_io.h"

#include "base/err.h"
#include "base/log.h"
#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It holds the secrets of users' keys. */
enum { FILE_MODE = 0600 };

struct path {
    char text[PATH_MAX];
};

static int path_make(const char *data, const char *suffix, struct path *ret)
{
    int n = snprintf(ret->text, sizeof ret->text, "%s/intent.json%s", data, suffix);
    return n < 0 || (size_t)n >= sizeof ret->text ? -ENAMETOOLONG : 0;
}

struct file {
    struct path path;
    char *data;
    size_t length;
};

static int file_read(const char *data, const char *suffix, struct file *ret)
{
    *ret = (struct file){0};
    int err = path_make(data, suffix, &ret->path);
    return err ? err : disk_read(ret->path.text, INTENT_FILE_MAX, &ret->data, &ret->length);
}

/* Copies a file that cannot be read under the first free number; the same damage is kept once. */
static int keep_aside(const char *data, const struct file *damaged, struct path *ret)
{
    for (unsigned n = 1; n <= INTENT_DAMAGED_MAX; n++) {
        char suffix[24];
        struct file old;
        snprintf(suffix, sizeof suffix, ".damaged-%u", n);
        int err = file_read(data, suffix, &old);
        bool same = !err && old.length == damaged->length &&
                    memcmp(old.data, damaged->data, old.length) == 0;
        free(old.data);
        *ret = old.path;
        if (same)
            return 0;
        if (err == -ENOENT)
            return disk_write_atomic(old.path.text, damaged->data, damaged->length, FILE_MODE);
        if (err && err != -EFBIG)
            return err;
    }
    return ERR_LIMIT;
}

static int previous_load(const char *data, struct intent *ret)
{
    struct file f;
    const char *why;
    int err = file_read(data, ".previous", &f);
    err = err ? err : intent_decode(f.data, f.length, ret, &why);
    free(f.data);
    return err;
}

static int damaged_load(const char *data, const struct file *damaged, int why_err, const char *why,
                        struct intent *ret)
{
    struct path kept;
    int err = keep_aside(data, damaged, &kept);
    const char *copy = err ? err_text(err) : kept.text;
    err = previous_load(data, ret);
    if (!err) {
        ret->version += 2; /* above the version that was lost: readers take a change by it */
        log_event(
            LOG_ERROR, "intent.damaged", {"file", LOG_S(damaged->path.text)},
            {"reason", LOG_S(why)}, {"kept", LOG_S(copy)},
            {"consequence", LOG_S("the orders before the newest one hold: look at them, and repeat "
                                  "the newest")});
        return 0;
    }
    log_event(LOG_ERROR, "intent.damaged", {"file", LOG_S(damaged->path.text)},
              {"reason", LOG_S(why)}, {"kept", LOG_S(copy)},
              {"remedy", LOG_S("repair the file, or remove it to go on without any orders")});
    return why_err;
}

int intent_load(const char *data, struct intent *ret)
{
    struct file f;
    struct intent loaded;
    const char *why = "it is too large";
    int err = file_read(data, "", &f);
    if (err == -ENOENT) {
        *ret = (struct intent){0};
        return 0;
    }
    if (!err)
        err = intent_decode(f.data, f.length, &loaded, &why);
    if (err <= ERR_BASE) /* ours: the file can be read and is wrong */
        err = damaged_load(data, &f, err, why, &loaded);
    free(f.data);
    if (!err)
        *ret = loaded;
    return err;
}

/* What held until now becomes the previous file, if it is good: a damaged one must not push out the
 * good one. */
static int previous_save(const char *data)
{
    struct file f;
    struct path path;
    struct intent held;
    const char *why;
    int err = file_read(data, "", &f);
    if (err == -ENOENT)
        return 0;
    if (!err && intent_decode(f.data, f.length, &held, &why) == 0) {
        intent_done(&held);
        err = path_make(data, ".previous", &path);
        err = err ? err : disk_write_atomic(path.text, f.data, f.length, FILE_MODE);
    }
    free(f.data);
    return err;
}

int intent_save(const char *data, const struct intent *intent)
{
    struct path path;
    int err = path_make(data, "", &path);
    err = err ? err : previous_save(data);
    if (err)
        return err;
    char *text = intent_encode(intent);
    err = disk_write_atomic(path.text, text, strlen(text), FILE_MODE);
    free(text);
    return err;
}
