//! Who satisfied a rule, as data for the block in [`trust`](super::trust), which reads the parties.
//!
//! A match says which of the parties that fields identify it rests on, and which regular expressions the elements of
//! a list must be asked that are parties, too: every test of a text is one.

use poseur_matcher::number;
use poseur_matcher::schema::{Lookup, Party, Schema};
use poseur_rule::model::{Condition, Field, Predicate, Rule, Test};

use super::conditions::{Refused, all, any};
use super::error::Reason;
use super::patterns::{source, term};
use super::program::{Program, regex, text};
use super::reading::Place;
use super::tests::{Now, Truth};

impl Program {
    /// Says in the variables `asked` and `actors` on whom the match at hand rests.
    pub fn parties(&mut self, place: &Place<'_>, rule: &Rule, now: Now) -> Result<(), Refused> {
        let schema = place.schema;
        nested_about(&rule.condition, &schema.parties)?;
        self.line("asked = []");
        self.line("actors = []");
        for (number, party) in schema.parties.iter().enumerate() {
            if party.each.is_some() {
                self.asked(place, party, &rule.condition, now)?;
                continue;
            }
            let push = format!("actors = push(actors, {})", text(&name_of(schema, number)));
            match self.asks(place, party, &rule.condition, now)? {
                Truth::Always(false) => {}
                Truth::Always(true) => self.line(push),
                Truth::If(expression) => self.line(format!("if {expression} {{ {push} }}")),
            }
        }
        Ok(())
    }

    /// Sets what the parties are read from: `lists`, `named`, `everybody`.
    pub fn people(&mut self, place: &Place<'_>) -> Result<(), Refused> {
        let schema = place.schema;
        if let Some(name) = &schema.tenants {
            let texts = self.texts_of(place, name)?;
            self.line(format!("everybody = {texts}"));
        }
        let actor = schema.parties.iter().position(|party| party.each.is_none());
        if let Some(number) = actor {
            self.line(format!("actor = {}", text(&name_of(schema, number))));
        }
        for (number, party) in schema.parties.iter().enumerate() {
            let own = text(&name_of(schema, number));
            if let Some(list) = &party.each {
                let path = schema.lookup(list).paths.into_iter().next();
                let keys = (party.email.as_deref(), party.tenant.as_deref());
                self.people_in(place, &own, &path.unwrap_or_default(), keys)?;
                continue;
            }
            let mut members = vec![("addresses", &party.email), ("tenants", &party.tenant)]
                .into_iter()
                .filter_map(|(kind, name)| Some((kind, name.as_ref()?)))
                .map(|(kind, name)| Ok(format!("\"{kind}\": {}", self.texts_of(place, name)?)))
                .collect::<Result<Vec<String>, Refused>>()?;
            if let Some((list, email, tenant)) = &party.member {
                // Mostly the members are parties themselves.
                let same = |other: &Party| {
                    let of = other.each.as_ref().map(|list| schema.lookup(list).paths);
                    of.is_some_and(|paths| paths == [list.as_str()])
                        && other.email.as_ref() == Some(email)
                        && other.tenant.as_ref() == Some(tenant)
                };
                let of = match schema.parties.iter().position(same) {
                    Some(number) => text(&name_of(schema, number)),
                    None => {
                        let of = text(&format!("members of {}", name_of(schema, number)));
                        self.people_in(place, &of, list, (Some(email), Some(tenant)))?;
                        of
                    }
                };
                members.push(format!("\"members\": {of}"));
            }
            self.line(format!(
                "named = set(named, [{own}], {{{}}}) ?? named",
                members.join(", ")
            ));
        }
        Ok(())
    }

    /// Says where a list is whose elements are people.
    fn people_in(
        &mut self,
        place: &Place<'_>,
        name: &str,
        path: &str,
        (email, tenant): (Option<&str>, Option<&str>),
    ) -> Result<(), Refused> {
        let lookup = Lookup {
            paths: vec![path.to_owned()],
            ..Lookup::default()
        };
        let found = self.raw_exact(place, &lookup, false);
        let beyond = self.variable("beyond");
        self.line(format!("{beyond} = []"));
        self.beyond(place, path, &beyond, "value");
        let mut members = vec![
            format!("\"found\": {found}"),
            format!("\"beyond\": {beyond}"),
        ];
        for (kind, key) in [("addresses", email), ("tenants", tenant)] {
            let Some(key) = key else { continue };
            if key.contains('.') {
                return Err((
                    Some(key.to_owned()),
                    Reason::PartyKey(place.schema.name.clone()),
                ));
            }
            members.push(format!("\"{kind}\": {}", text(key)));
        }
        self.line(format!(
            "lists = set(lists, [{name}], {{{}}}) ?? lists",
            members.join(", ")
        ));
        Ok(())
    }

