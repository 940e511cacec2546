//! Arrow arrays in entries, each as a stream of Arrow IPC.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

pub(crate) fn serialize<S: Serializer>(
    arrays: &[ArrayRef],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let streams: Result<Vec<Vec<u8>>, ArrowError> = arrays.iter().map(write).collect();
    streams.map_err(S::Error::custom)?.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ArrayRef>, D::Error> {
    let streams = Vec::<Vec<u8>>::deserialize(deserializer)?;
    streams.iter().map(|stream| read(stream).map_err(D::Error::custom)).collect()
}

fn write(array: &ArrayRef) -> Result<Vec<u8>, ArrowError> {
    let field = Field::new("array", array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)])?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.into_inner()
}

fn read(stream: &[u8]) -> Result<ArrayRef, ArrowError> {
    let nothing = || ArrowError::IpcError("no array".to_owned());
    let batch = StreamReader::try_new(stream, None)?.next().ok_or_else(nothing)??;
    batch.columns().first().cloned().ok_or_else(nothing)
}
