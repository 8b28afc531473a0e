/* The runtimes that AWS knows by name, as data: which may be created, which are past their end. */
#ifndef CONTROLPLANE_API_LAMBDA_RUNTIMES_H
#define CONTROLPLANE_API_LAMBDA_RUNTIMES_H

enum runtime_standing { RUNTIME_UNKNOWN, RUNTIME_CURRENT, RUNTIME_ENDED };

enum runtime_standing runtime_standing(const char *name);

/* The current ones as refusals list them, "nodejs20.x, python3.14, ...". */
extern const char runtimes_current_text[];

#endif
