//! There is nothing here but the models: `cargo test --release -p atomik-models`.
