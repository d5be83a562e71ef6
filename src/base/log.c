#include "base/log.h"

#include "base/date.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/text.h"
#include <pthread.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 4096, /* a line is one write(2) and must not grow with what a peer sends */
    VALUE_MAX = 1024,
    BURST = 10, /* lines of one event at once, then one a second */
    BUCKETS = 256,
};

static struct {
    struct log_sink sink;
    const char *role;
    enum log_level level;
    enum log_format format;
} setup;

/* One token bucket per event name. Two names with one hash share a bucket (never seen, harmless).
 */
struct bucket {
    uint64_t event; /* hash of the name, 0 = free */
    usec_t refilled;
    unsigned tokens;
    uint64_t suppressed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket buckets[BUCKETS];

void log_setup(const struct log_sink *sink, const char *role, enum log_level level,
               enum log_format format)
{
    invariant(sink->wall && sink->now && sink->write);
    setup.sink = *sink;
    setup.role = role;
    setup.level = level;
    setup.format = format;
    memset(buckets, 0, sizeof buckets);
}

/* The bucket of this event; a new name past the table takes the place of the one that was quiet
 * longest. */
static struct bucket *bucket_find(uint64_t event, usec_t now)
{
    struct bucket *quiet = &buckets[0];
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct bucket *b = &buckets[i];
        if (b->event == event)
            return b;
        if (b->event == 0) {
            quiet = b;
            break;
        }
        if (b->refilled < quiet->refilled)
            quiet = b;
    }
    *quiet = (struct bucket){.event = event, .refilled = now, .tokens = BURST};
    return quiet;
}

/* True where the line may pass; then *ret_suppressed says how many did not since the last one. */
static bool rate_allows(const char *event, usec_t now, uint64_t *ret_suppressed)
{
    bool pass = false;
    pthread_mutex_lock(&lock);
    struct bucket *b = bucket_find(hash64(event, strlen(event)) | 1, now);
    usec_t seconds = (now - b->refilled) / USEC_PER_SEC;
    if (seconds > 0) {
        b->tokens = seconds >= BURST ? BURST : b->tokens + (unsigned)seconds;
        if (b->tokens > BURST)
            b->tokens = BURST;
        b->refilled += seconds * USEC_PER_SEC;
    }
    if (b->tokens > 0) {
        pass = true;
        b->tokens--;
        *ret_suppressed = b->suppressed;
        b->suppressed = 0;
    } else
        b->suppressed++;
    pthread_mutex_unlock(&lock);
    return pass;
}

static void append_time(struct text *t, usec_t wall)
{
    int64_t ms = wall / USEC_PER_MSEC;
    struct date d = date_of(ms / 1000);
    text_appendf(t, "%04d-%02u-%02uT%02u:%02u:%02u.%03dZ", d.year, d.month, d.day, d.hour, d.minute,
                 d.second, (int)(ms % 1000));
}

static bool needs_quotes(const char *s)
{
    if (!*s)
        return true;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s & '\x80' ||
            *s == 0x7f)
            return true;
    return false;
}

static void append_string(struct text *t, enum log_format format, const char *s)
{
    size_t length = strnlen(s, VALUE_MAX);
    if (format == LOG_JSON || length == VALUE_MAX || needs_quotes(s))
        text_append_json(t, s, length);
    else
        text_append_bytes(t, s, length);
}

static void append_value(struct text *t, enum log_format format, const struct log_value *v)
{
    char duration[DURATION_TEXT_MAX];
    switch (v->kind) {
    case LOG_VALUE_STRING:
        append_string(t, format, v->string ? v->string : "-");
        break;
    case LOG_VALUE_INTEGER:
        text_appendf(t, "%lld", (long long)v->integer);
        break;
    case LOG_VALUE_UNSIGNED:
        text_appendf(t, "%llu", (unsigned long long)v->number);
        break;
    case LOG_VALUE_DURATION:
        append_string(t, format, duration_format(v->integer, duration));
        break;
    case LOG_VALUE_BOOL:
        text_append(t, v->integer ? "true" : "false");
        break;
    }
}

/* Appends the whole field or, where the line has no more room for it, nothing. */
static void append_field(struct text *t, enum log_format format, const char *key,
                         const struct log_value *value)
{
    size_t before = t->length;
    if (format == LOG_JSON)
        text_appendf(t, "%s\"%s\":", t->length > 1 ? "," : "", key);
    else
        text_appendf(t, "%s%s=", t->length ? " " : "", key);
    append_value(t, format, value);
    if (t->failed) {
        t->failed = false;
        t->length = before;
        t->data[before] = '\0';
    }
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return names[level];
}

static void append_head(struct text *t, enum log_level level, const char *event)
{
    bool json = setup.format == LOG_JSON;
    text_append(t, json ? "{\"time\":\"" : "time=");
    append_time(t, setup.sink.wall());
    text_append(t, json ? "\"" : "");
    append_field(t, setup.format, "level", &LOG_S(level_name(level)));
    append_field(t, setup.format, "role", &LOG_S(setup.role));
    append_field(t, setup.format, "event", &LOG_S(event));
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t suppressed = 0;
    if (!setup.sink.write || level > setup.level ||
        !rate_allows(event, setup.sink.now(), &suppressed))
        return;
    enum { TAIL = 64 }; /* suppressed=N, the bracket and the newline always find room */
    struct text line = text_init(LINE_MAX_BYTES - TAIL);
    append_head(&line, level, event);
    for (const struct log_field *f = fields; f->key; f++)
        append_field(&line, setup.format, f->key, &f->value);
    line.max = LINE_MAX_BYTES;
    if (suppressed)
        append_field(&line, setup.format, "suppressed", &LOG_U(suppressed));
    text_append(&line, setup.format == LOG_JSON ? "}\n" : "\n");
    setup.sink.write(text_string(&line), line.length);
    text_done(&line);
}
