"""How many files this process may have open; a connection is one of them."""

from __future__ import annotations

import resource

# More would let a crowd of idle connections take more memory than a server is meant to have.
FILES_WANTED = 8192
# Of all files, so many are for connections.
CONNECTIONS_SHARE = 0.9
# There are a few whatever the limit is.
CONNECTIONS_LEAST = 16


def raise_limit() -> int:
    """Raises the limit to what is wanted, as far as the system lets us; the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= allowed:
        return FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):
        return soft
    return allowed


def most_connections(kept: int) -> int:
    """How many connections of callers there may be, when so many files are kept for other things."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES_WANTED if soft == resource.RLIM_INFINITY else min(soft, FILES_WANTED)
    return max(CONNECTIONS_LEAST, int(files * CONNECTIONS_SHARE) - kept)
