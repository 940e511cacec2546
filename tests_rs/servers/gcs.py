"""A stand-in for Google Cloud Storage's XML API, as far as our client uses it.

    python gcs.py PORT

It shows that our client works: that it sends what it means to, reads what comes back, and takes up
conditions, ranges, pages and parts. It does not show that the client matches Google's service,
which has rules, limits and failures that are not here; nor does it look at credentials. All is in
memory. `PUT /bucket` makes a bucket, and `GET /bucket?uploads` lists the open uploads.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1000
VERSIONS = count(1_700_000_000_000_000)


@dataclass
class Stored:
    """An object of a bucket."""

    data: bytes
    content_type: str
    generation: int = field(default_factory=lambda: next(VERSIONS))
    written: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        """The hash of the content, as Google has it for what was not composed of parts."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass
class Upload:
    """An upload in parts that has begun and has not ended."""

    key: str
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """The objects and open uploads of a bucket."""

    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


BUCKETS: dict[str, Bucket] = {}
LOCK = threading.RLock()


class Refusal(Exception):
    """A request that is answered with an error document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what the document says."""
        super().__init__(message)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        """Answer a request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path[1:]).partition("/")
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        try:
            with LOCK:
                if self.command == "PUT" and not key:
                    BUCKETS.setdefault(bucket, Bucket())
                    self.reply(200)
                    return
                there = self.bucket(bucket)
                action = "object" if key else "bucket"
                if "uploads" in query or "uploadId" in query:
                    action = "uploads"
                getattr(self, f"{self.command}_{action}")(there, key, query, body)
        except Refusal as refusal:
            code, message = refusal.code, escape(str(refusal))
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self.reply(refusal.status, text.encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def reply(self, status: int, body: bytes = b"", **headers: object) -> None:
        """Send an answer; HEAD has all of it but the body."""
        self.send_response(status)
        headers.setdefault("Content_Length", len(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_xml(self, root: str, content: str, **headers: object) -> None:
        """Send a document."""
        text = f'<?xml version="1.0" encoding="UTF-8"?><{root}>{content}</{root}>'
        self.reply(200, text.encode(), Content_Type="application/xml", **headers)

    def bucket(self, name: str) -> Bucket:
        """Find a bucket."""
        if name not in BUCKETS:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        return BUCKETS[name]

    def stored(self, bucket: Bucket, key: str) -> Stored:
        """Find an object."""
        if key not in bucket.objects:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return bucket.objects[key]

    def check_generation(self, bucket: Bucket, key: str) -> None:
        """Refuse a conditional write whose condition does not hold."""
        wanted = self.headers.get("x-goog-if-generation-match")
        there = bucket.objects[key].generation if key in bucket.objects else 0
        if wanted is not None and int(wanted) != there:
            raise Refusal(412, "PreconditionFailed", "The generation is another one.")

    def GET_object(self, bucket: Bucket, key: str, _query: object, _body: object) -> None:
        """Send an object, or the part that `Range` names."""
        found = self.stored(bucket, key)
        headers: dict[str, Any] = {
            "ETag": found.etag,
            "Last_Modified": format_datetime(found.written, usegmt=True),
            "Content_Type": found.content_type,
            "x_goog_generation": found.generation,
        }
        if self.command == "HEAD":
            return self.reply(200, Content_Length=len(found.data), **headers)
        size = len(found.data)
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self.reply(200, found.data, **headers)
        first, last = asked.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if start >= size or start >= end:
            raise Refusal(416, "InvalidRange", "The requested range cannot be satisfied.")
        headers["Content_Range"] = f"bytes {start}-{end - 1}/{size}"
        return self.reply(206, found.data[start:end], **headers)

    HEAD_object = GET_object

    def PUT_object(self, bucket: Bucket, key: str, _query: object, body: bytes) -> None:
        """Store an object: the body's, or a copy."""
        self.check_generation(bucket, key)
        content_type = self.headers.get("Content-Type", "")
        if source := self.headers.get("x-goog-copy-source"):
            name, _, source_key = unquote(source).partition("/")
            origin = self.stored(self.bucket(name), source_key)
            body, content_type = origin.data, origin.content_type
        new = bucket.objects[key] = Stored(body, content_type)
        if source:
            return self.reply_xml("CopyObjectResult", f"<ETag>{new.etag}</ETag>")
        return self.reply(200, ETag=new.etag, x_goog_generation=new.generation)

    def DELETE_object(self, bucket: Bucket, key: str, _query: object, _body: object) -> None:
        """Delete an object; unlike S3, one that is missing is an error."""
        self.stored(bucket, key)
        del bucket.objects[key]
        self.reply(204)

    def GET_bucket(self, bucket: Bucket, _key: str, query: dict[str, str], _body: object) -> None:
        """List objects (list-type=2)."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after", "")
        size = int(query.get("max-keys", PAGE))
        listed: dict[str, str] = {}
        token = last = ""
        for key in sorted(bucket.objects, key=str.encode):
            if not key.startswith(prefix) or key.encode() <= after.encode():
                continue
            folder, found, _ = (
                key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            )
            name = prefix + folder + found if found else key
            if found and after.startswith(name):
                continue
            if name not in listed and len(listed) == size:
                token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
                break
            last, entry = key, bucket.objects[key]
            listed[name] = (
                f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
                if found
                else f"<Contents><Key>{escape(name)}</Key><Size>{len(entry.data)}</Size>"
                f"<LastModified>{entry.written.isoformat()}</LastModified>"
                f"<ETag>{escape(entry.etag)}</ETag></Contents>"
            )
        self.reply_xml("ListBucketResult", "".join(listed.values()) + token)

    def GET_uploads(self, bucket: Bucket, _key: str, _query: object, _body: object) -> None:
        """List the uploads that are open."""
        entry = "<Upload><Key>{}</Key><UploadId>{}</UploadId></Upload>"
        entries = (entry.format(escape(it.key), name) for name, it in bucket.uploads.items())
        self.reply_xml("ListMultipartUploadsResult", "".join(entries))

    def POST_uploads(self, bucket: Bucket, key: str, query: dict[str, str], body: bytes) -> None:
        """Begin an upload, or complete one."""
        if "uploads" in query:
            name = str(next(VERSIONS))
            bucket.uploads[name] = Upload(key, self.headers.get("Content-Type", ""))
            return self.reply_xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
        upload = self.upload(bucket, query)
        numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        if not numbers or any(number not in upload.parts for number in numbers):
            raise Refusal(400, "InvalidPart", "A part was not uploaded.")
        data = b"".join(upload.parts[number] for number in numbers)
        new = bucket.objects[key] = Stored(data, upload.content_type)
        del bucket.uploads[query["uploadId"]]
        return self.reply_xml(
            "CompleteMultipartUploadResult",
            f"<ETag>{escape(new.etag)}</ETag>",
            x_goog_generation=new.generation,
        )

    def PUT_uploads(self, bucket: Bucket, _key: str, query: dict[str, str], body: bytes) -> None:
        """Take a part."""
        self.upload(bucket, query).parts[int(query["partNumber"])] = body
        self.reply(200, ETag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def DELETE_uploads(
        self, bucket: Bucket, _key: str, query: dict[str, str], _body: object
    ) -> None:
        """Abort an upload."""
        self.upload(bucket, query)
        del bucket.uploads[query["uploadId"]]
        self.reply(204)

    def upload(self, bucket: Bucket, query: dict[str, str]) -> Upload:
        """Find an upload."""
        if query["uploadId"] not in bucket.uploads:
            raise Refusal(404, "NoSuchUpload", "There is no such upload.")
        return bucket.uploads[query["uploadId"]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
