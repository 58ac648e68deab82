//! The arguments: the one place for what the command accepts. Help, man pages and completions are
//! made of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use poseur_tagger::{Style, TagOptions};

/// Finds people who pose as the IT help desk or as Microsoft security in Microsoft Teams.
///
/// Reads log records, one JSON object a line, and tags those that match a rule before they are
/// stored. Everything else passes through byte for byte.
#[derive(Debug, Parser)]
#[command(name = "poseur", version, long_version = long_version(), after_help = EXAMPLES)]
#[command(max_term_width = 100)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Tag a stream on its way to storage:
    tail -F audit.ndjson | poseur tag | vector --config vector.yaml
  What was there already:
    poseur hunt archive/*.ndjson.gz
  Check rules before they go into production:
    poseur check --rules my-rules/ --exceptions partners.yml

Exit codes:
  0   done, unreadable records included: they pass through and are counted
  1   an input could not be read to its end, or the output not be written
  2   wrong arguments
  78  bad rules, exceptions, schemas or program; nothing was read or written";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tag records: NDJSON in, the same NDJSON out, matched records tagged
    #[command(after_help = TAG_EXAMPLES)]
    Tag(Tag),
    /// Show only the matches: a table on a terminal, NDJSON or CSV in a pipe
    #[command(after_help = HUNT_EXAMPLES)]
    Hunt(Hunt),
    /// Say for each record why each rule did or did not match, clause by clause
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Validate rules, exceptions and schemas, and show what was compiled
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Show the loaded rules
    #[command(after_help = RULES_EXAMPLES)]
    Rules {
        /// Which
        #[command(subcommand)]
        command: Rules,
    },
    /// Write the loaded rules as a program or a configuration for a shipper
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// For whom
        #[command(subcommand)]
        command: Export,
    },
    /// Run pipelines between shippers and storage: records in, tagged records out, acknowledged end to end
    #[cfg(feature = "serve")]
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(crate::serve::Serve),
    /// Write a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Write one file for each command into this folder, instead of all to standard output
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Which rules, exceptions and schemas to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct Sources {
    /// Use the rules of this file or folder instead of the built-in pack. Repeatable
    ///
    /// Folders are searched, and the folders below them, for Sigma rules (.yml, .yaml), Elastic rules
    /// in kuery (.toml) and Microsoft queries (.yml, .yaml, .kql, .kusto, .csl). A file given by its
    /// name must load; what is refused in a folder is warned about and left out. Sigma filters among
    /// the files suppress matches, as exceptions do.
    #[arg(short, long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,

    /// Use the built-in pack as well as --rules
    #[arg(long, requires = "rules")]
    pub with_built_in: bool,

    /// Refuse to run if any file in a folder of rules is refused
    #[arg(long)]
    pub strict: bool,

    /// Take the types of fields and columns from this YAML file, before the built-in ones. Repeatable
    #[arg(long, value_name = "FILE")]
    pub types: Vec<PathBuf>,

    /// Rename the fields of Sigma rules as this YAML file says. Repeatable
    #[arg(long, value_name = "FILE")]
    pub mapping: Vec<PathBuf>,

    /// Suppress matches that this file or folder of exceptions allows. Repeatable
    ///
    /// Also the name of a pack that comes with Poseur: known-services or partners. A file of such a
    /// name is given as ./partners.
    #[arg(short, long, value_name = "PATH|PACK")]
    pub exceptions: Vec<PathBuf>,

    /// The shape of the records: auto recognises each, or the name of a schema: o365, ecs, defender,
    /// hunting, envelope
    #[arg(short, long, value_name = "NAME", default_value = "auto")]
    pub schema: String,

    /// Add the fields or schemas of this YAML file to the built-in ones. Repeatable
    #[arg(long, value_name = "PATH")]
    pub schema_file: Vec<PathBuf>,

    /// The "now" of time windows and of expiry dates, such as 2026-11-20T12:00:00Z
    /// [default: the system's clock]
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
}

/// What to read, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct Input {
    /// Files to read, in this order; `-` or none is standard input. .gz and .zst are decompressed
    #[arg(value_name = "FILE", help_heading = "Arguments")]
    pub files: Vec<PathBuf>,

    /// How many threads decide about records; 0 is one for each core. The order stays
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub threads: usize,

    /// Pass longer lines through unread, such as 64KiB or 16MiB
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = bytes)]
    pub max_line: usize,

    /// Check every record whole, so that all unreadable ones are counted. Slower
    ///
    /// Without it most records are passed on unseen, because they cannot match, and unreadable
    /// records are counted only among the others.
    #[arg(long)]
    pub check_all: bool,

    /// No summary and no progress bar
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `tag`.
#[derive(Debug, Args)]
pub struct Tag {
    /// Input files
    #[command(flatten)]
    pub input: Input,

    /// Rules
    #[command(flatten)]
    pub sources: Sources,

    /// Write to this file, which is created or overwritten, instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Tags
    #[command(flatten)]
    pub look: Look,

    /// Run this file's VRL program on records, after they were tagged
    ///
    /// The record is `.`; what the program leaves there is written in its place, as compact JSON. A record
    /// on which the program fails or aborts stays as it was, and is counted. Beside VRL's own functions there are
    /// poseur_match and poseur_tag. Needs a poseur that was built with --features vrl.
    #[arg(long, value_name = "PROGRAM", help_heading = "Output")]
    pub vrl: Option<PathBuf>,

    /// Which records the program is run on
    #[arg(
        long,
        value_name = "WHICH",
        value_enum,
        default_value_t,
        requires = "vrl",
        help_heading = "Output"
    )]
    pub vrl_on: ProgramOn,

    /// Reply to rsyslog, which runs this as an external program (mmexternal)
    ///
    /// Every line of input gets one line at once: {"msg":"..."} with the tagged record, or {} if nothing is to
    /// change.
    #[arg(long, conflicts_with = "vrl", help_heading = "Output")]
    pub rsyslog: bool,
}

/// How tags look.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Look {
    /// How a tag looks
    #[arg(long, value_enum, default_value_t)]
    pub style: TagStyle,

    /// The top-level key that tags are written to; with --style ecs, the word in `tags`
    #[arg(
        long, value_name = "NAME", default_value = "poseur",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub key: String,
}

/// Which records a program is run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgramOn {
    /// Those that are tagged; the others stay byte for byte
    #[default]
    Matches,
    /// All that can be read
    All,
}

/// How a tag looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TagStyle {
    /// One key that holds everything
    #[default]
    Namespace,
    /// Fields of the Elastic Common Schema: tags, rule.*, threat.*, event.risk_score
    Ecs,
    /// One key that holds the ids of the rules
    Minimal,
}

impl From<&Look> for TagOptions {
    fn from(look: &Look) -> TagOptions {
        TagOptions {
            style: look.style.into(),
            key: look.key.clone(),
        }
    }
}

impl From<TagStyle> for Style {
    fn from(style: TagStyle) -> Style {
        match style {
            TagStyle::Namespace => Style::Namespace,
            TagStyle::Ecs => Style::Ecs,
            TagStyle::Minimal => Style::Minimal,
        }
    }
}

/// Arguments of `hunt`.
#[derive(Debug, Args)]
pub struct Hunt {
    /// Input files
    #[command(flatten)]
    pub input: Input,

    /// Rules
    #[command(flatten)]
    pub sources: Sources,

    /// How matches are written [default: table on a terminal, else json]
    ///
    /// In csv, a cell that a spreadsheet would take for a formula (it begins with = + - @, a tab or a
    /// carriage return) gets an apostrophe in front: its text is an attacker's. json keeps values as
    /// they are.
    #[arg(short, long, value_enum, help_heading = "Output")]
    pub format: Option<HuntFormat>,

    /// List the matches that exceptions suppress, too
    #[arg(long, help_heading = "Output")]
    pub suppressed: bool,
}

/// How `hunt` writes matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HuntFormat {
    /// An aligned table for people, and a summary
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header row, for spreadsheets
    Csv,
}

/// Text for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Text,
    /// JSON for programs
    Json,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Files to read; `-` or none is standard input. .gz and .zst are decompressed
    #[arg(value_name = "FILE", help_heading = "Arguments")]
    pub files: Vec<PathBuf>,

    /// Explain only the rule with this id, or with an id that begins so
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,

    /// How explanations are written
    #[arg(short, long, value_enum, default_value_t)]
    pub format: Format,

    /// Lines that are longer than this are not read
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = bytes)]
    pub max_line: usize,

    /// Rules
    #[command(flatten)]
    pub sources: Sources,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Show each rule's fields, tests and search literals, and the schemas
    #[arg(short, long)]
    pub verbose: bool,

    /// How the report is written
    #[arg(short, long, value_enum, default_value_t)]
    pub format: Format,

    /// Check a configuration of `serve` instead, with everything it names
    #[cfg(feature = "serve")]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["rules", "exceptions", "schema", "verbose", "format"])]
    pub config: Option<std::path::PathBuf>,

    /// Rules
    #[command(flatten)]
    pub sources: Sources,
}

/// The `rules` commands.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// List the loaded rules
    List {
        /// How the list is written
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,

        /// Rules
        #[command(flatten)]
        sources: Sources,
    },
    /// Show one rule in plain words, the same whatever language it was written in
    Show {
        /// The rule's id, or how it begins
        id: String,

        /// How the rule is written
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,

        /// Rules
        #[command(flatten)]
        sources: Sources,
    },
    /// Tell whether two rules have the same condition
    ///
    /// Conditions are compared in a normal form. If it differs, the parts that only one rule has are
    /// shown, and a record is searched that one of them matches and the other does not.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff {
        /// A rule: its id, how it begins, or a file that holds one rule
        #[arg(value_name = "A")]
        left: String,

        /// The other rule
        #[arg(value_name = "B")]
        right: String,

        /// How the comparison is written
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,

        /// Rules
        #[command(flatten)]
        sources: Sources,
    },
}

/// The `export` commands.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// Write a VRL program for the remap transform of an unmodified Vector
    ///
    /// The program decides what Poseur decides about the same event. What VRL cannot say exactly is
    /// refused by name, with exit code 78.
    Vrl {
        /// Rules
        #[command(flatten)]
        sources: Sources,

        /// Tags
        #[command(flatten)]
        look: Look,
    },
    /// Write the transforms block of a Vector configuration, with unit tests made from the rules
    ///
    /// The tests run with `vector test`: for each rule an event that it matches and one that it does not.
    Vector {
        /// The component whose events are judged
        #[arg(
            long,
            value_name = "ID",
            default_value = "records",
            help_heading = "Output"
        )]
        input: String,

        /// The name of the transform
        #[arg(
            long,
            value_name = "ID",
            default_value = "poseur",
            help_heading = "Output"
        )]
        name: String,

        /// Rules
        #[command(flatten)]
        sources: Sources,

        /// Tags
        #[command(flatten)]
        look: Look,
    },
    /// Write the configuration of the native filter for Fluent Bit
    ///
    /// Rules and exceptions are not read into it: the filter reads the files that are named here.
    FluentBit {
        /// The shared object
        #[arg(
            long,
            value_name = "PATH",
            default_value = "/usr/lib/fluent-bit/flb-filter_poseur.so",
            help_heading = "Output"
        )]
        plugin: PathBuf,

        /// Which records: a pattern of Fluent Bit's tags
        #[arg(
            long = "match",
            value_name = "PATTERN",
            default_value = "*",
            help_heading = "Output"
        )]
        matching: String,

        /// Make it a processor of this input plugin instead of a filter, such as tail
        #[arg(long, value_name = "PLUGIN", help_heading = "Output")]
        processor_of: Option<String>,

        /// Do not read rules and exceptions again when their files change
        #[arg(long, help_heading = "Output")]
        no_reload: bool,

        /// Rules
        #[command(flatten)]
        sources: Sources,

        /// Tags
        #[command(flatten)]
        look: Look,
    },
}

const TAG_EXAMPLES: &str = "\
Examples:
  In a pipe; every record that arrives is written at once:
    tail -F audit.ndjson | poseur tag >tagged.ndjson
  Files, with a partner's technicians excepted:
    poseur tag --exceptions partners.yml monday.ndjson tuesday.ndjson.gz -o tagged.ndjson
  Only the rules' ids, under another key, on all cores:
    poseur tag --style minimal --key detection --threads 0 big.ndjson -o tagged.ndjson

The output is the input, byte for byte, but for the tags. Records that cannot be read pass
unchanged and are counted.";

const HUNT_EXAMPLES: &str = "\
Examples:
  A table, and a summary by rule, sender's domain and day:
    poseur hunt archive/*.ndjson.gz
  As of the day of the incident, for a spreadsheet:
    poseur hunt --at 2026-11-20T12:00:00Z --format csv audit.ndjson >matches.csv
  The addresses behind the matches:
    poseur hunt audit.ndjson | jq -r .who | sort | uniq -c";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  Why was this record tagged, or not?
    poseur explain record.json
  One rule, the last record of a log:
    tail -n 1 audit.ndjson | poseur explain --rule e8e7b6b6";

const CHECK_EXAMPLES: &str = "\
Examples:
  Before a deployment; exits with 78 if anything is refused:
    poseur check --strict --rules my-rules/ --exceptions partners.yml
  What a rule became, field by field:
    poseur check -v --rules my-rule.yml";

#[cfg(feature = "serve")]
const SERVE_EXAMPLES: &str = "\
Examples:
  poseur serve --config poseur.yaml
  poseur serve --config poseur.yaml --log json --drain 60

SIGTERM and SIGINT end it when what is on its way is delivered. Rules and exceptions are read again when
their files change.";

const RULES_EXAMPLES: &str = "\
Examples:
  poseur rules list
  poseur rules show e8e7b6b6
  poseur rules diff e8e7b6b6 389ead4a
  poseur rules list --rules my-rules/ --format json";

const DIFF_EXAMPLES: &str = "\
Examples:
  poseur rules diff e8e7b6b6 my-rules/help-desk.toml
  poseur rules diff --rules my-rules/ 52f0d0a3 7c1e88b2

Exit codes:
  0   the conditions are the same
  1   they are different
  2   wrong arguments: no such rule, or several
  78  bad rules";

const EXPORT_EXAMPLES: &str = "\
Examples:
  A program for Vector's remap transform:
    poseur export vrl >poseur.vrl
  A whole transform, and what shows that it works:
    poseur export vector --input o365 >poseur.yaml
    vector test poseur.yaml
  The native filter for Fluent Bit, with your own rules and exceptions:
    poseur export fluent-bit --rules /etc/poseur/rules --exceptions /etc/poseur/partners.yml

Exit codes:
  0   done
  2   wrong arguments
  78  bad rules, or a rule that cannot be exported exactly; nothing was written";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  poseur completions bash >/etc/bash_completion.d/poseur
  poseur completions zsh >~/.zfunc/_poseur";

const MAN_EXAMPLES: &str = "\
Examples:
  poseur man | man -l -
  poseur man --out /usr/local/share/man/man1";

/// Reads a size: `16MiB`, `64K`, `1000000`. K, M and G count in 1024s, KB, MB and GB in 1000s.
fn bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("expected a number of bytes, such as 16MiB".to_owned()),
    };
    let number: usize = number
        .parse()
        .map_err(|_| "expected a number of bytes, such as 16MiB".to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("a line has at least one byte".to_owned()),
        // Twice the longest line must still be a size of memory.
        Some(bytes) if bytes <= isize::MAX as usize / 4 => Ok(bytes),
        _ => Err("that is more than any machine holds".to_owned()),
    }
}

/// What `--version` says: also how records are read on this processor.
fn long_version() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
    {
        return concat!(env!("CARGO_PKG_VERSION"), "\nreads JSON with AVX2");
    }
    concat!(env!("CARGO_PKG_VERSION"), "\nreads JSON with portable code")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes() {
        for (text, wanted) in [
            ("1", Some(1)),
            ("64K", Some(65536)),
            ("64KiB", Some(65536)),
            ("16 MiB", Some(16 << 20)),
            ("16m", Some(16 << 20)),
            ("2MB", Some(2_000_000)),
            ("1G", Some(1 << 30)),
            ("0", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5M", None),
            ("1T", None),
            ("99999999999999999999", None),
            ("9999999999999G", None),
        ] {
            assert_eq!(bytes(text).ok(), wanted, "{text}");
        }
    }
}
