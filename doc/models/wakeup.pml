/* Reclaim by generation (src/base/reclaim.h): a worker that sleeps uses nothing; when it wakes it
 * says so *before* it loads the pointer.
 *
 *   worker   slot = ONLINE; object = current; slot = its generation; use it; slot = OFFLINE
 *   owner    makes an object, swaps the pointer, then reads the slots one after the other and frees
 *            what is older than the smallest generation in use; an ONLINE slot counts as 0
 *
 *   used_after_free   a worker touches an object that the owner has freed
 *   never_freed       when all is quiet an object that nobody uses is still there
 *
 * A worker's store goes through a buffer, as on every processor we run on: the worker goes on
 * before others see it. Sequential consistency means here that the load waits until the buffer is
 * empty. Compiled with RELAXED it does not wait, and spin finds the use after free: the order in
 * the program is not enough. wakeup_wrong.pml has the other order. */

#define WORKERS 2
#ifndef OBJECTS
#define OBJECTS 4
#endif
#define ONLINE  0
#define OFFLINE 255
#define NOTHING 254 /* in the buffer */

bit alive[OBJECTS + 1];
byte current;
byte slot[WORKERS] = OFFLINE;
byte buffer[WORKERS] = NOTHING; /* a store on its way to slot[] */
byte owning = 1;

bool used_after_free, never_freed;

#define FLUSHED (buffer[id] == NOTHING)

proctype flush(byte id) {
end:
    do
    :: atomic { buffer[id] != NOTHING -> slot[id] = buffer[id]; buffer[id] = NOTHING }
    od
}

inline store(value) {
    atomic { FLUSHED; buffer[id] = value } /* stores of one worker stay in their order */
}

inline use() {
    atomic {
        if
        :: !alive[object] -> used_after_free = true
        :: else
        fi;
        assert(!used_after_free)
    }
}

proctype worker(byte id) {
    byte object;
end:
    do
    :: owning > 0 ->
#ifdef LOAD_FIRST
       object = current;
       store(ONLINE);
       FLUSHED;
#else
       store(ONLINE);
#ifndef RELAXED
       FLUSHED;
#endif
       object = current;
#endif
       store(object);
       use();
       use();
       store(OFFLINE);
       object = 0
    od
}

/* Reads the slots one by one, then frees: what it saw may be old by then. */
inline reclaim(limit) {
    horizon = limit;
    i = 0;
    do
    :: i < WORKERS ->
        atomic {
            if
            :: slot[i] < horizon -> horizon = slot[i] /* OFFLINE is the greatest value */
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    skip; /* spin wants no jump to a d_step */
    d_step {
        i = 1;
        do
        :: i < horizon -> alive[i] = 0; i++
        :: else -> break
        od;
        i = 0;
        horizon = 0
    }
}

proctype owner() {
    byte g, i, horizon;
    g = 1;
    do
    :: g < OBJECTS ->
        atomic { g++; alive[g] = 1 }
        current = g;
        reclaim(g)
    :: else -> break
    od;
    owning = 0;
    timeout; /* all workers sleep */
    reclaim(g);
    atomic {
        never_freed = alive[1] || alive[2] || alive[OBJECTS - 1];
        assert(!never_freed)
    }
}

init {
    atomic {
        alive[1] = 1;
        current = 1;
        run worker(0);
        run worker(1);
        run flush(0);
        run flush(1);
        run owner()
    }
}
