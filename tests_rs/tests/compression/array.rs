//! Arrays that come back with their type and their shape.

use mithril_core::{
    AdaptiveCompressor, ArrayHeader, CompressionError, Compressor, DType, compress_array,
    decompress_array,
};
use proptest::prelude::*;

#[test]
fn every_type_has_its_code() {
    let codes = [
        DType::Bool,
        DType::Int8,
        DType::Int16,
        DType::Int32,
        DType::Int64,
        DType::UInt8,
        DType::UInt16,
        DType::UInt32,
        DType::UInt64,
        DType::Float16,
        DType::BFloat16,
        DType::Float32,
        DType::Float64,
    ];
    for (dtype, code) in codes.into_iter().zip(1..) {
        let array = compress_array(&vec![1; 6 * dtype.size_bytes()], &[2, 3], dtype).unwrap();
        assert_eq!(array[..9], [0x93, b'M', b'T', b'N', 1, code, 2, 2, 3]);
        let (header, _) = ArrayHeader::read(&array).unwrap();
        assert_eq!(header, ArrayHeader { dtype, shape: vec![2, 3] });
    }
}

#[test]
fn bytes_that_are_no_such_array_are_refused() {
    for (length, shape) in [(7, vec![2, 1]), (0, vec![1]), (8, vec![]), (0, vec![0; 65])] {
        let refused = compress_array(&vec![0; length], &shape, DType::Int32);
        assert!(matches!(refused, Err(CompressionError::CompressionFailed(_))), "{shape:?}");
    }
    assert!(compress_array(&[], &[u64::MAX, u64::MAX, 0], DType::Int8).is_err());
}

#[test]
fn a_claim_that_nothing_proves_reserves_no_memory() {
    let mut hostile = vec![0x93, b'M', b'T', b'N', 1, 6, 1];
    // 2^62 elements, of a byte each.
    hostile.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
    hostile.extend(AdaptiveCompressor::new().compress(b"few").unwrap());
    let refused = decompress_array(&hostile, None);
    assert!(matches!(refused, Err(CompressionError::OutputTooLarge { .. })));
    let refused = decompress_array(&hostile, Some(u64::MAX));
    assert!(matches!(refused, Err(CompressionError::DecompressionFailed(_))));
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn arrays_come_back(data in prop::collection::vec(any::<u8>(), 0..5000), index in 1..13_usize) {
        let dtype = DType::ALL[index % 12];
        let width = dtype.size_bytes();
        let count = data.len() / width;
        let data = &data[..count * width];
        let array = compress_array(data, &[count as u64], dtype).unwrap();
        let (header, back) = decompress_array(&array, None).unwrap();
        prop_assert_eq!(header.shape, [count as u64]);
        prop_assert_eq!(back, data);
        for cut in 0..array.len().min(40) {
            prop_assert!(decompress_array(&array[..cut], None).is_err());
        }
    }

    #[test]
    fn anything_else_is_an_error_or_an_array(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut begun = vec![0x93, b'M', b'T', b'N', 1];
        begun.extend(data);
        let _ = decompress_array(&begun, Some(1 << 20));
    }
}
