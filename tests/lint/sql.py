#!/usr/bin/env python3
"""The replicated state is plain deterministic SQL on STRICT tables: sql.py TOP

Looks at controlplane/state: the schema files are loaded into SQLite, and the text of the schema and
of every SQL string in the C files is searched for what could differ between two replicas.
"""
import re
import sqlite3
import sys

import sources

FOLDER = "controlplane/state/"
FORBIDDEN = (
    (r"\bREAL\b|\bDOUBLE\b|\bFLOAT\b", "floating point differs between machines"),
    (r"\brandom\s*\(|\brandomblob\s*\(", "a random number differs between replicas"),
    (r"\b(date|time|datetime|julianday|strftime|unixepoch|timediff)\s*\(|\bCURRENT_(TIME|DATE|TIMESTAMP)\b|'now'",
     "a clock differs between replicas: time comes in the command"),
    (r"\b(printf|format)\s*\(", "printf's result depends on the library's release"),
    (r"\b(last_insert_rowid|changes|total_changes|sqlite_version|sqlite_source_id)\s*\(",
     "the result depends on the connection or the library's release"),
    (r"\bAUTOINCREMENT\b", "numbers come from the command, not from a counter of SQLite's"),
)
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|ALTER|DROP|PRAGMA)\b", re.I)
LITERALS = re.compile(r'"((?:\\.|[^"\\\n])*)"(?:\s*"((?:\\.|[^"\\\n])*)")*')


def sql_comments_blank(text):
    return re.sub(r"--[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def statements_of(path, text):
    """(line, sql) of each SQL text in a file."""
    if path.endswith(".sql"):
        line = 1
        for part in sql_comments_blank(text).split(";"):
            yield line + (len(part) - len(part.lstrip("\n"))), part
            line += part.count("\n")
        return
    text = sources.without_comments(text)
    for match in LITERALS.finditer(text):
        joined = "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', match.group(0)))
        if STATEMENT.match(joined):
            yield text.count("\n", 0, match.start()) + 1, joined.replace("\\n", " ")


def problems_of(sql):
    for pattern, why in FORBIDDEN:
        found = re.search(pattern, sql, re.I)
        if found:
            yield f"{found.group(0)}: {why}"
    if re.search(r"\bLIMIT\b", sql, re.I) and not re.search(r"\bORDER\s+BY\b", sql, re.I):
        if not re.search(r"\bLIMIT\s+1\b", sql, re.I):
            yield "LIMIT without ORDER BY: which rows it means is SQLite's choice"
    for table in re.finditer(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", sql, re.I):
        if not re.search(r"\)[^)]*\bSTRICT\b[^)]*$", sql.strip(), re.I):
            yield f"table {table.group(1)} is not STRICT"


def schema_problems(path, text):
    """What SQLite itself says of the schema."""
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(text)
    except sqlite3.Error as error:
        yield f"{path}: SQLite refuses it: {error}"
        return
    for _, name, kind, _, _, strict in database.execute("PRAGMA table_list").fetchall():
        if kind == "table" and not name.startswith("sqlite_") and not strict:
            yield f"{path}: table {name} is not STRICT"
        for column in database.execute(f'PRAGMA table_info("{name}")').fetchall():
            if column[2].upper() == "REAL":
                yield f"{path}: column {name}.{column[1]} is REAL"


def main():
    top, problems = sys.argv[1], []
    for path in sources.files(top, ".c", ".h", ".sql"):
        if not path.startswith(FOLDER):
            continue
        text = sources.read(top, path)
        for line, sql in statements_of(path, text):
            problems += [f"{path}:{line}: {problem}" for problem in problems_of(sql)]
        if path.endswith(".sql"):
            problems += schema_problems(path, text)
    sources.finish(sorted(set(problems)))


main()
