//! Pipelines from end to end, with senders and receivers that tests play.

mod admin;
mod forward;
mod http;
mod peers;
mod serve;
