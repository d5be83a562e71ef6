/* Observe: probes every target on its own schedule and hands over samples. Runs in one libuv loop;
 * no probe waits for another, nothing blocks. */
#pragma once

#include "base/attr.h"
#include "model/sample.h"
#include "model/target.h"
#include "observe/schedule.h"
#include <uv.h>

/* Called from the loop for each finished probe; it may call observer_targets(). */
typedef void observe_sink(void *context, const struct sample *sample);

struct observer;
/* ret_: an observer that hands its samples to `sink`. seed: the same on all
 * nodes that share the work (observe/schedule.h). Raises the soft limit of open files to the
 * hard one and ignores SIGPIPE where nobody else handles it. Negative errno. */
must_check int observer_new(uv_loop_t *loop, observe_sink *sink, void *context, uint64_t seed,
                            struct observer **ret);
/* Replaces the list of targets (copied; the checks it points to must live until the next call or
 * observer_free). A target that was there before with the same address and an equal check keeps its
 * place in time; probes of targets that are gone are abandoned. Samples carry `epoch` and the new
 * indices from now on. `paused[i]` (may be NULL): not probed. Files with trusted certificates are
 * read here, and again at each call. */
void observer_targets(struct observer *o, const struct target *targets, uint32_t count,
                      const bool *paused, uint32_t epoch);
/* Where this node stands among those that probe the same. */
void observer_move(struct observer *o, struct schedule_place place);
/* Who resolves the names of targets from now on; none: those of the system's resolv.conf, read
 * again now and then. At most RESOLVERS_MAX. */
void observer_resolvers(struct observer *o, const struct config_listen *list, uint32_t count);
/* Ends all probes; call uv_run afterwards so that handles can close. */
void observer_free(struct observer *o);
