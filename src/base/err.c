#include "base/err.h"

#include <errno.h>
#include <string.h>

static const char *const texts[] = {
#define X(name, text) text,
    ERR_LIST(X)
#undef X
};

static const char *const names[] = {
#define X(name, text) #name,
    ERR_LIST(X)
#undef X
};

/* Index into the lists above, or -1 where the number is none of ours. */
static int own_index(int err)
{
    return err <= ERR_BASE && err > ERR_BASE - ERR_COUNT ? ERR_BASE - err : -1;
}

/* The _np variants of glibc give static, untranslated text and are safe in threads; strerror() is
 * neither. */
const char *err_text(int err)
{
    if (err == 0)
        return "no error";
    int own = own_index(err);
    if (own >= 0)
        return texts[own];
    const char *text = err < 0 && err > ERR_BASE ? strerrordesc_np(-err) : NULL;
    return text ? text : "an unknown error";
}

const char *err_name(int err)
{
    if (err == 0)
        return "0";
    int own = own_index(err);
    if (own >= 0)
        return names[own];
    const char *name = err < 0 && err > ERR_BASE ? strerrorname_np(-err) : NULL;
    return name ? name : "ERR_UNKNOWN";
}

int err_of_name(const char *name)
{
    for (int i = 0; i < ERR_COUNT; i++)
        if (!strcmp(names[i], name))
            return ERR_BASE - i;
    return 0;
}
