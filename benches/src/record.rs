//! The records in `benches/record`: raw results, each file with its own circumstances.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::circumstances::Circumstances;

/// The raw results of one subject, measured in one go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record<T> {
    /// The circumstances.
    pub circumstances: Circumstances,
    /// The results, in the order of measurement.
    pub results: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    /// Writes the record as `benches/record/PROCESSOR/NAME.json`, with one result a line.
    ///
    /// # Errors
    ///
    /// Names the file that can't be written.
    pub fn write(&self, name: &str) -> Result<(), String> {
        let json = |value: serde_json::Result<String>| value.map_err(|error| error.to_string());
        let head = json(serde_json::to_string(&self.circumstances))?;
        let rows: Result<Vec<String>, String> =
            self.results.iter().map(|row| json(serde_json::to_string(row))).collect();
        let text = format!("{{\"circumstances\": {head},\n\"results\": [\n{}\n]}}\n", rows?.join(",\n"));
        let folder = records().join(&self.circumstances.processor);
        let path = folder.join(name).with_extension("json");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads the record of this name in a processor's folder, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Names the file that can't be read.
    pub fn read(folder: &Path, name: &str) -> Result<Option<Self>, String> {
        let path = folder.join(name).with_extension("json");
        if !path.exists() {
            return Ok(None);
        }
        let at = |error: String| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| at(error.to_string()))?;
        serde_json::from_str(&text).map(Some).map_err(|error| at(error.to_string()))
    }
}

/// The folder of all records, which has a folder for each processor.
#[must_use]
pub fn records() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("record")
}
