/* Messages that name servers pass on: UPDATE and NOTIFY arrive at a socket in DATA/run, a worker
 * verifies them and does the updates, answers go back the same way. One batch at a time; what comes
 * meanwhile is the next batch, so many updates share one sync of the disk. */
#pragma once

#include "prog/update_work.h"

struct control;

enum {
    RELAY_LINKS_MAX = 16,    /* name servers at once: the one, and another while it is replaced */
    RELAY_WAITING_MAX = 512, /* messages that wait for a worker; more are answered SERVFAIL */
};

/* Opens the socket. */
must_check int control_relay_open(struct control *c);
/* A worker uses the configuration: a reload that has ended waits until it is done. */
bool control_relay_works(void);

/* Gives the client of a message its answer: these bytes, or what the message's rcode says. */
void control_relay_send(const struct relayed *r, const uint8_t *message, size_t length);
void control_relay_answer(struct relayed *r);
/* An update is done or refused: told, counted, answered. */
void control_relay_end(struct control *c, struct relayed *r);

struct command_result;
/* An operator's import: done by the worker behind the messages that wait; replies then. */
void control_import(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to);
