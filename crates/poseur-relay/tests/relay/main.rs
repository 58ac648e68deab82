//! Pipelines from end to end, with senders and receivers that tests play.

mod admin;
mod callers;
mod convert;
mod forward;
mod http;
mod lines;
mod pairs;
mod peers;
mod published;
mod serve;
mod shown;
mod tls;
mod vector;
