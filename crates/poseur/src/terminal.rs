//! What is particular to terminals: colour, width, progress, and texts made harmless.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Colours, if they are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    on: bool,
}

/// The colours in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Something holds, is good.
    Green,
    /// Something is bad.
    Red,
    /// Something deserves a look.
    Yellow,
    /// Headings.
    Bold,
    /// Less important.
    Dim,
}

impl Paint {
    /// Colours on standard output, if it is a terminal that has them.
    pub fn stdout() -> Paint {
        Paint {
            on: io::stdout().is_terminal() && wanted(),
        }
    }

    /// Colours on standard error, if it is a terminal that has them.
    pub fn stderr() -> Paint {
        Paint {
            on: io::stderr().is_terminal() && wanted(),
        }
    }

    /// No colours.
    pub fn plain() -> Paint {
        Paint::default()
    }

    /// A text in a colour.
    pub fn of<'a>(self, colour: Colour, text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let text = text.into();
        if !self.on {
            return text;
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Yellow => 33,
            Colour::Bold => 1,
            Colour::Dim => 2,
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }
}

/// Colours are not refused: see no-color.org.
fn wanted() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns of the terminal that standard output is.
pub fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    // A terminal that does not know its width, such as a bare pseudo-terminal, says 0.
    let size = terminal_size::terminal_size().map(|(width, _)| width.0 as usize);
    Some(size.filter(|width| *width > 0).unwrap_or(80))
}

/// Whether people who read standard output can be shown more than ASCII.
pub fn is_unicode() -> bool {
    if cfg!(windows) {
        return true;
    }
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// A text that does nothing but stand there: control characters, and characters that are invisible
/// or turn the direction of writing, are shown instead of obeyed. Values come from attackers, and a
/// terminal obeys what it is sent.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // The pictures of the control characters.
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + c as u32)),
            '\x7f' => out.push('\u{2421}'),
            c if is_harmful(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The same for bytes of a record, which may not be UTF-8.
pub fn harmless_bytes(text: &[u8]) -> String {
    harmless(&String::from_utf8_lossy(text)).into_owned()
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to a number of columns, with `…` in place of what is cut off.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut taken = 0;
    let mut out = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if taken + wide + 1 > columns {
            break;
        }
        taken += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// The spaces that fill a text up to a number of columns.
pub fn padding(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// Lines of aligned columns, two spaces apart; the last column is not filled up.
pub fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&padding(cell, *width));
                line.push_str("  ");
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

/// Messages on standard error, beside a progress bar if there is one.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    bar: Option<Arc<Bar>>,
    failed: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    started: Instant,
    shown: AtomicBool,
}

/// Work that takes no longer needs no progress bar.
const SHORT: Duration = Duration::from_millis(500);

impl Messages {
    /// Messages without a progress bar.
    pub fn new() -> Messages {
        Messages::default()
    }

    /// With a progress bar over `bytes`, if standard error is a terminal.
    pub fn with_progress(bytes: u64) -> Messages {
        if !io::stderr().is_terminal() {
            return Messages::new();
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::hidden());
        let template = "{bar:32} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let bar = Bar {
            bar,
            started: Instant::now(),
            shown: AtomicBool::new(false),
        };
        Messages {
            bar: Some(Arc::new(bar)),
            failed: Arc::default(),
        }
    }

    /// So many bytes of input were read.
    pub fn advance(&self, bytes: u64) {
        let Some(Bar {
            bar,
            started,
            shown,
        }) = self.bar.as_deref()
        else {
            return;
        };
        bar.inc(bytes);
        if !shown.load(Ordering::Relaxed) && started.elapsed() > SHORT {
            shown.store(true, Ordering::Relaxed);
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Runs something that writes to the terminal, with the bar out of the way.
    pub fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.bar.suspend(write),
            None => write(),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.bar.finish_and_clear();
        }
    }

    /// Says that something failed, and goes on.
    pub fn failure(&self, message: &str) {
        self.failed.store(true, Ordering::Relaxed);
        self.say(message);
    }

    /// Says something, as one line.
    pub fn say(&self, message: &str) {
        self.beside(|| say(message));
    }

    /// Whether anything failed.
    pub fn any_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Prints one line on standard error that says who is speaking.
pub fn say(message: &str) {
    // Where standard error is gone, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "poseur: {}", harmless(message));
}

/// Prints lines on standard error as they are, but for what a terminal would obey.
pub fn show(text: &str) {
    let mut err = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(err, "{}", harmless(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        for (text, shown) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("\x1b[2J", "␛[2J"),
            ("a\nb\tc\r\0\x7f", "a␊b␉c␍␀␡"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("exe.\u{202e}fdp", "exe.\\u{202e}fdp"),
            ("he\u{200b}lp\u{ad}", "he\\u{200b}lp\\u{ad}"),
            ("\u{e0041}\u{feff}", "\\u{e0041}\\u{feff}"),
        ] {
            assert_eq!(harmless(text), shown);
        }
        assert_eq!(harmless_bytes(b"a\xffb\x07"), "a\u{fffd}b␇");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("日本"), 4);
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 2), "a…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
        for columns in 0..8 {
            assert!(width(&cut("a日b本c", columns)) <= columns);
        }
        let rows = [
            vec!["日本".to_owned(), "x".into()],
            vec!["a".into(), "y".into()],
        ];
        assert_eq!(aligned(&rows), ["日本  x", "a     y"]);
    }

    #[test]
    fn colours_can_be_off() {
        assert_eq!(Paint::plain().of(Colour::Red, "x"), "x");
        assert_eq!(Paint { on: true }.of(Colour::Red, "x"), "\x1b[31mx\x1b[0m");
    }
}
