//! `atomik-node`: a cache of counters and words that converges with others without a leader, and that every Redis
//! client can use. This library is what the program is made of; programs link `atomik-net` instead.

mod client;
mod config;
mod demo;
mod http;
mod node;
mod number;
mod resp;
mod server;
mod session;

pub use config::{AlgebraName, Config, ConfigError, Options};
pub use demo::demo;
pub use node::run;
