#include "command/command_io.h"

#include "base/err.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "test/check_main.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server on a loop of its own thread; clients are the test. Requests are echoed; "later" is
 * answered after 100 ms, "never" when the server ends, "large" with a megabyte. */
struct rig {
    char data[64];
    uv_loop_t loop;
    uv_async_t stop;
    uv_timer_t timer;
    struct command_server *server;
    struct command_reply_to *later, *never;
    pthread_t thread;
    char author[COMMAND_AUTHOR_MAX];
    unsigned requests;
};

static void on_timer(uv_timer_t *timer)
{
    struct rig *rig = timer->data;
    command_reply(rig->later, "{\"ok\":true,\"message\":\"late\"}");
}

static void handle(void *context, const char *line, size_t length, const char *author,
                   struct command_reply_to *to)
{
    struct rig *rig = context;
    char reply[300];
    snprintf(rig->author, sizeof rig->author, "%s", author);
    rig->requests++;
    if (length == 5 && memcmp(line, "later", 5) == 0) {
        rig->later = to;
        uv_timer_start(&rig->timer, on_timer, 100, 0);
    } else if (length == 5 && memcmp(line, "never", 5) == 0) {
        rig->never = to;
    } else if (length == 5 && memcmp(line, "large", 5) == 0) {
        char *large = mem_new(1000001, 1);
        memset(large, 'x', 1000000);
        command_reply(to, large);
        free(large);
    } else if (length == 5 && memcmp(line, " body", 5) == 0) {
        size_t size, sum = 0;
        uint8_t *body = command_body_take(to, &size);
        for (size_t i = 0; i < size; i++)
            sum += body[i];
        free(body);
        ck_assert_ptr_null(command_body_take(to, &size));
        snprintf(reply, sizeof reply, "%zu", sum);
        command_reply(to, reply);
    } else {
        snprintf(reply, sizeof reply, "<%.*s>", (int)(length < 200 ? length : 200), line);
        command_reply(to, reply);
    }
}

static void on_stop(uv_async_t *async)
{
    struct rig *rig = async->data;
    command_server_free(rig->server);
    if (uv_is_active((uv_handle_t *)&rig->timer)) /* on a busy machine it may be still to come */
        on_timer(&rig->timer);
    if (rig->never)
        command_reply(rig->never, "too late");
    uv_close((uv_handle_t *)&rig->stop, NULL);
    uv_close((uv_handle_t *)&rig->timer, NULL);
}

static void *rig_run(void *argument)
{
    struct rig *rig = argument;
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    return NULL;
}

