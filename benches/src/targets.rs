//! What the project wants to reach, as ratios of rates within one run.

/// A ratio, or a rate, that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// In words.
    pub what: &'static str,
    /// At least this: how many times as fast, or so many GB/s where it is compared with nobody.
    pub least: f64,
    /// On which traffic.
    pub workload: &'static str,
    /// Which of the tagger's contenders.
    pub tagger: &'static str,
    /// Compared with whom.
    pub than: Option<&'static str>,
}

const fn target(
    what: &'static str,
    least: f64,
    workload: &'static str,
    tagger: &'static str,
    than: Option<&'static str>,
) -> Target {
    Target {
        what,
        least,
        workload,
        tagger,
        than,
    }
}

const POSEUR: &str = "poseur";
const MANY: &str = "poseur, 500 rules";
const FUNCTION: &str = "poseur_match";
const PROGRAM: Option<&str> = Some("exported program, tag set");
const MEMCPY: Option<&str> = Some("memcpy");

/// The workload of records that somebody has brought.
pub const REAL_RECORDS: &str = "real records";

/// All of them that are about memory.
pub const TARGETS: [Target; 16] = [
    target(
        "Teams, 1 % candidates, vs memcpy",
        0.55,
        "teams",
        POSEUR,
        MEMCPY,
    ),
    target(
        "the same vs serde_json, parse and write",
        40.0,
        "teams",
        POSEUR,
        Some("serde_json, parse and write"),
    ),
    target(
        "the same vs the VRL program",
        40.0,
        "teams",
        POSEUR,
        Some("vrl, parse, run, write matches"),
    ),
    target(
        "MessageEvents vs memcpy",
        0.12,
        "message events",
        POSEUR,
        MEMCPY,
    ),
    target(
        "all records candidates",
        2.0,
        "all candidates",
        POSEUR,
        None,
    ),
    target(
        "the same vs serde_json, parse",
        6.0,
        "all candidates",
        POSEUR,
        Some("serde_json, parse, write matches"),
    ),
    target("all records matching", 1.0, "all matching", POSEUR, None),
    target(
        "500 rules, every record walked",
        1.0,
        "500 rules, walked",
        MANY,
        None,
    ),
    target(
        "the same vs rsigma-eval",
        20.0,
        "500 rules, walked",
        MANY,
        Some("rsigma-eval, parse, evaluate, write matches"),
    ),
    target(
        "poseur_match vs the exported VRL program, Teams",
        5.0,
        "teams, as VRL values",
        FUNCTION,
        PROGRAM,
    ),
    target(
        "the same, all records matching",
        5.0,
        "all matching, as VRL values",
        FUNCTION,
        PROGRAM,
    ),
    target(
        "the same, MessageEvents",
        5.0,
        "message events, as VRL values",
        FUNCTION,
        PROGRAM,
    ),
    target("real records vs memcpy", 0.5, REAL_RECORDS, POSEUR, MEMCPY),
    target(
        "two threads vs one, Teams",
        1.8,
        "teams",
        "poseur, two threads",
        Some(POSEUR),
    ),
    target(
        "two threads vs one, all candidates",
        1.8,
        "all candidates",
        "poseur, two threads",
        Some(POSEUR),
    ),
    target(
        "chunks of MessagePack",
        3.0,
        "MessagePack chunks",
        POSEUR,
        None,
    ),
];
