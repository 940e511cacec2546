//! The element types of arrays, and what is known of a tensor without its data.

use serde::{Deserialize, Serialize};

/// The type of an element of an array.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 half precision.
    Float16,
    /// The upper half of a single: 8 bits of exponent, 7 of fraction.
    BFloat16,
    /// IEEE 754 double precision.
    Float64,
    /// A signed byte.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// An unsigned byte.
    UInt8,
    /// An unsigned integer of 16 bits.
    UInt16,
    /// An unsigned integer of 32 bits.
    UInt32,
    /// An unsigned integer of 64 bits.
    UInt64,
    /// One byte, 0 or 1.
    Bool,
}

/// Each type with numpy's name, its code in the array interface, and its size.
const NUMPY: [(DType, &str, &str, usize); 13] = [
    (DType::Float32, "float32", "f4", 4),
    (DType::Float16, "float16", "f2", 2),
    // Not one of numpy's own: the name under which ml_dtypes registers it.
    (DType::BFloat16, "bfloat16", "bfloat16", 2),
    (DType::Float64, "float64", "f8", 8),
    (DType::Int8, "int8", "i1", 1),
    (DType::Int16, "int16", "i2", 2),
    (DType::Int32, "int32", "i4", 4),
    (DType::Int64, "int64", "i8", 8),
    (DType::UInt8, "uint8", "u1", 1),
    (DType::UInt16, "uint16", "u2", 2),
    (DType::UInt32, "uint32", "u4", 4),
    (DType::UInt64, "uint64", "u8", 8),
    (DType::Bool, "bool", "b1", 1),
];

impl DType {
    /// Every type.
    pub const ALL: [Self; 13] = {
        let mut all = [Self::Bool; 13];
        let mut index = 0;
        while index < all.len() {
            all[index] = NUMPY[index].0;
            index += 1;
        }
        all
    };

    fn numpy(self) -> (&'static str, usize) {
        let found = NUMPY.iter().find(|row| row.0 == self);
        found.map_or(("bool", 1), |row| (row.1, row.3))
    }

    /// The bytes of one element.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.numpy().1
    }

    /// The type that numpy calls by this name, or writes in the array interface with this code.
    ///
    /// Names are as `dtype.name` gives them (`"float32"`); codes as `dtype.str` does (`"<f4"`), or
    /// without a sign for the byte order (`"f4"`). Data of the other byte order (`">f4"`) is none of
    /// these types: its bytes would be read wrong.
    ///
    /// ```
    /// use mithril_core::DType;
    /// assert_eq!(DType::from_numpy_str("float32"), Some(DType::Float32));
    /// assert_eq!(DType::from_numpy_str("<f4"), Some(DType::Float32));
    /// assert_eq!(DType::from_numpy_str("|b1"), Some(DType::Bool));
    /// assert_eq!(DType::from_numpy_str(">f4"), None);
    /// ```
    #[must_use]
    pub fn from_numpy_str(s: &str) -> Option<Self> {
        let (code, order) = match s.strip_prefix(['<', '>', '=', '|']) {
            Some(code) => (code, s.get(..1)),
            None => (s, None),
        };
        let &(dtype, _, _, size) = NUMPY.iter().find(|row| {
            // A byte order stands before a code only, never before a name.
            row.2 == code || (row.1 == code && order.is_none())
        })?;
        let readable = match order {
            None | Some("=") => true,
            Some("<") => cfg!(target_endian = "little") || size == 1,
            Some(">") => cfg!(target_endian = "big") || size == 1,
            _ => size == 1,
        };
        readable.then_some(dtype)
    }

    /// The name that numpy gives the type; `bfloat16` is known to it once `ml_dtypes` is imported.
    #[must_use]
    pub fn to_numpy_str(&self) -> &'static str {
        self.numpy().0
    }
}

/// What is known of a tensor without its data.
///
/// ```
/// use mithril_core::{DType, TensorMeta};
/// let meta = TensorMeta::new("weights", vec![3, 4], DType::Float32);
/// assert_eq!(meta.size_bytes, 48);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct TensorMeta {
    /// The tensor's name.
    pub name: String,
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// The type of an element.
    pub dtype: DType,
    /// The bytes of the data.
    pub size_bytes: u64,
}

impl TensorMeta {
    /// The description of a contiguous tensor; its size is that of its elements, at most `u64::MAX`.
    #[must_use]
    pub fn new(name: impl Into<String>, shape: Vec<usize>, dtype: DType) -> Self {
        let sizes = shape.iter().map(|&length| length as u64);
        let elements = sizes.fold(1, u64::saturating_mul);
        let size_bytes = elements.saturating_mul(dtype.size_bytes() as u64);
        Self { name: name.into(), shape, dtype, size_bytes }
    }
}
