/* Commands that are said to the running node over its socket. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* From now on what is sent is for this node alone, which is cut off (prog/control_override.h). */
void order_alone(void);
/* Sends the request and prints the node's sentence; the exit status. Steals the request. */
int order_send(const char *data, json_t *request, unsigned wait_s);
/* The same with a body of `size` bytes (command/command_io.h). */
int order_send_body(const char *data, json_t *request, const uint8_t *body, size_t size,
                    unsigned wait_s);
/* The node's reply where it is no refusal, json_decref; NULL: why was printed. Steals the request.
 */
json_t *order_fetch(const char *data, json_t *request, unsigned wait_s);
/* The node's intent as it is now (model/intent.h, as a file), json_decref; NULL: why was printed.
 */
json_t *order_intent(const char *data);
enum { ORDER_WAIT_S = 10 };
