//! Where in a program an error about an argument is.
//!
//! The compiler of `vrl` 0.38 gives errors that a function finds in its arguments the place of the whole
//! call, whatever place the function says. Hosts that want people to see the argument go over the
//! errors with [`pointed`].

use vrl::compiler::Function;
use vrl::diagnostic::{DiagnosticList, Label, Span};
use vrl::parser::ast::{Expr, FunctionCall, RootExpr};

/// Errors of a program with those about an argument of a Poseur function at this argument.
pub fn pointed(source: &str, mut errors: DiagnosticList) -> DiagnosticList {
    let functions = super::all();
    for error in errors.iter_mut() {
        let mut named = error.labels.iter();
        let found =
            named.find_map(|label| Some((label.span, argument(source, label, &functions)?)));
        let Some((call, argument)) = found else {
            continue;
        };
        // One label names the argument, the others say more.
        let labels = error.labels.iter_mut();
        labels
            .filter(|label| label.span == call)
            .for_each(|label| label.span = argument);
    }
    errors
}

/// The place of the argument that a label names, if its place is a call of one of the functions.
fn argument(source: &str, label: &Label, functions: &[Box<dyn Function>]) -> Option<Span> {
    let name = label
        .message
        .split("argument \"")
        .nth(1)?
        .split('"')
        .next()?;
    let call = source.get(label.span.range())?;
    // The call by itself is a program, too.
    let program = vrl::parser::parse(call).ok()?;
    let RootExpr::Expr(expression) = program.0.first()?.inner() else {
        return None;
    };
    let Expr::FunctionCall(call) = expression.inner() else {
        return None;
    };
    let called = call.ident.inner().as_ref();
    let function = functions
        .iter()
        .find(|function| function.identifier() == called)?;
    let span = place(call, name, function.as_ref())?;
    Some(span + label.span.start())
}

/// Where a call has the argument for a parameter.
fn place(call: &FunctionCall, name: &str, function: &dyn Function) -> Option<Span> {
    // As the compiler counts them.
    let mut position = 0;
    for argument in &call.arguments {
        let at = match &argument.ident {
            None => position,
            Some(keyword) => {
                let mut parameters = function.parameters().iter();
                parameters.position(|parameter| parameter.keyword == keyword.inner().as_ref())?
            }
        };
        position += (at == position) as usize;
        if function.parameters().get(at)?.keyword == name {
            return Some(argument.span());
        }
    }
    None
}
