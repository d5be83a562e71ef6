/* Incidents and maintenance that operators have told of and that are not over, for people and for
 * programs. */
#pragma once

#include "base/text.h"
#include "tell/view.h"
#include <jansson.h>

/* A line for each; "" where there is none. */
void incidents_lines(struct text *out, const struct view *v);
/* Those that touch the service, by its own name, that of an endpoint, its region or its provider;
 * two lines each, the second with the newest update. */
void incidents_of_service(struct text *out, const struct view *v, uint32_t service);
json_t *incidents_json(const struct view *v);
/* How many incidents of this impact are not over. */
pure_function unsigned incidents_count(const struct view *v, enum incident_impact impact);
/* How much maintenance has this status. */
pure_function unsigned maintenance_count(const struct view *v, enum incident_status status);