    /// A variable with the texts of a field.
    fn texts_of(&mut self, place: &Place<'_>, name: &str) -> Result<String, Refused> {
        let values = self
            .listed(place, name, &place.lookup(name))
            .map_err(|reason| (Some(name.to_owned()), reason))?;
        Ok(self.strings(&values))
    }

    fn when(
        &mut self,
        truth: Truth,
        body: impl FnOnce(&mut Program) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        match truth {
            Truth::Always(false) => Ok(()),
            Truth::Always(true) => body(self),
            Truth::If(expression) => {
                self.open(format!("if {expression}"));
                let outcome = body(self);
                self.close();
                outcome
            }
        }
    }

    /// Whether a condition that holds rests on a party that fields identify.
    fn asks(
        &mut self,
        place: &Place<'_>,
        party: &Party,
        condition: &Condition,
        now: Now,
    ) -> Result<Truth, Refused> {
        match condition {
            Condition::All(parts) => {
                let parts: Result<Vec<Truth>, Refused> = parts
                    .iter()
                    .map(|part| self.asks(place, party, part, now))
                    .collect();
                Ok(any(parts?))
            }
            Condition::Any(parts) => {
                let mut asks = Vec::new();
                for part in parts {
                    asks.push(self.asks(place, party, part, now)?);
                }
                // One of the parts holds, whichever it is.
                if asks.iter().all(|asks| *asks == Truth::Always(true)) {
                    return Ok(Truth::Always(!parts.is_empty()));
                }
                let mut truths = Vec::new();
                for (part, asks) in parts.iter().zip(asks) {
                    if asks != Truth::Always(false) {
                        let holds = self.known_condition(place, part, now)?;
                        truths.push(all(vec![holds, asks]));
                    }
                }
                Ok(any(truths))
            }
            Condition::Named(_, part) => self.asks(place, party, part, now),
            Condition::Test(predicate) => Ok(Truth::Always(is_about(predicate, party))),
            Condition::Not(_) | Condition::Nested { .. } => Ok(Truth::Always(false)),
        }
    }

    /// Adds to `asked` what a condition that holds asks of the elements of a party's list.
    fn asked(
        &mut self,
        place: &Place<'_>,
        party: &Party,
        condition: &Condition,
        now: Now,
    ) -> Result<(), Refused> {
        match condition {
            Condition::All(parts) => parts
                .iter()
                .try_for_each(|part| self.asked(place, party, part, now)),
            Condition::Named(_, part) => self.asked(place, party, part, now),
            Condition::Test(predicate) if is_about(predicate, party) => {
                self.ask(place, party, &[predicate], false)
            }
            Condition::Any(parts) => {
                // Tests of the texts of one field are asked together.
                let mut groups: Vec<Vec<&Predicate>> = Vec::new();
                for part in parts {
                    if let Condition::Test(predicate) = part
                        && matches!(predicate.test, Test::Text(..))
                    {
                        if is_about(predicate, party) {
                            let mut known = groups.iter_mut();
                            match known.find(|group| group[0].field == predicate.field) {
                                Some(group) => group.push(predicate),
                                None => groups.push(vec![predicate]),
                            }
                        }
                        continue;
                    }
                    if !rests_on(part, party) {
                        continue;
                    }
                    let holds = self.known_condition(place, part, now)?;
                    self.when(holds, |program| program.asked(place, party, part, now))?;
                }
                groups
                    .iter()
                    .try_for_each(|group| self.ask(place, party, group, true))
            }
            Condition::Test(_) | Condition::Not(_) | Condition::Nested { .. } => Ok(()),
        }
    }

