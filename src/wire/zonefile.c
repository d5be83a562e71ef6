/* How an entry is read (RFC 1035 5.1, RFC 2308 4):
 *
 *   [owner | blank] [TTL] [class] type data    TTL and class in either order, each at most once
 *   $ORIGIN name | $TTL time | $INCLUDE file [origin]
 *
 * Invariants:
 * 1. Every entry ends with the lexer behind its newline, whether it was good or not.
 * 2. A record is handed out only when its whole entry was good.
 * 3. At most ZONEFILE_PROBLEMS_MAX problems are looked for: what a broken file costs is bounded. */
#include "wire/zonefile.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/dname.h"
#include "wire/lexer.h"
#include "wire/rdata.h"
#include "wire/ttl.h"
#include <stdlib.h>

enum { EXCERPT_MAX = 40, PATH_TEXT_MAX = 1024 };

/* What all files of one zone share. */
struct zone_text {
    const struct zonefile *z;
    struct text *problems;
    unsigned problem_count;
    bool default_ttl_known, last_ttl_known;
    uint32_t default_ttl, last_ttl;
    uint8_t *rdata; /* RDATA_MAX bytes */
    char **paths;   /* of included files, kept for whoever remembers them */
    size_t path_count, path_size;
};

/* One file on its way through. */
struct zone_scan {
    struct zone_text *shared;
    struct lexer lexer;
    const char *path;
    unsigned depth;
    uint8_t origin[DNAME_MAX];
    uint8_t owner[DNAME_MAX];
    /* Records that repeat a broken owner are read for their own problems, but not handed out. */
    enum { OWNER_NONE, OWNER_KNOWN, OWNER_BROKEN } owner_state;
};

static int file_parse(struct zone_scan *s);

/* ---- problems ---- */

/* Opens a line with the place of the lexer's last token; false where no more are wanted. */
static bool problem_start(struct zone_scan *s, const char *at)
{
    struct zone_text *shared = s->shared;
    uint32_t line, column;

    if (shared->problem_count == ZONEFILE_PROBLEMS_MAX)
        return false;
    shared->problem_count++;
    lexer_position(&s->lexer, at, &line, &column);
    text_appendf(shared->problems, "%s:%u:%u: ", s->path, line, column);
    return true;
}

static void problem_at(struct zone_scan *s, const char *at, const char *sentence)
{
    if (problem_start(s, at))
        text_appendf(s->shared->problems, "%s\n", sentence);
}

/* A problem at the last token. */
static void problem(struct zone_scan *s, const char *sentence)
{
    problem_at(s, s->lexer.word, sentence);
}

/* The last token, made safe for a terminal. */
static void excerpt_append(struct zone_scan *s)
{
    char copy[EXCERPT_MAX];
    size_t length = s->lexer.word_length, used = 0;

    for (; used < length && used < EXCERPT_MAX; used++) {
        char c = s->lexer.word[used];
        copy[used] = c;
        if (c < ' ' || c >= 0x7f)
            copy[used] = '?';
    }
    text_append_bytes(s->shared->problems, copy, used);
    if (used < length)
        text_append(s->shared->problems, "...");
}

/* "x" is not a thing; or: the entry ends where a thing is expected. */
static void problem_wanted(struct zone_scan *s, const char *wanted)
{
    if (s->lexer.token == TOKEN_BAD) {
        problem(s, s->lexer.problem);
        return;
    }
    if (!problem_start(s, s->lexer.word))
        return;
    if (s->lexer.token == TOKEN_WORD || s->lexer.token == TOKEN_QUOTED) {
        text_append(s->shared->problems, "expected ");
        text_append(s->shared->problems, wanted);
        text_append(s->shared->problems, ", found \"");
        excerpt_append(s);
        text_append(s->shared->problems, "\"\n");
    } else {
        text_appendf(s->shared->problems, "the line ends where there should be %s\n", wanted);
    }
}

