//! Files in memory as they lie.

use bytes::Bytes;
use memmap2::Mmap;
use std::fs::File;
use std::io;

/// The bytes of a file, which the system reads when they are looked at.
#[expect(
    unsafe_code,
    reason = "the bytes of a mapped file must not change while they are looked at"
)]
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the file is that of a segment, whose name is given once: it is written whole under another name,
    // renamed, and never changed in place, nor cut; deleting it leaves the mapping. The caller has seen
    // that it is as long as the manifest says. A program of others that changes files of the store in
    // place while they are in use breaks this, as it would break any reader.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
