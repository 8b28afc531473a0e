/* The text of schema.sql, made into C by embed_schema.py at build time. */
#ifndef CONTROLPLANE_STATE_SCHEMA_H
#define CONTROLPLANE_STATE_SCHEMA_H

/* Of the tables below; kept in meta, changed only with cluster_version. */
enum { SCHEMA_VERSION = 2 };

extern const char schema_both[];
extern const char schema_control[];
extern const char schema_storage[];

#endif
