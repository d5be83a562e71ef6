/* The saboteur of wakeup.pml: a worker loads the pointer first and says afterwards that it is
 * awake. Between the two the owner sees it asleep and frees what it has loaded; spin must find
 * that. */
#define LOAD_FIRST
#include "wakeup.pml"
