/* The view: all that this host's files say about the node at one instant. What the metrics, the
 * health page and `holdfast status` are made from; it needs no other process to be alive (L1, L9).
 */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/board.h"
#include "model/incident.h"
#include "model/key_board.h"
#include "model/plan.h"
#include "model/snapshot_io.h"
#include "model/stats.h"

enum { VIEW_BEAT_MAX_S = 5 }; /* a board older than this: control is dead or stuck */

struct view_role {
    bool has_stats;
    bool foreign; /* it runs, or ran, with another version of this program: no counters here */
    bool alive;
    struct stats_file stats; /* where has_stats */
};

struct view {
    usec_t now;       /* monotonic */
    int64_t wall;     /* microseconds since 1970 */
    uint64_t boot_id; /* of this boot: says whether times in files compare with now */

    bool has_plan;
    struct plan plan;
    uint64_t refused;      /* plan files that did not pass the check since view_init */
    char refused_why[256]; /* the newest such file and why; "" = none */

    bool has_board; /* and it belongs to this boot */
    struct board_header board;
    struct plan_target *board_targets; /* owned */

    struct key_board *keys; /* owned; NULL: control has not written it */
    bool has_incidents;
    struct incident_list incidents; /* that are not over; where has_incidents */

    struct view_role roles[STATS_ROLES];

    struct mapped plan_file;
};

/* view_io.c. Empty, nothing is read yet. */
void view_init(struct view *v);
/* Reads again what changed. The plan is replaced only by a newer one that passes the check (L2,
 * L3); 0, or the error of the newest plan file where there is none that passes. */
int view_refresh(struct view *v, const char *data);
void view_done(struct view *v);

/* ---- view.c: pure ---- */

/* After the board or the plan was read: what a board cannot say by itself is the plan's. */
void view_settle(struct view *v);
/* The newest verdicts: the board's where it is about this very plan's targets, else those that were
 * published with the plan. plan.target_count elements; only where has_plan. */
pure_function const struct plan_target *view_targets(const struct view *v);
/* The plan with the newest verdicts, and what is known beside them, from the board where it has
 * them; only where has_plan. */
struct plan view_plan(const struct view *v);
/* Is control writing its board? */
pure_function bool view_beat_fresh(const struct view *v);
/* How long ago a monotonic time of the plan was, also across a restart of the machine (then by the
 * wall clock); never below 0. */
pure_function usec_t view_age(const struct view *v, usec_t when);
pure_function usec_t view_plan_age(const struct view *v);
/* For people: "12ms", "3.4s", "16m40s", "2h05m", "3d04h"; returns buffer. */
enum { AGE_TEXT_MAX = 24 };
char *age_format(usec_t age, char buffer[static AGE_TEXT_MAX]);
/* Does this role read plans (dns, tell)? */
const_function bool view_role_reads_plans(enum stats_role role);

/* How often the supervisor had to start the role again; 0 for itself. */
uint64_t view_restarts(const struct view *v, enum stats_role role);

/* Appends one sentence for everything that is wrong with the node itself (not with endpoints), each
 * ended by a newline; the number of sentences. */
unsigned view_problems(const struct view *v, struct text *out);
