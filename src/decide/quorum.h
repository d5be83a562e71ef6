/* Verdicts by votes of several vantages, each of which looks for itself.
 *
 *  1. A vantage votes on a target by its own judgement: down after `rounds` failures in a row, up
 *     after `rise` successes in a row. What it never saw healthy it votes down after `fall`.
 *  2. It votes for nothing while nothing is heard of it, while its prober is late, and while it is
 *     sick: most of its references fail, or, without references, all that it looks at, at two
 *     providers or more (L8). A sample of it that is too old is no vote either.
 *  3. Votes count once a network: a network votes as the most of its vantages do, and not at all
 *     where they are divided.
 *  4. A verdict wants the most of the networks that vote, and at least `networks` of them, or all
 *     where there are fewer. Where it gets neither, it stays as it was.
 *  5. Hold-downs, and that what was never seen healthy is not unhealthy (L4), are as where one node
 *     decides (verdict.h).
 *
 * Without other vantages in the input `count` is 0 and none of this happens. */
#pragma once

#include "decide/step.h"

struct voter {
    const struct sight *sights; /* of each target; NULL: this node itself */
    bool votes;
};

/* Targets that share something (cause.c). */
struct cause_tally {
    uint32_t failing, count;
    uint32_t seen, down; /* networks: votes of their vantages, and those that say down */
};

struct quorum {
    struct voter voters[PLAN_VANTAGES_MAX]; /* as plan.vantages */
    uint32_t count;
    uint64_t networks[PLAN_VANTAGES_MAX]; /* vantages of each network, by its name */
    uint32_t network_count;
    uint64_t *inside; /* vantages in each region */
    uint8_t *groups;  /* of each group of targets: seen up 1, seen down 2 */
    bool *explained;  /* of each target: a cause was named for it */
    struct cause_tally *tallies;
    size_t inside_capacity, group_capacity, explained_capacity, tally_capacity;
    uint32_t late, samples; /* of this step */
};

/* Who looks; views as they were. After the targets are carried over. */
void quorum_begin(struct step *step);
void quorum_done(struct quorum *q);
/* Takes one of our own samples into account, of a target with a check. */
void quorum_sample(struct step *step, const struct sample *s);
/* After all samples: who of the vantages votes. */
void quorum_vantages(struct step *step);
/* The votes on a target, and what becomes of its verdict. paused: not probed on purpose. */
void quorum_settle(struct step *step, uint32_t target, bool paused);
/* Time until the verdict could change at the earliest; USEC_NEVER where nothing can change it. */
usec_t quorum_change_us(const struct step *step, uint32_t target);

/* Samples in a row like the newest, and when the vote began; of vantage `voter`. */
unsigned quorum_run(const struct step *step, uint32_t voter, uint32_t target);
usec_t quorum_since(const struct step *step, uint32_t voter, uint32_t target);
/* Why a vantage votes down. */
enum reason quorum_reason(const struct step *step, uint32_t voter, uint32_t target);
/* The name of a network, by its place in quorum.networks. */
const char *quorum_network(const struct step *step, uint32_t network);
/* Networks that have to agree at the least. */
unsigned quorum_floor(const struct step *step);

static inline unsigned quorum_rounds(const struct step *step)
{
    unsigned rounds = step->layout->config->verdict.rounds;
    return rounds ? rounds : 1;
}
