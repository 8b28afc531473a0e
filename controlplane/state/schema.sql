-- All that the cluster knows.  Two groups replicate it; a line "-- group: NAME" says whose tables follow.
--
-- Rows change only by commands of the log, so every replica that applied the same log holds the same
-- rows.  Hence: STRICT tables, no REAL, no clock, no random(), an ORDER BY wherever order matters.
-- Times are milliseconds since the epoch as the leader stamped them.  The primary key's columns come
-- first in every table: state_digest() sorts by them.
--
-- A database begins with the tables of cluster version 1, whichever release makes it.  What a later
-- version adds stands in a section of its own at the end and is carried out by the command that
-- raises the cluster to it (RAISE_CLUSTER_VERSION), on every replica at the same place of the log.
-- What stands here is never changed: a log may be read again from its start.

-- cluster_version: 1

-- group: both

-- One row: what this database is, and how far it has come.
CREATE TABLE meta (
    only_row        INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    state_group     INTEGER NOT NULL,  -- 1 control, 2 storage
    schema_version  INTEGER NOT NULL,  -- cluster_version + 1: what releases without cluster versions look at
    cluster_version INTEGER NOT NULL,  -- newest commands and tables there are; raised by command
    applied_index   INTEGER NOT NULL,  -- last entry of the log in these rows...
    applied_term    INTEGER NOT NULL,  -- ...and its term
    leader_ms       INTEGER NOT NULL,  -- cluster time of the last entry with commands; never goes back
    boot_id         TEXT    NOT NULL   -- of the host that wrote the file; this node's alone, not replicated
) STRICT;

-- Who proposes commands: one row a process start.  Idle ones are dropped by FORGET_CLIENTS.
CREATE TABLE clients (
    client  BLOB    NOT NULL PRIMARY KEY,  -- 16 random bytes
    acked   INTEGER NOT NULL,              -- every sequence up to here was answered: outcomes are dropped
    seen_ms INTEGER NOT NULL               -- leader_ms of its last command
) STRICT, WITHOUT ROWID;

-- What was reached for commands not acknowledged yet: a repeated one gets the same answer.
CREATE TABLE outcomes (
    client   BLOB    NOT NULL,
    sequence INTEGER NOT NULL,
    status   INTEGER NOT NULL,  -- enum status
    reason   TEXT    NOT NULL,  -- symbol, empty when ok
    text     TEXT    NOT NULL,
    body     BLOB    NOT NULL,  -- the message named beside the command in command.proto
    PRIMARY KEY (client, sequence)
) STRICT, WITHOUT ROWID;

-- group: control

