/* Checks of buckets, objects and uploads: their rows, and the commands of the storage group.
 *
 * Each returns ST_OK, or ST_BAD_INPUT with field, value and what is allowed in `err`.  The
 * commands' are called by command_check(). */
#ifndef PROTO_OBJECT_CHECK_H
#define PROTO_OBJECT_CHECK_H

#include "base/status.h"
#include "proto/command.pb-c.h"

enum status bucket_check(const Lapwing__Bucket *bucket, struct err *err);
enum status object_check(const Lapwing__Object *object, struct err *err);
enum status upload_check(const Lapwing__Upload *upload, struct err *err);
enum status part_check(const Lapwing__Part *part, struct err *err);

enum status create_bucket_check(const Lapwing__CreateBucket *create, struct err *err);
enum status delete_bucket_check(const Lapwing__DeleteBucket *del, struct err *err);
enum status put_object_check(const Lapwing__PutObject *put, struct err *err);
enum status delete_object_check(const Lapwing__DeleteObject *del, struct err *err);
enum status delete_objects_check(const Lapwing__DeleteObjects *del, struct err *err);
enum status create_upload_check(const Lapwing__CreateUpload *create, struct err *err);
enum status put_part_check(const Lapwing__PutPart *put, struct err *err);
enum status complete_upload_check(const Lapwing__CompleteUpload *complete, struct err *err);
enum status abort_upload_check(const Lapwing__AbortUpload *abort_upload, struct err *err);

#endif
