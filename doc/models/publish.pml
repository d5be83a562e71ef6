/* Door one: publish, apply, clean up (src/model/snapshot_publish_io.c, snapshot_io.c).
 *
 *   publishers  one, or two. Each may die between any two steps and starts again knowing only what
 *               is on the disk.
 *   loaders     two, applying to the same thing served. Each looks, then opens, then applies, and
 *               anything may happen in between. The process they live in may be killed: what was
 *               served is forgotten and has to come from the disk.
 *   damage      a plan on the disk may become unreadable at any moment while another is whole.
 *
 * To be shown, after each change of the disk and at each application:
 *   disk_is_empty     L1, L3: from the first publication on there is a plan that can be served
 *   plan_dangles      L2: no plan on the disk reaches a file that is gone
 *   older_applied     L2: never an older plan after a newer one, not even across a restart
 *   newest_unserved   when all is quiet the newest whole plan is the one served
 *
 * A plan reaches one file here, that of its configuration; plans of one configuration share it.
 * Compiled with one of these the design is broken in one place, and an assertion must fail:
 *   SABOTAGE_ONCE     a loader applies what was newer when it looked
 *   SABOTAGE_AGE      files that only older plans reach are removed
 *   SABOTAGE_DAMAGED  what a damaged plan reaches is removed
 *   SABOTAGE_PINS     what was put for a plan to come is removed, and not looked for again
 *   SABOTAGE_ORDER    files are removed before the plans that reach them
 *   SABOTAGE_ROOM     old plans make room for a new one on a full disk
 *   SABOTAGE_LOCK     two publishers at once
 *   SABOTAGE_DEAF     a reader that was killed waits for the next plan instead of looking */

#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#ifndef CRASHES
#define CRASHES     1
#endif
#ifndef PUBLISHERS
#define PUBLISHERS  1 /* 2: one that is dying has not gone yet while its successor starts */
#endif
#ifndef LOADERS
#define LOADERS     2
#endif
#ifndef HARMS
#define HARMS       1 /* the reader is killed, a plan is damaged: once each */
#endif
#define KEEP        2 /* SNAPSHOT_KEEP */
#define FILES       2 /* configurations */

/* the disk */
bit plan[GENERATIONS + 1];
bit damaged[GENERATIONS + 1];
byte reach[GENERATIONS + 1]; /* file that the plan reaches */
bit store[FILES];
byte newest, second;         /* plans that can be read; what a reader finds when it looks */
bit locked;                  /* flock on the folder: gone with the process that holds it */

/* the reader's process */
byte served;                 /* generation; 0 = none yet */
bit life;                    /* changes when the process is killed */
byte highest_served;         /* ever */

byte crashes;
bit harmed;                  /* a plan was damaged */
bit published;               /* at least once */
byte publishing = PUBLISHERS;

bool disk_is_empty, plan_dangles, older_applied, newest_unserved;

/* After each change of the disk. */
inline disk_check() {
    d_step {
        disk_is_empty = published;
        newest = 0;
        second = 0;
        k = 1;
        do
        :: k <= GENERATIONS ->
            if
            :: plan[k] && !store[reach[k]] -> plan_dangles = true
            :: plan[k] && store[reach[k]] && !damaged[k] ->
                disk_is_empty = false;
                second = newest;
                newest = k
            :: else
            fi;
            k++
        :: else -> break
        od;
        k = 0
    }
    assert(!disk_is_empty);
    assert(!plan_dangles)
}

/* The highest generation named on the disk, whole or not. */
inline highest(result) {
    d_step {
        result = GENERATIONS;
        do
        :: result > 0 && !plan[result] -> result--
        :: else -> break
        od
    }
}

/* g: the newest plan to be removed, or 0; all: a plan that stays cannot be read, so what it reaches
 * cannot be known. */
inline old_find() {
    d_step {
        all = false;
        kept = 0;
        g = GENERATIONS;
        do
        :: g > 0 && !(plan[g] && kept >= KEEP) ->
            if
            :: plan[g] && damaged[g] -> all = true
            :: plan[g] && !damaged[g] -> kept++
            :: else
            fi;
            g--
        :: else -> break
        od;
        kept = 0
    }
}

#ifdef SABOTAGE_DAMAGED /* what cannot be read reaches nothing, and holds up nothing */
#define REACHES(g, f) (plan[g] && !damaged[g] && reach[g] == f)
#define KEEPS_ALL     false
#elif defined(SABOTAGE_AGE) /* what only older generations reach is old enough */
#define REACHES(g, f) (plan[g] && reach[g] == f && g == newest)
#define KEEPS_ALL     all
#elif defined(SABOTAGE_ORDER) /* files before the plans that reach them */
#define REACHES(g, f) (plan[g] && reach[g] == f && g + KEEP > newest)
#define KEEPS_ALL     all
#else
#define REACHES(g, f) (plan[g] && reach[g] == f)
#define KEEPS_ALL     all
#endif
#ifdef SABOTAGE_PINS
#define PINNED(f) false
#define THERE(f)  true /* nor does it look before the plan gets its name */
#else
#define PINNED(f) pinned[f]
#define THERE(f)  store[f]
#endif

/* f: a file to be removed, or FILES. */
inline orphan_find() {
    d_step {
        f = 0;
        do
        :: f < FILES ->
            kept = !store[f] || KEEPS_ALL || PINNED(f);
            k = 1;
            do
            :: k <= GENERATIONS ->
                kept = kept || REACHES(k, f);
                k++
            :: else -> break
            od;
            if
            :: !kept -> break
            :: else -> f++
            fi
        :: else -> break
        od;
        kept = 0;
        k = 0
    }
}

