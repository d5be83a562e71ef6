/* Certificates: which are trusted, and what a peer's says. */
#include "observe/probe_io.h"

#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/libcurl_io.h"
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool ca_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The system's certificates: the file that libcurl was built for, else OpenSSL's own places. */
static bool store_load(X509_STORE *store, const char *ca)
{
    if (ca)
        return X509_STORE_load_file(store, ca) == 1;
    const char *bundle = libcurl_load() ? curl_version_info(CURLVERSION_NOW)->cainfo : NULL;
    if (bundle && X509_STORE_load_file(store, bundle) == 1)
        return true;
    return X509_STORE_set_default_paths(store) == 1;
}

struct trust *trust_get(struct observer *o, const char *ca)
{
    struct trust *t = o->trusts;
    while (t && !ca_equal(t->ca, ca))
        t = t->next;
    if (!t) {
        t = mem_new(1, sizeof *t);
        t->ca = ca ? mem_string(ca) : NULL;
        t->users = 1; /* the list */
        t->store = X509_STORE_new();
        if (t->store && !store_load(t->store, ca)) {
            log_event(LOG_ERROR, "probe.ca", {"file", LOG_S(ca ? ca : "system")},
                      {"error", LOG_S(ERR_reason_error_string(ERR_peek_last_error()))});
            X509_STORE_free(t->store);
            t->store = NULL;
        }
        ERR_clear_error();
        t->next = o->trusts;
        o->trusts = t;
    }
    if (!t->store)
        return NULL;
    t->users++;
    return t;
}

void trust_put(struct trust *t)
{
    if (!t || --t->users)
        return;
    X509_STORE_free(t->store);
    free(t->ca);
    free(t);
}

void trust_renew(struct slot *s, struct trust **trust)
{
    struct trust *fresh = *trust ? trust_get(s->observer, s->check->ca) : NULL;
    if (!fresh)
        return;
    trust_put(*trust);
    *trust = fresh;
}

void trust_forget(struct observer *o)
{
    while (o->trusts) {
        struct trust *t = o->trusts;
        o->trusts = t->next;
        trust_put(t);
    }
}

/* Verifies with a context of our own, against our store, whatever store the TLS session has:
 * libcurl 7.87 to 8.2 sets up the session's store after all callbacks, from a cache of its own. */
static long chain_verify(X509_STORE_CTX *seen, X509_STORE *trusted)
{
    X509_STORE_CTX *own = X509_STORE_CTX_new();
    long verify = X509_V_ERR_OUT_OF_MEM;
    if (own &&
        X509_STORE_CTX_init(own, trusted, X509_STORE_CTX_get0_cert(seen),
                            X509_STORE_CTX_get0_untrusted(seen)) == 1 &&
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(own), X509_STORE_CTX_get0_param(seen)) ==
            1) {
        bool good = X509_verify_cert(own) == 1;
        verify = X509_STORE_CTX_get_error(own);
        if (!good && verify == X509_V_OK)
            verify = X509_V_ERR_UNSPECIFIED;
    }
    X509_STORE_CTX_free(own);
    return verify;
}

int certificate_check(X509_STORE_CTX *seen, struct slot *s, const struct trust *trust,
                      long *ret_verify)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(seen);
    struct tm end;
    if (leaf && ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1)
        s->sample.certificate_end = timegm(&end);
    *ret_verify = X509_V_OK;
    if (!s->check->verify)
        return 1;
    invariant(trust && trust->store);
    /* libcurl looks at the first error in the queue only: ours must not stand before the verdict */
    ERR_set_mark();
    *ret_verify = chain_verify(seen, trust->store);
    ERR_pop_to_mark();
    X509_STORE_CTX_set_error(seen, (int)*ret_verify);
    return *ret_verify == X509_V_OK;
}
