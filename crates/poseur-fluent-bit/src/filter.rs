//! A filter: settings in, then chunk after chunk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poseur_rule::error::LoadError;
use poseur_setup::ready::{Ready, ready};
use poseur_setup::watch::Watch;
use poseur_tagger::Tagged;
use poseur_tagger::msgpack::chunks::ChunkTagger;

use crate::settings::Settings;

pub use poseur_setup::ready::{Notice, compile};

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

impl Filter {
    /// Loads and compiles what the settings name; answers also what there is to tell.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn new(settings: Settings) -> Result<(Filter, Vec<Notice>), Vec<LoadError>> {
        let Ready {
            matcher,
            watch,
            notices,
        } = ready(&settings.sources, Timestamp::now())?;
        let filter = Filter {
            tagger: ChunkTagger::new(Arc::new(matcher), settings.tag.clone()),
            settings,
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
        match ready(&self.settings.sources, Timestamp::now()) {
            Ok(Ready {
                matcher,
                watch,
                mut notices,
            }) => {
                self.tagger = ChunkTagger::new(Arc::new(matcher), self.settings.tag.clone());
                self.watch = watch;
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
