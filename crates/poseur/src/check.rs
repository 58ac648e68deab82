//! `poseur check`: are rules, exceptions and schemas good, and what was made of them?

use std::collections::HashMap;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::LoadError;
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::Language;
use poseur_setup::{Loaded, Refused};
use poseur_tagger::candidates::Candidates;

use crate::args::{self, Format};
use crate::error::Error;
use crate::json::{array, object, texts};
use crate::load::Clock;
use crate::output;
use crate::rules;
use crate::terminal::{self, Colour, Paint, harmless};
use crate::words;

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Check) -> Result<(), Error> {
    #[cfg(feature = "serve")]
    if let Some(path) = &args.config {
        return crate::serve::check(path);
    }
    let now = Clock::new(&args.sources).now();
    let mut loaded = poseur_setup::load(&(&args.sources).into());
    let matcher = loaded.compile(&args.sources.schema);
    let warnings = loaded.warnings(now);
    let report = Report {
        loaded: &loaded,
        matcher: matcher.as_ref(),
        now,
    };
    output::print(&match args.format {
        Format::Text => report.text(args.verbose, Paint::stdout()),
        Format::Json => report.json(&warnings),
    })?;
    if args.format == Format::Text {
        warnings
            .iter()
            .for_each(|warning| terminal::say(&format!("warning: {warning}")));
    }
    match loaded
        .refused
        .iter()
        .filter(|refused| refused.fatal)
        .count()
    {
        0 => Ok(()),
        fatal => Err(Error::Check(fatal)),
    }
}

/// What is told.
struct Report<'a> {
    loaded: &'a Loaded,
    matcher: Option<&'a Matcher>,
    now: Timestamp,
}

