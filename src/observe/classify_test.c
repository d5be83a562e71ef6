#include "observe/classify.h"

#include "test/check_main.h"
#include <curl/curl.h>
#include <errno.h>
#include <openssl/x509_vfy.h>

static const struct progress nothing = {0}, connected = {.connected = true},
                             secured = {.connected = true, .secured = true},
                             answering = {true, true, true};

START_TEST(test_connect)
{
    ck_assert_int_eq(classify_connect(ECONNREFUSED, false), REASON_CONNECT_REFUSED);
    ck_assert_int_eq(classify_connect(ECONNRESET, false), REASON_CONNECT_REFUSED);
    ck_assert_int_eq(classify_connect(EHOSTUNREACH, false), REASON_CONNECT_UNREACHABLE);
    ck_assert_int_eq(classify_connect(ENETUNREACH, false), REASON_CONNECT_UNREACHABLE);
    ck_assert_int_eq(classify_connect(ETIMEDOUT, false), REASON_CONNECT_TIMEOUT);
}
END_TEST

/* L4, L8: what the prober lacks is never held against the target. */
START_TEST(test_own_failures_are_no_verdict)
{
    static const int ours[] = {EMFILE,       ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL,
                               EACCES,       EPERM,  EINVAL,  EAGAIN, ENETDOWN,
                               EAFNOSUPPORT, EBADF,  EFAULT,  0,      9999};
    for (size_t i = 0; i < array_length(ours); i++) {
        ck_assert_int_eq(classify_connect(ours[i], false), REASON_INTERNAL);
        ck_assert_int_eq(classify_curl(CURLE_COULDNT_CONNECT, ours[i], false, 0, &nothing),
                         REASON_INTERNAL);
    }
    ck_assert_int_eq(classify_connect(ENETUNREACH, true), REASON_INTERNAL);
    ck_assert_int_eq(classify_stream(ENOMEM, &secured), REASON_INTERNAL);
    static const int codes[] = {CURLE_OUT_OF_MEMORY,
                                CURLE_FAILED_INIT,
                                CURLE_SSL_CACERT_BADFILE,
                                CURLE_SSL_CERTPROBLEM,
                                CURLE_URL_MALFORMAT,
                                CURLE_COULDNT_RESOLVE_HOST,
                                CURLE_COULDNT_RESOLVE_PROXY,
                                CURLE_INTERFACE_FAILED,
                                1000,
                                -1};
    for (size_t i = 0; i < array_length(codes); i++)
        ck_assert_int_eq(classify_curl(codes[i], 0, false, 0, &nothing), REASON_INTERNAL);
}
END_TEST

START_TEST(test_the_deadline_names_the_phase)
{
    ck_assert_int_eq(classify_timeout(&nothing), REASON_CONNECT_TIMEOUT);
    ck_assert_int_eq(classify_timeout(&connected), REASON_TLS_TIMEOUT);
    ck_assert_int_eq(classify_timeout(&secured), REASON_FIRST_BYTE_TIMEOUT);
    ck_assert_int_eq(classify_timeout(&answering), REASON_BODY_TIMEOUT);
    ck_assert_int_eq(classify_curl(CURLE_OPERATION_TIMEDOUT, 0, false, 0, &secured),
                     REASON_FIRST_BYTE_TIMEOUT);
}
END_TEST

START_TEST(test_certificates)
{
    ck_assert_int_eq(classify_certificate(X509_V_ERR_CERT_HAS_EXPIRED), REASON_TLS_EXPIRED);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_CERT_NOT_YET_VALID), REASON_TLS_EXPIRED);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_HOSTNAME_MISMATCH), REASON_TLS_WRONG_NAME);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_IP_ADDRESS_MISMATCH), REASON_TLS_WRONG_NAME);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
                     REASON_TLS_UNTRUSTED);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT),
                     REASON_TLS_UNTRUSTED);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_CERT_REVOKED), REASON_TLS_UNTRUSTED);
    ck_assert_int_eq(classify_certificate(X509_V_ERR_OUT_OF_MEM), REASON_INTERNAL);
    ck_assert_int_eq(classify_curl(CURLE_PEER_FAILED_VERIFICATION, 0, false,
                                   X509_V_ERR_CERT_HAS_EXPIRED, &connected),
                     REASON_TLS_EXPIRED);
    ck_assert_int_eq(classify_curl(CURLE_PEER_FAILED_VERIFICATION, 0, false, X509_V_OK, &connected),
                     REASON_TLS_WRONG_NAME);
}
END_TEST

START_TEST(test_streams)
{
    ck_assert_int_eq(classify_stream(ECONNRESET, &connected), REASON_TLS_ALERT);
    ck_assert_int_eq(classify_stream(ECONNRESET, &secured), REASON_CLOSED);
    ck_assert_int_eq(classify_stream(ECONNREFUSED, &nothing), REASON_CONNECT_REFUSED);
    ck_assert_int_eq(classify_stream(ETIMEDOUT, &secured), REASON_FIRST_BYTE_TIMEOUT);
    ck_assert_int_eq(classify_curl(CURLE_RECV_ERROR, ECONNRESET, false, 0, &secured),
                     REASON_CLOSED);
    ck_assert_int_eq(classify_curl(CURLE_GOT_NOTHING, 0, false, 0, &secured), REASON_CLOSED);
    ck_assert_int_eq(classify_curl(CURLE_PARTIAL_FILE, 0, false, 0, &answering), REASON_CLOSED);
    ck_assert_int_eq(classify_curl(CURLE_WEIRD_SERVER_REPLY, 0, false, 0, &answering),
                     REASON_PROTOCOL);
    ck_assert_int_eq(classify_curl(CURLE_UNSUPPORTED_PROTOCOL, 0, false, 0, &answering),
                     REASON_PROTOCOL);
    ck_assert_int_eq(classify_curl(CURLE_SSL_CONNECT_ERROR, 0, false, 0, &connected),
                     REASON_TLS_ALERT);
    ck_assert_int_eq(classify_curl(CURLE_OK, 0, false, 0, &answering), REASON_OK);
}
END_TEST

START_TEST(test_rcodes)
{
    ck_assert_int_eq(classify_rcode(3), REASON_RESOLVE_NXDOMAIN);
    ck_assert_int_eq(classify_rcode(2), REASON_RESOLVE_SERVFAIL);
    ck_assert_int_eq(classify_rcode(5), REASON_RESOLVE_SERVFAIL);
}
END_TEST

CHECK_MAIN("classify", test_connect, test_own_failures_are_no_verdict,
           test_the_deadline_names_the_phase, test_certificates, test_streams, test_rcodes)
