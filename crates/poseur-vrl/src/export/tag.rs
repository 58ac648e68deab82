//! The tag, as VRL makes it.

use poseur_matcher::schema::{Derive, FieldKind, Lookup};
use poseur_rule::model::{Field, Level, Rule};
use poseur_tagger::Style;
use poseur_tagger::tag::ECS_FIELDS;

use super::Export;
use super::program::{Program, field, join, text, texts};
use super::reading::Place;
use super::shapes::key_pattern;

impl Export<'_> {
    /// Whether analyst fields go into the tag.
    pub(super) fn has_context(&self) -> bool {
        self.tag.style == Style::Namespace && self.rules.iter().any(|rule| !rule.fields.is_empty())
    }

    /// Notes a rule's analyst fields: what is derived now, what stands in the record for later.
    pub(super) fn context(&self, program: &mut Program, place: &Place<'_>, rule: &Rule) {
        let plain = |name: &&String| stands_there(&place.lookup(name));
        let names: Vec<&str> = rule
            .fields
            .iter()
            .filter(plain)
            .map(String::as_str)
            .collect();
        if !names.is_empty() {
            program.line(format!("wanted = append(wanted, {})", texts(names)));
        }
        for name in rule.fields.iter().filter(|name| !plain(name)) {
            // Names are read in every schema.
            if let Ok(values) = program.values(place, &Field::Name(name.clone())) {
                self.add_context(program, &text(name), &values.list);
            }
        }
    }

    fn add_context(&self, program: &mut Program, name: &str, list: &str) {
        program.open(format!("if !is_empty({list})"));
        program.line(format!(
            "told = if length({list}) == 1 {{ {list}[0] }} else {{ {list} }}"
        ));
        program.line(format!("if is_null(get(context, [{name}]) ?? null) {{ context = set(context, [{name}], told) ?? context }}"));
        program.close();
    }

    /// Reads the analyst fields that stand in the record as they are.
    pub(super) fn read_context(&self, program: &mut Program, place: &Place<'_>) {
        let mut paths: Vec<String> = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        for name in self.rules.iter().flat_map(|rule| &rule.fields) {
            let lookup = place.lookup(name);
            if stands_there(&lookup) && !known.contains(&name.as_str()) {
                known.push(name);
                let these = texts(lookup.paths.iter().map(String::as_str));
                paths.push(format!("{}: {these}", text(name)));
            }
        }
        program.line("");
        program.comment("What analysts want to see: what stands at these paths, under nested and dotted keys and in arrays.");
        program.open("if !is_empty(wanted)");
        program.line(format!("paths = {{\n  {}\n}}", paths.join(",\n  ")));
        program.open("for_each(wanted) -> |_, name|");
        program.line("stood = []");
        program.open("for_each(array(get(paths, [name]) ?? []) ?? []) -> |_, path|");
        program.open("if is_empty(stood)");
        program.line("steps = split(to_string(path) ?? \"\", \".\")");
        program.line("reached = [{\"step\": 0, \"item\": record}]");
        program.open("for_each(steps) -> |_, _|");
        program.line("here = reached");
        program.line("reached = []");
        program.open("for_each(here) -> |_, one|");
        program.open("for_each(flatten([one.item])) -> |_, item|");
        program.open("if is_object(item)");
        program.open("for_each(steps) -> |index, _|");
        program.line("key = join(get([slice(steps, one.step, index + 1) ?? []], [0]) ?? null, \".\") ?? \"\"");
        program.line("value = if key == \"\" { null } else { get(item, [key]) ?? null }");
        program.open("if !is_null(value)");
        program.open("if index + 1 == length(steps)");
        program.line("stood = push(stood, value)");
        program.reopen("else");
        program.line("reached = push(reached, {\"step\": index + 1, \"item\": value})");
        for _ in 0..8 {
            program.close();
        }
        program.close();
        self.add_context(program, "name", "stood");
        program.close();
        program.close();
    }

    /// Writes the tag of what matched, if anything did.
    pub(super) fn tag(&self, program: &mut Program) {
        program.line("");
        program.open("if !is_empty(matched) || !is_empty(suppressed)");
        match self.tag.style {
            Style::Ecs => self.ecs(program),
            style => self.object(program, style),
        }
        program.close();
    }

    /// What the matched rules say together, in their order.
    fn collect(&self, program: &mut Program) {
        program.line("rules = []");
        program.line("titles = []");
        program.line("matches = []");
        program.line("severity = 0");
        program.line("risk = -1");
        program.line("technique = []");
        if self.tag.style == Style::Ecs {
            program.line("subtechnique = []");
        }
        for rule in self.rules {
            let id = text(&rule.id);
            program.open(format!("if includes(matched, {id})"));
            program.line(format!("rules = push(rules, {id})"));
            program.line(format!("titles = push(titles, {})", text(&rule.title)));
            program.line(format!(
                "matches = push(matches, {{\"rule\": {id}, \"title\": {}}})",
                text(&rule.title)
            ));
            let level = level(rule.level);
            program.line(format!("if severity < {level} {{ severity = {level} }}"));
            if let Some(score) = rule.risk_score {
                program.line(format!("if risk < {score} {{ risk = {score} }}"));
            }
            for technique in &rule.techniques {
                let list = match self.tag.style == Style::Ecs && technique.contains('.') {
                    true => "subtechnique",
                    false => "technique",
                };
                let technique = text(technique);
                program.line(format!(
                    "if !includes({list}, {technique}) {{ {list} = push({list}, {technique}) }}"
                ));
            }
            program.close();
        }
    }

    fn object(&self, program: &mut Program, style: Style) {
        if style == Style::Minimal {
            let ids = texts(self.rules.iter().map(|rule| rule.id.as_str()));
            program.line(format!(
                "tag = {{\"rules\": filter({ids}) -> |_, value| {{ includes(matched, value) }}}}"
            ));
        } else {
            self.collect(program);
            program.line("tag = {\"rules\": rules}");
            let levels = ["", "informational", "low", "medium", "high", "critical"];
            program.line(format!("levels = {}", texts(levels)));
            program.line("if severity > 0 { tag.level = get(levels, [severity]) ?? null }");
            program.line("if risk >= 0 { tag.risk_score = risk }");
            program.line("if !is_empty(technique) { tag.technique = technique }");
            program.line("if !is_empty(matches) { tag.matches = matches }");
            if self.has_context() {
                program.line("if context != {} { tag.context = context }");
            }
            if !self.exceptions.is_empty() {
                program.open("if !is_empty(suppressed)");
                program.line("reasons = {}");
                for exception in self.exceptions {
                    program.line(format!(
                        "{} = {}",
                        field("reasons", &exception.id),
                        text(&exception.reason)
                    ));
                }
                program.open("tag.suppressed = map_values(suppressed) -> |value|");
                program.line("value.reason = get(reasons, [value.exception]) ?? null");
                program.line("value");
                program.close();
                program.close();
            }
        }
        self.write(program, &self.tag.key, "tag");
    }

    /// Sets a top-level key of the record at `path`.
    fn write(&self, program: &mut Program, key: &str, value: &str) {
        program.line(format!(
            "if is_empty(path) {{ {} = {value} }} else {{ . = set(., push(path, {}), {value}) ?? . }}",
            field("", key),
            text(key)
        ));
    }

    fn ecs(&self, program: &mut Program) {
        let schema = self.fallback();
        let place = Place {
            schema,
            object: None,
            root: "record".to_owned(),
        };
        program.line("record = object(get(., path) ?? {}) ?? {}");
        program.line("names = encode_json(keys(record))");
        program.line(format!(
            "word = if is_empty(matched) {{ {} }} else {{ {} }}",
            text(&format!("{}-suppressed", self.tag.key)),
            text(&self.tag.key)
        ));
        program.open("if is_array(record.tags)");
        program.line("tags = array(record.tags) ?? []");
        program.open("if !includes(tags, word)");
        program.line("tags = push(tags, word)");
        self.write(program, "tags", "tags");
        program.close();
        program.reopen(format!("else if !match(names, {})", key_pattern("tags")));
        program.line("tags = [word]");
        self.write(program, "tags", "tags");
        program.close();
        program.open("if !is_empty(matched)");
        self.collect(program);
        for name in ECS_FIELDS {
            let (made, there) = match name {
                "rule.id" => ("rules".to_owned(), None),
                "rule.name" => ("titles".to_owned(), None),
                "threat.framework" => (text("MITRE ATT&CK"), None),
                "event.risk_score" => ("risk".to_owned(), Some("risk >= 0")),
                "threat.technique.id" => ("technique".to_owned(), Some("!is_empty(technique)")),
                _ => ("subtechnique".to_owned(), Some("!is_empty(subtechnique)")),
            };
            let mut free = vec![format!("!match(names, {})", key_pattern(name))];
            let mut above = Vec::new();
            for (dot, _) in name.match_indices('.') {
                let objects = program.objects_at(&place, &name[..dot]);
                free.push(format!(
                    "is_empty(filter({objects}) -> |_, value| {{ match(encode_json(keys(object(value) ?? {{}})), {}) }})",
                    key_pattern(&name[dot + 1..])
                ));
                let lookup = Lookup {
                    paths: vec![name[..dot].to_owned()],
                    ..Lookup::default()
                };
                let found = program.raw_exact(&place, &lookup, false);
                above.push(format!(
                    "is_empty(filter({found}) -> |_, value| {{ !is_object(value) }})"
                ));
            }
            free.extend(above);
            free.extend(there.map(str::to_owned));
            program.open(format!("if {}", join(&free, "&&")));
            self.write(program, name, &made);
            program.close();
        }
        program.close();
    }
}

/// Whether a field's values stand in the record as they are told.
fn stands_there(lookup: &Lookup) -> bool {
    lookup.derive == Derive::Same && lookup.absent.is_none() && lookup.kind != FieldKind::Flag
}

/// Levels in order.
fn level(level: Level) -> u8 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}
