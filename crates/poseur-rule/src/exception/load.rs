//! Loads exceptions from files and folders.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Exception, Expired, expired, parse};
use crate::error::{LoadError, Place};
use crate::files::{self, Kind};

/// Largest exceptions file. List files may be larger.
const MAX_BYTES: u64 = 16 << 20;

/// What was loaded, and what was not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The exceptions, in the order of the paths, and in the order they stand in each file.
    pub exceptions: Vec<Exception>,
    /// Everything that is wrong, all at once.
    pub refused: Vec<LoadError>,
    /// The list files that the files name.
    pub lists: Vec<PathBuf>,
}

impl Loaded {
    /// What is no longer in force at a moment, to warn about.
    pub fn expired(&self, now: Timestamp) -> Vec<Expired> {
        expired(&self.exceptions, now)
    }
}

/// Loads exceptions from YAML files, and from folders: every `.yml` and `.yaml` file in them and
/// below, in the order of their names. What starts with a dot is passed over. A file that two paths
/// lead to is read once. A folder without such files is no error: it may be filled later.
pub fn load(paths: &[PathBuf]) -> Loaded {
    let mut finder = Finder::default();
    for path in paths {
        finder.path(path);
    }
    let mut loaded = Loaded {
        exceptions: Vec::new(),
        refused: finder.refused,
        lists: Vec::new(),
    };
    for path in finder.files {
        match read(&path) {
            Ok(text) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let name = path.display().to_string();
                let parsed = parse::parse(&name, &text, Some(folder));
                loaded.exceptions.extend(parsed.exceptions);
                loaded.refused.extend(parsed.errors);
                loaded.lists.extend(parsed.lists);
            }
            Err(error) => loaded.refused.push(error),
        }
    }
    let (exceptions, duplicates) = unique(loaded.exceptions);
    loaded.exceptions = exceptions;
    loaded.refused.extend(duplicates);
    loaded
}

/// Refuses every exception whose id an earlier one has. [`load()`] does so by itself; this is for
/// exceptions from several sources, packs among them.
pub fn unique(exceptions: Vec<Exception>) -> (Vec<Exception>, Vec<LoadError>) {
    let mut seen: HashMap<String, Place> = HashMap::with_capacity(exceptions.len());
    let mut kept = Vec::with_capacity(exceptions.len());
    let mut errors = Vec::new();
    for exception in exceptions {
        match seen.get(&exception.id) {
            None => {
                seen.insert(exception.id.clone(), exception.place.clone());
                kept.push(exception);
            }
            Some(first) => {
                let reason = format!(
                    "an exception with the id `{}` is already at {first}",
                    exception.id
                );
                errors.push(LoadError::new(exception.place, reason));
            }
        }
    }
    (kept, errors)
}

/// Finds the files of paths.
#[derive(Default)]
struct Finder {
    files: Vec<PathBuf>,
    refused: Vec<LoadError>,
    /// Real paths of what was found: a link back must not loop.
    visited: HashSet<PathBuf>,
}

impl Finder {
    /// Finds a path's files: itself, or those in the folder.
    fn path(&mut self, path: &Path) {
        let real = match files::identity(path) {
            Ok(real) => real,
            Err(error) => return self.refused.push(unreadable(path, &error)),
        };
        let is_folder = files::is_folder(path);
        if !self.visited.insert(real) {
            return;
        }
        if !is_folder {
            return self.files.push(path.to_owned());
        }
        match files::entries(path) {
            Ok(entries) => {
                entries
                    .iter()
                    .filter(|entry| is_wanted(entry))
                    .for_each(|entry| self.path(entry));
            }
            Err(error) => self.refused.push(unreadable(path, &error)),
        }
    }
}