    /// Adds predicates on one field to `asked`; of alternatives those that hold.
    fn ask(
        &mut self,
        place: &Place<'_>,
        party: &Party,
        predicates: &[&Predicate],
        alternatives: bool,
    ) -> Result<(), Refused> {
        let field = &predicates[0].field;
        let refused = |reason| (Some(field.label().into_owned()), reason);
        let mut wanted = Vec::new();
        for predicate in predicates {
            wanted.push(regex(&wanted_text(&predicate.test).map_err(refused)?));
        }
        let mut wanted = format!("[{}]", wanted.join(", "));
        if alternatives {
            let values = self.values(place, field).map_err(refused)?;
            let texts = self.strings(&values);
            wanted = format!(
                "filter({wanted}) -> |_, wanted| {{ !is_empty(filter({texts}) -> |_, value| {{ match(value, wanted) }}) }}"
            );
        }
        let number = place
            .schema
            .parties
            .iter()
            .position(|known| std::ptr::eq(known, party));
        let of = text(&name_of(place.schema, number.unwrap_or_default()));
        // What holds of any field may stand somewhere else.
        let anywhere = *field == Field::Any;
        self.line(format!("wanted = {wanted}"));
        self.line(format!(
            "asked = push(asked, {{\"of\": {of}, \"wanted\": wanted, \"anywhere\": {anywhere}}})"
        ));
        Ok(())
    }
}

/// Whether a predicate may be satisfied by a party; nobody satisfies one by not being there.
fn is_about(predicate: &Predicate, party: &Party) -> bool {
    let named = |name: &str| party.fields.iter().any(|of| is_at_or_below(name, of));
    predicate.test != Test::Null
        && match &predicate.field {
            Field::Name(name) => named(name),
            Field::Column(column) => named(&column.name),
            Field::Any => true,
            // Refused before.
            Field::Like(_) | Field::Value(_) => true,
        }
}

fn is_at_or_below(name: &str, path: &str) -> bool {
    name.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a condition that holds may rest on a party.
fn rests_on(condition: &Condition, party: &Party) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().any(|part| rests_on(part, party))
        }
        Condition::Named(_, part) => rests_on(part, party),
        Condition::Test(predicate) => is_about(predicate, party),
        Condition::Not(_) | Condition::Nested { .. } => false,
    }
}

/// What a schema's party is called in a program.
fn name_of(schema: &Schema, number: usize) -> String {
    let name = &schema.parties[number].name;
    let same = schema.parties.iter().filter(|party| party.name == *name);
    match name.is_empty() || same.count() > 1 {
        true => format!("party {}", number + 1),
        false => name.clone(),
    }
}

/// A test of one scalar as a regular expression on its text.
fn wanted_text(test: &Test) -> Result<String, Reason> {
    let is_number = |text: &str| number::is_number(text.as_bytes());
    match test {
        Test::Text(pattern, _) if pattern.as_equals().is_some_and(is_number) => {
            Err(Reason::PartyTest("an equality with a number"))
        }
        Test::Text(pattern, case) => Ok(source(pattern, *case)),
        Test::Regex(source) => Ok(source.clone()),
        Test::Bool(truth) => Ok(format!("^{truth}$")),
        Test::Term {
            text,
            case,
            start,
            end,
        } => Ok(term(text, *case, *start, *end)),
        Test::Exists => Ok(String::new()),
        // Only the whole record can say: no element does.
        Test::SameAs { .. } => Ok(r"[^\s\S]".to_owned()),
        Test::Cidr(_) => Err(Reason::PartyTest("a range of IP addresses")),
        Test::Time(..) | Test::Within { .. } => Err(Reason::PartyTest("a time")),
        Test::Words(_) => Err(Reason::Words),
        _ => Err(Reason::PartyTest("a comparison of numbers")),
    }
}

/// Refuses conditions on objects that have to do with a party.
fn nested_about(condition: &Condition, parties: &[Party]) -> Result<(), Refused> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts
            .iter()
            .try_for_each(|part| nested_about(part, parties)),
        Condition::Not(_) | Condition::Test(_) => Ok(()),
        Condition::Named(_, part) => nested_about(part, parties),
        Condition::Nested { path, condition } => {
            let of = |name: &str| {
                let mut all = parties.iter().flat_map(|party| &party.fields);
                all.any(|of| is_at_or_below(name, of))
            };
            match of(path) || names(condition, &of) {
                true => Err((Some(path.clone()), Reason::NestedParty)),
                false => Ok(()),
            }
        }
    }
}

/// Whether a condition is about a field that `of` knows.
fn names(condition: &Condition, of: &dyn Fn(&str) -> bool) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|part| names(part, of)),
        Condition::Not(part) | Condition::Named(_, part) => names(part, of),
        Condition::Nested { path, condition } => of(path) || names(condition, of),
        Condition::Test(predicate) => match &predicate.field {
            Field::Name(name) => of(name),
            Field::Column(column) => of(&column.name),
            _ => true,
        },
    }
}