impl Report<'_> {
    fn text(&self, verbose: bool, paint: Paint) -> Vec<u8> {
        let Loaded {
            rules,
            exceptions,
            schemas,
            refused,
            passed_over,
            ..
        } = self.loaded;
        let mut out = Vec::new();
        let heading = |out: &mut Vec<u8>, title: String| {
            if !out.is_empty() {
                out.push(b'\n');
            }
            out.extend_from_slice(format!("{}\n", paint.of(Colour::Bold, title)).as_bytes());
        };
        let line = |out: &mut Vec<u8>, text: &str| {
            out.extend_from_slice(format!("  {text}\n").as_bytes());
        };
        let table = |out: &mut Vec<u8>, rows: Vec<Vec<String>>| {
            terminal::aligned(&rows)
                .iter()
                .for_each(|row| line(out, row));
        };
        heading(&mut out, format!("rules: {}", rules.len()));
        let rows = rules.iter().map(|rule| {
            vec![
                rule.origin.language.as_str().to_owned(),
                harmless(&rule.id).into_owned(),
                rule.level.as_str().to_owned(),
                harmless(&rule.title).into_owned(),
                rules::place(rule),
            ]
        });
        table(&mut out, rows.collect());
        if !exceptions.is_empty() {
            heading(&mut out, format!("exceptions: {}", exceptions.len()));
            table(
                &mut out,
                exceptions
                    .iter()
                    .map(|exception| self.exception(exception))
                    .collect(),
            );
        }
        heading(&mut out, "schemas".to_owned());
        table(
            &mut out,
            schemas
                .iter()
                .map(|s| vec![s.name.clone(), s.title.clone()])
                .collect(),
        );
        if let Some(matcher) = self.matcher {
            let search = Candidates::new(matcher.witnesses());
            heading(&mut out, format!("candidate search: {}", search.method()));
            for literal in search.literals() {
                line(&mut out, &words::quoted(literal));
            }
            if verbose {
                self.details(matcher, paint, &mut out);
            }
        }
        if verbose {
            for schema in schemas {
                heading(&mut out, format!("schema {}", schema.name));
                schema
                    .source
                    .lines()
                    .for_each(|text| line(&mut out, &harmless(text)));
            }
        }
        if !passed_over.is_empty() {
            let count = passed_over.len();
            heading(
                &mut out,
                format!("passed over, about something else: {count}"),
            );
            if verbose {
                passed_over
                    .iter()
                    .for_each(|file| line(&mut out, &harmless(file)));
            }
        }
        if !refused.is_empty() {
            heading(&mut out, format!("refused: {}", refused.len()));
            let rows: Vec<Vec<String>> = refused.iter().map(row_of_refused).collect();
            for row in terminal::aligned(&rows) {
                line(&mut out, &paint.of(Colour::Red, row));
            }
        }
        let counts = self.counts();
        if rules.len() + refused.len() > 0 {
            heading(&mut out, "in all".to_owned());
            let rows = counts.iter().map(|(count, what)| {
                // The numbers stand under each other.
                vec![format!("{count:>5}"), harmless(what).into_owned()]
            });
            table(&mut out, rows.collect());
        }
        out
    }

    /// How many rules of each language were loaded, and how many refusals have each reason.
    fn counts(&self) -> Vec<(usize, String)> {
        let mut counts = Vec::new();
        for language in [Language::Kuery, Language::Kusto, Language::Sigma] {
            let rules = self.loaded.rules.iter();
            let count = rules
                .filter(|rule| rule.origin.language == language)
                .count();
            if count > 0 {
                counts.push((count, format!("loaded, {}", language.as_str())));
            }
        }
        let mut reasons: HashMap<&str, usize> = HashMap::new();
        for refused in &self.loaded.refused {
            *reasons.entry(kind(&refused.error.reason)).or_default() += 1;
        }
        let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let reasons = reasons.into_iter();
        counts.extend(reasons.map(|(reason, count)| (count, format!("refused, {reason}"))));
        counts
    }

    /// One exception: id, state, how much it lists, who answers, where.
    fn exception(&self, exception: &Exception) -> Vec<String> {
        let state = match (exception.is_active(self.now), exception.expires) {
            (true, None) => "active".to_owned(),
            (true, Some(expires)) => format!("active until {expires}"),
            (false, Some(expires)) => format!("expired {expires}"),
            (false, None) => "expired".to_owned(),
        };
        let entries = match &exception.ground {
            Ground::Trusted(trusted) if trusted.len() == 1 => "1 entry".to_owned(),
            Ground::Trusted(trusted) => format!("{} entries", trusted.len()),
            Ground::Unless(_) => "a Sigma filter".to_owned(),
        };
        let rules = match &exception.rules {
            None => "all rules".to_owned(),
            Some(rules) if rules.len() == 1 => "1 rule".to_owned(),
            Some(rules) => format!("{} rules", rules.len()),
        };
        let owner = exception.owner.as_deref().unwrap_or("no owner");
        let place = format!("{}:{}", exception.place.file, exception.place.line);
        let cells = [
            exception.id.as_str(),
            &state,
            &entries,
            &rules,
            owner,
            &place,
        ];
        cells
            .iter()
            .map(|cell| harmless(cell).into_owned())
            .collect()
    }

    /// What became of each rule.
    fn details(&self, matcher: &Matcher, paint: Paint, out: &mut Vec<u8>) {
        for (number, rule) in matcher.rules().iter().enumerate() {
            let mut text = format!(
                "\n{}\n",
                paint.of(Colour::Bold, format!("rule {}", harmless(&rule.id)))
            );
            text.push_str("  matches when\n");
            for line in words::condition(&rule.condition) {
                text.push_str(&format!("    {line}\n"));
            }
            text.push_str("  looks at\n");
            for field in words::fields(&rule.condition) {
                text.push_str(&format!("    {}\n", harmless(&field)));
            }
            match matcher.witnesses_of(number) {
                None => {
                    text.push_str("  looks at every record: nothing in it is certain to be there\n")
                }
                Some(literals) if literals.is_empty() => text.push_str("  can never match\n"),
                Some(literals) => {
                    text.push_str("  looks only at records that hold\n");
                    for literal in literals {
                        text.push_str(&format!("    {}\n", words::quoted(&literal)));
                    }
                }
            }
            out.extend_from_slice(text.as_bytes());
        }
    }

    fn json(&self, warnings: &[String]) -> Vec<u8> {
        let Loaded {
            rules,
            exceptions,
            schemas,
            refused,
            passed_over,
            ..
        } = self.loaded;
        let mut out = Vec::new();
        object(&mut out, |o| {
            array(
                o.key("loaded"),
                rules.iter().enumerate(),
                |out, (number, rule)| {
                    object(out, |o| {
                        o.text("id", &rule.id);
                        o.text("file", &rule.origin.place.file);
                        o.text("title", &rule.title);
                        o.number("line", rule.origin.place.line as u64);
                        o.text("level", rule.level.as_str());
                        o.text("language", rule.origin.language.as_str());
                        texts(o.key("fields"), words::fields(&rule.condition));
                        match self
                            .matcher
                            .and_then(|matcher| matcher.witnesses_of(number))
                        {
                            Some(literals) => texts(o.key("witnesses"), literals),
                            None => o.raw("witnesses", "null"),
                        }
                    });
                },
            );
            array(o.key("refused"), refused, |out, refused| {
                let error = &refused.error;
                object(out, |o| {
                    o.text("file", &error.place.file);
                    o.number("line", error.place.line as u64);
                    o.text("reason", &error.reason);
                    o.number("column", error.place.column as u64);
                    o.truth("fatal", refused.fatal);
                });
            });
            texts(o.key("passed_over"), passed_over);
            object(o.key("counts"), |o| {
                for (count, what) in self.counts() {
                    o.number(&what, count as u64);
                }
            });
            array(o.key("exceptions"), exceptions, |out, exception| {
                object(out, |o| {
                    o.text("id", &exception.id);
                    o.text("file", &exception.place.file);
                    o.number("line", exception.place.line as u64);
                    o.text("reason", &exception.reason);
                    o.maybe("owner", exception.owner.as_deref());
                    o.maybe(
                        "expires",
                        exception.expires.map(|expires| expires.to_string()),
                    );
                    o.truth("active", exception.is_active(self.now));
                    match &exception.rules {
                        Some(rules) => texts(o.key("rules"), rules),
                        None => o.raw("rules", "null"),
                    }
                    match &exception.ground {
                        Ground::Trusted(trusted) => o.number("entries", trusted.len() as u64),
                        Ground::Unless(_) => o.raw("entries", "null"),
                    }
                });
            });
            texts(o.key("schemas"), schemas.iter().map(|schema| &schema.name));
            match self
                .matcher
                .map(|matcher| Candidates::new(matcher.witnesses()))
            {
                Some(search) => object(o.key("search"), |o| {
                    o.text("method", search.method());
                    texts(o.key("literals"), search.literals());
                }),
                None => o.raw("search", "null"),
            }
            texts(o.key("warnings"), warnings);
        });
        out.push(b'\n');
        out
    }
}

/// Where and why, and whether it stops everything.
fn row_of_refused(refused: &Refused) -> Vec<String> {
    let LoadError { place, reason } = &refused.error;
    [format!("{place}:"), reason.clone()]
        .iter()
        .map(|cell| harmless(cell).into_owned())
        .collect()
}

/// What reasons have in common that differ in the names they give: how they begin.
fn kind(reason: &str) -> &str {
    let ends = [": ", " (", "; "].into_iter();
    let end = ends.filter_map(|end| reason.find(end)).min();
    &reason[..end.unwrap_or(reason.len())]
}
