/* The commands of `lapwing`; each returns the exit code. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int command_status(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_runtimes(int argc, char **argv);
int command_nodes(int argc, char **argv);
int command_node(int argc, char **argv);

#endif
