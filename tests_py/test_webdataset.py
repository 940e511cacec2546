"""Tar files of samples in and out, as WebDataset has them."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import listing, write_samples

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Member = tuple[str, bytes]


def write(
    path: Path, members: Iterable[Member], form: int = tarfile.GNU_FORMAT, *, size: bool = False
) -> None:
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), 1_234_567.5, 0o640
            info.pax_headers = {"comment": "said of this one"}
            if size:
                info.pax_headers["size"] = str(len(data))
            tar.addfile(info, io.BytesIO(data))


def members(path: Path) -> list[tuple[dict[str, Any], bytes]]:
    """All that a tar file has, in its order."""
    with tarfile.open(path) as tar:
        found = []
        for info in tar:
            file = tar.extractfile(info)
            told: dict[str, Any] = {**info.get_info(), "pax": info.pax_headers}
            told.pop("chksum")
            found.append((told, file.read() if file else b""))
        return found


def rows(path: Path) -> list[tuple[str, dict[str, bytes]]]:
    """Samples as the simplest reader has them: members that follow each other under one name."""

    def key(member: tuple[dict[str, Any], bytes]) -> str:
        folder, _, name = member[0]["name"].rpartition("/")
        return f"{folder}/{name.split('.')[0]}" if folder else name.split(".")[0]

    def suffix(name: str) -> str:
        return name.rpartition("/")[2].partition(".")[2].lower()

    return [
        (name, {suffix(told["name"]): data for told, data in group})
        for name, group in itertools.groupby(members(path), key)
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_samples_that_stay_are_as_they_came(
    tmp_path: Path, library_files: list[str], form: int
) -> None:
    # Names longer than a header holds, and texts of which every third one comes again.
    folder = "/".join(["a-folder"] * (8 if form == tarfile.USTAR_FORMAT else 30))
    texts = [*library_files[:60], *library_files[:60:3]]
    found = []
    for index, text in enumerate(texts):
        name = f"{folder}/{index:04}"
        found += [(f"{name}.TXT", text.encode()), (f"{name}.left.jpg", bytes(range(index)))]
        found += [(f"{folder}/without-suffix", b"")]
    write(tmp_path / "0.tar", found, form)
    with pytest.raises(mithril.MithrilException, match=r'no column "jpg".*__key__, txt, left\.jpg'):
        mithril.dedup_files(tmp_path / "0.tar", tmp_path / "out", text_column="jpg")
    report = mithril.dedup_files(
        tmp_path / "0.tar", tmp_path / "out", text_column="txt", id_column="__key__"
    )
    assert report.files
    assert (report.files.input_format, report.files.output_format) == ("webdataset", "webdataset")
    assert listing(tmp_path / "out") == ["duplicates.parquet", "part-00000.tar", "report.json"]
    assert report.documents == len(texts)
    assert report.removed == mithril.deduplicate(texts).report.removed >= 20
    gone = pq.read_table(tmp_path / "out" / "duplicates.parquet")
    names = {f"{folder}/{row:04}" for row in gone["row"].to_pylist()}
    assert set(gone["id"].to_pylist()) == names
    before = [told for told in members(tmp_path / "0.tar") if "without" not in told[0]["name"]]
    kept = [told for told in before if told[0]["name"].split(".")[0] not in names]
    assert members(tmp_path / "out" / "part-00000.tar") == kept


def test_a_field_of_json_may_be_the_text_and_decide(tmp_path: Path) -> None:
    found = []
    for index, caption in enumerate(["a dog in the sun", "A dog in the sun.", None, "a cat"]):
        told = json.dumps({"caption": caption, "score": [3, 20, 1, 4][index]}, indent=1)
        found += [(f"{index}.json", told.encode()), (f"{index}.cls", b"%d\n" % (20 - index))]
    write(tmp_path / "in.tar", found)
    options: dict[str, Any] = {"text_column": "json.caption", "overwrite": True, "ngram": 2}
    for keep, kept in [("first", "0"), ("max:json.score", "1"), ("min:cls", "1"), ("max:cls", "0")]:
        report = mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", keep=keep, **options)
        assert (report.documents, report.removed) == (4, 1)
        stayed = [name for name, _ in rows(tmp_path / "out" / "part-00000.tar")]
        assert stayed == [kept, "2", "3"]
    options |= {"id_column": "json.score"}
    mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **options)
    (gone,) = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert (gone["id"], gone["kept_id"]) == (20, 3)


@pytest.mark.parametrize("column", ["text", "json.text"])
def test_lines_that_repeat_go_out_of_members(tmp_path: Path, column: str) -> None:
    texts = [f"this line stands in all of them\nand this one is the line {row}" for row in range(5)]
    write_samples(tmp_path / "in.tar", [{"text": text, "n": 1} for text in texts])
    expected = mithril.deduplicate(texts, method="lines").texts
    options: dict[str, Any] = {"method": "lines", "text_column": column}
    mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **options)
    part = tmp_path / "out" / "part-00000.tar"
    if column == "text":
        found = [row["text"].decode() for _, row in rows(part)]
    else:
        found = [json.loads(row["json"])["text"] for _, row in rows(part)]
    assert found == [row["text"] for row in expected]
    mtimes = [told["mtime"] for told, _ in members(part)]
    assert mtimes == [told["mtime"] for told, _ in members(tmp_path / "in.tar")]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["./", "/data/", "../up/", "a-folder/" * 30, ""])
def test_edited_members_keep_all_that_is_said_of_them(
    tmp_path: Path, form: int, folder: str
) -> None:
    texts = [f"this line stands in all of them\nand this one is the line {row}" for row in range(5)]
    found = [
        (f"{folder}{row}.{suffix}", data)
        for row, text in enumerate(texts)
        for suffix, data in [("txt", text.encode()), ("cls", b"1")]
    ]
    write(tmp_path / "in.tar", found, form, size=True)
    mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", text_column="txt", method="lines")
    expected = [row["text"].encode() for row in mithril.deduplicate(texts, method="lines").texts]
    before, after = members(tmp_path / "in.tar"), members(tmp_path / "out" / "part-00000.tar")
    assert [data for told, data in after if told["name"].endswith("txt")] == expected
    for (told, _), (then, data) in zip(before, after, strict=True):
        if then["size"] != told["size"]:
            told["pax"].pop("size", None)
        assert then == {**told, "size": len(data)}


def raw(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    """A header and data, of any kind."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def pax(*records: tuple[str, str]) -> bytes:
    """An extended header."""
    found = b""
    for key, value in records:
        rest = f" {key}={value}\n".encode()
        length = next(n for n in itertools.count() if n == len(rest) + len(str(n)))
        found += str(length).encode() + rest
    return found


