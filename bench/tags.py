"""Puts many tags on images of one repository, and a thousand on another's.

tags.py URL AUTHORIZATION COUNT
"""

import http.client
import json
import sys
import urllib.parse

base, authorization, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
PER_IMAGE, PER_REQUEST = 1000, 50
MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc)
for repository, tags in (("bench/tags", count), ("bench/few", 1000)):
    # An upload makes the repository, a manifest does not.
    connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Authorization": authorization})
    connection.getresponse().read()
    for first in range(0, tags, PER_REQUEST):
        # An index of nothing, another one for each thousand tags.
        image = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "manifests": []}
        image["annotations"] = {"number": str(first // PER_IMAGE)}
        names = [f"t{number:06}" for number in range(first, min(first + PER_REQUEST, tags))]
        query = "&".join(f"tag={name}" for name in names[1:])
        path = f"/v2/{repository}/manifests/{names[0]}?{query}"
        headers = {"Content-Type": MEDIA_TYPE, "Authorization": authorization}
        connection.request("PUT", path, json.dumps(image).encode(), headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 201, (answer.status, body)
