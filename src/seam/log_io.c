#include "seam/log_io.h"

#include "base/invariant.h"
#include "seam/clock.h"
#include <errno.h>
#include <unistd.h>

/* A line that stderr does not take (full disk, reader gone) is lost: logging must never stop what
 * it reports on. */
static void line_write(const char *line, size_t length)
{
    ssize_t n;
    do
        n = write(STDERR_FILENO, line, length);
    while (n < 0 && errno == EINTR);
}

static void last_words(const char *sentence)
{
    log_event(LOG_ERROR, "invariant.broken", {"what", LOG_S(sentence)});
}

void log_setup_stderr(const char *role, enum log_level level, enum log_format format)
{
    log_setup(&(struct log_sink){.wall = clock_wall, .now = clock_now, .write = line_write}, role,
              level, format);
    invariant_hook_set(last_words);
}