/// Whether an entry of a folder is looked at.
fn is_wanted(entry: &Path) -> bool {
    // Among the hidden are the folders behind a Kubernetes ConfigMap, to which its files link.
    let hidden = entry
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_yaml = entry.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yml") || extension.eq_ignore_ascii_case("yaml")
    });
    if hidden {
        return false;
    }
    match files::kind(entry) {
        Ok(Kind::Folder) => true,
        // A pipe would be waited on for ever.
        Ok(Kind::Other) => false,
        // If it cannot be looked at, reading it says why.
        Ok(Kind::File) | Err(_) => is_yaml,
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    let data = files::read(path, MAX_BYTES + 1).map_err(|error| unreadable(path, &error))?;
    if data.len() as u64 > MAX_BYTES {
        let reason = format!(
            "larger than {} MiB: put long lists into a list file, as in `domain: {{file: partners.txt}}`",
            MAX_BYTES >> 20
        );
        return Err(LoadError::new(whole(path), reason));
    }
    String::from_utf8(data).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        LoadError::new(
            Place::new(path.display().to_string(), line, 0),
            "this is not UTF-8 text: save the file as UTF-8",
        )
    })
}

fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    LoadError::new(whole(path), format!("cannot be read: {error}"))
}

fn whole(path: &Path) -> Place {
    Place::new(path.display().to_string(), 0, 0)
}

#[cfg(test)]
mod tests {
    use super::super::Ground;
    use super::*;
    use std::fs;