/* Invariant 1 after a problem. */
static void entry_skip(struct zone_scan *s)
{
    const struct lexer *l = &s->lexer;
    bool reported = l->token == TOKEN_BAD && l->at == l->end;

    if (lexer_skip_entry(&s->lexer) && !reported)
        problem_at(s, l->open, "this parenthesis is never closed");
}

/* ---- words ---- */

/* The next token is a word. */
static bool word_next(struct zone_scan *s, const char *wanted)
{
    if (likely(lexer_next(&s->lexer) == TOKEN_WORD))
        return true;
    problem_wanted(s, wanted);
    return false;
}

/* The last word as a name. */
static bool word_name(struct zone_scan *s, uint8_t ret_name[static DNAME_MAX])
{
    const struct lexer *l = &s->lexer;

    if (l->word_length == 1 && l->word[0] == '@') {
        memcpy(ret_name, s->origin, dname_length(s->origin));
        return true;
    }
    int length = dname_parse(l->word, l->word_length, s->origin, ret_name);
    if (likely(length > 0))
        return true;
    if (length == ERR_LIMIT)
        problem(s, "a domain name has labels of at most 63 bytes and is at most 255 long");
    else
        problem_wanted(s, "a domain name");
    return false;
}

/* The last word as a TTL. */
static bool word_ttl(struct zone_scan *s, uint32_t *ret_ttl)
{
    uint32_t ttl;
    int err = ttl_parse(s->lexer.word, s->lexer.word_length, &ttl);

    if (err == ERR_LIMIT || (err == 0 && ttl > TTL_MAX)) {
        problem(s, "a TTL is at most 2147483647 seconds (RFC 2181 8)");
        return false;
    }
    if (err < 0) {
        problem_wanted(s, "a TTL (in seconds, or like 1h30m)");
        return false;
    }
    *ret_ttl = ttl;
    return true;
}

/* Nothing more on this line. */
static bool line_ends(struct zone_scan *s)
{
    enum token t = lexer_next(&s->lexer);
    if (t == TOKEN_NEWLINE || t == TOKEN_END)
        return true;
    problem_wanted(s, "the end of the line");
    return false;
}

/* ---- directives ---- */

static bool origin_directive(struct zone_scan *s)
{
    uint8_t name[DNAME_MAX];

    if (!word_next(s, "a domain name") || !word_name(s, name) || !line_ends(s))
        return false;
    memcpy(s->origin, name, dname_length(name));
    return true;
}

static bool ttl_directive(struct zone_scan *s)
{
    uint32_t ttl;

    if (!word_next(s, "a TTL (in seconds, or like 1h30m)") || !word_ttl(s, &ttl) || !line_ends(s))
        return false;
    s->shared->default_ttl = ttl;
    s->shared->default_ttl_known = true;
    return true;
}

/* Parses the file under the current owner and origin, which come back unchanged (RFC 1035 5.1). */
static void included_parse(struct zone_scan *s, const char *at, const char *path,
                           const uint8_t *origin)
{
    struct zone_text *shared = s->shared;
    struct zone_scan *inner = mem_new(1, sizeof *inner);
    const char *data;
    size_t length;

    int err = shared->z->include(shared->z->context, path, &data, &length);
    if (err < 0) {
        if (problem_start(s, at))
            text_appendf(shared->problems, "%s cannot be read: %s\n", path, err_text(err));
    } else {
        *inner = *s;
        inner->path = path;
        inner->depth = s->depth + 1;
        inner->lexer = lexer_init(data, length);
        memcpy(inner->origin, origin, dname_length(origin));
        file_parse(inner);
        if (shared->z->file)
            shared->z->file(shared->z->context, s->path);
    }
    free(inner);
}

static bool path_read(struct zone_scan *s, char path[static PATH_TEXT_MAX])
{
    enum token t = lexer_next(&s->lexer);
    if (t != TOKEN_WORD && t != TOKEN_QUOTED) {
        problem_wanted(s, "a file name");
        return false;
    }
    int length = lexer_unescape(&s->lexer, (uint8_t *)path, PATH_TEXT_MAX - 1);
    if (length <= 0 || memchr(path, 0, (size_t)length)) {
        problem_wanted(s, "a file name");
        return false;
    }
    path[length] = 0;
    return true;
}

