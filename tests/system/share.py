"""What a run takes when it does not take everything (ORIGIN_CA_SYSTEM=short, as continuous
integration runs): a share, another one each day; what is left out today is in one of the next
days' runs."""

import os
import time
import zlib

SHORT = os.environ.get("ORIGIN_CA_SYSTEM") == "short"
# Of this process and of all workers of pytest-xdist, which get it from here, also at midnight.
DAY = int(os.environ.setdefault("ORIGIN_CA_DAY", str(int(time.time() // 86400))))


def choice(name, choices):
    """Today's one of `choices` for `name`, in a list; all when everything is run."""
    choices = list(choices)
    today = choices[(zlib.crc32(name.encode()) + DAY) % len(choices)]
    return [today] if SHORT else choices
