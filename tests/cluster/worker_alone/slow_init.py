"""Takes longer to start than init may: only an invocation's own time limit lets it finish."""
import os
import time

if not os.path.exists("/tmp/never"):
    time.sleep(11)


def handler(event, context):
    return "at last"
