//! Paths: what stands at them, under nested and dotted keys and through arrays.
//!
//! For `a.b.c` the objects at `a` and at `a.b` are collected first; then every object on the way is asked for every
//! spelling of the rest.

use poseur_matcher::schema::Lookup;

use super::program::{Program, field, text};
use super::reading::Place;

impl Program {
    /// Reads names that are first looked for below a path, all at once: each is two paths, and what stands at the first hides what
    /// is at the second.
    pub fn table(&mut self, place: &Place<'_>, below: &str, names: &[&str]) {
        let at = self.variable("at");
        self.comment("What stands at these paths, under nested and dotted keys and in arrays.");
        self.line(format!("{at} = {{}}"));
        let list = self.list("names", names.iter().copied());
        self.open(format!("for_each({list}) -> |_, name|"));
        self.line("stood = []");
        self.line("there = false");
        self.open(format!(
            "for_each([{} + name, name]) -> |_, way|",
            text(&format!("{below}."))
        ));
        self.open("if !there");
        self.walk(Some("true"), true);
        self.close();
        self.close();
        self.line(format!("{at} = set({at}, [name], stood) ?? {at}"));
        self.close();
        for name in names {
            self.know(format!("table {} {name}", place.root), field(&at, name));
        }
    }

    /// Adds what stands at the path `way` of `record` to the list `stood`. If anything does, `there` is set to what is said.
    pub fn walk(&mut self, there: Option<&str>, nulls: bool) {
        let stands = there.map(|truth| format!("there = {truth}"));
        self.line("reached = [{\"rest\": way, \"item\": record}]");
        self.open("for_each(split(way, \".\")) -> |_, _|");
        self.line("here = reached");
        self.line("reached = []");
        self.open("for_each(here) -> |_, one|");
        self.line("rest = to_string(one.rest)");
        self.line("if rest == \"\" { reached = push(reached, one) }");
        self.line("items = if rest == \"\" { [] } else { flatten([one.item]) }");
        self.open("for_each(items) -> |_, item|");
        self.open("for_each(object(item) ?? {}) -> |key, value|");
        self.open("if key == rest");
        self.line("reached = push(reached, {\"rest\": \"\", \"item\": value})");
        self.reopen("else if starts_with(rest, key + \".\")");
        self.line("reached = push(reached, {\"rest\": slice(rest, length(key) + 1) ?? \"\", \"item\": value})");
        if let Some(stands) = &stands {
            self.reopen("else if starts_with(key, rest + \".\")");
            self.line(stands);
        }
        for _ in 0..5 {
            self.close();
        }
        self.open("for_each(reached) -> |_, one|");
        self.open("if one.rest == \"\"");
        self.line(match nulls {
            true => "stood = push(stood, one.item)",
            false => "if !is_null(one.item) { stood = push(stood, one.item) }",
        });
        if let Some(stands) = &stands {
            self.line(stands);
        }
        self.close();
        self.close();
    }

    /// A list of what stands at a field's paths; nulls among it mean nothing. With `beyond`, also what
    /// dotted keys hold that go on beyond a path.
    pub fn raw(&mut self, place: &Place<'_>, lookup: &Lookup, beyond: bool) -> String {
        if lookup.first && lookup.paths.len() > 1 {
            return self.raw_exact(place, lookup, beyond);
        }
        match (lookup.paths.as_slice(), beyond) {
            ([path], false) if !path.contains('.') => format!("[{}]", field(&place.root, path)),
            (paths, _) => {
                let found = self.variable("found");
                let mut first = true;
                for path in paths {
                    self.at_path(place, path, &found, std::mem::take(&mut first), false);
                    if beyond {
                        self.beyond(place, path, &found, "value");
                    }
                }
                found
            }
        }
    }

    /// A list of what stands at a field's paths, nulls included where they are written; only of the first
    /// path that is there, if the field says so.
    pub fn raw_exact(&mut self, place: &Place<'_>, lookup: &Lookup, beyond: bool) -> String {
        let found = self.variable("found");
        let paths = &lookup.paths;
        if let [_, name] = &paths[..]
            && lookup.first
            && !beyond
            && let Some(known) = self.known(&format!("table {} {name}", place.root))
        {
            self.line(format!("{found} = array({known}) ?? []"));
            return found;
        }
        self.line(format!("{found} = []"));
        for (at, path) in paths.iter().enumerate() {
            if at > 0 && lookup.first {
                // What only dotted keys beyond the first path hold makes it present, too.
                let there = self.variable("there");
                self.line(format!("{there} = {found}"));
                self.beyond(place, &paths[at - 1], &there, "true");
                self.open(format!("if is_empty({there})"));
            }
            self.at_path(place, path, &found, false, true);
            if beyond {
                self.beyond(place, path, &found, "value");
            }
        }
        if lookup.first {
            for _ in 1..paths.len() {
                self.close();
            }
        }
        found
    }

    /// Pushes what is at a path into a list.
    pub fn at_path(&mut self, place: &Place<'_>, path: &str, list: &str, first: bool, exact: bool) {
        let whole = field(&place.root, path);
        match (first, exact) {
            (true, _) => self.line(format!("{list} = [{whole}]")),
            (false, true) => self.line(format!(
                "if exists({whole}) {{ {list} = push({list}, {whole}) }}"
            )),
            (false, false) => self.line(format!("{list} = push({list}, {whole})")),
        }
        for (dot, _) in path.match_indices('.') {
            let objects = self.objects_at(place, &path[..dot]);
            let rest = field("inner", &path[dot + 1..]);
            self.line(match exact {
                true => format!(
                    "for_each({objects}) -> |_, inner| {{ if exists({rest}) {{ {list} = push({list}, {rest}) }} }}"
                ),
                false => format!("for_each({objects}) -> |_, inner| {{ {list} = push({list}, {rest}) }}"),
            });
        }
    }

    /// Pushes what dotted keys hold that go on beyond a path.
    pub fn beyond(&mut self, place: &Place<'_>, path: &str, list: &str, value: &str) {
        let push = |rest: &str| {
            format!(
                "if starts_with(key, {}) {{ {list} = push({list}, {value}) }}",
                text(&format!("{rest}."))
            )
        };
        self.line(format!(
            "for_each({}) -> |key, value| {{ {} }}",
            place.root,
            push(path)
        ));
        for (dot, _) in path.match_indices('.') {
            let objects = self.objects_at(place, &path[..dot]);
            let push = push(&path[dot + 1..]);
            self.line(format!(
                "for_each({objects}) -> |_, inner| {{ for_each(object(inner) ?? {{}}) -> |key, value| {{ {push} }} }}"
            ));
        }
    }

    /// A variable with the objects at a path, arrays opened.
    pub fn objects_at(&mut self, place: &Place<'_>, path: &str) -> String {
        let what = format!("objects {} {path}", place.root);
        if let Some(known) = self.known(&what) {
            return known;
        }
        let variable = self.variable(&format!("{path} objects"));
        let list = match path.contains('.') {
            false => format!("[{}]", field(&place.root, path)),
            true => {
                self.at_path(place, path, &variable, true, false);
                variable.clone()
            }
        };
        self.line(format!(
            "{variable} = filter(flatten({list})) -> |_, value| {{ is_object(value) }}"
        ));
        self.know(what, &variable);
        variable
    }
}
