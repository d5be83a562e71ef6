#include "sim/story.h"

#include "base/err.h"
#include "base/memory.h"
#include "sim/stage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 512, WORDS_MAX = 8 };

struct reading {
    const char *rest; /* what was not read yet */
    unsigned number;  /* of the line */
    char line[LINE_MAX_BYTES];
    char words_of[LINE_MAX_BYTES];
    char *words[WORDS_MAX];
    unsigned count;
    bool ended;
};

static bool line_next(struct reading *r)
{
    const char *end = strchr(r->rest, '\n');
    size_t length = end ? (size_t)(end - r->rest) : strlen(r->rest);
    if (!*r->rest || length >= sizeof r->line)
        return false;
    memcpy(r->line, r->rest, length);
    r->line[length] = 0;
    r->rest += length + (end ? 1 : 0);
    r->number++;
    return true;
}

static void words_split(struct reading *r)
{
    char *at = r->words_of;
    memcpy(r->words_of, r->line, sizeof r->words_of);
    for (r->count = 0; r->count < WORDS_MAX; r->count++) {
        at += strspn(at, " ");
        if (!*at || *at == '#')
            break;
        r->words[r->count] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = 0;
    }
    for (unsigned i = r->count; i < WORDS_MAX; i++)
        r->words[i] = r->words_of + strlen(r->words_of); /* "" */
}

/* ---- words ---- */

static int reason_parse(const char *name, enum reason *ret)
{
    for (int i = 0; i < REASONS; i++) {
        if (strcmp(reason_name((enum reason)i), name) == 0) {
            *ret = (enum reason)i;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

static int prober_set(struct stage *s, const char *word)
{
    static const char *const names[] = {
        [PROBER_OK] = "ok",
        [PROBER_LATE] = "late",
        [PROBER_STOPPED] = "stopped",
        [PROBER_BLIND] = "blind",
    };
    for (unsigned i = 0; i < array_length(names); i++) {
        if (strcmp(names[i], word) == 0) {
            s->prober = (enum prober)i;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

static int order_give(struct stage *s, const char *verb, const char *endpoint)
{
    static const char *const verbs[ADMIN_STATES] = {
        [ADMIN_AUTO] = "auto",
        [ADMIN_DRAINED] = "drain",
        [ADMIN_DISABLED] = "disable",
        [ADMIN_FORCED_UP] = "force",
    };
    for (unsigned i = 0; i < ADMIN_STATES; i++)
        if (strcmp(verbs[i], verb) == 0)
            return stage_order(s, endpoint, (enum admin_state)i);
    return ERR_SYNTAX;
}

/* "reload OLD => NEW": the part of the line after the word. */
static int reload(struct stage *s, const char *change)
{
    const char *arrow = strstr(change, " => ");
    if (!arrow)
        return ERR_SYNTAX;
    char *old = mem_new(1, strlen(change) + 1);
    memcpy(old, change, (size_t)(arrow - change));
    const char *at = strstr(s->yaml, old);
    if (!at) {
        free(old);
        return ERR_MISSING;
    }
    struct text yaml = text_init(STAGE_TRACE_MAX);
    text_append_bytes(&yaml, s->yaml, (size_t)(at - s->yaml));
    text_append(&yaml, arrow + 4);
    text_append(&yaml, at + strlen(old));
    (void)!stage_configure(s, text_string(&yaml)); /* refused or not: the trace says so */
    text_done(&yaml);
    free(old);
    return 0;
}

/* ---- lines ---- */

static int act(struct stage *s, struct reading *r)
{
    const char *verb = r->words[1], *whom = r->words[2];
    enum reason reason = REASON_OK;
    int64_t percent = 100;
    if (strcmp(verb, "end") == 0) {
        r->ended = true;
        return 0;
    }
    stage_say(s, "story", "%s", strstr(r->line, verb));
    if (strcmp(verb, "fail") == 0)
        return reason_parse(r->words[3], &reason) ? ERR_SYNTAX : stage_fare(s, whom, reason, 100);
    if (strcmp(verb, "heal") == 0)
        return stage_fare(s, whom, REASON_OK, 0);
    if (strcmp(verb, "flap") == 0)
        return integer_parse(r->words[3], 0, 100, &percent) || reason_parse(r->words[4], &reason)
                   ? ERR_SYNTAX
                   : stage_fare(s, whom, reason, (unsigned)percent);
    if (strcmp(verb, "prober") == 0)
        return prober_set(s, whom);
    if (strcmp(verb, "reload") == 0)
        return reload(s, strstr(r->line, " reload ") + strlen(" reload "));
    if (strcmp(verb, "restart") == 0 || strcmp(verb, "boot") == 0) {
        stage_restart(s, strcmp(verb, "boot") == 0);
        return 0;
    }
    return order_give(s, verb, whom);
}

static int config_read(struct stage *s, struct reading *r)
{
    struct text yaml = text_init(STAGE_TRACE_MAX);
    while (line_next(r) && strcmp(r->line, "---") != 0) {
        text_append(&yaml, r->line);
        text_append(&yaml, "\n");
    }
    int err = stage_configure(s, text_string(&yaml));
    text_done(&yaml);
    return err;
}

static int line_play(struct stage *s, struct reading *r)
{
    usec_t at;
    int64_t seed;
    if (r->count == 0)
        return 0;
    if (strcmp(r->words[0], "config") == 0)
        return config_read(s, r);
    if (strcmp(r->words[0], "seed") == 0) {
        if (integer_parse(r->words[1], 0, INT64_MAX, &seed))
            return ERR_SYNTAX;
        s->random = random_init((uint64_t)seed);
        return 0;
    }
    if (!s->config || duration_parse(r->words[0], &at) || at < s->time)
        return ERR_SYNTAX;
    while (s->time < at)
        stage_beat(s);
    return act(s, r);
}

int story_play(const char *story, struct text *out)
{
    struct stage stage;
    struct reading r = {.rest = story};
    int err = 0;
    stage_init(&stage, 1);
    while (!err && !r.ended && line_next(&r)) {
        words_split(&r);
        err = line_play(&stage, &r);
        if (err)
            stage_say(&stage, "ERROR", "line %u: %s: %s", r.number, r.line, err_text(err));
    }
    if (!err && !r.ended) {
        stage_say(&stage, "ERROR", "the story has no end");
        err = ERR_SYNTAX;
    }
    text_append(out, text_string(&stage.trace));
    stage_done(&stage);
    return err;
}
