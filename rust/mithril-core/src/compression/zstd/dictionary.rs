//! Dictionaries: bytes that both sides have, and how they are made from samples.

use crate::compression::CompressionError;
use zstd::zstd_safe;

/// What a trained dictionary begins with; other bytes are a dictionary as they are.
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

#[derive(Debug)]
pub(super) struct Dictionary {
    bytes: Vec<u8>,
}

impl Dictionary {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn id(&self) -> Option<u32> {
        zstd_safe::get_dict_id_from_dict(&self.bytes).map(std::num::NonZero::get)
    }

    /// Whether its tables can be read, by both sides.
    pub(super) fn check(&self, level: i32) -> Result<(), CompressionError> {
        if self.bytes.starts_with(&MAGIC)
            && (zstd_safe::DDict::try_create(&self.bytes).is_none()
                || zstd_safe::CDict::try_create(&self.bytes, level).is_none())
        {
            return Err(CompressionError::InvalidDictionary);
        }
        Ok(())
    }
}

pub(super) fn train<S: AsRef<[u8]>>(
    samples: &[S],
    max_size: usize,
) -> Result<Vec<u8>, CompressionError> {
    // The least that ZDICT takes. Of samples that are too short it reads past the end, so that they
    // are left out here; fewer than eight cannot be divided into training and test.
    const LEAST_SIZE: usize = 256;
    const LEAST_SAMPLES: usize = 8;
    const SHORTEST: usize = 8;
    let failed = |why: String| CompressionError::CompressionFailed(why);
    let samples: Vec<&[u8]> =
        samples.iter().map(AsRef::as_ref).filter(|sample| sample.len() >= SHORTEST).collect();
    let sizes: Vec<usize> = samples.iter().map(|sample| sample.len()).collect();
    if sizes.len() < LEAST_SAMPLES {
        return Err(failed(format!(
            "a dictionary needs at least {LEAST_SAMPLES} samples of {SHORTEST} bytes or more, and there are {}",
            sizes.len()
        )));
    }
    if max_size < LEAST_SIZE {
        return Err(failed(format!(
            "a dictionary of {max_size} bytes is too small; allow {LEAST_SIZE} or more"
        )));
    }
    // ZDICT counts in 32 bits.
    let total = sizes.iter().try_fold(0_usize, |total, &size| total.checked_add(size));
    let Some(total) = total.filter(|&total| u32::try_from(total).is_ok()) else {
        return Err(failed("the samples have more than 4 GiB; train on fewer".to_owned()));
    };
    let mut data = Vec::with_capacity(total);
    for sample in samples {
        data.extend_from_slice(sample);
    }
    // What is reserved is what ZDICT may fill, and it never needs more than the samples have.
    let mut dictionary = Vec::with_capacity(max_size.min(total.max(LEAST_SIZE)));
    zstd_safe::train_from_buffer(&mut dictionary, &data, &sizes).map_err(|code| {
        failed(format!(
            "no dictionary could be trained on {} samples of {total} bytes in all ({}); give more or \
             larger samples, or use some of them as the dictionary as they are",
            sizes.len(),
            zstd_safe::get_error_name(code)
        ))
    })?;
    dictionary.shrink_to_fit();
    Ok(dictionary)
}
