#include "observe/classify.h"

#include "wire/dns.h"
#include <curl/curl.h>
#include <errno.h>
#include <openssl/x509_vfy.h>

/* Errors that come from this host: limits, rights, memory, ports. EPERM is a local firewall's
 * answer; EINVAL that of a local blackhole route. */
static bool error_is_ours(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EAGAIN: /* connect(): no free local port, or a full routing cache */
    case EACCES:
    case EPERM:
    case EINVAL:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ENETDOWN: /* our interface */
        return true;
    default:
        return false;
    }
}

enum reason classify_connect(int error, bool no_route)
{
    if (error_is_ours(error) || (no_route && error == ENETUNREACH))
        return REASON_INTERNAL;
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET: /* reset between SYN and SYN-ACK */
    case EPIPE:
        return REASON_CONNECT_REFUSED;
    case ETIMEDOUT:
        return REASON_CONNECT_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case EPROTO:      /* ICMP parameter problem */
    case ENOPROTOOPT: /* ICMP protocol unreachable */
    case EOPNOTSUPP:
    case EMSGSIZE:
        return REASON_CONNECT_UNREACHABLE;
    default:
        return REASON_INTERNAL;
    }
}

enum reason classify_stream(int error, const struct progress *at)
{
    if (!at->connected)
        return classify_connect(error, false);
    if (error == ENOBUFS || error == ENOMEM)
        return REASON_INTERNAL;
    if (error == ETIMEDOUT)
        return classify_timeout(at);
    return at->secured ? REASON_CLOSED : REASON_TLS_ALERT;
}

enum reason classify_certificate(long verify)
{
    switch (verify) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
        return REASON_TLS_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
    case X509_V_ERR_EMAIL_MISMATCH:
        return REASON_TLS_WRONG_NAME;
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_INVALID_CALL:
    case X509_V_ERR_STORE_LOOKUP:
    case X509_V_ERR_UNSPECIFIED:
        return REASON_INTERNAL;
    default:
        return REASON_TLS_UNTRUSTED;
    }
}

enum reason classify_timeout(const struct progress *at)
{
    if (!at->connected)
        return REASON_CONNECT_TIMEOUT;
    if (!at->secured)
        return REASON_TLS_TIMEOUT;
    return at->first_byte ? REASON_BODY_TIMEOUT : REASON_FIRST_BYTE_TIMEOUT;
}

enum reason classify_curl(int code, int error, bool no_route, long verify,
                          const struct progress *at)
{
    switch (code) {
    case CURLE_OK:
        return REASON_OK;
    case CURLE_COULDNT_CONNECT:
        return classify_connect(error, no_route);
    case CURLE_OPERATION_TIMEDOUT:
        return classify_timeout(at);
    case CURLE_PEER_FAILED_VERIFICATION:
        /* a good chain that curl refuses all the same is one for another name */
        return verify == X509_V_OK ? REASON_TLS_WRONG_NAME : classify_certificate(verify);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CLIENTCERT:
        return verify == X509_V_OK ? REASON_TLS_ALERT : classify_certificate(verify);
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return REASON_TLS_UNTRUSTED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return REASON_CLOSED;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return classify_stream(error, at);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, which we do not ask for */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WRITE_ERROR: /* our own limit on the header */
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return REASON_PROTOCOL;
    default:
        return REASON_INTERNAL;
    }
}

enum reason classify_rcode(unsigned rcode)
{
    return rcode == DNS_NXDOMAIN ? REASON_RESOLVE_NXDOMAIN : REASON_RESOLVE_SERVFAIL;
}
