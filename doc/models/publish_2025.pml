/* The saboteur: publication as it was on 19 October 2025 (incidents A 1-3), which spin must break.
 *
 *   planner    makes plans, numbered
 *   enactors   two. Each takes the newest plan and checks *once, at its start*, that it is newer
 *              than the one applied; applies it some time later, endpoint by endpoint; then deletes
 *              plans that are many generations older than its own, by age: whether one is in use is
 *              not asked.
 *
 * A name's record refers to a plan; where that plan is deleted the name has no address.
 *
 *   older_applied   an enactor that was held up writes its old plan over a newer one
 *   answer_is_empty the other's clean-up then deletes that old plan, the active one
 *
 * Compiled with ONLY_EMPTY the first is not asserted, so that the search goes on to the second. */

#define PLANS      4
#define AGE        2 /* generations: "many" */
#define NAMES      2

bit plan[PLANS + 1];
byte record[NAMES];       /* plan that the name's record refers to; 0 = none yet */
byte newest_record[NAMES]; /* newest ever written there */
byte newest;

bool older_applied, answer_is_empty;

inline answers_check() {
    d_step {
        n = 0;
        do
        :: n < NAMES ->
            if
            :: record[n] > 0 && !plan[record[n]] -> answer_is_empty = true
            :: else
            fi;
            n++
        :: else -> break
        od;
        n = 0
    }
    assert(!answer_is_empty)
}

proctype planner() {
    do
    :: newest < PLANS -> atomic { plan[newest + 1] = 1; newest++ }
    :: else -> break
    od
}

proctype enactor() {
    byte mine, i, n;
end:
    do
    :: atomic { /* the check, for all names, once */
           newest > record[0] && newest > record[1];
           mine = newest
       };
       i = 0;
       do
       :: i < NAMES -> /* each write may take long */
           atomic {
               if
               :: mine < newest_record[i] -> older_applied = true
               :: else -> newest_record[i] = mine
               fi;
#ifndef ONLY_EMPTY
               assert(!older_applied);
#endif
               record[i] = mine;
               answers_check()
           };
           i++
       :: else -> break
       od;
       i = 1; /* clean-up */
       do
       :: i + AGE <= mine ->
           atomic { plan[i] = 0; answers_check() };
           i++
       :: else -> break
       od;
       atomic { i = 0; mine = 0 }
    od
}

init {
    atomic {
        run planner();
        run enactor();
        run enactor()
    }
}
