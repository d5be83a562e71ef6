/* `holdfast zone import NAME --from ADDRESS`: a zone from any name server, as a master file. */
#pragma once

#include <stdbool.h>

/* What was said; NULL: it was not. */
struct zone_import {
    const char *from; /* "192.0.2.1", "[2001:db8::1]:5353" */
    const char *key;  /* a name of the configuration, or a file */
    const char *tls;  /* the name that the server's certificate has to have */
    const char *ca;   /* file: who may have signed it */
    const char *out;  /* file; else standard output */
    const char *config;
    bool overwrite;
};

/* The exit status; what went wrong was printed. */
int zone_import(const char *name, const struct zone_import *o);