static bool include_directive(struct zone_scan *s)
{
    struct zone_text *shared = s->shared;
    char path[PATH_TEXT_MAX];
    uint8_t origin[DNAME_MAX];

    if (!path_read(s, path))
        return false;
    const char *at = s->lexer.word;
    memcpy(origin, s->origin, sizeof origin);
    enum token t = lexer_next(&s->lexer);
    if (t == TOKEN_WORD) {
        if (!word_name(s, origin) || !line_ends(s))
            return false;
    } else if (t != TOKEN_NEWLINE && t != TOKEN_END) {
        problem_wanted(s, "a domain name or the end of the line");
        return false;
    }
    if (!shared->z->include) {
        problem_at(s, at, "$INCLUDE is not allowed here");
    } else if (s->depth == ZONEFILE_INCLUDE_DEPTH_MAX) {
        problem_at(s, at, "files include one another more than 10 deep");
    } else {
        shared->paths =
            mem_grow(shared->paths, shared->path_count, &shared->path_size, sizeof(char *));
        shared->paths[shared->path_count] = mem_string(path);
        included_parse(s, at, shared->paths[shared->path_count++], origin);
    }
    return true;
}

static bool directive_parse(struct zone_scan *s)
{
    const struct lexer *l = &s->lexer;

    if (lexer_is(l, "$ORIGIN"))
        return origin_directive(s);
    if (lexer_is(l, "$TTL"))
        return ttl_directive(s);
    if (lexer_is(l, "$INCLUDE"))
        return include_directive(s);
    if (lexer_is(l, "$GENERATE"))
        problem(s,
                "$GENERATE is an extension of BIND that is not supported: write the records out");
    else
        problem(s, "unknown directive; there are $ORIGIN, $TTL and $INCLUDE");
    return false;
}

/* ---- records ---- */

/* What stands before the data of a record. */
struct record_head {
    uint32_t line;
    const char *at;
    bool ttl_known;
    uint32_t ttl;
    uint16_t type;
};

/* The last word as a class: 0 where it is none. */
static unsigned word_class(const struct lexer *l)
{
    if (lexer_is(l, "IN") || lexer_is(l, "CLASS1"))
        return DNS_IN;
    if (lexer_is(l, "CH") || lexer_is(l, "CHAOS") || lexer_is(l, "CLASS3"))
        return DNS_CH;
    return lexer_is(l, "HS") || lexer_is(l, "CS") ? DNS_CLASS_ANY : 0;
}

/* [TTL] [class] type, in any order of the first two. */
static bool head_parse(struct zone_scan *s, struct record_head *head)
{
    static const char wanted[] = "a record type (A, MX, TYPE1234)";
    const struct lexer *l = &s->lexer;
    bool class_known = false;

    for (;;) {
        if (!word_next(s, wanted))
            return false;
        if (!head->ttl_known && (unsigned char)(l->word[0] - '0') < 10) {
            if (!word_ttl(s, &head->ttl))
                return false;
            head->ttl_known = true;
            continue;
        }
        unsigned class = class_known ? 0 : word_class(l);
        if (class == DNS_IN) {
            class_known = true;
            continue;
        }
        if (class) {
            problem(s, "only records of class IN are served");
            return false;
        }
        break;
    }
    if (dns_type_parse(l->word, l->word_length, &head->type) < 0) {
        problem_wanted(s, wanted);
        return false;
    }
    if (dns_type_is_meta(head->type)) {
        problem(s, "this type is for queries and messages; a zone cannot hold it");
        return false;
    }
    return true;
}

/* The TTL of a record: its own, $TTL, the last one stated (RFC 1035 5.1), or for an SOA its
 * MINIMUM, which was the default of old (RFC 2308 4). */
