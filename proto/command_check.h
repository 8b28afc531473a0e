/* Is this a command that a proposer of any release may send?  One function a message.
 *
 * All: the message is decoded and borrowed; err is filled on refusal with the field, what it was
 * and what is allowed.  ST_BAD_INPUT unless said otherwise.  O(bytes of the message); any thread.
 */
#ifndef PROTO_COMMAND_CHECK_H
#define PROTO_COMMAND_CHECK_H

#include "base/status.h"
#include "proto/command.pb-c.h"

/* The common fields only: client, sequence, acked, size of the body. */
enum status command_envelope_check(const Lapwing__Command *command, struct err *err);

/* The whole command: its common fields, and its body decoded and checked by its own function.
 * ST_UNSUPPORTED: a type or version that this release does not know.  Before a command is proposed,
 * always: one that cannot be decoded after it was committed stops every replica. */
enum status command_check(const Lapwing__Command *command, struct err *err);

enum status create_function_check(const Lapwing__CreateFunction *create, struct err *err);
enum status update_function_code_check(const Lapwing__UpdateFunctionCode *update, struct err *err);
enum status delete_function_check(const Lapwing__DeleteFunction *del, struct err *err);
enum status activate_function_check(const Lapwing__ActivateFunction *activate, struct err *err);
enum status register_worker_check(const Lapwing__RegisterWorker *worker, struct err *err);
enum status create_bucket_check(const Lapwing__CreateBucket *create, struct err *err);
enum status delete_bucket_check(const Lapwing__DeleteBucket *del, struct err *err);
enum status put_object_check(const Lapwing__PutObject *put, struct err *err);
enum status delete_object_check(const Lapwing__DeleteObject *del, struct err *err);
enum status forget_clients_check(const Lapwing__ForgetClients *forget, struct err *err);
enum status raise_cluster_version_check(const Lapwing__RaiseClusterVersion *raise, struct err *err);

/* Parts that other messages carry too. */
enum status function_check(const Lapwing__Function *function, struct err *err);
enum status object_check(const Lapwing__Object *object, struct err *err);
enum status bucket_check(const Lapwing__Bucket *bucket, struct err *err);
enum status outcome_check(const Lapwing__Outcome *outcome, struct err *err);

#endif
