//! What goes wrong around `poseur serve`, and what must not come of it. The stage is the real process; senders and downstreams
//! are played here, over loopback.

#![cfg(target_os = "linux")]

mod clock;
#[path = "../command_support/mod.rs"]
mod command_support;
mod crowd;
mod downstream;
mod drain;
mod files;
mod garbage;
mod journal;
mod kills;
mod ledger;
mod load;
mod peers;
mod process;
mod records;
mod reload;
mod rotate;
mod scene;
mod slow;
mod stage;
mod vanish;
