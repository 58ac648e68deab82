//! The tests play Fluent Bit's part: the plugin must find their functions by name.

fn main() {
    println!("cargo::rustc-link-arg-tests=-rdynamic");
}