def test_values_of_extended_headers_may_have_any_bytes(tmp_path: Path) -> None:
    # A reader that goes by lines takes these for a path and a size.
    forged = "a\n16 path=no.txt\n9 size=5\n"
    records = pax(("comment", forged), ("path", "folder/0.txt"), ("SCHILY.xattr.user.a", forged))
    content = raw("x", records, b"x") + raw("short", b"a text") + raw("1.txt", b"another")
    (tmp_path / "in.tar").write_bytes(content)
    report = mithril.dedup_files(
        tmp_path / "in.tar", tmp_path / "out", text_column="txt", id_column="__key__"
    )
    assert report.documents == 2
    assert (tmp_path / "out" / "part-00000.tar").read_bytes() == content + bytes(1024)
    assert [name for name, _ in rows(tmp_path / "in.tar")] == ["folder/0", "1"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            raw("x", pax(("GNU.sparse.major", "1"), ("GNU.sparse.name", "0.txt")), b"x")
            + raw("GNUSparseFile.0/0.txt", b"1\n0\n1\n"),
            r"GNUSparseFile\.0/0\.txt: a file with holes",
        ),
        (raw("x", b"11 path=a\n", b"x") + raw("0.txt", b"a"), "a record of another length"),
        (raw("x", pax(("size", "-1")), b"x") + raw("0.txt", b"a"), "a size that is no number"),
        (
            raw("x", pax(("a", "b\n9 size=7\n")), b"x") + raw("0.txt", b"a" * 7),
            None,
        ),
        (raw("g", pax(("path", "a.txt")), b"g") + raw("0.txt", b"a"), "all members one path"),
        (raw("g", b"x" * (1 << 20 | 1), b"g"), "global headers of more than 1048576 bytes"),
        (raw("x", b"", b"x") + bytes(512) + raw("0.txt", b"a"), "do not belong together"),
        (raw("0.txt", b"a") + bytes(1024) + b"no tar file" * 100, "damaged, or no tar file"),
        (b"".join(raw(f"0.{n}", b"") for n in range(65537)), "more than 65536 members"),
        (raw("__meta__/0.txt", b"a") + raw("README", b"a"), "none of its files is of a sample"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(
    tmp_path: Path, content: bytes, said: str | None
) -> None:
    (tmp_path / "in.tar").write_bytes(content)
    options: dict[str, Any] = {"text_column": "txt"}
    if said is None:
        assert mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **options).documents == 1
        return
    with pytest.raises(mithril.DedupException, match=rf"in\.tar.*{said}"):
        mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **options)
    assert listing(tmp_path) == ["in.tar"]


