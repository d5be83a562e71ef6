/* What broke, and where: from who reaches a target and who does not.
 *
 *   inside     outside        what fails                     finding
 *   reaches    nobody                                        cut off
 *   any        some reach     before the connection stands   transit
 *   any        some reach     TLS or a body, in time-outs    path
 *   -          nobody         resolving, alone               name
 *   -          any reach      the name, not the address      name, told of the name
 *   fails      nobody                                        down
 *   reaches    all reach      now and then                   loss
 *   reaches    all reach      far slower than usual          brown-out
 *
 * An endpoint with a hostname is looked at twice, by its address and by its name (model/target.h):
 * who fails by the name and reaches the address has found what is wrong with DNS.
 *
 * "Inside" are vantages in the target's region; where there is none, that row speaks of the
 * others alone. One vantage that fails for a moment is no finding: it has to fail for twice as
 * long as its vote takes. */
#pragma once

#include "decide/step.h"

/* The findings of all targets, then what those that fail have in common. After the verdicts. */
void locate(struct step *step);

/* cause.c: what targets that fail together share. */
void causes_find(struct step *step);
