//! Tensors as content: a header that says what they are, and their elements.
//!
//! ```text
//! bytes 0..8    "mithril" and a zero
//! bytes 8..12   the version, 1
//! bytes 12..16  the length of what follows up to the elements
//! ...           a TensorMeta as JSON, and spaces
//! ...           the elements in C order, little-endian, from a multiple of 64 on
//! ```
//!
//! Numbers are unsigned and little-endian. Equal tensors give equal bytes, and so one address.

use bytes::Bytes;

use super::{CasError, ContentAddressable, ContentAddressedStore};
use crate::hashing::HashFunction;
use crate::storage::StorageBackend;
use crate::types::TensorMeta;

const MAGIC: &[u8; 8] = b"mithril\0";
const VERSION: u32 = 1;
const FIXED: usize = 16;
/// What vectors of every processor like, and a line of the cache.
const ALIGNMENT: usize = 64;
/// Far more than a name and all dimensions need.
const MAX_JSON: usize = 1 << 16;
/// As many as numpy has.
const MAX_DIMENSIONS: usize = 64;

/// What stands before the elements of a tensor that is stored: see
/// [`store_tensor`](ContentAddressedStore::store_tensor).
///
/// For those who lay header and elements into one buffer themselves; its length is a multiple of 64.
///
/// # Errors
///
/// [`InvalidArgument`](crate::MithrilError::InvalidArgument) for more than 64 dimensions, and for a name
/// that is longer than 60 KiB; `Serialization` does not happen.
///
/// ```
/// use mithril_core::cas::tensor_header;
/// use mithril_core::{DType, TensorMeta};
///
/// let header = tensor_header(&TensorMeta::new("", vec![2, 3], DType::Float32))?;
/// assert_eq!(header.len() % 64, 0);
/// assert_eq!(&header[..8], b"mithril\0");
/// # Ok::<(), mithril_core::MithrilError>(())
/// ```
pub fn tensor_header(meta: &TensorMeta) -> crate::Result<Vec<u8>> {
    let invalid = |fault: String| Err(crate::MithrilError::InvalidArgument(fault));
    if meta.shape.len() > MAX_DIMENSIONS {
        return invalid(format!(
            "a tensor has at most {MAX_DIMENSIONS} dimensions, not {}",
            meta.shape.len()
        ));
    }
    let json = serde_json::to_vec(meta)?;
    let length = (FIXED + json.len()).next_multiple_of(ALIGNMENT) - FIXED;
    if length > MAX_JSON {
        return invalid(format!("a tensor's name of {} bytes is too long", meta.name.len()));
    }
    let mut header = Vec::with_capacity(FIXED + length);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(length as u32).to_le_bytes());
    header.extend_from_slice(&json);
    header.resize(FIXED + length, b' ');
    Ok(header)
}

/// The header's meaning, and the elements; nothing is copied. An error says what is wrong.
fn split(mut content: Bytes) -> Result<(TensorMeta, Bytes), String> {
    let Some(fixed) = content.first_chunk::<FIXED>() else {
        return Err(format!("its {} bytes hold no header", content.len()));
    };
    let [magic @ .., v0, v1, v2, v3, l0, l1, l2, l3] = *fixed;
    if magic != *MAGIC {
        return Err("it does not begin with the header of one".to_owned());
    }
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(format!("its header has version {version}, and this is {VERSION}"));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_JSON || content.len() - FIXED < length {
        return Err(format!("its header claims {length} bytes"));
    }
    let data = content.split_off(FIXED + length);
    let meta: TensorMeta = serde_json::from_slice(content.get(FIXED..).unwrap_or_default())
        .map_err(|error| format!("its header cannot be read: {error}"))?;
    if meta.shape.len() > MAX_DIMENSIONS {
        return Err(format!("its header claims {} dimensions", meta.shape.len()));
    }
    let size = data.len() as u64;
    let claimed = TensorMeta::new("", meta.shape.clone(), meta.dtype).size_bytes;
    if claimed != meta.size_bytes || claimed != size {
        return Err(format!("its header claims {claimed} bytes, and {size} follow"));
    }
    // A dimension of length zero makes any other possible, which no memory could hold without it.
    let dimensions = meta.shape.iter().filter(|&&length| length != 0);
    let count = dimensions.map(|&length| length as u64).try_fold(1, u64::checked_mul);
    let bytes = count.and_then(|count| count.checked_mul(meta.dtype.size_bytes() as u64));
    if bytes.is_none_or(|bytes| i64::try_from(bytes).is_err()) {
        return Err(format!("its header claims the shape {:?}", meta.shape));
    }
    Ok((meta, data))
}

impl<S: StorageBackend, H: HashFunction + 'static> ContentAddressedStore<S, H> {
    /// Stores a tensor's elements, in C order and little-endian, under a header that says its type and
    /// shape. Equal tensors of one name have one address.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::MithrilError::InvalidArgument) if `data` does not have the bytes that
    /// `meta` says; as [`tensor_header`] and [`store`](ContentAddressable::store).
    ///
    /// ```
    /// use mithril_core::{Blake3Hash, ContentAddressedStore, DType, MemoryStorage, TensorMeta};
    ///
    /// # mithril_core::runtime().block_on(async {
    /// let cas = ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new());
    /// let meta = TensorMeta::new("", vec![2, 3], DType::UInt8);
    /// let address = cas.store_tensor(&meta, &[1, 2, 3, 4, 5, 6]).await?;
    /// let (found, data) = cas.retrieve_tensor(&address).await?;
    /// assert_eq!(found, meta);
    /// assert_eq!(data, [1, 2, 3, 4, 5, 6][..]);
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// # }).unwrap();
    /// ```
    pub async fn store_tensor(&self, meta: &TensorMeta, data: &[u8]) -> crate::Result<String> {
        let claimed = TensorMeta::new("", meta.shape.clone(), meta.dtype).size_bytes;
        if meta.size_bytes != claimed || data.len() as u64 != claimed {
            return Err(crate::MithrilError::InvalidArgument(format!(
                "a tensor of {:?} with the shape {:?} has {claimed} bytes, not {}",
                meta.dtype,
                meta.shape,
                data.len()
            )));
        }
        let mut content = tensor_header(meta)?;
        content.extend_from_slice(data);
        Ok(self.store(content.into()).await?)
    }

    /// A tensor and its elements, which are a part of the memory that they arrived in; see
    /// [`store_tensor`](Self::store_tensor).
    ///
    /// # Errors
    ///
    /// `NotATensor` if the content is something else or its header lies; as
    /// [`retrieve`](ContentAddressable::retrieve).
    pub async fn retrieve_tensor(&self, address: &str) -> Result<(TensorMeta, Bytes), CasError> {
        let content = self.retrieve(address).await?;
        split(content).map_err(|fault| CasError::NotATensor { address: address.to_owned(), fault })
    }
}
