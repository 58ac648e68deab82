//! The shipped samples are what the commands in their README write.

use std::path::Path;
use std::process::Command;

#[test]
fn the_samples_can_be_made_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("examples/samples/README.md")).unwrap();
    let mut made = 0;
    for line in readme.lines().filter(|line| line.starts_with("cargo run")) {
        let (_, arguments) = line.split_once(" -- ").unwrap();
        let (arguments, file) = arguments.split_once(" -o ").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_poseur-traffic"))
            .args(arguments.split(' '))
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}");
        let shipped = std::fs::read(root.join(file)).unwrap();
        assert!(
            output.stdout == shipped,
            "{file} is not what its command writes"
        );
        made += 1;
    }
    assert_eq!(made, 2);
}
