/* What the nodes see, put together: this node's table goes to the others once a second in slices,
 * theirs come in, and every step decides by all of them. And what slow failures are measured by,
 * which a node that is alone does as well. */
#pragma once

#include "decide/slow.h"
#include "model/sample_turns.h"
#include "model/vantage.h"
#include "observe/schedule.h"
#include "prog/control.h"

enum { USUAL_SAVE_S = 900 };

struct control_vantage {
    struct vantages vantages;
    struct slow *slow;
    uint64_t *identities; /* of our targets */
    struct sample_turns turns;
    struct sample_entry *entries; /* of one slice */
    uint8_t *message;             /* that slice, all parts behind one another */
    uint64_t boot, sequence;
    usec_t slice_due, save_due;
    struct schedule_place place; /* in time, where our probes are */
    uint64_t version, self;      /* of the intent that the members are of; our number there */
    uint64_t saved_hours;
    struct usual_save {
        uv_work_t work;
        bool running;
        uint8_t *bytes;
        size_t size;
        int err;
    } save;
};

/* Another list of targets is in use. */
void control_vantage_targets(struct control *c);
/* Before a step: fills in what the others see, and what is measured. */
void control_vantage_see(struct control *c, struct decide_input *input);
/* After a step: tells the others, where it is time. */
void control_vantage_tell(struct control *c, usec_t now);
/* A table of another node. */
void control_vantage_take(struct control *c, uint64_t id, const uint8_t *data, size_t size);
