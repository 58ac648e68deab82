//! Tests of a field's values, as VRL expressions.

use jiff::Timestamp;
use poseur_matcher::number;
use poseur_rule::expression::ColumnType;
use poseur_rule::model::{
    Case, Comparison, Field, Moment, Network, Number, Pattern, Predicate, Relation, Test,
};

use super::derivations::unmapped;
use super::error::Reason;
use super::patterns::{self, source, term};
use super::program::{Program, regex, text};
use super::reading::{self, NUMBER, Place, TEXT, Values};

/// Numbers up to here are the same in VRL, in JSON and as 64-bit floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An expression that is true or false.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Truth {
    Always(bool),
    If(String),
}

impl Truth {
    pub fn negated(self) -> Truth {
        match self {
            Truth::Always(truth) => Truth::Always(!truth),
            Truth::If(expression) => Truth::If(format!("!{expression}")),
        }
    }
}

/// `now` of time windows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Now {
    /// When the program runs.
    Running,
    /// Always this moment.
    Fixed(Timestamp),
}

impl Program {
    /// Whether a predicate holds. What must be computed before is written.
    pub fn predicate(
        &mut self,
        place: &Place<'_>,
        predicate: &Predicate,
        now: Now,
    ) -> Result<Truth, Reason> {
        let Predicate { field, test } = predicate;
        match test {
            Test::Words(_) => return Err(Reason::Words),
            Test::Exists => return self.exists(place, field),
            Test::Null => return Ok(self.exists(place, field)?.negated()),
            Test::SameAs {
                field: other,
                relation,
                case,
            } => {
                return self.same_as(place, field, other, *relation, *case);
            }
            _ => {}
        }
        if let Field::Column(column) = field {
            let own = reading::lookup(place, field)?.1;
            let fits = match own {
                Some(ColumnType::Long | ColumnType::Real) => matches!(test, Test::Compare(..)),
                Some(ColumnType::DateTime) => matches!(test, Test::Time(..) | Test::Within { .. }),
                _ => true,
            };
            if !fits {
                return Err(Reason::Column(column.kind.as_str()));
            }
        }
        let values = self.values(place, field)?;
        self.test_of(&values, test, now)
    }

    /// Whether a test holds for one of some values.
    pub fn test_of(&mut self, values: &Values, test: &Test, now: Now) -> Result<Truth, Reason> {
        match test {
            Test::Text(pattern, case) => {
                self.text_test(values, std::slice::from_ref(&pattern), *case)
            }
            Test::Bool(truth) if values.flags => {
                Ok(Truth::If(format!("includes({}, {truth})", values.list)))
            }
            Test::Bool(truth) => {
                Ok(self.one_of(values, &[text(&truth.to_string()), truth.to_string()]))
            }
            Test::Regex(source) => {
                if let Err(error) = regex::Regex::new(source) {
                    let error = error.to_string();
                    let reason = error.lines().last().unwrap_or_default().trim().to_owned();
                    return Err(Reason::Regex {
                        pattern: source.clone(),
                        reason,
                    });
                }
                Ok(self.any_text(values, &format!("match(value, {})", regex(source))))
            }
            Test::Term { text, .. } if text.is_empty() => {
                Ok(Truth::If(format!("!is_empty({})", values.list)))
            }
            Test::Term {
                text,
                case,
                start,
                end,
            } => {
                let source = term(text, *case, *start, *end);
                Ok(self.any_text(values, &format!("match(value, {})", regex(&source))))
            }
            Test::Compare(comparison, limit) => {
                let limit = exact(limit)?;
                let any = self.numbers(values);
                let compare = compared("value", *comparison, &limit);
                Ok(any_of(&any, &compare))
            }
            Test::Ordered(comparison, limit) => self.ordered(values, *comparison, limit),
            Test::Cidr(network) => self.cidr(values, *network),
            Test::Time(comparison, moment) => {
                let (seconds, nanoseconds) = moment_of(*moment, now)?;
                let times = self.times(values);
                Ok(any_of(&times, &timed(*comparison, &seconds, &nanoseconds)))
            }
            Test::Within { from, to } => {
                let times = self.times(values);
                let (seconds, nanoseconds) = moment_of(*from, now)?;
                let from = timed(Comparison::GreaterOrEqual, &seconds, &nanoseconds);
                let (seconds, nanoseconds) = moment_of(*to, now)?;
                let to = timed(Comparison::Less, &seconds, &nanoseconds);
                Ok(any_of(&times, &format!("({from}) && ({to})")))
            }
            Test::Words(_) | Test::Exists | Test::Null | Test::SameAs { .. } => Err(Reason::Words),
        }
    }