def test_files_are_read_to_their_ends(tmp_path: Path) -> None:
    write(tmp_path / "0.tar", [("0.txt", b"a text"), ("1.txt", b"another")])
    write(tmp_path / "1.tar", [("1.txt", b"one"), ("2.txt", b"more")])
    both = (tmp_path / "0.tar").read_bytes() + (tmp_path / "1.tar").read_bytes()
    (tmp_path / "both.tar").write_bytes(both)
    report = mithril.dedup_files(tmp_path / "both.tar", tmp_path / "out", text_column="txt")
    assert report.documents == 4
    packed = gzip.compress(both)
    # The last bytes are what all others should sum up to.
    (tmp_path / "both.tar.gz").write_bytes(packed[:-8] + bytes(8))
    with pytest.raises(mithril.DedupException, match=r"both\.tar\.gz"):
        mithril.dedup_files(tmp_path / "both.tar.gz", tmp_path / "other", text_column="txt")


def test_what_is_said_of_all_members_stays(tmp_path: Path) -> None:
    told = raw("g", pax(("comment", "of all")), b"g")
    first, second, last = raw("0.txt", b"one text"), raw("1.txt", b"One text."), raw("2.txt", b"a")
    more = raw("g", pax(("comment", "of more")), b"g")
    (tmp_path / "in.tar").write_bytes(told + first + more + second + last + bytes(1024))
    mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", text_column="txt", keep="longest")
    part = (tmp_path / "out" / "part-00000.tar").read_bytes()
    assert part == told + more + second + last + bytes(1024)


def test_columns_that_no_sample_has_are_missed(tmp_path: Path) -> None:
    write_samples(tmp_path / "in.tar", [{"text": "a text", "n": None}, {"text": "b", "m": 1}])
    options: dict[str, Any] = {"text_column": "json.text"}
    for wrong in [{"text_column": "json.txt"}, {"id_column": "json.N"}, {"keep": "max:json.N"}]:
        with pytest.raises(mithril.MithrilException, match=r"no column \"json\.(N|txt)\""):
            mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **(options | wrong))
    for known in ("json.n", "json.m"):
        mithril.dedup_files(
            tmp_path / "in.tar", tmp_path / "out", id_column=known, overwrite=True, **options
        )
    write(tmp_path / "many.tar", [(f"0.{n:04}", b"") for n in range(9999)])
    with pytest.raises(mithril.MithrilException, match=r"0047, 0048, and 9950 more"):
        mithril.dedup_files(tmp_path / "many.tar", tmp_path / "more", text_column="txt")


def test_the_member_that_was_read_is_edited(tmp_path: Path) -> None:
    lines = "a line that stands in both of them\n"
    found = []
    for row in range(2):
        text = lines + f"the rest {row}"
        found += [(f"{row}.json", json.dumps({"txt": "not this"}).encode())]
        found += [(f"{row}.json.txt", text.encode())]
    write(tmp_path / "in.tar", found)
    options: dict[str, Any] = {"method": "lines", "text_column": "json.txt"}
    mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", **options)
    (_, first), (_, second) = rows(tmp_path / "out" / "part-00000.tar")
    assert second["json.txt"] == b"the rest 1"
    assert first["json"] == second["json"] == b'{"txt": "not this"}'


