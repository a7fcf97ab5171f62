"""``python -m portal.probe URL``: whether a page of this site answers, for a container.

The portal answers to its public name only, so the request must carry that name.
"""

import http.client
import sys
from urllib.parse import urlsplit

from portal import env

TIMEOUT_SECONDS = 4


def main(url: str) -> int:
    status = status_of(url, host=env.public_base_url().netloc)
    sys.stdout.write(f"{url} answered {status}\n")
    return 0 if status == http.client.OK else 1


def status_of(url: str, *, host: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