static bool ttl_settle(struct zone_scan *s, struct record_head *head, uint16_t length)
{
    struct zone_text *shared = s->shared;

    if (head->ttl_known) {
        shared->last_ttl = head->ttl;
        shared->last_ttl_known = true;
    } else if (shared->default_ttl_known) {
        head->ttl = shared->default_ttl;
    } else if (shared->last_ttl_known) {
        head->ttl = shared->last_ttl;
    } else if (head->type == DNS_SOA) {
        struct reader r = reader_init(shared->rdata + length - 4, 4);
        head->ttl = reader_u32(&r) & TTL_MAX;
        shared->last_ttl = head->ttl;
        shared->last_ttl_known = true;
    } else {
        problem_at(s, head->at, "no TTL is known here: write $TTL 3600 (say) above it");
        return false;
    }
    return true;
}

static bool data_parse(struct zone_scan *s, struct record_head *head)
{
    struct zone_text *shared = s->shared;
    struct rdata_problem why;
    uint16_t length;

    if (rdata_parse(&s->lexer, head->type, s->origin, shared->rdata, &length, &why) < 0) {
        if (why.sentence)
            problem(s, why.sentence);
        else
            problem_wanted(s, why.wanted);
        return false;
    }
    if (!ttl_settle(s, head, length))
        return false;
    if (s->owner_state != OWNER_KNOWN)
        return true;
    const char *refusal = shared->z->record(shared->z->context, s->owner, head->type, DNS_IN,
                                            head->ttl, shared->rdata, length, head->line);
    if (refusal)
        problem_at(s, head->at, refusal);
    return !refusal;
}

static bool record_parse(struct zone_scan *s, bool owner_left_out)
{
    struct record_head head = {.line = s->lexer.line, .at = s->lexer.word};

    if (!owner_left_out) {
        s->owner_state = OWNER_BROKEN;
        if (!word_name(s, s->owner))
            return false;
        s->owner_state = OWNER_KNOWN;
    } else if (s->owner_state == OWNER_NONE) {
        problem(s, "there is no owner name to repeat: the line starts with a blank");
        return false;
    } else {
        lexer_again(&s->lexer);
    }
    return head_parse(s, &head) && data_parse(s, &head);
}

/* ---- entries ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One entry, its newline included; false where the text ends. */
static bool entry_parse(struct zone_scan *s)
{
    struct lexer *l = &s->lexer;
    bool blank = l->at < l->end && is_blank(*l->at), good;

    switch (lexer_next(l)) {
    case TOKEN_END:
        return false;
    case TOKEN_NEWLINE:
        return true;
    case TOKEN_WORD:
        good = !blank && l->word[0] == '$' ? directive_parse(s) : record_parse(s, blank);
        break;
    default:
        problem_wanted(s, "a domain name");
        good = false;
    }
    if (!good)
        entry_skip(s);
    return s->lexer.token != TOKEN_END;
}

static int file_parse(struct zone_scan *s)
{
    struct zone_text *shared = s->shared;

    if (shared->z->file)
        shared->z->file(shared->z->context, s->path);
    while (shared->problem_count < ZONEFILE_PROBLEMS_MAX && entry_parse(s))
        invariant(s->lexer.depth == 0 && !s->lexer.again); /* invariant 1 */
    return shared->problem_count ? ERR_SYNTAX : 0;
}

int zonefile_parse(const struct zonefile *z, const char *data, size_t length, struct text *problems)
{
    struct zone_text shared = {.z = z, .problems = problems};
    struct zone_scan *s = mem_new(1, sizeof *s);

    shared.rdata = mem_new(1, RDATA_MAX);
    s->shared = &shared;
    s->path = z->path;
    s->lexer = lexer_init(data, length);
    memcpy(s->origin, z->origin, dname_length(z->origin));
    int err = file_parse(s);
    if (shared.problem_count == ZONEFILE_PROBLEMS_MAX)
        text_appendf(problems, "%s: that is %d problems; the rest of the file was not read\n",
                     z->path, ZONEFILE_PROBLEMS_MAX);
    for (size_t i = 0; i < shared.path_count; i++)
        free(shared.paths[i]);
    free(shared.paths);
    free(shared.rdata);
    free(s);
    return err;
}