def test_samples_become_a_table(tmp_path: Path) -> None:
    content = [{"text": f"text {row % 7}", "n": row} for row in range(20)] + [{"text": None}]
    write_samples(tmp_path / "in.tar.gz", content)
    mithril.dedup_files(tmp_path / "in.tar.gz", tmp_path / "out", format="parquet")
    found = pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pylist()
    assert [row["__key__"] for row in found] == [f"folder/{row:06}" for row in [*range(7), 20]]
    samples = dict(rows(tmp_path / "in.tar.gz"))
    for row in found:
        sample = samples[row.pop("__key__")]
        text = sample.get("text")
        assert row["text"] == (text.decode() if text is not None else None)
        assert row["json"] == sample["json"].decode()
        assert row["view.bin"] == sample["view.bin"]
    write(
        tmp_path / "bad.tar", [("0.txt", b"a"), ("0.md", b""), ("1.txt", b"b"), ("1.md", b"\xff")]
    )
    with pytest.raises(mithril.DedupException, match=r"bad\.tar, row 1: 1\.md: not valid UTF-8"):
        mithril.dedup_files(
            tmp_path / "bad.tar", tmp_path / "other", text_column="txt", format="parquet"
        )
    (tmp_path / "bad.tar").unlink()
    with pytest.raises(mithril.InvalidArgumentException, match="JSON has no bytes"):
        mithril.dedup_files(tmp_path / "in.tar.gz", tmp_path / "other", format="jsonl")
    with pytest.raises(mithril.InvalidArgumentException, match="the input is parquet"):
        mithril.dedup_files(tmp_path / "out", tmp_path / "other", format="webdataset")
    assert listing(tmp_path) == ["in.tar.gz", "out"]


def test_what_is_no_sample_is_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        tar.add(tmp_path, "0", recursive=False)
        link = tarfile.TarInfo("1.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "2.txt"
        tar.addfile(link)
    with tarfile.open(tmp_path / "in.tar", "a") as tar:
        for name in ["README", ".hidden.txt", "a/._2.txt", "__meta__/a.txt", "2.txt", "3.txt"]:
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(name[0].encode()))
    report = mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", text_column="txt")
    assert report.documents == 2
    assert [name for name, _ in rows(tmp_path / "out" / "part-00000.tar")] == ["2", "3"]
    (tmp_path / "empty.tar").write_bytes(b"")
    for name in ("empty.tar", "out/part-00000.tar"):
        report = mithril.dedup_files(
            tmp_path / name, tmp_path / "more", text_column="txt", overwrite=True
        )
        assert report.documents == (0 if name == "empty.tar" else 2)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([("0.txt", b"a"), ("0.TXT", b"b")], r"row 0: 0\.TXT: its sample has two"),
        ([("0.txt", b"a"), ("1.txt", b"\xff")], r"row 1: 1\.txt: not valid UTF-8 at byte 0"),
        ([("0.json", b'{"txt": 1}')], r"row 0: 0\.json: the text is a number"),
        ([("0.json", b"[1]")], r"row 0: 0\.json: not a JSON object"),
    ],
)
def test_bad_samples_are_named(tmp_path: Path, found: list[Member], said: str) -> None:
    write(tmp_path / "in.tar", found)
    column = "json.txt" if "json" in found[0][0] else "txt"
    with pytest.raises(mithril.DedupException, match=rf"in\.tar.*{said}"):
        mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", text_column=column)
    assert listing(tmp_path) == ["in.tar"]


@given(st.data())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_tar_files_are_errors_that_name_them(tmp_path: Path, data: st.DataObject) -> None:
    source = tmp_path / "in.tar"
    found = [(f"{index}.{suffix}", b"a text") for index in range(5) for suffix in ("txt", "b")]
    write(source, found, data.draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))
    content = bytearray(source.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    source.write_bytes(content)
    try:
        report = mithril.dedup_files(source, tmp_path / "out", text_column="txt", overwrite=True)
    except mithril.MithrilException as error:
        said = str(error)
    else:
        # What is cut off behind a member is not missed.
        said = f"in.tar with {report.documents} rows" if report.documents <= 10 else ""
    assert "in.tar" in said


def test_sizes_of_bytes_that_are_not_there_take_no_memory(tmp_path: Path) -> None:
    write(tmp_path / "in.tar", [("0.txt", b"a text"), ("1.txt", b"another")])
    content = bytearray((tmp_path / "in.tar").read_bytes())
    for size, said in [
        (b"17777777777\0", "a sample of more than"),
        (b"00777777777\0", "ends within"),
    ]:
        content[124:136] = size
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
        (tmp_path / "in.tar").write_bytes(content)
        with pytest.raises(mithril.DedupException, match=rf"in\.tar, row 0: 0\.txt: .*{said}"):
            mithril.dedup_files(tmp_path / "in.tar", tmp_path / "out", text_column="txt")
