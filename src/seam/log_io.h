/* The logs' way out: one write(2) a line to descriptor 2, with the real clocks. */
#pragma once

#include "base/log.h"

/* Call once, before threads start. The last words of a broken invariant go the same way. `role`
 * must stay valid. */
void log_setup_stderr(const char *role, enum log_level level, enum log_format format);
