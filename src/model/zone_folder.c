#include "model/zone_folder.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

int zone_folder(const char *data, const char *kind, const char *zone,
                char ret_path[static PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s/", data, kind);
    if (n < 0 || n >= PATH_MAX)
        return -ENAMETOOLONG;
    char *to = ret_path + n, *end = ret_path + PATH_MAX - 4;
    for (const char *c = zone; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' ||
                     *c == '_' || (*c == '.' && c != zone);
        if (to >= end)
            return -ENAMETOOLONG;
        if (plain)
            *to++ = *c;
        else
            to += snprintf(to, 4, "%%%02X", (unsigned char)*c);
    }
    *to = 0;
    return 0;
}
