/* The control role's part in zone transfers: secondaries are told of changes once those are
 * published. */
#pragma once

struct control;

/* A publication begins: its serials are noted. */
void control_transfer_begin(struct control *c);
/* It ended well. */
void control_transfer_published(struct control *c);
