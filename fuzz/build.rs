//! What plays Fluent Bit's part must offer its functions by name.

fn main() {
    println!("cargo::rustc-link-arg-tests=-rdynamic");
    println!("cargo::rustc-link-arg-bins=-rdynamic");
}
