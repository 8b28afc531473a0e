"""The files that a lint looks at, and how it says what it found.  Shared by the lints."""
import os
import re
import sys

# Never ours: what builds leave, what ./dev keeps, what git keeps.
SKIPPED = re.compile(r"(^|/)(build[^/]*|\.dev|\.git|__pycache__)(/|$)")


def files(top, *endings):
    """Paths below `top`, relative to it and sorted, that end in one of `endings` (all without)."""
    found = []
    for folder, folders, names in os.walk(top):
        inside = os.path.relpath(folder, top)
        folders[:] = [name for name in folders
                      if not SKIPPED.search(os.path.normpath(os.path.join(inside, name)))]
        for name in names:
            path = os.path.normpath(os.path.join(inside, name))
            if not SKIPPED.search(path) and (not endings or name.endswith(endings)):
                found.append(path)
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def without_comments(text, strings=True):
    """C text with comments (and with strings=False the inside of literals) made blank; lines stay."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(match):
        found = match.group(0)
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found if strings else found[0] + " " * (len(found) - 2) + found[-1]

    return re.sub(pattern, blank, text, flags=re.S)


def finish(problems):
    """Print them and end the program, 1 if there are any."""
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