    /// Writes files into a new folder.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn entry(id: &str) -> String {
        format!("- {{id: {id}, reason: r, domain: {id}.example}}\n")
    }

    fn ids(loaded: &Loaded) -> Vec<&str> {
        let ids = loaded.exceptions.iter();
        ids.map(|exception| exception.id.as_str()).collect()
    }

    /// Errors, the folder's own path taken out.
    fn errors(loaded: &Loaded, folder: &Path) -> Vec<String> {
        let path = format!("{}/", folder.display());
        let errors = loaded.refused.iter();
        errors
            .map(|error| error.to_string().replace(&path, ""))
            .collect()
    }

    #[test]
    fn files_and_folders_in_order() {
        let folder = folder(&[
            ("b.yml", &entry("b")),
            ("a.YAML", &entry("a")),
            ("c/d.yaml", &entry("d")),
            ("c/list.txt", "no yaml: ["),
            (".hidden.yml", "no yaml: ["),
            ("..data/a.yml", "no yaml: ["),
            ("z.conf", &entry("z")),
            ("empty.yml", ""),
            ("e/.keep", ""),
        ]);
        let at = |name: &str| folder.path().join(name);
        let loaded = load(&[at("z.conf"), at(""), at("b.yml"), at("e")]);
        assert_eq!(errors(&loaded, folder.path()), [""; 0]);
        assert_eq!(ids(&loaded), ["z", "a", "b", "d"]);
        assert_eq!(load(&[]), Loaded::default());
    }

    #[test]
    fn ids_are_taken_once() {
        let folder = folder(&[
            ("a.yml", &(entry("x") + &entry("y") + &entry("x"))),
            ("b.yml", &entry("y")),
        ]);
        let loaded = load(&[folder.path().to_owned()]);
        assert_eq!(ids(&loaded), ["x", "y"]);
        assert_eq!(
            errors(&loaded, folder.path()),
            [
                "a.yml:3:3: an exception with the id `x` is already at a.yml:1:3",
                "b.yml:1:3: an exception with the id `y` is already at a.yml:2:3",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_hides_nothing_else() {
        let folder = folder(&[("a.yml", "a: ["), ("b.yml", &entry("b"))]);
        fs::write(folder.path().join("c.yml"), b"a\n\xff").unwrap();
        fs::write(folder.path().join("d.yml"), vec![b'#'; 17 << 20]).unwrap();
        let loaded = load(&[folder.path().join("none.yml"), folder.path().to_owned()]);
        assert_eq!(ids(&loaded), ["b"]);
        let errors = errors(&loaded, folder.path());
        let starts = [
            "none.yml: cannot be read: ",
            "a.yml:2:1: this is not valid YAML: ",
            "c.yml:2: this is not UTF-8 text",
            "d.yml: larger than 16 MiB",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_does_not_loop() {
        let folder = folder(&[("a/b.yml", &entry("b"))]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("a/gone.yml")).unwrap();
        let loaded = load(&[folder.path().to_owned()]);
        assert_eq!(ids(&loaded), ["b"]);
        let errors = errors(&loaded, folder.path());
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].starts_with("a/gone.yml: cannot be read: "),
            "{errors:?}"
        );
    }

    #[test]
    fn list_files_are_found_from_the_file_that_names_them() {
        let folder = folder(&[
            (
                "conf/exceptions.yml",
                "- id: a\n  reason: r\n  domain: {file: ../lists/domains.txt}\n  \
                 tenant_id: {file: w.csv, column: TenantId}\n  email: [x@b.example, {file: ../lists/mail.txt}]\n",
            ),
            (
                "lists/domains.txt",
                "# partners\nmsp.example\n.msp.example\n",
            ),
            ("lists/mail.txt", "y@c.example\n"),
            (
                "conf/w.csv",
                "Name,TenantId\r\nMSP,3f2504e0-4f89-41d3-9a0c-0305e82c3301\r\n",
            ),
        ]);
        let loaded = load(&[folder.path().join("conf")]);
        assert_eq!(errors(&loaded, folder.path()), [""; 0]);
        let Ground::Trusted(trusted) = &loaded.exceptions[0].ground else {
            panic!()
        };
        assert_eq!(trusted.len(), 5);
        assert!(trusted.trusts_domain("a.msp.example") && trusted.trusts_domain("msp.example"));
        assert!(trusted.trusts_email("x@b.example") && trusted.trusts_email("y@c.example"));
        assert!(trusted.trusts_tenant("3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
    }

    #[test]
    fn bad_lists_refuse_the_exception_and_name_their_own_lines() {
        let folder = folder(&[
            (
                "a.yml",
                "- id: a\n  reason: r\n  domain: {file: d.txt}\n\
                 - id: b\n  reason: r\n  domain: {file: none.txt}\n\
                 - id: c\n  reason: r\n  tenant_id: {file: w.csv}\n\
                 - id: d\n  reason: r\n  tenant_id: {file: w.csv, colum: Id}\n\
                 - id: e\n  reason: r\n  tenant_id: {file: w.csv, column: Id}\n\
                 - id: f\n  reason: r\n  domain: {file: empty.txt}\n\
                 - id: g\n  reason: r\n  domain: good.example\n",
            ),
            ("d.txt", "msp.example\n\n  co.uk\n"),
            ("w.csv", "Id\n\n17\n"),
            ("empty.txt", "# nobody\n"),
        ]);
        let loaded = load(&[folder.path().to_owned()]);
        assert_eq!(ids(&loaded), ["g"]);
        let wanted = [
            "d.txt:3:3: `co.uk`: `co.uk` is a public suffix: ",
            "a.yml:6:18: `none.txt` cannot be read: ",
            "a.yml:9:21: a CSV file needs a `column`",
            "a.yml:12:28: unknown key `colum` in the place of a list: did you mean `column`?",
            "a.yml:12:21: a CSV file needs a `column`",
            "w.csv:3: `17`: a tenant id is a GUID",
            "a.yml:18:3: `domain` lists nothing",
        ];
        let errors = errors(&loaded, folder.path());
        assert_eq!(errors.len(), wanted.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(wanted) {
            assert!(error.starts_with(start), "{error}\n{start}");
        }
    }

    #[test]
    fn expired_exceptions_are_loaded_and_named() {
        let folder = folder(&[(
            "a.yml",
            "- {id: a, reason: r, owner: Ann, domain: a.example, expires: 2027-01-31}\n\
             - {id: b, reason: r, domain: b.example}\n",
        )]);
        let loaded = load(&[folder.path().to_owned()]);
        assert_eq!(ids(&loaded), ["a", "b"]);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(loaded.expired(at("2027-01-31T23:59:59.999Z")), []);
        let expired = loaded.expired(at("2027-02-01T00:00:00Z"));
        assert_eq!(expired.len(), 1);
        assert!(
            expired[0].to_string().ends_with(
                "a.yml:1:3: the exception `a` expired at 2027-02-01T00:00:00Z and is inactive; its owner is Ann"
            ),
            "{}",
            expired[0]
        );
    }
}
