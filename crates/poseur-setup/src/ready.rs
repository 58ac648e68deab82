//! A matcher for those who run on: what to tell the operator is said in words, and changes are watched for.

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::LoadError;

use crate::watch::Watch;
use crate::{Loaded, Sources, load};

/// Something to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// All is well.
    Info(String),
    /// Something is hardly meant.
    Warning(String),
    /// Something does not work.
    Error(String),
}

/// What was made of the sources.
#[derive(Debug)]
pub struct Ready {
    /// Everything compiled.
    pub matcher: Matcher,
    /// Watches what it was made of.
    pub watch: Watch,
    /// What there is to tell.
    pub notices: Vec<Notice>,
}

/// Loads and compiles what the sources name, as of a moment.
///
/// # Errors
/// With everything that is wrong.
pub fn ready(sources: &Sources, now: Timestamp) -> Result<Ready, Vec<LoadError>> {
    let loaded = load(sources);
    // Before anything else can change: what is written while this loads is seen at the next look.
    let watch = Watch::new(sources.files(&loaded));
    let (matcher, notices) = compile(loaded, &sources.schema, now)?;
    Ok(Ready {
        matcher,
        watch,
        notices,
    })
}

/// Compiles what was loaded, as of a moment; answers also what there is to tell.
///
/// # Errors
/// With everything that is wrong.
pub fn compile(
    mut loaded: Loaded,
    schema: &str,
    now: Timestamp,
) -> Result<(Matcher, Vec<Notice>), Vec<LoadError>> {
    let warnings = loaded.warnings(now);
    let matcher = loaded.compile(schema);
    let (fatal, others) = loaded.by_gravity();
    let Some(matcher) = matcher.filter(|_| fatal.is_empty()) else {
        // The others may be why: of a folder of which nothing is left, only the folder is fatal.
        return Err(fatal.into_iter().chain(others).collect());
    };
    let (rules, exceptions) = (matcher.rules().len(), matcher.exceptions().len());
    let ready = format!("{rules} rule(s) and {exceptions} exception(s) in force");
    let refused = others.iter().map(|error| format!("not used: {error}"));
    let warnings = warnings.into_iter().chain(refused).map(Notice::Warning);
    let notices = warnings.chain([Notice::Info(ready)]).collect();
    Ok((matcher, notices))
}
