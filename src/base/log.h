/* Structured logs: logfmt (or JSON) lines, rate-limited, without secrets.
 *
 * log_event(LOG_WARN, "snapshot.refused", {"file", LOG_S(path)}, {"reason", LOG_S(err_text(err))});
 * makes  time=2026-01-02T03:04:05.678Z level=warn role=dns event=snapshot.refused file=...
 * reason="..."
 *
 * base does not know the clock or the disk: seam sets both (log_setup). Until then lines go
 * nowhere. A line past the rate (per event name, 10 at once then 1 a second) is dropped and
 * counted; the next line that passes carries `suppressed=N`. Event names are dotted, noun first,
 * and constant strings. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_value {
    enum {
        LOG_VALUE_STRING,
        LOG_VALUE_INTEGER,
        LOG_VALUE_UNSIGNED,
        LOG_VALUE_DURATION,
        LOG_VALUE_BOOL
    } kind;
    union {
        const char *string; /* NULL prints as "-" */
        int64_t integer;
        uint64_t number;
    };
};

struct log_field {
    const char *key; /* NULL ends the list */
    struct log_value value;
};

#define LOG_S(v) ((struct log_value){LOG_VALUE_STRING, .string = (v)})
#define LOG_I(v) ((struct log_value){LOG_VALUE_INTEGER, .integer = (v)})
#define LOG_U(v) ((struct log_value){LOG_VALUE_UNSIGNED, .number = (v)})
#define LOG_D(v) ((struct log_value){LOG_VALUE_DURATION, .integer = (v)}) /* microseconds */
#define LOG_B(v) ((struct log_value){LOG_VALUE_BOOL, .integer = (v)})

struct log_sink {
    usec_t (*wall)(void);                           /* microseconds since 1970 */
    usec_t (*now)(void);                            /* monotonic, for the rate */
    void (*write)(const char *line, size_t length); /* one whole line with its newline */
};

/* Call once, before threads start. role is shown in each line ("dns"). */
void log_setup(const struct log_sink *sink, const char *role, enum log_level level,
               enum log_format format);
/* fields: an array ended by a NULL key; safe from several threads. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* log_event(level, event, {"key", LOG_S(value)}, ...) */
#define log_event(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {0}}})
