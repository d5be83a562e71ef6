/* Is this node well? For load balancers and supervisors of supervisors: GET /healthz. Pure. */
#pragma once

#include "base/text.h"
#include "tell/view.h"

/* Appends a short JSON object: status, node, generation, age of the plan in seconds, problems (one
 * sentence each). Returns the HTTP status: 200 when there is a plan, every role lives, dns serves
 * the newest plan and control's beat is fresh; 503 otherwise. An endpoint that is down is not an
 * illness of the node. */
unsigned health_render(struct text *out, const struct view *v);