static struct rig *rig_new(void)
{
    struct rig *rig = mem_new(1, sizeof *rig);
    snprintf(rig->data, sizeof rig->data, "/tmp/command-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->data));
    ck_assert_int_eq(uv_loop_init(&rig->loop), 0);
    ck_assert_int_eq(uv_async_init(&rig->loop, &rig->stop, on_stop), 0);
    ck_assert_int_eq(uv_timer_init(&rig->loop, &rig->timer), 0);
    rig->stop.data = rig->timer.data = rig;
    ck_assert_int_eq(command_server_new(&rig->loop, rig->data, handle, rig, &rig->server), 0);
    ck_assert_int_eq(pthread_create(&rig->thread, NULL, rig_run, rig), 0);
    return rig;
}

static void rig_free(struct rig *rig)
{
    char path[100];
    uv_async_send(&rig->stop);
    ck_assert_int_eq(pthread_join(rig->thread, NULL), 0);
    ck_assert_int_eq(uv_loop_close(&rig->loop), 0); /* nothing is left open */
    snprintf(path, sizeof path, "%s/run/control.sock", rig->data);
    unlink(path);
    snprintf(path, sizeof path, "%s/run", rig->data);
    rmdir(path);
    rmdir(rig->data);
    free(rig);
}

static int dial(const struct rig *rig)
{
    char path[100];
    int fd;
    snprintf(path, sizeof path, "%s/run/control.sock", rig->data);
    ck_assert_int_eq(net_unix_connect(path, SOCK_STREAM, &fd), 0);
    struct timeval patience = {.tv_sec = 20};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* Reads up to a newline; the number of bytes without it, or -1 when the connection ended first. */
static ssize_t line_read(int fd, char *buffer, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        if (read(fd, buffer + n, 1) != 1)
            return -1;
        if (buffer[n] == '\n') {
            buffer[n] = 0;
            return (ssize_t)n;
        }
    }
    return -1;
}

START_TEST(test_call)
{
    struct rig *rig = rig_new();
    struct stat st;
    char path[100], *reply;
    ck_assert_int_eq(
        command_call(rig->data, "{\"op\":\"ping\"}", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
    ck_assert_str_eq(reply, "<{\"op\":\"ping\"}>");
    free(reply);
    snprintf(path, sizeof path, "uid %u", (unsigned)getuid());
    ck_assert_int_eq(strncmp(rig->author, path, strlen(path)), 0);
    if (getuid() == 0)
        ck_assert_str_eq(rig->author, "uid 0 (root)");
    snprintf(path, sizeof path, "%s/run/control.sock", rig->data);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    ck_assert_int_eq(command_call(rig->data, "large", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
    ck_assert_uint_eq(strlen(reply), 1000000);
    free(reply);
    rig_free(rig);
}
END_TEST

START_TEST(test_call_fails)
{
    struct rig *rig = rig_new();
    char *reply = (char *)1, *long_request = mem_new(COMMAND_REQUEST_MAX + 2, 1);
    ck_assert_int_eq(command_call("/nonexistent", "x", NULL, 0, USEC_PER_SEC, &reply), -ENOENT);
    ck_assert_int_eq(command_call(rig->data, "never", NULL, 0, 50 * USEC_PER_MSEC, &reply),
                     -ETIMEDOUT);
    memset(long_request, 'x', COMMAND_REQUEST_MAX + 1);
    ck_assert_int_eq(command_call(rig->data, long_request, NULL, 0, USEC_PER_SEC, &reply),
                     ERR_LIMIT);
    ck_assert_int_eq(command_call(rig->data, "two\nlines", NULL, 0, USEC_PER_SEC, &reply),
                     ERR_LIMIT);
    ck_assert_ptr_eq(reply, (char *)1);
    free(long_request);
    rig_free(rig);
}
END_TEST

/* While one request waits for its reply, others are answered. */
START_TEST(test_late_reply)
{
    struct rig *rig = rig_new();
    char buffer[100], *reply;
    int waits = dial(rig), slow = dial(rig);
    ck_assert_int_eq(write(waits, "never\n", 6), 6);
    ck_assert_int_eq(write(slow, "later\n", 6), 6);
    ck_assert_int_eq(command_call(rig->data, "x", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
    ck_assert_str_eq(reply, "<x>");
    free(reply);
    ck_assert_int_eq(line_read(slow, buffer, sizeof buffer), 28);
    ck_assert_str_eq(buffer, "{\"ok\":true,\"message\":\"late\"}");
    close(slow);
    close(waits);
    rig_free(rig);
}
END_TEST

/* A reply to a client that left goes nowhere, and nothing is leaked or touched after its end. */
START_TEST(test_gone)
{
    struct rig *rig = rig_new();
    char *reply;
    int fd = dial(rig);
    ck_assert_int_eq(write(fd, "later\n", 6), 6);
    close(fd);
    usleep(200000);
    fd = dial(rig);
    ck_assert_int_eq(write(fd, "large\n", 6), 6);
    close(fd); /* while it is being sent */
    ck_assert_int_eq(command_call(rig->data, "x", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
    free(reply);
    rig_free(rig);
}
END_TEST

START_TEST(test_several_lines)
{
    struct rig *rig = rig_new();
    char buffer[100];
    int fd = dial(rig);
    ck_assert_int_eq(write(fd, "one\ntwo\n\nthr", 12), 12);
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), 5);
    ck_assert_str_eq(buffer, "<one>");
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), 5);
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), 2);
    ck_assert_int_eq(write(fd, "ee\n", 3), 3);
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), 7);
    ck_assert_str_eq(buffer, "<three>");
    close(fd);
    rig_free(rig);
}
END_TEST

START_TEST(test_too_long)
{
    struct rig *rig = rig_new();
    char buffer[300], *line = mem_new(2 * COMMAND_REQUEST_MAX, 1);
    int fd = dial(rig);
    memset(line, 'x', 2 * COMMAND_REQUEST_MAX);
    (void)!send(fd, line, 2 * COMMAND_REQUEST_MAX, MSG_NOSIGNAL);
    ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
    ck_assert_str_eq(
        buffer,
        "{\"ok\":false,\"error\":\"ERR_LIMIT\",\"message\":\"a request is one line of at most "
        "65536 bytes\"}");
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), -1);
    close(fd);
    /* and one of exactly that length is a request */
    fd = dial(rig);
    line[COMMAND_REQUEST_MAX] = '\n';
    ck_assert_int_eq(send(fd, line, COMMAND_REQUEST_MAX + 1, 0), COMMAND_REQUEST_MAX + 1);
    ck_assert_int_eq(line_read(fd, buffer, sizeof buffer), 202);
    close(fd);
    free(line);
    rig_free(rig);
}
END_TEST

