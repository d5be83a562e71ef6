/* The supervisor: starts the roles, starts again what dies, passes signals on. It holds the
 * sockets, so that what clients send while a role restarts waits in the kernel. */
#pragma once

#include "prog/cookies.h"
#include "prog/identity.h"
#include "prog/role.h"
#include <sys/types.h>

struct supervisor_options {
    const char *data;
    int lock_fd;              /* kept open by every role */
    struct identity identity; /* shown over TLS */
    struct cookies cookies;
    struct role_options roles[ROLES];
    pid_t running[ROLES]; /* children of the program before this one, to be replaced; 0 = none */
};

/* Returns the exit status once all roles have ended after SIGTERM or SIGINT. */
int supervise(struct supervisor_options *o);
