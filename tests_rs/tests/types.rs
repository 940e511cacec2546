//! Element types and numpy's names for them.

use mithril_core::{DType, TensorMeta};

#[test]
fn every_type_is_found_by_the_name_it_gives() {
    for dtype in DType::ALL {
        assert_eq!(DType::from_numpy_str(dtype.to_numpy_str()), Some(dtype));
    }
    let mut names: Vec<_> = DType::ALL.iter().map(DType::to_numpy_str).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 13);
}

#[test]
fn codes_of_this_byte_order_are_known() {
    let order = if cfg!(target_endian = "little") { '<' } else { '>' };
    let other = if order == '<' { '>' } else { '<' };
    for (code, dtype) in [
        ("f4", DType::Float32),
        ("f2", DType::Float16),
        ("f8", DType::Float64),
        ("i2", DType::Int16),
        ("i8", DType::Int64),
        ("u4", DType::UInt32),
    ] {
        assert_eq!(DType::from_numpy_str(code), Some(dtype));
        assert_eq!(DType::from_numpy_str(&format!("{order}{code}")), Some(dtype));
        assert_eq!(DType::from_numpy_str(&format!("={code}")), Some(dtype));
        assert_eq!(DType::from_numpy_str(&format!("{other}{code}")), None);
    }
    for (code, dtype) in [("|i1", DType::Int8), ("|u1", DType::UInt8), ("|b1", DType::Bool)] {
        assert_eq!(DType::from_numpy_str(code), Some(dtype));
    }
    for unknown in ["", "<", "f16", "c8", "O", "<float32", "Float32", "|f4", "é"] {
        assert_eq!(DType::from_numpy_str(unknown), None, "{unknown}");
    }
}

#[test]
fn a_tensor_knows_its_size() {
    assert_eq!(TensorMeta::new("a", vec![], DType::Float64).size_bytes, 8);
    assert_eq!(TensorMeta::new("a", vec![3, 0], DType::Float64).size_bytes, 0);
    assert_eq!(TensorMeta::new("a", vec![5, 7], DType::BFloat16).size_bytes, 70);
    assert_eq!(TensorMeta::new("a", vec![usize::MAX, 9], DType::Bool).size_bytes, u64::MAX);
}
