/* Slow failures: what no single probe shows. It is measured beside the verdicts, and handed to each
 * step of decide as facts (model/slow.h).
 *
 * Loss: a Bernoulli CUSUM (Page 1954). S rises by ln(p1/p0) with each that is lost and falls by
 * ln((1-p0)/(1-p1)) with each other one, never below 0; above h it alarms. One sum over all
 * vantages' probes finds 5 % within some 85 of them; one for each vantage finds what only some of
 * the ways lose. The same once more for the TCP segments that probes sent, as the kernel counts
 * what it sent again: there are two to four of them to a probe, and one that is lost seldom fails
 * it. Two measures, since a target that fails one request in twenty loses no segment.
 *
 *  1. A probe is lost for this, and its segments, only once a later one came back. A failure that
 *     lasts is a verdict's matter: of a target that is down nothing is counted, nor what failed
 *     before it was, nor more than RUN_MOST in a row.
 *  2. The sum over all speaks of the target only where the most of the networks lost something
 *     since it began to rise: else it is the way of those that did.
 *  3. An alarm ends when the sum has fallen to half of h. It is told while at least 2 % were lost
 *     since the sum began to rise: networks that always lose one in a hundred are no news.
 *
 * Latency: a sketch of the last minute, and of each of the 168 hours of a week the median of its
 * minutes' 99th percentile. Usual is the median of this hour of the last seven days; before there
 * is one, of all hours known; before there is one, of this hour's minutes, from the tenth on.
 *
 * Not pure in the narrow sense: what was measured before counts. The same calls give the same
 * facts. */
#pragma once

#include "base/attr.h"
#include "model/sample.h"
#include "model/slow.h"
#include "model/target.h"
#include "model/vantage.h"

struct slow;
must_check struct slow *slow_new(void);
void slow_free(struct slow *s);
/* Our targets, after each change of the configuration; what is known of those that stay is kept.
 * Both lists are copied as far as needed. */
void slow_targets(struct slow *s, const struct target *targets, const uint64_t *identities,
                  uint32_t count);
/* Takes one of our own samples. down: the verdict on its target. */
void slow_sample(struct slow *s, const struct sample *sample, bool down);
/* After the samples of a beat. network: our own; vantages: as in struct decide_input. The facts,
 * one a target, are valid until the next call. */
const struct slow_fact *slow_step(struct slow *s, const char *network,
                                  const struct vantage *vantages, uint32_t vantage_count,
                                  usec_t now, int64_t wall);
/* Those of the newest step. */
pure_function const struct slow_fact *slow_facts(const struct slow *s);
/* The histories, one a target; and how many hours were added to them since the start. */
const struct slow_history *slow_histories(const struct slow *s, uint32_t *ret_count);
pure_function uint64_t slow_hours(const struct slow *s);
/* Takes over what was kept, for those of our targets that it knows. */
void slow_resume(struct slow *s, const struct slow_history *histories, uint32_t count);
