/* What backend.c and its guard share. */
#pragma once

#include "replica/backend.h"

enum { BACKEND_ADDRESS_MAX = 24 };

struct backend_sent {
    struct backend_sent *next;
    struct raft_io_send *req;
    int status;
};

/* Before libraft takes what was loaded; after it has started. */
void guard_loaded(struct backend *b);
void guard_started(struct backend *b);
/* May libraft see this message, as it is afterwards? It does so at once. */
bool guard_pass(struct backend *b, struct raft_message *m);
/* After every call into libraft. */
void guard_look(struct backend *b);
/* Snapshots may be taken (guard 5). */
bool guard_is_settled(const struct backend *b);
