"""Content under the hash of its bytes.

>>> import mithril
>>> cas = mithril.ContentAddressedStore("memory://", hash="sha256")
>>> address = cas.store(b"some text")
>>> address
'b94f6f125c79e3a5ffaa826f584c10d52ada669e6762051b826b55776d05aed2'
>>> cas.retrieve(address)
Bytes(b'some text')
"""

from mithril.cas.report import CasStats, Damage, RepairReport, VerifyReport
from mithril.cas.store import ContentAddressedStore

__all__ = ["CasStats", "ContentAddressedStore", "Damage", "RepairReport", "VerifyReport"]
