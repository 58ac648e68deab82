"""Prints the licences of what a build of the command has in it: packaging/licences.py TARGET FEATURES.

Of each text one copy, below the names of the packages that bring it. A package without a text of its own is named with the
licence it declares.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE")


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


target, features = sys.argv[1:]
tree = cargo(
    *("tree", "--locked", "-p", "poseur", "--features", features, "--target", target),
    *("--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"),
)
linked = {tuple(line.split()[:2]) for line in tree.splitlines()}
packages = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--all-features"))["packages"]

texts = defaultdict(list)
without = []
for package in sorted(packages, key=lambda package: package["name"]):
    if (package["name"], "v" + package["version"]) not in linked or package["source"] is None:
        continue
    name = f"{package['name']} {package['version']} ({package['license']})"
    folder = Path(package["manifest_path"]).parent
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and file.name.upper().startswith(NAMES)]
    for file in files:
        texts[file.read_text(errors="replace").strip()].append(name)
    if not files:
        without.append(name)

print("Beside its own code, under the licences MIT or Apache-2.0, the command `poseur` has these packages in it.")
print("The standard library of Rust is under MIT or Apache-2.0, the C library musl, where it is linked, under MIT.")
for text, names in sorted(texts.items(), key=lambda item: item[1]):
    print("\n" + "=" * 78, *names, "-" * 78, text, sep="\n")
if without:
    print("\n" + "=" * 78, "Under the declared licence, without a text:", *without, sep="\n")
