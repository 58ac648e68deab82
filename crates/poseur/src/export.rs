//! `poseur export`: the loaded rules as programs and configurations for shippers.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_tagger::{Lines, TagOptions};
use poseur_vrl::export::{Example, Export, FluentBit};

use crate::args::{self, Look, Sources};
use crate::diff;
use crate::error::Error;
use crate::load::{self, Clock};
use crate::output;

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(command: &args::Export) -> Result<(), Error> {
    let text = match command {
        args::Export::Vrl { sources, look } => {
            let ready = load::ready(sources)?;
            export(&ready.matcher, sources, look)
                .vrl()
                .map_err(Error::Export)?
        }
        args::Export::Vector {
            input,
            name,
            sources,
            look,
        } => {
            let ready = load::ready(sources)?;
            let export = export(&ready.matcher, sources, look);
            let examples = examples(&ready.matcher, sources)?;
            export
                .vector(name, input, &examples)
                .map_err(Error::Export)?
        }
        args::Export::FluentBit {
            plugin,
            matching,
            processor_of,
            no_reload,
            sources,
            look,
        } => {
            only_settings(sources)?;
            // What cannot be loaded here the filter could not load either.
            load::ready(sources)?;
            let configuration = FluentBit {
                plugin: path(plugin)?,
                matching: matching.clone(),
                processor_of: processor_of.clone(),
                rules: paths(&sources.rules)?,
                exceptions: paths(&sources.exceptions)?,
                schema: sources.schema.clone(),
                tag: TagOptions::from(look),
                rereads: !no_reload,
            };
            configuration.yaml()
        }
    };
    output::print(text.as_bytes())
}

fn export<'a>(matcher: &'a Matcher, sources: &Sources, look: &Look) -> Export<'a> {
    Export::new(
        matcher,
        Some(&sources.schema),
        TagOptions::from(look),
        sources.at,
    )
}

/// For each rule an event that it matches and one that it does not, as the matcher says now and in ten years.
fn examples(matcher: &Arc<Matcher>, sources: &Sources) -> Result<Vec<Example>, Error> {
    let now = Clock::new(sources).now();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let moments = match sources.at {
        Some(at) => [at, at],
        None => {
            let later = Timestamp::from_second(now.as_second() + 10 * 366 * 86_400);
            [now, later.unwrap_or(now)]
        }
    };
    let mut lines = Lines::new(matcher.clone()).check_all();
    let mut examples = Vec::new();
    for (number, rule) in matcher.rules().iter().enumerate() {
        let Some(pair) = diff::near(rule, sources, moments[1])? else {
            continue;
        };
        let [matching, other] = &pair;
        let right = moments.iter().all(|&at| {
            matches(&mut lines, matching, number, at) && !matches(&mut lines, other, number, at)
        });
        let [Ok(matching), Ok(other)] = pair.map(|text| serde_json::from_str(&text)) else {
            continue;
        };
        if right {
            let rule = rule.id.clone();
            examples.push(Example {
                rule,
                matching,
                other,
            });
        }
    }
    Ok(examples)
}

/// Whether a rule matches a record.
fn matches(lines: &mut Lines, record: &str, rule: usize, at: Timestamp) -> bool {
    let mut found = false;
    lines.read(record.as_bytes(), at, &mut |hit| {
        found |= hit.verdict.rules().any(|matched| matched == rule);
        Ok(())
    });
    found
}

/// The filter has no settings for the other sources.
fn only_settings(sources: &Sources) -> Result<(), Error> {
    let given = [
        ("--with-built-in", sources.with_built_in),
        ("--strict", sources.strict),
        ("--types", !sources.types.is_empty()),
        ("--mapping", !sources.mapping.is_empty()),
        ("--schema-file", !sources.schema_file.is_empty()),
        ("--at", sources.at.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::Misused(format!(
            "{name}: the Fluent Bit filter has no such setting: leave it out, or use `poseur tag` in the pipeline"
        ))),
        None => Ok(()),
    }
}

/// Paths as the filter's settings have them: separated by commas.
fn paths(paths: &[PathBuf]) -> Result<Vec<String>, Error> {
    let paths = paths.iter().map(|one| {
        let text = path(one)?;
        match text.contains(',') || text.trim() != text {
            true => Err(Error::Misused(format!(
                "{text}: the Fluent Bit filter cannot be told of a path with commas or white space around it: rename it"
            ))),
            false => Ok(text),
        }
    });
    paths.collect()
}

fn path(path: &std::path::Path) -> Result<String, Error> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Error::Misused(format!(
            "{}: Fluent Bit's configuration is UTF-8, and this path is not: rename it",
            path.display()
        ))
    })
}
