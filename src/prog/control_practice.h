/* Practice runs (model/practice.h), carried out. Every node may ask for the same step of a run; its
 * token lets it happen once. */
#pragma once

#include "prog/control.h"

/* On the beat. */
void control_practice_beat(struct control *c, usec_t now);
