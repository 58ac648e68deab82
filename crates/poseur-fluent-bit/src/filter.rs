//! A filter: settings in, then chunk after chunk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::LoadError;
use poseur_setup::watch::Watch;
use poseur_tagger::Tagged;
use poseur_tagger::msgpack::chunks::ChunkTagger;

use crate::settings::Settings;

/// Files are looked at this often. A look costs a system call for each.
const LOOKS: Duration = Duration::from_secs(1);

/// One instance of the filter.
#[derive(Debug)]
pub struct Filter {
    settings: Settings,
    tagger: ChunkTagger,
    watch: Watch,
    looked: Instant,
}

/// Something to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// All is well.
    Info(String),
    /// Something is hardly meant.
    Warning(String),
    /// Something does not work.
    Error(String),
}

/// What was made of the settings.
struct Loaded {
    tagger: ChunkTagger,
    watch: Watch,
    notices: Vec<Notice>,
}

impl Filter {
    /// Loads and compiles what the settings name; answers also what there is to tell.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn new(settings: Settings) -> Result<(Filter, Vec<Notice>), Vec<LoadError>> {
        let Loaded {
            tagger,
            watch,
            notices,
        } = load(&settings)?;
        let filter = Filter {
            settings,
            tagger,
            watch,
            looked: Instant::now(),
        };
        Ok((filter, notices))
    }

    /// Reads the files again if they have changed since the last look, and a second has passed. What is
    /// wrong with them leaves everything as it was.
    pub fn refresh(&mut self) -> Vec<Notice> {
        if !self.settings.rereads || self.looked.elapsed() < LOOKS {
            return Vec::new();
        }
        self.look()
    }

    /// The same, at once.
    pub fn look(&mut self) -> Vec<Notice> {
        self.looked = Instant::now();
        if !self.watch.has_changed() {
            return Vec::new();
        }
        match load(&self.settings) {
            Ok(loaded) => {
                (self.tagger, self.watch) = (loaded.tagger, loaded.watch);
                let mut notices = loaded.notices;
                let news = "rules and exceptions have changed and were read again";
                notices.insert(0, Notice::Info(news.to_owned()));
                notices
            }
            Err(errors) => {
                let wrong = errors.iter().map(|error| Notice::Error(error.to_string()));
                let kept =
                    "the changed rules or exceptions are not used: the old ones stay in force";
                wrong.chain([Notice::Error(kept.to_owned())]).collect()
            }
        }
    }

    /// Tags a chunk; `None` if it stays as it is: nothing matched, or it cannot be read.
    pub fn tag<'a>(&'a mut self, chunk: &'a [u8], now: Timestamp) -> Option<Tagged<'a>> {
        let tagged = self.tagger.tag(chunk, now).ok()?;
        (!tagged.is_unchanged()).then_some(tagged)
    }
}

fn load(settings: &Settings) -> Result<Loaded, Vec<LoadError>> {
    let loaded = poseur_setup::load(&settings.sources);
    // Before anything else can change: what is written while this loads is seen at the next look.
    let watch = Watch::new(settings.sources.files(&loaded));
    let (matcher, notices) = compile(loaded, &settings.sources.schema, Timestamp::now())?;
    Ok(Loaded {
        notices,
        tagger: ChunkTagger::new(Arc::new(matcher), settings.tag.clone()),
        watch,
    })
}

/// Compiles what was loaded, as of a moment; answers also what there is to tell.
///
/// # Errors
/// With everything that is wrong.
pub fn compile(
    mut loaded: poseur_setup::Loaded,
    schema: &str,
    now: Timestamp,
) -> Result<(Matcher, Vec<Notice>), Vec<LoadError>> {
    let warnings = loaded.warnings(now);
    let matcher = loaded.compile(schema);
    let (fatal, others) = loaded.by_gravity();
    let Some(matcher) = matcher.filter(|_| fatal.is_empty()) else {
        // The others may be why: of a folder of which nothing is left, only the folder is fatal.
        return Err(fatal.into_iter().chain(others).collect());
    };
    let (rules, exceptions) = (matcher.rules().len(), matcher.exceptions().len());
    let ready = format!("{rules} rule(s) and {exceptions} exception(s) in force");
    let refused = others.iter().map(|error| format!("not used: {error}"));
    let warnings = warnings.into_iter().chain(refused).map(Notice::Warning);
    let notices = warnings.chain([Notice::Info(ready)]).collect();
    Ok((matcher, notices))
}
