/* A process for a role: this very program again, with all that the role has to know as arguments,
 * and no descriptors but those it needs. */
#pragma once

#include "base/attr.h"
#include "prog/role.h"
#include <sys/types.h>

/* ready_fd: written to once the role does its work. lock_fd: of the node's folder, held by every
 * role. 0 or a negated errno. */
must_check int role_spawn(enum role_kind role, const struct role_options *o, int ready_fd,
                          int lock_fd, pid_t *ret_pid);
