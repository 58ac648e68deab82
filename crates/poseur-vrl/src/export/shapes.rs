//! The frame of a program: which objects of an event are judged, and by which schema.
//!
//! VRL has no recursion, so batches and envelopes are opened in rounds.

use poseur_matcher::schema::{Lookup, Mark, Schema};
use poseur_matcher::shape::FALLBACK;
use poseur_matcher::witness::{Keyword, Witness};
use poseur_rule::model::Case;

use super::error::{ExportError, Reason, Subject};
use super::json_texts::JSON_START;
use super::patterns::literal;
use super::program::{Program, escape, field, join, regex, text};
use super::reading::Place;
use super::{Export, Forced};

/// Envelopes inside envelopes are followed this deep.
const MAX_ENVELOPES: usize = 4;

/// Batches in batches and envelopes in envelopes are opened this deep, all together. More rounds would cost
/// every event time.
const ROUNDS: &str = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]";

impl Export<'_> {
    /// Everything but the header.
    pub(super) fn frame(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        let Some(witnesses) = &self.witnesses else {
            return self.event(program, errors);
        };
        program.comment(
            "An event that matches holds these texts, or an escape that may spell any. All others are left alone.",
        );
        program.line("event = encode_json(.)");
        let mut ways = vec![format!("match(event, {})", regex(r"\\u00"))];
        ways.extend(witnesses.iter().map(stands));
        program.open(format!("if {}", join(&ways, "||")));
        self.event(program, errors);
        program.close();
    }

    fn event(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        if self.asks_the_time() {
            program.line("moment = now()");
            program.line("now_s = to_unix_timestamp(moment)");
            program.line("now_ns = (to_unix_timestamp(moment, unit: \"microseconds\") - now_s * 1000000) * 1000");
            program.line("");
        }
        self.batches(program, errors);
        program.line("");
        program.open("for_each(records) -> |_, path|");
        program.line("matched = []");
        program.line("suppressed = []");
        if self.has_context() {
            program.line("context = {}");
        }
        match self.forced {
            Forced::Flat(schema) => {
                program.line("record = object(get(., path) ?? {}) ?? {}");
                self.begin(program);
                self.judge(program, self.schemas[schema], errors);
                self.sort(program, errors);
            }
            _ => {
                program.line("pending = [{\"record\": get(., path) ?? {}, \"level\": 0}]");
                rounds(program, "pending");
                self.payload(program, errors);
                program.close();
                program.close();
            }
        }
        self.tag(program);
        program.close();
    }

    /// Finds the records of an event: itself, or what the batches in it hold.
    fn batches(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        let keys = self.batch_keys(errors);
        if keys.is_empty() {
            program.line("records = [[]]");
            return;
        }
        program.comment("The records of this event: the paths of the elements if it is a batch, else of itself.");
        program.line("records = []");
        program.line("opened = [[]]");
        rounds(program, "opened");
        program.line("waiting = opened");
        program.line("opened = []");
        program.open("for_each(waiting) -> |_, path|");
        program.line("record = get(., path) ?? null");
        program.line("batch = false");
        for key in &keys {
            let list = field("record", key);
            program.open(format!("if is_array({list})"));
            program.line("batch = true");
            program.open(format!("for_each(array({list}) ?? []) -> |index, item|"));
            program.open("if is_object(item)");
            program.line(format!(
                "opened = push(opened, append(path, [{}, index]))",
                text(key)
            ));
            program.close();
            program.close();
            program.close();
        }
        program.line("if !batch && is_object(record) { records = push(records, path) }");
        program.close();
        program.close();
        program.close();
    }

    /// The keys of arrays of records.
    fn batch_keys(&self, errors: &mut Vec<ExportError>) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for schema in &self.schemas {
            for key in &schema.payload.elements {
                if key.contains('.') {
                    let reason = Reason::Batch(key.clone());
                    errors.push(of_schema(schema, reason));
                } else if !keys.contains(&key.as_str()) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Judges what is waiting: by its shape, or what is in it in the next round.
    fn payload(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        program.line("waiting = pending");
        program.line("pending = []");
        program.open("for_each(waiting) -> |_, one|");
        program.line("record = object(one.record) ?? {}");
        program.line("level = one.level");
        program.line("names = encode_json(keys(record))");
        program.line("shape = \"\"");
        let schema = self.fallback();
        let place = Place {
            schema,
            object: None,
            root: "record".to_owned(),
        };
        let mut ignored = Vec::new();
        for key in self.batch_keys(&mut ignored) {
            let list = field("record", key);
            program.open(format!("if is_array({list})"));
            program.line("shape = \"batch\"");
            program.open(format!("for_each(array({list}) ?? []) -> |_, item|"));
            program.line("if is_object(item) { pending = push(pending, {\"record\": item, \"level\": level}) }");
            program.close();
            program.close();
        }
        self.object_payloads(program, &place);
        program.line("");
        match self.forced {
            Forced::Envelope => {
                program.open("if shape == \"\" && level > 0");
                self.detect(program, &place);
                program.close();
            }
            _ => {
                program.open("if shape == \"\"");
                self.detect(program, &place);
                program.close();
            }
        }
        self.text_payloads(program, &place);
        let otherwise = match self.forced {
            Forced::Envelope => "if shape == \"\" && level > 0",
            _ => "if shape == \"\"",
        };
        program.line(format!("{otherwise} {{ shape = {} }}", text(FALLBACK)));
        self.begin(program);
        for schema in &self.schemas {
            if schema.payload != Default::default() || !self.has_rules(schema) {
                continue;
            }
            program.line("");
            program.comment(&schema.title);
            program.open(format!("if shape == {}", text(&schema.name)));
            self.judge(program, schema, errors);
            program.close();
        }
        self.sort(program, errors);
        program.close();
    }

    /// Nothing is known about a payload yet.
    fn begin(&self, program: &mut Program) {
        program.line("hits = []");
        if self.trusting().next().is_some() {
            program.line("lists = {}");
            program.line("named = {}");
            program.line("everybody = []");
            program.line("actor = \"\"");
            program.line("people = {}");
        }
        if self.has_context() {
            program.line("told = {}");
            program.line("paths = {}");
            if self.looks_below() {
                program.line("below = \"\"");
            }
        }
    }

    fn object_payloads(&self, program: &mut Program, place: &Place<'_>) {
        let paths = self.payload_paths(|schema| &schema.payload.objects);
        if paths.is_empty() {
            return;
        }
        program.line("");
        program.comment("A record as an object in a shipper's envelope.");
        program.open("if shape == \"\"");
        let lookup = Lookup {
            paths,
            ..Lookup::default()
        };
        let found = program.raw_exact(place, &lookup, false);
        program.open(format!("for_each({found}) -> |_, item|"));
        program.open("if is_object(item)");
        program.open(format!("if level < {MAX_ENVELOPES}"));
        program.line("shape = \"envelope\"");
        program.line("pending = push(pending, {\"record\": item, \"level\": level + 1})");
        program.reopen("else");
        program.line(format!("shape = {}", text(FALLBACK)));
        for _ in 0..4 {
            program.close();
        }
    }

    fn text_payloads(&self, program: &mut Program, place: &Place<'_>) {
        let paths = self.payload_paths(|schema| &schema.payload.texts);
        if paths.is_empty() {
            return;
        }
        program.line("");
        program.comment("A record as JSON text in a shipper's envelope.");
        program.open(format!("if shape == \"\" && level < {MAX_ENVELOPES}"));
        let lookup = Lookup {
            paths,
            ..Lookup::default()
        };
        let found = program.raw_exact(place, &lookup, false);
        program.open(format!("for_each({found}) -> |_, item|"));
        program.open(format!(
            "if is_string(item) && (match(item, {}) ?? false)",
            regex(JSON_START)
        ));
        program.line("inside = to_string(item) ?? \"\"");
        program.repair("inside");
        program.line("inside = parse_json(inside) ?? null");
        program.line("if is_object(inside) { inside = [inside] }");
        program.open("if is_array(inside)");
        program.line("shape = \"envelope\"");
        program.open("for_each(array(inside) ?? []) -> |_, item|");
        program.line("if is_object(item) { pending = push(pending, {\"record\": item, \"level\": level + 1}) }");
        for _ in 0..5 {
            program.close();
        }
    }

    fn payload_paths(&self, of: fn(&Schema) -> &Vec<String>) -> Vec<String> {
        self.schemas
            .iter()
            .flat_map(|schema| of(schema))
            .cloned()
            .collect()
    }

    /// Names the first schema whose keys are there.
    fn detect(&self, program: &mut Program, place: &Place<'_>) {
        let mut branches = Vec::new();
        for schema in &self.schemas {
            if schema.detect.is_empty() {
                continue;
            }
            let lines: Vec<String> = schema
                .detect
                .iter()
                .map(|line| {
                    let marks: Vec<String> = line
                        .iter()
                        .map(|mark| present(program, place, mark))
                        .collect();
                    match marks.is_empty() {
                        true => "true".to_owned(),
                        false => join(&marks, "&&"),
                    }
                })
                .collect();
            branches.push((join(&lines, "||"), &schema.name));
        }
        let mut start = "if";
        for (condition, name) in branches {
            match start {
                "if" => program.open(format!("if {condition}")),
                _ => program.reopen(format!("else if {condition}")),
            }
            program.line(format!("shape = {}", text(name)));
            start = "else if";
        }
        if start != "if" {
            program.close();
        }
    }

    pub(super) fn fallback(&self) -> &Schema {
        let named = self.schemas.iter().find(|schema| schema.name == FALLBACK);
        named.unwrap_or(&self.schemas[0])
    }
}

/// Whether the event's text holds a witness and one group of its keywords.
fn stands(witness: &Witness) -> String {
    let own = format!("contains(event, {})", text(&witness.text));
    let Some(groups) = &witness.confirmation else {
        return own;
    };
    let spelt = |keyword: &Keyword| literal(&keyword.text, keyword.case == Case::Ascii);
    let found = |source: &str| format!("match(event, {})", regex(source));
    let (single, several): (Vec<_>, Vec<_>) = groups.iter().partition(|group| group.len() == 1);
    let single: Vec<String> = single.into_iter().flatten().map(spelt).collect();
    let mut ways = Vec::new();
    if !single.is_empty() {
        ways.push(found(&single.join("|")));
    }
    for group in several {
        let all: Vec<String> = group.iter().map(|keyword| found(&spelt(keyword))).collect();
        ways.push(match all.is_empty() {
            true => "true".to_owned(),
            false => join(&all, "&&"),
        });
    }
    match ways.is_empty() {
        true => "false".to_owned(),
        false => join(&[own, join(&ways, "||")], "&&"),
    }
}

/// Begins loops whose body runs as long as there is something in a list.
fn rounds(program: &mut Program, list: &str) {
    program.open(format!("for_each({ROUNDS}) -> |_, _|"));
    program.open(format!("if !is_empty({list})"));
}

/// Whether something stands at a path, or below it under a dotted key; `names` holds the record's keys.
fn present(program: &mut Program, place: &Place<'_>, mark: &Mark) -> String {
    if let Some(wanted) = &mark.text {
        let lookup = Lookup {
            paths: vec![mark.path.clone()],
            ..Lookup::default()
        };
        let found = program.raw_exact(place, &lookup, false);
        return format!("includes({found}, {})", text(wanted));
    }
    let mut ways = vec![format!("match(names, {})", key_pattern(&mark.path))];
    for (dot, _) in mark.path.match_indices('.') {
        let objects = program.objects_at(place, &mark.path[..dot]);
        ways.push(format!(
            "!is_empty(filter({objects}) -> |_, value| {{ match(encode_json(keys(object(value) ?? {{}})), {}) }})",
            key_pattern(&mark.path[dot + 1..])
        ));
    }
    join(&ways, "||")
}

/// Finds a key, or one that goes on behind a dot, in a JSON list of keys.
pub(super) fn key_pattern(key: &str) -> String {
    let spelt = serde_json::Value::from(key).to_string();
    let spelt = spelt.trim_matches('"');
    regex(&format!(r#"[\[,]"{}["\.]"#, escape(spelt)))
}

fn of_schema(schema: &Schema, reason: Reason) -> ExportError {
    ExportError {
        place: None,
        subject: Subject::Schema(schema.name.clone()),
        field: None,
        advice: reason.advice(),
        reason,
    }
}
