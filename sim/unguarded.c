/* No guard at all: linked in the place of src/replica/guard.c, it lets libraft 0.15 see everything
 * as it comes. The simulation has to go wrong with it. */
#include "replica/backend_parts.h"

void guard_loaded(struct backend *b)
{
    (void)b;
}

void guard_started(struct backend *b)
{
    (void)b;
}

bool guard_is_settled(const struct backend *b)
{
    (void)b;
    return true;
}

bool guard_pass(struct backend *b, struct raft_message *m)
{
    (void)b;
    (void)m;
    return true;
}

void guard_look(struct backend *b)
{
    (void)b;
}