/* Silent clients take all places: one more is told so, and gets in once one has left. */
START_TEST(test_too_many)
{
    struct rig *rig = rig_new();
    int fds[COMMAND_CLIENTS_MAX];
    char *reply;
    for (unsigned i = 0; i < COMMAND_CLIENTS_MAX; i++)
        fds[i] = dial(rig);
    ck_assert_int_eq(command_call(rig->data, "x", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
    ck_assert_str_eq(
        reply,
        "{\"ok\":false,\"error\":\"ERR_LIMIT\",\"message\":\"too many operators are connected; "
        "try again\"}");
    free(reply);
    close(fds[0]);
    bool taken = false;
    for (unsigned i = 0; i < 100 && !taken; i++) { /* once its end was seen */
        usleep(50000);
        ck_assert_int_eq(command_call(rig->data, "x", NULL, 0, 5 * USEC_PER_SEC, &reply), 0);
        taken = strcmp(reply, "<x>") == 0;
        free(reply);
    }
    ck_assert(taken);
    for (unsigned i = 1; i < COMMAND_CLIENTS_MAX; i++)
        close(fds[i]);
    rig_free(rig);
}
END_TEST

/* A silent client is let go after COMMAND_IDLE_MS, one that does not read its reply after
 * COMMAND_SEND_MS. */
START_TEST(test_idle)
{
    struct rig *rig = rig_new();
    char buffer[10];
    int silent = dial(rig), deaf = dial(rig);
    ck_assert_int_eq(write(deaf, "large\n", 6), 6);
    usec_t start = clock_now();
    ck_assert_int_eq(read(silent, buffer, 1), 0);
    ck_assert_int_ge(clock_now() - start, (COMMAND_IDLE_MS - 1000) * USEC_PER_MSEC);
    struct pollfd ended = {.fd = deaf}; /* the other one is, too, some time later */
    ck_assert_int_eq(poll(&ended, 1, COMMAND_SEND_MS + 10000), 1);
    size_t got = 0;
    char part[65536];
    for (ssize_t n; (n = read(deaf, part, sizeof part)) > 0;)
        got += (size_t)n;
    ck_assert_uint_lt(got, 1000000);
    close(silent);
    close(deaf);
    rig_free(rig);
}
END_TEST

START_TEST(test_two_servers)
{
    struct rig *rig = rig_new();
    uv_loop_t loop;
    struct command_server *second;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(command_server_new(&loop, rig->data, handle, NULL, &second), -EADDRINUSE);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    rig_free(rig);
}
END_TEST

/* What is said of a small body, sooner or later. */
static void body_comes_to(const struct rig *rig, const char *wanted)
{
    char buffer[200] = "";
    for (unsigned i = 0; i < 200 && !strstr(buffer, wanted); i++) {
        int fd = dial(rig);
        ck_assert_int_eq(write(fd, "1 body\n\5", 8), 8);
        ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
        close(fd);
        usleep(20000);
    }
    ck_assert_ptr_nonnull(strstr(buffer, wanted));
}

START_TEST(test_body)
{
    struct rig *rig = rig_new();
    enum { SIZE = 3000000 };
    char buffer[200], *reply;
    uint8_t *body = mem_new(SIZE, 1);
    memset(body, 1, SIZE);
    body[7] = '\n';
    ck_assert_int_eq(command_call(rig->data, "body", body, SIZE, 5 * USEC_PER_SEC, &reply), 0);
    ck_assert_str_eq(reply, "3000009");
    free(reply);
    /* in one piece with what follows, and byte by byte */
    int fd = dial(rig);
    ck_assert_int_eq(write(fd, "3 body\n\1\1\1one\n2 unused\nxx2 body\n\2", 33), 33);
    ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
    ck_assert_str_eq(buffer, "3");
    ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
    ck_assert_str_eq(buffer, "<one>");
    ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
    ck_assert_str_eq(buffer, "< unused>");
    ck_assert_int_eq(write(fd, "\2", 1), 1);
    ck_assert_int_gt(line_read(fd, buffer, sizeof buffer), 0);
    ck_assert_str_eq(buffer, "4");
    /* clients that leave in the middle give back what they took */
    for (unsigned i = 0; i < 3; i++) {
        int half = dial(rig);
        int n = snprintf(buffer, sizeof buffer, "%d body\nx", COMMAND_BODY_MAX);
        ck_assert_int_eq(write(half, buffer, (size_t)n), n);
        body_comes_to(rig, "more than the node takes");
        close(half);
        body_comes_to(rig, "5");
    }
    close(fd);
    free(body);
    rig_free(rig);
}
END_TEST

CHECK_MAIN("command_io", test_call, test_body, test_call_fails, test_late_reply, test_gone,
           test_several_lines, test_too_long, test_too_many, test_idle, test_two_servers)
