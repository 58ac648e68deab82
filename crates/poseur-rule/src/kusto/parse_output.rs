//! The grammar of what only arranges or shows records: orders and charts.

use super::Result;
use super::parse_expression::Parser;
use super::token::Kind;

/// What `render` draws.
const CHARTS: [&str; 20] = [
    "anomalychart",
    "areachart",
    "barchart",
    "card",
    "columnchart",
    "graph",
    "ladderchart",
    "linechart",
    "list",
    "piechart",
    "pivotchart",
    "plotly",
    "sankey",
    "scatterchart",
    "stackedareachart",
    "table",
    "timechart",
    "timeline",
    "timepivot",
    "treemap",
];

impl Parser<'_> {
    pub(super) fn ordered(&mut self) -> Result<()> {
        self.order()?;
        while self.eat(",") {
            self.order()?;
        }
        Ok(())
    }

    /// `EXPRESSION [asc|desc] [nulls first|last]`: what is sorted by has no bearing on a match.
    pub(super) fn order(&mut self) -> Result<()> {
        self.expression()?;
        let _ = self.eat_word("asc") || self.eat_word("desc");
        if self.eat_word("nulls") && !self.eat_word("first") && !self.eat_word("last") {
            return self.unexpected("`first` or `last`");
        }
        Ok(())
    }

    /// A chart and its options, in their old and new form.
    pub(super) fn render(&mut self) -> Result<()> {
        match self.word() {
            Some(word) if CHARTS.contains(&word) => self.advance(),
            _ => return self.unexpected("the name of a chart"),
        }
        if self.eat_word("with") {
            self.expect("(")?;
            self.list(Self::render_option)?;
            return self.expect(")");
        }
        while matches!(self.peek().kind, Kind::Name(_)) {
            self.render_option()?;
        }
        Ok(())
    }

    fn render_option(&mut self) -> Result<()> {
        if self.word().is_none() {
            return self.unexpected("an option of a chart");
        }
        self.advance();
        self.expect("=")?;
        match self.peek().kind {
            Kind::Name(_) | Kind::Literal(_) => self.advance(),
            Kind::Text(_) => drop(self.text()),
            _ => return self.unexpected("a value"),
        }
        Ok(())
    }
}
