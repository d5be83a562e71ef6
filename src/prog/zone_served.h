/* The part of `holdfast zone` that looks at what a node serves, and compares. */
#pragma once

/* Prints a line for each zone of the newest plan in the node's folder: name, serial, state,
 * signing. All of these: the exit status. */
int zone_served_list(const char *data);
/* Prints the zone as that plan has it. */
int zone_served_show(const char *data, const char *name);
/* Prints what a master file would change: "- record" and "+ record". 0: nothing; 1: something;
 * 2: it could not be told. */
int zone_served_diff(const char *data, const char *path, const char *name);
/* The same of two master files. */
int zone_files_diff(const char *old_path, const char *path, const char *name);
/* Has the node read the zone's files again. */
int zone_served_reload(const char *data, const char *name);
/* How zones that come from other name servers are doing. name: NULL = all of them. */
int zone_served_status(const char *data, const char *name);
