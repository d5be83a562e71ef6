#include "prog/cookies.h"
#include "base/err.h"
#include "base/log.h"
#include "prog/handed.h"
#include "seam/entropy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cookies cookies_init(const struct config *c, const char *user)
{
    const struct config_answers *a = &c->dns_answers;
    return (struct cookies){.answers = a->cookies ? a : NULL, .data = c->data, .user = user};
}

static int secrets_read(const char *path, struct cookie_secrets *ret, unsigned *ret_line)
{
    char *text;
    size_t length;
    int err = disk_read(path, COOKIE_SECRETS_TEXT_MAX, &text, &length);
    if (err)
        return err;
    err = cookie_secrets_parse(text, length, ret, ret_line);
    explicit_bzero(text, length);
    free(text);
    return err;
}

static void secrets_put(const struct cookies *k, const struct cookie_secrets *s, const char *from)
{
    struct text t = text_init(COOKIE_SECRETS_TEXT_MAX);
    for (unsigned i = 0; i < s->count; i++) {
        for (unsigned b = 0; b < COOKIE_SECRET_SIZE; b++)
            text_appendf(&t, "%02x", s->list[i][b]);
        text_append(&t, "\n");
    }
    int err = handed_put(k->data, "cookies", k->user, text_string(&t), t.length);
    if (err)
        log_event(LOG_ERROR, "cookies.taken", {"from", LOG_S(from)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("those before are used, if there were any")});
    else
        log_event(LOG_INFO, "cookies.taken", {"from", LOG_S(from)}, {"count", LOG_U(s->count)});
    explicit_bzero(t.data, t.length);
    text_done(&t);
}

/* ---- from the configuration ---- */

static usec_t configured_take(struct cookies *k)
{
    struct cookie_secrets s;
    struct text t = text_init(COOKIE_SECRETS_TEXT_MAX);
    unsigned line;
    text_appendf(&t, "%s\n%s\n", k->answers->cookie_secret,
                 k->answers->cookie_previous ? k->answers->cookie_previous : "");
    if (!k->begun && !cookie_secrets_parse(text_string(&t), t.length, &s, &line))
        secrets_put(k, &s, "configuration");
    k->begun = true;
    explicit_bzero(t.data, t.length);
    text_done(&t);
    return USEC_NEVER;
}

/* ---- from a file ---- */

static void file_take(const struct cookies *k)
{
    struct cookie_secrets s;
    unsigned line = 0;
    int err = secrets_read(k->answers->cookie_file, &s, &line);
    if (err)
        log_event(LOG_ERROR, "cookies.file", {"file", LOG_S(k->answers->cookie_file)},
                  {"line", LOG_U(line)}, {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("those before are used, if there were any")});
    else
        secrets_put(k, &s, k->answers->cookie_file);
    explicit_bzero(&s, sizeof s);
}

/* A file that is being written is taken when nothing has changed since the last look. */
static void file_look(struct cookies *k, bool told)
{
    struct disk_identity found = {0};
    bool there = !disk_identify(k->answers->cookie_file, &found);
    bool changed = memcmp(&found, &k->taken, sizeof found) != 0;
    bool settled = memcmp(&found, &k->seen, sizeof found) == 0;
    bool first = !k->begun;
    k->begun = true;
    k->seen = found;
    if (first || told || (there && changed && settled)) {
        k->taken = found;
        file_take(k);
    }
}

/* ---- made here ---- */

/* How old the newest secret is: as the file that it was put to. */
static int64_t own_age(const char *path, int64_t wall)
{
    struct disk_identity file;
    int64_t age = disk_identify(path, &file) ? INT64_MAX : wall - file.modified_ns / 1000000000;
    return age < 0 ? 0 : age; /* a clock that went back makes nothing old */
}

static void own_look(struct cookies *k, int64_t wall)
{
    char path[PATH_MAX];
    struct cookie_secrets s = {.count = 0};
    unsigned line;
    int n = snprintf(path, sizeof path, "%s/run/cookies", k->data);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    if (own_age(path, wall) < k->answers->cookie_rotate / USEC_PER_SEC &&
        (k->begun || !secrets_read(path, &s, &line))) {
        k->begun = true;
        return;
    }
    (void)!secrets_read(path, &s, &line); /* none: the first */
    k->begun = true;
    memmove(s.list[1], s.list[0], sizeof s.list - sizeof s.list[0]);
    entropy_fill(s.list[0], sizeof s.list[0]);
    if (s.count < COOKIE_SECRETS_MAX)
        s.count++;
    secrets_put(k, &s, "own");
    explicit_bzero(&s, sizeof s);
}

usec_t cookies_look(struct cookies *k, usec_t now, int64_t wall, bool told)
{
    if (!k->answers)
        return USEC_NEVER;
    if (k->answers->cookie_secret && !k->answers->cookie_file)
        return configured_take(k);
    if (now < k->look_at && !told)
        return k->look_at;
    k->look_at = now + COOKIES_LOOK_US;
    if (k->answers->cookie_file)
        file_look(k, told);
    else
        own_look(k, wall);
    return k->look_at;
}

int cookies_check(const struct config *c, struct text *problems)
{
    const struct config_answers *a = &c->dns_answers;
    struct cookie_secrets s;
    unsigned line = 1;
    int err = a->cookies && a->cookie_file ? secrets_read(a->cookie_file, &s, &line) : 0;
    explicit_bzero(&s, sizeof s);
    if (!err || err == -EACCES)
        return 0;
    text_appendf(problems, "%s:%u:1: no secrets for cookies, 32 hexadecimal digits a line: %s\n",
                 a->cookie_file, line, err_text(err));
    return ERR_INVALID;
}
