/* Messages on streams that are answered later. */
#pragma once

#include "serve/dns/stream_io.h"

/* The response to a message for which stream_owe() gave a ticket. Once; from any thread; the stream
 * may be gone. */
void tcp_answer(struct stream_ticket ticket, const uint8_t *message, size_t length);