    /// Whether a value fits one of several patterns.
    pub fn text_test(
        &mut self,
        values: &Values,
        patterns: &[&Pattern],
        case: Case,
    ) -> Result<Truth, Reason> {
        if let Some(constant) = &values.constant {
            let fits = |pattern: &&&Pattern| {
                poseur_matcher::pattern::fits(pattern, case, constant.as_bytes())
            };
            return Ok(Truth::Always(patterns.iter().any(|pattern| fits(&pattern))));
        }
        let mut equal = Vec::new();
        let mut sources = Vec::new();
        for pattern in patterns {
            match (pattern.as_equals(), case) {
                (Some(literal), Case::Exact) => {
                    equal.push(text(literal));
                    if !values.strings {
                        equal.extend(scalars(literal)?);
                    }
                }
                (Some(literal), Case::Ascii) => {
                    sources.push(format!("^{}$", patterns::literal(literal, true)));
                    if !values.strings && number::is_number(literal.as_bytes()) {
                        equal.extend(scalars(literal)?);
                    }
                }
                (None, _) => sources.push(source(pattern, case)),
            }
        }
        let mut truths = Vec::new();
        if !equal.is_empty() {
            truths.push(self.one_of(values, &equal));
        }
        if !sources.is_empty() {
            let any = format!("match(value, {})", regex(&sources.join("|")));
            truths.push(self.any_text(values, &any));
        }
        Ok(super::conditions::any(truths))
    }

    /// Whether one of the values is one of these literals.
    fn one_of(&mut self, values: &Values, literals: &[String]) -> Truth {
        let list = &values.list;
        Truth::If(match literals {
            [one] => format!("includes({list}, {one})"),
            many => {
                let many = many.join(", ");
                format!("!is_empty(filter({list}) -> |_, value| {{ includes([{many}], value) }})")
            }
        })
    }

    /// Whether an expression holds for the text of one of the values, in `value`.
    fn any_text(&mut self, values: &Values, expression: &str) -> Truth {
        let strings = self.strings(values);
        any_of(&strings, expression)
    }

    fn exists(&mut self, place: &Place<'_>, field: &Field) -> Result<Truth, Reason> {
        if *field == Field::Any {
            let values = self.values(place, field)?;
            return Ok(Truth::If(format!("!is_empty({})", values.list)));
        }
        let (lookup, column) = reading::lookup(place, field)?;
        use poseur_matcher::schema::{Derive, FieldKind};
        if lookup.paths.is_empty() {
            return Ok(Truth::Always(lookup.absent.is_some()));
        }
        match column {
            Some(ColumnType::Text) => return Ok(Truth::Always(true)),
            Some(ColumnType::Bool | ColumnType::Dynamic) => {}
            Some(kind) => return Err(Reason::Column(kind.as_str())),
            None => {}
        }
        let whole = matches!(
            lookup.derive,
            Derive::Same | Derive::Text | Derive::Rename { .. }
        );
        let list = match column {
            None if lookup.kind == FieldKind::Keyword && whole => {
                if lookup.absent.is_some() {
                    return Ok(Truth::Always(true));
                }
                self.presence(place, &field.label(), &lookup)
            }
            _ => self.values(place, field)?.list,
        };
        Ok(Truth::If(format!("!is_empty({list})")))
    }

    fn same_as(
        &mut self,
        place: &Place<'_>,
        field: &Field,
        other: &str,
        relation: Relation,
        case: Case,
    ) -> Result<Truth, Reason> {
        let mut lists = Vec::new();
        for field in [field, &Field::Name(other.to_owned())] {
            let values = self.values(place, field)?;
            let mut list = self.strings(&values);
            if case == Case::Ascii {
                let lower = self.variable(&format!("{list} lower"));
                self.line(format!("{lower} = []"));
                self.open(format!("for_each({list}) -> |_, value|"));
                let token = format!(
                    "replace_with(value, {}) -> |token| {{ downcase(token.string) }}",
                    regex("[A-Z]+")
                );
                self.line(format!("{lower} = push({lower}, {token})"));
                self.close();
                list = lower;
            }
            lists.push(list);
        }
        let related = match relation {
            Relation::Equals => "value == inner",
            Relation::Contains => "contains(value, inner)",
            Relation::StartsWith => "starts_with(value, inner)",
            Relation::EndsWith => "ends_with(value, inner)",
        };
        let same = self.variable("same");
        self.line(format!("{same} = false"));
        self.open(format!("for_each({}) -> |_, value|", lists[0]));
        self.line(format!(
            "for_each({}) -> |_, inner| {{ if {related} {{ {same} = true }} }}",
            lists[1]
        ));
        self.close();
        Ok(Truth::If(same))
    }

