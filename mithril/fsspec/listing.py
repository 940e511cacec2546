"""What there is: objects, and folders, which are what keys have before a slash."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from mithril.exceptions import InvalidKeyException, ObjectNotFoundException
from mithril.fsspec import entry
from mithril.fsspec.base import Located

if TYPE_CHECKING:
    from mithril.fsspec.entry import Info


class Listed(Located):
    """A filesystem that tells what there is. Nothing is cached."""

    async def _info(self, path: str, **_: object) -> Info:
        path = self._strip_protocol(path)
        store, key = self.locate(path)[:2]
        if not key:
            # Asking for any object tells whether the bucket is there.
            await store.exists_async("mithril")
            return entry.folder(path)
        try:
            return entry.file(path, await store.head_async(key))
        except ObjectNotFoundException:
            if await store.is_folder_async(key):
                return entry.folder(path)
            raise

    async def _exists(self, path: str, **_: object) -> bool:
        try:
            await self._info(path)
        except (FileNotFoundError, InvalidKeyException):
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        path = self._strip_protocol(path)
        store, key = self.locate(path)[:2]
        try:
            return await (store.is_folder_async(key) if key else self._exists(path))
        except (FileNotFoundError, InvalidKeyException):
            return False

    async def _ls(self, path: str, detail: bool = True, **_: object) -> list[Any]:
        path = self._strip_protocol(path)
        store, key = self.locate(path)[:2]
        found = await self._level(path, f"{key}/" if key else "")
        if not found and key:
            try:
                found = [entry.file(path, await store.head_async(key))]
            except ObjectNotFoundException:
                # A folder without objects, as some file systems have and some tools mark in S3.
                if not await store.is_folder_async(key):
                    raise
        found.sort(key=entry.name_of)
        return found if detail else [one["name"] for one in found]

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **_: object,
    ) -> Any:  # noqa: ANN401 - a dictionary if `detail`, else a list
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        store, key = self.locate(path)[:2]
        below = f"{key}/{prefix}" if key else prefix
        try:
            if maxdepth is None:
                entries = await self._tree(path, below)
            else:
                entries = await self._levels(path, below, maxdepth)
            if not entries and key and not prefix:
                entries = [entry.file(path, await store.head_async(key))]
            elif withdirs and path and not prefix:
                entries.insert(0, entry.folder(path))
        except ObjectNotFoundException:
            # Nothing, or no such bucket: then there is nothing below.
            entries = []
        # An object in the place of a folder comes after it, and is what stays.
        ordered = sorted(entries, key=entry.type_of)
        found = {one["name"]: one for one in ordered if withdirs or entry.is_file(one)}
        return {name: found[name] for name in sorted(found)} if detail else sorted(found)

    async def _level(self, path: str, below: str) -> list[Info]:
        """Find the entries directly below a prefix in the store of a path."""
        store, _, top = self.locate(path)
        objects, folders = await store.list_folder_async(below)
        found = [entry.folder(top + folder.removesuffix("/")) for folder in folders]
        return found + [entry.file(top + one.key, one) for one in objects]

    async def _levels(self, path: str, below: str, depth: int) -> list[Info]:
        """Find the entries of so many levels."""
        top = self.locate(path).top
        found: list[Info] = []
        level = [below]
        for _ in range(depth):
            entries = [one for folder in level for one in await self._level(path, folder)]
            found += entries
            folders = [one["name"] for one in entries if one["type"] == "directory"]
            level = [name.removeprefix(top) + "/" for name in folders]
        return found

    async def _tree(self, path: str, below: str) -> list[Info]:
        """Find all objects below a prefix, and the folders between them and the path."""
        store, _, top = self.locate(path)
        found = [entry.file(top + one.key, one) for one in await store.list_objects_async(below)]
        folders = set()
        for one in found:
            folder = one["name"].rpartition("/")[0]
            while len(folder) > len(path) and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        return [entry.folder(folder) for folder in folders] + found

    async def _du(
        self,
        path: str,
        total: bool = True,
        maxdepth: int | None = None,
        **options: Any,  # noqa: ANN401 - those of `_find`
    ) -> Any:  # noqa: ANN401 - a number if `total`, else a dictionary
        found = await self._find(path, maxdepth=maxdepth, detail=True, **options)
        sizes = {name: one["size"] for name, one in found.items()}
        return sum(sizes.values()) if total else sizes

    async def _mkdir(self, path: str, *_: object, **__: object) -> None:
        path = self._strip_protocol(path)
        if self._names_store(path):
            if await self._exists(path):
                raise FileExistsError(errno.EEXIST, "there is such a bucket or store", path)
            raise NotImplementedError(f"{path}: mithril makes no buckets")

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        try:
            await self._mkdir(path)
        except FileExistsError:
            if not exist_ok:
                raise

    async def _rmdir(self, path: str) -> None:
        path = self._strip_protocol(path)
        if self._names_store(path):
            raise NotImplementedError(f"{path}: mithril removes no buckets")
        if entry.is_file(await self._info(path)):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if await self._ls(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
