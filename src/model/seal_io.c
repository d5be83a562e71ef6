#include "model/seal_io.h"

#include "base/digits.h"
#include "base/err.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MODE = 0600, OTHERS = 077, FILE_MAX = 2 * SEAL_KEY_SIZE + 1 };

static int key_path(const char *data, char ret[static PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/seal.key", data);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int seal_key_load(const char *data, uint8_t ret[static SEAL_KEY_SIZE], struct text *why)
{
    char path[PATH_MAX], *text;
    uint8_t key[SEAL_KEY_SIZE];
    size_t length;
    struct stat st;
    int err = key_path(data, path);
    if (!err && stat(path, &st))
        err = -errno;
    if (!err && st.st_mode & OTHERS)
        err = ERR_REFUSED;
    err = err ? err : disk_read(path, FILE_MAX, &text, &length);
    if (!err) {
        if (length < (size_t)2 * SEAL_KEY_SIZE || !hex_bytes(text, SEAL_KEY_SIZE, key))
            err = ERR_SYNTAX;
        explicit_bzero(text, length);
        free(text);
    }
    if (!err)
        memcpy(ret, key, sizeof key);
    else if (err == ERR_REFUSED)
        text_appendf(why, "%s: others than its owner may read it; if nobody did, chmod 0600 it",
                     path);
    else
        text_appendf(why, "%s: %s", path, err_text(err));
    explicit_bzero(key, sizeof key);
    return err;
}

int seal_key_make(const char *data, uint8_t ret[static SEAL_KEY_SIZE])
{
    char path[PATH_MAX], text[FILE_MAX + 1];
    int err = key_path(data, path);
    if (err)
        return err;
    entropy_fill(ret, SEAL_KEY_SIZE);
    for (unsigned i = 0; i < SEAL_KEY_SIZE; i++)
        snprintf(text + (size_t)2 * i, 3, "%02x", ret[i]);
    text[FILE_MAX - 1] = '\n';
    err = disk_write_atomic(path, text, FILE_MAX, FILE_MODE);
    explicit_bzero(text, sizeof text);
    return err;
}

void seal_draw(uint8_t ret[static SEAL_KEY_SIZE])
{
    entropy_fill(ret, SEAL_KEY_SIZE);
}

int seal_secret(const char *data, const char *value, uint8_t ret[static SEAL_KEY_SIZE],
                struct text *why)
{
    uint8_t private[SEAL_KEY_SIZE], public[SEAL_KEY_SIZE];
    struct seal seal = {.count = 0};
    const char *wrong = "";
    int err = seal_key_load(data, private, why);
    if (err)
        return err;
    seal_public(private, public);
    err = value ? seal_decode(value, &seal, &wrong) : 0;
    const struct seal_member *own = err ? NULL : seal_find(&seal, public);
    if (own && own->has_wrap)
        err = seal_unwrap(private, own->wrap, ret);
    else
        err = err ? err : ERR_MISSING;
    explicit_bzero(private, sizeof private);
    if (err == ERR_MISSING)
        text_append(why, "no other node has handed them to this one yet");
    else if (err)
        text_append(why, "what was handed to this node cannot be opened");
    return err;
}
