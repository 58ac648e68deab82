//! Tags people who pose as the IT help desk in Microsoft Teams logs, in line.

fn main() -> std::process::ExitCode {
    poseur::main()
}
