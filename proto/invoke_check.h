/* Is this a message that a front door (offer, go, withdraw, check_package, read_logs) or a worker
 * (the others) of any release may send?  As command_check.h says; payload bytes are counted, not
 * read. */
#ifndef PROTO_INVOKE_CHECK_H
#define PROTO_INVOKE_CHECK_H

#include "base/status.h"
#include "proto/invoke.pb-c.h"

enum status offer_check(const Lapwing__Offer *offer, struct err *err);
enum status refuse_check(const Lapwing__Refuse *refuse, struct err *err);
enum status result_check(const Lapwing__Result *result, struct err *err);
enum status check_package_check(const Lapwing__CheckPackage *check, struct err *err);
enum status package_checked_check(const Lapwing__PackageChecked *checked, struct err *err);
enum status read_logs_check(const Lapwing__ReadLogs *read, struct err *err);
enum status logs_check(const Lapwing__Logs *logs, struct err *err);
/* Ready, Go and Withdraw have nothing that could be wrong but an id that nobody knows. */

#endif
