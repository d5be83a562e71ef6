#include "prog/key_file.h"
#include "base/err.h"
#include "seam/disk.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_FILE_MAX = 65536 };
static const char between[] = " \t\r\n;{}\"";

/* The next word, cut out in place; NULL at the end. */
static char *word_next(char **rest)
{
    char *word = *rest + strspn(*rest, between);
    size_t length = strcspn(word, between);
    if (!length)
        return NULL;
    *rest = word + length + (word[length] != 0);
    word[length] = 0;
    return word;
}

static int algorithm_parse(const char *word, struct tsig_key *key)
{
    static const char *const names[TSIG_ALGORITHMS] = {
        [TSIG_SHA224] = "hmac-sha224",
        [TSIG_SHA256] = "hmac-sha256",
        [TSIG_SHA384] = "hmac-sha384",
        [TSIG_SHA512] = "hmac-sha512",
    };
    for (unsigned i = 0; i < TSIG_ALGORITHMS; i++)
        if (!strcasecmp(word, names[i])) {
            key->algorithm = (uint8_t)i;
            return 0;
        }
    return ERR_SYNTAX;
}

static int key_parse(char *text, struct tsig_key *key)
{
    bool named = false, hashed = false, secret = false;
    int err = 0;
    for (char *word; !err && !(named && hashed && secret) && (word = word_next(&text));) {
        char *value = word_next(&text);
        if (!value)
            return ERR_SYNTAX;
        if (!strcmp(word, "key")) {
            named = true;
            err = dname_parse(value, strlen(value), NULL, key->name) < 0 ? ERR_SYNTAX : 0;
        } else if (!strcmp(word, "algorithm")) {
            hashed = true;
            err = algorithm_parse(value, key);
        } else if (!strcmp(word, "secret")) {
            secret = true;
            err = tsig_secret_parse(value, key);
        } else {
            return ERR_SYNTAX;
        }
    }
    return err ? err : named && hashed && secret ? 0 : ERR_SYNTAX;
}

int key_file_read(const char *path, struct tsig_key *ret)
{
    char *text;
    size_t length;
    struct tsig_key key;
    int err = disk_read(path, KEY_FILE_MAX, &text, &length);
    if (err)
        return err;
    err = key_parse(text, &key);
    explicit_bzero(text, length);
    free(text);
    if (!err)
        *ret = key;
    explicit_bzero(&key, sizeof key);
    return err;
}
