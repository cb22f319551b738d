"""Starts a server several times; milliseconds to its first 200, the median and all of them.

start.py ROUNDS URL AUTHORIZATION COMMAND…
"""

import http.client
import statistics
import subprocess
import sys
import time
import urllib.parse

rounds, host = int(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2]).netloc
headers = {"Authorization": sys.argv[3]}


def answers():
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/v2/bench/tags/manifests/t050000", headers=headers)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


times = []
for _ in range(rounds):
    began = time.monotonic()
    server = subprocess.Popen(sys.argv[4:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers():
            if server.poll() is not None or time.monotonic() - began > 60:
                sys.exit("the server does not start")
            time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
    finally:
        server.terminate()
        server.wait()
times.sort()
print(f"{statistics.median(times):.0f} ({times[0]:.0f}–{times[-1]:.0f})")
