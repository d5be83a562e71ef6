/* The operators' socket: DATA/run/control.sock, mode 0660. One line of JSON in, one out; several
 * requests may follow one another on a connection. Who speaks is told by the kernel (SO_PEERCRED).
 * A line that begins with a number and a space has a body: so many bytes behind it.
 *
 * A client that is slow, silent, too long or gone disturbs nobody: everything is bounded here. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "command/command.h"
#include <uv.h>

enum {
    COMMAND_CLIENTS_MAX = 32, /* one more is told so and closed */
    COMMAND_IDLE_MS = 10000,  /* without a whole request: closed */
    COMMAND_SEND_MS = 10000,  /* a reply that is not taken: closed */
    COMMAND_AUTHOR_MAX = 96,
    COMMAND_BODY_MAX = 512 << 20, /* bytes of all bodies that are taken at a time */
};

struct command_server;

/* To whom a reply goes. */
struct command_reply_to;

/* Called from the loop with a request (not NUL-terminated, no newline) and its author. Exactly one
 * command_reply(to) has to follow, from here or any time later from the loop, also when the client
 * is gone by then. */
typedef void command_handler(void *context, const char *line, size_t length, const char *author,
                             struct command_reply_to *to);

/* Makes DATA/run if it is not there; -EADDRINUSE where another process serves this data folder.
 * The process ignores SIGPIPE from then on: clients may go at any time. */
must_check int command_server_new(uv_loop_t *loop, const char *data, command_handler *handler,
                                  void *context, struct command_server **ret);

/* `reply`: JSON without a newline (copied); `to` is used up. */
void command_reply(struct command_reply_to *to, const char *reply);

/* The body of the request that this reply is owed for, once: free(). NULL: it has none. */
uint8_t *command_body_take(struct command_reply_to *to, size_t *ret_size);

/* Closes the socket and all clients; replies that are still owed may come later and go nowhere. Run
 * the loop afterwards so that handles can close. */
void command_server_free(struct command_server *server);

/* The other end, for the command line: sends one request and waits for its reply (free()). -ENOENT
 * or -ECONNREFUSED: no node runs there; -ETIMEDOUT; ERR_TRUNCATED: it closed without a reply;
 * ERR_LIMIT: the reply is longer than COMMAND_REPLY_MAX. size: of the body, 0 = none. */
must_check int command_call(const char *data, const char *request, const uint8_t *body, size_t size,
                            usec_t timeout, char **ret_reply);
