#include "observe/origin_io.h"

#include "base/invariant.h"
#include "seam/net.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int socket_bound(const char *address, int type, uint16_t *ret_port)
{
    struct ip ip, local;
    struct sockaddr_storage at;
    invariant(ip_parse(address, &ip) == 0);
    socklen_t length = net_sockaddr(&ip, 0, &at);
    int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);
    invariant(fd >= 0 && bind(fd, (struct sockaddr *)&at, length) == 0);
    invariant(net_local(fd, &local, ret_port) == 0);
    return fd;
}

static int listener_open(const char *address, int type, int backlog, uint16_t *ret_port)
{
    int fd = socket_bound(address, type, ret_port);
    if (type == SOCK_STREAM)
        invariant(listen(fd, backlog) == 0);
    return fd;
}

static void connection_serve(int fd, const struct origin_how *how)
{
    SSL *ssl = NULL;
    if (how->tls) {
        ssl = SSL_new(how->tls);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) != 1)
            goto out;
    }
    if (how->handler)
        how->handler(fd, ssl, how->context);
    if (ssl)
        SSL_shutdown(ssl);
out:
    SSL_free(ssl);
    close(fd);
}

static void child_serve(int fd, const struct origin_how *how)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        if (how->type == SOCK_DGRAM) {
            how->handler(fd, NULL, how->context);
            continue;
        }
        int connection = accept(fd, NULL, NULL);
        if (connection >= 0)
            connection_serve(connection, how);
    }
}

struct origin origin_start(const struct origin_how *how)
{
    struct origin o = {.fd = -1};
    struct origin_how plain = *how;
    plain.type = how->type ? how->type : SOCK_STREAM;
    int fd = listener_open(how->address, plain.type, how->backlog ? how->backlog : 4096, &o.port);
    o.pid = fork();
    invariant(o.pid >= 0);
    if (o.pid == 0)
        child_serve(fd, &plain);
    close(fd);
    return o;
}

/* Linux queues backlog + 1 connections; further SYNs are dropped. */
struct origin origin_blackhole(const char *address)
{
    struct origin o = {0};
    struct ip ip;
    struct sockaddr_storage to;
    o.fd = listener_open(address, SOCK_STREAM, 0, &o.port);
    invariant(ip_parse(address, &ip) == 0);
    socklen_t length = net_sockaddr(&ip, o.port, &to);
    for (int i = 0; i < 2; i++) { /* left open until the process ends */
        int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        invariant(fd >= 0);
        (void)!connect(fd, (struct sockaddr *)&to, length);
    }
    return o;
}

uint16_t origin_free_port(const char *address)
{
    uint16_t port;
    (void)socket_bound(address, SOCK_STREAM, &port); /* left open until the process ends */
    return port;
}

void origin_stop(struct origin *o)
{
    if (o->pid > 0) {
        kill(o->pid, SIGKILL);
        waitpid(o->pid, NULL, 0);
    }
    if (o->fd > 0)
        close(o->fd);
    *o = (struct origin){.fd = -1};
}

int origin_ip(const char *words)
{
    char copy[200], program[] = "ip", *list[20] = {program}, *state;
    snprintf(copy, sizeof copy, "%s", words);
    size_t count = 1;
    for (char *w = strtok_r(copy, " ", &state); w && count < 19; w = strtok_r(NULL, " ", &state))
        list[count++] = w;
    pid_t pid = fork();
    if (pid == 0) {
        execvp("ip", list);
        _exit(127);
    }
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool origin_alone(void)
{
    return unshare(CLONE_NEWNET) == 0 && origin_ip("link set lo up") == 0;
}

bool origin_one_port(uint16_t port)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    return f && fprintf(f, "%u %u", port, port) > 0 && fclose(f) == 0;
}

/* ---- certificates ---- */

static X509 *certificate_new(EVP_PKEY *key, const char *name, long from_s, long until_s)
{
    static long serial;
    X509 *x = X509_new();
    invariant(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), getpid() * 100000L + ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), until_s);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return x;
}

static void extension_add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    invariant(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

struct authority authority_new(const char *path)
{
    struct authority a = {.key = EVP_EC_gen("P-256")};
    invariant(a.key);
    X509 *x = a.certificate = certificate_new(a.key, "holdfast test authority", -86400, 864000);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    extension_add(x, x, NID_basic_constraints, "critical,CA:TRUE");
    extension_add(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
    extension_add(x, x, NID_subject_key_identifier, "hash");
    invariant(X509_sign(x, a.key, EVP_sha256()) > 0);
    FILE *f = fopen(path, "w");
    invariant(f && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
    return a;
}

void authority_free(struct authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

SSL_CTX *authority_server(const struct authority *a, const char *names, long from_s, long until_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    invariant(key);
    X509 *x = certificate_new(key, "server", from_s, until_s), *issuer = a ? a->certificate : x;
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    extension_add(x, issuer, NID_subject_alt_name, names);
    invariant(X509_sign(x, a ? a->key : key, EVP_sha256()) > 0);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    invariant(context && SSL_CTX_use_certificate(context, x) == 1 &&
              SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return context;
}

/* ---- talking ---- */

int origin_read(int fd, SSL *ssl, char *buffer, size_t size)
{
    size_t length = 0;
    buffer[0] = 0;
    while (length + 1 < size) {
        ssize_t got = ssl ? SSL_read(ssl, buffer + length, (int)(size - length - 1))
                          : read(fd, buffer + length, size - length - 1);
        if (got <= 0)
            return -1;
        length += (size_t)got;
        buffer[length] = 0;
        if (strstr(buffer, "\r\n\r\n"))
            break;
    }
    return (int)length;
}

void origin_write(int fd, SSL *ssl, const char *string)
{
    if (ssl)
        (void)!SSL_write(ssl, string, (int)strlen(string));
    else
        (void)!write(fd, string, strlen(string));
}

void origin_answer(int fd, SSL *ssl, const void *context)
{
    char request[4096];
    if (origin_read(fd, ssl, request, sizeof request) > 0)
        origin_write(fd, ssl, context);
}
