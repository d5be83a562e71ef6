/* `holdfast zone import NAME`: a zone from any name server or from a master file, into the running
 * node or into another master file. */
#pragma once

#include <stdbool.h>

/* What was said; NULL: it was not. */
struct zone_import {
    const char *file; /* a master file; or: */
    const char *from; /* "192.0.2.1", "[2001:db8::1]:5353" */
    const char *key;  /* a name of the configuration, or a file */
    const char *tls;  /* the name that the server's certificate has to have */
    const char *ca;   /* file: who may have signed it */
    const char *out;  /* file, "-" = standard output; NULL: into the node */
    const char *config;
    const char *data; /* the node's folder */
    bool overwrite;
    bool accept_shrink, dry_run; /* into the node: L3; only tell what would change */
};

/* The exit status; what went wrong was printed. */
int zone_import(const char *name, const struct zone_import *o);
