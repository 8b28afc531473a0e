#!/usr/bin/env python3
"""Functions, files, nesting and parameters stay small: lengths.py TOP

The bounds are those of the style: 70 lines a function from brace to brace, 800 a file, three levels
of nesting, six parameters.  What is longer for a reason stands in length_exceptions.txt with the
size that it has.  The list only shrinks: an exception that is not needed any more, or that got
smaller, must be taken out or lowered, and the number in its first line with it.
"""
import os
import re
import sys

import sources

FUNCTION_LINES_MAX, FILE_LINES_MAX, NESTING_MAX, PARAMETERS_MAX = 70, 800, 3, 6
EXCEPTIONS = "tests/lint/length_exceptions.txt"


def signature(lines, brace):
    """The text from the end of what stands before the function up to its brace."""
    start = brace
    while start > 0 and lines[start - 1].strip() and not re.search(r"[;}]\s*$", lines[start - 1]) \
            and not lines[start - 1].startswith("#"):
        start -= 1
    return " ".join(lines[start:brace])


def name_and_parameters(text):
    match = re.search(r"(\w+)\s*\((.*)\)[^()]*$", text)
    if not match:
        return text.strip() or "?", 0
    inner = match.group(2)
    if inner.strip() in ("", "void"):
        return match.group(1), 0
    depth, count = 0, 1
    for char in inner:
        depth += {"(": 1, ")": -1}.get(char, 0)
        count += char == "," and depth == 0
    return match.group(1), count


def nesting(body):
    """The deepest block in a function's body, its own braces not counted."""
    deepest, stack = 0, []
    for match in re.finditer(r"[{}]", body):
        if match.group(0) == "}":
            if stack:
                stack.pop()
            continue
        before = body[:match.start()].rstrip()
        # An initializer or a compound literal is data, not nesting.
        stack.append(not before.endswith(("=", "(", ",", "{", "return")) and
                     not re.search(r"\((const )?(struct )?[\w ]+(\[\w*\])?( \*)?\)$", before) or
                     bool(re.search(r"\b(if|for|while|switch) \([^{}]*\)$", before)))
        deepest = max(deepest, sum(stack))
    return deepest - 1


def functions(text):
    """(line, name, lines, nesting, parameters) of each function; braces at column 0 mark them."""
    lines = sources.without_comments(text, strings=False).split("\n")
    begin = None
    for number, line in enumerate(lines):
        if line.startswith("{") and begin is None:
            begin = number
        elif line.startswith("}") and begin is not None:
            name, parameters = name_and_parameters(signature(lines, begin))
            body = "\n".join(lines[begin:number + 1])
            yield begin + 1, name, number - begin + 1, nesting(body), parameters
            begin = None


def measure(top):
    """All that is over a bound: (kind, subject) -> (size, bound, where)."""
    over = {}
    for path in sources.files(top, ".c", ".h", ".py", ".sh", ".sql"):
        text = sources.read(top, path)
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            over["file", path] = count, FILE_LINES_MAX, path
        if not path.endswith((".c", ".h")):
            continue
        for line, name, length, depth, parameters in functions(text):
            subject = f"{path}:{name}"
            for kind, size, bound in (("function", length, FUNCTION_LINES_MAX),
                                      ("nesting", depth, NESTING_MAX),
                                      ("parameters", parameters, PARAMETERS_MAX)):
                if size > bound:
                    over[kind, subject] = size, bound, f"{path}:{line}: {name}"
    return over


def exceptions(top):
    """The list as kind, subject -> size, and how many it may hold; lines are "KIND SUBJECT SIZE reason"."""
    found = {}
    if not os.path.exists(os.path.join(top, EXCEPTIONS)):
        return found, 0
    text = sources.read(top, EXCEPTIONS)
    first = re.match(r"# at most (\d+)", text)
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            kind, subject, size, _ = line.split(None, 3)
            found[kind, subject] = int(size)
    return found, int(first.group(1)) if first else 0


def main():
    top = sys.argv[1]
    over = measure(top)
    excused, most = exceptions(top)
    problems = []
    for key, (size, bound, where) in sorted(over.items()):
        if key not in excused:
            problems.append(f"{where}: {key[0]} {size}, at most {bound}")
        elif size != excused[key]:
            problems.append(f"{where}: {key[0]} {size}, its exception says {excused[key]}")
    for key in sorted(set(excused) - set(over)):
        problems.append(f"{EXCEPTIONS}: {key[0]} {key[1]} is not needed any more")
    if len(excused) != most:
        problems.append(f"{EXCEPTIONS}: {len(excused)} exceptions, its first line says {most}; it only shrinks")
    sources.finish(problems)


main()
