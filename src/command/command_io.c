/* Each client is a small state machine:
 *
 *   READING --whole line--> ASKED --command_reply--> SENDING --written--> READING
 *      |  \--- with a body: BODY --all of it--> ASKED                        |
 *      \________ idle, too long, closed, send too slow: CLOSING ____________/
 *
 * The object lives until its handles are closed and no reply is owed any more, so `to` is never
 * dangling: struct command_reply_to is the client itself. */
#include "command/command_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/disk.h"
#include "seam/net.h"
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_MODE = 0660, FOLDER_MODE = 0750, BACKLOG = 64, HANDLES = 2 };

enum client_state { CLIENT_READING, CLIENT_BODY, CLIENT_ASKED, CLIENT_SENDING, CLIENT_CLOSING };

struct command_reply_to {
    struct command_server *server;         /* NULL once it is gone */
    struct command_reply_to *next, **link; /* in the server's list */
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    enum client_state state;
    bool owed;        /* command_reply() is still to come */
    unsigned handles; /* not closed yet */
    char author[COMMAND_AUTHOR_MAX];
    char *reply;   /* while being sent */
    char *request; /* while its body comes; owned, like the body */
    uint8_t *body;
    size_t body_size, body_have, body_counted; /* the last: in the server's sum */
    size_t length;
    char line[COMMAND_REQUEST_MAX + 1]; /* and what came after it */
};

struct command_server {
    uv_loop_t *loop;
    uv_pipe_t pipe;
    command_handler *handler;
    void *context;
    struct command_reply_to *clients;
    unsigned client_count;
    size_t body_bytes; /* of all clients */
};

static void client_next(struct command_reply_to *c);

/* ---- who ---- */

/* Only the local file: asking the name service could wait for a network, and nothing may wait here.
 */
static void author_name(uid_t uid, char *name, size_t size)
{
    FILE *f = fopen("/etc/passwd", "re");
    struct passwd entry, *found;
    char line[1024];
    name[0] = 0;
    while (f && fgetpwent_r(f, &entry, line, sizeof line, &found) == 0)
        if (found->pw_uid == uid) {
            snprintf(name, size, "%s", found->pw_name);
            break;
        }
    if (f)
        fclose(f);
}

static void author_find(struct command_reply_to *c)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    uv_os_fd_t fd;
    char name[48];
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
        snprintf(c->author, sizeof c->author, "uid unknown");
        return;
    }
    author_name(peer.uid, name, sizeof name);
    if (name[0])
        snprintf(c->author, sizeof c->author, "uid %u (%s)", (unsigned)peer.uid, name);
    else
        snprintf(c->author, sizeof c->author, "uid %u", (unsigned)peer.uid);
}

/* ---- life of a client ---- */

static void client_release(struct command_reply_to *c)
{
    if (c->handles || c->owed)
        return;
    free(c->reply);
    free(c->request);
    free(c->body);
    free(c);
}

static void body_uncount(struct command_reply_to *c)
{
    if (c->server)
        c->server->body_bytes -= c->body_counted;
    c->body_counted = 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct command_reply_to *c = handle->data;
    c->handles--;
    client_release(c);
}

static void client_close(struct command_reply_to *c)
{
    if (c->state == CLIENT_CLOSING)
        return;
    c->state = CLIENT_CLOSING;
    body_uncount(c);
    if (c->server) {
        c->server->client_count--;
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
        c->server = NULL;
    }
    uv_close((uv_handle_t *)&c->pipe, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void on_late(uv_timer_t *timer)
{
    client_close(timer->data);
}

static void timer_set(struct command_reply_to *c, uint64_t ms)
{
    int err = ms ? uv_timer_start(&c->timer, on_late, ms, 0) : uv_timer_stop(&c->timer);
    invariant(err == 0);
}

/* ---- replies ---- */

static void on_written(uv_write_t *write, int status)
{
    struct command_reply_to *c = write->data;
    free(c->reply);
    c->reply = NULL;
    if (c->state != CLIENT_SENDING)
        return;
    if (status) {
        client_close(c);
        return;
    }
    c->state = CLIENT_READING;
    timer_set(c, COMMAND_IDLE_MS);
    client_next(c);
}

static void client_send(struct command_reply_to *c, const char *reply)
{
    size_t length = strlen(reply);
    c->state = CLIENT_SENDING;
    c->reply = mem_new(length + 1, 1);
    memcpy(c->reply, reply, length);
    c->reply[length] = '\n';
    c->write.data = c;
    uv_buf_t buffer = uv_buf_init(c->reply, (unsigned)(length + 1));
    timer_set(c, COMMAND_SEND_MS);
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buffer, 1, on_written))
        client_close(c);
}

void command_reply(struct command_reply_to *to, const char *reply)
{
    invariant(to->owed);
    to->owed = false;
    free(to->body);
    to->body = NULL;
    body_uncount(to);
    if (to->state == CLIENT_ASKED)
        client_send(to, reply);
    else
        client_release(to);
}

/* The last word to a client that cannot be served. */
static void client_refuse(struct command_reply_to *c, const char *sentence)
{
    char *reply = command_reply_make(ERR_LIMIT, sentence), newline = '\n';
    uv_buf_t parts[2] = {uv_buf_init(reply, (unsigned)strlen(reply)), uv_buf_init(&newline, 1)};
    (void)uv_try_write((uv_stream_t *)&c->pipe, parts, 2); /* as far as it goes */
    free(reply);
    client_close(c);
}

/* ---- requests ---- */