    /// A variable with the numbers among the values: numbers, and texts that are one.
    fn numbers(&mut self, values: &Values) -> String {
        let variable = self.variable(&format!("{} numbers", values.list));
        self.line(format!("{variable} = []"));
        self.each(values);
        self.open("if is_integer(value) || is_float(value)");
        self.line(format!(
            "{variable} = push({variable}, to_float(value) ?? 0.0)"
        ));
        self.reopen(format!(
            "else if is_string(value) && (match(value, {}) ?? false)",
            regex(NUMBER)
        ));
        self.line(format!(
            "{variable} = push({variable}, to_float(value) ?? 0.0)"
        ));
        self.close();
        self.close();
        variable
    }

    fn ordered(
        &mut self,
        values: &Values,
        comparison: Comparison,
        limit: &str,
    ) -> Result<Truth, Reason> {
        let ordered = self.variable("ordered");
        self.line(format!("{ordered} = false"));
        self.each(values);
        let mut start = "if";
        if number::is_number(limit.as_bytes()) {
            let limit =
                exact(&Number::new(limit).ok_or_else(|| Reason::Number(limit.to_owned()))?)?;
            let numbers = compared("number", comparison, &limit);
            self.open("if is_integer(value) || is_float(value)");
            self.line("number = to_float(value) ?? 0.0");
            self.line(format!("if {numbers} {{ {ordered} = true }}"));
            start = "else";
        }
        match start {
            "else" => self.reopen("else"),
            _ => self.open("if true"),
        }
        self.line(format!("value = {TEXT}"));
        let sign = comparison.as_str();
        let sign = if sign == "=" { "==" } else { sign };
        let than = match sign {
            "==" => format!("value == {}", text(limit)),
            sign => format!("value {sign} {}", text(limit)),
        };
        self.line(format!("if {than} {{ {ordered} = true }}"));
        self.close();
        self.close();
        Ok(Truth::If(ordered))
    }

    fn cidr(&mut self, values: &Values, network: Network) -> Result<Truth, Reason> {
        let network = poseur_matcher::network::unmapped(network);
        let strings = self.strings(values);
        let addresses = self.variable(&format!("{} addresses", values.list));
        self.open(format!("{addresses} = map_values({strings}) -> |value|"));
        self.line(format!(
            "if is_ipv6(value) {{ {} }} else {{ value }}",
            unmapped("value")
        ));
        self.close();
        let family = if network.address.is_ipv4() {
            "is_ipv4"
        } else {
            "is_ipv6"
        };
        let inside = format!(
            "{family}(value) && (ip_cidr_contains({}, value) ?? false)",
            text(&format!("{}/{}", network.address, network.prefix))
        );
        Ok(any_of(&addresses, &inside))
    }

    /// A variable with the moments among the values, as seconds since 1970 and nanoseconds.
    fn times(&mut self, values: &Values) -> String {
        let what = format!("times {}", values.list);
        if let Some(known) = self.known(&what) {
            return known;
        }
        let variable = self.variable(&format!("{} times", values.list));
        self.line(format!("{variable} = []"));
        self.each(values);
        self.line("if is_timestamp(value) { value = to_string(value) ?? \"\" }");
        self.line(format!(
            "parts = if is_string(value) {{ parse_regex(value, {}) ?? null }} else {{ null }}",
            regex(TIME)
        ));
        self.open("if !is_null(parts)");
        self.comment("No zone is UTC; a leap second is the second after.");
        self.line("leap = parts.second == \"60\"");
        self.line("second = if leap { \"59\" } else { to_string(parts.second) }");
        self.line("zone = to_string(parts.zone)");
        self.line("if zone == \"\" || zone == \"Z\" { zone = \"+00:00\" }");
        self.line("moment = to_string(parts.date) + \"T\" + to_string(parts.minute) + \":\" + second + zone");
        self.line("moment = to_unix_timestamp(parse_timestamp(moment, \"%Y-%m-%dT%H:%M:%S%:z\") ?? t'0001-01-01T00:00:00Z')");
        self.line("if leap { moment = moment + 1 }");
        self.line("fraction = slice(to_string(parts.fraction) + \"000000000\", 0, 9) ?? \"0\"");
        self.open("if moment > -62135596800");
        self.line(format!(
            "{variable} = push({variable}, {{\"s\": moment, \"ns\": parse_int(fraction, 10) ?? 0}})"
        ));
        self.close();
        self.close();
        self.close();
        self.know(what, &variable);
        variable
    }
}

