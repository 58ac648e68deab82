//! Findings for programs: NDJSON and CSV.

use std::io;

use poseur_tagger::finding::Finding;

use crate::json::{array, object, texts};

/// Appends a finding in this line of a file, counted from 1, as one line of JSON. The keys are always the same.
pub fn json(finding: &Finding<'_>, file: &str, line: u64, out: &mut Vec<u8>) {
    let rule = finding.rule();
    object(out, |o| {
        o.maybe("time", finding.time().as_deref());
        o.text("rule", &rule.id);
        o.text("title", &rule.title);
        o.text("level", rule.level.as_str());
        o.maybe("who", finding.who().as_deref());
        texts(
            o.key("whom"),
            finding.whom().iter().map(|whom| whom.as_bytes()),
        );
        array(o.key("on"), finding.on(), |out, on| {
            object(out, |o| {
                o.text("field", on.field.as_bytes());
                o.text("value", &*on.value);
                o.text("keyword", &on.keyword);
            });
        });
        o.maybe("where", finding.place().as_deref());
        o.text("file", file);
        o.number("line", line);
        object(o.key("context"), |o| {
            for (name, value) in finding.context() {
                o.raw(name, &value);
            }
        });
        let suppressed = o.key("suppressed");
        match finding.exception() {
            None => suppressed.extend_from_slice(b"null"),
            Some(exception) => object(suppressed, |o| {
                o.text("exception", &exception.id);
                o.text("reason", &exception.reason);
            }),
        }
    });
    out.push(b'\n');
}

/// The columns of the CSV form.
const COLUMNS: [&str; 11] = [
    "time",
    "rule",
    "title",
    "level",
    "who",
    "whom",
    "on",
    "where",
    "file",
    "line",
    "suppressed",
];

/// Writes CSV records.
pub struct Csv(csv::Writer<Vec<u8>>);

impl Csv {
    /// Nothing written yet.
    pub fn new() -> Csv {
        Csv(csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new()))
    }

    /// The header row.
    pub fn header(&mut self) -> io::Result<()> {
        Ok(self.0.write_record(COLUMNS)?)
    }

    /// A finding in this line of a file.
    pub fn finding(&mut self, finding: &Finding<'_>, file: &str, line: u64) -> io::Result<()> {
        let rule = finding.rule();
        let on = finding
            .on()
            .map(|on| format!("{}: {} ({})", on.field, on.value, on.keyword));
        let cells = [
            finding.time().unwrap_or_default().into_owned(),
            rule.id.clone(),
            rule.title.clone(),
            rule.level.as_str().to_owned(),
            finding.who().unwrap_or_default().into_owned(),
            finding.whom().join(", "),
            on.collect::<Vec<_>>().join("; "),
            finding.place().unwrap_or_default().into_owned(),
            file.to_owned(),
            line.to_string(),
            finding
                .exception()
                .map_or_else(String::new, |exception| exception.id.clone()),
        ];
        Ok(self.0.write_record(cells.map(no_formula))?)
    }

    /// What was written.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.0.into_inner().map_err(|error| error.into_error())
    }
}

/// A cell that no spreadsheet takes for a formula. Its text may be an attacker's, and
/// `=HYPERLINK(…)` is one click away from a second attack.
fn no_formula(mut cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        cell.insert(0, '\'');
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts() {
        for (cell, wanted) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-1", "'-1"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(no_formula(cell.to_owned()), wanted);
        }
    }
}
