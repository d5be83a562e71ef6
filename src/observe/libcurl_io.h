/* libcurl, loaded by the process that needs it when it needs it: 28 libraries come along, and
 * loading them took a third of the time from a name server's start to its first answer. Nor can a
 * libcurl that is broken keep names from being answered (L9). Its functions have their own names
 * here, so who calls them includes <curl/curl.h> and knows of nothing. */
#pragma once

#include <stdbool.h>

/* To be called, and to have succeeded, before any function of libcurl is. One thread's. False: it
 * cannot be had, which is logged once. */
bool libcurl_load(void);
