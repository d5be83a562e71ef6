#include "observe/libcurl_io.h"
#include "base/invariant.h"
#include "base/log.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* Definitions must not meet the macros that look at types. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define LIBRARY "libcurl.so.4"

/* What curl_url_get() reads: libcurl 8 promises that it does no more. */
#if LIBCURL_VERSION_NUM < 0x080000
#define URL_READ CURLU
#else
#define URL_READ const CURLU
#endif

/* All that is called. */
/* clang-format off */
#define FUNCTIONS(each) \
    each(curl_easy_cleanup) each(curl_easy_getinfo) each(curl_easy_init) \
    each(curl_easy_setopt) each(curl_easy_strerror) each(curl_free) \
    each(curl_global_cleanup) each(curl_global_init) each(curl_multi_add_handle) \
    each(curl_multi_assign) each(curl_multi_cleanup) each(curl_multi_info_read) \
    each(curl_multi_init) each(curl_multi_remove_handle) each(curl_multi_setopt) \
    each(curl_multi_socket_action) each(curl_slist_append) each(curl_slist_free_all) \
    each(curl_url) each(curl_url_cleanup) each(curl_url_get) \
    each(curl_url_set) each(curl_version_info)
/* clang-format on */

#define POINTER(function) __typeof__(&function) function;
#define PLACE(function)   {#function, offsetof(struct functions, function)},

struct functions {
    FUNCTIONS(POINTER)
};

static const struct {
    const char *name;
    size_t at;
} places[] = {FUNCTIONS(PLACE)};

static struct functions functions;
static enum { NOT_TRIED, LOADED, MISSING } state;

static const char *functions_find(struct functions *ret)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return dlerror();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        void *address = dlsym(library, places[i].name);
        if (!address)
            return dlerror();
        memcpy((char *)ret + places[i].at, &address, sizeof address);
    }
    return NULL;
}

bool libcurl_load(void)
{
    if (state != NOT_TRIED)
        return state == LOADED;
    const char *wrong = functions_find(&functions);
    state = wrong ? MISSING : LOADED;
    if (wrong)
        log_event(LOG_ERROR, "libcurl.load", {"reason", LOG_S(wrong)},
                  {"consequence", LOG_S("endpoints are not probed over http and https")});
    return !wrong;
}

/* ---- the functions under their own names ---- */

#define GIVES(type, function, parameters, arguments) \
    type(function) parameters                        \
    {                                                \
        invariant(state == LOADED);                  \
        return (functions.function)arguments;        \
    }
#define DOES(function, parameters, arguments) \
    void(function) parameters                 \
    {                                         \
        invariant(state == LOADED);           \
        (functions.function) arguments;       \
    }

GIVES(CURL *, curl_easy_init, (void), ())
GIVES(const char *, curl_easy_strerror, (CURLcode code), (code))
GIVES(CURLcode, curl_global_init, (long flags), (flags))
GIVES(CURLM *, curl_multi_init, (void), ())
GIVES(CURLMcode, curl_multi_add_handle, (CURLM * m, CURL *e), (m, e))
GIVES(CURLMcode, curl_multi_remove_handle, (CURLM * m, CURL *e), (m, e))
GIVES(CURLMcode, curl_multi_assign, (CURLM * m, curl_socket_t fd, void *p), (m, fd, p))
GIVES(CURLMcode, curl_multi_cleanup, (CURLM * m), (m))
GIVES(CURLMsg *, curl_multi_info_read, (CURLM * m, int *left), (m, left))
GIVES(CURLMcode, curl_multi_socket_action, (CURLM * m, curl_socket_t fd, int events, int *running),
      (m, fd, events, running))
GIVES(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *line),
      (list, line))
GIVES(CURLU *, curl_url, (void), ())
GIVES(CURLUcode, curl_url_get, (URL_READ * url, CURLUPart what, char **part, unsigned flags),
      (url, what, part, flags))
GIVES(CURLUcode, curl_url_set, (CURLU * url, CURLUPart what, const char *part, unsigned flags),
      (url, what, part, flags))
GIVES(curl_version_info_data *, curl_version_info, (CURLversion age), (age))
DOES(curl_easy_cleanup, (CURL * e), (e))
DOES(curl_free, (void *p), (p))
DOES(curl_global_cleanup, (void), ())
DOES(curl_slist_free_all, (struct curl_slist * list), (list))
DOES(curl_url_cleanup, (CURLU * url), (url))

/* What follows an option is of the type that its number tells. */
#define OPTION_SET(type, function, handle, option)                                             \
    va_list more;                                                                              \
    invariant(state == LOADED);                                                                \
    va_start(more, option);                                                                    \
    type result =                                                                              \
        (int)option < CURLOPTTYPE_OBJECTPOINT                                                  \
            ? (functions.function)(handle, option, va_arg(more, long))                         \
        : (int)option / CURLOPTTYPE_OBJECTPOINT == CURLOPTTYPE_OFF_T / CURLOPTTYPE_OBJECTPOINT \
            ? (functions.function)(handle, option, va_arg(more, curl_off_t))                   \
            : (functions.function)(handle, option, va_arg(more, void *));                      \
    va_end(more);                                                                              \
    return result

CURLcode(curl_easy_setopt)(CURL *e, CURLoption option, ...)
{
    OPTION_SET(CURLcode, curl_easy_setopt, e, option);
}

CURLMcode(curl_multi_setopt)(CURLM *m, CURLMoption option, ...)
{
    OPTION_SET(CURLMcode, curl_multi_setopt, m, option);
}

CURLcode(curl_easy_getinfo)(CURL *e, CURLINFO what, ...)
{
    va_list more;
    invariant(state == LOADED);
    va_start(more, what);
    CURLcode code = (functions.curl_easy_getinfo)(e, what, va_arg(more, void *));
    va_end(more);
    return code;
}
