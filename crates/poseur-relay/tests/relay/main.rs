//! Pipelines from end to end, with senders and receivers that tests play.

mod forward;
mod http;
mod peers;
mod serve;
