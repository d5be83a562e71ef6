/* The commands of the program. Each gets its own name as argv[0]; returns the exit status: 0 done,
 * 1 not done (the reason was printed), 2 wrong usage. */
#pragma once

#include <stdbool.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *summary;
    bool hidden;
};

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_invite(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_nodes(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_endpoint(int argc, char **argv);
int cmd_control(int argc, char **argv);
int cmd_rule(int argc, char **argv);
int cmd_shift(int argc, char **argv);
int cmd_practice(int argc, char **argv);
int cmd_incident(int argc, char **argv);
int cmd_share(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_undo(int argc, char **argv);
int cmd_zone(int argc, char **argv);
int cmd_dnssec(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_role(int argc, char **argv);