/// An RFC 3339 timestamp as rules have it.
const TIME: &str = r"^(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<minute>(?:[01][0-9]|2[0-3]):[0-5][0-9]):(?P<second>[0-5][0-9]|60)(?:\.(?P<fraction>[0-9]{1,9}))?(?P<zone>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$";

/// Whether an expression holds for one value of a list, in `value`.
fn any_of(list: &str, expression: &str) -> Truth {
    Truth::If(format!(
        "!is_empty(filter({list}) -> |_, value| {{ {expression} }})"
    ))
}

/// What, besides a string, has a text that is equal to a literal: truth values and numbers.
fn scalars(literal: &str) -> Result<Vec<String>, Reason> {
    if literal == "true" || literal == "false" {
        return Ok(vec![literal.to_owned()]);
    }
    if !number::is_number(literal.as_bytes()) {
        return Ok(Vec::new());
    }
    let value: f64 = literal.parse().unwrap_or(f64::NAN);
    if value.is_nan() || value.abs() >= EXACT {
        return Err(Reason::Number(literal.to_owned()));
    }
    let mut out = vec![float(value)];
    if value.fract() == 0.0 {
        out.push(format!("{}", value as i64));
    }
    Ok(out)
}

/// A float as VRL writes it.
fn float(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// A limit that VRL compares exactly.
fn exact(limit: &Number) -> Result<String, Reason> {
    let value = limit.as_f64();
    if !value.is_finite() || value.abs() >= EXACT || (value != 0.0 && value.abs() < 1e-300) {
        return Err(Reason::Number(limit.to_string()));
    }
    Ok(float(value))
}

/// A float against a limit.
fn compared(value: &str, comparison: Comparison, limit: &str) -> String {
    match comparison {
        Comparison::Equal => {
            format!("({value} >= {limit} && {value} <= {limit})")
        }
        other => format!("{value} {} {limit}", other.as_str()),
    }
}

/// A moment of [`Program::times`], in `value`, against another.
fn timed(comparison: Comparison, seconds: &str, nanoseconds: &str) -> String {
    let strict = match comparison {
        Comparison::Equal => return format!("value.s == {seconds} && value.ns == {nanoseconds}"),
        Comparison::Less | Comparison::LessOrEqual => "<",
        Comparison::Greater | Comparison::GreaterOrEqual => ">",
    };
    format!(
        "value.s {strict} {seconds} || (value.s == {seconds} && value.ns {} {nanoseconds})",
        comparison.as_str()
    )
}

/// A moment as VRL expressions: seconds since 1970, and nanoseconds.
fn moment_of(moment: Moment, now: Now) -> Result<(String, String), Reason> {
    const SECOND: i128 = 1_000_000_000;
    let fixed = match (moment, now) {
        (Moment::At(at), _) => at,
        (Moment::FromNow(offset), Now::Fixed(now)) => now.as_nanosecond() + offset,
        (Moment::FromNow(offset), Now::Running) => {
            if offset % SECOND != 0 || offset.abs() > 100_000_000_000 * SECOND {
                return Err(Reason::Moment(moment.to_string()));
            }
            let seconds = match offset / SECOND {
                0 => "now_s".to_owned(),
                seconds if seconds < 0 => format!("(now_s - {})", -seconds),
                seconds => format!("(now_s + {seconds})"),
            };
            return Ok((seconds, "now_ns".to_owned()));
        }
    };
    if fixed.abs() > 1_000_000_000_000 * SECOND {
        return Err(Reason::Moment(moment.to_string()));
    }
    Ok((
        fixed.div_euclid(SECOND).to_string(),
        fixed.rem_euclid(SECOND).to_string(),
    ))
}
