#!/usr/bin/env python3
"""No secrets, and no name of a place that is only ours: places.py TOP

Refused in any file: a private key or an access key, the host of a package archive (./dev takes what
the machine's apt is set up with), and the folder of somebody's checkout.
"""
import re
import sys

import sources

FORBIDDEN = (
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key"),
    (r"\b(AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16}\b", "an access key"),
    (r"\bgh[pousr]_[A-Za-z0-9]{36}\b", "an access token"),
    (r"\b(?!www\.|bugs\.|packages\.|tracker\.|sources\.|wiki\.|manpages\.)[a-z0-9-]+\.(debian|ubuntu)\.(org|net|com)\b",
     "the host of a package archive"),
    (r"https?://[^\s\"'>)]*/(dists|pool)/", "the address of a package archive"),
    (r"(?<![\w.$}/-])/(home/(?!sbx_|user/)[a-z]\w*|Users/\w+|work|workspace)/[\w.-]+", "a folder of one machine"),
)


def main():
    top, problems = sys.argv[1], []
    for path in sources.files(top):
        text = sources.read(top, path)
        for pattern, what in FORBIDDEN:
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: {what}: {match.group(0)[:40]}")
    sources.finish(problems)


main()
