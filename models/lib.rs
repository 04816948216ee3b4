//! Nothing but the models: `cargo test --release -p atomik-models`.