static void client_ask(struct command_reply_to *c, const char *line, size_t length)
{
    c->state = CLIENT_ASKED;
    c->owed = true;
    timer_set(c, 0); /* a reload may take its time */
    c->server->handler(c->server->context, line, length, c->author, c);
}

/* What came behind the line already is the body's beginning. */
static void body_begin(struct command_reply_to *c, char *line, size_t size)
{
    c->request = line;
    c->body = mem_new(size, 1);
    c->body_size = size;
    c->server->body_bytes += c->body_counted = size;
    c->body_have = c->length < size ? c->length : size;
    memcpy(c->body, c->line, c->body_have);
    memmove(c->line, c->line + c->body_have, c->length - c->body_have);
    c->length -= c->body_have;
    c->state = CLIENT_BODY;
    timer_set(c, COMMAND_IDLE_MS);
}

static void body_next(struct command_reply_to *c)
{
    if (c->body_have < c->body_size)
        return;
    char *line = c->request;
    c->request = NULL;
    client_ask(c, line, strlen(line));
    free(line);
}

uint8_t *command_body_take(struct command_reply_to *to, size_t *ret_size)
{
    uint8_t *body = to->body;
    *ret_size = body ? to->body_size : 0;
    to->body = NULL;
    return body;
}

/* Hands over the next whole line, if there is one and nothing is under way. */
static void client_next(struct command_reply_to *c)
{
    char *end, *after;
    if (c->state != CLIENT_READING || !(end = memchr(c->line, '\n', c->length))) {
        if (c->state == CLIENT_READING && c->length > COMMAND_REQUEST_MAX)
            client_refuse(c, "a request is one line of at most 65536 bytes");
        return;
    }
    size_t length = (size_t)(end - c->line), number;
    auto_free char *line = mem_new(length + 1, 1);
    memcpy(line, c->line, length);
    memmove(c->line, end + 1, c->length - length - 1);
    c->length -= length + 1;
    number = *line >= '0' && *line <= '9' ? strtoull(line, &after, 10) : 0;
    if (!number) {
        client_ask(c, line, length);
    } else if (number > COMMAND_BODY_MAX - c->server->body_bytes) {
        client_refuse(c, "this is more than the node takes at a time");
    } else {
        body_begin(c, mem_string(after), number);
        body_next(c);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct command_reply_to *c = handle->data;
    (void)suggested;
    if (c->state == CLIENT_BODY)
        *ret = uv_buf_init((char *)c->body + c->body_have, (unsigned)(c->body_size - c->body_have));
    else
        *ret = uv_buf_init(c->line + c->length, (unsigned)(sizeof c->line - c->length));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct command_reply_to *c = stream->data;
    (void)buffer;
    if (count < 0) {
        /* Closed, or more sent while a reply is owed than fits (UV_ENOBUFS). */
        client_close(c);
    } else if (c->state == CLIENT_BODY) {
        c->body_have += (size_t)count;
        timer_set(c, COMMAND_IDLE_MS);
        body_next(c);
    } else {
        c->length += (size_t)count;
        client_next(c);
    }
}

static struct command_reply_to *client_new(struct command_server *s)
{
    struct command_reply_to *c = mem_new(1, sizeof *c);
    int err = uv_pipe_init(s->loop, &c->pipe, 0);
    err |= uv_timer_init(s->loop, &c->timer);
    invariant(!err);
    c->handles = HANDLES;
    c->pipe.data = c->timer.data = c;
    c->server = s;
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next)
        c->next->link = &c->next;
    s->clients = c;
    s->client_count++;
    return c;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct command_server *s = stream->data;
    if (status)
        return;
    struct command_reply_to *c = client_new(s);
    if (uv_accept(stream, (uv_stream_t *)&c->pipe)) {
        client_close(c);
        return;
    }
    if (s->client_count > COMMAND_CLIENTS_MAX) {
        client_refuse(c, "too many operators are connected; try again");
        return;
    }
    author_find(c);
    timer_set(c, COMMAND_IDLE_MS);
    if (uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read))
        client_close(c);
}

/* ---- the server ---- */

static int socket_path(const char *data, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/run", data);
    if (n < 0 || n >= PATH_MAX)
        return -ENAMETOOLONG;
    int err = disk_folder_create(path, FOLDER_MODE);
    if (err)
        return err;
    n = snprintf(path, PATH_MAX, "%s/run/control.sock", data);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void on_server_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int command_server_new(uv_loop_t *loop, const char *data, command_handler *handler, void *context,
                       struct command_server **ret)
{
    char path[PATH_MAX];
    int fd, err = socket_path(data, path);
    err = err ? err : net_unix_listen(path, SOCK_STREAM, SOCKET_MODE, &fd);
    if (err)
        return err;
    signal(SIGPIPE, SIG_IGN); /* libuv writes to clients that may be gone: an error, not an end */
    struct command_server *s = mem_new(1, sizeof *s);
    *s = (struct command_server){.loop = loop, .handler = handler, .context = context};
    err = uv_pipe_init(loop, &s->pipe, 0);
    invariant(!err);
    s->pipe.data = s;
    err = uv_pipe_open(&s->pipe, fd);
    if (err)
        close(fd);
    err = err ? err : uv_listen((uv_stream_t *)&s->pipe, BACKLOG, on_connection);
    if (err) {
        uv_close((uv_handle_t *)&s->pipe, on_server_closed);
        return err;
    }
    *ret = s;
    return 0;
}

void command_server_free(struct command_server *server)
{
    if (!server)
        return;
    while (server->clients)
        client_close(server->clients);
    invariant(server->client_count == 0);
    uv_close((uv_handle_t *)&server->pipe, on_server_closed);
}
