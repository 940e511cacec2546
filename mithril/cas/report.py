"""What a content-addressed store tells of itself."""

from __future__ import annotations

from dataclasses import dataclass

from mithril.sizes import size_text
from mithril.summary import as_html


@dataclass(frozen=True, slots=True)
class CasStats:
    """How much a content-addressed store holds.

    Attributes:
        total_objects: Contents that have a reference.
        total_bytes: The bytes that they take in the store, compressed where they are.
        deduplicated_bytes: The bytes that further references would take, were each stored on its
            own.
    """

    total_objects: int
    total_bytes: int
    deduplicated_bytes: int

    def _repr_html_(self) -> str:
        return as_html(
            [
                ("contents", f"{self.total_objects:,}"),
                ("in the store", size_text(self.total_bytes)),
                ("not stored again", size_text(self.deduplicated_bytes)),
            ]
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """Content that is not what was stored.

    Attributes:
        address: The address.
        fault: What was found.
    """

    address: str
    fault: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `ContentAddressedStore.verify` found.

    Attributes:
        checked: The contents that were read and hashed.
        bytes: The bytes of those that are whole.
        damaged: What is damaged, by address.
    """

    checked: int
    bytes: int
    damaged: tuple[Damage, ...]

    def _repr_html_(self) -> str:
        return as_html(
            [
                ("checked", f"{self.checked:,} ({size_text(self.bytes)})"),
                ("damaged", f"{len(self.damaged):,}"),
                *((one.address, one.fault) for one in self.damaged),
            ]
        )


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `ContentAddressedStore.repair` did.

    Attributes:
        rebuilt: Addresses whose record was rebuilt from their bytes. How many references there
            were is not known: their bytes stay until `set_references` says.
        swept_objects: Objects without a reference that were removed.
        swept_bytes: The bytes that these took.
        damaged: Contents that are damaged beyond repair, and those that were stored by another
            hash or compressor than this store has: they cannot be judged, and nothing of them is
            touched.
    """

    rebuilt: tuple[str, ...]
    swept_objects: int
    swept_bytes: int
    damaged: tuple[Damage, ...]

    def _repr_html_(self) -> str:
        return as_html(
            [
                ("records rebuilt", f"{len(self.rebuilt):,}"),
                ("swept", f"{self.swept_objects:,} objects ({size_text(self.swept_bytes)})"),
                ("damaged", f"{len(self.damaged):,}"),
                *((one.address, one.fault) for one in self.damaged),
            ]
        )
