/* Commands that are said to the running node over its socket. */
#pragma once

#include <jansson.h>

/* Sends the request and prints the node's sentence; the exit status. Steals the request. */
int order_send(const char *data, json_t *request, unsigned wait_s);
