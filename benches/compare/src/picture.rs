//! The results as an SVG picture: one bar a tool, on a logarithmic scale, legible on light and dark pages.

use std::fmt::Write;

use crate::answer::Does;
use crate::results::{Figures, Outcome, Results};

const WIDTH: f64 = 820.0;
/// Where bars begin and end.
const LEFT: f64 = 220.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 80.0;
const ROW: f64 = 30.0;

const STYLE: &str = "\
    text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }\n\
    .title { font-size: 16px; font-weight: 600 }\n\
    .small { font-size: 11px; fill: #59636e }\n\
    .grid { stroke: #d1d9e0 }\n\
    .own { fill: #0969da }\n\
    .peer { fill: #818b98 }\n\
    .limit { fill: #2da44e }\n\
    .finder { fill: none; stroke: #818b98; stroke-width: 1.5; stroke-dasharray: 4 3 }\n\
    @media (prefers-color-scheme: dark) {\n\
      text { fill: #f0f6fc }\n\
      .small { fill: #9198a1 }\n\
      .grid { stroke: #3d444d }\n\
      .own { fill: #4493f8 }\n\
      .limit { fill: #3fb950 }\n\
    }\n";

/// Draws how many megabytes each tool handles in a second of processor time.
pub fn svg(results: &Results) -> String {
    let mut bars: Vec<Bar<'_>> = results.rows.iter().filter_map(Bar::of).collect();
    bars.sort_by(|one, other| other.rate.total_cmp(&one.rate));
    let scale = Scale::over(bars.iter().map(|bar| bar.rate));
    let bottom = TOP + ROW * bars.len() as f64;
    let height = bottom + 58.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n<style>\n{STYLE}</style>\n\
         <text x=\"16\" y=\"26\" class=\"title\">Megabytes for each second of processor time</text>\n\
         <text x=\"16\" y=\"46\" class=\"small\">{}</text>\n\
         <text x=\"16\" y=\"62\" class=\"small\">Longer is better; each grid line is ten times the one before.</text>\n",
        escaped(&label(&bars)),
        escaped(&results.traffic),
    );
    for (rate, x) in scale.lines() {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{bottom}\" class=\"grid\"/>\n\
             <text x=\"{x:.1}\" y=\"{}\" class=\"small\" text-anchor=\"middle\">{}</text>",
            TOP - 6.0,
            bottom + 16.0,
            unit(rate),
        );
    }
    for (at, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let end = scale.at(bar.rate);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"20\" rx=\"3\" class=\"{}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            LEFT - 10.0,
            y + 17.0,
            escaped(bar.name),
            y + 2.0,
            end - LEFT,
            bar.class,
            end + 8.0,
            y + 17.0,
            escaped(&bar.figure()),
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"16\" y=\"{}\" class=\"small\">Green only copies. Dashed only finds: the stream does not come out. \
         {}, {}</text>\n</svg>",
        bottom + 42.0,
        escaped(&results.date),
        escaped(&results.machine.cpu),
    );
    text
}

struct Bar<'a> {
    name: &'a str,
    class: &'static str,
    /// MB for each second of processor time.
    rate: f64,
    /// How many times the processor time of `poseur`.
    to_poseur: Option<f64>,
}

impl Bar<'_> {
    fn of(row: &crate::results::Row) -> Option<Bar<'_>> {
        let Outcome::Measured(Figures {
            cpu_per_gb,
            cpu_to_poseur,
            ..
        }) = row.outcome
        else {
            return None;
        };
        let rate = 1000.0 / cpu_per_gb;
        (rate.is_finite() && rate > 0.0).then_some(Bar {
            name: &row.name,
            class: match row.does {
                Does::Copies => "limit",
                Does::Splices => "own",
                Does::Tags => "peer",
                Does::FindsMatches | Does::FindsCandidates => "finder",
            },
            rate,
            to_poseur: cpu_to_poseur,
        })
    }

    fn figure(&self) -> String {
        let rate = unit(self.rate);
        match self.to_poseur {
            Some(ratio) if self.class == "peer" && ratio >= 1.5 => {
                format!("{rate}, {ratio:.0} × the time of poseur")
            }
            _ => rate,
        }
    }
}

/// A rate with its unit.
fn unit(megabytes: f64) -> String {
    if megabytes >= 1000.0 {
        format!("{} GB", short(megabytes / 1000.0))
    } else {
        format!("{} MB", short(megabytes))
    }
}

/// Two or three digits, no zeros after a whole number.
fn short(value: f64) -> String {
    if value >= 10.0 {
        return format!("{value:.0}");
    }
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// What a reader who does not see the picture is told.
fn label(bars: &[Bar<'_>]) -> String {
    let parts: Vec<String> = bars
        .iter()
        .map(|bar| format!("{} {}", bar.name, unit(bar.rate)))
        .collect();
    format!(
        "Data for each second of processor time: {}",
        parts.join(", ")
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// A logarithmic scale from a power of ten to a power of ten.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn over(rates: impl Iterator<Item = f64>) -> Scale {
        let logs: Vec<f64> = rates.map(f64::log10).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if logs.is_empty() {
            return Scale { low: 0, high: 1 };
        }
        let low = least.floor() as i32;
        Scale {
            low,
            high: (most.ceil() as i32).max(low + 1),
        }
    }

    fn at(&self, rate: f64) -> f64 {
        let share = (rate.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        // A bar at the very beginning must still be seen.
        (LEFT + share * (RIGHT - LEFT)).max(LEFT + 2.0)
    }

    fn lines(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.low..=self.high).map(|power| {
            let rate = 10f64.powi(power);
            let share = f64::from(power - self.low) / f64::from(self.high - self.low);
            (rate, LEFT + share * (RIGHT - LEFT))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::sample;

    #[test]
    fn a_bar_for_each_tool_that_was_measured() {
        let text = svg(&sample());
        assert_eq!(text.matches("<rect ").count(), 3);
        assert!(!text.contains("liar") && !text.contains("broken"));
        // Fastest first.
        let at = |name: &str| text.find(&format!(">{name}<")).unwrap();
        assert!(at("cat") < at("poseur") && at("poseur") < at("slow &lt;one>"));
        assert!(text.contains("18 MB, 122 × the time of poseur"), "{text}");
        assert!(text.contains("prefers-color-scheme: dark"));
        assert!(text.contains("Some &lt;CPU> &amp; more"));
    }

    #[test]
    fn lengths_are_logarithmic() {
        let scale = Scale::over([20.0, 4000.0].into_iter());
        assert_eq!((scale.low, scale.high), (1, 4));
        let step = scale.at(100.0) - scale.at(10.0) - (RIGHT - LEFT) / 3.0;
        // The shortest bar is kept visible.
        assert!(step.abs() <= 2.0, "{step}");
        assert!((scale.at(1000.0) - scale.at(100.0) - (RIGHT - LEFT) / 3.0).abs() < 1e-9);
        assert_eq!(scale.at(10_000.0), RIGHT);
        assert_eq!(scale.lines().count(), 4);
    }

    #[test]
    fn nothing_measured_is_still_a_picture() {
        let mut results = sample();
        results.rows.clear();
        assert!(svg(&results).ends_with("</svg>\n"));
    }
}
