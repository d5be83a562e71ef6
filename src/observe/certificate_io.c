/* Certificates: which are trusted, and what a peer's says. */
#include "observe/probe_io.h"

#include "base/log.h"
#include "base/memory.h"
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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
    const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;
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
    SSL_CTX_free(t->context);
    X509_STORE_free(t->store);
    free(t->ca);
    free(t);
}

void trust_forget(struct observer *o)
{
    while (o->trusts) {
        struct trust *t = o->trusts;
        o->trusts = t->next;
        trust_put(t);
    }
}

int certificate_check(X509_STORE_CTX *store, struct slot *s, long *ret_verify)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    struct tm end;
    if (leaf && ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1)
        s->sample.certificate_end = timegm(&end);
    *ret_verify = X509_V_OK;
    if (!s->check->verify)
        return 1;
    int good = X509_verify_cert(store);
    if (good <= 0)
        *ret_verify = X509_STORE_CTX_get_error(store);
    return good > 0;
}