/* At the end of a step that others can see. The lock goes with the process, and so does what only
 * its memory knew. */
#define MAY_CRASH                                                                                  \
    if                                                                                             \
    :: true                                                                                        \
    :: crashes < CRASHES ->                                                                        \
        crashes++; pinned[0] = 0; pinned[1] = 0; have[0] = 0; have[1] = 0; goto idle               \
    fi

proctype publisher() {
    byte k, g, f, kept;
    bit have[FILES];   /* it has put the file there and counts on it */
    bit pinned[FILES]; /* for a plan still to come: its clean-up keeps the file */
    bool holds, all;

idle:
    atomic {
        if
        :: holds -> locked = 0; holds = false
        :: else
        fi;
        all = false;
        highest(g);
        if
        :: g >= GENERATIONS -> g = 0; goto done
        :: else -> g = 0
        fi;
        /* Under either configuration. A reload puts its file into the store once, and its first
         * plan comes later, perhaps after yet another of the old configuration. */
        if
        :: f = 0
        :: f = 1
        fi;
        if
        :: !have[f] ->
            store[f] = 1;
            have[f] = 1;
            pinned[f] = 1;
            f = 0;
            MAY_CRASH;
            goto idle
        :: else
        fi
    }
#ifndef SABOTAGE_LOCK
    atomic { !locked -> locked = 1; holds = true }
#endif
    atomic {
        highest(g);
        g++;
        if
        :: g > GENERATIONS || !THERE(f) -> /* ERR_OLDER, ERR_MISSING */
            have[f] = 0; g = 0; f = 0; goto idle
        :: else
        fi;
        if
        :: /* the disk is full: nothing has changed */
#ifdef SABOTAGE_ROOM
           do
           :: g > 1 -> g--; plan[g] = 0 /* make room, try again */
           :: else -> break
           od;
           disk_check();
#endif
           g = 0; f = 0; goto idle
        :: true
        fi
    }
    /* The rename. One step: readers see the whole file or none. A death before it leaves a file
     * aside that nobody looks at, and is the same as one after the step before. */
    atomic {
        plan[g] = 1;
        damaged[g] = 0;
        reach[g] = f;
        published = 1;
        disk_check();
        pinned[f] = 0;
        have[1 - f] = pinned[1 - f]; /* the configuration it leaves */
        g = 0;
        f = 0;
        MAY_CRASH
    }
    /* Clean-up: plans beyond the newest KEEP that can be read, one at a time... */
#ifdef SABOTAGE_ORDER
    goto files;
plans:
#endif
    do
    :: atomic {
           old_find();
           if
           :: g > 0 -> plan[g] = 0; g = 0; disk_check()
           :: else -> break
           fi;
           MAY_CRASH
       }
    od;
#ifdef SABOTAGE_ORDER
    goto idle;
files:
#endif
    /* ...then files that no plan left reaches and nobody put there for later. */
    do
    :: atomic {
           orphan_find();
           if
           :: f < FILES -> store[f] = 0; f = 0; disk_check()
           :: else -> f = 0; break
           fi;
           MAY_CRASH
       }
    od;
#ifdef SABOTAGE_ORDER
    goto plans;
#else
    goto idle;
#endif
done:
    publishing--
}

proctype loader() {
    byte c;
    bit mine;
#ifdef SABOTAGE_ONCE
    byte seen;
#endif
#ifdef SABOTAGE_DEAF
    byte heard;
#else
#define heard 0
#endif
end:
    do
    :: atomic { /* look */
           newest > served && newest != heard;
           c = newest;
           mine = life;
#ifdef SABOTAGE_ONCE
           seen = served
#endif
       }
       /* Open the plan, then its file; either may have been cleaned up since: look again. What is
        * open stays readable, whatever is removed (the plan is copied, the zones are mapped). */
       atomic {
           if
           :: !plan[c] || damaged[c] -> goto again
           :: else
           fi
       }
       atomic {
           if
           :: !store[reach[c]] -> goto again
           :: else
           fi
       }
       /* Apply: compare and swap, checked now and not when it looked. */
       atomic {
           if
#ifdef SABOTAGE_ONCE
           :: mine == life && c > seen ->
#else
           :: mine == life && c > served ->
#endif
               if
               :: c < served || (c < highest_served && !harmed) -> older_applied = true
               :: else
               fi;
               assert(!older_applied);
               served = c;
#ifdef SABOTAGE_DEAF
               heard = c;
#endif
               if
               :: c > highest_served -> highest_served = c
               :: else
               fi
           :: else /* another was faster, or the process was killed meanwhile */
           fi;
again:
           c = 0;
           mine = 0;
#ifdef SABOTAGE_ONCE
           seen = 0
#endif
       }
    od
}

#if HARMS
/* The reader's process dies once, at any moment. */
proctype killer() {
    atomic { served > 0 -> served = 0; life = !life }
}

/* One plan that can be read becomes one that cannot, while another still can. */
proctype damage() {
    byte k, g;
    atomic {
        if
        :: g = 1
        :: g = 2
        :: g = 3
        fi;
        if
        :: plan[g] && !damaged[g] && second > 0 -> damaged[g] = 1; harmed = 1; disk_check()
        :: else
        fi;
        g = 0
    }
}
#endif

proctype quiet() {
    atomic {
        timeout;
        newest_unserved = publishing == 0 && served < newest;
        assert(!newest_unserved)
    }
}

init {
    atomic {
        run publisher();
#if PUBLISHERS > 1
        run publisher();
#endif
        run loader();
#if LOADERS > 1
        run loader();
#endif
#if HARMS
        run killer();
        run damage();
#endif
        run quiet()
    }
}