-- Functions: as their $LATEST stands, and a copy for each published version.
CREATE TABLE functions (
    account         TEXT    NOT NULL,
    region          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    version         INTEGER NOT NULL,  -- 0 $LATEST, else the number of a published version
    uid             TEXT    NOT NULL,  -- 32 hexadecimal digits, never reused; a function's versions share it
    runtime         TEXT    NOT NULL,
    role            TEXT    NOT NULL,
    handler         TEXT    NOT NULL,
    handler_present INTEGER NOT NULL,  -- 0 or 1: the client named a handler, be it empty
    description     TEXT    NOT NULL,
    timeout_s       INTEGER NOT NULL,
    memory_mb       INTEGER NOT NULL,
    ephemeral_mb    INTEGER NOT NULL,
    architecture    TEXT    NOT NULL,  -- x86_64 or arm64
    tracing_mode    TEXT    NOT NULL,  -- PassThrough or Active
    code_sha256     BLOB    NOT NULL,  -- of the zip; its object is KEY.zip in the packages bucket
    code_bytes      INTEGER NOT NULL,
    revision_id     TEXT    NOT NULL,  -- UUID, new with every change
    modified_ms     INTEGER NOT NULL,  -- of code or configuration
    function_state  INTEGER NOT NULL,  -- 1 pending, 2 active
    update_status   INTEGER NOT NULL,  -- 0 none, 1 successful, 2 in progress
    config_epoch    INTEGER NOT NULL,  -- rises with every change of code or configuration
    content_epoch   INTEGER NOT NULL,  -- config_epoch of the last change that made something another
    environment_present INTEGER NOT NULL,  -- 0 or 1: the client sent a list of variables, be it empty
    lists           BLOB    NOT NULL,  -- protobuf Function with nothing but its variables
    PRIMARY KEY (account, region, name, version)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX functions_by_uid ON functions (uid) WHERE version = 0;

-- So that a listing of functions does not walk their versions.
CREATE UNIQUE INDEX functions_latest ON functions (account, region, name) WHERE version = 0;

-- The highest version that was ever published under a name.  Outlives the function: AWS gives no
-- number twice, not even after the function was deleted and made again.
CREATE TABLE version_numbers (
    account TEXT    NOT NULL,
    region  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;

-- Tags of what has an ARN.  They go with their resource.
CREATE TABLE tags (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    resource TEXT NOT NULL,  -- what follows the account in the ARN: function:NAME
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (account, region, resource, key)
) STRICT, WITHOUT ROWID;

-- Worker hosts that have ever registered.
CREATE TABLE workers (
    worker        TEXT    NOT NULL PRIMARY KEY,  -- node name
    zone          TEXT    NOT NULL,
    address       TEXT    NOT NULL,  -- host:port of its invoke stream
    epoch         INTEGER NOT NULL,  -- rises with each start of the worker
    registered_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- group: storage

-- Bucket names are one name space for all accounts and regions, as in S3.
CREATE TABLE buckets (
    name       TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL,  -- the owner
    region     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX buckets_by_account ON buckets (account, name);

-- A name and the blob that it stands for.  Keys sort by their bytes (the BINARY collation).
CREATE TABLE objects (
    bucket       TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    bytes        INTEGER NOT NULL,
    etag         TEXT    NOT NULL,  -- without quotes
    blob         BLOB    NOT NULL,  -- SHA-256 of the content; empty when it lies in parts
    content_type TEXT    NOT NULL,
    owner        TEXT    NOT NULL,  -- account
    modified_ms  INTEGER NOT NULL,
    metadata     BLOB    NOT NULL,  -- protobuf Object with nothing but its metadata
    upload       TEXT    NOT NULL,  -- the content is this upload's parts; empty: one blob
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

-- Copies share parts, which go with the last object that names them.
CREATE INDEX objects_by_upload ON objects (upload) WHERE upload <> '';

-- Multipart uploads under way.  A completed one has no row here: its name is in its object.
CREATE TABLE uploads (
    bucket         TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    upload         TEXT    NOT NULL,  -- 32 hexadecimal digits, never reused
    created_ms     INTEGER NOT NULL,
    revision       INTEGER NOT NULL,  -- rises with each part
    checksum       TEXT    NOT NULL,  -- algorithm of each part's checksum; empty: none
    checksum_whole INTEGER NOT NULL,  -- 0 or 1: the object's checksum will be of its bytes
    object         BLOB    NOT NULL,  -- protobuf Object with owner, content type and metadata
    PRIMARY KEY (bucket, key, upload)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX uploads_by_upload ON uploads (upload);

-- Parts of uploads under way, and of the objects that they became.
CREATE TABLE parts (
    upload      TEXT    NOT NULL,
    number      INTEGER NOT NULL,  -- 1 to 10000
    bytes       INTEGER NOT NULL,
    md5         BLOB    NOT NULL,  -- the ETag
    blob        BLOB    NOT NULL,  -- SHA-256 of the content
    checksum    BLOB    NOT NULL,  -- of the upload's algorithm, or empty
    modified_ms INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- cluster_version: 2

-- group: control

-- Control-plane nodes that there are or ever were, and so who shall vote.
CREATE TABLE members (
    id              INTEGER NOT NULL PRIMARY KEY,  -- in both Raft groups; from 1, never reused
    node            TEXT    NOT NULL,
    zone            TEXT    NOT NULL,
    control_address TEXT    NOT NULL,  -- host:port of its streams of group control
    storage_address TEXT    NOT NULL,  -- and of group storage
    replaces        INTEGER NOT NULL,  -- id of the member that goes once this one votes; 0: none
    removed         INTEGER NOT NULL   -- 0 or 1
) STRICT;
