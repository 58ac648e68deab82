//! The tag, as VRL makes it.

use poseur_matcher::schema::{Derive, FieldKind, Lookup};
use poseur_rule::model::{Field, Level, Rule};
use poseur_tagger::Style;
use poseur_tagger::tag::ECS_FIELDS;

use super::program::{Program, field, join, text, texts};
use super::reading::Place;
use super::shapes::key_pattern;
use super::{Export, Forced};

impl Export<'_> {
    /// Whether analyst fields go into the tag.
    pub(super) fn has_context(&self) -> bool {
        self.tag.style == Style::Namespace && self.rules.iter().any(|rule| !rule.fields.is_empty())
    }

    /// Keeps the analyst fields of a rule that are derived from the record in `told`.
    pub(super) fn derived_context(&self, program: &mut Program, place: &Place<'_>, rule: &Rule) {
        let derived = |name: &&String| !stands_there(&place.lookup(name));
        for name in rule.fields.iter().filter(derived) {
            // Names are read in every schema.
            if let Ok(values) = program.values(place, &Field::Name(name.clone())) {
                program.line(format!("{} = {}", field("told", name), values.list));
            }
        }
    }

    /// Says where the other analyst fields are, if it is not at the paths of their names.
    pub(super) fn context_paths(&self, program: &mut Program, place: &Place<'_>) {
        let mut paths: Vec<String> = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        let admitted = |rule: &&Rule| place.schema.sources.admit(&rule.log_source);
        let rules = self.rules.iter().filter(admitted);
        for name in rules.flat_map(|rule| &rule.fields) {
            let lookup = place.lookup(name);
            let below = lookup.first && lookup.paths.len() > 1;
            let listed = stands_there(&lookup) && !below && lookup.paths != [name.as_str()];
            if listed && !known.contains(&name.as_str()) {
                known.push(name);
                let these = texts(lookup.paths.iter().map(String::as_str));
                paths.push(format!("{}: {these}", text(name)));
            }
        }
        program.line("");
        if !paths.is_empty() {
            program.line(format!("paths = {{\n  {}\n}}", paths.join(",\n  ")));
        }
        if let Some(below) = &place.schema.below {
            program.line(format!("below = {}", text(&format!("{below}."))));
        }
    }

    /// Whether names are looked up below a path first, in any schema.
    pub(super) fn looks_below(&self) -> bool {
        match self.forced {
            Forced::Flat(schema) => self.schemas[schema].below.is_some(),
            _ => self.schemas.iter().any(|schema| schema.below.is_some()),
        }
    }

    /// Notes the analyst fields of the rule that matched.
    pub(super) fn wanted_context(&self, program: &mut Program) {
        for rule in self.rules.iter().filter(|rule| !rule.fields.is_empty()) {
            let names = rule.fields.iter().map(String::as_str);
            program.open(format!("if rule == {}", text(&rule.id)));
            let names = program.list("of_rule", names);
            program.line(format!("wanted = append(wanted, {names})"));
            program.close();
        }
    }

    /// Reads the analyst fields that are wanted: from `told`, or from `record`.
    pub(super) fn read_context(&self, program: &mut Program) {
        let below = self.looks_below();
        program.comment("What analysts want to see: what stands at these paths, under nested and dotted keys and in arrays.");
        program.open("for_each(unique(wanted)) -> |_, name|");
        program.line("name = to_string(name) ?? \"\"");
        program.line("stood = get(told, [name]) ?? null");
        program.open("if is_null(stood)");
        program.line("stood = []");
        program.line("listed = get(paths, [name]) ?? null");
        if below {
            program.comment("Where names are first looked for below another, what is there hides what is at the top.");
            program.line("ways = if !is_null(listed) { listed } else if below == \"\" { [name] } else { [below + name, name] }");
            program.line("there = false");
        } else {
            program.line("ways = if is_null(listed) { [name] } else { listed }");
        }
        program.open("for_each(array(ways) ?? []) -> |_, way|");
        if below {
            program.open("if !there");
        }
        program.line("way = to_string(way) ?? \"\"");
        program.walk(below.then_some("is_null(listed)"), false);
        for _ in 0..if below { 3 } else { 2 } {
            program.close();
        }
        program.line("stood = array(stood) ?? []");
        program.open("if !is_empty(stood) && is_null(get(context, [name]) ?? null)");
        program.line("stood = if length(stood) == 1 { stood[0] } else { stood }");
        program.line("context = set(context, [name], stood) ?? context");
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
